"""The instruments that notebooks and exercises' checks share. Needs the extra `lab`."""

from .cost import measure
from .explorer.explore import explore
from .explorer.explore_crashes import explore_crashes
from .sqltrace import capture_sql

__all__ = ["capture_sql", "explore", "explore_crashes", "measure"]
