// The bar: buttons, the schedule as the scrubber, and what can be copied. Below everything, the keys and the table.

const GLYPH = {
  first: "M2 2h2v10H2zM12 2v10L5 7z",
  back: "M10.5 2v10L3.5 7z",
  next: "M3.5 2v10l7-5z",
  last: "M10 2h2v10h-2zM2 2v10l7-5z",
};
const glyph = (name) => h("svg", { viewBox: "0 0 14 14", "aria-hidden": "true" }, h("path", { d: GLYPH[name] }));

class Bar {
  constructor(player) {
    this.player = player;
    this.el = div("bar");
  }

  // The bar is rebuilt only for another schedule, so that drawing does not end a drag of the scrubber.
  draw(path) {
    const { playing, schedule, game } = this.player;
    const key = `${playing} ${schedule} ${playing && game.message}`;
    if (key !== this.key) this.el.replaceChildren(...(playing ? this.forGame(path) : this.forResult(path)));
    this.key = key;
    if (!playing) this.update(path);
  }

  forResult(path) {
    const { player } = this;
    const { rec, schedule } = player;
    const n = path.length - 1;
    this.buttons = {
      first: this.button("first", "First step (Home)", () => player.go(0)),
      back: this.button("back", "Step back (←)", () => player.go(player.at - 1)),
      next: this.button("next", "Next step (→)", () => player.go(player.at + 1)),
      last: this.button("last", "Last step (End)", () => player.go(n)),
    };
    const label = `Step of schedule ${schedule}`;
    const oninput = (event) => player.go(+event.target.value);
    this.range = h("input", {
      type: "range",
      min: 0,
      max: n,
      step: 1,
      "data-f": "range",
      "aria-label": label,
      oninput,
    });
    this.letters = this.lettersOf(path);
    this.letters.append(this.range);
    this.count = span("count");
    const copying = (name, text, said, title) =>
      text && button(name, "btn", (event) => copyText(event.currentTarget, text), said, { title });
    const playable = rec.letters.length > 1 && !rec.crashes && !rec.code && rec.complete;
    const right = [
      copying("copy", schedule, "Copy", `Copy the schedule ${schedule}`),
      copying("test", player.testOf(), "Keep as a test", "Copy a pytest case for this schedule"),
      playable && button("mode", "btn strong", () => player.play(), "Your turn"),
    ];
    return [div("btns", Object.values(this.buttons)), this.letters, this.count, div("push", right)];
  }

  forGame(path) {
    const { player } = this;
    const { game } = player;
    const n = path.length - 1;
    const undo = [
      button("undo", "btn", () => game.back(), [glyph("back"), "Back"], { disabled: !n }),
      button("restart", "btn", () => game.restart(), "Restart", { disabled: !n }),
    ];
    const [letter, text] = game.message || [];
    const message = text && h("div", { cls: `msg lane-${letter}`, role: "status" }, text);
    const toResult = button("mode", "btn", () => player.watch(player.run), "Back to the result");
    const right = !player.options.game && div("push", toResult);
    return [div("btns", undo), this.lettersOf(path, n), message, right].filter(Boolean);
  }

  lettersOf(path, now) {
    const n = path.length - 1;
    const width = n > 24 ? `--w:${Math.max(7, Math.floor(480 / n))}px` : "";
    const cells = path.slice(1).map(({ step }, i) => {
      const cls = classes(step.by && `lane-${step.by}`, i + 1 === now && "now");
      return span(cls, step.dies ? "✕" : step.by || "r");
    });
    const style = `--steps:${n + 1};${width}${n > 40 ? ";font-size:0" : ""}`;
    return h(
      "div",
      { cls: "letters", style },
      h("span", { cls: classes("start", now === 0 && "now"), "aria-hidden": "true" }, "▸"),
      h("span", { cls: "cells", "aria-hidden": "true" }, cells),
    );
  }

  update(path) {
    const { at, run, rec } = this.player;
    const n = path.length - 1;
    for (const [name, off] of Object.entries({ first: !at, back: !at, next: at === n, last: at === n }))
      this.buttons[name].disabled = off;
    this.range.value = at;
    this.range.setAttribute("aria-valuetext", at ? `step ${at} of ${n}` : "before the first step");
    this.letters.firstChild.classList.toggle("now", !at);
    [...this.letters.querySelector(".cells").children].forEach((cell, i) => {
      cell.classList.toggle("now", i + 1 === at);
      cell.classList.toggle("later", i + 1 > at);
    });
    const fewest = run.out === "bad" && run.sw === rec.fewest ? ", the fewest" : "";
    const sw = rec.crashes ? "" : span("sw", ` · ${plural(run.sw, "switch", "switches")}${fewest}`);
    this.count.replaceChildren(...(at ? ["step ", h("b", {}, at), ` of ${n}`] : ["before the first step"]), sw);
  }

  button(name, label, go) {
    return button(name, "btn", go, glyph(name), { "aria-label": label, title: label });
  }
}

class Foot {
  constructor(player) {
    this.player = player;
    this.el = div("foot");
    this.open = false;
  }

  draw(path) {
    const { playing, rec, schedule } = this.player;
    const key = `${playing} ${schedule} ${this.open}`;
    if (key === this.key) return;
    this.key = key;
    const hint = (keys, does) =>
      keys &&
      span(
        "",
        keys.map((name) => [h("kbd", {}, name), " "]),
        does,
      );
    const several = rec.list.length > 1;
    const worst = rec.broken + rec.errors > 1;
    const keys = playing
      ? [hint(rec.letters, "step"), hint(["←"], "back"), hint(["Esc"], "restart")]
      : [
          hint(["←", "→"], "step"),
          hint(["Home", "End"], "first, last"),
          hint(several && ["↑", "↓"], "schedule"),
          hint(several && worst && ["B"], rec.broken ? "next broken one" : "next with an error"),
        ];
    const toggle = () => {
      this.open = !this.open;
      this.player.draw("plain");
    };
    const said = this.open ? "Hide the table" : "As a table";
    const parts = [
      span("keys", keys.filter(Boolean)),
      rec.speaks_for && span("for", `Run on ${rec.speaks_for}.`),
      button("plain", "astable", toggle, said, { "aria-expanded": String(this.open) }),
      div(this.open ? "plainbox" : "unseen", this.table(path)),
    ];
    this.el.replaceChildren(...parts.filter(Boolean));
  }

  table(path) {
    const { rec, schedule } = this.player;
    const rows = path.slice(1).map(({ step, answer }, i) => {
      const changes = rec.changes(path, i + 1).map((change) => textOf(inWords(rec, change)));
      const what = step.dies ? "is killed" : step.by ? oneLine(rec, step.sql) : rec.recover || "recovery";
      const label = answer?.[1] ? `${answer[1]} = ` : "";
      const came = rec.refusal(path, i + 1) || (answer ? label + answer[0] : "");
      return h(
        "tr",
        {},
        h("th", { scope: "row" }, i + 1),
        [step.by || "recovery", what, came, changes.join("; ")].map((text) => h("td", {}, text)),
      );
    });
    const head = ["step", "actor", "statement", "what came back", "rows changed"].map((text) =>
      h("th", { scope: "col" }, text),
    );
    return h(
      "table",
      { cls: "plain" },
      h("caption", {}, `Schedule ${schedule || "(no step yet)"}`),
      h("thead", {}, h("tr", {}, head)),
      h("tbody", {}, rows),
    );
  }
}

async function copyText(button, text) {
  button.dataset.label ??= button.textContent; // a second press finds the word that says it is done
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // no permission, or a page that is not secure
    const area = h("textarea", { style: "position:fixed;opacity:0" });
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  button.textContent = "Copied";
  setTimeout(() => {
    button.textContent = button.dataset.label;
  }, 1200);
}
