"""Builds the graph of an exploration's schedules: runs all of them, or merges equal states, or runs those named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..player.recording import DEATHS
from .budget import Budget
from .errors import CannotMerge
from .experiment import Experiment
from .graph import Graph
from .merging import merged_graph
from .postgresql import ServerTrial
from .schedule_outcome import Limits, ScheduleOutcome
from .trial import Trial

AnyTrial = Trial | ServerTrial
FIRST = 24  # schedules that are run before their number is estimated
MANY = 200  # schedules from which on merging states is faster


@dataclass(frozen=True)
class Explored:
    """What was explored. runs: how many for real. reason: why it ended early. not_merged: why states are not merged."""

    graph: Graph
    runs: int
    whole: bool = True  # all schedules were requested, not only some
    reason: str = ""
    stopped_by_user: bool = False
    not_merged: str = ""


def trial_of(experiment: Experiment, limits: Limits) -> AnyTrial:
    """The trial of an experiment: on a SQLite file, or on a server."""
    return ServerTrial(experiment, limits) if experiment.url is not None else Trial(experiment, limits)


def run_all(trial: AnyTrial, budget: Budget, merge: bool) -> Explored:
    """Run every schedule; if there are many, merge equal states instead."""
    walk, graph, not_merged = trial.walk(), Graph(), ""
    budget.bar.share = lambda: walk.share
    for outcome in walk:
        _add(graph, trial, budget, outcome)
        if merge and isinstance(trial, Trial) and not budget.reason and _is_many(walk.share, budget.runs):
            budget.bar.share = None
            try:
                return _explored(merged_graph(trial, budget), budget)
            except CannotMerge as error:
                merge, not_merged, budget.bar.share = False, str(error), lambda: walk.share
        if budget.reason:
            walk.mark_untried(graph)
            break
    graph.count_paths()
    return _explored(graph, budget, not_merged)


def run_these(trial: AnyTrial, budget: Budget, schedules: Sequence[str]) -> Explored:
    """Run these schedules, each as far as it can be followed."""
    graph = Graph()
    for number, schedule in enumerate(schedules, 1):
        _add(graph, trial, budget, trial.replay(schedule, strict=False))
        if budget.reason:
            graph.start.unexplored = len(schedules) - number
            break
    graph.count_paths()
    return _explored(graph, budget, whole=False)


def _add(graph: Graph, trial: AnyTrial, budget: Budget, outcome: ScheduleOutcome) -> None:
    problems = trial.problems(outcome)
    path = graph.add(outcome.schedule, problems, outcome.error_texts())
    death = next((place for place, move in enumerate(outcome.schedule) if move in DEATHS), None)
    victim = trial.experiment.victim
    if death is not None and victim is not None:
        step = outcome.schedule[:death].upper().count(victim) + 1
        graph.deaths[path[death]] = (step, outcome.crashed or "")
    outcome.forget()
    budget.ran(bool(problems))


def _is_many(share: float, runs: int) -> bool:
    return runs >= MANY or (runs >= FIRST and runs % FIRST == 0 and runs / max(share, 1e-9) > MANY)


def _explored(graph: Graph, budget: Budget, not_merged: str = "", *, whole: bool = True) -> Explored:
    return Explored(graph, budget.runs, whole, budget.reason, budget.stopped_by_user, not_merged)
