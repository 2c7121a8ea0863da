"""The result of an exploration: the counts, the breaking schedules, and the one that is easiest to follow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, Literal

from ...arguments import counted
from ..player.recording import DEATHS, Recording, switches
from ..player.story import story
from .budget import Budget
from .errors import CannotMerge, CannotWriteTest
from .errors_in_words import explained
from .experiment import name_of
from .graph import Graph, Schedules, Texts
from .merging import merged_graph
from .observations import Observations, observe
from .postgresql import ServerTrial
from .recorder import Recorder, record
from .run_schedules import AnyTrial, Explored
from .server_observations import observe_server
from .trace import Trace, WithRecording
from .trial import Trial

SPARE_RUNS = 200  # that merging may take beyond those of the exploration


class ExplorationResult(WithRecording):
    """The result of explore(). Prints as text; a notebook shows it as a map and lanes.

    count: how many schedules. broken: those after which something is broken. errors: those in which an actor got an
    error. problems, error_texts: what was broken and which errors, by schedule. runs: how many schedules were run for
    real; the others pass only through states known from those. left: how many, at least, were not explored because a
    bound was reached.
    """

    def __init__(self, explored: Explored, open_trial: Callable[[], AnyTrial], trial: AnyTrial) -> None:
        self.experiment = trial.experiment
        self.names = trial.experiment.names
        self.graph = explored.graph
        self.count = self.graph.start.all
        self.broken, self.errors = Schedules(self.graph, "broken"), Schedules(self.graph, "erring")
        self.problems, self.error_texts = Texts(self.graph, "problems"), Texts(self.graph, "errors")
        self.runs = explored.runs
        self.reason = explored.reason  # why it ended early
        self.stopped = explored.stopped_by_user
        self.not_merged = explored.not_merged  # why every schedule had to be run
        self.speaks_for = trial.speaks_for
        self._open_trial = open_trial
        self._whole = explored.whole
        self._judges_errors = trial.takes > 1

    @cached_property
    def waiting(self) -> list[str]:
        """On a server: the schedules in which an actor has to wait, those with the fewest switches first."""
        waits = [s for s in Schedules(self.graph) if any(c.islower() and c not in DEATHS for c in s)]
        return sorted(waits, key=lambda schedule: (switches(schedule), len(schedule), schedule))

    @cached_property
    def left(self) -> int:
        """How many schedules, at least, were not explored."""
        return self.graph.left

    @property
    def complete(self) -> bool:
        """Whether every schedule was explored; False if a bound was reached or you stopped it."""
        return self.left == 0

    @property
    def holds(self) -> bool:
        """Whether nothing is broken after any schedule, no schedule was left out, and every actor made a step."""
        return self.complete and not self.problems and not self.doubts

    @cached_property
    def idle(self) -> set[str]:
        """Actors that made no step in any schedule."""
        dying = (
            {list(self.names)[self.experiment.crash or 0]} if self.graph.deaths else set()
        )  # it was stopped before a step
        return set(self.names) - self.graph.letters() - dying

    @cached_property
    def doubts(self) -> list[str]:
        """Why nothing is proven although nothing broke: a sentence for each reason."""
        if not self._whole:
            return []  # the requested schedules may not show it
        said = [
            f"{letter} ({self.names[letter]}) sent no statement: does it use the engine it is given?"
            for letter in sorted(self.idle)
        ]
        failing = set() if self._judges_errors else self.graph.always_failing() - self.idle
        for letter in sorted(failing):
            text = next(text for text in self._texts[1] if text.startswith(f"{letter}: "))
            said.append(
                f"{letter} ({self.names[letter]}) failed in every schedule, as with {text.partition(': ')[2]};"
                " an invariant(session, errors) may judge that"
            )
        return said

    @cached_property
    def shortest(self) -> str | None:
        """The breaking schedule with the fewest switches between actors; None if nothing broke."""
        return self.graph.shortest()

    def replay(self, schedule: str) -> Trace:
        """Run this schedule again, after a fresh setup; return who did what, and the rows after each step.

        The rows are the same every time, except in columns with times. Raises NoSuchSchedule.
        """
        with self._open_trial() as trial:
            outcome = trial.replay(schedule)
            graph, errors = Graph(), outcome.error_texts()
            graph.add(schedule, trial.problems(outcome), errors)
            graph.count_paths()
            outcome.forget()
            seen = _seen(trial, graph, None, None)
        end = graph.states[-1]
        return Trace(schedule, end.problems, errors, seen, lambda file: self._record_one(schedule, seen, file))

    def recording_of(self, schedules: Sequence[str]) -> dict[str, Any]:
        """The recording of these schedules only, or of prefixes of schedules."""
        return Recorder(self.observe(schedules), [], self._described()).facts()

    def observe(self, schedules: Iterable[str] | None = None, *, file: str | None = None) -> Observations:
        """Run the edges of the graph once more, to observe for display what happens on each.

        schedules: only the edges of these. file: whose line numbers are recorded, by default each actor's own. The
        graph of the observations has merged states if possible, however few schedules there are.
        """
        with self._open_trial() as trial:
            graph = self._merged(trial) if isinstance(trial, Trial) else self.graph
            return _seen(trial, graph, schedules, file)

    def _merged(self, trial: Trial) -> Graph:
        if self.runs < self.count or not self.complete or not self._whole:
            return self.graph
        try:
            with Budget(self.runs + SPARE_RUNS) as budget:
                return merged_graph(trial, budget)
        except CannotMerge:
            return self.graph

    def as_test(self, schedule: str | None = None) -> str:
        """A pytest case for this schedule, by default the shortest breaking one: it fails until the code is repaired.

        Raises CannotWriteTest if a function has no name by which a test could import it.
        """
        schedule = schedule or self.shortest
        if schedule is None:
            return "# nothing broke: there is no schedule to keep as a test"
        return self.experiment.test_of(schedule, self.problems.get(schedule, ("nothing broke",)))

    def assert_holds(self, errors: Literal["allow", "refuse"] = "allow") -> None:
        """Raise AssertionError, with everything that was found as its text, unless the invariant holds.

        errors: "refuse" if no actor may get an error in any schedule.
        """
        __tracebackhide__ = True  # pytest then shows the test's own line above the text
        if errors not in ("allow", "refuse"):
            raise ValueError(f"errors={errors!r} found, 'allow' or 'refuse' expected")
        if not self.holds:
            raise AssertionError(self._full_text(self.shortest))
        if errors == "refuse" and self.errors:
            raise AssertionError(self._full_text(self.errors[0]))

    def _full_text(self, schedule: str | None) -> str:
        lines = [str(self)]
        if schedule is not None:
            if schedule != self.shortest:
                lines += ["", f"One with an error: {schedule}", *self._story(schedule)]
            lines += ["", f"To run only this one: schedules=[{schedule!r}]"]
        return "\n".join(lines)

    def __repr__(self) -> str:
        lines = [self._headline(), *self._bounds(), *self._summary()]
        opened = self.shortest if self.shortest is not None else next(iter(self.errors), None)
        if opened is not None:
            lines += ["", self._opened_headline(opened), *self._story(opened)]
        return "\n".join(lines)

    def _story(self, schedule: str) -> list[str]:
        return ["", story(Recording(self.replay(schedule).recording()), schedule, helped=True)]

    @cached_property
    def _recording(self) -> dict[str, Any]:
        return record(self, self._described())

    def _record(self, file: str | None) -> dict[str, Any]:
        return self._recording if file is None else record(self, self._described(), file=file)

    def _record_one(self, schedule: str, seen: Observations, file: str | None) -> dict[str, Any]:
        """The recording of one schedule that was replayed; once more, to find the line numbers of a file."""
        if file is not None:
            with self._open_trial() as trial:
                seen = _seen(trial, seen.graph, None, file)
        start = seen.graph.start
        alone = {"count": 1, "broken": start.broken, "errors": start.erring, "notes": []}
        return Recorder(seen, [(schedule, 1)], {**self._described(schedule), **alone}).facts()

    def _described(self, schedule: str | None = None) -> Mapping[str, Any]:
        """What a recording says besides the states."""
        try:
            test = self.as_test(schedule) if schedule or self.shortest else ""
        except CannotWriteTest:
            test = ""
        return {
            "kind": "schedules" if self.experiment.crash is None else "crashes",
            "count": self.count,
            "broken": len(self.broken),
            "errors": len(self.errors),
            "complete": self.complete,
            "actors": dict(self.names),
            "invariant": name_of(self.experiment.invariant),
            "test": test,
            "notes": [*self._bounds(), *self._kinds()],
            "speaks_for": self.speaks_for,
            "recover": name_of(self.experiment.recover) if self.experiment.recover is not None else None,
        }

    def _kinds(self) -> list[str]:
        """In how many schedules each problem and each error occurs, if there are several."""
        problems, errors = self._texts
        lines = [f"in {number:,}: {text}" for number, text in [*_ranked(problems), *_ranked(errors)]]
        return lines if len(lines) > 1 else []

    @cached_property
    def _texts(self) -> tuple[Counter[str], Counter[str]]:
        return self.graph.texts()

    def _headline(self) -> str:
        schedules = counted(self.count, "schedule")
        errors = f"in {len(self.error_texts):,} an actor gets an error" if self.error_texts else "nobody gets an error"
        return f"{len(self.problems):,} of {schedules} break; {errors}"

    def _bounds(self) -> list[str]:
        notes = []
        if not self.complete:
            proven = f"nothing is proven{' of the others' if self.problems else ''}"
            least = f"{self.count:,} of at least {self.count + self.left:,} schedules"
            because = "STOPPED BY YOU" if self.stopped else f"NOT COMPLETE: {self.reason}"
            notes.append(f"{because} after {least}: {proven}")
        notes += [f"NOTE: {doubt}" for doubt in self.doubts]
        if self.not_merged:
            notes.append(f"Every schedule was run for real: {self.not_merged}")
        return notes

    def _summary(self) -> list[str]:
        problems, errors = self._texts
        lines = [f"  in {number:,}: {text}" for number, text in [*_ranked(problems), *_ranked(errors)]]
        sentences = explained(set(errors))
        lines += [f"  {line}" for line in sentences]
        refuses = sentences and self.experiment.url is None
        server = "; where this one refuses, a server may wait and break: run it there, too (url=)" if refuses else ""
        return [*lines, f"  This speaks for {self.speaks_for}{server}."]

    def _opened_headline(self, schedule: str) -> str:
        kind = "breaking schedule" if schedule in self.broken else "schedule with an error"
        which = f"The {kind} with the fewest switches" if schedule == self.shortest else f"A {kind}"
        return f"{which} ({switches(schedule)}): {schedule}"


def _seen(trial: AnyTrial, graph: Graph, schedules: Iterable[str] | None, file: str | None) -> Observations:
    if isinstance(trial, ServerTrial):
        return observe_server(trial, graph, schedules, file)
    return observe(trial, graph, schedules, file)


def _ranked(counts: Counter[str]) -> list[tuple[int, str]]:
    return [(number, text) for text, number in counts.most_common(10)]
