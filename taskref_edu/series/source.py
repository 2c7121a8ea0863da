"""One notebook's source: Markdown in jupytext's MyST format, with our own blocks: exercise, recall, explain.

Not covered: what a notebook must contain (`rules.py`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ..errors import TaskrefError
from ..exercises.exercise import Exercise, find, names

Kind = Literal["prose", "code", "exercise", "recall", "explain"]
OWN = re.compile(r"^```\{(exercise|recall|explain)\}[ \t]*(.*)\n((?:.*\n)*?)```[ \t]*$", re.MULTILINE)
HEADING = re.compile(r"^(#{1,6})[ \t]+(.+?)[ \t#]*$", re.MULTILINE)
GUESS = re.compile(r"""^guess\(["'](\d\d-\w)["']""", re.MULTILINE)
FENCED = re.compile(r"^```.*?^```[ \t]*$", re.MULTILINE | re.DOTALL)


class BadSource(TaskrefError):
    """A source that cannot be read as a notebook."""


@dataclass(frozen=True)
class Block:
    """A part of the source that becomes one cell; an exercise becomes two, an explanation none.

    line: its first line in the file. head: the id of an exercise or of an explained guess, or a recall item's question.
    options: those at the top of a code block (`:tags: […]`, `:name: …`).
    """

    kind: Kind
    text: str
    line: int
    head: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Source:
    """A notebook's source: the frame (its front matter), and its blocks from the top down."""

    path: Path
    frame: Mapping[str, Any]
    blocks: Sequence[Block]

    @property
    def name(self) -> str:
        """`01_two_arrows`."""
        return self.path.stem

    @property
    def number(self) -> str:
        """`01`: the notebook's number, as in the file's name."""
        return self.name.partition("_")[0]

    @property
    def objectives(self) -> Mapping[str, str]:
        """Each objective's text by its id."""
        return self.frame.get("objectives") or {}

    @property
    def exercise_ids(self) -> list[str]:
        """The notebook's exercises, from the top down."""
        return [block.head for block in self.blocks if block.kind == "exercise"]

    def exercises(self) -> Iterator[tuple[int, Exercise]]:
        """Those of them that are in the catalog, each with its line."""
        known = names()
        for block in self.blocks:
            if block.kind == "exercise" and block.head in known:
                yield block.line, find(block.head)

    @property
    def guesses(self) -> Mapping[str, str]:
        """What each prediction asks, by its id: the last paragraph with a question mark in the prose above it."""
        found: dict[str, str] = {}
        question = ""
        for block in self.blocks:
            if block.kind == "prose":
                bare = HEADING.sub("", FENCED.sub("", block.text))
                asking = [text for text in re.split(r"\n\s*\n", bare) if "?" in text]
                question = " ".join(asking[-1].split()) if asking else question
            elif block.kind == "code":
                found |= dict.fromkeys(GUESS.findall(block.text), question)
        return found

    @property
    def explanations(self) -> Mapping[str, str]:
        """What `reveal` shows after each experiment, by the guess's id."""
        return {block.head: block.text for block in self.blocks if block.kind == "explain"}


def sources(folder: Path) -> list[Path]:
    """The sources in a folder: files whose names start with a number."""
    return sorted(folder.glob("[0-9]*.md"))


def read_source(path: Path) -> Source:
    """Read a source; raises BadSource with the line."""
    from jupytext.myst import MystMetadataParsingError, myst_to_notebook
    from nbformat import ValidationError

    text = path.read_text(encoding="utf-8")
    try:
        notebook = myst_to_notebook(text, add_source_map=True)
    except (MystMetadataParsingError, ValidationError, ValueError) as error:
        raise BadSource(f"{path.name}: {error}") from None
    lines = notebook.metadata.pop("source_map")
    blocks: list[Block] = []
    for cell, line in zip(notebook.cells, lines, strict=True):
        if cell.cell_type == "code":
            blocks.append(Block("code", cell.source, line + 1, options=dict(cell.metadata)))
        else:
            blocks += _split(cell.source, _skip_blank(text, line))
    return Source(path, dict(notebook.metadata), blocks)


def _skip_blank(text: str, line: int) -> int:
    """The first line of text: the source map counts the blank lines before a prose cell as part of it."""
    lines = text.splitlines()
    while line < len(lines) and not lines[line].strip():
        line += 1
    return line + 1


def _split(prose: str, line: int) -> Iterator[Block]:
    """A prose cell as prose, exercise and recall blocks."""
    end = 0
    for found in OWN.finditer(prose):
        yield from _prose(prose, end, found.start(), line)
        kind: Any = found[1]
        yield Block(kind, found[3].strip(), line + prose.count("\n", 0, found.start()), head=found[2].strip())
        end = found.end()
    yield from _prose(prose, end, len(prose), line)


def _prose(text: str, start: int, end: int, line: int) -> Iterator[Block]:
    piece = text[start:end]
    if piece.strip():
        blank = len(piece) - len(piece.lstrip())
        yield Block("prose", piece.strip(), line + text.count("\n", 0, start + blank))


def headings(block: Block) -> list[tuple[int, str, int]]:
    """The headings of a prose block, outside fenced code: level, text and line in the file."""
    bare = FENCED.sub(lambda match: "\n" * match[0].count("\n"), block.text)
    return [
        (len(found[1]), found[2], block.line + bare.count("\n", 0, found.start())) for found in HEADING.finditer(bare)
    ]
