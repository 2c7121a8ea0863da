// The game: the learner lets one actor after the other make its next step, and tries to break something.

class Game {
  constructor(player) {
    this.player = player;
    this.path = "";
    this.found = new Set(); // schedules that were played to their end: kept over a restart
    this.fresh = null;
    this.message = null;
  }

  get run() {
    return this.player.rec.run(this.path);
  }
  get broken() {
    return [...this.found].filter((s) => this.player.rec.run(s)?.out === "bad").length;
  }

  // The letter of an actor's next step; on a server, a lower-case letter is a step that has to wait for a lock.
  next(state, letter) {
    return [letter, letter.toLowerCase()].find((name) => state.go?.[name]);
  }

  // Whether an actor can step now, and what is said below its name.
  turn(path, letter) {
    const { state } = path.at(-1);
    const next = this.next(state, letter);
    if (state.more?.includes(letter))
      return { can: LINKS.has(this.player.options.link), why: "not recorded: run the cell again" };
    if (next)
      return { can: true, why: next === letter ? "let it take its next step" : "its next step has to wait for a lock" };
    if (state.waits?.[letter]) return { can: false, why: `waits for ${state.waits[letter][0]}’s lock` };
    return { can: false, why: "done" };
  }

  step(letter) {
    const { rec } = this.player;
    const { state } = rec.path(this.path).at(-1);
    if (!state.go && !state.more) return;
    if (state.more?.includes(letter)) return this.player.tell({ more: this.path });
    const next = this.next(state, letter);
    if (!next) {
      const [holder] = state.waits?.[letter] || [];
      const why = holder ? `waiting for ${holder}’s lock. Step ${holder}` : "done. Step another one";
      this.message = [letter, `${letter} is ${why}, or go Back.`];
      this.player.draw();
      return;
    }
    this.go(this.path + next);
    if (!this.ended) return;
    this.fresh = this.found.has(this.path) ? null : this.path;
    this.found.add(this.path);
    this.player.tell({ played: this.path });
    this.player.draw("again");
  }

  get ended() {
    return !!this.run;
  }
  back() {
    this.go(this.path.slice(0, -1));
  }
  restart() {
    this.go("");
    this.player.focusOn(`go${this.player.rec.letters[0]}`);
  }

  go(path) {
    this.path = path;
    this.message = this.fresh = null;
    this.player.draw();
  }

  headline() {
    const { run } = this;
    return run ? this.result(run) : this.aim();
  }

  aim() {
    const { rec, options } = this.player;
    const wanted = rec.broken ? `make it end with “${rec.list[0].broken[0]}”` : "can you break it?";
    const how = [
      "You decide whose statement runs next. Use as few switches between ",
      listed(rec.letters.map(who)),
      " as you can.",
    ];
    return [title("none", options.goal || `Your turn: ${wanted}`), h("p", { cls: "why" }, how), this.score()];
  }

  result(run) {
    const texts = {
      bad: () => ["You broke it: ", h("em", {}, run.broken[0])],
      err: () => ["It held, with an error: ", h("em", {}, run.errors[0])],
      good: () => "It held: nothing is broken",
    };
    const [why] = this.player.why;
    return [title(run.out, texts[run.out]()), h("p", { cls: "why" }, why ? sentence(why) : NBSP), this.score()];
  }

  // The number of breaking schedules is the learner's question, so it is shown only after the first one.
  score() {
    const { rec } = this.player;
    const figure = (before, n, after) => span("", before, h("b", {}, n), after);
    const yours = figure("Your switches ", switches(this.path));
    if (!this.broken) return div("win", yours, this.ended && this.buttons());
    const does = this.run?.out === "bad" ? "do this" : "break it";
    const found = [` of ${plural(rec.count, "interleaving")} ${does}; you found `, h("b", {}, this.broken)];
    const fewest = figure("Fewest possible ", rec.fewest);
    return div("win", figure("", number(rec.broken), found), yours, fewest, this.ended && this.buttons());
  }

  buttons() {
    const { player } = this;
    return span(
      "acts",
      button("again", "btn strong", () => this.restart(), "Again"),
      player.rec.broken > 0 && button("fewest", "btn", () => player.watch(player.rec.first()), "Show the fewest"),
    );
  }
}

const title = (out, text) =>
  h("p", { cls: `verdict v-${out}` }, h("span", { cls: "mark", "aria-hidden": "true" }, ICON[out]), span("", text));
