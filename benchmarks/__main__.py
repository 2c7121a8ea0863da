"""All benchmarks, then RESULTS.md: `make bench`, or `python -m benchmarks [--quick] [--only PART …] [--into FOLDER]`.

--quick takes seconds instead of an hour, and tells only that everything runs. Without --into it writes nothing.
--browser adds the live panel in a real JupyterLab, and the race player: for a machine that does nothing else.
--only measures some parts, and leaves the others in RESULTS.md as they are.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from . import checks, compare, goals, panel, player, race, references, report, scale

PARTS = {
    "goals": goals.run,
    "peers": compare.run,
    "references": references.run,
    "race": race.run,
    "checks": checks.run,
    "panel": panel.run,
    "player": player.run,
    "scale": scale.run,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few tasks each: does everything run?")
    parser.add_argument("--no-peers", action="store_true", help="install nothing, compare with no other queue")
    parser.add_argument("--browser", action="store_true", help="also the live panel, in a real JupyterLab")
    parser.add_argument("--only", nargs="+", choices=PARTS, metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--into", type=Path, help="where RESULTS.md goes")
    chosen = parser.parse_args()
    left_out = [
        part
        for part, out in (("peers", chosen.no_peers), *((name, not chosen.browser) for name in ("panel", "player")))
        if out
    ]
    results = measured(chosen.only or [part for part in PARTS if part not in left_out], chosen.quick)
    for table in results.tables:
        print(table, end="\n\n")
    into = chosen.into or (None if chosen.quick else report.FOLDER)
    if into:
        report.write(results, into, keep=bool(chosen.only))
        print(f"written: {into / 'RESULTS.md'}")


def measured(parts: list[str], quick: bool) -> report.Report:
    """The tables of these parts, after one that describes the machine, and what the charts show."""
    load, results = report.load(), report.Report()
    for part in parts:
        found = PARTS[part](quick)
        if isinstance(found, tuple):  # with figures for a chart
            found, results.charts[part] = found
        results.tables += found
    results.tables.insert(0, report.machine(load))
    return results


if __name__ == "__main__":
    main()
