"""Live views of a queue for notebooks. Needs the extra `lab`; `import taskref_edu` does not import this.

Each is imported at its first use: a panel needs no scheduler, and so no explorer.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ..errors import expect_package

for _package in ("ipywidgets", "anywidget", "orjson"):  # so that what is missing has our name
    expect_package(_package, "lab")

if TYPE_CHECKING:
    from .panel.panel import Panel
    from .scheduler.break_the_shop import break_the_shop
    from .scheduler.scheduler import RecordedGame, Scheduler

__all__ = ["Panel", "RecordedGame", "Scheduler", "break_the_shop"]

_HOMES = {
    "Panel": "panel.panel",
    "RecordedGame": "scheduler.scheduler",
    "Scheduler": "scheduler.scheduler",
    "break_the_shop": "scheduler.break_the_shop",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
