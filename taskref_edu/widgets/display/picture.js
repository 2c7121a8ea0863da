// The picture of one side of a panel: orders on the left, tasks on the right, the arrows between them, the workers,
// and a timeline of what happened. Everything that comes from the database is set as text, never as HTML.
// Only the rows in sight are in the page, and a frame draws only what has changed, so that thousands stay smooth.
// It is told by messages (see picture.py and patches.py) and asks for everything when it is drawn anew.

const OVERSCAN = 4; // rows beyond each edge of what is in sight
const HOOK = 20; // pixels of an arrow whose other end is out of sight
const LINES = 1000; // of the timeline
const FLASH = 20; // more rows than these change at once: no row is flashed
const LIVE_EVERY = 3000; // milliseconds between two sentences for screen readers
let pictures = 0;

export default {
  render({ model, el }) {
    const picture = new Picture(model, el);
    return () => picture.close();
  },
};

// A tag with a class, attributes and children; text is set as text.
function make(tag, className = "", attributes = {}, ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function setOrRemove(element, name, value) {
  if (value === null) element.removeAttribute(name);
  else if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

class Picture {
  constructor(model, el) {
    this.model = model;
    this.page = `${Date.now().toString(36)}-${Math.random().toString(36).slice(2)}`;
    this.uid = `taskref-${++pictures}`;
    const { approach, title, shapes } = model.get("look");
    this.approach = approach;
    this.shapes = shapes;
    this.words = [];
    this.number = null; // of the last message; null: nothing is known yet
    this.workers = [];
    this.hot = null; // the row that is pointed at: [kind, id]
    this.dirty = false;
    this.inbound = new Map(); // id of a target -> ids of the rows that point at it
    this.root = make("div", `taskref-picture taskref-${approach}`, { role: "group", "aria-label": title });
    this.orders = new Grid(this, "order", "Orders");
    this.tasks = new Grid(this, "task", "Tasks");
    this.arrows = new Arrows(this);
    this.timeline = new Timeline(title);
    this.workerLines = make("div", "taskref-workers");
    this.live = make("div", "taskref-unseen", { "aria-live": "polite", "aria-atomic": "true" });
    const lists = make("div", "taskref-lists", {}, this.orders.root, this.arrows.root, this.tasks.root);
    const keys = "In a list: ↑ ↓ move, Enter shows the details, F follows the arrow.";
    this.root.append(
      make("div", "taskref-title", {}, title), this.workerLines, lists, make("div", "taskref-keys", {}, keys),
      this.timeline.root, this.live,
    );
    el.append(this.root);
    this.sizes = new ResizeObserver(() => this.measure());
    for (const part of [this.root, this.orders.scroller, this.tasks.scroller]) this.sizes.observe(part);
    this.hear = (content, buffers) => this.told(content.kind, buffers[0]);
    model.on("msg:custom", this.hear);
    this.begin = () => model.get("first") && this.everything(JSON.parse(model.get("first")));
    model.on("change:first", this.begin); // until a kernel that is busy with a cell can be asked
    this.begin();
    this.ask();
    this.clock = setInterval(() => this.tick(), 500);
    this.lastSaid = 0;
  }

  close() {
    this.model.off("msg:custom", this.hear);
    this.model.off("change:first", this.begin);
    this.sizes.disconnect();
    clearInterval(this.clock);
    if (this.orders.opened.size + this.tasks.opened.size) this.model.send({ page: this.page, orders: [], tasks: [] });
  }

  // What is told

  ask() {
    this.askedAt = performance.now();
    this.model.send({ hello: true });
    this.opened();
  }

  opened() {
    const ids = (grid) => [...grid.opened.keys()];
    this.model.send({ page: this.page, orders: ids(this.orders), tasks: ids(this.tasks) });
  }

  told(kind, buffer) {
    const told = JSON.parse(new TextDecoder().decode(buffer));
    if (kind === "everything") this.everything(told);
    else if (this.number !== null && told.number === this.number + 1) this.patch(told);
    else if (this.number === null || told.number > this.number) this.askAgain(); // a message got lost on the way
  }

  askAgain() {
    if (performance.now() - this.askedAt > 1000) this.ask();
  }

  everything(told) {
    this.words = [];
    this.orders.forget();
    this.tasks.forget();
    this.timeline.replace(told.events);
    this.patch({ ...told, events: [] });
    if (this.orders.opened.size + this.tasks.opened.size) this.opened();
  }

  patch(told) {
    this.number = told.number;
    if (told.words) this.words.push(...told.words);
    const orders = this.orders.take(told.orders, told.gone_orders);
    const tasks = this.tasks.take(told.tasks, told.gone_tasks);
    if (told.counts) [this.orders.count, this.tasks.count] = told.counts;
    if (orders || tasks) this.connect();
    if (told.workers) this.setWorkers(told.workers);
    if (told.details) this.setDetails(told.details);
    if (told.events) this.timeline.add(told.events);
    this.draw();
  }

  setWorkers(workers) {
    const now = performance.now();
    this.workers = workers.map((worker) => ({ ...worker, at: now }));
    while (this.workerLines.children.length > workers.length) this.workerLines.lastChild.remove();
    while (this.workerLines.children.length < workers.length) {
      const [shape, words] = [make("span", "", { "aria-hidden": "true" }), make("strong", "taskref-state")];
      this.workerLines.append(make("div", "taskref-worker", {}, make("span"), shape, " ", words));
    }
    this.tick();
  }

  setDetails({ orders, tasks }) {
    this.orders.setDetails(orders);
    this.tasks.setDetails(tasks);
  }

  // Twice a second: what counts seconds, and a sentence for screen readers.
  tick() {
    const now = performance.now();
    this.workers.forEach(({ name, shape, before, seconds, after, at }, number) => {
      const [label, sign, words] = this.workerLines.children[number].children;
      write(label, `${name}: `);
      write(sign, shape);
      write(words, seconds === null ? before : `${before}${Math.floor(seconds + (now - at) / 1000)} s${after}`);
    });
    this.orders.countDown(now);
    this.tasks.countDown(now);
    if (now - this.lastSaid > LIVE_EVERY && this.number !== null) {
      const sentence = `${this.approach}: ${this.tasks.summary() || "no tasks"}`;
      if (this.live.textContent !== sentence) {
        if (this.live.textContent !== "" || this.lastSaid) write(this.live, sentence);
        this.lastSaid = now;
      }
    }
  }

  // Who points at whom

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

  // Whether it is the row that is pointed at, or the other end of one of its arrows.
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

  // Drawing, at most once for a frame

  measure() {
    if (!this.isThere()) return;
    for (const grid of [this.orders, this.tasks]) grid.measure();
    this.arrows.measure();
    this.draw();
  }

  // A notebook takes cells out of the page that are far away, and then each list has forgotten where it was scrolled.
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
      this.follow();
      this.orders.draw();
      this.tasks.draw();
      this.arrows.draw();
    });
  }

  // Keep the task that a worker runs, and its order, in sight.
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

// The columns. That of the arrow stands next to the gutter, in the list whose rows point; "at" is who works on the
// task, and what is wrong with it.
const COLUMNS = {
  order: ["id", "status", "customer", "amount", "arrow"],
  task: ["arrow", "id", "status", "attempt", "at", "type"],
};
const HEADINGS = { order: { id: "order", arrow: "its task" }, task: { id: "task", arrow: "works on", at: "worker" } };

// Orders or tasks: a list of rows of one height, some of them opened. ARIA's treegrid: a row opens its details.
class Grid {
  constructor(picture, kind, caption) {
    this.picture = picture;
    this.kind = kind;
    this.rows = new Map(); // id -> row as told
    this.index = new Map(); // id -> its place in `ids`
    this.ids = [];
    this.count = 0;
    this.opened = new Map(); // id -> height of its details
    this.details = new Map();
    this.pool = new Map(); // id -> what is in the page for it
    this.active = null;
    this.rowHeight = 26;
    this.height = 0;
    this.atEnd = true;
    const label = `${picture.uid}-${kind}-label`;
    this.caption = make("div", "taskref-caption", { id: label }, caption);
    this.name = caption;
    this.columns = COLUMNS[kind].filter((name) => name !== "arrow" || this.points());
    this.scroller = make("div", "taskref-rows", {
      role: "treegrid", tabindex: "0", "aria-labelledby": label, "data-lm-suppress-shortcuts": "true",
    });
    this.head = make("div", "taskref-row taskref-head", { role: "row" });
    for (const name of this.columns) {
      const heading = HEADINGS[kind][name] ?? name;
      this.head.append(make("div", `taskref-c-${name}`, { role: "columnheader" }, heading));
    }
    this.before = make("div", "", { role: "presentation" });
    this.after = make("div", "", { role: "presentation" });
    this.none = make("div", "taskref-none", { role: "presentation" }, "none yet");
    this.scroller.append(this.head, this.before, this.none, this.after);
    this.root = make("div", `taskref-list taskref-${kind}s`, {}, this.caption, this.scroller);
    if (kind === "task") this.addFollow();
    this.listen();
  }

  // Whether the rows of this list are the ones that point.
  points() {
    return (this.kind === "task") === (this.picture.approach === "classic");
  }

  addFollow() {
    this.followed = make("input", "", { type: "checkbox" });
    this.followed.checked = true;
    this.followed.addEventListener("change", () => {
      this.picture.running = null;
      this.picture.draw();
    });
    this.root.append(make("label", "taskref-follow", {}, this.followed, "keep the running task in sight"));
  }

  // What is told

  forget() {
    this.rows.clear();
  }

  // Returns whether anything is new. Rows that come are sorted by id, and new ones are nearly always the last.
  take(rows = [], gone = []) {
    for (const id of gone) {
      this.rows.delete(id);
      this.opened.delete(id);
    }
    let grown = gone.length > 0 || this.rows.size === 0;
    let sorted = true;
    for (const row of rows) {
      if (!this.rows.has(row[0])) {
        grown = true;
        sorted &&= this.ids.length === 0 || row[0] > this.ids[this.ids.length - 1];
      }
      this.rows.set(row[0], row);
    }
    if (rows.length > 0 && rows.length <= FLASH && this.drawnOnce) this.fresh = new Set(rows.map(([id]) => id));
    if (grown) {
      this.ids = [...this.rows.keys()];
      if (!sorted || gone.length) this.ids.sort((a, b) => a - b);
      this.index = new Map(this.ids.map((id, place) => [id, place]));
    }
    if (this.active !== null && !this.rows.has(this.active)) this.active = null;
    this.changed = true;
    return grown || rows.length > 0;
  }

  setDetails(details) {
    const at = performance.now();
    this.details = new Map(Object.entries(details).map(([id, lines]) => [Number(id), { lines, at }]));
    for (const entry of this.pool.values()) entry.detailsOf = null;
  }

  target(row) {
    return this.kind === "order" ? row[4] : row[6];
  }

  mark(row) {
    return this.picture.words[this.kind === "order" ? row[5] : row[7]];
  }

  status(row) {
    return this.picture.words[row[1]];
  }

  summary() {
    const counts = new Map();
    for (const row of this.rows.values()) counts.set(row[1], (counts.get(row[1]) ?? 0) + 1);
    return [...counts].map(([word, number]) => `${number.toLocaleString("en")} ${this.picture.words[word]}`).join(", ");
  }

  // Keys and pointer

  listen() {
    const { scroller, picture } = this;
    scroller.addEventListener("scroll", () => picture.draw(), { passive: true });
    const stay = () => {
      if (picture.tasks.followed) picture.tasks.followed.checked = false;
    };
    scroller.addEventListener("wheel", stay, { passive: true });
    scroller.addEventListener("touchmove", stay, { passive: true });
    scroller.addEventListener("pointerdown", (event) => event.target === scroller && stay());
    scroller.addEventListener("click", (event) => this.click(event));
    scroller.addEventListener("keydown", (event) => this.key(event, stay));
    scroller.addEventListener("pointerover", (event) => picture.point(this, this.idAt(event.target)));
    scroller.addEventListener("pointerleave", () => picture.point(this, null));
    scroller.addEventListener("focus", () => {
      if (this.active === null && this.ids.length) this.active = this.ids[Math.min(this.firstInSight(), this.ids.length - 1)];
      picture.point(this, this.active);
      picture.draw();
    });
    scroller.addEventListener("blur", () => picture.point(this, null));
  }

  idAt(target) {
    const item = target.closest?.(".taskref-item");
    return item ? item.taskrefId : null;
  }

  click(event) {
    const id = this.idAt(event.target);
    if (id === null) return;
    if (event.target.closest(".taskref-jump")) this.picture.jump(this, id);
    else if (!event.target.closest(".taskref-details")) {
      this.active = id;
      this.toggle(id);
    }
  }

  key(event, stay) {
    if (event.ctrlKey || event.metaKey || event.altKey || !this.ids.length) return;
    const place = this.index.get(this.active) ?? 0;
    const page = Math.max(1, Math.floor(this.height / this.rowHeight) - 2);
    const moves = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
    if (event.key in moves) {
      stay();
      this.activate(this.ids[Math.max(0, Math.min(this.ids.length - 1, place + moves[event.key]))]);
    } else if (event.key === "Enter" || event.key === " ") this.toggle(this.active);
    else if (event.key === "ArrowRight") this.toggle(this.active, true);
    else if (event.key === "ArrowLeft") this.toggle(this.active, false);
    else if (event.key === "f" || event.key === "F") this.picture.jump(this, this.active);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  activate(id) {
    this.active = id;
    this.reveal(id);
    this.picture.point(this, id);
    this.picture.draw();
  }

  toggle(id, open = !this.opened.has(id)) {
    if (id === null || open === this.opened.has(id)) return;
    if (open) this.opened.set(id, 0);
    else this.opened.delete(id);
    this.picture.opened();
    this.picture.draw();
  }

  // Where a row is

  top(place) {
    let top = place * this.rowHeight;
    for (const [id, height] of this.opened) if (this.index.get(id) < place) top += height;
    return top;
  }

  placeAt(top) {
    let [low, high] = [0, this.ids.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.top(middle + 1) <= top) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  firstInSight() {
    return this.placeAt(this.scroller.scrollTop);
  }

  // The middle of a row below the top of the list in the page; the heading stands above 0.
  middle(place) {
    return this.rowHeight + this.top(place) - this.scrollTop + this.rowHeight / 2;
  }

  reveal(id) {
    const place = this.index.get(id);
    if (place === undefined) return;
    const [top, sight] = [this.top(place), this.height - this.rowHeight];
    const { scrollTop } = this.scroller;
    if (top < scrollTop) this.scroller.scrollTop = Math.max(0, top - this.rowHeight);
    else if (top + this.rowHeight > scrollTop + sight) this.scroller.scrollTop = top - sight + 2 * this.rowHeight;
  }

  measure() {
    this.height = this.scroller.clientHeight;
    const size = parseFloat(getComputedStyle(this.scroller).fontSize) || 13;
    this.rowHeight = Math.round(2 * size);
    this.scroller.style.setProperty("--taskref-row", `${this.rowHeight}px`);
  }

  comeBack() {
    this.scroller.scrollTop = this.scrollTop ?? 0;
  }

  // Drawing

  draw() {
    const { scroller, ids } = this;
    if (!this.height) this.measure();
    const atEnd = this.atEnd && this.changed;
    this.scrollTop = scroller.scrollTop;
    if (this.changed) this.drawCaption();
    if (atEnd && this.top(ids.length) > (this.total ?? 0)) {
      this.after.style.height = `${this.top(ids.length)}px`; // room to scroll to the new end
      scroller.scrollTop = this.scrollTop = Math.max(0, this.top(ids.length) + this.rowHeight - this.height);
    }
    this.total = this.top(ids.length);
    this.first = Math.max(0, this.placeAt(this.scrollTop) - OVERSCAN);
    this.last = Math.min(ids.length, this.placeAt(this.scrollTop + this.height) + 1 + OVERSCAN);
    this.atEnd = this.scrollTop + this.height >= this.total + this.rowHeight - 2;
    this.drawRows(ids.slice(this.first, this.last));
    this.before.style.height = `${this.top(this.first)}px`;
    this.after.style.height = `${Math.max(0, this.total - this.top(this.last))}px`;
    const active = this.pool.has(this.active) ? `${this.picture.uid}-${this.kind}-${this.active}` : null;
    setOrRemove(scroller, "aria-activedescendant", active);
    this.changed = false;
    this.fresh = null;
    this.drawnOnce = true;
  }

  drawCaption() {
    const { ids, count } = this;
    const cut = count > ids.length ? ` (the newest ${ids.length.toLocaleString("en")} of ${count.toLocaleString("en")})` : "";
    const summary = this.summary();
    write(this.caption, `${this.name}${cut}${summary ? `: ${summary}` : ""}`);
    setOrRemove(this.scroller, "aria-rowcount", String(ids.length + 1));
    this.none.hidden = ids.length > 0;
  }

  drawRows(ids) {
    const wanted = new Set(ids);
    for (const [id, entry] of this.pool) {
      if (wanted.has(id)) continue;
      entry.item.remove();
      this.pool.delete(id);
    }
    let cursor = this.before.nextSibling;
    let grew = false;
    for (const id of ids) {
      let entry = this.pool.get(id);
      if (!entry) this.pool.set(id, (entry = this.newEntry(id)));
      if (entry.item === cursor) cursor = cursor.nextSibling;
      else this.scroller.insertBefore(entry.item, cursor);
      this.drawRow(id, entry);
      if (this.opened.has(id) || entry.details) grew = this.drawDetails(id, entry) || grew;
    }
    if (grew) this.picture.draw();
  }

  newEntry(id) {
    const cells = {};
    const line = make("div", "taskref-row", { role: "row", "aria-level": "1", id: `${this.picture.uid}-${this.kind}-${id}` });
    line.dataset[this.kind] = id;
    for (const name of this.columns) {
      cells[name] = make("div", `taskref-c-${name}`, { role: name === "id" ? "rowheader" : "gridcell" });
      line.append(cells[name]);
    }
    const [shape, word] = [make("span", "", { "aria-hidden": "true" }), make("span")];
    const badge = make("span", "taskref-badge", {}, shape, " ", word);
    cells.status.append(badge);
    cells.id.textContent = String(id);
    const item = make("div", "taskref-item", { role: "presentation" }, line);
    item.taskrefId = id;
    const entry = { item, line, cells, badge, shape, word, drawn: null };
    if (cells.at) cells.at.append((entry.worker = make("span", "taskref-at-work")), (entry.trouble = make("span")));
    return entry;
  }

  drawRow(id, entry) {
    const { picture } = this;
    const row = this.rows.get(id);
    const worker = this.kind === "task" ? this.workerAt(id) : "";
    const classes = ["taskref-row"];
    if (picture.isHot(this, id)) classes.push("taskref-hot");
    if (id === this.active) classes.push("taskref-active");
    if (worker) classes.push("taskref-worked");
    const className = classes.join(" ");
    if (entry.line.className !== className) entry.line.className = className;
    setOrRemove(entry.line, "aria-expanded", String(this.opened.has(id)));
    setOrRemove(entry.line, "aria-rowindex", String(this.index.get(id) + 2));
    if (entry.worker) write(entry.worker, worker);
    if (entry.drawn === row) return;
    if (this.fresh?.has(id)) this.flash(entry);
    entry.drawn = row;
    const status = this.status(row);
    const more = this.kind === "task" ? picture.words[row[2]] : "";
    write(entry.shape, picture.shapes[status] ?? "?");
    write(entry.word, status + more);
    entry.badge.className = `taskref-badge taskref-${status in picture.shapes ? status : "other"}`;
    if (this.kind === "order") {
      write(entry.cells.customer, row[2]);
      write(entry.cells.amount, row[3]);
    } else {
      write(entry.cells.attempt, row[3] ? `${row[3]} of ${row[4]}` : "");
      write(entry.cells.type, picture.words[row[5]]);
    }
    this.drawLabel(entry.cells.arrow ?? entry.trouble, row);
  }

  // The arrow in words: where it goes, or what is wrong with it.
  drawLabel(cell, row) {
    if (!cell) return;
    const [target, mark] = [this.target(row), this.mark(row)];
    const other = this.kind === "order" ? "task" : "order";
    const label = this.kind === "order" ? `${other} ${target} →` : `← ${other} ${target}`;
    const key = `${target} ${mark}`;
    if (cell.taskrefKey === key) return;
    cell.taskrefKey = key;
    cell.replaceChildren();
    if (mark === "dangling") {
      if (target === null) cell.append(this.broken("✕", "no order", "", "the payload names no order"));
      else cell.append(this.broken("✕", "dangling", `: ${other} ${target}`, `${other} ${target} is gone`));
    } else if (mark === "orphan") cell.append(this.broken("⚠", "orphan", "", "no order points here"));
    else if (target !== null) {
      cell.append(make("button", "taskref-jump", { tabindex: "-1", title: `go to ${other} ${target} (key F)` }, label));
    }
  }

  broken(shape, word, rest, title) {
    const sign = make("span", "", { "aria-hidden": "true" }, `${shape} `);
    return make("span", "taskref-broken", { title }, sign, word, make("span", "taskref-rest", {}, rest));
  }

  workerAt(id) {
    const found = this.picture.workers.filter(({ task }) => task === id);
    return found.map(({ name }) => `▶ ${name.toLowerCase()}`).join(" ");
  }

  flash(entry) {
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
    entry.line.animate([{ backgroundColor: "var(--taskref-flash)" }, {}], { duration: 700 });
  }

  // Returns whether the details are of another height now.
  drawDetails(id, entry) {
    const found = this.details.get(id);
    if (!this.opened.has(id)) {
      entry.details.remove();
      entry.details = null;
      return true;
    }
    if (!entry.details) {
      entry.list = make("dl", "taskref-details");
      const cell = make("div", "", { role: "gridcell", "aria-colspan": String(this.columns.length) }, entry.list);
      entry.details = make("div", "taskref-detail", { role: "row", "aria-level": "2" }, cell);
      entry.item.append(entry.details);
      entry.detailsOf = undefined;
    }
    if (entry.detailsOf !== found) {
      entry.detailsOf = found;
      const lines = found ? found.lines : [["", "…"]];
      const parts = lines.flatMap(([label, text]) => [make("dt", "", {}, label), make("dd", "", {}, text)]);
      entry.list.replaceChildren(...parts);
      this.countDown(performance.now());
    }
    const height = entry.details.offsetHeight;
    if (height === this.opened.get(id)) return false;
    this.opened.set(id, height);
    return true;
  }

  // Details that name a moment say how far away it is.
  countDown(now) {
    for (const { list, detailsOf } of this.pool.values()) {
      if (!list || !detailsOf) continue;
      detailsOf.lines.forEach(([, text, seconds], number) => {
        if (seconds === undefined) return;
        const left = seconds - (now - detailsOf.at) / 1000;
        const words = left >= 0 ? `${text} in ${Math.ceil(left)} s` : `${Math.floor(-left)} s ago`;
        write(list.children[2 * number + 1], words.trim());
      });
    }
  }
}

// The arrows, in the gutter between the lists. One whose other end is out of sight goes to the edge on that side.
class Arrows {
  constructor(picture) {
    this.picture = picture;
    this.svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    this.svg.setAttribute("aria-hidden", "true"); // each arrow stands in its row, in words
    this.root = make("div", "taskref-arrows", {}, this.svg);
    this.paths = [];
    this.width = 60;
  }

  measure() {
    this.width = this.root.clientWidth || 60;
  }

  draw() {
    const { picture } = this;
    const [sources, targets] = picture.ends();
    this.used = 0;
    for (const place of this.inSight(sources)) this.from(sources, targets, place);
    for (const place of this.inSight(targets)) this.into(sources, targets, place);
    while (this.paths.length > this.used) this.paths.pop().remove();
  }

  *inSight(grid) {
    for (let place = grid.first; place < grid.last; place++) if (this.edge(grid, place) === 0) yield place;
  }

  // 0: in sight, -1: above, 1: below.
  edge(grid, place) {
    const middle = grid.middle(place);
    return middle < grid.rowHeight + 2 ? -1 : middle > grid.height - 2 ? 1 : 0;
  }

  from(sources, targets, place) {
    const id = sources.ids[place];
    const row = sources.rows.get(id);
    const [target, y] = [sources.target(row), sources.middle(place)];
    if (sources.mark(row) === "dangling") return this.dangling(y, this.picture.isHot(sources, id));
    if (target === null) return;
    const other = targets.index.get(target);
    const edge = other === undefined ? -1 : this.edge(targets, other); // an older one than all that are shown
    const classes = this.classes(sources, id, target);
    if (edge) this.toEdge(y, edge, classes);
    else this.across(y, targets.middle(other), classes);
  }

  // Arrows that come from rows out of sight, one for each direction; and the mark of an orphan.
  into(sources, targets, place) {
    const id = targets.ids[place];
    const y = targets.middle(place);
    if (targets.mark(targets.rows.get(id)) === "orphan") this.orphan(y);
    const seen = new Set();
    for (const source of this.picture.inbound.get(id) ?? []) {
      const edge = this.edge(sources, sources.index.get(source));
      if (!edge || seen.has(edge)) continue;
      seen.add(edge);
      this.fromEdge(y, edge, targets.rowHeight, targets.height, this.classes(sources, source, id));
    }
  }

  classes(sources, source, target) {
    const { picture } = this;
    const task = picture.tasks.rows.get(sources === picture.tasks ? source : target);
    const ended = task && !["pending", "running"].includes(picture.tasks.status(task));
    const running = task && picture.tasks.status(task) === "running";
    const hot = picture.isHot(sources, source);
    return `${hot ? "taskref-hot" : ""} ${ended ? "taskref-ended" : ""} ${running ? "taskref-now" : ""}`;
  }

  // x of the end where arrows begin, and of the other one; they run from right to left in the classic approach.
  sides() {
    const [left, right] = [3, this.width - 3];
    return this.picture.approach === "classic" ? [right, left, -1] : [left, right, 1];
  }

  across(y1, y2, classes) {
    const [x1, x2, way] = this.sides();
    const bend = (x2 - x1) * 0.55;
    const head = `M${x2 - 8 * way} ${y2 - 5}L${x2} ${y2}L${x2 - 8 * way} ${y2 + 5}`;
    this.path(`M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}${head}`, classes);
  }

  // Towards the edge, and not all the way: a dozen of them would meet there.
  hook(y, edge, top, height) {
    return edge < 0 ? Math.max(top + 3, y - HOOK) : Math.min(height - 3, y + HOOK);
  }

  toEdge(y1, edge, classes) {
    const [x1, , way] = this.sides();
    const { height, rowHeight } = this.picture.orders;
    const [x, y] = [x1 + 18 * way, this.hook(y1, edge, rowHeight, height)];
    const head = `M${x - 5} ${y - 7 * edge}L${x} ${y}L${x + 5} ${y - 7 * edge}`;
    this.path(`M${x1} ${y1}Q${x} ${y1} ${x} ${y}${head}`, classes);
  }

  fromEdge(y2, edge, top, height, classes) {
    const [, x2, way] = this.sides();
    const [x, y] = [x2 - 18 * way, this.hook(y2, edge, top, height)];
    const head = `M${x2 - 8 * way} ${y2 - 5}L${x2} ${y2}L${x2 - 8 * way} ${y2 + 5}`;
    this.path(`M${x} ${y}Q${x} ${y2} ${x2} ${y2}${head}`, classes);
  }

  dangling(y, hot) {
    const [x1, , way] = this.sides();
    const x = x1 + 22 * way;
    this.path(`M${x1} ${y}L${x} ${y}`, `taskref-lost ${hot ? "taskref-hot" : ""}`);
    const [a, b] = [x + 5 * way - 5, x + 5 * way + 5];
    this.path(`M${a} ${y - 5}L${b} ${y + 5}M${a} ${y + 5}L${b} ${y - 5}`, "taskref-cross");
  }

  orphan(y) {
    const [, x2, way] = this.sides();
    const x = x2 - 8 * way;
    this.path(`M${x - 5} ${y}a5 5 0 1 0 10 0a5 5 0 1 0 -10 0`, "taskref-cross");
  }

  path(d, classes) {
    let path = this.paths[this.used];
    if (!path) {
      path = document.createElementNS("http://www.w3.org/2000/svg", "path");
      this.svg.append(path);
      this.paths.push(path);
    }
    this.used++;
    if (path.taskrefD !== d) path.setAttribute("d", (path.taskrefD = d));
    if (path.taskrefClass !== classes) path.setAttribute("class", (path.taskrefClass = classes));
  }
}

// What happened, one line for each event. Paused, it counts what comes in; filtered, it shows one order's.
class Timeline {
  constructor(title) {
    this.events = [];
    this.paused = null; // the number of events when it was paused
    this.list = make("div", "taskref-events", {
      role: "log", "aria-live": "off", tabindex: "0", "aria-label": `Timeline. ${title}`,
      "data-lm-suppress-shortcuts": "true",
    });
    this.pauseButton = make("button", "", { type: "button" }, "Pause");
    this.filter = make("input", "", { type: "number", min: "1", step: "1", placeholder: "all", "data-lm-suppress-shortcuts": "true" });
    this.copyButton = make("button", "", { type: "button" }, "Copy");
    this.said = make("span", "taskref-said", { "aria-live": "polite" });
    const label = make("label", "", {}, "Only order ", this.filter);
    const bar = make("div", "taskref-bar", {}, make("strong", "", {}, "Timeline"), this.pauseButton, label, this.copyButton, this.said);
    this.root = make("div", "taskref-timeline", {}, bar, this.list);
    this.pauseButton.addEventListener("click", () => this.pause());
    this.copyButton.addEventListener("click", () => this.copy());
    this.filter.addEventListener("input", () => this.redraw());
    this.list.addEventListener("scroll", () => (this.scrollTop = this.isAtEnd() ? Infinity : this.list.scrollTop));
  }

  isAtEnd() {
    return this.list.scrollTop + this.list.clientHeight >= this.list.scrollHeight - 4;
  }

  comeBack() {
    this.list.scrollTop = Math.min(this.scrollTop ?? Infinity, this.list.scrollHeight);
  }

  replace(events) {
    this.events = events.slice(-LINES);
    if (this.paused === null) this.redraw();
  }

  add(events) {
    if (!events.length) return;
    this.events.push(...events);
    this.events.splice(0, this.events.length - LINES);
    if (this.paused !== null) {
      this.paused += events.length;
      write(this.pauseButton, `Resume (${this.paused} new)`);
    } else this.append(events.filter((event) => this.fits(event)));
  }

  fits([, , order]) {
    return this.filter.value === "" || order === Number(this.filter.value);
  }

  redraw() {
    this.list.replaceChildren();
    const upTo = this.paused === null ? this.events.length : Math.max(0, this.events.length - this.paused);
    this.append(this.events.slice(0, upTo).filter((event) => this.fits(event)));
  }

  append(events) {
    const { list } = this;
    const atEnd = this.isAtEnd();
    list.append(...events.map(([at, text]) => {
      return make("div", "", {}, make("span", "taskref-at", {}, `${at.toFixed(1)} s`), " ", make("span", "", {}, text));
    }));
    while (list.children.length > LINES) list.firstChild.remove();
    if (atEnd && events.length) list.scrollTop = list.scrollHeight;
  }

  pause() {
    const paused = this.paused === null;
    this.paused = paused ? 0 : null;
    write(this.pauseButton, paused ? "Resume" : "Pause");
    if (!paused) {
      this.redraw();
      this.list.scrollTop = this.list.scrollHeight;
    }
  }

  async copy() {
    const text = [...this.list.children].map((line) => line.textContent).join("\n");
    const lines = this.list.children.length;
    const done = await copied(text);
    write(this.said, done ? `copied ${lines} line${lines === 1 ? "" : "s"}` : "not copied: select the lines instead");
    setTimeout(() => write(this.said, ""), 4000);
  }
}

// Where the page is not served securely there is no clipboard, and the old way is left.
async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = make("textarea", "taskref-unseen");
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}
