// The map: every schedule of the recording, its outcome, and which one is open.

const STRIPS = 60; // up to so many schedules are drawn as strips, whose cells are the steps; more are squares
const WORD = { bad: ["breaks", "break"], err: ["ends with an error", "end with an error"], good: ["holds", "hold"] };

class ScheduleMap {
  constructor(player) { this.player = player; this.el = h("div", { cls: "map", role: "listbox", tabindex: 0, "data-f": "map" }); }

  draw() {
    const { rec, game, playing, run } = this.player, key = playing ? `${game.found.size} ${game.path}` : "watch";
    if (key !== this.key) {
      this.key = key;
      this.el.replaceChildren(...(playing && !game.broken ? this.unknown() : rec.crashes ? this.points() : this.groups()));
      this.el.setAttribute("aria-label", playing && !game.broken ? "Map: the schedules that you have played" : "Map: all schedules. Arrow up and down open another one.");
    }
    const open = playing ? rec.run(game.path) : run, chosen = this.el.querySelector("[aria-selected=true]");
    if (chosen && chosen.dataset.s === open?.s) return;
    for (const el of this.el.querySelectorAll("[aria-selected=true]")) el.setAttribute("aria-selected", "false");
    this.el.querySelector(`[data-s="${open?.s}"]`)?.setAttribute("aria-selected", "true");
    if (open) this.el.setAttribute("aria-activedescendant", `s-${open.s}`);
    else this.el.removeAttribute("aria-activedescendant");
  }

  groups() {
    const { rec } = this.player, small = rec.list.length <= STRIPS;
    return ["bad", "err", "good"].flatMap((out) => {
      const runs = rec.list.filter((run) => run.out === out);
      if (!runs.length) return [];
      const total = runs.reduce((sum, run) => sum + run.n, 0);
      const few = runs[0].sw, most = runs.at(-1).sw;
      const span = `${few}${most > few ? `–${most}` : ""} ${most === 1 ? "switch: one after the other" : "switches"}`;
      const rest = total > runs.length ? `${plural(runs.length, "way")} to end, ` : "";
      return [this.group(out, `${ICON[out]} ${number(total)} ${WORD[out][total === 1 ? 0 : 1]}`, rest + span, h("div", { cls: small ? "strips" : "squares" }, runs.map((run) => (small ? this.strip(run) : this.square(run)))))];
    });
  }

  points() {
    const { rec } = this.player, alone = rec.letters.length === 1;
    return [this.group("none", alone ? "Killed just before step" : "Each crash point in each schedule", "", h("div", { cls: rec.list.length > STRIPS ? "squares" : "strips" }, rec.list.map((run) => (rec.list.length > STRIPS ? this.square(run) : this.strip(run)))))];
  }

  // Before the learner has broken it: what was played, and a blank for each of the others.
  unknown() {
    const { rec, game } = this.player, found = [...game.found].map((s) => rec.run(s)).filter(Boolean);
    const said = found.length ? `${found.length} played, none of them broke it` : "none played yet";
    const blanks = Math.max(0, Math.min(rec.count, STRIPS) - found.length);
    const strips = [...found.map((run) => this.strip(run)), ...Array.from({ length: blanks }, () => h("div", { cls: "strip blank" }, h("span", { cls: "slot", style: `--len:${rec.longest}` })))];
    for (const strip of strips) strip.style.setProperty("--h", `${this.height()}px`);
    for (const blank of strips.slice(found.length)) blank.setAttribute("aria-hidden", "true");
    return [this.group("none", `${plural(rec.count, "interleaving")} `, said, h("div", { cls: "strips" }, strips))];
  }

  group(out, title, more, body) {
    return h("div", { cls: `grp v-${out}`, role: "group", "aria-label": `${title} ${more}` }, h("div", { cls: "gh", "aria-hidden": "true" }, title, " ", h("small", {}, more)), body);
  }

  height() { return Math.max(3, Math.min(8, Math.floor(44 / this.player.rec.longest))); }

  // What the learner has played is marked, and what was played just now lights up.
  mine(run) {
    const { game, playing } = this.player;
    return playing && game.found.has(run.s) ? (run.s === game.fresh ? " mine new" : " mine") : "";
  }

  strip(run) {
    const { rec } = this.player;
    const cells = [...run.s].map((c) => (c === "x" ? h("span", { cls: "cut" }) : h("i", { cls: `lane-${c.toUpperCase()}` })));
    const dead = rec.letters.length === 1 && rec.whole ? rec.whole.length - (run.s.length - 1) : 0;
    for (let k = 0; k < dead; k++) cells.push(h("i", { cls: "ghost" }));
    return this.option(`strip${this.mine(run)}`, run, [cells, h("span", { cls: "m" }, ICON[run.out]), dead || rec.whole ? h("span", { cls: "tick" }, run.s.indexOf("x") + 1 || "–") : null], `--h:${this.height()}px`);
  }

  square(run) { return this.option(`sq${this.mine(run)}`, run, run.n > 1 ? `${ICON[run.out]}${NBSP}${number(run.n)}` : ICON[run.out]); }

  option(cls, run, body, style) {
    const title = `${run.s}: ${outcome(run)}${run.n > 1 ? ` (${number(run.n)} schedules end like this)` : ""}`;
    return h("div", { cls: `${cls} v-${run.out}`, style, role: "option", id: `s-${run.s}`, "data-s": run.s, title, "aria-label": title, "aria-selected": "false" }, h("span", { cls: "opt", "aria-hidden": "true" }, body));
  }
}
