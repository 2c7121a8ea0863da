"""What happens on the edges of a graph that was explored on a server; as `observations`, by the same classes.

Not covered: an answer's rows (the driver has handed them to the actor), statements that are no steps, line numbers,
and which answers are out of date.
"""

from __future__ import annotations

from collections.abc import Iterable

from .graph import Graph, Schedules
from .observations import Observations, SeenState, SeenStep
from .outcome import DIES, DIES_IN_COMMIT
from .postgresql import ServerTrial
from .server_actor import ServerActor

KINDS = {"SELECT": "read", "COMMIT": "commit", "ROLLBACK": "rollback"}


def observe_server(trial: ServerTrial, graph: Graph, schedules: Iterable[str] | None, most: int) -> Observations:
    """See the edges of these schedules, or of all, until so many are seen."""
    seen = Observations(graph, times=trial.world.times())
    wanted = Schedules(graph) if schedules is None else schedules
    for schedule in wanted:
        if len(seen.steps) >= most:
            seen.complete = False
            break
        path = graph.walk(schedule)
        if any((state, move) not in seen.steps for state, move in zip(path, schedule, strict=False)):
            _follow(trial, seen, schedule, path)
    return seen


def _follow(trial: ServerTrial, seen: Observations, schedule: str, path: list[int]) -> None:
    places = iter(range(len(schedule)))

    def on_step(move: str, actor: ServerActor, sql: str, error: str) -> None:
        place = next(places)
        step = SeenStep(actor.letter, sql, KINDS.get(sql.split(" ", 1)[0].upper(), "write"), ends=error or None)
        step.dies = step.undone = move in (DIES, DIES_IN_COMMIT)
        seen.steps.setdefault((path[place], schedule[place]), step)
        seen.states.setdefault(path[place + 1], _state(trial))

    trial.world.restore()
    seen.states.setdefault(path[0], SeenState(trial.world.rows(), {}, {}, {}, {}, ""))
    outcome, _ = trial.run(schedule, on_step)
    outcome.forget()
    if trial.recovers and path[-1] not in seen.recovered:
        error = trial.recover()
        seen.recovered[path[-1]] = _state(trial), error


def _state(trial: ServerTrial) -> SeenState:
    actors = trial.actors
    opened = {actor.letter: trial.rows_of(actor) for actor in actors}
    return SeenState(
        rows=trial.world.rows(),
        open={letter: rows for letter, (rows, committed) in opened.items() if not committed},
        next={actor.letter: actor.sql for actor in actors if not actor.ended},
        waits={actor.letter: trial.whom(actor) for actor in actors if actor.is_moving and not actor.dead},
        now={},
        ended="".join(actor.letter for actor in actors if actor.ended),
    )
