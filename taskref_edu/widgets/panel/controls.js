// The controls of a panel: the checklist, the buttons of an order and of the worker, the scenario and the SQL lens.
// The kernel says what can be done now, and why not (controls.py); a button that cannot act keeps its focus and shows
// the reason. The pictures learn of the selected order by an event on the panel's element.

const ONCE = ["toggle", "zombie", "run", "next", "start_over"];
const GONE = "this panel's kernel has ended or was restarted: run the cells again to make it live";
const TOGGLE = { start: "Start worker", pause: "Pause", resume: "Resume" };

class Controls {
  constructor(model, el) {
    this.model = model;
    this.el = el;
    this.fixed = model.get("fixed");
    this.buttons = {};
    this.page = `${Date.now().toString(36)}-${Math.random().toString(36).slice(2)}`;
    this.sent = 0; // messages
    this.typing = new Set(); // fields that somebody has not finished
    this.root = make("div", "taskref-controls");
    this.build();
    el.append(this.root);
    this.onState = () => this.draw();
    this.onLens = () => (this.lens.innerHTML = model.get("lens")); // escaped by the kernel: sql_lens.py
    model.on("change:state", this.onState);
    model.on("change:lens", this.onLens);
    this.onLink = () => requestAnimationFrame(() => this.draw()); // after JupyterLab has marked the widget
    model.on("comm_live_update", this.onLink);
    this.onSelect = ({ detail }) => this.select(detail.selected, detail.from);
    this.frame = requestAnimationFrame(() => this.joinPanel());
    this.onLens();
    this.draw();
  }

  close() {
    cancelAnimationFrame(this.frame);
    this.model.off("change:state", this.onState);
    this.model.off("change:lens", this.onLens);
    this.model.off("comm_live_update", this.onLink);
    this.panel?.removeEventListener("taskref-select", this.onSelect);
    this.panel?.removeEventListener("focusin", this.keepKeys);
  }

  joinPanel() {
    this.panel = this.el.closest(".taskref-panel");
    if (!this.panel) {
      this.frame = requestAnimationFrame(() => this.joinPanel());
      return;
    }
    this.panel.addEventListener("taskref-select", this.onSelect);
    // JupyterLab uses arrow keys and digits as shortcuts even if a field has the focus, unless the field's element opts
    // out.
    this.keepKeys = ({ target }) => {
      if (!target.matches("button")) target.dataset.lmSuppressShortcuts = "true";
    };
    this.panel.addEventListener("focusin", this.keepKeys);
    this.share();
  }

  // What the kernel has said; once it is gone, that nothing can be done.
  state() {
    const state = this.model.get("state");
    if (!this.el.closest(".jupyter-widgets-disconnected")) return state;
    const offers = Object.fromEntries(Object.keys(this.fixed.buttons).map((name) => [name, GONE]));
    return { ...state, text: GONE, ended: true, primary: "", offers };
  }

  send(content) {
    if (this.state().ended) return this.draw(); // nobody listens any more: show what was
    this.model.send({ ...content, sent: `${this.page} ${++this.sent}` });
  }

  // Building

  build() {
    const group = (name, ...parts) => make("div", "taskref-group", { role: "group", "aria-label": name }, make("strong", "", {}, name), ...parts);
    const line = (...parts) => make("div", "taskref-line", {}, ...parts);
    this.order = make("select", "taskref-which", { "aria-label": "Selected order", title: "The order that Pay and Cancel payment work on; a click on its row selects it, too" });
    this.order.addEventListener("change", () => this.select(Number(this.order.value)));
    this.pool = make("span", "taskref-pool");
    this.toggle = this.button("toggle");
    this.toggle.classList.add("taskref-toggle");
    this.more = this.fold("More", "Show or hide the rarer clicks, and the scenarios");
    this.sql = this.fold("SQL", "Show or hide the SQL of the latest click");
    this.sql.addEventListener("click", () => this.send({ set: { lens: this.isOpen(this.sql) } }));
    this.over = this.button("start_over");
    this.says = make("div", "taskref-status taskref-says", { role: "status", "aria-live": "polite" });
    this.lens = make("div", "taskref-lenses", { hidden: "" });
    this.folded = this.buildFold();
    this.checklist = this.buildChecklist();
    this.scenario = this.buildScenario();
    this.root.append(
      this.checklist,
      line(
        group("Order", this.button("new_order"), this.order, this.button("pay"), this.button("cancel")),
        group("Worker", this.pool, this.toggle, this.button("step"), this.button("stop")),
      ),
      line(this.says, make("div", "taskref-group taskref-rare", {}, this.more, this.sql, this.over)),
      this.folded, this.scenario, this.lens,
    );
  }

  buildFold() {
    const field = (label, input) => {
      input.setAttribute("aria-label", label); // else a list's choices are part of its name
      return make("label", "", {}, ...(input.type === "checkbox" ? [input, label] : [label, input]));
    };
    const number = (name, most, step) => {
      const least = name === "clicks" ? "2" : "0";
      const input = make("input", "", { type: "number", min: least, max: String(most), step: String(step) });
      input.addEventListener("input", () => this.typing.add(input));
      input.addEventListener("change", () => {
        this.typing.delete(input);
        if (input.value !== "") return this.send({ set: { [name]: Number(input.value) } }); // the kernel knows the bounds
        this.draw();
        this.refuse(`${name}: no number found; ${least} to ${most} expected`);
      });
      return input;
    };
    const list = (name, options) => {
      const select = make("select", "", {}, ...options.map((one) => make("option", "", { value: one }, one)));
      select.addEventListener("change", () => this.send({ set: { [name]: select.value } }));
      return select;
    };
    const group = (...parts) => make("div", "taskref-group", {}, ...parts);
    this.fields = {
      seconds: number("seconds", 60, 0.5), clicks: number("clicks", 20, 1), how: list("how", ["as written", "at its best"]),
      scenario: list("scenario", this.fixed.scenarios), two: make("input", "", { type: "checkbox" }),
    };
    const { seconds, clicks, how, scenario, two } = this.fields;
    two.addEventListener("change", () => this.send({ set: { workers: two.checked ? 2 : 1 } }));
    if (!this.fixed.paced) {
      seconds.disabled = true;
      seconds.title = "The queue has a handler of its own, which takes the time that it takes";
    }
    const fold = make("div", "taskref-fold", { hidden: "" },
      group(field("Scenario", scenario), this.button("run")),
      group(this.button("storm"), field("Clicks", clicks), field("Pay", how)),
      group(this.button("typo"), this.button("delete"), this.button("cancel_all"), this.button("prune")),
      group(this.button("crash"), this.button("zombie"), field("Two workers", two)),
      group(field("Seconds per task", seconds)));
    return fold;
  }

  buildChecklist() {
    this.steps = this.fixed.steps.map((text) => make("li", "", {}, text));
    this.stepsTitle = make("strong", "", {}, "Try this");
    const box = make("div", "taskref-checklist", {}, this.stepsTitle, make("ol", "taskref-steps", { "aria-label": "Steps" }, ...this.steps));
    box.hidden = !this.steps.length;
    return box;
  }

  buildScenario() {
    this.story = {
      title: make("strong"), place: make("span", "taskref-quiet"), say: make("p", "taskref-say taskref-sentence"),
      choices: make("div", "taskref-choices", { role: "group", "aria-label": "Your guess" }),
      answer: make("p", "taskref-answer", { "aria-live": "polite" }), rule: make("p", "taskref-rule"),
    };
    const { title, place, say, choices, answer, rule } = this.story;
    const head = make("header", "", {}, title, place, make("span", "taskref-spring"), this.button("play"), this.button("end"));
    return make("section", "taskref-scenario", { "aria-label": "Story", hidden: "" }, head, say, choices, answer, rule, this.button("next"));
  }

  button(name) {
    const [label, tip] = this.fixed.buttons[name] ?? ["", ""];
    const button = make("button", "taskref-button", { type: "button", title: tip }, label);
    // The second half of a double click must not undo the first one, or skip what it has shown.
    button.addEventListener("click", ({ detail }) => (detail > 1 && ONCE.includes(name)) || this.click(name, button));
    this.buttons[name] = button;
    return button;
  }

  fold(label, tip) {
    const button = make("button", "taskref-button", { type: "button", title: tip, "aria-expanded": "false" }, label);
    button.addEventListener("click", () => {
      const open = !this.isOpen(button);
      button.setAttribute("aria-expanded", String(open));
      (button === this.more ? this.folded : this.lens).hidden = !open;
    });
    return button;
  }

  isOpen(button) {
    return button.getAttribute("aria-expanded") === "true";
  }

  // Doing

  click(name, button) {
    const { offers, heard, ended, toggle } = this.state();
    const real = name === "toggle" ? toggle : name;
    // Until the kernel has answered the latest click, its state is out of date: let the kernel decide.
    if (offers[real] && (ended || this.sent === 0 || heard === `${this.page} ${this.sent}`)) return this.refuse(offers[real], real);
    if (name === "start_over" && !this.confirmed(button)) return;
    this.send({ click: real });
  }

  // A reason is shown until it no longer applies, or until another text replaces it.
  refuse(why, button = null) {
    this.refused = { why, button };
    write(this.says, why);
    this.says.classList.add("taskref-refused");
  }

  // Actions that cannot be undone need a second click.
  confirmed(button) {
    clearTimeout(this.confirming);
    const label = this.fixed.buttons.start_over[0];
    if (button.textContent !== label) {
      write(button, label);
      return true;
    }
    write(button, "Sure? Click again");
    this.confirming = setTimeout(() => write(button, label), 4000);
    return false;
  }

  select(id, from = null) {
    this.selected = id;
    this.send({ select: id });
    this.share(from);
  }

  share(from = null) {
    if (!this.panel) return;
    const { point, about } = this.state();
    this.panel.taskrefState = { selected: this.selected, point, about, focus: from };
    this.panel.dispatchEvent(new CustomEvent("taskref-state", { detail: this.panel.taskrefState }));
  }

  // Drawing

  draw() {
    const state = this.state();
    this.selected = state.selected;
    for (const [name, button] of Object.entries(this.buttons)) {
      const real = name === "toggle" ? state.toggle : name;
      const [label, tip] = this.fixed.buttons[real];
      if (name === "toggle") write(button, TOGGLE[real]);
      const why = state.offers[real] ?? "";
      setOrRemove(button, "aria-disabled", why ? "true" : null);
      setOrRemove(button, "title", why || tip);
      button.classList.toggle("taskref-primary", !why && state.primary === real);
    }
    const { why, button } = this.refused ?? {};
    if (!this.refused || state.text !== this.said || (button && state.offers[button] !== why)) {
      this.said = state.text;
      this.refused = null;
      write(this.says, state.text);
      this.says.classList.remove("taskref-refused");
    }
    write(this.pool, state.pool);
    this.drawOrders(state);
    const { seconds, clicks, how, two } = this.fields;
    for (const [field, value] of [[seconds, state.seconds], [clicks, state.clicks], [how, state.how]]) {
      if (!this.typing.has(field)) field.value = String(value);
    }
    two.checked = state.workers === 2;
    this.drawSteps(state.done);
    this.drawScenario(state.scenario);
    this.share();
  }

  drawOrders({ orders, selected }) {
    const key = JSON.stringify(orders);
    if (key !== this.offered) {
      this.offered = key;
      const options = orders.map(([id, label]) => make("option", "", { value: String(id) }, label));
      this.order.replaceChildren(...(options.length ? options : [make("option", "", { value: "" }, "no order yet")]));
    }
    this.order.value = selected === null ? "" : String(selected);
  }

  drawSteps(done) {
    const next = done.indexOf(false);
    this.steps.forEach((step, place) => {
      step.className = done[place] ? "taskref-done" : place === next ? "taskref-next" : "";
      setOrRemove(step, "aria-label", done[place] ? `done: ${step.textContent}` : null);
    });
    write(this.stepsTitle, this.steps.length && next < 0 ? "All done. More shows what goes wrong in real shops." : "Try this");
  }

  drawScenario(found) {
    const hadFocus = this.scenario.contains(document.activeElement);
    if (!found) {
      // A removed button would lose the focus.
      if (hadFocus) (this.folded.hidden ? this.more : this.buttons.run).focus();
      this.scenario.hidden = true;
      this.told = null;
      return;
    }
    const { title, place, say, choices, answer, rule } = this.story;
    this.scenario.hidden = false;
    write(title, `Scenario: ${found.name}`);
    write(place, found.waits ? `${found.place} · waits until ${found.waits}` : found.place);
    write(say, found.say);
    const key = JSON.stringify([found.place, found.choices]);
    if (key !== this.told) {
      this.told = key;
      const focused = choices.contains(document.activeElement);
      choices.replaceChildren(...found.choices.map((text, number) => this.choice(text, number)));
      choices.hidden = !found.choices.length;
      if (focused) this.buttons.next.focus();
    }
    [...choices.children].forEach((button, number) => {
      setOrRemove(button, "aria-disabled", found.asks ? null : "true");
      button.setAttribute("aria-pressed", String(found.guess === number));
      button.classList.toggle("taskref-right", found.right.includes(number));
      button.classList.toggle("taskref-wrong", found.right.length > 0 && found.guess === number && !found.right.includes(number));
    });
    choices.classList.toggle("taskref-told", !found.asks);
    write(answer, found.answer);
    answer.hidden = !found.answer;
    write(rule, found.rule);
    rule.hidden = !found.rule;
    write(this.buttons.next, found.next);
  }

  choice(text, number) {
    const button = make("button", "taskref-button", { type: "button" }, text);
    button.addEventListener("click", () => {
      if (button.getAttribute("aria-disabled") !== "true") this.send({ guess: number });
    });
    return button;
  }
}

export default {
  render({ model, el }) {
    const controls = new Controls(model, el);
    return () => controls.close();
  },
};
