"""Writes the notebooks without losing anything: answers are carried over by id, and old files are kept.

`command()` is `taskref build`.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..clone import root as clone_root
from ..exercises.cell_parsing import ids_in
from ..exercises.exercise import Exercise, find, names
from ..exercises.loader import imports_of, is_attempted
from ..exercises.notebook_files import BadNotebook, code_cells, ids_meant, read_notebook
from ..exercises.notebook_files import source as text_of
from ..exercises.outline import OUTLINE
from ..exercises.predictions import EXPLANATIONS
from ..exercises.progress import write_whole
from .minutes import minutes_of, with_minutes
from .notebook import CodeOf, mark_of, solution_of, stub_of, to_notebook, to_text
from .outline_writer import outline
from .rules import violations
from .source import BadSource, Source, read_source, sources

PAGES = ("authoring/README.md", "docs/teaching.md", "README.md", "docs/tour.md")  # with tables of minutes
BUILT = re.compile(r"\d\d_\w+\.ipynb")
Answers = dict[str, str]  # exercise id -> the learner's cell


@dataclass
class Written:
    """What happened to one notebook."""

    path: Path
    changed: bool
    carried: list[str] = field(default_factory=list)
    kept: Path | None = None  # where the old file went
    notes: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        line = f"{self.path}: {'written' if self.changed else 'unchanged'}"
        if self.carried:
            line += f"; answers carried over: {', '.join(self.carried)}"
        if self.kept:
            line += f"; the file that was there is kept as {self.kept}"
        return "\n".join([line, *(f"  {note}" for note in self.notes)])


def command(names: Sequence[str], check: bool, solutions: str | None) -> int:
    """Write the notebooks, or solved ones elsewhere, or list broken rules; returns the exit code."""
    root = clone_root()
    if not (root / "authoring").is_dir():
        raise BadSource(f"no folder authoring/ in {root}: run this inside a clone of the repository")
    if check:
        return _check(chosen(root / "authoring", names))
    for line in build_solutions(root, Path(solutions)) if solutions else build(root, names):
        print(line)
    return 0


def _check(paths: Sequence[Path]) -> int:
    found = violations(paths)
    for violation in found:
        print(violation)
    print(f"{len(found)} problems in {len(paths)} sources" if found else f"no problem in {len(paths)} sources")
    return int(bool(found))


def build(root: Path, names: Sequence[str] = ()) -> list[Written]:
    """Write the notebooks of `root/authoring` to `root/notebooks`; `names`: prefixes of their names, none for all."""
    folder = root / "notebooks"
    folder.mkdir(exist_ok=True)
    found = [read_source(path) for path in chosen(root / "authoring", names)]
    everything = {path: answers_in(path) for path in sorted(folder.glob("*.ipynb"))}
    backup = root / ".taskref" / "backup" / datetime.now(UTC).strftime("%Y%m%d-%H%M%S-%f")
    _write_data(root, found)
    _write_minutes(root)
    return [_write(source, folder / f"{source.name}.ipynb", everything, backup) for source in found]


def _write_data(root: Path, found: Sequence[Source]) -> None:
    """Keep as the package's data what reveal(), recall() and progress() show of these sources."""
    folder = root / "taskref_edu" / "exercises"
    if folder.is_dir():
        path = folder / EXPLANATIONS.name
        write_whole(path, explanations(found, _known(path, {})))
        path = folder / OUTLINE.name
        write_whole(path, outline(found, _known(path, [])))


def _known(path: Path, none: Any) -> Any:
    """What an earlier build has written there."""
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else none


def _write_minutes(root: Path) -> None:
    """Fill in the minutes wherever a page of the repository has them in a table."""
    minutes = {source.number: minutes_of(source) for source in map(read_source, sources(root / "authoring"))}
    for path in (root / page for page in PAGES):
        if path.exists() and (text := path.read_text(encoding="utf-8")) != (new := with_minutes(text, minutes)):
            write_whole(path, new)


def explanations(found: Sequence[Source], known: dict[str, str]) -> str:
    """The text of the explanations' file: new ones of these sources, and the known ones of all others."""
    numbers = {source.number for source in found}
    kept = {id: text for id, text in known.items() if id.partition("-")[0] not in numbers}
    for source in found:
        kept |= source.explanations
    return json.dumps(dict(sorted(kept.items())), indent=1, ensure_ascii=False) + "\n"


def build_solutions(root: Path, out: Path) -> list[Path]:
    """Write every notebook with the catalog's solutions to the folder `out`."""
    return build_into(root / "authoring", out, solution_of)


def build_into(authoring: Path, out: Path, code_of: CodeOf = stub_of) -> list[Path]:
    """Write every notebook to the folder `out`, replacing what is there."""
    out.mkdir(parents=True, exist_ok=True)
    written = []
    for path in sources(authoring):
        target = out / f"{path.stem}.ipynb"
        write_whole(target, to_text(to_notebook(read_source(path), code_of)))
        written.append(target)
    return written


def chosen(authoring: Path, names: Sequence[str]) -> list[Path]:
    """The sources whose names start with one of these; BadSource for a name that matches none."""
    every = sources(authoring)
    for name in names:
        if not any(path.name.startswith(Path(name).name) for path in every):
            raise BadSource(f"no source in {authoring} begins with {name!r}")
    return [path for path in every if not names or any(path.name.startswith(Path(name).name) for name in names)]


def answers_in(path: Path) -> Answers | BadNotebook:
    """What a learner wrote in a notebook, by exercise; a stub of this or an earlier build is no answer."""
    try:
        notebook = read_notebook(path)
    except BadNotebook as error:
        return error
    numbered = code_cells(notebook)
    imported = imports_of(text_of(cell) for _, cell in numbered)
    found: Answers = {}
    for _, cell in numbered:
        text = text_of(cell)
        for id in ids_meant(cell, text, imported):
            counts = id in ids_in(text, imported) or id not in found  # a cell that cannot be checked replaces no answer
            if id in names() and counts and _touched(cell, text, find(id), imported):
                found[id] = text
    return found


def _touched(cell: dict[str, Any], text: str, exercise: Exercise, imported: Sequence[ast.AST]) -> bool:
    ours = cell["metadata"].get("taskref", {})
    if isinstance(ours, dict) and ours.get("stub") == mark_of(text):
        return False
    return is_attempted(exercise, text, imported)


def _write(source: Source, path: Path, everything: dict[Path, Answers | BadNotebook], backup: Path) -> Written:
    written = Written(path, changed=False)
    answers = _answers_for(source, path, everything, written)
    text = to_text(to_notebook(source, lambda exercise: answers.get(exercise.id) or stub_of(exercise)))
    before = path.read_bytes() if path.exists() else None
    if before == text.encode():
        return written
    if before is not None:
        written.kept = backup / path.name
        backup.mkdir(parents=True, exist_ok=True)
        written.kept.write_bytes(before)
    write_whole(path, text)
    written.changed, written.carried = True, list(answers)
    return written


def _answers_for(
    source: Source, path: Path, everything: dict[Path, Answers | BadNotebook], written: Written
) -> Answers:
    """The answers in this notebook's old file; for an exercise that moved here, the answer in its former notebook.

    A learner's copy of a notebook does not fill an existing stub. A notebook that has left the series does, because a
    pull brings stubs in the notebooks that replace it.
    """
    own = everything.get(path, {})
    if isinstance(own, BadNotebook):
        written.notes.append(f"{own}; what was in it could not be carried over")
        own = {}
    elsewhere: Answers = {}
    left: Answers = {}
    for other, answers in everything.items():
        if other != path and not isinstance(answers, BadNotebook):
            kept = left if _has_left_the_series(other, source.path.parent) else elsewhere
            kept.update({id: text for id, text in answers.items() if id not in kept})
    held = own.keys() | _ids_of(path)
    moved = left | {id: text for id, text in elsewhere.items() if id not in held}
    return {id: own[id] if id in own else moved[id] for id in source.exercise_ids if id in own or id in moved}


def _has_left_the_series(notebook: Path, authoring: Path) -> bool:
    """Whether its name is like that of a built notebook, but no source has this name. Copies have other names."""
    return bool(BUILT.fullmatch(notebook.name)) and not (authoring / f"{notebook.stem}.md").exists()


def _ids_of(path: Path) -> set[str]:
    try:
        return {id for _, cell in code_cells(read_notebook(path)) for id in ids_in(text_of(cell))}
    except BadNotebook:
        return set()
