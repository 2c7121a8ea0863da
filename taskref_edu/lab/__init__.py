"""The instruments that notebooks and exercises' checks share. Needs the extra `race`.

Each is imported at its first use: a panel needs none of the explorer, whose import would triple its start.
"""

from typing import TYPE_CHECKING

from ..errors import expect_package
from ..lazy_imports import at_first_use

expect_package("greenlet", "race")

if TYPE_CHECKING:
    from .cost import measure
    from .explorer.explore import explore
    from .explorer.explore_crashes import explore_crashes
    from .sqltrace import capture_sql

__all__ = ["capture_sql", "explore", "explore_crashes", "measure"]

__getattr__ = at_first_use(
    __name__,
    {
        "capture_sql": "sqltrace",
        "explore": "explorer.explore",
        "explore_crashes": "explorer.explore_crashes",
        "measure": "cost",
    },
)


def __dir__() -> list[str]:
    return __all__
