"""The worlds of checks differ in each column that an answer could wrongly depend on."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from types import ModuleType
from typing import Any

import pytest
from sqlmodel import Session, select

from taskref_edu import Order, Task
from taskref_edu.exercises.catalog import e1_1_follow_the_arrow as e1_1
from taskref_edu.exercises.catalog import e3_3_one_click_one_payment, e4_2_stop_it
from taskref_edu.exercises.catalog import e7_1_any_column as e7_1
from taskref_edu.exercises.catalog import e7_2_prune_without_a_trace as e7_2
from taskref_edu.exercises.catalog import e8_2_claim as e8_2
from taskref_edu.exercises.catalog._worlds import inverted_world, worlds
from taskref_edu.exercises.loader import attempt_from, load
from taskref_edu.models import ENDED, LIVE

Facts = set[tuple[str, object]]


@pytest.mark.parametrize("exercise", [e3_3_one_click_one_payment, e4_2_stop_it])
def test_free_orders_and_taken_ones_have_each_value_of_every_column(exercise: object) -> None:
    """An answer that asks for one more condition is wrong in one of them."""
    found = {"free": set[tuple[str, object]](), "taken": set[tuple[str, object]]()}
    for world in worlds(exercise.SEED, exercise.WORLDS, inverted_world, 6):  # type: ignore[attr-defined]
        for order in world.orders[:3]:  # as the check takes them
            values = {(column, order[column]) for column in ("customer", "amount", "status")}
            found["taken" if order["processing_task_id"] else "free"] |= {*values, ("one digit", order["id"] < 10)}
    assert found["free"] == found["taken"]
    assert len(found["free"]) == 3 + 4 + 2 + 2


def calls_of(module: ModuleType, look: Callable[..., Any]) -> None:
    """Run the check in random worlds on the solution; `look` sees each call as an answer would."""
    exercise = module.EXERCISE
    solution = load(attempt_from(exercise.id, exercise.cell(exercise.solution), ()))

    @wraps(solution)
    def looking(session: Session, *arguments: Any) -> Any:
        look(session, *arguments)
        return solution(session, *arguments)

    module.check_in_random_worlds(looking)


def columns_of(task: Task) -> Facts:
    """Of a task, what an answer could ask for besides."""
    return {
        ("attempted", task.attempt > 0),
        ("token is attempt", task.lease_token == task.attempt),
        ("asked to stop", task.cancel_requested_at is not None),
        ("error", task.error is not None),
        ("one digit", task.id < 10),  # type: ignore[operator]
        ("payload", task.payload is not None),
    }


BOTH = [True, False]


def both(*names: str) -> Facts:
    return {(name, value) for name in names for value in BOTH}


def test_1_1__tasks_with_an_order_and_without_one_differ_in_every_column() -> None:
    found: dict[bool, Facts] = {True: set(), False: set()}
    orders: Facts = set()

    def look(session: Session, task: Task) -> None:
        order = session.exec(select(Order).where(Order.processing_task_id == task.id)).one_or_none()
        found[order is not None] |= {*columns_of(task), ("status", task.status)}
        if order:
            orders.update((name, getattr(order, name)) for name in ("customer", "amount", "status"))
            orders.add(("the id of a task", session.get(Task, order.id) is not None))
            orders.add(("named by the payload", (task.payload or {}).get("order_id") == order.id))

    calls_of(e1_1, look)
    every = both("attempted", "asked to stop", "error", "one digit", "payload", "token is attempt")
    assert found[True] >= every | {("status", status) for status in LIVE}
    assert found[False] >= every | {("status", status) for status in (*LIVE, *ENDED)}
    assert orders >= both("the id of a task") | {("named by the payload", False)}
    assert len({name for name, _ in orders if name == "customer"}) == 1
    assert len(orders) >= 3 + 4 + 2 + 2 + 1


def test_7_1__a_reference_in_memory_is_old_in_both_directions() -> None:
    found: set[tuple[str, bool, str]] = set()

    def look(session: Session, queue: Any, row: Any, column: Any, type: str) -> None:
        held = row.__dict__[column.key]
        with session.no_autoflush:
            now = session.exec(select(column).where(row.__class__.id == row.__dict__["id"])).one()
        memory = "free" if held is None else "the same" if held == now else "another"
        found.add((row.__class__.__name__, now is None, memory))

    calls_of(e7_1, look)
    for model in ("Order", "Invoice"):
        assert {(taken, memory) for name, taken, memory in found if name == model} >= {
            (True, "free"),
            (True, "another"),
            (False, "free"),
            (False, "another"),
        }
    assert (("Order", False, "the same") in found) or (("Invoice", False, "the same") in found)


def test_7_2__tasks_end_just_before_just_after_and_then__and_limits_are_too_small_exact_and_large() -> None:
    found: Facts = set()

    def look(session: Session, before: Any, limit: int) -> None:
        tasks = session.exec(select(Task)).all()
        due = [task for task in tasks if task.finished_at and task.finished_at < before]
        named = set(session.exec(select(Order.processing_task_id)).all())
        found.update(
            {("no limit", limit == 0), ("limit", (limit > len(due)) - (limit < len(due))), ("none due", not due)}
        )
        for task in tasks:
            if task.finished_at:
                gap = (task.finished_at - before).total_seconds()
                found.add(("ended", gap if abs(gap) < 1e-5 else gap > 0))
            if task in due:
                found.update({*columns_of(task), ("status", task.status), ("referenced", task.id in named)})
            found.add(("unfinished", task.status in LIVE))

    calls_of(e7_2, look)
    assert found >= both("no limit", "none due", "attempted", "asked to stop", "error", "one digit", "referenced")
    assert found >= {("limit", sign) for sign in (-1, 0, 1)} | {("status", status) for status in ENDED}
    assert found >= {("ended", gap) for gap in (-1e-6, 0.0, 1e-6, True, False)} | both("unfinished")


def test_8_2__the_task_that_is_claimed_has_any_history_and_is_due_at_any_instant() -> None:
    found: Facts = set()
    for world in worlds(82, e8_2.WORLDS, e8_2._due_world, 12):
        pending = [Task(**task) for task in world.tasks if task["status"] == "pending"]
        due = sorted((task.available_at, task.id, task) for task in pending if task.available_at <= e8_2.WORLD_NOW)
        found.add(("none due", not due))
        at = [task.available_at - e8_2.WORLD_NOW for task in pending]
        found.update(("due", (gap > timedelta(0)) - (gap < timedelta(0))) for gap in at)
        if due:
            time, id, first = due[0]
            found.update({*columns_of(first), ("the type", first.type == "process_payment")})
            found.add(("the smallest id", id == min(task["id"] for task in world.tasks)))
            found.add(("a tie", sum(each[0] == time for each in due) > 1))
    assert found >= both("none due", "attempted", "error", "one digit", "the smallest id", "a tie", "the type")
    assert found >= {("due", sign) for sign in (-1, 0, 1)} | {("token is attempt", False)}
