"""A schedule kept as a pytest case, which fails until the code is mended.

Names are written as they stand in the functions: a lambda has none, and its case has to be written by hand.
Read next: `found.py`.
"""

from __future__ import annotations

from collections.abc import Iterable


def arguments(setup: str | None, invariant: str, schema: str | None, journal: str) -> str:
    """The arguments of an exploration, besides the actors, as they are written in a call."""
    parts = [f" setup={setup}"] if setup else []
    parts.append(f" invariant={invariant}")
    parts += [f" schema={schema!r}"] if schema != "both" else []
    parts += [f" journal={journal!r}"] if journal != "wal" else []
    return ",".join(parts)


def case(schedule: str, problems: Iterable[str], actors: Iterable[str], arguments: str) -> str:
    """A test that runs this one schedule."""
    return (
        f"def test_the_schedule_{schedule}() -> None:\n"
        f"    # found: {'; '.join(problems)!r}\n"
        f"    found = explore([{', '.join(actors)}],{arguments}, schedules=[{schedule!r}])\n"
        "    assert found.holds, str(found)\n"
    )
