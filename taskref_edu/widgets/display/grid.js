// Orders or tasks: a list of rows of one height, some of them opened. ARIA's treegrid: a row opens its details.

const OVERSCAN = 4; // rows beyond each edge of what is in sight
const MOST_ROWS = 12; // a list is as high as its rows, up to these; then it scrolls

class Grid extends Columns {
  constructor(picture, kind, caption) {
    super();
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
    this.scale = 4;
    this.rowHeight = 26;
    this.height = 0;
    this.atEnd = true;
    const label = `${picture.uid}-${kind}-label`;
    this.caption = make("div", "taskref-caption", { id: label });
    this.badges = new Map();
    this.name = caption;
    this.columns = COLUMNS[kind].filter((name) => name !== "arrow" || this.points());
    this.scroller = make("div", "taskref-rows", {
      role: "treegrid", tabindex: "0", "aria-labelledby": label, "data-lm-suppress-shortcuts": "true",
    });
    this.head = make("div", "taskref-row taskref-head", { role: "row" });
    for (const name of this.columns) {
      const heading = HEADINGS[kind][name] ?? name;
      const cell = make("div", `taskref-c-${name}`, { role: "columnheader" }, heading);
      if (name === "arrow") cell.prepend(make("span", "taskref-word", {}, "its "));
      if (name === "more") cell.append(make("span", "taskref-unseen", {}, "details"));
      this.head.append(cell);
    }
    this.before = make("div", "", { role: "presentation" });
    this.after = make("div", "", { role: "presentation" });
    this.none = make("div", "taskref-none", { role: "presentation" }, kind === "order" ? "none yet: New order creates one" : "none yet: Pay enqueues one");
    this.longest = {}; // by column: the longest text
    this.counts = new Map(); // status -> rows
    this.scroller.append(this.head, this.before, this.none, this.after);
    this.root = make("div", `taskref-list taskref-${kind}s`, {}, this.caption, this.scroller);
    if (kind === "task") this.addFollow();
    this.listen();
  }

  // Whether the rows of this list hold the references.
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
    this.follow = make("label", "taskref-follow", { hidden: "" }, this.followed, "keep the running task in sight");
    this.root.append(this.follow);
  }

  // Messages

  forget() {
    this.rows.clear();
  }

  // Returns whether an arrow may have changed. Incoming rows are sorted by id, and new ones are nearly always the last.
  take(rows = [], gone = []) {
    for (const id of gone) {
      this.rows.delete(id);
      this.opened.delete(id);
    }
    let grown = gone.length > 0 || this.rows.size === 0;
    let [sorted, turned] = [true, false];
    for (const row of rows) {
      const old = this.rows.get(row[0]);
      if (old) turned ||= this.target(old) !== this.target(row);
      else {
        grown = true;
        sorted &&= this.ids.length === 0 || row[0] > this.ids[this.ids.length - 1];
      }
      this.rows.set(row[0], row);
    }
    this.many = rows.length > FLASH;
    if (rows.length > 0 && !this.many && this.drawnOnce) this.fresh = new Set(rows.map(([id]) => id));
    if (grown) {
      this.ids = [...this.rows.keys()];
      if (!sorted || gone.length) this.ids.sort((a, b) => a - b);
      this.index = new Map(this.ids.map((id, place) => [id, place]));
    }
    if (this.active !== null && !this.rows.has(this.active)) this.active = null;
    this.changed ||= grown || rows.length > 0;
    return grown || turned;
  }

  setDetails(details) {
    const at = this.picture.now();
    this.details = new Map(Object.entries(details).map(([id, lines]) => [Number(id), { lines, at }]));
    for (const entry of this.pool.values()) entry.detailsOf = null;
  }

  target(row) {
    return this.kind === "order" ? row[4] : row[6];
  }

  mark(row) {
    return this.picture.words[this.kind === "order" ? row[5] : row[7]];
  }

  isLive(id) {
    const row = this.rows.get(id);
    return row !== undefined && LIVE.includes(this.status(row));
  }

  status(row) {
    return this.picture.words[row[1]];
  }

  // Keys and pointer

  listen() {
    const { scroller, picture } = this;
    let wheeled = 0;
    scroller.addEventListener("scroll", () => {
      // Only a list that the user has scrolled keeps its position; a wheel event that scrolls the page does not count.
      if (performance.now() - wheeled < 400 && Math.abs(scroller.scrollTop - (this.scrollTop ?? 0)) > 0.5) this.stay();
      picture.draw();
    }, { passive: true });
    const note = () => (wheeled = performance.now());
    for (const name of ["wheel", "touchmove"]) scroller.addEventListener(name, note, { passive: true });
    scroller.addEventListener("pointerdown", (event) => {
      if (event.target === scroller) note();
      const id = this.idAt(event.target);
      if (id !== null) this.active = id; // before the focus comes, which would choose the first row
    });
    scroller.addEventListener("click", (event) => this.click(event));
    scroller.addEventListener("dblclick", (event) => {
      if (!event.target.closest("button, .taskref-details")) this.toggle(this.idAt(event.target));
    });
    scroller.addEventListener("keydown", (event) => this.key(event));
    scroller.addEventListener("pointerover", (event) => picture.point(this, this.idAt(event.target)));
    scroller.addEventListener("pointerleave", () => picture.point(this, null));
    scroller.addEventListener("focus", () => {
      if (this.active === null && this.ids.length) this.active = this.ids[Math.min(this.firstInSight(), this.ids.length - 1)];
      picture.point(this, this.active);
      picture.draw();
    });
    scroller.addEventListener("blur", () => picture.point(this, null));
  }

  // The user looks at another place than the running task; in a list that shows all its rows there is none.
  stay() {
    if (this.scrolls()) this.picture.tasks.followed.checked = false;
  }

  scrolls() {
    return this.total + this.rowHeight > this.height + 1;
  }

  idAt(target) {
    const item = target.closest?.(".taskref-item");
    return item ? item.taskrefId : null;
  }

  click(event) {
    const id = this.idAt(event.target);
    if (id === null) return;
    if (event.target.closest(".taskref-jump")) this.picture.jump(this, id);
    else if (event.target.closest(".taskref-more")) this.toggle(id);
    else if (!event.target.closest(".taskref-details")) this.choose(id);
  }

  // A click selects the order to which the buttons refer; clicking a task selects its order.
  choose(id) {
    this.active = id;
    this.picture.select(this.kind === "order" ? id : (this.picture.partners(this, id)[0] ?? null));
    this.picture.draw();
  }

  key(event) {
    if (event.target.closest(".taskref-details")) return; // the text of a detail scrolls
    if (event.ctrlKey || event.metaKey || event.altKey || !this.ids.length) return;
    const place = this.index.get(this.active) ?? 0;
    const page = Math.max(1, Math.floor(this.height / this.rowHeight) - 2);
    const moves = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
    if (event.key in moves) {
      this.stay();
      this.activate(this.ids[Math.max(0, Math.min(this.ids.length - 1, place + moves[event.key]))]);
    } else if (event.key === " ") this.choose(this.active);
    else if (event.key === "Enter") this.toggle(this.active);
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
    this.rowHeight = Math.round(2.15 * size);
    this.scroller.style.setProperty("--taskref-row", `${this.rowHeight}px`);
    this.grow();
  }

  // As high as its rows; an empty one has room for a sentence.
  grow() {
    const rows = this.ids.length ? this.top(this.ids.length) : 1.8 * this.rowHeight;
    const height = Math.min(rows + this.rowHeight, (MOST_ROWS + 1) * this.rowHeight) + 2;
    if (height === this.grown) return;
    this.grown = height;
    this.scroller.style.height = `${height}px`;
    this.height = this.scroller.clientHeight;
  }

  comeBack() {
    this.scroller.scrollTop = this.scrollTop ?? 0;
  }

  // Drawing

  read() {
    if (!this.height) this.measure();
    this.grow();
    this.scrollTop = this.scroller.scrollTop;
  }

  draw() {
    const { scroller, ids } = this;
    const atEnd = this.atEnd && this.changed;
    if (this.changed) {
      if (!this.many || !this.drawnOnce) this.drawCaption(); // else it lays out the lists at each change: tick() does it
      setOrRemove(scroller, "aria-rowcount", String(ids.length + 1));
      setOrRemove(this.none, "hidden", ids.length ? "" : null);
    }
    if (atEnd && this.top(ids.length) > (this.total ?? 0)) {
      this.after.style.height = `${this.top(ids.length)}px`; // room to scroll to the new end
      scroller.scrollTop = this.scrollTop = Math.max(0, this.top(ids.length) + this.rowHeight - this.height);
    }
    this.total = this.top(ids.length);
    this.first = Math.max(0, this.placeAt(this.scrollTop) - OVERSCAN);
    this.last = Math.min(ids.length, this.placeAt(this.scrollTop + this.height) + 1 + OVERSCAN);
    this.atEnd = this.scrollTop + this.height >= this.total + this.rowHeight - 2;
    if (this.follow) setOrRemove(this.follow, "hidden", this.scrolls() || this.picture.orders.scrolls() ? null : "");
    this.drawRows(ids.slice(this.first, this.last));
    this.before.style.height = `${this.top(this.first)}px`;
    this.after.style.height = `${Math.max(0, this.total - this.top(this.last))}px`;
    const active = this.pool.has(this.active) ? `${this.picture.uid}-${this.kind}-${this.active}` : null;
    setOrRemove(scroller, "aria-activedescendant", active);
    this.changed = false;
    this.fresh = null;
    this.drawnOnce = true;
  }

  // The counts, with the shapes that the rows have. Where they stand, they say what the list is.
  drawCaption() {
    const { ids, count, picture } = this;
    const cut = count > ids.length ? ` (the newest ${ids.length.toLocaleString("en")} of ${count.toLocaleString("en")})` : "";
    const key = `${cut} ${this.summary()}`;
    if (key !== this.captioned) {
      this.captioned = key;
      const numbers = [...this.counts].map(([word, number]) => {
        const status = picture.words[word];
        const shape = make("span", "taskref-shape", {}, picture.shapes[status] ?? "?");
        return make("span", `taskref-number ${this.tone(status)}`, {}, shape, ` ${number.toLocaleString("en")} ${status}`);
      });
      const name = make("strong", numbers.length && !cut ? "taskref-unseen" : "", {}, `${this.name}${cut}`);
      this.caption.replaceChildren(name, ...numbers.flatMap((one) => [" ", one]));
    }
  }

  tone(status) {
    return `taskref-${status in this.picture.shapes ? status : "other"}`;
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
    const more = make("button", "taskref-more", { tabindex: "-1", title: "show the details (Enter)", "aria-label": `details of ${this.kind} ${id}` }, "›");
    cells.more.append(more);
    cells.id.textContent = String(id);
    const item = make("div", "taskref-item", { role: "presentation" }, line);
    item.taskrefId = id;
    const entry = { item, line, cells, badge, shape, word, more, drawn: null };
    if (cells.at) cells.at.append((entry.worker = make("span", "taskref-at-work")), (entry.trouble = make("span")));
    if (this.kind === "order") badge.append((entry.process = make("span")));
    return entry;
  }

  drawRow(id, entry) {
    const { picture } = this;
    const row = this.rows.get(id);
    const worker = this.kind === "task" ? this.workerAt(id, row) : "";
    const classes = ["taskref-row"];
    if (picture.isHot(this, id)) classes.push("taskref-hot");
    if (id === this.active) classes.push("taskref-active");
    if (worker) classes.push("taskref-worked");
    const process = this.kind === "order" && picture.inProcess(id);
    if (process) classes.push("taskref-process");
    if (this.kind === "order" && id === picture.selected) classes.push("taskref-selected");
    if (picture.marks.length && picture.isMarked(this, id)) classes.push("taskref-marked");
    const className = classes.join(" ");
    if (entry.line.className !== className) entry.line.className = className;
    setOrRemove(entry.line, "aria-expanded", String(this.opened.has(id)));
    setOrRemove(entry.line, "aria-rowindex", String(this.index.get(id) + 2));
    if (this.kind === "order") {
      setOrRemove(entry.line, "aria-selected", String(id === picture.selected));
      write(entry.process, process && this.saysProcess ? ", in process" : "");
    } else {
      write(entry.worker, worker);
      this.drawWay(id, entry, picture.now());
    }
    if (entry.drawn === row) return;
    if (this.fresh?.has(id)) this.flash(entry);
    entry.drawn = row;
    const status = this.status(row);
    const more = this.kind === "task" ? picture.words[row[2]] : "";
    write(entry.shape, picture.shapes[status] ?? "?");
    write(entry.word, status + more);
    entry.badge.className = `taskref-badge ${this.tone(status)}`;
    if (this.kind === "order") {
      write(entry.cells.customer, row[2]);
      write(entry.cells.amount, row[3]);
    } else {
      write(entry.cells.attempt, row[3] ? `${row[3]} of ${row[4]}` : "");
      write(entry.cells.type, picture.words[row[5]]);
    }
    this.drawLabel(entry.cells.arrow ?? entry.trouble, row);
  }

  // The arrow as text: its target, or what is wrong with it.
  drawLabel(cell, row) {
    if (!cell) return;
    const [target, mark] = [this.target(row), this.mark(row)];
    const other = this.kind === "order" ? "task" : "order";
    const word = make("span", "taskref-word", {}, `${other} `);
    const label = this.kind === "order" ? [word, `${target} →`] : ["← ", word, String(target)];
    const key = `${target} ${mark}`;
    if (cell.taskrefKey === key) return;
    cell.taskrefKey = key;
    cell.replaceChildren();
    if (mark === "dangling") {
      if (target === null) cell.append(this.broken("✕", "no order", "", "the payload names no order"));
      else cell.append(this.broken("✕", "dangling", `: ${other} ${target}`, `${other} ${target} is gone`));
    } else if (mark === "orphan") cell.append(this.broken("⚠", "orphan", "", "no order points here"));
    else if (target !== null) {
      cell.append(make("button", "taskref-jump", { tabindex: "-1", title: `go to ${other} ${target} (key F)`, "aria-label": `${other} ${target}` }, ...label));
    }
  }

  broken(shape, word, rest, title) {
    const sign = make("span", "", { "aria-hidden": "true" }, `${shape} `);
    return make("span", "taskref-broken", { title }, sign, word, make("span", "taskref-rest", {}, rest));
  }

  // The worker, and the remaining time of the lease.
  workerAt(id, row) {
    if (this.status(row) !== "running") return "";
    const { workers, leases } = this.picture;
    const found = workers.filter(({ task }) => task === id);
    const several = workers.length > 1 ? found.map(({ name }) => `${name.replace(/\D+/, "")}, `).join("") : "";
    const sign = found.some(({ state }) => state === "unresponsive") ? "⚠ " : found.length ? "▶ " : "✝ ";
    const left = (leases[id] ?? Infinity) - this.picture.now();
    if (left > 600) return found.length ? `${sign}${found.map(({ name }) => name.toLowerCase()).join(", ")}` : "";
    return `${sign}${several}${left > 0 ? `lease ${Math.ceil(left)} s` : this.saysLease ? "lease expired" : "expired"}`;
  }

  // How long it waited and ran: [[status, seconds], …].
  spans(id, now) {
    const way = this.picture.ways.get(id) ?? [];
    return way.flatMap(([at, status], place) => {
      return LIVE.includes(status) ? [[status, Math.max(0, (way[place + 1]?.[0] ?? now) - at)]] : [];
    });
  }

  // The task's history as a bar, on one scale for all rows: grey while it waits, blue while it runs.
  drawWay(id, entry, now) {
    const spans = this.spans(id, now);
    if (!spans.length) return;
    const place = this.root.classList.contains("taskref-no-way") ? entry.cells.at : entry.cells.way;
    const end = this.status(this.rows.get(id));
    const said = spans.map(([status, seconds]) => `${status === "pending" ? "waited" : "ran"} ${seconds.toFixed(1)} s`).join(", ");
    const key = `${said} ${this.scale} ${end} ${place.className}`;
    if (key === entry.way) return;
    entry.way = key;
    const parts = spans.map(([status, seconds]) => {
      const part = make("span", `taskref-part ${this.tone(status)}`);
      part.style.width = `${(100 * seconds) / this.scale}%`;
      return part;
    });
    if (!LIVE.includes(end)) parts.push(make("span", `taskref-part taskref-end ${this.tone(end)}`));
    entry.bar?.remove();
    place.append((entry.bar = make("span", "taskref-way", { role: "img", "aria-label": said, title: said }, ...parts)));
  }

  // The scale of the bars: the seconds that the width of the column stands for, doubled as often as needed.
  rescale(now) {
    const longest = Math.max(0, ...[...this.pool.keys()].map((id) => this.spans(id, now).reduce((sum, [, one]) => sum + one, 0)));
    let scale = 4;
    while (scale < longest) scale *= 2;
    const changed = scale !== this.scale;
    this.scale = scale;
    return changed;
  }

  flash(entry) {
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
    entry.line.animate([{ backgroundColor: "var(--flash)" }, {}], { duration: 700 });
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
      entry.detailsOf = null;
    }
    if (entry.detailsOf !== found) {
      entry.detailsOf = found;
      const lines = found ? found.lines : [["", this.picture.cut ? "the kernel knows the details, and there is none" : "…"]];
      const parts = lines.flatMap(([label, text]) => [make("dt", "", {}, label), make("dd", "", {}, text)]);
      entry.list.replaceChildren(...parts);
      this.countDown();
      // A text that scrolls must be reachable by keyboard.
      setOrRemove(entry.list, "tabindex", entry.list.scrollHeight > entry.list.clientHeight + 1 ? "0" : null);
    }
    const height = entry.details.offsetHeight;
    if (height === this.opened.get(id)) return false;
    this.opened.set(id, height);
    return true;
  }

  tick() {
    this.countDown();
    if (this.drawnOnce) this.drawCaption();
    if (this.kind !== "task") return;
    const at = this.picture.now();
    const rescaled = this.rescale(at);
    for (const [id, entry] of this.pool) {
      if (this.isLive(id)) write(entry.worker, this.workerAt(id, this.rows.get(id)));
      if (rescaled || this.isLive(id)) this.drawWay(id, entry, at);
    }
  }

  // Details that name a moment say how far away it is.
  countDown() {
    const now = this.picture.now();
    for (const { list, detailsOf } of this.pool.values()) {
      if (!list || !detailsOf) continue;
      detailsOf.lines.forEach(([, text, seconds], number) => {
        if (seconds === undefined) return;
        const left = seconds - (now - detailsOf.at);
        const words = left >= 0 ? `${text} in ${Math.ceil(left)} s` : `${Math.floor(-left)} s ago`;
        write(list.children[2 * number + 1], words.trim());
      });
    }
  }
}

