"""Each rule for authors is broken once, and found with its line."""

from __future__ import annotations

import json

import pytest

from taskref_edu.series.cell_rules import count_words
from taskref_edu.series.minutes import MEASURED, exact_minutes_of
from taskref_edu.series.rules import RULES, violations
from taskref_edu.series.source import read_source

from .conftest import Series

# what is replaced, by what, and what the rule must say; the line where it matters
SLIPS = [
    ("title: Two arrows\n", "", "1: the front matter has no title"),
    ("question: Which way?\n", "", "1: the front matter has no question"),
    ("question:", "minutes: 20\nquestion:", "1: the front matter has unknown keys: minutes"),
    ("question:", "colour: red\nquestion:", "1: the front matter has unknown keys: colour"),
    ("  1-follow: F", "  1-other: Something.\n  1-follow: F", "1: objective 1-other has no exercise"),
    ("  1-follow: F", "  1-other: F", "exercise 1.1 names the objective 1-follow: not listed"),
    ("{exercise} 1.1", "{exercise} 9.9", "exercise 9.9 is not in the catalog"),
    ("objectives:\n  1-follow: Find the order of a task.\n", "", "1: the front matter has no objectives"),
    ("```{recall} Who claims?\nThe worker.\n```\n", "", "1: 1 recall items found, 2 expected"),
    ("{recall} Who claims?", "{recall}", "20: a recall item needs its question"),
    ('guess("01-a", None)', "guess", "1: no guess found"),
    ('guess("01-a"', 'guess("02-a"', "an id of this notebook begins with 01-"),
    ('reveal("01-a", total)', "", "29: guess '01-a' is never revealed"),
    ('guess("01-a", None)', 'reveal("01-a", 1); guess("01-a", None)', "29: reveal '01-a' stands above its guess"),
    ("## Look", "# Look", "12: # Look: the build writes the only H1"),
    ("## Look", "### Look", "12: ### Look: level 3 follows level 1"),
    ("## Look", "Look", "an exercise is a heading of level 3: put a ## above it"),
    ("More prose.", "![](https://example.org/a.svg)", "14: figure https://example.org/a.svg: alt text '' found"),
    ("More prose.", "\n<img src='a.svg'>", "15: <img src='a.svg'>: no alt text"),
    ("More prose.", "They come in any order.", "14: 'in any order' found: say in any sequence"),
    ("More prose.", "![Two arrows that meet](../docs/a.svg)", "14: link ../docs/a.svg leads nowhere"),
    ("The caller.", "[here](02_missing.ipynb#part)", "17: link 02_missing.ipynb#part leads nowhere"),
    ("total = 1 + 1", "total = 1 + 1\n" + "x = 1\n" * 9, "a code cell of 11 lines found, 10 expected"),
    ("{recall} Who claims?", "{recall} Who calls `claim`?", "24: this code cell was read as prose"),
    ("total = 1 + 1", "total = 1 +", "syntax error"),
    ("print(total)", "assert total == 2", "an assert found: what a notebook claims is asserted in"),
    ("## What we left for later", "## The end", "the headings ## What we left for later and ## To take home"),
    ("## To take home", "## The end", "the headings ## What we left for later and ## To take home"),
    ('guess("01-a", None)', 'choices = [1, 2]\nguess("01-a", None, choices=choices)', "a guess stands with other code"),
    ('guess("01-a", None)', 'guess("01-b", None)', "guess '01-b' found, '01-a' expected: the letters follow the page"),
    ('guess("01-a", None)', 'guess("01-a")\nguess("01-b")', "guess '01-b' asks what '01-a' asks"),
    ("{explain} 01-a", "{explain} 01-b", "explain 01-b: no reveal('01-b', …) found above it"),
    ("Two is the sum.", "", "explain 01-a: no text found"),
    ("Two is the sum.", "word " * 81, "an explanation of 81 words found, 80 expected"),
    ("More prose.", "Every click looks whether it is free.", "14: 'looks whether' found: say check whether"),
    ("The caller.", "34 of 36 orders of events.", "17: 'orders of events' found: say interleaving or sequence"),
    ("Two is the sum.", "A bare call has nobody who compares.", "'nobody who compares' found: say checks nothing"),
    ("Two is the sum.", "The guard stands in the WHERE.", "found: say lives in the WHERE clause"),
    ("Two is the sum.", "How often is Ann charged?", "'How often is' found: say how many times"),
    ("Two is the sum.", "[a](nowhere.md)", "link nowhere.md leads nowhere"),
    ("print(total)", "print(total)\norder_of(1, 2)", "order_of is defined by an exercise"),
    ("print(total)", "print(total)\norder_of = 1", "order_of is defined by an exercise"),
    (
        "print(total)",
        "from sqlalchemy import select\nprint(total)",
        "select is sqlalchemy.select here and sqlmodel",
    ),
    ("```{code-cell}\nprint", "```{code-cell}\n:name: the sum\nprint", "two cells have the id the-sum"),
]


def test_the_small_series_breaks_no_rule(series: Series) -> None:
    assert violations([series.source]) == []


@pytest.mark.parametrize(("old", "new", "said"), SLIPS)
def test_a_slip_is_found(series: Series, old: str, new: str, said: str) -> None:
    series.change(old, new)
    found = [f"{problem.line}: {problem.text}" for problem in violations([series.source])]
    assert any(said in one for one in found), found


@pytest.mark.parametrize(("seconds", "said"), [(0, "10 minutes found"), (2_400, "50 minutes found")])
def test_a_notebook_takes_20_to_45_minutes__by_what_was_counted_and_measured(
    series: Series, seconds: int, said: str
) -> None:
    (series.source.parent / MEASURED).write_text(json.dumps({"01": {"seconds": seconds}}))
    (problem,) = violations([series.source])
    assert f"{said}, 20 to 45 expected" in str(problem)


def test_three_cells_may_be_long_and_no_fourth(series: Series) -> None:
    long = "word " * 61
    series.change("Some prose.", "\n\n+++\n\n".join([long] * 3))
    assert violations([series.source]) == []
    series.change("More prose.", long)
    found = violations([series.source])
    assert len(found) == 4
    assert "61 words found, 60 expected, and only 3 cells may be longer" in str(found[0])


def test_words_that_do_not_count() -> None:
    text = "Two words.\n\n| a | table |\n|---|---|\n\n```sql\nSELECT many words\n```\n<details>\n\nand – `x = 3`."
    assert count_words(text) == 4


def test_links_that_lead_somewhere(series: Series) -> None:
    (series.root / "docs").mkdir()
    (series.root / "docs" / "a.svg").touch()
    (series.root / "authoring" / "02_more.md").touch()
    links = "[a](../docs/a.svg) [b](02_more.ipynb) [c](https://example.org) [d](#look) `[e](nowhere)`\n"
    series.change("More prose.", links.replace("`[e](nowhere)`", "\n```\n[e](nowhere)\n```"))
    assert violations([series.source]) == []


def test_the_first_notebook_needs_no_exercise(series: Series) -> None:
    text = series.source.read_text().replace("01-a", "00-a")
    text = text.replace("objectives:\n  1-follow: Find the order of a task.\n", "")
    text = text.replace("```{exercise} 1.1\n```\n", "").replace("```{recall} Who claims?\nThe worker.\n```\n", "")
    first = series.root / "authoring" / "00_start_here.md"
    first.write_text(text)
    assert violations([first]) == []


def test_a_source_that_cannot_be_read_is_a_problem(series: Series) -> None:
    series.change("title: Two", "title: [Two")
    (problem,) = violations([series.source])
    assert "01_two_arrows.md" in str(problem)


def test_every_rule_says_what_it_is() -> None:
    assert all(rule.__doc__ for rule in RULES)


def test_each_game_and_each_checklist_counts_three_minutes(series: Series) -> None:
    before = _exact(series)
    code = series.source.read_text().split("```{code-cell}")[1].partition("```")[0]
    series.change(code, f"{code}break_the_shop()\nPanel(queue, steps=[])\n")
    assert _exact(series) == pytest.approx(before + 6 + 3 / 200)  # and three more words of code


def _exact(series: Series) -> float:
    return exact_minutes_of(read_source(series.source))
