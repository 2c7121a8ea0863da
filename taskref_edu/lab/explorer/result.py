"""What an exploration found: the counts, the breaking schedules, and the one that is easiest to follow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from html import escape
from itertools import pairwise

from . import wording as keeping
from .outcome import Outcome
from .progress_bar import Bar
from .schedule_map import Mark, ScheduleMap
from .trace import Trace, lanes_as_html, lanes_as_text
from .wording import counted, error_text, explained

LISTED = 200  # as many breaking schedules as a notebook lists


def switches(schedule: str) -> int:
    """How often the schedule passes from one actor to another."""
    return sum(one != other for one, other in pairwise(schedule))


@dataclass(repr=False)
class ExplorationResult:
    """The result of explore(); prints as text, shows as a map and lanes in a notebook.

    count: schedules run. broken: those after which something is broken. errors: those in which an actor got one.
    problems, error_texts: what it was, by schedule. left: branches not walked because a bound was hit, or because
    somebody stopped it, which is `stopped`.
    """

    names: dict[str, str]
    setup_name: str | None
    invariant_name: str
    replaying: Callable[[str], Trace] = field(repr=False)
    schema: str | None = "both"
    journal: str = "wal"
    count: int = 0
    left: int = 0
    stopped: bool = False
    problems: dict[str, tuple[str, ...]] = field(default_factory=dict, repr=False)
    error_texts: dict[str, tuple[str, ...]] = field(default_factory=dict, repr=False)
    trace: Trace | None = field(default=None, repr=False)
    map: ScheduleMap = field(default_factory=ScheduleMap, repr=False)
    idle: set[str] = field(default_factory=set, repr=False)  # actors that have made no step in any schedule
    _seen: dict[tuple[str, ...], tuple[str, ...]] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self.idle = set(self.names)

    @property
    def broken(self) -> list[str]:
        """The schedules after which something is broken, in alphabetical order."""
        return list(self.problems)

    @property
    def errors(self) -> list[str]:
        """The schedules in which an actor got an error, in alphabetical order."""
        return list(self.error_texts)

    @property
    def complete(self) -> bool:
        """Whether every schedule was run; False if a bound was hit or somebody stopped it."""
        return self.left == 0

    @property
    def holds(self) -> bool:
        """Whether nothing is broken after any schedule, and none was left out."""
        return self.complete and not self.problems

    @property
    def shortest(self) -> str | None:
        """The breaking schedule with the fewest switches between actors; None if nothing broke."""
        return min(self.problems, key=lambda schedule: (switches(schedule), len(schedule), schedule), default=None)

    def replay(self, schedule: str) -> Trace:
        """Run this schedule again, from a fresh setup; return who did what, and the rows after each step.

        The rows are the same every time but for columns that hold times. Raises NoSuchSchedule.
        """
        return self.replaying(schedule)

    def as_test(self, schedule: str | None = None) -> str:
        """A pytest case for this schedule (by default the shortest breaking one): it fails until the code is mended."""
        schedule = schedule or self.shortest
        if schedule is None:
            return "# nothing broke: there is no schedule to keep as a test"
        problems = self.problems.get(schedule, ("nothing broke",))
        return keeping.case(schedule, problems, self.names.values(), self.arguments())

    def arguments(self) -> str:
        """The arguments of this exploration, besides the actors, as they are written in a call."""
        return keeping.arguments(self.setup_name, self.invariant_name, self.schema, self.journal)

    def add(self, outcome: Outcome, problems: tuple[str, ...]) -> None:
        """Take note of one schedule."""
        mark = Mark.BROKEN if problems else Mark.ERROR if outcome.errors else Mark.HOLDS
        self.count += 1
        self.idle.difference_update(outcome.schedule)
        self.map.add(outcome.schedule, mark)
        if problems:
            self.problems[outcome.schedule] = problems
        if outcome.errors:
            texts = tuple(f"{letter}: {error_text(error)}" for letter, error in outcome.errors.items())
            self.error_texts[outcome.schedule] = self._seen.setdefault(texts, texts)

    def is_to_stop(self, max_schedules: int, progress: Callable[[int], object] | None, bar: Bar) -> bool:
        """Whether the bound is reached, or somebody asked to stop."""
        asked = progress is not None and progress(self.count) is True
        self.stopped = bar.passed(self.count)
        return asked or self.stopped or self.count >= max_schedules

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

    def _headline(self) -> str:
        schedules = counted(self.count, "schedule")
        return f"{len(self.problems):,} of {schedules} break; {len(self.error_texts):,} with an actor's error"

    def _bounds(self) -> list[str]:
        notes = []
        if not self.complete:
            least = f"{self.count:,} of at least {self.count + self.left:,} schedules"
            proven = f"nothing is proven{' of the others' if self.problems else ''}"
            stopped = f"STOPPED BY YOU after {least}: {proven}"
            notes.append(stopped if self.stopped else f"NOT COMPLETE: only the first {least} were run")
        for letter in self.names:
            if letter in self.idle:
                notes.append(
                    f"NOTE: {letter} ({self.names[letter]}) sent no statement: does it use the engine it is given?"
                )
        return notes

    def _summary(self) -> list[str]:
        problems = Counter(problem for found in self.problems.values() for problem in found)
        errors = Counter(text for found in self.error_texts.values() for text in found)
        lines = [f"  {number:>6,} x {text}" for number, text in _ranked(problems)]
        lines += [f"  {number:>6,} x {text}" for number, text in _ranked(errors)]
        return lines + [f"  {line}" for line in explained(set(errors))]

    def _shortest_headline(self) -> str:
        return f"The breaking schedule with the fewest switches ({switches(self.shortest or '')}): {self.shortest}"

    def _others(self) -> str:
        if not self.problems:
            return ""
        listed = list(self.problems.items())[:LISTED]
        items = "".join(f"<li><code>{escape(s)}</code>: {escape('; '.join(found))}</li>" for s, found in listed)
        summary = f"<summary>{counted(len(listed), 'breaking schedule')}, to replay</summary>"
        return f"<details>{summary}<ul>{items}</ul></details>"


def _ranked(counts: Counter[str]) -> list[tuple[int, str]]:
    return [(number, text) for text, number in counts.most_common(10)]
