"""The instruments that notebooks and checks share. Needs the extra `lab`."""

from .cost import measure
from .crash import explore_crashes
from .race import explore
from .sqltrace import capture_sql

__all__ = ["capture_sql", "explore", "explore_crashes", "measure"]
