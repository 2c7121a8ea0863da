"""What a learner sees: short, escaped, legible in both themes, and never by colour alone."""

from __future__ import annotations

import re
from itertools import product

import pytest

from taskref_edu.exercises.error_texts import KNOWN
from taskref_edu.exercises.markdown import Note, html_of, text_of
from taskref_edu.exercises.outcomes import BADGES, Outcome, Verdict

from .conftest import outcome_of

PLACES = ("title", "message", "next_step", "fact", "note")
HOSTILE = '<script>alert(1)</script> & "quotes" `<b>`'


def luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("verdict", Verdict)
def test_every_badge_is_legible_and_has_word_and_shape(verdict: Verdict) -> None:
    shape, colour, background = BADGES[verdict]
    assert contrast(colour, background) >= 4.5
    html = Outcome("1.1", "Title", verdict, "What.", "Do.")._repr_html_()
    assert f"{shape} {verdict}" in html
    assert 'role="status"' in html


def test_no_two_outcomes_look_alike() -> None:
    assert len({shape for shape, _, _ in BADGES.values()}) == len({str(verdict) for verdict in Verdict}) == 4


def test_no_other_colour_is_set() -> None:
    """Text outside the badge takes the theme's colour, so that it reads in the dark."""
    html = Outcome("1.1", "Title", Verdict.FAILED, "What `code`.", "Do.", [("More", "x")], ["Note."])._repr_html_()
    assert len(re.findall(r"(?<![-a-z])color:", html)) == 1


@pytest.mark.parametrize(("place", "verdict"), [*product(PLACES, Verdict)])
def test_everything_is_escaped(place: str, verdict: Verdict) -> None:
    title, message, next_step = (HOSTILE if place == name else "x" for name in PLACES[:3])
    facts = [(HOSTILE, HOSTILE)] if place == "fact" else []
    notes = [HOSTILE] if place == "note" else []
    html = Outcome("1.1", title, verdict, message, next_step, facts, notes)._repr_html_()
    assert "<script>" not in html
    assert "<b>`" not in html


def test_what_learners_write_reaches_the_html_escaped() -> None:
    for code in (f"def double(n):\n    return {HOSTILE!r}", f"def double(n):\n    raise ValueError({HOSTILE!r})"):
        assert "<script>" not in outcome_of(code)._repr_html_()


def test_three_lines_before_the_details() -> None:
    outcome = outcome_of("def double(n):\n    raise ValueError('one\\ntwo\\nthree')", "x = 1")
    before = outcome._repr_html_().partition("<details>")[0]
    assert before.count("<div style") == 3


def test_details_draw_themselves_where_they_can() -> None:
    class Table:
        def _repr_html_(self) -> str:
            return "<table></table>"

    assert "<table></table>" in Outcome("1", "", Verdict.FAILED, "", "", [("More", Table())])._repr_html_()


def test_markdown() -> None:
    assert html_of("One `a < b` two.") == "One <code>a &lt; b</code> two."
    assert html_of("Is it *yours*, **now**?") == "Is it <em>yours</em>, <b>now</b>?"
    assert (
        html_of("SELECT * FROM x, count(*) or count(*), 2 * 3 * 4")
        == "SELECT * FROM x, count(*) or count(*), 2 * 3 * 4"
    )
    html = html_of("First.\n\n```python\nx = '<'\n```\n\nLast.")
    bare = re.sub(r' (?:style|onclick)="[^"]*"', "", html)
    code = "<pre>x <span>=</span> <span>'&lt;'</span></pre>"
    assert bare == f'<p>First.</p><div><button type="button">Copy</button>{code}</div><p>Last.</p>'
    assert text_of("a\n```python\nx\ny\n```\nb") == "a\n    x\n    y\nb"


def test_a_note_shows_itself() -> None:
    note = Note("Hint <1>", "Look.")
    assert str(note) == repr(note) == "Hint <1>\nLook."
    assert "<b>Hint &lt;1&gt;</b>" in note._repr_html_()


# Errors of databases, each made by what learners really write

MADE = {
    "database is locked": """
import sqlite3, tempfile, os
def double(n):
    path = os.path.join(tempfile.mkdtemp(), "x.db")
    one = sqlite3.connect(path, timeout=0); two = sqlite3.connect(path, timeout=0)
    one.execute("CREATE TABLE t (x)"); one.execute("BEGIN IMMEDIATE")
    try:
        two.execute("BEGIN IMMEDIATE")
    finally:
        one.close(); two.close()
""",
    "created in a thread": """
import sqlite3, threading
def double(n):
    connection = sqlite3.connect(":memory:")
    caught = []
    def use():
        try:
            connection.execute("SELECT 1")
        except Exception as error:
            caught.append(error)
    thread = threading.Thread(target=use); thread.start(); thread.join()
    connection.close()
    raise caught[0]
""",
    "no such table": """
from sqlalchemy import text
from taskref_edu import open_database, reading
def double(n):
    engine = open_database()
    try:
        with reading(engine) as session:
            session.execute(text("SELECT * FROM order_"))
    finally:
        engine.dispose()
""",
    "DetachedInstanceError": """
from sqlmodel import Session
from taskref_edu import Order, open_database
def double(n):
    engine = open_database()
    try:
        with Session(engine) as session:
            order = Order(customer="a", amount=1)
            session.add(order)
            session.commit()
        return order.customer
    finally:
        engine.dispose()
""",
    "UNIQUE constraint failed": """
from taskref_edu import Order, open_database, writing
def double(n):
    engine = open_database()
    try:
        with writing(engine) as session:
            session.add_all([Order(id=1, customer="a", amount=1), Order(id=1, customer="a", amount=1)])
    finally:
        engine.dispose()
""",
    "FOREIGN KEY": """
from taskref_edu import Order, open_database, writing
def double(n):
    engine = open_database()
    try:
        with writing(engine) as session:
            session.add(Order(customer="a", amount=1, processing_task_id=9))
    finally:
        engine.dispose()
""",
}


@pytest.mark.parametrize("name", MADE)
@pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")
def test_errors_of_databases_are_translated(name: str) -> None:
    outcome = outcome_of(MADE[name])
    remedies = [f"{meaning[0].upper()}{meaning[1:]}." for pattern, meaning in KNOWN if name.split()[0] in pattern]
    assert outcome.verdict == Verdict.ERROR
    assert outcome.next_step in remedies, outcome
    assert "sqlalche.me" not in str(outcome)
