// The picture of one side of a panel: orders on the left, tasks on the right, the arrows between them, the workers,
// and a timeline of what happened. Only the rows in sight are in the page, and a frame draws only what has changed, so
// that thousands stay smooth. It gets messages (picture.py, row_messages.py), and requests the whole state when it is
// created. On a panel it shares the selected order with the controls: by events on the panel's element.

const FLASH = 20; // more rows than these change at once: no row is flashed
const LIVE_EVERY = 3000; // milliseconds between two sentences for screen readers
const CALM = 2000; // milliseconds without a change, after which the columns may become narrower
const GUTTER = [42, 110]; // least and most pixels between the lists
const LIVE = ["pending", "running"];
// The columns that are hidden if there is little room, in this sequence.
const OPTIONAL = [
  "order customer", "task type", "order amount", "order rest", "task rest", "task way", "task attempt", "task expired",
  "order words", "task words", "order process",
];
let pictures = 0;

export default {
  render({ model, el }) {
    const picture = new Picture(model, el);
    return () => picture.close();
  },
};

class Picture {
  constructor(model, el) {
    this.model = model;
    this.el = el;
    this.page = `${Date.now().toString(36)}-${Math.random().toString(36).slice(2)}`;
    this.uid = `taskref-${++pictures}`;
    const { approach, title, shapes } = model.get("look");
    this.approach = approach;
    this.shapes = shapes;
    this.words = [];
    this.number = null; // of the last message; null: nothing is known yet
    this.workers = [];
    this.leases = {}; // id of a task -> when its lease runs out
    this.ways = new Map(); // id of a task -> [[when, status], …]
    this.ahead = 0; // seconds by which this page's clock is ahead of the kernel's
    this.cut = false; // whether there is no kernel to ask
    this.still = null; // the moment at which the clock stands still: the end of a panel, a moment of a recording
    this.hot = null; // the row that is pointed at: [kind, id]
    this.selected = null; // the order that clicks are about
    this.marks = []; // what the answer of a scenario points at, and of which order
    this.about = null;
    this.dirty = false;
    this.widest = { order: {}, task: {} }; // pixels of each column
    this.patchedAt = Infinity; // Infinity: nothing has changed since the columns got their widths
    this.inbound = new Map(); // id of a target -> ids of the rows that point at it
    this.text = new TextWidth();
    this.build(title);
    el.append(this.root);
    this.sizes = new ResizeObserver(() => this.measure());
    for (const part of [this.root, this.orders.scroller, this.tasks.scroller]) this.sizes.observe(part);
    this.hear = (content, buffers) => this.told(content.kind, buffers[0]);
    model.on("msg:custom", this.hear);
    this.begin = () => model.get("first") && this.everything(JSON.parse(model.get("first")));
    model.on("change:first", this.begin); // until a kernel that is busy with a cell can be asked
    this.onLink = () => requestAnimationFrame(() => this.link());
    model.on("comm_live_update", this.onLink);
    this.begin();
    this.ask();
    this.clock = setInterval(() => this.tick(), 250);
    this.lastSaid = 0;
    this.onState = ({ detail }) => this.share(detail);
    this.frame = requestAnimationFrame(() => this.joinPanel());
  }

  build(title) {
    const { approach } = this;
    this.root = make("div", `taskref-picture taskref-${approach}`, { role: "group", "aria-label": title });
    this.orders = new Grid(this, "order", "Orders");
    this.tasks = new Grid(this, "task", "Tasks");
    this.arrows = new Arrows(this);
    this.timeline = new Timeline(title);
    this.workerLines = make("div", "taskref-workers");
    this.live = make("div", "taskref-unseen", { "aria-live": "polite", "aria-atomic": "true" });
    this.lists = make("div", "taskref-lists", {}, this.orders.root, this.arrows.root, this.tasks.root);
    const head = make("div", "taskref-title", {}, make("strong", "", {}, title), this.workerLines);
    this.root.append(head, this.lists, this.arrows.legend(), this.timeline.root, this.live);
  }

  close() {
    this.model.off("msg:custom", this.hear);
    this.model.off("change:first", this.begin);
    this.model.off("comm_live_update", this.onLink);
    this.panel?.removeEventListener("taskref-state", this.onState);
    cancelAnimationFrame(this.frame);
    this.sizes.disconnect();
    clearInterval(this.clock);
    if (this.orders.opened.size + this.tasks.opened.size) this.send({ page: this.page, orders: [], tasks: [] });
  }

  // The panel around it: the selected order, and what a scenario points at

  joinPanel() {
    this.panel = this.el.closest(".taskref-panel");
    if (!this.panel) {
      this.frame = requestAnimationFrame(() => this.joinPanel());
      return;
    }
    this.panel.addEventListener("taskref-state", this.onState);
    if (this.panel.taskrefState) this.share(this.panel.taskrefState);
  }

  share({ selected, point, about, focus }) {
    const moved = selected !== this.selected;
    const marked = JSON.stringify([point, about]) !== JSON.stringify([this.marks, this.about]);
    if (!moved && !marked) return;
    this.selected = selected;
    this.marks = point;
    this.about = about;
    if (moved && selected !== null && focus !== this) this.orders.reveal(selected);
    if (marked && point.length) this.revealMarked = true;
    this.draw();
  }

  select(id) {
    if (id === null || id === this.selected || !this.panel) return;
    this.panel.dispatchEvent(new CustomEvent("taskref-select", { detail: { selected: id, from: this } }));
  }

  // Whether the answer of a scenario refers to the row.
  isMarked(grid, id) {
    return this.marks.some((mark) => {
      if (mark === "orphan" || mark === "dangling") return grid.mark(grid.rows.get(id)) === mark;
      if (mark === "order") return grid === this.orders && id === this.about;
      return grid === this.tasks && this.about !== null && this.partners(this.orders, this.about).includes(id); // "task"
    });
  }

  // Messages

  // The kernel has gone, or is there again. Without it, the clock stands still.
  link() {
    this.cut = this.el.closest(".jupyter-widgets-disconnected") !== null;
    if (!this.cut) return this.ask();
    this.still ??= this.now();
    this.draw();
  }

  ask() {
    this.askedAt = performance.now();
    this.send({ hello: true });
    this.opened();
  }

  opened() {
    const ids = (grid) => [...grid.opened.keys()];
    this.send({ page: this.page, orders: ids(this.orders), tasks: ids(this.tasks) });
  }

  send(content) {
    if (!this.cut) this.model.send(content);
  }

  told(kind, buffer) {
    const told = JSON.parse(new TextDecoder().decode(buffer));
    if (kind === "everything") this.everything(told);
    else if (this.number !== null && told.number === this.number + 1) this.patch(told);
    else if (this.number === null || told.number > this.number) this.askAgain(); // a message got lost on the way
  }

  askAgain() {
    if (performance.now() - this.askedAt > 500) this.ask();
  }

  everything(told) {
    this.words = [];
    this.still = null;
    this.ways.clear();
    this.orders.forget();
    this.tasks.forget();
    this.timeline.replace(told.events);
    this.patch({ ...told, events: [] });
    if (this.orders.opened.size + this.tasks.opened.size) this.opened();
  }

  patch(told) {
    this.number = told.number ?? null; // without one it is a state to look at until the kernel has answered
    if (told.words) this.words.push(...told.words);
    if (told.now) this.ahead = Date.now() / 1000 - told.now;
    if (told.ended) this.still = told.now;
    if (told.leases) this.leases = told.leases;
    for (const [id, way] of Object.entries(told.ways ?? {})) this.ways.set(Number(id), way);
    const orders = this.orders.take(told.orders, told.gone_orders);
    const tasks = this.tasks.take(told.tasks, told.gone_tasks);
    if (told.counts) [this.orders.count, this.tasks.count] = told.counts;
    if (orders || tasks) this.connect();
    this.patchedAt = performance.now();
    if (told.workers) this.setWorkers(told.workers);
    if (told.details) this.setDetails(told.details);
    if (told.events) this.timeline.add(told.events);
    this.draw();
  }

  now() {
    return this.still ?? Date.now() / 1000 - this.ahead;
  }

  setWorkers(workers) {
    this.workers = workers;
    while (this.workerLines.children.length > workers.length) this.workerLines.lastChild.remove();
    while (this.workerLines.children.length < workers.length) {
      const [shape, words] = [make("span", "", { "aria-hidden": "true" }), make("span", "taskref-state")];
      this.workerLines.append(make("div", "taskref-worker", {}, make("span"), shape, " ", words));
    }
    this.tick();
  }

  setDetails({ orders, tasks }) {
    this.orders.setDetails(orders);
    this.tasks.setDetails(tasks);
  }

  // Four times a second: what counts seconds, and now and then a sentence for screen readers.
  tick() {
    const now = performance.now();
    this.workers.forEach(({ name, state, shape, before, began, after }, number) => {
      const line = this.workerLines.children[number];
      const [label, sign, words] = line.children;
      write(label, `${name} `);
      write(sign, shape);
      write(words, began === null ? before : `${before}${Math.max(0, Math.floor(this.now() - began))} s${after}`);
      if (line.dataset.state !== state) line.dataset.state = state;
    });
    this.orders.tick();
    this.tasks.tick();
    if (now - this.patchedAt > CALM) this.refit();
    if (now - this.lastSaid > LIVE_EVERY && this.number !== null) {
      const sentence = `${this.approach}: ${this.tasks.summary() || "no tasks"}`;
      if (this.live.textContent !== sentence) {
        if (this.live.textContent !== "" || this.lastSaid) write(this.live, sentence);
        this.lastSaid = now;
      }
    }
  }

  // References

  connect() {
    this.inbound.clear();
    const [sources, targets] = this.ends();
    for (const row of sources.rows.values()) {
      const target = sources.target(row);
      if (target === null || !targets.rows.has(target)) continue;
      const others = this.inbound.get(target);
      if (others) others.push(row[0]);
      else this.inbound.set(target, [row[0]]);
    }
  }

  ends() {
    return this.approach === "classic" ? [this.tasks, this.orders] : [this.orders, this.tasks];
  }

  other(grid) {
    return grid === this.orders ? this.tasks : this.orders;
  }

  // The ids at the other ends of the arrows of a row.
  partners(grid, id) {
    const [sources] = this.ends();
    if (grid !== sources) return this.inbound.get(id) ?? [];
    const row = grid.rows.get(id);
    const target = row ? grid.target(row) : null;
    return target === null ? [] : [target];
  }

  // Whether a task that can still run belongs to the order.
  inProcess(order) {
    return this.partners(this.orders, order).some((id) => this.tasks.isLive(id));
  }

  // Whether it is the highlighted row, or the other end of one of its arrows.
  isHot(grid, id) {
    if (!this.hot) return false;
    const [hotGrid, hotId] = this.hot;
    return grid === hotGrid ? id === hotId : this.partners(hotGrid, hotId).includes(id);
  }

  point(grid, id) {
    if (this.hot?.[0] === grid && this.hot?.[1] === id) return;
    this.hot = id === null ? null : [grid, id];
    this.draw();
  }

  jump(grid, id) {
    const [partner] = this.partners(grid, id);
    const other = this.other(grid);
    if (partner === undefined || !other.rows.has(partner)) return;
    other.activate(partner);
    other.scroller.focus({ preventScroll: true });
  }

  // Drawing, at most once per frame

  measure() {
    if (!this.isThere()) return;
    for (const grid of [this.orders, this.tasks]) grid.measure();
    const size = `${this.root.clientWidth} ${this.orders.rowHeight}`;
    if (size === this.size) return this.draw(); // a list has grown
    this.size = size;
    this.fitted = null;
    this.refit();
  }

  refit() {
    this.widest = { order: {}, task: {} };
    this.patchedAt = Infinity;
    this.draw();
  }

  // A notebook removes distant cells from the page; then each list loses its scroll position.
  isThere() {
    const there = this.root.isConnected && this.root.clientWidth > 0;
    if (there && this.away) for (const list of [this.orders, this.tasks, this.timeline]) list.comeBack();
    this.away = !there;
    return there;
  }

  draw() {
    if (this.dirty) return;
    this.dirty = true;
    requestAnimationFrame(() => {
      this.dirty = false;
      if (!this.isThere()) return;
      this.fit();
      this.follow();
      // Read all measures before any write: a read after a write forces a layout.
      for (const grid of [this.orders, this.tasks]) grid.read();
      this.orders.draw();
      this.tasks.draw();
      this.arrows.draw();
      this.timeline.draw();
      if (this.revealMarked) this.showMarked();
    });
  }

  // Each column is as wide as its widest word. If they do not all fit, some are hidden: never a status, an id or an
  // arrow. If not even these fit, the lists are placed one above the other. While rows change, no column becomes narrower:
  // each new width lays out all the rows.
  fit() {
    if (!this.fitted) this.text.use(this.orders.scroller);
    const needs = { order: this.orders.needs(), task: this.tasks.needs() };
    for (const [kind, widths] of Object.entries(this.widest)) {
      for (const name of Object.keys(needs[kind])) needs[kind][name] = widths[name] = Math.max(widths[name] ?? 0, needs[kind][name]);
    }
    const key = JSON.stringify([needs, this.root.clientWidth]);
    if (key === this.fitted) return;
    this.fitted = key;
    const out = new Set();
    const width = (kind) => Object.entries(needs[kind]).reduce((sum, [name, one]) => sum + (out.has(`${kind} ${name}`) ? 0 : one + 6), 14);
    const left = () => this.root.clientWidth - width("order") - width("task") - GUTTER[0];
    for (const one of OPTIONAL) if (left() < 0) out.add(one);
    const stacked = left() < 0;
    if (stacked) {
      out.clear();
      for (const one of OPTIONAL) if (width(one.split(" ")[0]) > this.root.clientWidth) out.add(one);
    }
    const spare = Math.max(0, left());
    const gutter = stacked ? 0 : Math.min(GUTTER[1], GUTTER[0] + spare / 2);
    this.root.classList.toggle("taskref-stacked", stacked);
    this.lists.style.gridTemplateColumns = stacked ? "minmax(0, 1fr)" : `${width("order") + spare / 4}px ${gutter}px minmax(0, 1fr)`;
    this.orders.caption.style.setProperty("--gutter", `${gutter}px`);
    for (const grid of [this.orders, this.tasks]) grid.lay(needs[grid.kind], out);
    this.arrows.width = gutter;
  }

  showMarked() {
    this.revealMarked = false;
    for (const grid of [this.orders, this.tasks]) {
      const marked = grid.ids.findLast((id) => this.isMarked(grid, id));
      if (marked !== undefined) grid.reveal(marked);
    }
  }

  // Keep the task that a worker runs, and its order, in view.
  follow() {
    const ids = this.workers.map(({ task }) => task).filter((id) => id !== null && this.tasks.index.has(id));
    const running = ids.join();
    if (!this.tasks.followed.checked || !ids.length || running === this.running) return;
    this.running = running;
    this.tasks.reveal(ids[0]);
    const [partner] = this.partners(this.tasks, ids[0]);
    if (partner !== undefined) this.orders.reveal(partner);
  }
}
