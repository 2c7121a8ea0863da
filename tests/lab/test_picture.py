"""The picture of a broken schedule shows what a run finds today."""

from __future__ import annotations

from xml.etree import ElementTree

from tools import pictures


def test_the_committed_picture_is_the_one_that_is_drawn() -> None:
    for name, draw in pictures.PICTURES.items():
        drawn = draw()
        ElementTree.fromstring(drawn)
        assert drawn == (pictures.FOLDER / name).read_text(encoding="utf-8"), "make pictures draws it anew"
