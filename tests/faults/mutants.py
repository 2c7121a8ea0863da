"""Does the state machine find anything? Each guard of the queue is taken away in turn, and it must notice.

A mutant is a text of SQL with a piece missing, so the library itself is not touched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any
from unittest.mock import patch

from hypothesis import HealthCheck, Phase, Verbosity, settings
from hypothesis.stateful import run_state_machine_as_test
from sqlalchemy import event

from taskref_edu import models, schema
from taskref_edu.queue import statement_execution as driver
from taskref_edu.queue import statements
from taskref_edu.queue.statement_execution import prepared
from tests.queue.test_machine import QueueMachine

TOKEN = (" AND task.lease_token = :token", "")
STATUS = (" AND task.status = 'running'", "")
BOUND = (" AND task.attempt < task.max_attempts", "")


@dataclass(frozen=True)
class Mutant:
    """A guard that is missing: what was changed, in the words of the report, and how."""

    name: str
    applied: Callable[[], Any]  # a context in which the queue lacks the guard


def _lacks(verb: str, what: str, change: tuple[str, str]) -> Mutant:
    @contextmanager
    def applied() -> Iterator[None]:
        found, (old, new) = getattr(statements, verb.upper()), change
        statement = found["sqlite"] if isinstance(found, dict) else found  # else one for every database
        form = prepared(statement)
        assert old in form.sql, f"{old!r} is not in {form.sql}: mend the mutant"
        mutated = replace(form, sql=form.sql.replace(old, new))
        with patch.object(driver, "prepared", lambda asked: mutated if asked is statement else prepared(asked)):
            yield

    return Mutant(f"{verb}: {what}", applied)


@contextmanager
def _ids_used_again() -> Iterator[None]:
    table, sqlite = models.Task.__table__, "sqlite"  # type: ignore[attr-defined]
    event.remove(table, "before_create", models._no_id_twice)
    table.dialect_options[sqlite]["autoincrement"] = False
    try:
        yield
    finally:
        event.listen(table, "before_create", models._no_id_twice)


MUTANTS = [
    *(_lacks(verb, "no lease token", TOKEN) for verb in ("complete", "fail", "heartbeat", "stop")),
    *(_lacks(verb, "no status", STATUS) for verb in ("complete", "fail", "heartbeat", "stop")),
    *(_lacks(verb, "no bound of attempts", BOUND) for verb in ("fail", "reclaim")),
    _lacks("stop", "not asked for", (" AND task.cancel_requested_at IS NOT NULL", "")),
    _lacks("claim", "the token does not rise", ("lease_token=(task.lease_token + 1)", "lease_token=task.lease_token")),
    _lacks("claim", "the attempt does not count", ("attempt=(task.attempt + 1)", "attempt=task.attempt")),
    _lacks("claim", "not yet due", (" AND task.available_at <= :now", "")),
    _lacks("claim", "by id, not by time", (" ORDER BY task.available_at, task.id", " ORDER BY task.id")),
    _lacks("reclaim", "leases that hold", (" AND task.lease_expires_at <= :now", "")),
    _lacks("cancel", "what has ended", (" AND task.status IN ('pending', 'running')", "")),
    _lacks("cancel", "a running task ends", ("WHEN (task.status = 'pending')", "WHEN 1")),
    _lacks("prune", "what ended just now", (" AND task.finished_at < :before", "")),
    Mutant("the clearing trigger is missing", lambda: patch.object(schema, "clearing_trigger", lambda *_: [])),
    Mutant("classic's unique index is missing", lambda: patch.dict(schema.EXTRA_DDL, both=(schema._inverted,))),
    Mutant("ids are used again", _ids_used_again),
]


def steps_until_found(mutant: Mutant, limit: int = 10_000) -> int | None:
    """How many steps the machine takes until it fails on the mutant; None: it does not."""

    class Mutated(QueueMachine):
        steps = 0

    with mutant.applied():
        try:
            run_machine(Mutated, limit, phases=[Phase.generate])
        except Exception:
            return Mutated.steps or None  # at no step: it does not even start, which is another mistake
    return None


def run_machine(machine: type[QueueMachine], steps: int, **keywords: Any) -> None:
    """Let the machine take about so many steps, other ones each time."""
    chosen = settings(
        max_examples=steps // 50,
        stateful_step_count=50,
        deadline=None,
        database=None,
        verbosity=Verbosity.quiet,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
        **keywords,
    )
    run_state_machine_as_test(machine, settings=chosen)
