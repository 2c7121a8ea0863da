"""The player's HTML: the module once, small enough; without scripts the still and the table."""

from __future__ import annotations

import gzip
import re
from base64 import b64decode

import pytest

from taskref_edu.lab.player import notebook_cell
from taskref_edu.lab.player.notebook_cell import Cell, module_wanted
from taskref_edu.lab.player.page import (
    FOLDER,
    SCRIPTS,
    STYLES,
    element_name,
    module,
    player_html,
    small_script,
    small_style,
)
from taskref_edu.lab.player.still import still
from tests.lab.player.scenarios import recorded

pytestmark = pytest.mark.xdist_group("recordings")  # each is recorded once, in one process


def test_the_module_is_small() -> None:
    """JavaScript and CSS as a page gets them."""
    source = module().encode()
    assert len(source) <= 80_000
    assert len(gzip.compress(source)) <= 25_000


def test_every_file_is_in_it__and_can_be_read() -> None:
    """Formatted as `prettier --print-width 120` does it."""
    for kind, names in (("js", SCRIPTS), ("css", STYLES)):
        files = {path.stem: path.read_text().splitlines() for path in (FOLDER / kind).glob(f"*.{kind}")}
        assert sorted(files) == sorted(names)
        assert {name: len(lines) for name, lines in files.items() if len(lines) > 400} == {}
        assert [line for lines in files.values() for line in lines if len(line) > 120] == []


def test_no_text_of_the_script_runs_over_a_line_break() -> None:
    """The module joins lines, and strips their indentation."""
    for path in (FOLDER / "js").glob("*.js"):
        assert [line for line in path.read_text().splitlines() if line.count("`") % 2] == []


def test_what_only_formatting_needs_is_left_out() -> None:
    source = "// why\nconst a = f(\n  [1, 2], // how\n  { b: `c, d` },\n);\nreturn (\n  a\n    .at(0) ||\n  null\n);\n"
    assert small_script(source) == "const a = f([1, 2],{ b: `c, d` });return (a.at(0) ||\nnull);"
    style = """/* why */\n.a,\n.b > i:hover {\n  color: color-mix(in srgb, red 5%, blue);\n  content: "→ ";\n}\n"""
    assert small_style(style) == ".a,.b > i:hover{color:color-mix(in srgb,red 5%,blue);content:'→ '}"


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


def test_the_repair_is_in_a_picture_that_is_asked_for__not_in_a_notebooks() -> None:
    race = recorded("race")
    assert "What would have helped?" in still(race, race.opened, helped=True)
    html = player_html(race.facts)
    picture = re.search(r"base64,([^\"]+)", html)
    assert picture is not None
    assert "What would have helped?" not in b64decode(picture[1]).decode()


def test_the_module_comes_with_the_first_cell_of_a_page(monkeypatch: pytest.MonkeyPatch) -> None:
    here: list[Cell | None] = [None]
    monkeypatch.setattr(notebook_cell, "current_cell", lambda: here[0])
    monkeypatch.setattr(notebook_cell, "_first", None)
    assert [module_wanted(), module_wanted()] == [True, True], "outside a kernel, each output stands alone"
    wanted = []
    for here[0] in (Cell("1", "a"), Cell("1", "a"), Cell("2", "b"), Cell("1", "c"), Cell("2", "d")):
        wanted.append(module_wanted())
    assert wanted == [True, False, False, True, False], "a cell that runs again has lost its former output"
