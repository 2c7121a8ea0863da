"""The pictures of docs/tour.md are of cells that are there."""

from __future__ import annotations

import nbformat
import pytest

from .key_cells import KEYS
from .lab import REPOSITORY


@pytest.mark.parametrize("name", KEYS)
def test_the_key_cell_is_in_its_notebook_and_its_picture_in_the_tour(name: str) -> None:
    cells = nbformat.read(REPOSITORY / "notebooks" / f"{name}.ipynb", as_version=4).cells
    assert any(KEYS[name].containing in cell.source for cell in cells if cell.cell_type == "code")
    tour = (REPOSITORY / "docs" / "tour.md").read_text(encoding="utf-8")
    assert f"notebooks/{name}.ipynb" in tour
    assert f"pictures/notebooks/{name[:2]}.png" in tour
