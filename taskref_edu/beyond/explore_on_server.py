"""For notebooks of earlier versions: explore() on a server, with its former name and its former result.

A module of its own, so that it can go when those notebooks are gone. In new code, write explore(…, url=…).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Engine

from ..lab import explore
from ..lab.explorer.graph import Schedules
from ..lab.explorer.result import ExplorationResult
from ..lab.explorer.wording import short_sql
from ..lab.tables import Table


class OnServer:
    """The result in its former shape. outcomes: what is broken, by schedule, or ""."""

    def __init__(self, found: ExplorationResult) -> None:
        self.found, self.count = found, found.count
        self.broken, self.errors = list(found.broken), list(found.errors)
        self.outcomes = {each: "; ".join(found.problems.get(each, ())) for each in Schedules(found.graph)}

    def table(self, schedule: str) -> Table:
        """The steps of a schedule, a column for each actor."""
        empty = dict.fromkeys(self.found.names, "")
        return Table({**empty, step.actor: short_sql(step.sql, 80)} for step in self.found.replay(schedule).steps)

    def __repr__(self) -> str:
        return repr(self.found)


def explore_on_server(
    actors: Sequence[Callable[..., Any]], engine: Engine, *, start: Callable[[Engine], object], invariant: Any
) -> OnServer:
    """explore() on a scratch database of the engine's server."""
    url = engine.url.render_as_string(hide_password=False)
    return OnServer(explore(actors, setup=start, invariant=invariant, url=url))
