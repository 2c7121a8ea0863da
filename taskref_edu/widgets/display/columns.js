// The columns of a list: their names, and the width that each needs for its widest word.

// The arrow's column is next to the gutter, in the list whose rows hold references. "at": the worker, the lease's
// remaining time, what is wrong with the task. "way": the task's history as a bar: waiting, running, ended.
const COLUMNS = {
  order: ["id", "status", "customer", "amount", "arrow", "more"],
  task: ["arrow", "id", "status", "attempt", "at", "way", "type", "more"],
};
const HEADINGS = {
  order: { id: "order", arrow: "task", more: "" },
  task: { id: "task", arrow: "order", at: "worker", way: "waited, ran", more: "" },
};

class Columns {
  // One pass over all rows: how many have each status, and the longest text of each column.
  countRows() {
    const [counts, longest] = [new Map(), { status: "", customer: "", amount: "", type: "", mark: "" }];
    const see = (name, text) => {
      if (text.length > longest[name].length) longest[name] = text;
    };
    const orders = this.kind === "order";
    for (const row of this.rows.values()) {
      counts.set(row[1], (counts.get(row[1]) ?? 0) + 1);
      if (orders) {
        see("customer", row[2]);
        see("amount", row[3]);
      } else {
        if (row[2]) see("status", this.status(row) + this.picture.words[row[2]]);
        see("type", this.picture.words[row[5]]);
      }
      if (this.mark(row) === "dangling") see("mark", this.target(row) === null ? "✕ no order" : "✕ dangling");
    }
    for (const word of counts.keys()) see("status", this.picture.words[word]);
    this.counts = counts;
    this.longest = longest;
  }

  summary() {
    return [...this.counts].map(([word, number]) => `${number.toLocaleString("en")} ${this.picture.words[word]}`).join(", ");
  }

  // The pixels that each column needs.
  needs() {
    const { picture, kind, longest } = this;
    if (this.changed) this.countRows();
    const text = picture.text;
    const newest = String(this.ids.at(-1) ?? 10);
    const status = Math.max(text.of(`○ ${longest.status}`), text.of(kind === "order" ? "✔ paid" : "✔ succeeded"));
    const partner = this.kind === "order" ? picture.tasks : picture.orders;
    const end = text.of(`${partner.ids.at(-1) ?? 10} →`, true) + 4;
    const words = text.of(`${partner.kind} `, true);
    const arrow = Math.max(end, text.of(partner.kind, true), text.of(longest.mark, true) + 4);
    const found = {
      id: Math.max(text.of(newest, true), text.of(kind, true)), status: status + 15, arrow, more: 12,
      process: text.of(", in process") - 6,
      customer: Math.min(140, Math.max(text.of(longest.customer ?? ""), text.of("customer", true))),
      amount: Math.max(text.of(longest.amount ?? ""), text.of("amount", true)),
      attempt: text.of("attempt", true), way: text.of(HEADINGS.task.way, true), at: Math.max(...this.worksHere().map((one) => text.of(one, true))),
      type: Math.min(180, Math.max(text.of(longest.type ?? ""), text.of("type", true))),
    };
    // The extra width for the text of an arrow whose target does not exist.
    found.rest = longest.mark ? text.of(`✕ dangling: ${partner.kind} ${partner.ids.at(-1) ?? 100}0`, true) - arrow : 0;
    found.words = words - 6;
    found.expired = Math.max(0, text.of("✝ lease expired", true) - found.at);
    const columns = [...this.columns, ...(kind === "task" ? ["expired"] : []), ...(kind === "order" ? ["process"] : []), ...(this.points() ? ["rest", "words"] : [])];
    return Object.fromEntries(columns.map((name) => [name, found[name]]));
  }

  // Set the widths of the columns; those in `out` are hidden.
  lay(needs, out) {
    const stretch = { order: "customer", task: "way" }[this.kind];
    const kept = this.columns.filter((name) => !out.has(`${this.kind} ${name}`));
    const widest = kept.includes(stretch) ? stretch : this.kind === "order" ? "status" : "at";
    this.saysProcess = this.kind === "order" && !out.has("order process");
    const rest = needs.rest > 0 && !out.has(`${this.kind} rest`);
    this.saysLease = this.kind === "task" && !out.has("task expired");
    const words = this.points() && !out.has(`${this.kind} words`);
    const more = { status: this.saysProcess ? needs.process + 6 : 0, at: this.saysLease ? needs.expired + 6 : 0, arrow: (rest ? needs.rest + 6 : 0) + (words ? needs.words + 6 : 0) };
    this.root.classList.toggle("taskref-no-words", !words);
    const width = (name) => needs[name] + (more[name] ?? 0);
    this.root.classList.toggle("taskref-no-rest", !rest);
    const tracks = kept.map((name) => (name === widest ? `minmax(${width(name)}px, 1fr)` : `${width(name)}px`));
    this.scroller.style.setProperty("--columns", tracks.join(" "));
    for (const name of this.columns) this.root.classList.toggle(`taskref-no-${name}`, !kept.includes(name));
  }

  // The worker's column reserves the width of its longest text, so that it does not grow when a worker starts.
  worksHere() {
    const { workers } = this.picture;
    return [workers.length > 1 ? "▶ 2, lease 5 s" : "▶ lease 5 s", "⚠ orphan", "✝ expired"];
  }
}
