"""From a trial to the graph of its schedules: all of them, or those that somebody names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .budget import Budget
from .errors import CannotMerge
from .graph import Graph
from .merging import merged_graph
from .outcome import DIES, Outcome
from .progress_bar import Bar
from .schedules import AllSchedules, replay
from .trial import Trial
from .wording import error_text

FIRST = 24  # schedules that are run before their number is estimated
MANY = 200  # schedules: from here on it pays to merge states


@dataclass(frozen=True)
class Explored:
    """What was explored: the graph, the number of real runs, why it ended early, why states were not merged."""

    graph: Graph
    runs: int
    whole: bool = True  # all schedules were asked for, and not only some
    reason: str = ""
    stopped_by_user: bool = False
    not_merged: str = ""


def run_all(trial: Trial, budget: Budget, bar: Bar, merge: bool) -> Explored:
    """Run every schedule; where they are many, merge equal states instead."""
    walk, graph, not_merged = AllSchedules(trial.exploration), Graph(), ""
    bar.share = lambda: walk.share
    for outcome in walk:
        path = _add(graph, trial, budget, outcome)
        if merge and not budget.reason and _is_many(walk, budget.runs):
            bar.share = None
            try:
                return _explored(merged_graph(trial, budget), budget)
            except CannotMerge as error:
                merge, not_merged, bar.share = False, str(error), lambda: walk.share
        if budget.reason:
            for place, untried in zip(path, walk.untried, strict=False):
                graph.states[place].unexplored = untried
            break
    graph.count_paths()
    return _explored(graph, budget, not_merged)


def run_these(trial: Trial, budget: Budget, schedules: Sequence[str]) -> Explored:
    """Run these schedules, each as far as it can be followed."""
    graph = Graph()
    for number, schedule in enumerate(schedules, 1):
        _add(graph, trial, budget, replay(trial.exploration, schedule, strict=False))
        if budget.reason:
            graph.start.unexplored = len(schedules) - number
            break
    graph.count_paths()
    return _explored(graph, budget, whole=False)


def _add(graph: Graph, trial: Trial, budget: Budget, outcome: Outcome) -> list[int]:
    problems = trial.problems(outcome)
    errors = {letter: error_text(error) for letter, error in outcome.errors.items()}
    path = graph.add(outcome.schedule, problems, errors)
    if outcome.crashed is not None:
        before, victim = outcome.schedule.index(DIES), trial.exploration.mover(DIES).letter
        graph.deaths[path[before]] = (outcome.schedule[:before].count(victim) + 1, outcome.crashed)
    outcome.forget()
    budget.ran(bool(problems))
    return path


def _is_many(walk: AllSchedules, runs: int) -> bool:
    return runs >= MANY or (runs >= FIRST and runs % FIRST == 0 and runs / max(walk.share, 1e-9) > MANY)


def _explored(graph: Graph, budget: Budget, not_merged: str = "", *, whole: bool = True) -> Explored:
    return Explored(graph, budget.runs, whole, budget.reason, budget.stopped_by_user, not_merged)
