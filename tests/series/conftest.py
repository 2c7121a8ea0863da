"""A small series in a folder of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from taskref_edu.series.minutes import MEASURED

SOURCE = """---
title: Two arrows
question: Which way?
objectives:
  1-follow: Find the order of a task.
---

Some prose.

+++

## Look

More prose.

```{recall} Who commits?
The caller.
```

```{recall} Who claims?
The worker.
```

```{code-cell}
from taskref_edu.exercises import guess, reveal
```

```{code-cell}
guess("01-a", None)
```

```{code-cell}
:tags: [hide-input]
:name: the sum

total = 1 + 1
reveal("01-a", total)
```

```{explain} 01-a
Two is the sum.
```

```{exercise} 1.1
```

```{code-cell}
print(total)
```

## What we left for later

Much.

+++

## To take home

One and one is two.
"""


class Series:
    """A clone with one source, `01_two_arrows.md`, to be changed by a test."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.source = root / "authoring" / "01_two_arrows.md"
        self.notebook = root / "notebooks" / "01_two_arrows.ipynb"
        self.source.parent.mkdir()
        self.source.write_text(SOURCE)
        (self.source.parent / MEASURED).write_text('{"01": {"seconds": 600.0}}')  # a short notebook that runs long

    def change(self, old: str, new: str) -> None:
        """Replace `old`, which must be there, in the source."""
        text = self.source.read_text()
        assert old in text
        self.source.write_text(text.replace(old, new))


@pytest.fixture
def series(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Series:
    monkeypatch.setenv("TASKREF_HOME", str(tmp_path / ".taskref"))
    return Series(tmp_path)
