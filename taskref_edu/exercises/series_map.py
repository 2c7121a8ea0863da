"""A learner's progress as a picture: every notebook with its exercises and predictions, and the document's claims.

The bar of a claim fills as the learner works through the notebooks that test it; notebook 11, the verdict, fills the
rest. Shapes and words repeat what the colours show. Not covered: the table of checks and hints (`scoreboard.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Literal

from .outline import NotebookOutline, notebooks, position
from .scoreboard import Scoreboard, ScoreboardRow

State = Literal["right", "missed", "open"]
# The claims of the document's conclusion, and the notebooks whose experiments bear on them before the verdict.
CLAIMS = (
    ("1 the database enforces the relationship", ("02",)),
    ("2 simpler worker functions", ("01",)),
    ("3 easier tracking of processing state", ("05", "06")),
    ("4 natural prevention of duplicates", ("03", "04", "09")),
    ("5 the worker sees the object as it is now", ("02", "07")),
    ("A classic is simpler at first", ("01",)),
    ("B aligned with database design", ("02", "07")),
    ("C less code and fewer edge cases", ("02", "04")),
)
VERDICT = "11"
SEEN = "The document's claims, and how much of the evidence you have seen"
SHAPES: Mapping[State, str] = {"right": "✔", "missed": "≠", "open": "·"}
FULL, HALF, EMPTY = "#166534", "#b45309", "#78716c"  # white text has a contrast of at least 4.5 : 1 on each
COLOURS: Mapping[State, str] = {"right": FULL, "missed": HALF, "open": EMPTY}
WORDS: Mapping[State, str] = {"right": "predicted right", "missed": "predicted otherwise", "open": "open"}
LEGEND = "✔ passed or predicted right, ≠ predicted otherwise, outlined: open; ★ core: do these if time is short"
CELL = "padding:3px 10px 3px 0;text-align:left;vertical-align:top"


@dataclass(frozen=True)
class Stop:
    """One notebook of the map: its exercises, in their sequence, and its predictions by id."""

    outline: NotebookOutline
    exercises: Sequence[ScoreboardRow]
    guesses: Mapping[str, State]

    @property
    def share(self) -> float:
        """The part of it that is done: exercises passed and predictions revealed, of all."""
        done = [row.passed for row in self.exercises] + [state != "open" for state in self.guesses.values()]
        return sum(done) / len(done) if done else 0.0


@dataclass(frozen=True)
class SeriesMap:
    """The whole series; `board` is the table of the exercises."""

    board: Scoreboard
    stops: Sequence[Stop]

    @property
    def summary(self) -> str:
        """One line: exercises and predictions."""
        states = [state for stop in self.stops for state in stop.guesses.values()]
        made = [state for state in states if state != "open"]
        right = sum(state == "right" for state in made)
        return f"{self.board.summary}; {len(made)} of {len(states)} predictions compared, {right} of them right"

    def claims(self) -> Iterator[tuple[str, float]]:
        """Each claim, and the part of its notebooks that is done."""
        shares = {stop.outline.number: stop.share for stop in self.stops}
        for claim, evidence in CLAIMS:
            places = (*evidence, VERDICT)
            yield claim, sum(shares.get(number, 0.0) for number in places) / len(places)

    def __str__(self) -> str:
        filled = [f"  {bar_text(share)} {claim}" for claim, share in self.claims()]
        return "\n".join([str(self.board), self.summary, f"{SEEN}:", *filled])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        rows = "".join(map(_row, self.stops))
        heads = "".join(f'<th scope="col" style="{CELL}">{head}</th>' for head in HEADS)
        claims = "".join(
            f'<tr><td style="{CELL}">{escape(claim)}</td><td style="{CELL}">{_bar(share)}</td></tr>'
            for claim, share in self.claims()
        )
        notes = "".join(f"<p>{escape(note)}</p>" for note in self.board.notes)
        return (
            f'<div style="line-height:1.6"><b>{escape(self.summary)}</b><div>{LEGEND}</div>{notes}'
            f"<table><tr>{heads}</tr>{rows}</table>"
            f"<b>{SEEN}</b><table>{claims}</table>"
            f"<details><summary>Checks and hints of each exercise</summary>{self.board._repr_html_()}</details></div>"
        )


HEADS = ("notebook", "minutes", "exercises", "predictions")


@dataclass(frozen=True)
class SmallMap:
    """The end of one notebook: what was done in it and in the series, and the next notebook."""

    whole: SeriesMap
    here: int  # its place in the series

    @property
    def stop(self) -> Stop:
        return self.whole.stops[self.here]

    @property
    def onwards(self) -> NotebookOutline | None:
        """The next notebook; None after the last."""
        return self.whole.stops[self.here + 1].outline if self.here + 1 < len(self.whole.stops) else None

    def __str__(self) -> str:
        shapes = "".join("▲" if n == self.here else bar_text(stop.share, 1) for n, stop in enumerate(self.whole.stops))
        tokens = [f"{row.id} {'✔' if row.passed else '·'}" for row in self.stop.exercises]
        tokens += [f"{id} {SHAPES[state]}" for id, state in self.stop.guesses.items()]
        on = f"Next: {self.onwards.number} {self.onwards.title} ({self.onwards.file})" if self.onwards else "The end."
        return "\n".join([f"[{shapes}] {self.whole.summary}", "  ".join(tokens), on])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        strip = "".join(_tile(stop, number == self.here) for number, stop in enumerate(self.whole.stops))
        tokens = _exercises(self.stop) + _guesses(self.stop)
        on = f"<b>Next: {_link(self.onwards)}</b>" if self.onwards else "<b>That was the last notebook.</b>"
        return (
            f'<div style="line-height:1.9"><div style="padding:5px 4px 0">{strip}</div>'
            f"<div>{escape(self.whole.summary)}</div>"
            f"<div>{tokens}</div><div>{on}</div></div>"
        )


def series_map(board: Scoreboard, guesses: Mapping[str, Mapping[str, Any]]) -> SeriesMap:
    """The map for these exercises and predictions."""
    rows = {row.id: row for row in board.rows}
    return SeriesMap(board, [_stop(outline, rows, guesses) for outline in notebooks()])


def small_map(whole: SeriesMap, notebook: str) -> SmallMap:
    """The same for the end of one notebook. Raises UnknownNotebook."""
    return SmallMap(whole, position(notebook))


def _stop(
    outline: NotebookOutline, rows: Mapping[str, ScoreboardRow], guesses: Mapping[str, Mapping[str, Any]]
) -> Stop:
    states: dict[str, State] = {id: state_of(guesses.get(id, {})) for id in outline.guesses}
    return Stop(outline, [rows[id] for id in outline.exercises if id in rows], states)


def state_of(entry: Mapping[str, Any]) -> State:
    """How a prediction stands: open until an experiment was compared with it."""
    if "answer" not in entry or "guess" not in entry:
        return "open"
    return "right" if entry["answer"] == entry["guess"] else "missed"


def bar_text(share: float, width: int = 5) -> str:
    """A bar of characters; it is empty only at 0, and full only at 1."""
    full = width if share >= 1 else min(int(share * width), width - 1)
    begun = share > full / width and full < width
    return "■" * full + "▪" * begun + "□" * (width - full - begun)


def _row(stop: Stop) -> str:
    cells = (str(stop.outline.minutes), _exercises(stop), _guesses(stop))
    head = f'<th scope="row" style="{CELL};font-weight:normal">{_link(stop.outline)}</th>'
    return f"<tr>{head}" + "".join(f'<td style="{CELL}">{cell}</td>' for cell in cells) + "</tr>"


def _link(outline: NotebookOutline) -> str:
    name = f"{outline.number} {escape(outline.title)}"
    return f'<a href="{escape(outline.file)}" title="{escape(outline.question)}">{name}</a>'


def _exercises(stop: Stop) -> str:
    return "".join(
        _token(
            f"{row.id}{' ★' if row.core else ''}",
            "right" if row.passed else "open",
            f"exercise {row.id}{', core' if row.core else ''}, {row.title}: {row.state.partition(' ')[2]}",
        )
        for row in stop.exercises
    )


def _guesses(stop: Stop) -> str:
    return "".join(
        _token(id.partition("-")[2], state, f"prediction {id}: {WORDS[state]}. {stop.outline.guesses[id]}", round_=True)
        for id, state in stop.guesses.items()
    )


def _token(text: str, state: State, label: str, *, round_: bool = False) -> str:
    """A small tile; a screen reader reads the label instead of the letter and its sign."""
    radius = "10px" if round_ else "4px"
    style = f"display:inline-block;padding:0 7px;margin:1px 4px 1px 0;border-radius:{radius};white-space:nowrap"
    if state == "open":
        style += f";border:1px solid {EMPTY}"
    else:
        style += f";border:1px solid {COLOURS[state]};color:#ffffff;background:{COLOURS[state]}"
        text += f" {SHAPES[state]}"
    return (
        f'<span role="img" aria-label="{escape(label)}" title="{escape(label)}" style="{style}">{escape(text)}</span>'
    )


def _tile(stop: Stop, here: bool) -> str:
    counts = bool(stop.exercises or stop.guesses)
    percent = round(100 * stop.share)
    fill = f"linear-gradient(to top,{FULL} {percent}%,transparent {percent}%)"
    line = "solid" if counts else "dotted"
    outline = f"outline:2px solid {HALF};outline-offset:2px" if here else ""
    done = f"{percent}% done" if counts else "to read and play"
    label = f"{stop.outline.number} {stop.outline.title}: {done}{', you are here' if here else ''}"
    return (
        f'<span style="display:inline-block;text-align:center;margin-right:8px;font-size:11px;line-height:13px">'
        f'<span role="img" aria-label="{escape(label)}" title="{escape(label)}" style="display:block;'
        f"width:18px;height:18px;margin-bottom:5px;border:1px {line} {EMPTY};border-radius:3px;"
        f'background:{fill};{outline}"></span>'
        f"{stop.outline.number}</span>"
    )


def _bar(share: float) -> str:
    percent = round(100 * share)
    return (
        f'<span style="display:inline-block;width:160px;height:12px;border:1px solid {EMPTY};border-radius:3px;'
        f'background:linear-gradient(to right,{FULL} {percent}%,transparent {percent}%)"></span> {percent}%'
    )
