"""All benchmarks, then RESULTS.md: `make bench`, or `python -m benchmarks [--quick] [--into FOLDER]`.

--quick takes seconds instead of a quarter of an hour, and tells only that everything runs. Without --into it
writes nothing. --browser adds the live panel in a real JupyterLab: five minutes, on a machine that does nothing else.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from . import checks, compare, goals, panel, race, references, report, scale


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few tasks each: does everything run?")
    parser.add_argument("--no-peers", action="store_true", help="install nothing, compare with no other queue")
    parser.add_argument("--browser", action="store_true", help="also the live panel, in a real JupyterLab")
    parser.add_argument("--into", type=Path, help="where RESULTS.md goes")
    chosen = parser.parse_args()
    load = report.load()
    tables = goals.run(chosen.quick)
    peer_tables, peers = ([], {}) if chosen.no_peers else compare.run(chosen.quick)
    race_tables = race.run(chosen.quick)
    reference_tables, steps = references.run(chosen.quick)
    tables = [report.machine(load), *tables, *peer_tables, *reference_tables, *race_tables, *checks.run(chosen.quick)]
    if chosen.browser:
        tables += panel.run(chosen.quick)
    tables += scale.run(chosen.quick)
    for table in tables:
        print(table, end="\n\n")
    into = chosen.into or (None if chosen.quick else report.FOLDER)
    if into:
        report.write(tables, steps, peers, into)
        print(f"written: {into / 'RESULTS.md'}")


if __name__ == "__main__":
    main()
