"""Which function handles which type of task; and functions that run in the background, their arguments as payload."""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Generator
from typing import Any, TypeVar

from sqlalchemy.orm import Session

from ..arguments import expect_name, short
from ..errors import HandlerNotRun, PayloadError, UnknownType
from ..models import LONGEST_TYPE, Task
from .running_task import RunningTask

Handler = Callable[[RunningTask], Any]
H = TypeVar("H", bound=Handler)
_LAZY = (Awaitable, Generator, AsyncGenerator)  # what a call returns whose code has not run


class Handlers:
    """The handlers of one queue, by type. Registering a type again replaces its handler, as a re-run cell does."""

    def __init__(self) -> None:
        self._handlers: dict[str, Handler] = {}

    def add(self, type: str, function: Handler) -> None:
        """Let `function` handle tasks of `type`; raise TypeError or ValueError if either is of the wrong kind."""
        expect_name("type", type, LONGEST_TYPE)
        _expect_function(function)
        self._handlers[type] = function

    def add_background(self, function: BackgroundFunction) -> None:
        """Let `function` handle the tasks of its name; ValueError if another function of that name does already."""
        before = getattr(self._handlers.get(function.__name__), "__self__", None)
        if isinstance(before, BackgroundFunction) and before.place != function.place:
            raise ValueError(
                f"type {function.__name__!r}: {before.place} handles it, {function.place} found; "
                "one function for each name expected: rename one"
            )
        self.add(function.__name__, function.handle)

    def of(self, type: str) -> Handler:
        """The handler of `type`; UnknownType if there is none."""
        try:
            return self._handlers[type]
        except KeyError:
            known = ", ".join(sorted(self._handlers)) or "none"
            raise UnknownType(
                f"no handler for type {type!r} (known: {known}): register one with @queue.handler({type!r})"
            ) from None


def expect_ran(result: Any, what: str) -> None:
    """Raise HandlerNotRun if calling `what` returned an awaitable or a generator: its code never ran.

    Registration cannot always detect this, because the function may be wrapped. Any other result is ignored.
    """
    if isinstance(result, _LAZY):
        if isinstance(result, Coroutine | Generator):
            result.close()  # otherwise Python warns that it was never awaited
        raise HandlerNotRun(
            f"{what} returned {type(result).__name__!r}, so its code never ran; a plain function expected: "
            "call asyncio.run(…), or go through the generator, inside one"
        )


class BackgroundFunction:
    """A function that can be called as usual, or run in the background with its arguments as the payload."""

    def __init__(self, enqueue: Callable[..., Task], function: Callable[..., Any]) -> None:
        _expect_function(function)
        self._enqueue = enqueue
        self.function = function
        self.signature = inspect.signature(function)
        self.__name__, self.__doc__ = getattr(function, "__name__", ""), function.__doc__
        if not self.__name__.isidentifier():  # such as <lambda>: all lambdas would share one type
            raise TypeError(f"{short(function)} found, a function with a name of its own expected: use def")
        for parameter in self.signature.parameters.values():
            if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
                raise TypeError(f"{self.__name__}: {parameter} found; a payload needs parameters with plain names")

    @property
    def place(self) -> str:
        """Where the function is defined; the same when a cell or a module is run again."""
        return f"{getattr(self.function, '__module__', '')}.{getattr(self.function, '__qualname__', self.__name__)}"

    # Positional only: the function's own parameters may be called `self` and `session`.

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        return self.function(*args, **kwargs)

    def run_in_background(self, session: Session, /, *args: Any, **kwargs: Any) -> Task:
        """Enqueue a call with these arguments and return its task; TypeError if the function does not take them."""
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
    inner = getattr(function, "function", function)  # inside a BackgroundFunction
    called = (inner, type(inner).__call__)
    if any(map(_is_lazy, called)):  # what can be detected before the call; see expect_ran() for the rest
        raise TypeError(f"{short(function)} found, a plain function expected: call asyncio.run(…) inside one")


def _is_lazy(function: Any) -> bool:
    return (
        inspect.iscoroutinefunction(function)
        or inspect.isgeneratorfunction(function)
        or inspect.isasyncgenfunction(function)
    )
