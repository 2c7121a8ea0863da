"""A button for each answer of a guess. A pick is kept and locked; keys reach the buttons as they reach any other.

A click may run on any thread, so nothing is printed: what it did goes into one HTML widget.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets as widgets

from .markdown import Note, html_of


def choice_buttons(
    id: str, choices: Sequence[Any], picked: Any, pick: Callable[[Any], Note], note: Note
) -> widgets.VBox:
    """The row of buttons and the line that says what is kept. `picked` is the index of the kept answer, or None."""
    said = widgets.HTML(value=note._repr_html_())
    row = [_button(id, choice) for choice in choices]

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


def _button(id: str, choice: Any) -> widgets.Button:
    text = str(choice)
    layout = widgets.Layout(width="auto")
    return widgets.Button(description=text, tooltip=f"Guess {id}: {text}", layout=layout)


def _lock(row: Sequence[widgets.Button], picked: int) -> None:
    for number, button in enumerate(row):
        button.disabled = True
        if number == picked:
            button.icon = "check"
