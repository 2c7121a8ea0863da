"""What an exploration found: the counts, the breaking schedules, and the one that is easiest to follow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from functools import cached_property
from html import escape
from itertools import pairwise
from typing import Literal

from .budget import Budget
from .errors import CannotMerge
from .exploring import Explored
from .graph import Graph, Schedules, Texts
from .merging import merged_graph
from .observations import Observations, observe
from .progress_bar import Bar
from .question import Question
from .schedule_map import Mark, ScheduleMap
from .trace import Trace, lanes_as_html, lanes_as_text
from .trial import Trial
from .wording import counted, explained

LISTED = 200  # as many breaking schedules as a notebook lists


def switches(schedule: str) -> int:
    """How many times the schedule passes from one actor to another."""
    return sum(one != other for one, other in pairwise(schedule))


class ExplorationResult:
    """The result of explore(); prints as text, shows as a map and lanes in a notebook.

    count: schedules. broken: those after which something is broken. errors: those in which an actor got one.
    problems, error_texts: what it was, by schedule. runs: how many were run for real; the others pass through states
    that those have shown. left: how many, at least, were not explored because a bound was reached.
    """

    def __init__(self, question: Question, explored: Explored, open_trial: Callable[[], Trial], trial: Trial) -> None:
        self.question = question
        self.names = question.names
        self.graph: Graph = explored.graph
        self.runs = explored.runs
        self.reason = explored.reason  # why it ended early
        self.stopped = explored.stopped_by_user
        self.not_merged = explored.not_merged  # why every schedule had to be run
        self.speaks_for = trial.exploration.speaks_for
        self._open_trial = open_trial
        self._whole = explored.whole
        self._judges_errors = trial.takes > 1
        self.trace = trial.trace(self.shortest) if self.shortest is not None else None

    @property
    def count(self) -> int:
        """How many schedules were explored."""
        return self.graph.start.all

    @cached_property
    def broken(self) -> Schedules:
        """The schedules after which something is broken, in alphabetical order."""
        return Schedules(self.graph, "broken")

    @cached_property
    def errors(self) -> Schedules:
        """The schedules in which an actor got an error, in alphabetical order."""
        return Schedules(self.graph, "erring")

    @cached_property
    def problems(self) -> Texts:
        """What is broken, by schedule."""
        return Texts(self.graph, "problems")

    @cached_property
    def error_texts(self) -> Texts:
        """The actors' errors in words, by schedule."""
        return Texts(self.graph, "errors")

    @cached_property
    def left(self) -> int:
        """How many schedules, at least, were not explored."""
        return self.graph.left

    @property
    def complete(self) -> bool:
        """Whether every schedule was explored; False if a bound was reached or somebody stopped it."""
        return self.left == 0

    @property
    def holds(self) -> bool:
        """Whether nothing is broken after any schedule, none was left out, and every actor was really at work."""
        return self.complete and not self.problems and not self.doubts

    @cached_property
    def idle(self) -> set[str]:
        """Actors that made no step in any schedule."""
        return set(self.names) - self.graph.letters()

    @cached_property
    def doubts(self) -> list[str]:
        """Why nothing is proven although nothing broke, a sentence each."""
        if not self._whole:
            return []  # it may be just these schedules
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

    @property
    def map(self) -> ScheduleMap:
        """A cell for each of the first schedules."""
        start, found = self.graph.start, ScheduleMap()
        found.counts = Counter({Mark.HOLDS: start.sound, Mark.BROKEN: start.broken})
        found.counts[Mark.ERROR] = start.all - start.sound - start.broken
        for schedule in Schedules(self.graph)[: ScheduleMap.most()]:
            broken, erring = schedule in self.problems, schedule in self.error_texts
            found.cells.append((schedule, Mark.BROKEN if broken else Mark.ERROR if erring else Mark.HOLDS))
        return found

    def replay(self, schedule: str) -> Trace:
        """Run this schedule again, from a fresh setup; return who did what, and the rows after each step.

        The rows are the same every time but for columns that hold times. Raises NoSuchSchedule.
        """
        with self._open_trial() as trial:
            return trial.trace(schedule)

    def observe(self, schedules: Iterable[str] | None = None, most: int = 2_000) -> Observations:
        """Run the graph's edges once more, at most so many, to see what happens on each; for showing it.

        schedules: only the edges of these. The graph of the observations is one of merged states where that is
        possible, however few the schedules are.
        """
        with self._open_trial() as trial:
            return observe(trial, self._merged(trial), schedules, most)

    def _merged(self, trial: Trial) -> Graph:
        if self.runs < self.count or not self.complete or not self._whole:
            return self.graph
        try:
            with Bar() as bar:
                return merged_graph(trial, Budget(self.runs + LISTED, None, False, None, bar))
        except CannotMerge:
            return self.graph

    def as_test(self, schedule: str | None = None) -> str:
        """A pytest case for this schedule (by default the shortest breaking one): it fails until the code is repaired.

        Raises CannotWriteTest where a function has no name by which a test could import it.
        """
        schedule = schedule or self.shortest
        if schedule is None:
            return "# nothing broke: there is no schedule to keep as a test"
        return self.question.test_of(schedule, self.problems.get(schedule, ("nothing broke",)))

    def assert_holds(self, errors: Literal["allow", "refuse"] = "allow") -> None:
        """Raise AssertionError, with all that was found as its text, unless this holds.

        errors: "refuse" where no actor may get an error in any schedule.
        """
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
                lines += ["", f"One with an error: {schedule}", str(self.replay(schedule))]
            lines += ["", f"To run only this one: schedules=[{schedule!r}]"]
        return "\n".join(lines)

    def __repr__(self) -> str:
        parts = [self._headline(), *self._bounds(), *self._summary()]
        if self.trace is not None:
            parts += ["", self._shortest_headline(), lanes_as_text(self.trace)]
        return "\n".join(parts)

    def _repr_html_(self) -> str:
        head = f"<p><strong>{escape(self._headline())}</strong></p>"
        bounds = "".join(f"<p><strong>{escape(line)}</strong></p>" for line in self._bounds())
        summary = "".join(f"<li>{escape(line.strip())}</li>" for line in self._summary())
        lanes = ""
        if self.trace is not None:
            lanes = f"<h4>{escape(self._shortest_headline())}</h4>{lanes_as_html(self.trace)}"
        return f"<div>{head}{bounds}<ul>{summary}</ul>{self.map.as_html()}{lanes}{self._others()}</div>"

    @cached_property
    def _texts(self) -> tuple[Counter[str], Counter[str]]:
        return self.graph.texts()

    def _headline(self) -> str:
        schedules = counted(self.count, "schedule")
        return f"{len(self.problems):,} of {schedules} break; {len(self.error_texts):,} with an actor's error"

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
        lines = [f"  {number:>6,} x {text}" for number, text in _ranked(problems)]
        lines += [f"  {number:>6,} x {text}" for number, text in _ranked(errors)]
        sentences = explained(set(errors))
        lines += [f"  {line}" for line in sentences]
        server = "; where this one refuses, a server may wait and break: run it there, too" if sentences else ""
        return [*lines, f"  This speaks for {self.speaks_for}{server}."]

    def _shortest_headline(self) -> str:
        return f"The breaking schedule with the fewest switches ({switches(self.shortest or '')}): {self.shortest}"

    def _others(self) -> str:
        if not self.problems:
            return ""
        listed = [(schedule, self.problems[schedule]) for schedule in self.broken[:LISTED]]
        items = "".join(f"<li><code>{escape(s)}</code>: {escape('; '.join(found))}</li>" for s, found in listed)
        summary = f"<summary>{counted(len(listed), 'breaking schedule')}, to replay</summary>"
        return f"<details>{summary}<ul>{items}</ul></details>"


def _ranked(counts: Counter[str]) -> list[tuple[int, str]]:
    return [(number, text) for text, number in counts.most_common(10)]
