// Beside the lanes: what the step did, the rows as they stand after it, and the arrows between them.

class Side {
  constructor(player) {
    this.player = player;
    this.svg = h("svg", { "aria-hidden": "true" });
    this.rows = div("rows");
    this.el = div("", this.rows);
  }

  draw(path) {
    const { rec, at, playing } = this.player;
    const { step } = path[at];
    this.path = path;
    this.changed = rec.changes(path, at);
    this.owner = this.shownAs();
    this.committed = new Map(rec.named(path[at].state.rows));
    const shown = ([t]) => rec.pointedAt.has(t) || rec.rows.some(([table]) => table === t);
    const tables = Object.entries(rec.tables).filter(shown);
    const letters = rec.letters.slice(0, -1).join(", ");
    const press = playing ? ` Press ${letters} or ${rec.letters.at(-1)}.` : "";
    this.said = said(rec, path, at, `Nothing has happened yet.${press}`);
    renew(this.rows, [...tables.map(([t]) => this.table(t)), this.svg]);
    this.el.className = classes("side", step?.by && `lane-${step.by}`);
    const label = span("k", at ? `Step ${at}` : "At the start");
    renew(this.el, [h("p", { cls: "say" }, label, this.said), this.rows, step?.by && this.full(step)]);
  }

  full(step) {
    const { player } = this;
    const sql = [...(step.pre || []), player.rec.sqlOf(step), ...(step.post || [])].join(";\n");
    const ontoggle = (event) => (player.full = event.target.open);
    return h(
      "details",
      { cls: "full", open: player.full, ontoggle },
      h("summary", { "data-f": "full" }, "Full SQL of this step ", h("kbd", { "aria-hidden": "true" }, "S")),
      h("pre", { tabindex: 0 }, `${sql};`),
    );
  }

  // Whose uncommitted rows are shown: the current actor's, else those of whoever has some.
  shownAs() {
    const { step, state } = this.path[this.player.at];
    const open = Object.keys(state.open || {});
    return open.includes(step?.by) ? step.by : open[0];
  }

  table(t) {
    const { rec, at } = this.player;
    const cols = rec.words.columns[t];
    const rows = rec.named(rec.seen(this.path[at].state, this.owner));
    const all = rows.map(([, row]) => row);
    const body = rows.flatMap(([id, row]) => (row.table === t ? this.row(id, row, cols, all) : []));
    const struck = (value) => h("td", {}, span("val", h("s", {}, brief(value))));
    for (const { gone, was } of this.changed) {
      const cells = gone && was.table === t && cols.map((col) => struck(was.at[col]));
      if (cells) body.push(h("tr", { cls: "gone" }, cells));
    }
    if (!body.length) body.push(h("tr", {}, h("td", { colspan: cols.length, cls: "null none" }, "no row")));
    const names = cols.map((col) => h("th", { scope: "col" }, heading(col)));
    const parts = [h("caption", {}, t), h("thead", {}, h("tr", {}, names)), h("tbody", {}, body)];
    return div("", h("table", { cls: "tbl" }, parts));
  }

  // A row of a table, in the colour of whoever changed it, and below it what is to be said of it.
  row(id, row, cols, all) {
    const { step } = this.path[this.player.at];
    const { owner } = this;
    const was = this.committed.get(id);
    const mine = owner && (!was || cols.some((col) => was.at[col] !== row.at[col]));
    const change = this.changed.find((one) => one.id === id && !one.gone);
    const tags = this.tags(row, all);
    if (mine) tags.push(span(`tag mine lane-${owner}`, `only ${owner} sees it`));
    const lane = `lane-${mine ? owner : step?.by || "r"}`;
    const lost = this.unreferenced(row, all) && this.isLost(row);
    const cls = classes(lane, mine && "mine", change && !change.was && "born", lost && "lost");
    const cells = cols.map((col) => {
      const before = change?.was && change.cols.includes(col) && [brief(change.was.at[col])];
      const shade = classes(row.at[col] == null && "null", before && "chg");
      const note = before && span("was", "was ", h("s", {}, before));
      return h("td", { cls: shade, title: full(row.at[col]) }, inCell(row.at[col]), note);
    });
    const below = tags.length && h("tr", { cls: `${cls} tags` }, h("td", { colspan: cols.length }, div("", tags)));
    return [h("tr", { cls, "data-row": `${row.table} ${row.key}` }, cells), below || null];
  }

  tags(row, all) {
    const { rec } = this.player;
    const refs = Object.entries(rec.tables[row.table].refs).map(([col, to]) => [to, row.at[col]]);
    const dangling = refs.find(([to, key]) => key != null && !all.some((one) => one.table === to && one.key === key));
    const tags = dangling ? [span("tag lost", `✕ dangling: ${rec.one(...dangling)} is gone`)] : [];
    if (!this.unreferenced(row, all)) return tags;
    const pointer = this.pointerTo(row.table);
    const orphan = span("tag lost", `◌ orphan: no ${pointer} points at it`);
    return [...tags, this.isLost(row) ? orphan : span("tag quiet", `no ${pointer} yet`)];
  }

  // Whether a live row that has to be referenced is not. A task whose payload names its row needs no reference.
  unreferenced({ table, key, at }, all) {
    const { rec } = this.player;
    if (!rec.pointedAt.has(table) || !rec.words.live.includes(at.status)) return false;
    if (String(at.payload).includes(`"${this.pointerTo(table)}_id"`)) return false;
    const refers = (row) =>
      Object.entries(rec.tables[row.table].refs).some(([col, to]) => to === table && row.at[col] === key);
    return !all.some(refers);
  }

  pointerTo(t) {
    const { rec } = this.player;
    const from = Object.entries(rec.tables).find(([, info]) => Object.values(info.refs).includes(t))?.[0];
    return rec.one(from);
  }

  // Whether nobody will point at a row any more: somebody did, or the actor that made it has ended.
  isLost({ table, key }) {
    const { rec, at } = this.player;
    const { path } = this;
    const referred = ({ was }) =>
      was && Object.entries(rec.tables[was.table].refs).some(([col, to]) => to === table && was.at[col] === key);
    const made = ({ was, row }) => !was && row.table === table && row.key === key;
    for (let k = at; k > 0; k--) {
      const changes = rec.changes(path, k);
      if (changes.some(referred)) return true;
      if (changes.some(made)) return !!path[at].state.ended?.includes(path[k].step.by);
    }
    return true;
  }

  // The arrows are the only thing that is measured.
  arrows() {
    const { rec, at } = this.player;
    if (!this.rows.isConnected) return;
    const { state, step } = this.path[at];
    const base = this.rows.getBoundingClientRect();
    this.size = `${base.width} ${base.height}`;
    const drawn = new Map([...this.rows.querySelectorAll("[data-row]")].map((el) => [el.dataset.row, el]));
    const box = (table, key) => key != null && drawn.get(`${table} ${key}`)?.getBoundingClientRect();
    const parts = [];
    for (const index of rec.seen(state, this.owner)) {
      const { table, key, at: values } = rec.row(index);
      const from = box(table, key);
      if (!from) continue;
      for (const [col, to] of Object.entries(rec.tables[table].refs)) {
        const change = this.changed.find(({ id, cols }) => id === `${table} ${key}` && cols.includes(col));
        const now = box(to, values[col]);
        const before = box(to, change?.was?.at[col]);
        const apart = now && before ? (before.top > now.top ? 4 : -4) : 0;
        const mine = this.owner && !state.rows.includes(index) && `mine lane-${this.owner}`;
        if (before) parts.push(...this.arrow(base, from, before, "gone", apart));
        if (now)
          parts.push(...this.arrow(base, from, now, classes(change && `hot lane-${step.by || "r"}`, mine), -apart));
      }
    }
    renew(this.svg, parts);
  }

  // Arrows depend on the size of the tables alone, which need not change where the player's does.
  resized() {
    const { width, height } = this.rows.getBoundingClientRect();
    if (`${width} ${height}` !== this.size) this.arrows();
  }

  arrow(base, from, to, cls, shift) {
    const beside = to.left >= from.right + 16;
    const y1 = from.top - base.top + 16 + shift;
    const y2 = to.top - base.top + 16;
    // One table below the other: the arrow runs in the margin on their left.
    const x1 = beside ? from.right - base.left + 1 : from.left - base.left - 1;
    const x2 = to.left - base.left - 3;
    const bend = beside ? (x1 + x2) / 2 : Math.min(x1, x2) - 12 - shift;
    const parts = [
      h("path", { cls: `arrow ${cls}`, d: `M${x1} ${y1} C${bend} ${y1} ${bend} ${y2} ${x2 - 6} ${y2}` }),
      h("polygon", { cls: `tip ${cls}`, points: `${x2},${y2} ${x2 - 9},${y2 - 5} ${x2 - 9},${y2 + 5}` }),
    ];
    if (cls !== "gone") return parts;
    const x = beside ? bend : Math.min(x1, x2) - 9 - shift / 2;
    const y = (y1 + y2) / 2;
    const stroke = (s) => h("line", { cls: "x", x1: x - 5, y1: y - 5 * s, x2: x + 5, y2: y + 5 * s });
    return [...parts, stroke(1), stroke(-1)];
  }
}

// The learner's code, with a mark where each actor stands.
function codePane(player, path) {
  const { rec, at } = player;
  const now = path[at].step;
  const stands = {};
  for (const { step } of path.slice(1, at + 1)) if (step.line) stands[step.by] = step.line;
  const lines = rec.code.replace(/\n$/, "").split("\n");
  const shown = lines.map((text, k) => {
    const here = rec.letters.filter((letter) => stands[letter] === k + 1);
    const style = `margin-left:${/^ */.exec(text)[0].length}ch`;
    const code = h("code", { style }, text.trimStart() || " ");
    return div(
      classes("ln", now?.line === k + 1 && `on lane-${now.by}`),
      span("n", k + 1),
      span("pc", here.map(who)),
      code,
    );
  });
  return div("codepane", div("ch", "Your code, and where each actor stands"), shown);
}
