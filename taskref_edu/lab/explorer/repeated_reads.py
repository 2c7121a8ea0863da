"""An actor's latest SELECTs, repeated after each step of others to see whether what it has read is out of date."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

MOST = 4  # SELECTs of an actor that are repeated
Ask = Callable[[str, Any], list[list[Any]] | None]


@dataclass
class FetchedRows:
    """The rows that an actor fetched, and their columns."""

    columns: list[str]
    rows: list[list[Any]] = field(default_factory=list)


@dataclass
class _Read:
    """A SELECT of an actor: the rows that it fetched, and those that a new connection has fetched last."""

    sql: str
    parameters: Any
    told: FetchedRows
    latest: list[list[Any]] | None = None


class RepeatedReads:
    """One actor's latest SELECTs. ask: runs one on a new connection; None if it is refused. times: columns of times."""

    def __init__(self, ask: Ask, times: Collection[str]) -> None:
        self._ask, self._times = ask, times
        self._reads: dict[str, _Read] = {}  # by SQL with its parameters filled in

    def add(self, shown: str, sql: str, parameters: Any, told: FetchedRows) -> None:
        """Keep a SELECT as the latest one; beyond MOST, the oldest is dropped."""
        self._reads.pop(shown, None)
        self._reads[shown] = _Read(sql, parameters, told)
        if len(self._reads) > MOST:
            del self._reads[next(iter(self._reads))]

    def out_of_date(self, *, moved: bool) -> dict[str, FetchedRows]:
        """What they would fetch now, where another actor has changed that. moved: this actor made the latest step."""
        found = {}
        for shown, read in list(self._reads.items()):
            if (now := self._ask(read.sql, read.parameters)) is None:
                continue
            before, read.latest = read.told.rows if read.latest is None else read.latest, now
            if moved and now != before:
                del self._reads[shown]  # changed by the actor itself
            elif self._bare(read.told.columns, now) != self._bare(read.told.columns, read.told.rows):
                found[shown] = FetchedRows(read.told.columns, now)
        return found

    def _bare(self, columns: list[str], rows: list[list[Any]]) -> list[list[Any]]:
        """Rows in which times count only as NULL or not NULL."""
        timed = [name in self._times for name in columns]
        return [[(value is None) if time else value for value, time in zip(row, timed, strict=True)] for row in rows]
