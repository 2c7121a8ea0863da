"""The map shows the house as it is."""

from __future__ import annotations

import re

from tools import rooms

ROOT = rooms.PACKAGE.parent
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
OTHERS = {"use-it.md", "test-your-own-code.md"}  # they name the files of a reader's own project
DOCUMENTS = (page for room in ("docs", "authoring", "benchmarks") for page in (ROOT / room).rglob("*.md"))
PAGES = [page for page in (*ROOT.glob("*.md"), *DOCUMENTS) if page.name not in OTHERS]
FILE = re.compile(r"\b([a-z_0-9]+\.(?:py|js))\b")


def test_the_picture_is_the_one_that_the_imports_draw() -> None:
    drawn = rooms.picture(rooms.rooms())
    assert rooms.PICTURE.read_text(encoding="utf-8") == drawn, "run `python tools/rooms.py`"


def test_each_room_has_its_question() -> None:
    assert set(rooms.QUESTIONS) == set(rooms.rooms())


def test_functions_and_classes_that_it_names_are_where_it_says() -> None:
    named = re.findall(r"`([\w.]+)(?:\(.*?\))?` (?:in|\()\s*\[`[\w/.]+`\]\(\.\./taskref_edu/([\w/.]+)\)", PAGE)
    assert len(named) > 4
    missing = [
        (name, path)
        for name, path in named
        if f"def {name.split('.')[-1]}(" not in (rooms.PACKAGE / path).read_text(encoding="utf-8")
    ]
    assert missing == []


def test_every_file_that_a_document_names_is_there() -> None:
    folders = [ROOT / name for name in ("taskref_edu", "tests", "tools", "benchmarks")]
    known = {path.name for folder in folders for path in folder.rglob("*.*")}
    named = [(page.name, name) for page in PAGES for name in FILE.findall(page.read_text(encoding="utf-8"))]
    assert len(named) > 50
    assert [(page, name) for page, name in named if name not in known] == []
