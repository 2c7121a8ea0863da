"""What can be pressed in a notebook: Hint, Solution and Reset under the feedback, and a guess's choices.

Reset writes the first text into the cell itself, which only a page can do; the page sends what stood there, and it is
kept. A click may run on any thread, so nothing is printed: the text goes into the widget.
A module of its own, because it alone needs anywidget and ipywidgets; a terminal does without.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import anywidget
import ipywidgets as widgets
import traitlets

from . import commands
from .exercise import Exercise, find
from .markdown import Note, html_of

TITLES = {
    "hint": "one hint at a time",
    "solution": "after passing, or when asked twice",
    "reset": "the cell as it was given; your attempts are kept",
}


class Buttons(anywidget.AnyWidget):
    """The row of buttons and the place where they answer. Hears {"press": "reset", "before": "the cell's text"}."""

    _esm = Path(__file__).with_name("buttons.js")

    titles = traitlets.Dict().tag(sync=True)
    stub = traitlets.Unicode().tag(sync=True)
    said = traitlets.Unicode().tag(sync=True)

    def __init__(self, exercise: Exercise) -> None:
        titles = {name: f"{name.capitalize()} for {exercise.id}: {what}" for name, what in TITLES.items()}
        super().__init__(titles=titles, stub=exercise.cell().rstrip("\n"))
        self._exercise = exercise
        self.on_msg(self._hear)

    def _hear(self, _widget: object, content: Mapping[str, Any], _buffers: object) -> None:
        name = str(content.get("press"))
        if name in TITLES:
            self.press(name, str(content.get("before", "")))

    def press(self, name: str, before: str = "") -> None:
        """What a click does. before: the cell's text that Reset has replaced; empty where the page could not."""
        try:
            self.said = self._answer(name, before)._repr_html_()
        except Exception as error:  # a callback's error would vanish in a log
            self.said = html_of(f"{name.capitalize()} did not work: {type(error).__name__}: {error}")

    def _answer(self, name: str, before: str) -> Note:
        if name == "hint":
            return commands.hint(self._exercise.id)
        if name == "solution":
            return commands.solution(self._exercise.id)
        kept = " ".join(commands.forget(self._exercise, before)) or commands.KEPT
        heading = f"{self._exercise.id} {self._exercise.title}, as it was given"
        if before:
            return Note(
                heading,
                f"The cell holds its first text again. {kept} Undo in the cell brings back what was there.",
            )
        return Note(heading, f"```python\n{self.stub}\n```\n\nPaste this over the cell and run it. {kept}")


def buttons(id: str) -> Buttons:
    """The buttons of one exercise."""
    return Buttons(find(id))


def choice_buttons(
    id: str, choices: Sequence[Any], picked: Any, pick: Callable[[Any], tuple[int | None, Note]], note: Note
) -> widgets.VBox:
    """A button for each choice, and a line that says what is kept; a pick locks the row. picked: the index of the
    answer that is kept already, or None."""
    said = widgets.HTML(value=note._repr_html_())
    row = [_choice_button(id, choice) for choice in choices]

    def clicked(number: int) -> None:
        _lock(row, None)
        try:
            kept, note = pick(choices[number])
            _lock(row, kept)
            said.value = note._repr_html_()
        except Exception as error:  # a callback's error would vanish in a log
            said.value = html_of(f"The guess was not kept: {type(error).__name__}: {error}")

    for number, button in enumerate(row):
        button.on_click(lambda _, number=number: clicked(number))
    if picked is not None:
        _lock(row, picked)
    return widgets.VBox([said, widgets.HBox(row, layout=widgets.Layout(flex_flow="row wrap"))])


def _choice_button(id: str, choice: Any) -> widgets.Button:
    text = str(choice)
    layout = widgets.Layout(width="auto")
    return widgets.Button(description=text, tooltip=f"Guess {id}: {text}", layout=layout)


def _lock(row: Sequence[widgets.Button], picked: int | None) -> None:
    for number, button in enumerate(row):
        button.disabled = True
        if number == picked:
            button.icon = "check"
