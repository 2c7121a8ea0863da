// The lanes: one grid, a column for each actor and a row for each step. Gaps, transactions, dependencies and waits are
// grid items that span rows, so nothing is measured.

class Lanes {
  constructor(player) {
    this.player = player;
    this.el = h("div", { cls: "lanes", style: `--n:${player.rec.letters.length}` });
  }

  draw(path) {
    const { rec, playing } = this.player;
    const n = path.length - 1;
    this.path = path;
    this.items = [];
    this.gaps = new Map();
    this.bottom = this.row(n) + 1;
    this.dependencies = rec.dependencies(path);
    this.slots(this.dependencies);
    const steps = path.map((_, i) => i).filter((i) => path[i].step?.by);
    for (const letter of rec.letters) this.head(letter);
    for (const i of steps) this.place(i);
    for (const bracket of rec.brackets(path)) this.transaction(bracket);
    for (const dependency of this.dependencies) this.dependency(dependency);
    for (const letter of rec.letters) this.waits(letter);
    for (const notes of this.gaps.values()) this.notes(notes);
    for (const i of steps) this.step(i);
    if (rec.whole && rec.letters.length === 1) this.never();
    if (playing) this.upcoming();
    for (const letter of rec.letters) this.put(div(`bg lane-${letter}`), `1 / ${this.bottom}`, letter, true);
    if (rec.crashes && !playing) this.recovery();
    if (!playing) this.end();
    renew(this.el, this.items);
  }

  // Row 1 is the head.
  row(i) {
    return i + 1;
  }
  later(i) {
    return i > this.player.at && "later";
  }
  // Adds an item to the grid: in these rows, and in an actor's lane or in these columns; `behind` the others or not.
  put(el, rows, letter, behind) {
    el.style.gridRow = rows;
    el.style.gridColumn = letter.length === 1 ? this.player.rec.letters.indexOf(letter) + 2 : letter;
    if (behind) this.items.unshift(el);
    else this.items.push(el);
    return el;
  }

  head(letter) {
    const { playing, game } = this.player;
    const name = this.player.nameOf(letter);
    if (!playing) return this.put(div(`head lane-${letter}`, who(letter), span("nm", name)), 1, letter);
    const { can, why } = game.turn(this.path, letter);
    const label = [
      who(letter),
      span("two", name, h("small", {}, why)),
      can && h("kbd", { "aria-hidden": "true" }, letter),
    ];
    const press = button(`go${letter}`, null, () => game.step(letter), label, { "aria-disabled": can ? null : "true" });
    return this.put(div(`head play lane-${letter}${can ? "" : " off"}`, press), 1, letter);
  }

  // What marks a step: its number, the area to click, and the line under the current one.
  place(i) {
    const { step } = this.path[i];
    const now = i === this.player.at;
    const item = (cls, kids) => h("div", { cls, "data-i": i }, kids);
    this.put(item(classes("band", `lane-${step.by}`, now && "now")), this.row(i), step.by);
    if (now) this.put(div("now-line"), this.row(i), "1 / -1");
    const cls = classes("num", now ? "now" : this.later(i), step.kind === "commit" && "edge");
    this.put(item(cls, span("", step.dies ? "✕" : i)), this.row(i), "1 / 2");
  }

  transaction({ by, from, to, torn, open }) {
    const cls = classes("tx", `lane-${by}`, this.later(from), torn ? "torn" : open && "open");
    this.put(div(cls), `${this.row(from)} / ${this.row(to) + 1}`, by);
  }

  step(i) {
    const { rec, at } = this.player;
    const { step } = this.path[i];
    if (step.dies) return this.put(cutLine(step), this.row(i), step.by);
    const edge = { begin: "begin edge", commit: "commit edge", rollback: "commit edge" }[step.kind];
    const cls = classes("st", `lane-${step.by}`, edge, i === at && "now", this.later(i));
    const body = [statement(rec, step.sql), this.answer(i), this.refusal(i), this.mark(i)];
    return this.put(h("div", { cls, "data-i": i, title: rec.sqlOf(step) }, body), this.row(i), step.by);
  }

  // What came back; solid where it decided how the schedule ends.
  answer(i) {
    const { step, answer } = this.path[i];
    if (!answer || step.error) return null;
    const [value, column, weak] = answer;
    const cls = classes("res", this.player.why[1].includes(i) && "key");
    return div(cls, column ? [column, " "] : "", weak ? value : span("v", value));
  }

  refusal(i) {
    const { step } = this.path[i];
    const said = this.player.rec.refusal(this.path, i);
    const ended = step.error && step.post?.length && div("sql edge", span("kw", step.post.at(-1)));
    return said && [div("res fail", span("v", said)), ended || null];
  }

  // A note under the write that came too late, or that the sentence speaks of.
  mark(i) {
    const { why, ended } = this.player;
    const [, deciding, , marks] = why;
    const late = (d) => d.to === i && !d.open && d.stale !== null && deciding.includes(d.from);
    const relied = ended?.out !== "good" && !this.path[i].step.error && this.dependencies.find(late);
    const said = relied && `too late: relies on step ${relied.from}, out of date since step ${relied.stale}`;
    return marks?.[i] || said ? div("late", marks?.[i] || said) : null;
  }

  // From a read, through the gap, to the write that relies on it; red from the commit that makes it false.
  dependency({ by, sql, from, to, open, stale, value, slot, slots }) {
    const { rec, at } = this.player;
    if (to === from && !open) return;
    // Its parts: divided where it becomes out of date, and after the current step.
    const ends = [...new Set([stale === null ? to : stale - 1, from <= at && at < to ? at : to, to])].sort(
      (a, b) => a - b,
    );
    ends.forEach((end, k) => {
      const begin = k ? ends[k - 1] + 1 : from;
      const last = end === to && !open;
      const red = stale !== null && begin >= stale;
      const cls = classes("rail", `lane-${by}`, !k && "first", last && "last", red && "stale", this.later(begin));
      const style = `--slot:${slot};--slots:${slots}`;
      this.put(h("div", { style, cls }), `${this.row(begin)} / ${this.row(end) + 1}`, by);
    });
    const free = (i) => i > from && (i < to || (open && i === to)) && this.path[i]?.step.by !== by;
    let gap = from + 1;
    while (gap <= to && !free(gap)) gap++;
    const held = rec.letters.length > 1 && free(gap) && gap !== stale && !rec.blocked(this.path, gap, by);
    if (held) this.gap(gap, by).held.push(value);
    if (stale !== null && free(stale)) this.gap(stale, by).now.push(rec.words.now[this.path[stale].id]?.[by]?.[sql]);
  }

  // Dependencies that run beside each other in one lane: each has a place of its own at the lane's edge.
  slots(dependencies) {
    for (const letter of this.player.rec.letters) {
      const mine = dependencies.filter(({ by }) => by === letter);
      const ends = [];
      for (const one of mine) {
        const free = ends.findIndex((end) => end <= one.from);
        one.slot = free < 0 ? ends.length : free;
        ends[one.slot] = one.to;
      }
      for (const one of mine) one.slots = ends.length;
    }
  }

  // Where an actor that has begun stands before a lock that another one holds.
  waits(letter) {
    const { rec } = this.player;
    const n = this.path.length - 1;
    for (let i = 2, from = null; i <= n + 1; i++) {
      if (i <= n && rec.blocked(this.path, i, letter)) from ??= i;
      else if (from !== null) {
        const cls = classes("wait-bar", `lane-${letter}`, this.later(from));
        this.put(div(cls), `${this.row(from)} / ${this.row(i)}`, letter);
        this.gap(from, letter).waits = this.path[from - 1].state.waits[letter][0];
        from = null;
      }
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
    const fresh = i === this.player.at && "fresh";
    const kids = [
      waits && div("note wait", `waits for ${waits}’s lock`),
      held.length > 0 && div("note", `${letter} still has `, codes(held)),
      now.length > 0 && div(classes("note bad", fresh), "out of date: now ", codes(now)),
    ];
    this.put(div(classes("notes", `lane-${letter}`, this.later(i)), kids), this.row(i), letter);
  }

  // What a killed actor did not come to run.
  never() {
    const { rec } = this.player;
    const [letter] = rec.letters;
    const done = this.path.filter((p) => p.step?.by && !p.step.dies).length;
    const rest = rec.whole.slice(done);
    if (!rest.length || !this.path.some((p) => p.step?.dies)) return;
    const from = this.bottom;
    this.put(div("never lbl", "never ran"), this.bottom++, letter);
    rest.forEach((step, k) => {
      const cls = classes("never", k === rest.length - 1 && "last");
      this.put(div(cls, statement(rec, step.sql)), this.bottom++, letter);
    });
    this.put(div("ghost-tx"), `${from} / ${this.bottom}`, letter);
  }

  // In the game: what each actor would do next.
  upcoming() {
    const { rec, game } = this.player;
    const { state } = this.path.at(-1);
    for (const letter of rec.letters) {
      const go = state.go?.[game.next(state, letter)];
      const waits = state.waits?.[letter];
      if (!go && !waits) continue;
      const cls = classes("next", `lane-${letter}`, !go && "blocked");
      const label = span("lbl", go ? "next" : `waits for ${waits[0]}’s lock`);
      const sql = statement(rec, go ? rec.steps[go[0]].sql : waits[1]);
      this.put(h("div", { cls, onclick: () => game.step(letter) }, label, sql), this.bottom, letter);
    }
    this.bottom++;
  }

  recovery() {
    const { rec } = this.player;
    const n = this.path.length - 1;
    const { step } = this.path[n];
    const ran = step && !step.by;
    const not = rec.recover ? `${rec.recover} has not run yet.` : "No recovery was given: this is what is left.";
    const text = ran ? ["Then ", said(rec, this.path, n)] : not;
    this.put(h("div", { cls: "recover", "data-i": ran ? n : null }, text), this.bottom++, "2 / -1");
  }

  end() {
    const { run, at } = this.player;
    if (!run) return;
    const cls = classes("end", `v-${run.out}`, at < this.path.length - 1 && "later");
    const icon = h("span", { "aria-hidden": "true" }, ICON[run.out]);
    this.put(div(cls, icon, span("", ending(run))), this.bottom, "2 / -1");
  }
}

function cutLine({ by, undone }) {
  let d = "M0 6";
  for (let x = 0; x < 60; x++) d += ` L${x * 10 + 5} ${x % 2 ? 1 : 11}`;
  const zigzag = h(
    "svg",
    { viewBox: "0 0 600 12", preserveAspectRatio: "none", "aria-hidden": "true" },
    h("path", { d, fill: "none", stroke: "currentColor", "stroke-width": "2", "vector-effect": "non-scaling-stroke" }),
  );
  const left = undone
    ? "its open transaction is rolled back, its lock is free"
    : "no transaction is open: what is committed stays";
  return div(`cutline lane-${by}`, zigzag, h("b", {}, `${by} is killed here`), h("small", {}, left));
}
