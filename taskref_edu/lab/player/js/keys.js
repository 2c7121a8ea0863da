// The keyboard. While the learner plays, an actor's letter steps that actor; otherwise B (or N) opens the next schedule
// that breaks.

function pressed(player, event) {
  if (event.altKey || event.ctrlKey || event.metaKey) return;
  const act = player.playing ? playingKey(player, event.key) : watchingKey(player, event.key);
  if (!act) return;
  event.preventDefault();
  event.stopPropagation();
  act();
}

function playingKey({ rec, game }, key) {
  const letter = key.length === 1 && key.toUpperCase();
  if (letter && rec.letters.includes(letter)) return () => game.step(letter);
  if (key === "ArrowLeft" || key === "Backspace") return () => game.back();
  if (key === "Escape" || key === "Home") return () => game.restart();
  return null;
}

function watchingKey(player, key) {
  const { rec, run, at, length } = player;
  const place = rec.list.indexOf(run);
  const open = (runs, i) => () => player.watch(runs[(i + runs.length) % runs.length]);
  const worst = rec.list.filter((other) => other.out === (rec.broken ? "bad" : "err"));
  const acts = {
    ArrowRight: () => player.go(at + 1),
    ArrowLeft: () => player.go(at - 1),
    Home: () => player.go(0),
    End: () => player.go(length),
    ArrowDown: open(rec.list, place + 1),
    ArrowUp: open(rec.list, place - 1),
    B: worst.length && open(worst, worst.indexOf(run) + 1),
    S: () => player.toggleFull(),
  };
  acts.N = acts.B;
  return acts[key.length === 1 ? key.toUpperCase() : key] || null;
}
