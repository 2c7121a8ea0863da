"""Recordings by name."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from taskref_edu.lab.player.recording import Recording

FOLDER = Path(__file__).with_name("recordings")


@pytest.fixture(scope="session")
def recorded() -> Callable[[str], Recording]:
    """The recording of this name."""
    return lambda name: Recording(json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8")))
