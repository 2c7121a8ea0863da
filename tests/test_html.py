"""Whatever shows itself in a notebook shows text from outside as text: read by a parser, as a browser would."""

from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from sqlmodel import Session

from taskref_edu import Order, open_database, writing
from taskref_edu.exercises.markdown import Note
from taskref_edu.exercises.outcomes import Outcome, Verdict
from taskref_edu.exercises.scoreboard import Scoreboard, ScoreboardRow
from taskref_edu.lab import capture_sql, explore, measure
from taskref_edu.lab.charts import growth
from taskref_edu.lab.tables import Table

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'><svg onload=alert(1)>",
    "</pre></code><iframe src=x>",
    "`<b>` ```\n<script>\n```",
]


# The player's own: its data (in which no "<" is left), its still and its module.
OURS = re.compile(r'<script type="application/json">[^<]*</script>|<img alt="[^"<]*" style="[^"<]*" src="data:[^"<]*">'
                  r"|<script>\(\(\) => \{.*?\}\)\(\);\n</script>", re.DOTALL)  # fmt: skip


class Reader(HTMLParser):
    """Notes every tag and attribute that only the hostile texts have."""

    def __init__(self) -> None:
        super().__init__()
        self.strange: list[str] = []
        self.shown = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.strange += [tag] if tag in ("script", "img", "iframe") else []
        self.strange += [name for name, value in attrs if name.startswith("on") or "javascript:" in (value or "")]

    def handle_data(self, data: str) -> None:
        self.shown += data


def statements(hostile: str, engine: Engine) -> object:
    with capture_sql(engine) as captured, writing(engine) as session:
        session.add(Order(customer=hostile, amount=1))
        session.execute(text("SELECT :x AS y"), {"x": hostile})
    return captured


def cost(hostile: str, engine: Engine) -> object:
    literal = hostile.replace("'", "''").replace(":", "\\:")
    return measure(engine, lambda session: session.execute(text(f"SELECT '{literal}'")))


def explored(hostile: str, engine: Engine) -> object:
    def first(engine: Engine) -> None:
        with writing(engine) as session:
            session.add(Order(customer=hostile, amount=1))
        raise ValueError(hostile)

    def second(engine: Engine) -> None:
        with writing(engine) as session:
            session.execute(text("UPDATE orders SET status = :x"), {"x": hostile})

    first.__name__ = hostile

    def setup(engine: Engine) -> None:
        with writing(engine) as session:
            session.add(Order(id=7, customer=hostile, amount=1, status=hostile))

    def holds(session: Session, errors: object) -> list[str]:
        return [hostile]

    return explore([first, second], setup=setup, invariant=holds)


def outcome(hostile: str, engine: Engine) -> object:
    facts = [(hostile, hostile), (hostile, Table([{hostile: hostile}]))]
    return Outcome(hostile, hostile, Verdict.FAILED, hostile, hostile, facts, [hostile])


SHOWN: dict[str, Callable[[str, Engine], object]] = {
    "statements": statements,
    "cost": cost,
    "explored": explored,
    "outcome": outcome,
    "note": lambda hostile, engine: Note(hostile, hostile),
    "scoreboard": lambda hostile, engine: Scoreboard(
        [ScoreboardRow(hostile, hostile, True, Verdict.FAILED, False, 1, 1)], [hostile]
    ),
    "table": lambda hostile, engine: Table([{hostile: hostile}, {"n": 1}]),
    "chart": lambda hostile, engine: growth(hostile, x=hostile, series={hostile: {1: 1, 10: 2}}, alt=hostile),
}


@pytest.mark.parametrize("what", SHOWN)
def test_text_stays_text(what: str, tmp_path: Path) -> None:
    engine = open_database(tmp_path / "x.db")
    for hostile in HOSTILE:
        shown = SHOWN[what](hostile, engine)
        reader = Reader()
        html = shown._repr_html_()  # type: ignore[attr-defined]
        reader.feed(OURS.sub("", html) if what == "explored" else html)
        assert reader.strange == [], hostile
        assert what == "cost" or "alert" not in hostile or "alert(1)" in reader.shown, "it is shown, as text"
    engine.dispose()


def test_the_reader_itself_finds_them() -> None:
    for hostile in HOSTILE:
        reader = Reader()
        reader.feed(f"<p title=''>{hostile}</p>")
        assert reader.strange
