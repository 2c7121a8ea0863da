"""Records what each step does: a step is measured once for each situation on which its effect can depend.

The effect of a step is a function of (1) its actor's local state, which is the history of all that the database has
answered to it, (2) the rows of the tables that its statement opens, as its connection sees them, and (3) the locks of
others, if it needs one. These form the key under which the effect is recorded. Actors depend on the database only, so
the same key has the same effect in every schedule.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from .answer_log import names_in
from .step_kinds import Kind, Tables


class NextStep(NamedTuple):
    """The step that an actor makes next: on which of its connections, and which statement."""

    connection: int
    kind: Kind
    sql: str
    tables: Tables


class ReadView(NamedTuple):
    """A transaction that reads: the content that it sees, and whether that is still the latest commit."""

    connection: int
    content: int
    newest: bool


class WriteView(NamedTuple):
    """A transaction that holds the write lock: the tables that it has written, as they are in it."""

    connection: int
    tables: tuple[tuple[str, int], ...]


View = ReadView | WriteView


class Situation(NamedTuple):
    """A state: committed content, each actor's local state and open transactions, and the unstable values by age."""

    content: int
    locals: tuple[int, ...]
    views: tuple[tuple[View, ...], ...]
    ages: tuple[str, ...]


class Local:
    """What an actor knows: one for each history of answers. If the actor has ended: what the invariant receives."""

    __slots__ = (
        "created", "ended", "error", "holds", "names", "number", "parameters", "reads", "step", "steps", "transactions",
        "unfinished",
    )  # fmt: skip

    def __init__(self, number: int, steps: int) -> None:
        self.number, self.steps = number, steps
        self.ended = False
        self.error: str | None = None
        self.step: NextStep | None = None
        self.parameters: list[tuple[Any, Any]] = []
        self.transactions: tuple[tuple[int, bool, bool], ...] = ()  # by connection: it reads, it holds the write lock
        self.unfinished: tuple[int, ...] = ()  # connections with unfetched rows
        self.holds = self.reads = False
        self.names: frozenset[str] = frozenset()  # the unstable values (which differ from run to run) that it knows
        self.created: tuple[str, ...] = ()  # those that its next step introduces

    def reads_on(self, connection: int) -> bool:
        """Whether a transaction is open on this connection."""
        return any(number == connection and reads for number, reads, _ in self.transactions)


class Kept(NamedTuple):
    """After a step, a connection still has its previous snapshot."""

    connection: int


class Fresh(NamedTuple):
    """After a step, a connection reads, and its snapshot is the latest commit."""

    connection: int


class Wrote(NamedTuple):
    """After a step, a connection holds the write lock. tables: all that it has written; if `more`, only what is new."""

    connection: int
    tables: tuple[tuple[str, int], ...]
    more: bool


class Effect(NamedTuple):
    """What a step did. committed: if the step committed, the tables that its transaction wrote, as they are now."""

    local: int
    answers: str
    committed: tuple[tuple[str, int], ...]
    commits: bool
    views: tuple[Kept | Fresh | Wrote, ...]


WAITS = Effect(-1, "", (), False, ())  # instead of an effect: the step has to wait


class Contents:
    """Numbers the contents of the database: equal numbers mean equal rows."""

    def __init__(self) -> None:
        self.known: list[dict[str, int]] = []  # by number: the number of each table's rows
        self.names_of_rows: dict[int, frozenset[str]] = {}  # unstable values in the rows of a table
        self._numbers: dict[tuple[tuple[str, int], ...], int] = {}
        self._names: dict[int, frozenset[str]] = {}

    def number(self, tables: dict[str, int]) -> int:
        """The number of a content."""
        key = tuple(sorted(tables.items()))
        found = self._numbers.get(key)
        if found is None:
            found = self._numbers[key] = len(self.known)
            self.known.append(tables)
        return found

    def names(self, content: int) -> frozenset[str]:
        """The values in a content that differ from run to run."""
        found = self._names.get(content)
        if found is None:
            rows = self.known[content].values()
            found = self._names[content] = frozenset().union(*(self.names_of_rows.get(n, ()) for n in rows))
        return found


class Effects:
    """The record: local states, contents, and the effect of each step that was measured."""

    def __init__(self, *, wal: bool, defers_foreign_keys: bool, savepoints: bool) -> None:
        self.contents = Contents()
        self.locals: list[Local] = []
        self.known: dict[Any, Effect] = {}
        self.deaths: dict[Any, tuple[tuple[tuple[str, int], ...], bool]] = {}
        self._wal = wal
        self._defers_foreign_keys = defers_foreign_keys
        self._savepoints = savepoints

    def key(self, state: Situation, index: int) -> Any:
        """Everything on which the effect of this actor's step can depend."""
        local = self.locals[state.locals[index]]
        step = local.step
        assert step is not None
        others = [self.locals[number] for place, number in enumerate(state.locals) if place != index]
        wants_lock = step.kind is Kind.WRITE or step.kind is Kind.BEGIN
        if self._wal:
            locked: Any = wants_lock and any(other.holds for other in others)
        else:
            locked = (tuple(sorted(o.number for o in others if o.holds)), any(o.reads for o in others))
        view = next((view for view in state.views[index] if view.connection == step.connection), None)
        old = wants_lock and isinstance(view, ReadView) and not view.newest
        seen = None if locked is True else self._seen(state, view, step)
        if local.unfinished:
            seen = (seen, state.views[index], state.content)
        if state.ages:
            seen = (seen, self._ages_known(state, view, local, step))
        return (local.number, locked, old, seen)

    def _seen(self, state: Situation, view: View | None, step: NextStep) -> Any:
        """The rows that this step can see."""
        if step.kind is Kind.COMMIT or step.kind is Kind.ROLLBACK:
            return (view and view[1], self._defers_foreign_keys and state.content)
        if step.tables.reads is None:
            return (state.content, view)
        rows = self._rows(state, view)
        seen = tuple([rows.get(table) for table in step.tables.reads])
        if self._savepoints and isinstance(view, WriteView):
            committed = self.contents.known[state.content]
            return (seen, view.tables, tuple([committed.get(table) for table, _ in view.tables]))
        return seen

    def _rows(self, state: Situation, view: View | None) -> dict[str, int]:
        if isinstance(view, ReadView):
            return self.contents.known[view.content]
        committed = self.contents.known[state.content]
        return {**committed, **dict(view.tables)} if view is not None else committed

    def _ages_known(self, state: Situation, view: View | None, local: Local, step: NextStep) -> tuple[str, ...]:
        """Unstable values are compared by name only; their relative age can matter to a step that sees two of them."""
        if step.tables.reads is None or local.unfinished or self._savepoints:
            return state.ages
        known = local.names
        if step.tables.reads:
            rows = self._rows(state, view)
            names = self.contents.names_of_rows
            known = known.union(*(names.get(rows.get(table, -1), ()) for table in step.tables.reads))
        return tuple([name for name in state.ages if name in known])

    def after(self, state: Situation, index: int, effect: Effect) -> Situation:
        """The state to which this actor's step leads."""
        content = state.content
        if effect.committed:
            content = self.contents.number({**self.contents.known[content], **dict(effect.committed)})
        old = {view.connection: view for view in state.views[index]}
        views = list(state.views)
        if effect.commits:
            views = [
                tuple([view._replace(newest=False) if isinstance(view, ReadView) else view for view in each])
                for each in views
            ]
        views[index] = tuple([self._view_after(change, old, content, effect.commits) for change in effect.views])
        local = self.locals[effect.local]
        numbers = list(state.locals)
        numbers[index] = effect.local
        ages = state.ages + local.created
        if ages:
            ages = self._living(ages, content, numbers, views)
        return Situation(content, tuple(numbers), tuple(views), ages)

    def _view_after(self, change: Kept | Fresh | Wrote, old: dict[int, View], content: int, commits: bool) -> View:
        before = old.get(change.connection)
        if isinstance(change, Fresh):
            return ReadView(change.connection, content, True)
        if isinstance(change, Kept):
            assert isinstance(before, ReadView)
            return before._replace(newest=before.newest and not commits)
        if change.more and isinstance(before, WriteView):
            return WriteView(change.connection, tuple(sorted({**dict(before.tables), **dict(change.tables)}.items())))
        return WriteView(change.connection, change.tables)

    def _living(self, ages: tuple[str, ...], content: int, numbers: list[int], views: list[Any]) -> tuple[str, ...]:
        """The unstable values that are still reachable: in the content, a transaction, or an actor's knowledge."""
        living = set(self.contents.names(content)).union(*(self.locals[number].names for number in numbers))
        for view in (view for theirs in views for view in theirs):
            if isinstance(view, ReadView):
                living |= self.contents.names(view.content)
            else:
                living = living.union(*(self.contents.names_of_rows.get(rows, ()) for _, rows in view.tables))
        return tuple([name for name in ages if name in living])

    def death_key(self, state: Situation, index: int) -> Any:
        """Everything on which the effect of killing this actor can depend."""
        return (state.locals[index], state.views[index])

    def death_known(self, state: Situation, index: int) -> bool:
        """Whether it is known what happens to this actor's uncommitted writes."""
        writes = any(isinstance(view, WriteView) for view in state.views[index])
        return not writes or self.death_key(state, index) in self.deaths

    def after_death(self, state: Situation, index: int, dead: int) -> Situation:
        """The state after this actor was killed; `dead`: its local state then."""
        committed, commits = self.deaths.get(self.death_key(state, index), ((), False))
        return self.after(state, index, Effect(dead, "", committed, commits, ()))


def written_by(state: Situation, index: int, step: NextStep | None) -> set[str]:
    """The tables that this actor has written but not committed, its next step included."""
    views = (view for view in state.views[index] if isinstance(view, WriteView))
    return {table for view in views for table, _ in view.tables} | (set(step.tables.writes) if step else set())


def known_names(*values: Any) -> frozenset[str]:
    """The values in any of these that differ from run to run."""
    return frozenset().union(*(names_in(value) for value in values))
