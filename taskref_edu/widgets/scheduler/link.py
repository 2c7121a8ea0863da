"""The connection from a game on a page to its kernel: it receives what was played, and sends missing steps.

There is one widget for each kernel, never displayed: creating it loads the player's module into the page. So a reloaded
page has the module while the kernel runs, even if the output that first loaded it is gone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol
from uuid import uuid4
from weakref import WeakValueDictionary

import anywidget
import traitlets
from sqlalchemy import exc

from ...clone import running_ipython
from ...lab.explorer.errors import LabError
from ...lab.player.page import module


class Played(Protocol):
    """A game to which a page can send requests."""

    def play(self, schedule: str) -> list[str]: ...
    def more(self, schedule: str) -> dict[str, Any]: ...


class Link(anywidget.AnyWidget):
    """Receives {"game": …, "played": "ABBA"} and {"game": …, "more": "AB"}, and answers the latter."""

    _esm = f"{module()}\nexport default {{ initialize({{ model }}) {{ globalThis.taskrefPlayerLink(model); }} }};"

    name = traitlets.Unicode().tag(sync=True)

    def __init__(self) -> None:
        super().__init__(name=uuid4().hex)
        self.games: WeakValueDictionary[str, Played] = WeakValueDictionary()
        self.on_msg(self._hear)

    def _hear(self, _widget: object, content: Mapping[str, Any], _buffers: object) -> None:
        """From a page, on any thread."""
        game = self.games.get(str(content.get("game")))
        if game is None:
            return  # the game of a cell that was run again
        try:
            if isinstance(played := content.get("played"), str):
                game.play(played)
            elif isinstance(wanted := content.get("more"), str):
                self.send({"game": content["game"], "after": wanted, "more": game.more(wanted)})
        except (LabError, exc.SQLAlchemyError, KeyError) as error:
            # A printed error would appear in an unrelated cell.
            self.send({"game": content["game"], "error": f"{type(error).__name__}: {error}"})


_link: Link | None = None


def link(game: Played) -> dict[str, str]:
    """The options with which a page finds this game in its kernel; none outside a notebook."""
    global _link
    shell = running_ipython()
    if not hasattr(shell, "kernel"):
        return {}
    _link = _link or Link()
    number = str(id(game))
    _link.games[number] = game
    return {"link": _link.name, "number": number}
