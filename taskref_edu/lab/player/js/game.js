// The game: the learner lets one actor after the other make its next step, and tries to break something.

class Game {
  constructor(player) {
    this.player = player;
    this.path = "";
    this.found = new Set(); // schedules that were played to their end: kept over a restart
    this.fresh = null;
    this.message = null;
  }

  get run() { return this.player.rec.run(this.path); }
  get broken() { return [...this.found].filter((s) => this.player.rec.run(s)?.out === "bad").length; }

  // The letter of an actor's next step; on a server, a lower-case letter is a step that has to wait for a lock.
  next(state, letter) { return [letter, letter.toLowerCase()].find((name) => state.go?.[name]); }

  // Whether an actor can step now, and what is said below its name.
  turn(path, letter) {
    const { state } = path.at(-1), next = this.next(state, letter);
    if (state.more?.includes(letter)) return { can: LINKS.has(this.player.options.link), why: "its step is not recorded here" };
    if (next) return { can: true, why: next === letter ? "let it take its next step" : "its next step has to wait for a lock" };
    if (state.waits?.[letter]) return { can: false, why: `waits for ${state.waits[letter][0]}’s lock` };
    return { can: false, why: "done" };
  }

  step(letter) {
    const { rec } = this.player, { state } = rec.path(this.path).at(-1);
    if (!state.go && !state.more) return;
    if (state.more?.includes(letter)) return this.player.tell({ more: this.path });
    const next = this.next(state, letter);
    if (!next) {
      const waits = state.waits?.[letter];
      this.message = [letter, waits ? `${letter} is waiting for ${waits[0]}’s lock. Step ${waits[0]}, or go Back.` : `${letter} is done. Step another one, or go Back.`];
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

  get ended() { return !!this.run; }
  back() { this.go(this.path.slice(0, -1)); }
  restart() { this.go(""); this.player.focusOn(`go${this.player.rec.letters[0]}`); }

  go(path) {
    this.path = path;
    this.message = this.fresh = null;
    this.player.draw();
  }

  headline() {
    const { rec, options } = this.player, { run, ended } = this;
    // The number of breaking schedules is the learner's question, so it is shown only after the first one.
    const won = this.broken > 0, score = [h("span", {}, "Your switches ", h("b", {}, switches(this.path)))];
    if (won) score.unshift(h("span", {}, h("b", {}, number(rec.broken)), ` of ${plural(rec.count, "interleaving")} do this; you found `, h("b", {}, this.broken)));
    if (won) score.push(h("span", {}, "Fewest possible ", h("b", {}, rec.fewest)));
    if (ended) score.push(h("span", { cls: "acts" }, h("button", { cls: "btn strong", "data-f": "again", onclick: () => this.restart() }, "Again"), rec.broken > 0 && h("button", { cls: "btn", "data-f": "fewest", onclick: () => this.player.watch(rec.first()) }, "Show the fewest")));
    const line = h("div", { cls: "win" }, score);
    if (!ended) {
      const aim = options.goal || (rec.broken ? `Your turn: make it end with “${rec.list[0].broken[0]}”` : "Your turn: can you break it?");
      const how = ["You decide whose statement runs next. Use as few switches between ", listed(rec.letters.map(who)), " as you can."];
      return [title("none", aim), h("p", { cls: "why" }, how), line];
    }
    const sentence_ = this.player.why[0];
    const text = run.out === "bad" ? ["You broke it: ", h("em", {}, run.broken[0])] : run.out === "err" ? ["It held, with an error: ", h("em", {}, run.errors[0])] : ["It held: nothing is broken"];
    return [title(run.out, text), h("p", { cls: "why" }, sentence_ ? sentence(sentence_) : NBSP), line];
  }
}

const title = (out, text) =>
  h("p", { cls: `verdict v-${out}` }, h("span", { cls: "mark", "aria-hidden": "true" }, ICON[out]), h("span", {}, text));
