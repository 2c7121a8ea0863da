"""As `observations.py`, for a graph that was explored on a server.

Not covered: the rows of a statement that had to wait, which depend on how the wait ends; rows of a server-side
cursor; statements that are not steps.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from ..player.recording import DEATHS, DIES
from .errors_in_words import database_name, error_text
from .graph import Graph, Schedules
from .observations import MOST_EDGES, Observations, SeenState, SeenStep
from .postgresql import ServerTrial
from .repeated_reads import FetchedRows, RepeatedReads
from .server_actor import ServerActor, ServerAnswer, is_open, only_reads

KINDS = {"SELECT": "read", "COMMIT": "commit", "ROLLBACK": "rollback"}


def observe_server(
    trial: ServerTrial, graph: Graph, schedules: Iterable[str] | None, file: str | None = None
) -> Observations:
    """Observe the edges of these schedules, or of all. file: whose line numbers are recorded."""
    database = trial.database
    seen = Observations(graph, times=database.times(), keys=database.keys(), references=database.references())
    wanted = Schedules(graph) if schedules is None else schedules
    for schedule in wanted:
        if len(seen.steps) >= MOST_EDGES:
            break
        path = graph.walk(schedule)
        if any((state, move) not in seen.steps for state, move in zip(path, schedule, strict=False)):
            _Following(trial, seen, schedule, path).run(file)
    return seen


class _Following:
    """One schedule that is run for observation."""

    def __init__(self, trial: ServerTrial, seen: Observations, schedule: str, path: list[int]) -> None:
        self._trial, self._seen, self._schedule, self._path = trial, seen, schedule, path
        self._place = 0
        self._reads = defaultdict[str, RepeatedReads](lambda: RepeatedReads(trial.database.answer_to, seen.times))

    def run(self, file: str | None) -> None:
        """Run it, and record what is new."""
        trial, end = self._trial, self._path[-1]
        trial.database.restore()
        self._seen.states.setdefault(0, SeenState(trial.database.rows(), {}, {}, {}, {}, ""))
        outcome, _ = trial.run(self._schedule, self._on_step, file)
        outcome.forget()
        if trial.experiment.recover and end not in self._seen.recovered:
            error = trial.recover()
            self._seen.recovered[end] = self._state(""), error

    def _on_step(self, move: str, actor: ServerActor, sql: str) -> None:
        place, self._place = self._place, self._place + 1
        step = SeenStep(actor.letter, sql, KINDS.get(sql.split(" ", 1)[0].upper(), "write"))
        if actor.ended and not actor.dead and actor.error is not None:
            step.ends, step.error_name = error_text(actor.error), database_name(actor.error)
        step.dies, step.undone = move in DEATHS, move == DIES and actor.opened
        step.before, step.line = actor.opened, actor.line
        # While a statement waits, its transaction is open, and its connection cannot be used to check.
        step.after = actor.is_moving or (actor.at_gate and actor.connection is not None and is_open(actor.connection))
        if not actor.is_moving and actor.answer is not None:
            self._note_answer(actor.letter, step, actor.answer)
        if not actor.is_moving and actor.refused is not None:
            step.error, step.error_name = actor.refused
        self._seen.steps.setdefault((self._path[place], self._schedule[place]), step)
        self._seen.states.setdefault(self._path[place + 1], self._state(actor.letter))

    def _note_answer(self, letter: str, step: SeenStep, answer: ServerAnswer) -> None:
        if answer.columns is not None:
            step.answer = FetchedRows(answer.columns, answer.rows)
        if step.kind == "write":
            step.changed = answer.changed
        if only_reads(answer.statement):
            told = FetchedRows(answer.columns or [], answer.rows)
            self._reads[letter].add(step.sql, answer.statement, answer.parameters, told)

    def _state(self, mover: str) -> SeenState:
        trial, actors = self._trial, self._trial.actors
        opened = {actor.letter: trial.rows_of(actor) for actor in actors}
        going = {actor.letter for actor in actors if not actor.ended}
        return SeenState(
            rows=trial.database.rows(),
            open={letter: rows for letter, (rows, committed) in opened.items() if not committed},
            next={actor.letter: actor.sql for actor in actors if not actor.ended},
            waits={actor.letter: trial.whom(actor) for actor in actors if actor.is_moving and not actor.dead},
            now={x: now for x in going if (now := self._reads[x].out_of_date(moved=x == mover))},
            ended="".join(actor.letter for actor in actors if actor.ended),
        )
