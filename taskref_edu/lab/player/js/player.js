// The player: one recording, the schedule that is open, and the step at which one stands.

class Player {
  constructor(host, data) {
    this.host = host;
    this.rec = new Recording(data);
    this.options = data.options || {};
    this.game = new Game(this);
    this.playing = !!this.options.game;
    this.run = (this.options.schedule && this.rec.run(this.options.schedule)) || this.rec.first();
    this.full = false;
    this.helps = false; // folded: a notebook may ask for the repair below
    // Where one schedule has a sentence, its line is kept for all, so that nothing jumps.
    this.hasWhy = Object.values(this.rec.words.why).some(([reason]) => reason);
    this.root = host.attachShadow({ mode: "open" });
    this.root.adoptedStyleSheets = [sheet()];
    this.parts = { map: new ScheduleMap(this), bar: new Bar(this), foot: new Foot(this) };
    this.lanes = new Lanes(this);
    this.side = new Side(this);
    this.head = h("header", { cls: "top" });
    this.stage = div(`stage${this.rec.code ? " coded" : ""}`);
    this.live = h("div", { cls: "unseen", role: "status", "aria-live": "polite" });
    const { map, bar, foot } = this.parts;
    this.el = h(
      "section",
      { cls: "rp", tabindex: 0, "data-f": "player", "aria-label": this.label() },
      div("in", this.head, map.el, bar.el, this.stage, foot.el),
      this.live,
    );
    this.root.append(this.el);
    this.el.addEventListener("keydown", (event) => pressed(this, event));
    this.el.addEventListener("click", (event) => this.clicked(event));
    this.at = this.options.at ?? this.length;
    this.theme(matchMedia("(prefers-color-scheme: dark)").matches); // before anything is laid out
    this.draw();
  }

  label() {
    const names = Object.entries(this.rec.actors).map(([letter, name]) => `${letter} ${name}`);
    return `Race player: ${names.join(", ")}`;
  }
  get schedule() {
    return this.playing ? this.game.path : this.run?.s || "";
  }
  get path() {
    return this.rec.path(this.schedule);
  }
  get length() {
    return this.path.length - 1;
  }
  get ended() {
    return this.rec.run(this.schedule);
  }
  get why() {
    return this.rec.words.why[this.schedule] || ["", [], -1];
  }
  nameOf(letter) {
    return this.options.names?.[letter] || this.rec.actors[letter];
  }

  // The page may take the element away and put it back: it listens to the page only while it is there.
  attach() {
    const dark = matchMedia("(prefers-color-scheme: dark)");
    const theme = () => this.theme(dark.matches);
    const followed = new MutationObserver(theme);
    const attributeFilter = ["data-jp-theme-light", "data-theme", "data-vscode-theme-kind", "class"];
    for (const el of [document.body, document.documentElement])
      followed.observe(el, { attributes: true, attributeFilter });
    const sized = new ResizeObserver(() => this.side.resized());
    sized.observe(this.side.rows);
    dark.addEventListener("change", theme);
    theme();
    // JupyterLab: A and B insert cells elsewhere. Its shortcuts with Control or Command stay.
    const keys = (event) => this.host.toggleAttribute("data-lm-suppress-shortcuts", !event.ctrlKey && !event.metaKey);
    window.addEventListener("keydown", keys, true);
    PLAYERS.add(this);
    this.detach = () => {
      PLAYERS.delete(this);
      window.removeEventListener("keydown", keys, true);
      followed.disconnect();
      sized.disconnect();
      dark.removeEventListener("change", theme);
    };
  }

  theme(prefersDark) {
    const { body, documentElement: html } = document;
    const kind = body.dataset.vscodeThemeKind || html.dataset.theme || "";
    const light =
      body.dataset.jpThemeLight ??
      (/light/.test(kind) ? "true" : /dark|high-contrast$/.test(kind) ? "false" : String(!prefersDark));
    this.el.dataset.theme = this.options.theme || (light === "true" ? "light" : "dark");
  }

  draw(focus) {
    const path = this.path;
    const active = focus || this.root.activeElement?.dataset.f;
    if (this.playing) this.at = path.length - 1;
    renew(this.head, this.playing ? this.game.headline() : this.headline());
    for (const part of [this.parts.map, this.parts.bar, this.parts.foot, this.side, this.lanes]) part.draw(path);
    renew(this.stage, [this.rec.code && codePane(this, path), this.lanes.el, this.side.el]);
    const verdictNow = this.playing && this.game.ended ? [" ", this.head.firstChild] : [];
    this.live.textContent = textOf([this.at ? `Step ${this.at}. ` : "", this.side.said, verdictNow]);
    this.focusOn(active);
    this.side.arrows();
  }

  headline() {
    const [out, text] = verdict(this.rec);
    const [reason] = this.why;
    const loud = (note) => /^(STOPPED|NOT COMPLETE)/.test(note) && "loud";
    const notes = (this.rec.notes || []).map((note) => span(classes("fact", loud(note)), note));
    const line = reason || this.hasWhy ? h("p", {}, reason ? sentence(reason) : NBSP) : "";
    return [title(out, text), div("why", line, this.remedy(), notes.length > 0 && div("facts", notes))];
  }

  remedy() {
    const remedy = this.rec.words.remedies[this.why[2]];
    if (this.rec.code || !remedy) return "";
    const ontoggle = (event) => (this.helps = event.target.open);
    return h(
      "details",
      { cls: "helps", open: this.helps, ontoggle },
      h("summary", { "data-f": "helps" }, "What would have helped?"),
      h("p", {}, remedy),
    );
  }

  focusOn(name) {
    if (!name) return;
    const el = this.root.querySelector(`[data-f="${name}"]:not(:disabled)`) || this.el;
    if (el !== this.root.activeElement) el.focus({ preventScroll: true });
  }

  // What a person does
  go(step) {
    this.at = Math.max(0, Math.min(this.length, step));
    this.draw();
  }
  watch(run) {
    if (!run) return;
    this.playing = false;
    this.run = run;
    this.at = this.length;
    this.draw();
  }
  play() {
    this.playing = true;
    this.game.restart();
  }
  toggleFull() {
    this.full = !this.full;
    this.draw();
  }
  clicked(event) {
    const el = event.target.closest?.("[data-step], [data-i], [data-s]");
    if (el?.dataset.step) this.go(+el.dataset.step);
    else if (el?.dataset.i && !this.playing) this.go(+el.dataset.i);
    else if (el?.dataset.s) this.watch(this.rec.run(el.dataset.s));
  }
  // A link whose kernel was restarted throws; what is on the page goes on without it.
  tell(message) {
    try {
      LINKS.get(this.options.link)?.send({ game: this.options.number, ...message });
    } catch {
      LINKS.delete(this.options.link);
      this.draw();
    }
  }
  heard({ after, more, error }) {
    if (error) this.game.message = [this.rec.letters[0], error];
    else if (more && this.rec.path(after).at(-1).state.more) graft(this.rec, more, after);
    this.draw();
  }

  testOf() {
    const { rec, run } = this;
    const first = rec.words.first;
    if (!rec.test || rec.test.startsWith("#")) return "";
    if (rec.crashes || run.s === first) return rec.test;
    return rec.test.replaceAll(first, run.s).replace(/# found: .*/, `# found: ${JSON.stringify(outcome(run))}`);
  }
}

let shared;
function sheet() {
  shared ??= new CSSStyleSheet();
  if (!shared.cssRules.length) shared.replaceSync(CSS_TEXT);
  return shared;
}

class PlayerElement extends HTMLElement {
  connectedCallback() {
    if (this.player) return this.player.attach();
    const data = this.querySelector("script[type='application/json']");
    if (data) this.start(JSON.parse(data.textContent));
    else if (document.readyState === "loading")
      document.addEventListener("DOMContentLoaded", () => this.connectedCallback(), { once: true });
  }
  start(data) {
    this.player = new Player(this, data);
    this.player.attach();
  }
  disconnectedCallback() {
    this.player?.detach();
  }
}

if (!customElements.get(ELEMENT)) customElements.define(ELEMENT, PlayerElement);
