"""The rules for authors: each is a function that yields a source's violations, with the line.

A test enforces them over `authoring/`. Not covered: what only a run can show (`tests/series/test_run.py`); and what
needs a reader, such as whether a guess comes before *each* idea and whether a picture's description fits it.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..exercises import cell_parsing as cells
from ..exercises.exercise import names
from .cell_rules import (
    Found,
    calls_of,
    code_blocks,
    code_is_short,
    figures_have_words,
    headings_in_order,
    links_lead_somewhere,
    no_code_in_prose,
    prose_is_short,
    wording,
)
from .minutes import minutes_of
from .notebook import slug, to_notebook
from .source import BadSource, Block, Source, headings, read_source

MINUTES, FIRST_MINUTES = range(20, 46), range(5, 16)
TAKE_HOME, LATER = "To take home", "What we left for later"
FIRST = "00"  # the notebook without exercises


@dataclass(frozen=True)
class Violation:
    """A violation of a rule, and where it is in a source."""

    path: Path
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.path.name}:{self.line}: {self.text}"


Rule = Callable[[Source], Found]


def violations(paths: Iterable[Path]) -> list[Violation]:
    """All violations of rules in these sources, by file and line."""
    found: list[Violation] = []
    for path in paths:
        try:
            source = read_source(path)
        except BadSource as error:
            found.append(Violation(path, 1, str(error)))
            continue
        found += sorted({Violation(path, *one) for rule in RULES for one in rule(source)}, key=lambda one: one.line)
    return found


def frame_is_complete(source: Source) -> Found:
    """Title and question are in the front matter; the minutes are computed."""
    for key in ("title", "question"):
        if not source.frame.get(key):
            yield 1, f"the front matter has no {key}"
    if unknown := source.frame.keys() - {"title", "question", "objectives", "jupytext", "kernelspec"}:
        yield 1, f"the front matter has unknown keys: {', '.join(sorted(unknown))}"


def length_fits(source: Source) -> Found:
    """By words, run time, predictions and exercises, 20 to 45 minutes; the first notebook at most 15."""
    minutes, allowed = minutes_of(source), FIRST_MINUTES if source.number == FIRST else MINUTES
    if minutes not in allowed:
        advice = "split or cut it" if minutes > allowed[-1] else "merge it with another"
        yield 1, f"{minutes} minutes found, {allowed[0]} to {allowed[-1]} expected: {advice}"


def objectives_have_exercises(source: Source) -> Found:
    """Each objective is named by an exercise of the notebook, and the other way round."""
    named = {exercise.id: exercise.objective for _, exercise in source.exercises()}
    for objective in source.objectives:
        if objective not in named.values():
            yield 1, f"objective {objective} has no exercise: none of {', '.join(named) or 'none'} names it"
    for block in source.blocks:
        if block.kind == "exercise" and block.head not in named:
            yield block.line, f"exercise {block.head} is not in the catalog"
        elif block.kind == "exercise" and named[block.head] not in source.objectives:
            yield block.line, f"exercise {block.head} names the objective {named[block.head]}: not listed"
    if not source.objectives and source.number != FIRST:
        yield 1, "the front matter has no objectives"


def two_recall_items(source: Source) -> Found:
    """From 01 on, two questions about earlier notebooks, each with its answer."""
    recall = [block for block in source.blocks if block.kind == "recall"]
    if source.number != FIRST and len(recall) < 2:
        yield 1, f"{len(recall)} recall items found, 2 expected"
    for block in recall:
        if not block.head or not block.text:
            yield block.line, "a recall item needs its question on the first line and its answer below"


def guesses_come_first(source: Source) -> Found:
    """From 01 on, at least one guess; each comes before its reveal, and each is revealed or kept for later."""
    calls = list(calls_of(source, "guess", "reveal"))
    guessed = [id for name, id, _, _ in calls if name == "guess"]
    if source.number != FIRST and not guessed:
        yield 1, "no guess found: at least one before the first experiment"
    seen: set[str] = set()
    for name, id, line, call in calls:
        if name == "guess":
            seen.add(id)
            if not id.startswith(f"{source.number}-"):
                yield line, f"guess {id!r}: an id of this notebook begins with {source.number}-"
            kept = any(keyword.arg == "keep_for" for keyword in call.keywords)
            if not kept and ("reveal", id) not in [(name, id) for name, id, _, _ in calls]:
                yield line, f"guess {id!r} is never revealed: reveal it below, or say keep_for="
        elif id.startswith(f"{source.number}-") and id not in seen:
            yield line, f"reveal {id!r} stands above its guess"


def guess_letters_follow_the_page(source: Source) -> Found:
    """The guesses of a notebook are a, b, c from the top down, so that a class can refer to them."""
    guesses = [(id, line) for _, id, line, _ in calls_of(source, "guess")]
    for number, (id, line) in enumerate(guesses):
        wanted = f"{source.number}-{chr(ord('a') + number)}"
        if id != wanted:
            yield line, f"guess {id!r} found, {wanted!r} expected: the letters follow the page"


def guesses_ask_something_of_their_own(source: Source) -> Found:
    """Each guess has a question: a missed one is asked again in the next notebook, without what stood around it."""
    questions = source.guesses
    for _, id, line, _ in calls_of(source, "guess"):
        same = [other for other in questions if questions[other] == questions.get(id)]
        if same and same[0] != id:
            yield line, f"guess {id!r} asks what {same[0]!r} asks: put a question of its own above it"


def guess_cells_hold_nothing_else(source: Source) -> Found:
    """A guess has a cell of its own: nobody who skips it may miss what a later cell needs."""
    for block, tree in code_blocks(source):
        calls = [node.value for node in tree.body if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)]
        guesses = [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "guess"]
        if guesses and len(tree.body) > len(guesses):
            yield block.line, "a guess stands with other code: give it a cell of its own, so that it can be skipped"


def explanations_have_a_reveal(source: Source) -> Found:
    """Each explanation comes after the reveal that shows it, and no guess has two."""
    revealed = {id: line for _, id, line, _ in calls_of(source, "reveal")}
    seen: set[str] = set()
    for block in source.blocks:
        if block.kind == "explain":
            if not block.text:
                yield block.line, f"explain {block.head}: no text found"
            if revealed.get(block.head, block.line) >= block.line:
                yield block.line, f"explain {block.head}: no reveal({block.head!r}, …) found above it"
            if block.head in seen:
                yield block.line, f"explain {block.head} stands twice"
            seen.add(block.head)


def no_assert(source: Source) -> Found:
    """No assert: the notebook's claims are asserted in `tests/series/claims.py`, where a learner need not read them."""
    for block, tree in code_blocks(source):
        if any(isinstance(node, ast.Assert) for node in ast.walk(tree)):
            yield block.line, "an assert found: what a notebook claims is asserted in tests/series/claims.py"


def ends_with_one_sentence(source: Source) -> Found:
    """The last two headings are what we left for later, and what to take home."""
    last = source.blocks[-2:] if len(source.blocks) > 1 else [Block("prose", "", 1)] * 2
    for block, heading in zip(last, (LATER, TAKE_HOME), strict=True):
        if block.kind != "prose" or [text for _, text, _ in headings(block)] != [heading]:
            yield block.line, f"the last two cells are prose with the headings ## {LATER} and ## {TAKE_HOME}"


def exercises_stop_nobody(source: Source) -> Found:
    """No cell outside an exercise uses or binds a name that an exercise's cell defines."""
    from_exercises = {name for _, tree in _exercise_cells(source) for name in cells.bound_names(tree)}
    for block, tree in code_blocks(source):
        for name in sorted(from_exercises & (cells.used_names(tree) | cells.bound_names(tree))):
            yield block.line, f"{name} is defined by an exercise: an unsolved exercise would stop this cell"


def imports_agree(source: Source) -> Found:
    """If an exercise and a code cell import the same name, it means the same in both: cells share their names."""
    exercises = list(_exercise_cells(source))
    taken = {name: (origin, id) for id, tree in exercises for name, origin in cells.origins(tree).items()}
    for block, tree in code_blocks(source):
        for name, origin in cells.origins(tree).items():
            other, id = taken.get(name, (origin, ""))
            if other != origin:
                yield block.line, f"{name} is {origin} here and {other} in exercise {id}: import the same in both"


def _exercise_cells(source: Source) -> Iterator[tuple[str, ast.Module]]:
    """The cells that exercises fill, as they are given and as they are solved."""
    for _, exercise in source.exercises():
        for text in (exercise.cell(), exercise.cell(exercise.solution)):
            yield exercise.id, cells.parse(text)


def cell_ids_differ(source: Source) -> Found:
    """No two cells have the same id."""
    if any(id not in names() for id in source.exercise_ids):
        return
    ids = [cell["id"] for cell in to_notebook(source)["cells"]]
    for id in sorted({id for id in ids if ids.count(id) > 1}):
        named = [block.line for block in source.blocks if slug(str(block.options.get("name", ""))) == id]
        yield (named or [1])[-1], f"two cells have the id {id}: a :name: or an exercise stands twice"


RULES: Sequence[Rule] = (
    frame_is_complete,
    length_fits,
    objectives_have_exercises,
    two_recall_items,
    guesses_come_first,
    guess_letters_follow_the_page,
    guesses_ask_something_of_their_own,
    guess_cells_hold_nothing_else,
    headings_in_order,
    figures_have_words,
    links_lead_somewhere,
    wording,
    prose_is_short,
    code_is_short,
    no_code_in_prose,
    explanations_have_a_reveal,
    no_assert,
    ends_with_one_sentence,
    exercises_stop_nobody,
    imports_agree,
    cell_ids_differ,
)
