// The lanes: one grid, a column for each actor and a row for each step. Gaps, brackets, threads and waits are grid items
// that span rows, so nothing is measured.

class Lanes {
  constructor(player) {
    this.player = player;
    this.el = h("div", { cls: "lanes", style: `--n:${player.rec.letters.length}` });
  }

  draw(path) {
    const { rec, at, playing } = this.player, n = path.length - 1;
    this.path = path;
    this.items = [];
    this.bottom = this.row(n) + 1;
    for (const letter of rec.letters) this.head(letter);
    for (let i = 1; i <= n; i++) if (path[i].step.by) this.place(i, at);
    for (const b of rec.brackets(path)) this.put(h("div", { cls: `tx lane-${b.by}${this.later(b.from)}${b.torn ? " torn" : b.open ? " open" : ""}` }), `${this.row(b.from)} / ${this.row(b.to) + 1}`, b.by);
    this.threads = rec.threads(path);
    this.gaps = new Map();
    this.slots(this.threads);
    for (const thread of this.threads) this.thread(thread);
    for (const letter of rec.letters) this.waits(letter);
    for (const notes of this.gaps.values()) this.notes(notes);
    for (let i = 1; i <= n; i++) if (path[i].step.by) this.step(i);
    if (rec.whole && rec.letters.length === 1) this.never();
    if (playing) this.upcoming();
    for (const letter of rec.letters) this.put(h("div", { cls: `bg lane-${letter}` }), `1 / ${this.bottom}`, letter, true);
    if (rec.crashes && !playing) this.recovery();
    if (!playing) this.end();
    renew(this.el, this.items);
  }

  row(i) { return i + 1; } // row 1 is the head
  later(i) { return i > this.player.at ? " later" : ""; }
  put(el, rows, letter, behind) {
    el.style.gridRow = rows;
    el.style.gridColumn = letter.length === 1 ? this.player.rec.letters.indexOf(letter) + 2 : letter;
    if (behind) this.items.unshift(el);
    else this.items.push(el);
    return el;
  }

  head(letter) {
    const { rec, playing, game } = this.player, name = this.player.nameOf(letter);
    if (!playing) return this.put(h("div", { cls: `head lane-${letter}` }, who(letter), h("span", { cls: "nm" }, name)), 1, letter);
    const { can, why } = game.turn(this.path, letter);
    const button = h("button", { "data-f": `go${letter}`, "aria-disabled": can ? null : "true", onclick: () => game.step(letter) }, who(letter), h("span", { cls: "two" }, name, h("small", {}, why)), can && h("kbd", { "aria-hidden": "true" }, letter));
    return this.put(h("div", { cls: `head play lane-${letter}${can ? "" : " off"}` }, button), 1, letter);
  }

  place(i, at) {
    const { step } = this.path[i], now = i === at;
    this.put(h("div", { cls: `band lane-${step.by}${now ? " now" : ""}`, "data-i": i }), this.row(i), step.by);
    if (now) this.put(h("div", { cls: "now-line" }), this.row(i), "1 / -1");
    this.put(h("div", { cls: `num${now ? " now" : this.later(i)}${step.kind === "commit" ? " edge" : ""}`, "data-i": i }, h("span", {}, step.dies ? "✕" : i)), this.row(i), "1 / 2");
  }

  step(i) {
    const { rec, at } = this.player, { step, answer } = this.path[i];
    if (step.dies) return this.put(cutLine(step), this.row(i), step.by);
    const edge = step.kind === "begin" ? " begin edge" : ["commit", "rollback"].includes(step.kind) ? " commit edge" : "";
    const key = this.player.why[1].includes(i), late = this.player.ended?.out !== "good" && this.threads.find((t) => t.to === i && !t.open && t.stale !== null && this.player.why[1].includes(t.from));
    const body = [statement(rec, step.sql)];
    const refusal = rec.refusal(this.path, i);
    if (answer && !step.error) body.push(h("div", { cls: `res${key ? " key" : ""}` }, answer[1] ? [answer[1], " "] : "", answer[2] ? answer[0] : h("span", { cls: "v" }, answer[0])));
    if (refusal) body.push(h("div", { cls: "res fail" }, h("span", { cls: "v" }, refusal)), step.error && step.post?.length ? h("div", { cls: "sql edge" }, h("span", { cls: "kw" }, step.post.at(-1))) : null);
    const mark = this.player.why[3]?.[i] || (late && !step.error && `too late: relies on step ${late.from}’s ${brief(late.value, 30)}`);
    if (mark) body.push(h("div", { cls: "late" }, mark));
    return this.put(h("div", { cls: `st lane-${step.by}${edge}${i === at ? " now" : ""}${this.later(i)}`, "data-i": i, title: rec.sqlOf(step) }, body), this.row(i), step.by);
  }

  // From a read, through the gap, to the write that relies on it; red from the commit that makes it false.
  thread(t) {
    const { rec, at } = this.player, parts = [];
    const halves = t.stale !== null ? [[t.from, t.stale - 1, false], [t.stale, t.to, true]] : [[t.from, t.to, false]];
    for (const [a, b, stale] of halves)
      for (const [x, y] of a <= at && at < b ? [[a, at], [at + 1, b]] : [[a, b]]) parts.push([x, y, stale]);
    if (t.to === t.from && !t.open) return;
    const place = `--slot:${t.slot};--slots:${t.slots}`;
    parts.forEach(([x, y, stale], k) => this.put(h("div", { style: place, cls: `rail lane-${t.by}${k ? "" : " first"}${k === parts.length - 1 && !t.open ? " last" : ""}${stale ? " stale" : ""}${this.later(x)}` }), `${this.row(x)} / ${this.row(y) + 1}`, t.by));
    const free = (k) => k > t.from && (k < t.to || (t.open && k <= t.to)) && this.path[k]?.step.by !== t.by;
    let first = t.from + 1;
    while (first <= t.to && !free(first)) first++;
    if (rec.letters.length > 1 && free(first) && first !== t.stale && !rec.blocked(this.path, first, t.by)) this.gap(first, t.by).held.push(t.value);
    if (t.stale !== null && free(t.stale)) this.gap(t.stale, t.by).now.push(rec.words.now[this.path[t.stale].id]?.[t.by]?.[t.sql]);
  }

  // Threads that run beside each other in one lane: each has a place of its own at the lane's edge.
  slots(threads) {
    for (const letter of this.player.rec.letters) {
      const mine = threads.filter((t) => t.by === letter), ends = [];
      for (const t of mine) {
        const free = ends.findIndex((end) => end <= t.from);
        t.slot = free < 0 ? ends.length : free;
        ends[t.slot] = t.to;
      }
      for (const t of mine) t.slots = ends.length;
    }
  }

  // Where an actor that has begun stands before a lock that another one holds.
  waits(letter) {
    const { rec } = this.player, n = this.path.length - 1;
    for (let i = 2, from = null; i <= n + 1; i++) {
      if (i <= n && rec.blocked(this.path, i, letter)) { from ??= i; continue; }
      if (from === null) continue;
      this.put(h("div", { cls: `wait-bar lane-${letter}${this.later(from)}` }), `${this.row(from)} / ${this.row(i)}`, letter);
      this.gap(from, letter).waits = this.path[from - 1].state.waits[letter][0];
      from = null;
    }
  }

  // What stands in the gaps of a lane: all of it in one item for each step, so that no two meet in a cell.
  gap(i, letter) {
    const key = `${i} ${letter}`;
    if (!this.gaps.has(key)) this.gaps.set(key, { i, letter, held: [], now: [], waits: null });
    return this.gaps.get(key);
  }

  notes({ i, letter, held, now, waits }) {
    const codes = (values) => listed([...new Set(values)].map((value) => h("code", {}, brief(value, 30))));
    const note = (cls, ...kids) => h("div", { cls: `note${cls}` }, kids);
    const kids = [
      waits && note(" wait", `waits for ${waits}’s lock`),
      held.length > 0 && note("", `${letter} still has `, codes(held)),
      now.length > 0 && note(` bad${i === this.player.at ? " fresh" : ""}`, "out of date: now ", codes(now)),
    ];
    this.put(h("div", { cls: `notes lane-${letter}${this.later(i)}` }, kids), this.row(i), letter);
  }

  // What a killed actor did not come to run.
  never() {
    const { rec } = this.player, done = this.path.filter((p) => p.step?.by && !p.step.dies).length, rest = rec.whole.slice(done);
    if (!rest.length || !this.path.some((p) => p.step?.dies)) return;
    const from = this.bottom;
    this.put(h("div", { cls: "never lbl" }, "never ran"), this.bottom++, rec.letters[0]);
    rest.forEach((step, k) => this.put(h("div", { cls: `never${k === rest.length - 1 ? " last" : ""}` }, statement(rec, step.sql)), this.bottom++, rec.letters[0]));
    this.put(h("div", { cls: "ghost-tx" }), `${from} / ${this.bottom}`, rec.letters[0]);
  }

  // In the game: what each actor would do next.
  upcoming() {
    const { rec, game } = this.player, { state } = this.path.at(-1);
    for (const letter of rec.letters) {
      const go = state.go?.[game.next(state, letter)], waits = state.waits?.[letter];
      if (!go && !waits) continue;
      const sql = go ? rec.steps[go[0]].sql : waits[1];
      this.put(h("div", { cls: `next lane-${letter}${go ? "" : " blocked"}`, onclick: () => game.step(letter) }, h("span", { cls: "lbl" }, go ? "next" : `waits for ${waits[0]}’s lock`), statement(rec, sql)), this.bottom, letter);
    }
    this.bottom++;
  }

  recovery() {
    const { rec } = this.player, last = this.path.at(-1), ran = last.step && !last.step.by;
    const text = ran ? said(rec, this.path, this.path.length - 1) : rec.recover ? [`${rec.recover} has not run yet.`] : ["No recovery was given: this is what is left."];
    this.put(h("div", { cls: "recover", "data-i": ran ? this.path.length - 1 : null }, ran ? "Then " : "", text), this.bottom++, "2 / -1");
  }

  end() {
    const { run, at } = this.player;
    if (!run) return;
    this.put(h("div", { cls: `end v-${run.out}${at === this.path.length - 1 ? "" : " later"}` }, h("span", { "aria-hidden": "true" }, ICON[run.out]), h("span", {}, ending(run))), this.bottom, "2 / -1");
  }
}

function cutLine(step) {
  let d = "M0 6";
  for (let x = 0; x < 60; x++) d += ` L${x * 10 + 5} ${x % 2 ? 1 : 11}`;
  const zigzag = h("svg", { viewBox: "0 0 600 12", preserveAspectRatio: "none", "aria-hidden": "true" }, h("path", { d, fill: "none", stroke: "currentColor", "stroke-width": "2", "vector-effect": "non-scaling-stroke" }));
  const left = step.undone ? "its open transaction is rolled back, its lock is free" : "no transaction is open: what is committed stays";
  return h("div", { cls: `cutline lane-${step.by}` }, zigzag, h("b", {}, `${step.by} is killed here`), h("small", {}, left));
}
