// The events, one line each. It follows the newest line unless the user has scrolled up; filtered, it shows those of
// one order.

const LINES = 1000;
const LINES_IN_SIGHT = 7;

class Timeline {
  constructor(title) {
    this.events = [];
    this.coming = []; // for the next frame
    this.scrollTop = Infinity; // at the end
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
    this.list.scrollTop = Math.min(this.scrollTop, this.list.scrollHeight);
  }

  replace(events) {
    this.events = events.slice(-LINES);
    this.redraw();
  }

  add(events) {
    if (!events.length) return;
    this.events.push(...events);
    this.events.splice(0, this.events.length - LINES);
    this.coming.push(...events.filter((event) => this.fits(event)));
  }

  fits([, , order]) {
    return this.filter.value === "" || order === Number(this.filter.value);
  }

  redraw() {
    this.list.replaceChildren();
    this.coming = this.events.filter((event) => this.fits(event));
    this.drawn = false;
    this.draw();
  }

  // Last in a frame: scrolling to the end makes the browser lay out the frame's changes, once.
  draw() {
    if (this.drawn && !this.coming.length) return;
    const { list } = this;
    list.append(...this.coming.slice(-LINES).map(([at, text]) => {
      return make("div", "", {}, make("span", "taskref-at", {}, `${at.toFixed(1)} s`), " ", make("span", "", {}, text));
    }));
    this.coming = [];
    this.drawn = true;
    const lines = list.children.length;
    for (let line = LINES; line < lines; line++) list.firstChild.remove();
    setOrRemove(list, "style", `--lines: ${Math.min(LINES_IN_SIGHT, lines)}`);
    write(this.count, lines ? "" : "nothing has happened yet");
    this.root.classList.toggle("taskref-empty", !lines);
    if (this.scrollTop === Infinity) list.scrollTop = list.scrollHeight;
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
