"""The worlds of checks differ in each column that an answer could wrongly depend on."""

from __future__ import annotations

import pytest

from taskref_edu.exercises.catalog import e3_3_one_click_one_payment, e4_2_stop_it
from taskref_edu.exercises.catalog._worlds import inverted_world, worlds


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
