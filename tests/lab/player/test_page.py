"""The player's HTML: the module once, small enough; without scripts the still and the table."""

from __future__ import annotations

import gzip
import re

import pytest

from taskref_edu.lab.player import notebook_cell
from taskref_edu.lab.player.notebook_cell import Cell, module_wanted
from taskref_edu.lab.player.page import FILES, FOLDER, element_name, module, player_html
from tests.lab.player.scenarios import recorded


def test_the_module_is_small() -> None:
    """JavaScript and CSS as a page gets them."""
    source = module().encode()
    assert len(source) <= 80_000
    assert len(gzip.compress(source)) <= 25_000


def test_every_file_is_in_it__and_none_is_long() -> None:
    files = sorted(path.stem for path in (FOLDER / "js").glob("*.js"))
    assert files == sorted(FILES)
    assert all(len((FOLDER / "js" / f"{name}.js").read_text().splitlines()) < 600 for name in FILES)


def test_it_can_stand_in_a_page() -> None:
    assert "</script" not in module()
    assert re.fullmatch(r"taskref-player-[0-9a-f]{10}", element_name())
    assert f'const ELEMENT = "{element_name()}"' in module()


def test_without_scripts_there_is_the_still_and_the_table() -> None:
    html = player_html(recorded("race").facts, with_module=False)
    assert "customElements" not in html
    shown = re.sub(r"<script.*?</script>", "", html, flags=re.DOTALL)
    assert shown.count("<img ") == 1
    assert 'alt="34 of 36 interleavings break: 2 live payments for order 7.' in shown
    assert shown.count('<th scope="row">') == 14


def test_the_module_comes_with_the_first_cell_of_a_page(monkeypatch: pytest.MonkeyPatch) -> None:
    here: list[Cell | None] = [None]
    monkeypatch.setattr(notebook_cell, "current_cell", lambda: here[0])
    monkeypatch.setattr(notebook_cell, "_first", None)
    assert [module_wanted(), module_wanted()] == [True, True], "outside a kernel, each output stands alone"
    wanted = []
    for here[0] in (Cell("1", "a"), Cell("1", "a"), Cell("2", "b"), Cell("1", "c"), Cell("2", "d")):
        wanted.append(module_wanted())
    assert wanted == [True, False, False, True, False], "a cell that runs again has lost its former output"
