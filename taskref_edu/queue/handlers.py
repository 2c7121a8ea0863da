"""Which function handles which type of task, and the sugar that puts a function's arguments into the payload."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

from sqlmodel import Session

from ..arguments import expect_name, short
from ..errors import PayloadError, UnknownType
from ..models import LONGEST_TYPE, Task
from .running_task import RunningTask

Handler = Callable[[RunningTask], Any]
H = TypeVar("H", bound=Handler)


class Handlers:
    """The handlers of one queue, by type. Registering a type again replaces its handler, as a re-run cell does."""

    def __init__(self) -> None:
        self._handlers: dict[str, Handler] = {}

    def add(self, type: str, function: Handler) -> None:
        """Let `function` handle tasks of `type`; raise TypeError or ValueError if either is of the wrong kind."""
        expect_name("type", type, LONGEST_TYPE)
        _expect_function(function)
        self._handlers[type] = function

    def of(self, type: str) -> Handler:
        """The handler of `type`; UnknownType if there is none."""
        try:
            return self._handlers[type]
        except KeyError:
            known = ", ".join(sorted(self._handlers)) or "none"
            raise UnknownType(
                f"no handler for type {type!r} (known: {known}): register one with @queue.handler({type!r})"
            ) from None


class BackgroundFunction:
    """A function that can be called as it is, or run in the background with its arguments as the payload."""

    def __init__(self, enqueue: Callable[..., Task], function: Callable[..., Any]) -> None:
        _expect_function(function)
        self._enqueue = enqueue
        self.function = function
        self.signature = inspect.signature(function)
        self.__name__, self.__doc__ = getattr(function, "__name__", ""), function.__doc__
        for parameter in self.signature.parameters.values():
            if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
                raise TypeError(f"{self.__name__}: {parameter} found; a payload needs parameters with plain names")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.function(*args, **kwargs)

    def run_in_background(self, session: Session, *args: Any, **kwargs: Any) -> Task:
        """Enqueue a call with these arguments and return its task; TypeError if a name is wrong or missing."""
        arguments = self.signature.bind(*args, **kwargs).arguments
        return self._enqueue(session, self.__name__, arguments)

    def handle(self, task: RunningTask) -> Any:
        """Call the function with the payload; PayloadError if the payload does not fit its parameters."""
        try:
            bound = self.signature.bind(**(task.payload or {}))
        except TypeError as error:
            raise PayloadError(
                f"task {task.id}: payload {short(task.payload)} does not fit {self.__name__}: {error}"
            ) from None
        return self.function(*bound.args, **bound.kwargs)


def _expect_function(function: Any) -> None:
    if not callable(function):
        raise TypeError(f"{short(function)} found, a function expected")
    inner = getattr(function, "function", function)  # of a BackgroundFunction
    if inspect.iscoroutinefunction(inner) or inspect.isgeneratorfunction(inner) or inspect.isasyncgenfunction(inner):
        # Calling it would run nothing, and the task would succeed.
        raise TypeError(f"{short(function)} found, a plain function expected: call asyncio.run(…) inside one")
