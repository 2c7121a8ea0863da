// Beside the lanes: what the step did, the rows as they stand after it, and the arrows between them.

class Side {
  constructor(player) {
    this.player = player;
    this.svg = h("svg", { "aria-hidden": "true" });
    this.rows = h("div", { cls: "rows" });
    this.el = h("div", {}, this.rows);
  }

  draw(path) {
    const { rec, at, playing, root } = this.player, { step } = path[at];
    this.path = path;
    this.changed = rec.changes(path, at);
    this.owner = this.shownAs();
    const tables = Object.entries(rec.tables).filter(([t]) => rec.rows.some((row) => row[0] === t) || rec.pointedAt.has(t));
    const sql = step?.by && [...(step.pre || []), rec.sqlOf(step), ...(step.post || [])].join(";\n");
    const begin = playing ? `Nothing has happened yet. Press ${listed(rec.letters).join("").replace(/ and (?=.$)/, " or ")}.` : "Nothing has happened yet.";
    this.said = said(rec, path, at, begin);
    renew(this.rows, [...tables.map(([t, info]) => this.table(t, info)), this.svg]);
    const full = sql && h("details", { cls: "full", open: this.player.full, ontoggle: (e) => { this.player.full = e.target.open; } }, h("summary", { "data-f": "full" }, "Full SQL of this step ", h("kbd", { "aria-hidden": "true" }, "S")), h("pre", { tabindex: 0 }, `${sql};`));
    this.el.className = `side${step?.by ? ` lane-${step.by}` : ""}`;
    renew(this.el, [h("p", { cls: "say" }, h("span", { cls: "k" }, at ? `Step ${at}` : "At the start"), this.said), this.rows, full]);
  }

  // Whose uncommitted rows are shown: the current actor's, else those of whoever has some.
  shownAs() {
    const { step, state } = this.path[this.player.at], open = Object.keys(state.open || {});
    return open.includes(step?.by) ? step.by : open[0];
  }

  table(t, info) {
    const { rec, at } = this.player, { state, step } = this.path[at], owner = this.owner, cols = rec.words.columns[t];
    const named = rec.named(rec.seen(state, owner)), all = named.map(([, row]) => row), committed = new Map(rec.named(state.rows));
    const pointed = new Set(all.flatMap((row) => Object.entries(rec.tables[row.table].refs).filter(([, to]) => to === t).map(([c]) => row.at[c])));
    const body = named.filter(([, row]) => row.table === t).map(([id, row]) => {
      const was = committed.get(id), mine = owner && (!was || cols.some((c) => was.at[c] !== row.at[c]));
      const change = this.changed.find((c) => c.id === id && !c.gone);
      const pointer = this.pointerTo(t), named = String(row.at.payload).includes(`"${pointer}_id"`); // classic: no reference needed
      const lonely = rec.pointedAt.has(t) && rec.words.live.includes(row.at.status) && !pointed.has(row.key) && !named;
      const lost = lonely && this.isLost(t, row.key);
      const broken = Object.entries(info.refs).find(([c, to]) => row.at[c] != null && !all.some((other) => other.table === to && other.key === row.at[c]));
      const tags = [
        broken && h("span", { cls: "tag lost" }, `✕ dangling: ${rec.one(broken[1], row.at[broken[0]])} is gone`),
        lonely && (lost ? h("span", { cls: "tag lost" }, `◌ orphan: no ${pointer} points at it`) : h("span", { cls: "tag quiet" }, `no ${pointer} yet`)),
        mine && h("span", { cls: `tag mine lane-${owner}` }, `only ${owner} sees it`),
      ].filter(Boolean);
      const cls = `lane-${mine ? owner : step?.by || "A"}${mine ? " mine" : ""}${change && !change.was ? " born" : ""}${lost ? " lost" : ""}`;
      const cells = cols.map((c) => {
        const changed = change?.was && change.cols.includes(c);
        return h("td", { cls: `${row.at[c] == null ? "null" : ""}${changed ? " chg" : ""}`, title: full(row.at[c]) }, inCell(row.at[c]), changed && h("span", { cls: "was" }, "was ", h("s", {}, brief(change.was.at[c]))));
      });
      return [h("tr", { cls, "data-row": `${t} ${row.key}` }, cells), tags.length ? h("tr", { cls: `${cls} tags` }, h("td", { colspan: cols.length }, h("div", {}, tags))) : null];
    });
    const gone = this.changed.filter((c) => c.gone && c.was.table === t).map((c) => h("tr", { cls: "gone" }, cols.map((col) => h("td", {}, h("span", { cls: "val" }, h("s", {}, brief(c.was.at[col])))))));
    const none = h("tr", {}, h("td", { colspan: cols.length, cls: "null none" }, "no row"));
    return h("div", {}, h("table", { cls: "tbl" }, h("caption", {}, t), h("thead", {}, h("tr", {}, cols.map((c) => h("th", { scope: "col" }, heading(c))))), h("tbody", {}, body.length || gone.length ? [body, gone] : none)));
  }

  pointerTo(t) {
    const { rec } = this.player, from = Object.entries(rec.tables).find(([, info]) => Object.values(info.refs).includes(t))?.[0];
    return rec.one(from);
  }

  // Whether nobody will point at a row any more: somebody did, or the actor that made it has ended.
  isLost(t, key) {
    const { rec, at } = this.player, { path } = this;
    for (let k = at; k > 0; k--) {
      const changes = rec.changes(path, k);
      if (changes.some((c) => c.was && Object.entries(rec.tables[c.was.table].refs).some(([col, to]) => to === t && c.was.at[col] === key))) return true;
      if (changes.some((c) => !c.was && c.row.table === t && c.row.key === key)) return !!path[at].state.ended?.includes(path[k].step.by);
    }
    return true;
  }

  // The arrows are the only thing that is measured.
  arrows() {
    const { rec, at } = this.player, { svg } = this;
    if (!this.rows.isConnected) return;
    const { state, step } = this.path[at], base = this.rows.getBoundingClientRect(), drawn = [];
    this.size = `${base.width} ${base.height}`;
    const find = (t, key) => [...this.rows.querySelectorAll("[data-row]")].find((el) => el.dataset.row === `${t} ${key}`);
    for (const x of rec.seen(state, this.owner)) {
      const row = rec.row(x), from = find(row.table, row.key);
      for (const [c, to] of Object.entries(rec.tables[row.table].refs)) {
        const change = this.changed.find((d) => d.id === `${row.table} ${row.key}` && d.cols.includes(c));
        const target_ = row.at[c] != null && find(to, row.at[c]), before = change?.was?.at[c] != null && find(to, change.was.at[c]);
        const apart = target_ && before ? (before.getBoundingClientRect().top > target_.getBoundingClientRect().top ? 4 : -4) : 0;
        if (from && before) drawn.push(...this.arrow(base, from, before, "gone", apart));
        if (from && target_) drawn.push(...this.arrow(base, from, target_, `${change ? `hot lane-${step.by}` : ""}${this.owner && !state.rows.includes(x) ? ` mine lane-${this.owner}` : ""}`, -apart));
      }
    }
    renew(svg, drawn);
  }

  // Arrows depend on the size of the tables alone, which need not change where the player's does.
  resized() {
    const { width, height } = this.rows.getBoundingClientRect();
    if (`${width} ${height}` !== this.size) this.arrows();
  }

  arrow(base, from, to, cls, shift) {
    const a = from.getBoundingClientRect(), b = to.getBoundingClientRect(), beside = b.left >= a.right + 16;
    const y1 = a.top - base.top + 16 + shift, y2 = b.top - base.top + 16, cy = (y1 + y2) / 2;
    // One table below the other: the arrow runs in the margin on their left.
    const x1 = beside ? a.right - base.left + 1 : a.left - base.left - 1, x2 = b.left - base.left - 3;
    const m = beside ? (x1 + x2) / 2 : Math.min(x1, x2) - 9 - shift / 2, reach = beside ? m : Math.min(x1, x2) - 12 - shift;
    const parts = [h("path", { cls: `arrow ${cls}`, d: `M${x1} ${y1} C${reach} ${y1} ${reach} ${y2} ${x2 - 6} ${y2}` }), h("polygon", { cls: `tip ${cls}`, points: `${x2},${y2} ${x2 - 9},${y2 - 5} ${x2 - 9},${y2 + 5}` })];
    if (cls === "gone") for (const s of [1, -1]) parts.push(h("line", { cls: "x", x1: m - 5, y1: cy - 5 * s, x2: m + 5, y2: cy + 5 * s }));
    return parts;
  }
}

// The learner's code, with a mark where each actor stands.
function codePane(player, path) {
  const { rec, at } = player, stands = {}, now = path[at].step;
  for (const { step } of path.slice(1, at + 1)) if (step.line) stands[step.by] = step.line;
  const lines = rec.code.replace(/\n$/, "").split("\n").map((text, k) => {
    const here = Object.keys(stands).filter((letter) => stands[letter] === k + 1), on = now?.line === k + 1;
    const code = h("code", { style: `margin-left:${/^ */.exec(text)[0].length}ch` }, text.trimStart() || " ");
    return h("div", { cls: `ln${on ? ` on lane-${now.by}` : ""}` }, h("span", { cls: "n" }, k + 1), h("span", { cls: "pc" }, here.map(who)), code);
  });
  return h("div", { cls: "codepane" }, h("div", { cls: "ch" }, "Your code, and where each actor stands"), lines);
}
