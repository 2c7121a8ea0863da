"""Live views of a queue for notebooks. Needs the extra `lab`; `import taskref_edu` does not import this."""

from ..errors import expect_package

for _package in ("ipywidgets", "anywidget", "orjson"):
    expect_package(_package, "lab")

from .panel.panel import Panel  # noqa: E402 - only now, so that what is missing has our name
from .scheduler.break_the_shop import break_the_shop  # noqa: E402
from .scheduler.scheduler import RecordedGame, Scheduler  # noqa: E402

__all__ = ["Panel", "RecordedGame", "Scheduler", "break_the_shop"]
