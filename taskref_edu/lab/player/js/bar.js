// The bar: buttons, the schedule as the scrubber, and what can be copied. Below everything, the keys and the table.

const GLYPH = { first: "M2 2h2v10H2zM12 2v10L5 7z", back: "M10.5 2v10L3.5 7z", next: "M3.5 2v10l7-5z", last: "M10 2h2v10h-2zM2 2v10l7-5z" };
const glyph = (name) => h("svg", { viewBox: "0 0 14 14", "aria-hidden": "true" }, h("path", { d: GLYPH[name] }));

class Bar {
  constructor(player) { this.player = player; this.el = h("div", { cls: "bar" }); }

  // The bar is rebuilt only for another schedule, so that drawing does not end a drag of the scrubber.
  draw(path) {
    const { playing, schedule, game } = this.player, key = `${playing} ${schedule} ${playing && game.message}`;
    if (key !== this.key) this.el.replaceChildren(...(playing ? this.forGame(path) : this.forResult(path)));
    this.key = key;
    if (!playing) this.update(path);
  }

  forResult(path) {
    const { player } = this, { rec } = player, n = path.length - 1;
    this.buttons = Object.fromEntries(["first", "back", "next", "last"].map((name) => [name, this.button(name, { first: "First step (Home)", back: "Step back (←)", next: "Next step (→)", last: "Last step (End)" }[name], () => player.go({ first: 0, back: player.at - 1, next: player.at + 1, last: n }[name]))]));
    this.range = h("input", { type: "range", min: 0, max: n, step: 1, "data-f": "range", "aria-label": `Step of schedule ${player.schedule}`, oninput: (e) => player.go(+e.target.value) });
    this.letters = this.lettersOf(path);
    this.letters.append(this.range);
    this.count = h("span", { cls: "count" });
    const copy = h("button", { cls: "btn", "data-f": "copy", title: `Copy the schedule ${player.schedule}`, onclick: (e) => copyText(e.currentTarget, player.schedule) }, "Copy");
    const test = player.testOf() && h("button", { cls: "btn", "data-f": "test", title: "Copy a pytest case for this schedule", onclick: (e) => copyText(e.currentTarget, player.testOf()) }, "Keep as a test");
    const play = rec.letters.length > 1 && !rec.crashes && !rec.code && rec.complete && h("button", { cls: "btn strong", "data-f": "mode", onclick: () => player.play() }, "Your turn");
    return [h("div", { cls: "btns" }, Object.values(this.buttons)), this.letters, this.count, h("div", { cls: "push" }, copy, test, play)];
  }

  forGame(path) {
    const { player } = this, { game } = player, n = path.length - 1;
    const message = game.message && h("div", { cls: `msg lane-${game.message[0]}`, role: "status" }, game.message[1]);
    const undo = [h("button", { cls: "btn", "data-f": "undo", disabled: !n, onclick: () => game.back() }, glyph("back"), "Back"), h("button", { cls: "btn", "data-f": "restart", disabled: !n, onclick: () => game.restart() }, "Restart")];
    const back = !player.options.game && h("div", { cls: "push" }, h("button", { cls: "btn", "data-f": "mode", onclick: () => player.watch(player.run) }, "Back to the result"));
    return [h("div", { cls: "btns" }, undo), this.lettersOf(path, n), message, back].filter(Boolean);
  }

  lettersOf(path, now) {
    const n = path.length - 1, w = n > 24 ? `--w:${Math.max(7, Math.floor(480 / n))}px${n > 40 ? ";font-size:0" : ""}` : "";
    const cells = path.slice(1).map(({ step }, i) => h("span", { cls: `${step.by ? `lane-${step.by}` : ""}${i + 1 === now ? " now" : ""}` }, step.dies ? "✕" : step.by || "r"));
    return h("div", { cls: "letters", style: w }, h("span", { cls: `start${now === 0 ? " now" : ""}`, "aria-hidden": "true" }, "▸"), h("span", { cls: "cells", "aria-hidden": "true" }, cells));
  }

  update(path) {
    const { at, run, rec } = this.player, n = path.length - 1;
    for (const [name, off] of Object.entries({ first: !at, back: !at, next: at === n, last: at === n })) this.buttons[name].disabled = off;
    this.range.value = at;
    this.range.setAttribute("aria-valuetext", at ? `step ${at} of ${n}` : "before the first step");
    this.letters.firstChild.classList.toggle("now", !at);
    [...this.letters.querySelector(".cells").children].forEach((cell, i) => {
      cell.classList.toggle("now", i + 1 === at);
      cell.classList.toggle("later", i + 1 > at);
    });
    const fewest = run.out === "bad" && run.sw === rec.fewest ? ", the fewest" : "";
    const sw = rec.crashes ? "" : h("span", { cls: "sw" }, ` · ${plural(run.sw, "switch", "switches")}${fewest}`);
    this.count.replaceChildren(...(at ? ["step ", h("b", {}, at), ` of ${n}`] : ["before the first step"]), sw);
  }

  button(name, label, go) { return h("button", { cls: "btn", "data-f": name, "aria-label": label, title: label, onclick: go }, glyph(name)); }
}

class Foot {
  constructor(player) { this.player = player; this.el = h("div", { cls: "foot" }); this.open = false; }

  draw(path) {
    const { playing, rec, schedule } = this.player, key = `${playing} ${schedule} ${this.open}`;
    if (key === this.key) return;
    this.key = key;
    const k = (keys, does) => h("span", {}, keys.map((name) => [h("kbd", {}, name), " "]), does);
    const more = rec.list.length > 1 ? [k(["↑", "↓"], "schedule"), rec.broken + rec.errors > 1 && k(["B"], rec.broken ? "next broken one" : "next with an error")] : [];
    const keys = playing ? [k(rec.letters, "step"), k(["←"], "back"), k(["Esc"], "restart")] : [k(["←", "→"], "step"), k(["Home", "End"], "first, last"), ...more];
    const toggle = h("button", { cls: "astable", "data-f": "plain", "aria-expanded": this.open ? "true" : "false", onclick: () => { this.open = !this.open; this.player.draw("plain"); } }, this.open ? "Hide the table" : "As a table");
    this.el.replaceChildren(...[h("span", { cls: "keys" }, keys.filter(Boolean)), rec.speaks_for && h("span", { cls: "for" }, `Run on ${rec.speaks_for}.`), toggle, h("div", { cls: this.open ? "plainbox" : "unseen" }, this.table(path))].filter(Boolean));
  }

  table(path) {
    const { rec, schedule } = this.player;
    const rows = path.slice(1).map(({ step, answer }, i) => {
      const changes = rec.changes(path, i + 1).map((c) => textOf(inWords(rec, c))).join("; ");
      const what = step.dies ? "is killed" : step.by ? oneLine(rec, step.sql) : rec.recover || "recovery";
      const came = rec.refusal(path, i + 1) || (answer ? `${answer[1] ? `${answer[1]} = ` : ""}${answer[0]}` : "");
      return h("tr", {}, h("th", { scope: "row" }, i + 1), [step.by || "recovery", what, came, changes].map((text) => h("td", {}, text)));
    });
    const head = ["step", "actor", "statement", "what came back", "rows changed"].map((text) => h("th", { scope: "col" }, text));
    return h("table", { cls: "plain" }, h("caption", {}, `Schedule ${schedule || "(no step yet)"}`), h("thead", {}, h("tr", {}, head)), h("tbody", {}, rows));
  }
}

async function copyText(button, text) {
  const was = button.textContent;
  try {
    await navigator.clipboard.writeText(text);
  } catch { // no permission, or a page that is not secure
    const area = h("textarea", { style: "position:fixed;opacity:0" });
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  button.textContent = "Copied";
  setTimeout(() => { button.textContent = was; }, 1200);
}
