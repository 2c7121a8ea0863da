// What happened, one line for each event. It stays at the newest line unless somebody has scrolled up; filtered, it
// shows one order's.

const LINES = 1000;

class Timeline {
  constructor(title) {
    this.events = [];
    this.list = make("div", "taskref-events", {
      role: "log", "aria-live": "off", tabindex: "0", "aria-label": `Timeline. ${title}`,
      "data-lm-suppress-shortcuts": "true",
    });
    this.filter = make("input", "", { type: "number", min: "1", step: "1", placeholder: "all", "data-lm-suppress-shortcuts": "true" });
    this.copyButton = make("button", "", { type: "button" }, "Copy");
    this.done = make("span", "taskref-unseen", { "aria-live": "polite" });
    const label = make("label", "", {}, "Only order ", this.filter);
    this.count = make("span", "taskref-quiet");
    const name = make("summary", "", {}, "Timeline ", this.count);
    const bar = make("div", "taskref-bar", {}, label, this.copyButton, this.done);
    this.root = make("details", "taskref-timeline", { open: "" }, name, bar, this.list);
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
    this.redraw();
  }

  add(events) {
    if (!events.length) return;
    this.events.push(...events);
    this.events.splice(0, this.events.length - LINES);
    this.append(events.filter((event) => this.fits(event)));
  }

  fits([, , order]) {
    return this.filter.value === "" || order === Number(this.filter.value);
  }

  redraw() {
    this.list.replaceChildren();
    this.append(this.events.filter((event) => this.fits(event)));
  }

  append(events) {
    const { list } = this;
    const atEnd = this.isAtEnd();
    list.append(...events.map(([at, text]) => {
      return make("div", "", {}, make("span", "taskref-at", {}, `${at.toFixed(1)} s`), " ", make("span", "", {}, text));
    }));
    while (list.children.length > LINES) list.firstChild.remove();
    if (atEnd && events.length) list.scrollTop = list.scrollHeight;
    write(this.count, list.children.length ? "" : "nothing has happened yet");
    this.root.classList.toggle("taskref-empty", !list.children.length);
  }

  async copy() {
    const text = [...this.list.children].map((line) => line.textContent).join("\n");
    const lines = this.list.children.length;
    const done = await copied(text);
    write(this.copyButton, done ? `Copied ${lines} line${lines === 1 ? "" : "s"}` : "Not copied: select the lines instead");
    write(this.done, this.copyButton.textContent);
    setTimeout(() => {
      write(this.copyButton, "Copy");
      write(this.done, "");
    }, 4000);
  }
}
