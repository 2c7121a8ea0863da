"""Every benchmark runs, on a few tasks: that a figure is there, not that it is good.

Those that start processes or run for seconds are `nightly`: who changes a benchmark runs it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks import checks, compare, goals, peers, race, references, report
from benchmarks.rounds import Results, Spread, Table, interleave
from taskref_edu.exercises.exercise import catalog

SIZE = goals.QUICK


def test_throughput() -> None:
    found, rates = goals.throughput(SIZE)
    assert all(goal.found.middle > 0 for goal in found)
    assert [row[0] for row in rates.rows] == ["bare", "guarded", "ours"]


@pytest.mark.nightly
@pytest.mark.parametrize("part", goals.PARTS, ids=lambda part: part.__name__)
def test_each_goal(part: Callable[[goals.Size], list[goals.Goal]]) -> None:
    found = part(SIZE)
    assert found
    assert all(len(goal.row()) == 4 for goal in found)
    wrong = [goal for goal in found if "twice, lost" in goal.what]
    assert all(goal.found.middle == 0 for goal in wrong)


def test_a_goal_is_the_median_of_five_rounds_or_more() -> None:
    usual = goals.Size()
    assert min(usual.rounds, usual.fewer, usual.imports) >= 5


@pytest.mark.nightly
def test_also_measured() -> None:
    assert len(goals.also(SIZE).rows) == 6


@pytest.mark.nightly
def test_the_race_lab() -> None:
    (table,) = race.run(quick=True)
    assert [row[0] for row in table.rows][-2:] == [
        "three actors through Core: 80 schedules",
        "memory from 10 to 60 schedules",
    ]
    assert len(table.rows) == 13


@pytest.mark.nightly
def test_references_and_the_report(tmp_path: Path) -> None:
    tables, steps = references.run(quick=True)
    peers = {"one": {"enqueue": 0.5, "drain": 1.0}}
    report.write(report.Report(tables, {"references": steps, "peers": peers}), tmp_path)
    text = (tmp_path / "RESULTS.md").read_text(encoding="utf-8")
    assert text.count("## VM steps") == len(tables)
    assert "aria-label" in (tmp_path / "growth.svg").read_text(encoding="utf-8")
    again = Table(tables[0].title, ["", "now"], [["a", 1]])
    report.write(report.Report([report.machine(0.5), again]), tmp_path, keep=True)
    merged = (tmp_path / "RESULTS.md").read_text(encoding="utf-8")
    assert merged.count("## ") == text.count("## ")
    assert merged.count("Measured alone") == 1
    assert "|  | now |" in merged
    assert merged.splitlines()[:8] == text.splitlines()[:8]
    flat = {"classic, expression index", "inverted, as written", "inverted, partial index"}
    for act in ("duplicate check", "cancel"):
        growing = {name for name, at in steps[act].items() if references.exponent(at) > 0.05}
        assert growing == set(references.VARIANTS) - flat


@pytest.mark.nightly
def test_checks_and_a_class() -> None:
    found = catalog()
    times = [(found[id], checks.answers(found[id], 1)) for id in ("2.2", "3.4")]
    assert [row[1] for row in checks.each(times).rows] == ["", "yes"]
    learners, minutes = checks.graded(1, "02_*")
    assert (learners, minutes > 0) == (1, True)


def test_the_goals_of_the_checks_are_judged_by_the_slowest_answer() -> None:
    found = catalog()
    times = [(found["2.2"], {"right": 20.0, "wrong": 140.0}), (found["3.4"], {"right": 300.0, "wrong": 1600.0})]
    assert [row[3] for row in checks.goals(times, 16.0, 200, 24.0).rows] == ["yes", "no", "no", "yes"]


def test_the_machine_has_no_name() -> None:
    said = str(report.machine(0.5))
    assert "cores" in said
    assert "/" not in said.replace("SQLite", "")


@pytest.mark.skipif(not (peers.FOLDER / "complete").exists(), reason="the peers are not installed: make bench")
@pytest.mark.nightly
def test_peers() -> None:
    tables, chart = compare.run(quick=True)
    assert [table.title for table in tables] == ["Peers", "What the peers promise"]
    assert set(chart) == {compare.OURS, *compare.PEERS}


def test_the_order_turns_and_ratios_stay_within_a_round() -> None:
    order: list[str] = []

    def contestant(name: str) -> Callable[[Path], dict[str, float]]:
        return lambda folder: order.append(name) or {"rate": 2.0 if name == "a" else 4.0}

    found = interleave("title", {"a": contestant("a"), "b": contestant("b")}, 2)
    assert order == ["a", "b", "b", "a"]
    assert found.ratios("b", "a", "rate") == [2.0, 2.0]


def test_a_spread_is_the_median_and_the_quartiles() -> None:
    assert str(Spread.of([1.0, 2.0, 3.0, 4.0, 5.0])) == "3.00 (1.50–4.50)"
    assert str(Spread.of([1500.0])) == "1,500 (1,500–1,500)"
    assert Results().rounds == []


def test_a_table_is_the_same_on_the_terminal_and_in_markdown() -> None:
    table = Table("Title", ["", "x"], [["a", 1], ["b|c", 2]], "A note.")
    assert str(table) == "Title\n     x\na    1\nb|c  2\nA note."
    assert table.markdown() == "## Title\n\nA note.\n\n|  | x |\n| --- | --- |\n| a | 1 |\n| b\\|c | 2 |"
