"""Live views of a queue for notebooks. Needs the extra `lab`; `import taskref_edu` does not import this.

Each is imported at its first use: a panel needs no scheduler, and so no explorer.
"""

from typing import TYPE_CHECKING

from ..errors import expect_package
from ..lazy_imports import at_first_use

for _package in ("ipywidgets", "anywidget", "orjson"):  # so that what is missing has our name
    expect_package(_package, "lab")

if TYPE_CHECKING:
    from .panel.panel import Panel
    from .scheduler.break_the_shop import break_the_shop
    from .scheduler.scheduler import RecordedGame, Scheduler

__all__ = ["Panel", "RecordedGame", "Scheduler", "break_the_shop"]

__getattr__ = at_first_use(
    __name__,
    {
        "Panel": "panel.panel",
        "RecordedGame": "scheduler.scheduler",
        "Scheduler": "scheduler.scheduler",
        "break_the_shop": "scheduler.break_the_shop",
    },
)


def __dir__() -> list[str]:
    return __all__
