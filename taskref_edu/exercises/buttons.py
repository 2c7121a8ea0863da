"""The buttons in a notebook: Hint, Solution and Reset under an exercise, and one for each choice of a guess.

A click may run on any thread, so nothing is printed: its answer goes into an HTML widget.
A module of its own, because only this needs ipywidgets; a terminal does without.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets as widgets

from . import commands
from .exercise import find
from .markdown import Note, html_of

Action = Callable[[str], Note]


def buttons(id: str) -> widgets.VBox:
    """Hint, Solution and Reset, which call the functions of these names, and the widget that shows their answer."""
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


def choice_buttons(
    id: str, choices: Sequence[Any], picked: Any, pick: Callable[[Any], Note], note: Note
) -> widgets.VBox:
    """A button for each choice, and a line that says what is kept; a pick locks the row. picked: the index of the
    answer that is kept already, or None."""
    said = widgets.HTML(value=note._repr_html_())
    row = [_choice_button(id, choice) for choice in choices]

    def clicked(number: int) -> None:
        _lock(row, number)
        try:
            said.value = pick(choices[number])._repr_html_()
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


def _lock(row: Sequence[widgets.Button], picked: int) -> None:
    for number, button in enumerate(row):
        button.disabled = True
        if number == picked:
            button.icon = "check"
