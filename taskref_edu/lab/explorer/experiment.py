"""The arguments of an exploration, and the text of a pytest case that runs it again."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from string import ascii_uppercase
from types import FrameType
from typing import Any, Literal

from sqlalchemy import Engine

from ...schema import SchemaName
from .errors import CannotWriteTest

Journal = Literal["wal", "delete"]
ActorFunction = Callable[[Engine], Any]
Setup = Callable[[Engine], object]
Recover = Callable[[Engine], object]
# invariant(session), invariant(session, errors) or invariant(session, errors, results): a list of what is broken
Invariant = Callable[..., Sequence[str]]
URL_VARIABLE = "TEST_DATABASE_URL"  # where a written test finds the server


@dataclass(frozen=True)
class Experiment:
    """The functions and the options of an exploration. crash: the index of the actor that may die."""

    actors: Sequence[ActorFunction]
    invariant: Invariant
    setup: Setup | None = None
    recover: Recover | None = None
    crash: int | None = None
    schema: SchemaName | None = "both"
    journal: Journal = "wal"
    url: str | None = None

    def __post_init__(self) -> None:
        if callable(self.actors) or not isinstance(self.actors, Sequence):
            raise TypeError(f"actors: {self.actors!r} found; a list of functions expected, such as [f, g]")
        if not 1 <= len(self.actors) <= len(ascii_uppercase):
            raise ValueError(f"{len(self.actors)} actors found, 1 to {len(ascii_uppercase)} expected")
        if self.crash is not None and not 0 <= self.crash < len(self.actors):
            raise ValueError(f"crash={self.crash} found, the index of one of {len(self.actors)} actors expected")
        for letter, actor in self.functions.items():
            if not callable(actor):
                raise TypeError(f"actor {letter}: {actor!r} found; a function f(engine) expected, not what it returns")

    @property
    def functions(self) -> dict[str, ActorFunction]:
        """The actors by letter."""
        return dict(zip(ascii_uppercase, self.actors, strict=False))

    @property
    def names(self) -> dict[str, str]:
        """The actors' names by letter."""
        return {letter: name_of(actor) for letter, actor in self.functions.items()}

    @property
    def victim(self) -> str | None:
        """The letter of the actor that may die."""
        return None if self.crash is None else ascii_uppercase[self.crash]

    def test_of(self, schedule: str, problems: Iterable[str]) -> str:
        """A test that runs this one schedule. Raises CannotWriteTest."""
        call = f"explore([{self._actors()}],{self._arguments()}, schedules=[{schedule!r}])"
        return (
            f"{self._imports('explore')}\n\n\n"
            f"def test_the_schedule_{schedule}() -> None:\n"
            f"    # found: {'; '.join(problems)!r}\n"
            f"    found = {call}\n"
            "    assert found.holds, str(found)\n"
        )

    def test_of_crashes(self) -> str:
        """A test that runs every crash point. Raises CannotWriteTest."""
        crash = self.crash or 0
        first = f" crash={crash}," if len(self.actors) > 1 else ""
        recover = f" recover={_expression(self.recover)}," if self.recover is not None else ""
        return (
            f"{self._imports('explore_crashes')}\n\n\n"
            f"def test_every_crash_of_{name_of(self.actors[crash])}() -> None:\n"
            f"    lost = explore_crashes([{self._actors()}],{first}{recover}{self._arguments()})\n"
            "    assert lost.holds, str(lost)\n"
        )

    def _actors(self) -> str:
        return ", ".join(map(_expression, self.actors))

    def _arguments(self) -> str:
        parts = [f" setup={_expression(self.setup)}"] if self.setup is not None else []
        parts.append(f" invariant={_expression(self.invariant)}")
        parts += [f" schema={self.schema!r}"] if self.schema != "both" else []
        parts += [f" journal={self.journal!r}"] if self.journal != "wal" else []
        if self.url is not None:  # it may contain a password
            parts.append(f' url=os.environ["{URL_VARIABLE}"]')
        return ",".join(parts)

    def _imports(self, explore: str) -> str:
        functions = [*self.actors, self.invariant, self.setup, self.recover]
        homes: dict[str, set[str]] = {"taskref_edu.lab": {explore}}
        for function in functions:
            if function is not None:
                homes.setdefault(_home(function), set()).add(_expression(function).partition(".")[0])
        here = homes.pop("__main__", None)
        first = ["import os", ""] if self.url is not None else []
        lines = [f"from {home} import {', '.join(sorted(names))}" for home, names in sorted(homes.items())]
        by_hand = [f"# and, from where you ran this: {', '.join(sorted(here))}"] if here else []
        return "\n".join([*first, *lines, *by_hand])


def name_of(function: Callable[..., Any]) -> str:
    """The name of a function, for display."""
    return getattr(function, "__name__", None) or repr(function)


def file_of(function: Callable[..., Any]) -> str:
    """The file in which it is defined; "" if it is not written in Python."""
    code = getattr(inspect.unwrap(getattr(function, "func", function)), "__code__", None)
    return code.co_filename if code is not None else ""


def line_in(file: str, frame: FrameType | None) -> int | None:
    """The line of this file that is running: in this frame, or in one that called it."""
    while frame is not None and frame.f_code.co_filename != file:
        frame = frame.f_back
    return None if frame is None else frame.f_lineno


def _home(function: Callable[..., Any]) -> str:
    return getattr(function, "__module__", None) or ""


def _expression(function: Callable[..., Any]) -> str:
    """How a test calls it by name, once its first part is imported."""
    path = getattr(function, "__qualname__", "")
    found: Any = sys.modules.get(_home(function))
    for part in path.split("."):
        found = getattr(found, part, None)
    if not path or found != function:
        raise CannotWriteTest(
            f"{name_of(function)} has no name by which a test could import it: write it with def at the top level of a"
            " module, not as a lambda, a partial or a function inside another one"
        )
    return path
