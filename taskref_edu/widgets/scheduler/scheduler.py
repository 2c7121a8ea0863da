"""Be the scheduler: let one actor after the other make its next step, by button or by key, and try to break something.

A click plays the schedule from the start again, so nothing is held between two clicks: no lock, no thread, no
connection. Leaves out crashes. Read next: `scheduler_page.py` (what is shown), `lab/by_hand.py` (what a step does).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence

from ipywidgets import HTML, Box, Button, VBox, Widget
from sqlalchemy import Engine

from ...lab.by_hand import ByHand
from ...lab.explorer.actor import Function
from ...lab.explorer.database_snapshot import Journal
from ...lab.explorer.outcome import Limits
from ...lab.explorer.result import switches
from ...lab.explorer.trace import lanes_table
from ...lab.explorer.trial import Invariant
from ...lab.explorer.wording import error_text, short_sql
from ...schema import SchemaName
from ..display.status_line import StatusAndKeys
from ..live_cells import Cell, current_cell
from . import page as page

RE_RUN = "re-run this cell to make it live"
SPOKEN = 60  # characters of SQL that the status line says
KEYS = {"Backspace": "back", "Home": "restart"}
_live: list[Scheduler] = []


class Scheduler:
    """Play a schedule by hand; put it at the end of a cell. The arguments are those of explore().

    attempts: how often a schedule was played to its end; tried: whether each of them broke. play("ABBA") for a
    program; game: the schedule so far.
    """

    def __init__(
        self,
        actors: Sequence[Function],
        *,
        invariant: Invariant,
        setup: Callable[[Engine], object] | None = None,
        schema: SchemaName | None = "both",
        journal: Journal = "wal",
        patience: float = Limits.patience,
    ) -> None:
        self.game = ByHand(actors, invariant=invariant, setup=setup, schema=schema, journal=journal, patience=patience)
        self.attempts = 0
        self.tried: dict[str, bool] = {}
        self._cell = current_cell()
        self._lock = threading.Lock()  # clicks come on whichever thread the kernel likes
        self._build()
        self._show("Nobody has made a step yet. Who begins?")
        self._take_the_place()

    def play(self, letters: str) -> None:
        """Let these actors make their steps, one letter each, as by their buttons."""
        for letter in letters:
            self._act(lambda letter=letter: self._go(letter))

    def back(self) -> None:
        """Take the latest step back."""
        self._act(self._back)

    def restart(self) -> None:
        """Begin again; what was tried stays counted."""
        self._act(self._restart)

    def close(self) -> None:
        """Take the widgets away from the page and out of the memory."""
        for widget in _with_parts(self.box):
            widget.close()
        if self in _live:
            _live.remove(self)

    def __repr__(self) -> str:
        names = ", ".join(f"{letter} = {name}" for letter, name in self.game.trace.names.items())
        return f"Scheduler({names}): {RE_RUN}"

    def _ipython_display_(self) -> None:
        # Two outputs: where there is no kernel the first one can show nothing, and the second one is what stays.
        from IPython.display import display

        view = {"version_major": 2, "version_minor": 0, "model_id": self.box.model_id}
        display({"application/vnd.jupyter.widget-view+json": view, "text/plain": repr(self)}, raw=True)
        display({"text/html": self._static_copy(), "text/plain": repr(self.game)}, raw=True)

    # The widgets

    def _build(self) -> None:
        names = self.game.trace.names
        self.steps = {letter: _button(f"{letter}: {name[:40]}", f"Step {letter}") for letter, name in names.items()}
        self.undo = {"back": _button("Back", "Take the latest step back"), "restart": _button("Restart", "Begin again")}
        keys = {letter.upper(): letter for letter in names}
        self._keys = ({} if "R" in keys else {"R": "restart"}) | KEYS | keys
        self.status = StatusAndKeys(kept=list(self._keys))
        self.status.on_msg(lambda _widget, content, _buffers: self._pressed(content.get("key", "")))
        for letter, button in self.steps.items():
            button.on_click(lambda _, letter=letter: self.play(letter))
        self.undo["back"].on_click(lambda _: self.back())
        self.undo["restart"].on_click(lambda _: self.restart())
        self.verdict, self.tally = HTML(), HTML()
        self.standing = _scrolling("Where they stand", "standing")
        self.lanes, self.rows = _scrolling("Steps so far", "lanes"), _scrolling("Rows now", "rows")
        self.box = VBox([HTML(page.STYLE + page.PAGE_STYLE), *self._lines(), self.status, *self._parts()])
        self.box.add_class("taskref-scheduler").add_class("taskref-page")

    def _lines(self) -> list[Widget]:
        letters = ", ".join(f"<kbd>{letter}</kbd>" for letter in self.steps)
        restart = "<kbd>Home</kbd> or <kbd>R</kbd>" if "R" in self._keys else "<kbd>Home</kbd>"
        keys = HTML(f"Keys, once you are in here: {letters} step; <kbd>Backspace</kbd> goes back; {restart} restarts.")
        return [_line("Step", self.steps), _line("Undo", self.undo), keys]

    def _parts(self) -> list[Widget]:
        parts = Box([self.lanes, self.rows])
        parts.add_class("taskref-parts")
        return [self.verdict, self.standing, parts, self.tally]

    def _show(self, said: str) -> None:
        trace = self.game.trace
        self.verdict.value = page.verdict(trace, self.game.as_test())
        self.standing.value = page.standing_table(trace)
        self.lanes.value = lanes_table(trace, rows_after=False)
        self.rows.value = page.rows_tables(trace)
        self.tally.value = page.tally(self.attempts, self.tried)
        self.status.text = f"{said} (again)" if said == self.status.text else said  # or it seems to go unheard

    def _static_copy(self) -> str:
        shown = [self.verdict, self.standing, self.lanes, self.rows]
        return (
            f'<div class="taskref-scheduler-static taskref-page">{page.STATIC_STYLE}{page.PAGE_STYLE}'
            f"<p>The scheduler as it was when its cell ran: <strong>{RE_RUN}</strong>.</p>"
            f"{''.join(part.value for part in shown)}</div>"
        )

    def _take_the_place(self) -> None:
        """A cell that is run again closes what it showed before, which nobody else knows of."""
        for former in [other for other in _live if _was_run_again(other._cell, self._cell)]:
            former.close()
        _live.append(self)

    # What a click or a key does

    def _pressed(self, key: str) -> None:
        act = self._keys.get(key)
        if act in self.steps:
            self.play(act)
        elif act is not None:
            getattr(self, act)()

    def _act(self, act: Callable[[], str]) -> None:
        with self._lock:
            try:
                said = act()
            except (Exception, KeyboardInterrupt) as error:  # printed, it would land in a stranger's cell
                said = f"✖ {error_text(error)}"
            self._show(said)

    def _go(self, letter: str) -> str:
        if not self.game.go(letter):
            return f"Not possible: {self.game.refused.partition(' (')[0]}. Let somebody else step, or go back"
        step, trace = self.game.trace.steps[-1], self.game.trace
        if self.game.ended:
            self.attempts += 1
            self.tried[trace.schedule] = bool(trace.broken)
            return self._ending()
        error = f", and got {step.error}" if step.error else ""
        waits = "".join(f". {other} waits for {whom}" for other, whom in trace.waiting.items())
        return f"{trace.schedule}: {letter} ran {short_sql(step.sql, SPOKEN)}{error}{waits}"

    def _ending(self) -> str:
        schedule, broken = self.game.schedule, self.game.broken
        errors = "".join(f". {letter} ended with {text}" for letter, text in self.game.trace.errors.items())
        if broken:
            count = switches(schedule)
            times = f"{count} switch" if count == 1 else f"{count} switches"
            return f"You broke it with {schedule} ({times}): {'; '.join(broken)}{errors}"
        return f"{schedule}: nothing is broken{errors}. Go back, or restart, and try another order"

    def _back(self) -> str:
        if not self.game.schedule:
            return "Nobody has made a step yet: there is nothing to take back"
        taken = self.game.schedule[-1]
        self.game.back()
        return f"{self.game.schedule or 'At the start'}: the step of {taken} is taken back"

    def _restart(self) -> str:
        self.game.restart()
        return "At the start again. Who begins?"


def _was_run_again(old: Cell | None, new: Cell | None) -> bool:
    return old is not None and new is not None and old.name == new.name and old.run != new.run


def _button(text: str, tip: str) -> Button:
    return Button(description=text, tooltip=tip)


def _line(label: str, buttons: dict[str, Button]) -> Box:
    line = Box([HTML(label), *buttons.values()])
    line.add_class("taskref-line")
    return line


def _scrolling(name: str, kind: str) -> HTML:
    """A part that scrolls in its own element, which stays when its content is replaced; by keyboard, too."""
    part = HTML(tabbable=True, tooltip=name)
    part.add_class("taskref-scroll").add_class(f"taskref-{kind}")
    return part


def _with_parts(widget: Widget) -> Iterator[Widget]:
    for child in getattr(widget, "children", ()):
        yield from _with_parts(child)
    yield widget
    yield from (part for name in ("layout", "style") if isinstance(part := getattr(widget, name, None), Widget))
