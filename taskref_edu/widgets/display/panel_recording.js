// A run of a panel that was recorded (see `Panel.recording()`), played without a kernel: the same pictures, told by the
// recording instead of by messages.

// A model as a picture expects it, without a kernel behind it.
function deaf(look) {
  return { get: (name) => (name === "look" ? look : ""), on() {}, off() {}, send() {} };
}

export function play(element, { sides, seconds }) {
  const root = make("div", "taskref-panel taskref-recording", { role: "group", "aria-label": "A recorded run" });
  const button = make("button", "taskref-button taskref-primary", { type: "button" }, "Play");
  const slider = make("input", "", { type: "range", min: "0", max: String(seconds), step: "0.1", value: String(seconds), "aria-label": "Moment of the run" });
  const clock = make("output", "taskref-quiet");
  const pictures = make("div", "taskref-sides");
  root.append(make("div", "taskref-bar", {}, button, slider, clock), pictures);
  element.append(root);
  const players = sides.map(({ look, frames }) => {
    const place = make("div", "taskref-side");
    pictures.append(place);
    const picture = new Picture(deaf(look), place);
    picture.cut = true;
    return { picture, frames, shown: -1 };
  });
  let timer = null;
  let now = seconds;

  // A frame holds the changes since the one before, so going back starts from the first.
  const show = (moment) => {
    now = Math.min(seconds, Math.max(0, moment));
    for (const player of players) {
      let wanted = player.frames.findLastIndex(({ at }) => at <= now);
      if (wanted < 0) wanted = 0;
      const { picture, frames } = player;
      if (wanted < player.shown) player.shown = -1;
      while (player.shown < wanted) {
        const told = frames[++player.shown].told;
        if (player.shown === 0) picture.everything({ ...told, events: told.events ?? [] });
        else picture.patch({ ...told, number: player.shown });
      }
      picture.still = frames[0].told.now + (now - frames[0].at);
      picture.tick();
    }
    slider.value = String(now);
    write(clock, `${now.toFixed(1)} of ${seconds.toFixed(1)} s`);
  };
  const halt = () => {
    clearInterval(timer);
    timer = null;
    write(button, "Play");
  };
  button.addEventListener("click", () => {
    if (timer) return halt();
    if (now >= seconds) show(0);
    write(button, "Pause");
    let before = performance.now();
    timer = setInterval(() => {
      const at = performance.now();
      show(now + (at - before) / 1000);
      before = at;
      if (now >= seconds) halt();
    }, 100);
  });
  slider.addEventListener("input", () => {
    halt();
    show(Number(slider.value));
  });
  show(seconds);
  return { show, halt };
}
