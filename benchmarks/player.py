"""How quick the race player is on a page: its first paint, a step, a large map, ten players at once.

    python -m benchmarks.player [--quick]

Not covered: JupyterLab's own way of putting an output into the page; other browsers than Chromium.
"""

from __future__ import annotations

import sys
from typing import Any

from . import report
from .goals import Goal
from .rounds import Spread, Table

TITLE = "The race player in a page"
MEASURE = """([name, rounds]) => {
  const host = document.querySelector(name), text = host.querySelector("script").textContent, { player } = host;
  const timed = (act) => { const begin = performance.now(); act(); return performance.now() - begin; };
  const all = (count, act) => Array.from({ length: count }, (_, n) => timed(() => act(n)));
  const laidOut = () => document.body.getBoundingClientRect();
  const add = () => {
    const one = document.createElement(name);
    document.body.append(one);
    one.start(JSON.parse(text));
    laidOut();
    return one;
  };
  const step = (n) => { player.go(n % (player.length + 1)); laidOut(); };
  const first = all(rounds, () => add().remove()), steps = all(4 * rounds, step);
  const others = Array.from({ length: 9 }, add), among = all(4 * rounds, step);
  others.forEach((one) => one.remove());
  const runs = player.rec.list;
  const open = all(2 * rounds, (n) => { player.watch(runs[n % runs.length]); laidOut(); });
  return { first, steps, among, open };
}"""


def run(quick: bool = False) -> list[Table]:
    """The goals; or a table that says why there are no figures."""
    try:
        from tests.browser import lab, player_page
        from tests.lab.player.scenarios import recorded
    except ImportError as error:
        return [Table(TITLE, ["", ""], [["not measured", f"{error}: make test installs it"]])]
    found: dict[str, dict[str, list[float]]] = {}
    try:
        with lab.running_browser() as browser:
            for name in ("race", "crowd"):
                with lab.new_page(browser) as page:
                    player_page.show(page, player_page.element(recorded(name)))
                    found[name] = page.evaluate(MEASURE, [player_page.NAME, 2 if quick else 25])
    except lab.CannotStart as reason:
        return [Table(TITLE, ["", ""], [["not measured", str(reason)]])]
    return [_table(found, len(recorded("crowd").runs))]


def _table(found: dict[str, Any], many: int) -> Table:
    race, crowd = found["race"], found["crowd"]
    goals = [
        ("a race of 36 schedules: first paint", race["first"], 100),
        ("the same: a step", race["steps"], 16),
        ("the same: a step, with ten players on the page", race["among"], 16),
        (f"{many} schedules, four tables: first paint", crowd["first"], 100),
        (f"{many} schedules: another one is opened", crowd["open"], 50),
    ]
    rows = [Goal(what, Spread.of(times), aim, at_least=False, unit="ms").row() for what, times, aim in goals]
    note = "From its data to a finished layout, in Chromium without a graphics card; median, quartiles in brackets."
    return Table(TITLE, ["what", "found", "aim", "reached"], rows, note)


if __name__ == "__main__":
    print(report.machine(report.load()), *run("--quick" in sys.argv), sep="\n\n")
