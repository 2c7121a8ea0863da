"""Builds the graph of all schedules while running only a few of them.

The graph is built in memory from the recorded effects of steps; a schedule is run for real only if an effect or a
verdict is missing. Each run compares what happens with the record, and raises CannotMerge if they differ, for example
because a statement's effect depends on more than rows. Then every schedule has to be run.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from ..player.recording import DIES
from .answer_log import AnswerLog, Learnt, LearntMore
from .budget import Budget
from .errors import CannotMerge
from .graph import Graph, Schedules, State
from .local_states import LocalStates
from .measured_steps import MeasuredSteps, data_version
from .schedule_outcome import ScheduleOutcome
from .schedules import replay
from .step_effects import WAITS, Effect, Effects, Local, Situation, written_by
from .trial import Trial

ATTEMPTS = 50
CHECKED = 30  # schedules that are run for real at the end, to compare their verdicts
MOST_STATES = 1_000_000
CHECK_BUDGET_EVERY = 1_000  # states


def merged_graph(trial: Trial, budget: Budget) -> Graph:
    """The graph of all schedules of this exploration. Raises CannotMerge."""
    learnt = Learnt()
    for _ in range(ATTEMPTS):
        try:
            with _recorded(trial, AnswerLog(trial.exploration, learnt)) as log:
                merging = Merging(trial, log, learnt, budget)
                merging.run_twice()
                graph = merging.graph()
            check_some(trial, graph, budget)
            return graph
        except LearntMore:
            continue
    raise CannotMerge("the actors send other values each time")


@contextmanager
def _recorded(trial: Trial, log: AnswerLog) -> Iterator[AnswerLog]:
    actors = trial.exploration.actors
    for actor in actors:
        actor.listener = log
    try:
        yield log
    finally:
        for actor in actors:
            trial.exploration.kill(actor)
            actor.listener = None


def check_some(trial: Trial, graph: Graph, budget: Budget) -> None:
    """Run some schedules for real, chosen at random, and compare their verdicts with the graph's."""
    if budget.reason:
        return
    schedules = Schedules(graph)
    count = len(schedules)
    chosen = range(count) if count <= CHECKED else [random.randrange(count) for _ in range(CHECKED)]
    for schedule in (schedules[place] for place in chosen):
        outcome = replay(trial.exploration, schedule)
        problems = trial.problems(outcome)
        errors = tuple(f"{letter}: {text}" for letter, text in outcome.error_texts().items())
        end = graph.states[graph.walk(schedule)[-1]]
        outcome.forget()
        if (problems, errors) != (end.problems, end.errors):
            raise CannotMerge(f"{schedule} ended with {problems + errors}, and not with {end.problems + end.errors}")


class Merging:
    """Completes the graph: measures by real runs what is still unknown."""

    def __init__(self, trial: Trial, log: AnswerLog, learnt: Learnt, budget: Budget) -> None:
        self._trial, self._log, self._learnt, self._budget = trial, log, learnt, budget
        self._exploration = trial.exploration
        self._memory = Effects(
            wal=not trial.exploration.locks.rollback_journal,
            defers_foreign_keys=trial.exploration.database.defers_foreign_keys(),
            savepoints=learnt.savepoints,
        )
        self._numbered = LocalStates(trial.exploration, log, learnt, trial.takes, self._memory.locals)
        self._steps = MeasuredSteps(trial.exploration, log, learnt, self._memory, self._numbered)
        self._functions = [actor.function for actor in self._exploration.actors]
        self._letters = [actor.letter for actor in self._exploration.actors]
        self._crash = None if (dies := self._exploration.crash) is None else self._exploration.actors.index(dies)
        self._verdicts: dict[Any, tuple[str, ...]] = {}
        self._deadlocks: dict[Situation, dict[str, str]] = {}
        self._begun: Situation | None = None
        self._was_in: set[Situation] = set()
        self._dead = len(self._memory.locals)
        self._memory.locals.append(Local(self._dead, 0))
        self._memory.locals[self._dead].ended = True

    def run_twice(self) -> None:
        """Run the same schedule twice: values that differ between the two differ from run to run."""
        self._run("")
        self._run(self._first_schedule())

    def _first_schedule(self) -> str:
        state, schedule = self._begun, ""
        while state is not None:
            for letter, effect in self._known_moves(state):
                if effect is not None and effect is not WAITS:
                    state, schedule = self._memory.after(state, self._letters.index(letter), effect), schedule + letter
                    break
            else:
                break
        return schedule

    def _known_moves(self, state: Situation) -> Iterator[tuple[str, Effect | None]]:
        for index, number in enumerate(state.locals):
            if not self._memory.locals[number].ended:
                yield self._letters[index], self._memory.known.get(self._memory.key(state, index))

    # Real runs

    def _run(self, prefix: str, target: str = "") -> None:
        """Follow the prefix, try the target, and continue to the end, preferably through states not visited yet."""
        exploration = self._exploration
        state, outcome = self._start()
        for move in prefix:
            after = self._advance(state, move, outcome)
            if after is None:
                raise CannotMerge(f"{move} of {prefix!r} has to wait the second time")
            state = after
        choices: Iterable[str] = target
        while exploration.going:
            for move in choices or self._choices(state):
                after = self._advance(state, move, outcome)
                if after is not None:
                    state = after
                    break
            else:
                if not choices:
                    exploration.give_up(outcome)
            choices = ""
        exploration.end(outcome)
        self._judge(state, outcome)

    def _judge(self, end: Situation, outcome: ScheduleOutcome) -> None:
        """Check the invariant, unless the verdict on this end is known."""
        key = self._verdict_key(end)
        if key not in self._verdicts:
            self._verdicts[key] = self._trial.problems(outcome)
            if key is end:  # a deadlock
                self._deadlocks[end] = outcome.error_texts()
        counts = self._crash is None or outcome.crashed is not None
        outcome.forget()
        self._budget.ran(bool(self._verdicts[key]) and counts)

    def _start(self) -> tuple[Situation, ScheduleOutcome]:
        self._log.begin()
        outcome = self._exploration.start()
        numbers = []
        for index, function in enumerate(self._functions):
            # Actors with the same function have the same effects, unless values are named after their actor.
            who = self._letters[index] if self._learnt.unstable else self._functions.index(function)
            numbers.append(self._numbered.number(index, ("start", who), self._log.take(index), ((), ()), 0))
        if self._begun is None:
            created = tuple(name for number in numbers for name in self._memory.locals[number].created)
            self._begun = Situation(self._steps.committed(), tuple(numbers), ((),) * len(numbers), created)
        elif self._begun.locals != tuple(numbers):
            raise CannotMerge("the actors began in two ways")
        return self._begun, outcome

    def _choices(self, state: Situation) -> list[str]:
        """Which actors to try: first those whose effect is unknown, then those that lead to a state not visited yet."""
        ranked = []
        for letter, known in self._known_moves(state):
            if known is None:
                ranked.append((0, letter))
            elif known is not WAITS:
                after = self._memory.after(state, self._letters.index(letter), known)
                ranked.append((1 + (after in self._was_in), letter))
        return [letter for _, letter in sorted(ranked)]

    def _advance(self, state: Situation, move: str, outcome: ScheduleOutcome) -> Situation | None:
        """Run an actor's step for real: the state after it, None if it has to wait."""
        if move == DIES:
            return self._die(state, outcome)
        memory, index = self._memory, self._letters.index(move)
        key = memory.key(state, index)
        known = memory.known.get(key)
        self._steps.writable[index] = written_by(state, index, memory.locals[state.locals[index]].step)
        before = self._steps.versions(state, index) if known is None else None
        went = self._exploration.go(move, outcome)
        if self._steps.learnt_savepoints:
            raise LearntMore
        if went != (known is not WAITS) and known is not None:
            raise CannotMerge(f"{move} waits in {outcome.schedule!r} or elsewhere, but not in both")
        if not went:
            memory.known[key] = WAITS
            return None
        answers = self._log.take(index)
        if before is not None:
            known = memory.known[key] = self._steps.measure(state, index, answers, before)
        assert known is not None
        if answers != known.answers:
            raise CannotMerge(f"{move} got another answer in {outcome.schedule!r}: {answers}, not {known.answers}")
        self._numbered.compare(index, memory.locals[known.local])
        return memory.after(state, index, known)

    def _die(self, state: Situation, outcome: ScheduleOutcome) -> Situation:
        assert self._crash is not None
        measure = not self._memory.death_known(state, self._crash)
        before = data_version(self._exploration.database.observer)
        self._exploration.go(DIES, outcome)
        if measure:
            key = self._memory.death_key(state, self._crash)
            self._memory.deaths[key] = self._steps.of_death(state, self._crash, before)
        return self._memory.after_death(state, self._crash, self._dead)

    def _verdict_key(self, state: Situation) -> Any:
        if any(not self._memory.locals[number].ended for number in state.locals):
            return state  # a deadlock
        return (state.content, state.locals if self._trial.takes > 1 else None, state.ages)

    # The graph

    def graph(self) -> Graph:
        """Visit all states, depth first, with a real run wherever something is unknown."""
        assert self._begun is not None
        edges: dict[Situation, list[tuple[str, Situation]]] = {}
        self._unexplored: dict[Situation, int] = {}
        parents: dict[Situation, tuple[Situation, str] | None] = {self._begun: None}
        finished: list[Situation] = []
        stack = [self._begun]
        while stack:
            state = stack[-1]
            if state in edges:
                finished.append(stack.pop())
                continue
            if state in self._was_in:
                stack.pop()
                continue
            self._was_in.add(state)
            if len(self._was_in) % CHECK_BUDGET_EVERY == 0:
                self._budget.must_stop()
                if len(self._was_in) > MOST_STATES:
                    self._budget.reason = self._budget.reason or f"{MOST_STATES:,} states are the most that are kept"
            edges[state] = self._edges_of(state, parents)
            for move, child in reversed(edges[state]):
                if child not in edges:
                    parents[child] = (state, move)
                    stack.append(child)
        return self._as_graph(finished, edges)

    def _edges_of(self, state: Situation, parents: Any) -> list[tuple[str, Situation]]:
        memory, found, missing = self._memory, [], 0
        for index, letter in enumerate(self._letters):
            if memory.locals[state.locals[index]].ended:
                continue
            key = memory.key(state, index)
            if key not in memory.known and not self._budget.reason:
                self._run(_path(parents, state), letter)
            effect = memory.known.get(key)
            if effect is None:
                missing += 1
            elif effect is not WAITS:
                found.append((letter, memory.after(state, index, effect)))
        if self._crash is not None and not memory.locals[state.locals[self._crash]].ended:
            if not memory.death_known(state, self._crash) and not self._budget.reason:
                self._run(_path(parents, state), DIES)
            if memory.death_known(state, self._crash):
                found.append((DIES, memory.after_death(state, self._crash, self._dead)))
            else:
                missing += 1
        if not found and not missing and self._verdict_key(state) not in self._verdicts:
            if self._counts(state) and not self._budget.reason:
                self._run(_path(parents, state))
            missing = int(self._counts(state) and self._verdict_key(state) not in self._verdicts)
        if missing:
            self._unexplored[state] = missing
        return found

    def _counts(self, end: Situation) -> bool:
        """Whether a schedule that ends so is one of the exploration's: if an actor is to die, it has."""
        return self._crash is None or end.locals[self._crash] == self._dead

    def _as_graph(self, finished: list[Situation], edges: dict[Situation, list[tuple[str, Situation]]]) -> Graph:
        graph = Graph()
        numbers = {state: number for number, state in enumerate(reversed(finished))}
        graph.states += [State() for _ in finished[1:]]
        for state, number in numbers.items():
            node = graph.states[number]
            node.edges = {move: numbers[child] for move, child in edges[state]}
            node.unexplored = self._unexplored.get(state, 0)
            if DIES in node.edges and self._crash is not None:
                local = self._memory.locals[state.locals[self._crash]]
                graph.deaths[number] = (local.steps + 1, local.step.sql if local.step else "")
            if not node.edges and not node.unexplored and self._counts(state):
                node.end(self._verdicts[self._verdict_key(state)], self._errors(state))
        graph.count_paths()
        return graph

    def _errors(self, state: Situation) -> dict[str, str]:
        if state in self._deadlocks:
            return self._deadlocks[state]
        locals_ = ((letter, self._memory.locals[n]) for letter, n in zip(self._letters, state.locals, strict=True))
        return {letter: local.error for letter, local in locals_ if local.error is not None}


def _path(parents: Any, state: Situation) -> str:
    moves = []
    while parents[state] is not None:
        state, move = parents[state]
        moves.append(move)
    return "".join(reversed(moves))
