"""One schedule as a still picture in SVG: the verdict, the reason, the lanes, and the rows after the last step.

It has its own background, so that it is readable on pages with light and dark themes. Lines are broken by the number of
characters, since the width of text cannot be measured here.
"""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap
from typing import Any, NamedTuple

from ...arguments import shorten
from .answers import AnswerTexts, Dependency, dependencies
from .layout import Piece, cell, marks, notes, side_by_side, wrapped
from .recording import Moment, RecordedRun, Recording
from .remedies import remedy
from .story import ICONS, bare_error, ending, headline
from .svg import Place, arrow, broken, head_lines, line, rect, sheet, text
from .why import why
from .words import columns, news

MONO, PROSE, LINE = 7.3, 7.6, 18  # width of a character of 12 px code, of 14 px prose; height of a line of code
MARGIN, NUMBERS, GAP, SIDE_GAP, HEAD = 24, 34, 10, 30, 34
EDGE = 22  # of a lane, where the dependencies run
TAG, CELL = 18, 26  # characters in a line of a row's tag, and in a cell
REMEDY, CAPITALS = 380, 8.3  # at least so wide are its lines; a character of a text with many capitals
BESIDE = 560  # what tables beside each other take; the next one is below


class TableBox(NamedTuple):
    """A table beside the lanes: its columns with their widths, its rows, its left edge, and its level from the top."""

    name: str
    columns: list[str]
    widths: list[float]
    rows: list[tuple[Any, list[str]]]
    left: float
    level: int


def still(recording: Recording, schedule: str, *, helped: bool = False) -> str:
    """The schedule as SVG; helped: with the usual repair, which a notebook may ask for."""
    return Still(recording, schedule, helped).draw()


class Still:
    """Draws one schedule, from top to bottom."""

    def __init__(self, recording: Recording, schedule: str, helped: bool = False) -> None:
        self.recording = recording
        self.moments = recording.moments(schedule)
        self.run = recording.run(schedule) or RecordedRun(schedule)
        self.why = why(recording, self.run)
        self.key = self.why.key if self.why else ()
        self.remedy = remedy(self.why, self.run.outcome) if helped else ""
        self.answers = AnswerTexts(recording)
        self.dependencies = dependencies(recording, self.moments)
        self.notes = notes(recording, self.moments, self.dependencies, news(recording, self.answers))
        self.lane = {1: 420, 2: 296}.get(len(recording.letters), max(210, 640 // len(recording.letters)))
        self.lefts = {x: MARGIN + NUMBERS + n * (self.lane + GAP) for n, x in enumerate(recording.letters)}
        self.right = max(self.lefts.values()) + self.lane
        self.side = self.right + SIDE_GAP
        self.tables = self._tables()
        rights = [table.left + max(sum(table.widths), TAG * PROSE) for table in self.tables]
        self.width = self.side + max([REMEDY if self.remedy else 160, *rights]) + MARGIN

    def draw(self) -> str:
        """The picture as an SVG document."""
        head, top = self._head()
        tops = [top + HEAD + 10.0]
        for moment in self.moments[1:]:
            tops.append(tops[-1] + self._height(moment))
        shapes = [*head, *(part for letter in self.recording.letters for part in self._lane(letter, top, tops))]
        shapes += [part for moment in self.moments[1:] for part in self._step(moment, tops[moment.number - 1])]
        end, bottom = self._end(tops[-1] + 12)
        side, deepest = self._side(top)
        label = f"{headline(self.recording)}. {self.why or ''}".strip()
        return sheet(self.width, max(bottom, deepest) + 16, label, [*shapes, *end, *side])

    def _head(self) -> tuple[list[str], float]:
        out, y = self.run.outcome, 40.0
        icon: Piece = (ICONS[out], f"{out} bold")
        shapes = []
        for n, part in enumerate(broken(headline(self.recording), int((self.width - 90) / 11))):
            shapes.append(text(MARGIN, y, [icon if n == 0 else ("   ", ""), (f"  {part}", "")], "title"))
            y += 24
        for pieces in self._sentence():
            shapes.append(text(MARGIN, y, pieces))
            y += 22
        return shapes, y

    def _sentence(self) -> list[list[Piece]]:
        """The sentence of `why.py`, broken into lines."""
        lines: list[list[Piece]] = [[]]
        room = int((self.width - 2 * MARGIN) / PROSE)
        for part in self.why.parts if self.why else ():
            kind, value = ("", part) if isinstance(part, str) else (part[0], str(part[1]))
            style = {"who": f"bold f{value}", "code": "code", "b": "bold"}.get(kind, "")
            for n, word in enumerate(value.split(" ")):
                if sum(len(piece) for piece, _ in lines[-1]) + len(word) > room:
                    lines.append([])
                lines[-1].append((f" {word}" if n and lines[-1] else word, style))
        return lines if self.why else []

    # The lanes

    def _lane(self, letter: str, top: float, tops: Sequence[float]) -> list[str]:
        x, name = self.lefts[letter], self.recording.facts["actors"][letter]
        shapes = [
            rect(f"f{letter}", x, top, self.lane, tops[-1] + 6 - top, 9, 'opacity=".06"'),
            rect(f"f{letter}", x, top, self.lane, HEAD, 9, 'opacity=".14"'),
            rect(f"f{letter}", x + 10, top + 8, 19, 19, 4),
            text(x + 19.5, top + 22, [(letter, "on bold small")], anchor="middle"),
            text(x + 38, top + 22, [(cell(name), "bold")]),
        ]
        for bracket in self.recording.brackets(self.moments):
            if bracket.by == letter:
                y, dash = tops[bracket.first - 1] + 2, ' stroke-dasharray="4 3"' if bracket.torn or bracket.open else ""
                frame = f'stroke-width="1.4"{dash}'
                shapes.append(rect(f"frame s{letter}", x + 7, y, self.lane - 28, tops[bracket.last] - 3 - y, 8, frame))
        mine = [dependency for dependency in self.dependencies if dependency.by == letter and dependency.act]
        for dependency, place in side_by_side(mine).items():
            shapes += self._dependency(dependency, round(self.lefts[letter] + self.lane - EDGE * (1 - place), 1), tops)
        return shapes

    def _dependency(self, dependency: Dependency, x: float, tops: Sequence[float]) -> list[str]:
        """A line from a read to the write that relies on it; red from where the read is out of date."""
        letter, stale = dependency.by, dependency.stale
        begin, end = tops[dependency.read - 1] + 13, tops[dependency.act or 0] - 14
        middle = tops[stale - 1] + 4 if stale is not None else end
        shapes = [line(f"s{letter}", f"M{x} {begin + 4:.1f}V{middle:.1f}", dash="2 3")]
        if stale is not None:
            shapes.append(line("gone", f"M{x} {middle:.1f}V{end:.1f}", dash="5 4"))
        shapes.append(f'<circle class="paper s{letter}" stroke-width="2" cx="{x}" cy="{begin:.1f}" r="3.5"/>')
        tip = "bad" if stale is not None else f"f{letter}"
        return [*shapes, f'<path class="{tip}" d="M{x + 1} {end:.1f}v-5l-9 5l9 5z"/>']

    def _lines(self, moment: Moment) -> list[list[Piece]]:
        """A step's statement and what it returned, in lines."""
        step = moment.step
        if not moment.by:
            return [[(f"Then {self.recording.facts.get('recover') or 'recovery'} runs", "bold")]]
        if step.get("dies"):
            left = "its transaction is rolled back" if step.get("undone") else "no transaction is open"
            return [[(f"✕ {moment.by} is killed here", "bad bold")], [(f"  {left}", "quiet")]]
        room = int((self.lane - 44) / MONO)
        lines = wrapped(self.recording.clauses(step), room)
        if error := self.recording.refusal(self.moments, moment.number):
            said = broken(error if step.get("ends") and not step.get("error") else bare_error(error), room - 2)
            return [*lines, *([(f"{'✕' if n == 0 else ' '} {part}", "bad bold")] for n, part in enumerate(said))]
        return [*lines, *self._answer(moment, room), *self._mark(moment, room)]

    def _answer(self, moment: Moment, room: int) -> list[list[Piece]]:
        """What a step returned, in lines."""
        if (answer := self.answers.of(moment.step)) is None:
            return []
        decisive = moment.number in self.key
        style = f"chip{moment.by}" if decisive else "" if answer.weak else "bold"
        lead, lines = [("→ ", f"f{moment.by} bold")], list[list[Piece]]()
        if answer.column:
            lead.append((f"{answer.column} ", "quiet"))
        value = cell(answer.value)
        if sum(len(piece) for piece, _ in lead) + len(value) > room:  # below, in lines of its own
            lines, lead = [lead], [("  ", "")]
        for n, part in enumerate(wrap(value, room - 4)):
            lines.append([*(lead if n == 0 else [("  ", "")]), (f" {part} " if decisive else part, style)])
        return lines

    def _mark(self, moment: Moment, room: int) -> list[list[Piece]]:
        """The note at a step that came too late or too early."""
        mark = self.why.marks.get(moment.number, "") if self.why else ""
        late = (t for t in self.dependencies if t.act == moment.number and t.stale is not None and t.read in self.key)
        if not mark and self.run.outcome == "bad" and (found := next(late, None)):
            mark = f"too late: relies on step {found.read}, out of date since step {found.stale}"
        return [[(part, "bad bold")] for part in broken(mark.replace("\u00a0", " "), room)]

    def _height(self, moment: Moment) -> float:
        return LINE * len(self._lines(moment)) + (8 if moment.kind in ("begin", "commit") else 12)

    def _step(self, moment: Moment, y: float) -> list[str]:
        shapes = [text(MARGIN + 16, y + 18, [(str(moment.number), "quiet small")], anchor="middle")]
        for n, pieces in enumerate(self._lines(moment)):
            x, level = self.lefts.get(moment.by, MARGIN + NUMBERS) + 18.0, y + 18 + LINE * n
            for piece, style in pieces:
                wide = len(piece) * MONO
                if style.startswith("chip"):
                    shapes.append(rect(f"f{style[4:]}", x, level - 13, wide, 17, 4))
                shapes.append(text(x, level, [(piece, CODE.get(style[:4], style))], "code"))
                x += wide
        return [*shapes, *(part for letter in self.recording.letters for part in self._note(moment, letter, y))]

    def _note(self, moment: Moment, letter: str, y: float) -> list[str]:
        """The note in another actor's lane at this step."""
        if letter == moment.by or (moment.number, letter) not in self.notes:
            return []
        said, style = self.notes[moment.number, letter]
        if style != "bad":
            return [text(self.lefts[letter] + 18, y + 17, [(said, "quiet small")])]
        said = shorten(said, int((self.lane - 40) / 6.9))
        wide, right = len(said) * 6.9 + 14, self.lefts[letter] + self.lane - 20
        words = text(right - wide / 2, y + 17, [(said, "bad bold small")], anchor="middle")
        return [rect("paper gone", right - wide, y + 3, wide, 20, 5), words]

    def _end(self, y: float) -> tuple[list[str], float]:
        x, wide, out = MARGIN + NUMBERS, self.right - MARGIN - NUMBERS, self.run.outcome
        lines = [part for said in ending(self.run) for part in broken(said, int(wide / 8.5))]
        height = 14 + 22 * len(lines)
        shapes = [text(x + 14, y + 24 + 22 * n, [(said, f"{out} bold")]) for n, said in enumerate(lines)]
        return [rect(out, x, y, wide, height, 9, 'opacity=".1"'), *shapes], y + height

    # The rows, beside the lanes

    def _tables(self) -> list[TableBox]:
        seen = self.recording.rows(self.moments[-1].state["rows"])
        ever = {row[0] for row in self.recording.facts["rows"]}
        tables, left, level = [], 0.0, 0
        for name in (name for name in self.recording.facts["tables"] if name in ever):
            shown = columns(self.recording, name)
            rows = [
                (key, [shorten(cell(row[c]), CELL) for c in shown])
                for (table, key), row in seen.items()
                if table == name
            ]
            texts = [[*head_lines(column), *(values[n] for _, values in rows)] for n, column in enumerate(shown)]
            widths = [max(map(len, each)) * MONO + 14 for each in texts]
            if left and left + sum(widths) > BESIDE:
                left, level = 0.0, level + 1
            tables.append(TableBox(name, shown, widths, rows, left, level))
            left += sum(widths) + 52
        return tables

    def _side(self, top: float) -> tuple[list[str], float]:
        shapes = [text(self.side, top + 14, [(f"the rows after step {len(self.moments) - 1}", "quiet small")])]
        places: dict[tuple[str, Any], Place] = {}
        deepest = begin = top
        for before, table in zip([None, *self.tables], self.tables, strict=False):
            begin = deepest if before is not None and before.level < table.level else begin
            parts, bottom = self._table(table, begin + 40, places)
            shapes += parts
            deepest = max(deepest, bottom)
        below, deepest = self._remedy(deepest)
        return [*shapes, *self._arrows(places), *below], deepest

    def _remedy(self, y: float) -> tuple[list[str], float]:
        """What would have helped, below the tables."""
        if not self.remedy:
            return [], y
        lines = broken(self.remedy, int((self.width - MARGIN - self.side) / CAPITALS))
        shapes = [text(self.side, y + 46, [("What would have helped?", "bold")])]
        shapes += [text(self.side, y + 68 + 20 * n, [(part, "")]) for n, part in enumerate(lines)]
        return shapes, y + 68 + 20 * len(lines)

    def _table(self, table: TableBox, y: float, places: dict[tuple[str, Any], Place]) -> tuple[list[str], float]:
        x, wide = self.side + table.left, sum(table.widths)
        starts = [x + 7 + sum(table.widths[:n]) for n in range(len(table.columns))]
        tall = max(len(head_lines(column)) for column in table.columns)
        shapes = [text(x, y, [(table.name, "bold")])]
        for start, column in zip(starts, table.columns, strict=True):
            for n, part in enumerate(reversed(head_lines(column))):
                shapes.append(text(start, y + 5 + 13 * (tall - n), [(part, "quiet small")]))
        y += 12 + 13 * tall
        wrong = marks(self.recording, self.moments[-1])
        for key, values in table.rows:
            tag = broken(wrong.get((table.name, key), ""), TAG)
            shapes.append(rect("cell lost" if tag else "cell", x, y, wide, 28, 7))
            for start, value in zip(starts, values, strict=True):
                shapes.append(text(start, y + 18, [(value, "quiet" if value == "NULL" else "")], "code"))
            places[table.name, key] = (x, x + wide, y + 14)
            shapes += [text(x + 4, y + 42 + 15 * n, [(said, "bad bold small")]) for n, said in enumerate(tag)]
            y += 34 + (15 * len(tag) + 6 if tag else 0)
        if not table.rows:
            shapes.append(text(x + 7, y + 16, [("no row", "quiet small")]))
        return shapes, y + (0 if table.rows else 28)

    def _arrows(self, places: dict[tuple[str, Any], Place]) -> list[str]:
        """An arrow from each reference to its row; the one that the last step replaced is crossed out."""
        shapes, tables = [], self.recording.facts["tables"]
        for change in self.recording.changes(self.moments, len(self.moments) - 1):
            for column, target in tables[change.table].get("refs", {}).items():
                if column in change.columns and change.was:
                    one, other = places.get((change.table, change.key)), places.get((target, change.was[column]))
                    shapes += arrow(one, other, gone=True)
        for (table, key), row in self.recording.rows(self.moments[-1].state["rows"]).items():
            for column, target in tables[table].get("refs", {}).items():
                shapes += arrow(places.get((table, key)), places.get((target, row[column])))
        return shapes


CODE = {"tabl": "bold", "chip": "on bold"}
