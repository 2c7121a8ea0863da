"""Three buttons under the feedback: Hint, Solution, Reset. They call the functions of the same names.

A click may run on any thread, so nothing is printed: the text goes into one HTML widget.
A module of its own, because it alone needs ipywidgets; a terminal does without.
"""

from __future__ import annotations

from collections.abc import Callable

import ipywidgets as widgets

from . import commands
from .exercise import find
from .markdown import Note, html_of

Action = Callable[[str], Note]


def buttons(id: str) -> widgets.VBox:
    """The row of buttons and the place where they answer."""
    answer = widgets.HTML(value="")
    actions: list[tuple[str, str, Action]] = [
        ("Hint", "one hint at a time", commands.hint),
        ("Solution", "after passing, or when asked twice", commands.solution),
        ("Reset", "the text as it was given; your attempts are kept", _reset),
    ]
    row = [_button(name, f"{name} for {id}: {what}", action, id, answer) for name, what, action in actions]
    return widgets.VBox([widgets.HBox(row), answer])


def _button(name: str, tooltip: str, action: Action, id: str, answer: widgets.HTML) -> widgets.Button:
    button = widgets.Button(description=name, tooltip=tooltip, layout=widgets.Layout(width="auto"))

    def clicked(_: widgets.Button) -> None:
        try:
            answer.value = action(id)._repr_html_()
        except Exception as error:  # a callback's error would vanish in a log
            answer.value = html_of(f"{name} did not work: {type(error).__name__}: {error}")

    button.on_click(clicked)
    return button


def _reset(id: str) -> Note:
    # A click cannot insert a cell: only the reply to an executed cell can.
    exercise = find(id)
    commands.forget(exercise)
    text = f"```python\n{exercise.cell().strip()}\n```\n\nPaste this over the cell and run it. Your attempts are kept."
    return Note(f"{id} {exercise.title}, as it was given", text)
