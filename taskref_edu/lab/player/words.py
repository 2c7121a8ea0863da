"""All texts of the player that depend only on the recording; computed here rather than in JavaScript."""

from __future__ import annotations

from typing import Any

from .answers import AnswerText, AnswerTexts
from .case import Part
from .recording import LIVE, Facts, RecordedRun, Recording
from .remedies import remedy
from .short_sql import clauses
from .why import why

OPEN, CLOSE = "⟦", "⟧"
MARKS = {"who": "w", "code": "c", "b": "b", "step": "s"}


def words(recording: Recording) -> dict[str, Any]:
    """The texts for a recording: statements, answers, sentences, the columns to show.

    sql: for each statement its clauses [keyword, text, role]. answers: for each step [value, column, weak] or null.
    now: by state, letter and SQL, what a SELECT would return now. why: by schedule [sentence, key steps, remedy,
    notes by step]. The remedy is an index into `remedies`, or -1. live: the statuses in which a task needs a row that
    references it.
    """
    answers = AnswerTexts(recording)
    facts = recording.facts
    remedies: list[str] = []
    return {
        "sql": [[list(clause) for clause in clauses(sql, recording.times)] for sql in facts["sql"]],
        "answers": [_packed(answers.of(step)) for step in facts["steps"]],
        "now": news(recording, answers),
        "why": {run.schedule: _why(recording, run, remedies) for run in recording.runs},
        "remedies": remedies,
        "live": LIVE,
        "columns": {table: columns(recording, table) for table in facts["tables"]},
        "first": recording.opened,
    }


def marked(parts: tuple[Part, ...]) -> str:
    """A sentence as one string, its parts in brackets: `⟦w:A⟧ and ⟦w:B⟧ both read ⟦b:NULL⟧`."""
    return "".join(
        part if isinstance(part, str) else f"{OPEN}{MARKS[part[0]]}:{str(part[1]).replace(CLOSE, ']')}{CLOSE}"
        for part in parts
    )


def columns(recording: Recording, table: str) -> list[str]:
    """The columns to show: the key, references, the status, and those in which a row changes."""
    info = recording.facts["tables"][table]
    rows = [recording.row(i)[1] for i, row in enumerate(recording.facts["rows"]) if row[0] == table]
    key = recording.key(table)
    by_key: dict[Any, list[dict[str, Any]]] = {}
    for row in rows:
        by_key.setdefault(row[key], []).append(row)
    changing = {name for same in by_key.values() for name in info["cols"] if len({repr(row[name]) for row in same}) > 1}
    kept = {key, "status", *info.get("refs", {}), *changing}
    shown = [name for name in info["cols"] if name in kept]
    return shown if len(shown) > 1 else info["cols"][:3]


def _packed(answer: AnswerText | None) -> list[Any] | None:
    return answer and [answer.value, answer.column, *([1] if answer.weak else [])]


def news(recording: Recording, answers: AnswerTexts) -> dict[str, dict[str, dict[str, str]]]:
    """What each outdated SELECT would return now, in words."""
    found: dict[str, dict[str, dict[str, str]]] = {}
    reads = _reads_by_state(recording)
    for place, state in enumerate(recording.facts["states"]):
        for letter, asked in state.get("now", {}).items():
            for sql, came in asked.items():
                if step := reads.get((place, letter, int(sql))):
                    found.setdefault(str(place), {}).setdefault(letter, {})[sql] = answers.news(step, came)
    return found


def _reads_by_state(recording: Recording) -> dict[tuple[int, str, int], Facts]:
    """By state, letter and SQL, the latest SELECT on some path there: states differ by what each actor has read."""
    facts = recording.facts
    reads: list[dict[tuple[str, int], Facts]] = [{} for _ in facts["states"]]
    seen, queue = {0}, [0]
    while queue:
        at = queue.pop()
        for letter, (number, target) in facts["states"][at].get("go", {}).items():
            if target in seen:
                continue
            seen.add(target)
            queue.append(target)
            step = facts["steps"][number]
            told = "rows" in step.get("came", {}) and step.get("kind") == "read"
            reads[target] = reads[at] | ({(letter, step["sql"]): step} if told else {})
    return {(place, *key): step for place, found in enumerate(reads) for key, step in found.items()}


def _why(recording: Recording, run: RecordedRun, remedies: list[str]) -> list[Any]:
    found = why(recording, run)
    if found is None:
        return ["", [], -1, {}]
    text = remedy(found, run.outcome)
    if text and text not in remedies:
        remedies.append(text)
    return [marked(found.parts), list(found.key), remedies.index(text) if text else -1, dict(found.marks)]
