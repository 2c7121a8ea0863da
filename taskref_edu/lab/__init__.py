"""The instruments that notebooks and exercises' checks share. Needs the extra `race`.

Each is imported at its first use: a panel needs none of the explorer, whose import would triple its start.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ..errors import expect_package

expect_package("greenlet", "race")

if TYPE_CHECKING:
    from .cost import measure
    from .explorer.explore import explore
    from .explorer.explore_crashes import explore_crashes
    from .sqltrace import capture_sql

__all__ = ["capture_sql", "explore", "explore_crashes", "measure"]

_HOMES = {
    "capture_sql": "sqltrace",
    "explore": "explorer.explore",
    "explore_crashes": "explorer.explore_crashes",
    "measure": "cost",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
