// The map: every schedule of the recording, its outcome, and which one is open.

const STRIPS = 60; // up to so many schedules are drawn as strips, whose cells are the steps; more are squares
const WORD = { bad: ["breaks", "break"], err: ["ends with an error", "end with an error"], good: ["holds", "hold"] };

class ScheduleMap {
  constructor(player) {
    this.player = player;
    const style = `--n:${player.rec.letters.length};--h:${this.height()}px`;
    this.el = h("div", { cls: "map", style, role: "listbox", tabindex: 0, "data-f": "map" });
  }

  draw() {
    const { rec, game, playing, run } = this.player;
    const hidden = playing && !game.broken;
    const key = playing ? `${game.found.size} ${game.path}` : "watch";
    if (key !== this.key) {
      this.key = key;
      this.el.replaceChildren(...(hidden ? this.unknown() : this.inSteps ? this.points() : this.groups()));
      const label = hidden
        ? "the schedules that you have played"
        : "all schedules. Arrow up and down open another one.";
      this.el.setAttribute("aria-label", `Map: ${label}`);
    }
    const open = playing ? rec.run(game.path) : run;
    const chosen = this.el.querySelector("[aria-selected=true]");
    if (chosen && chosen.dataset.s === open?.s) return;
    chosen?.setAttribute("aria-selected", "false");
    this.el.querySelector(`[data-s="${open?.s}"]`)?.setAttribute("aria-selected", "true");
    if (open) this.el.setAttribute("aria-activedescendant", `s-${open.s}`);
    else this.el.removeAttribute("aria-activedescendant");
  }

  // Whether each crash point of the only actor stands at its step; everything else is grouped by its outcome.
  get inSteps() {
    const { rec } = this.player;
    return rec.crashes && rec.letters.length === 1;
  }

  groups() {
    return ["bad", "err", "good"].flatMap((out) => {
      const runs = this.player.rec.list.filter((run) => run.out === out);
      if (!runs.length) return [];
      const total = runs.reduce((sum, run) => sum + run.n, 0);
      const title = `${ICON[out]} ${number(total)} ${WORD[out][total === 1 ? 0 : 1]}`;
      return this.group(out, title, this.more(runs, total), this.body(runs));
    });
  }

  more(runs, total) {
    if (this.player.rec.crashes) return "a crash in each";
    const few = runs[0].sw;
    const most = runs.at(-1).sw;
    const ways = total > runs.length ? `${plural(runs.length, "way")} to end, ` : "";
    const range = few < most ? `${few}–${most}` : few;
    return `${ways}${range} ${most === 1 ? "switch: one after the other" : "switches"}`;
  }

  body(runs) {
    const small = this.player.rec.list.length <= STRIPS;
    return div(
      small ? "strips" : "squares",
      runs.map((run) => (small ? this.strip(run) : this.square(run))),
    );
  }

  points() {
    return [this.group("none", "Killed just before step", "", this.body(this.player.rec.list))];
  }

  // Before the learner has broken it: what was played, and a blank for each of the others.
  unknown() {
    const { rec, game } = this.player;
    const found = [...game.found].map((s) => rec.run(s)).filter(Boolean);
    const said = found.length ? `${found.length} played, none of them broke it` : "none played yet";
    const style = `--len:${rec.longest}`;
    const blank = () => h("div", { cls: "strip blank", style, "aria-hidden": "true" }, span("slot"));
    const blanks = Math.max(0, Math.min(rec.count, STRIPS) - found.length);
    const strips = [...found.map((run) => this.strip(run)), Array.from({ length: blanks }, blank)];
    return [this.group("none", plural(rec.count, "interleaving"), said, div("strips", strips))];
  }

  group(out, title, more, body) {
    return h(
      "div",
      { cls: `grp v-${out}`, role: "group", "aria-label": `${title} ${more}` },
      h("div", { cls: "gh", "aria-hidden": "true" }, title, " ", h("small", {}, more)),
      body,
    );
  }

  height() {
    return Math.max(2, Math.min(6, Math.floor(32 / this.player.rec.longest)));
  }

  // What the learner has played is marked, and what was played just now lights up.
  mine(run) {
    const { game, playing } = this.player;
    return playing && game.found.has(run.s) ? (run.s === game.fresh ? " mine new" : " mine") : "";
  }

  strip(run) {
    const { rec } = this.player;
    const cells = [...run.s].map((c) => (/[xy]/.test(c) ? span("cut") : h("i", { cls: `lane-${c.toUpperCase()}` })));
    const dead = rec.letters.length === 1 && rec.whole ? rec.whole.length - (run.s.length - 1) : 0;
    for (let k = 0; k < dead; k++) cells.push(h("i", { cls: "ghost lane-A" }));
    const tick = (dead || rec.whole) && span("tick", run.s.search(/[xy]/) + 1 || "–");
    const body = [cells, span("m", ICON[run.out]), tick];
    return this.option(`strip${this.mine(run)}`, run, body);
  }

  square(run) {
    const times = run.n > 1 ? NBSP + number(run.n) : "";
    return this.option(`sq${this.mine(run)}`, run, ICON[run.out] + times);
  }

  option(cls, run, body) {
    const title = `${run.s}: ${outcome(run)}${run.n > 1 ? ` (${number(run.n)} schedules end like this)` : ""}`;
    const names = { "data-s": run.s, title, "aria-label": title, "aria-selected": "false" };
    return h(
      "div",
      { cls: `${cls} v-${run.out}`, role: "option", id: `s-${run.s}`, ...names },
      h("span", { cls: "opt", "aria-hidden": "true" }, body),
    );
  }
}
