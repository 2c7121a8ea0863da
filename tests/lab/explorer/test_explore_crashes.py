"""The crash lab kills a function before each of its steps, and nothing of it lives on."""

from __future__ import annotations

import logging
from math import comb
from typing import Any

import pytest
from sqlalchemy import Engine, text
from sqlmodel import Session, col, select

from taskref_edu import Order, Task, writing
from taskref_edu.lab import explore_crashes
from taskref_edu.lab.explorer.errors import ActorKilled
from taskref_edu.lab.explorer.graph import Schedules
from tests.lab.explorer import actors
from tests.lab.explorer.actors import autocommitted, driver, nothing, one_order


def amount(session: Session) -> list[str]:
    return [str(session.exec(select(Order.amount)).one())]


def orphan(session: Session) -> list[str]:
    referenced = select(Order.processing_task_id).where(col(Order.processing_task_id).is_not(None))
    found = session.exec(select(Task.id).where(col(Task.id).not_in(referenced))).all()
    return [f"task {task_id} is an orphan" for task_id in found]


def take_back(engine: Engine) -> None:
    with writing(engine) as session:
        session.execute(text("UPDATE orders SET amount = -amount"))


class TestPoints:
    @pytest.mark.parametrize("journal", ["wal", "delete"])
    @pytest.mark.parametrize("steps", [0, 1, 4])
    def test_n_steps_have_n(self, steps: int, journal: Any) -> None:
        lost = explore_crashes(autocommitted(steps), setup=one_order, invariant=amount, journal=journal)
        assert lost.count == steps
        assert lost.problems == {"A" * done + "x": ("1" * done or "0",) for done in range(steps)}

    def test_what_was_not_committed_is_gone(self) -> None:
        lost = explore_crashes(actors.check_in_writing, setup=one_order, invariant=orphan)
        assert (lost.count, lost.holds) == (5, True)

    @pytest.mark.parametrize("journal", ["wal", "delete"])
    @pytest.mark.parametrize("fetched", [0, 1])
    @pytest.mark.parametrize("sql", ["UPDATE orders SET amount = 1 RETURNING id", "DELETE FROM orders RETURNING id"])
    def test_an_autocommitted_write_that_still_returns_rows(self, sql: str, fetched: int, journal: Any) -> None:
        """SQLite commits it with its last row."""

        def two_orders(engine: Engine) -> None:
            with writing(engine) as session:
                session.add_all([Order(id=number, customer="Ada", amount=0) for number in (1, 2)])

        def actor(engine: Engine) -> None:
            raw = engine.raw_connection()
            cursor = raw.cursor()
            cursor.execute(sql)
            for _ in range(fetched):
                cursor.fetchone()
            raw.cursor().execute("SELECT count(*) FROM task").fetchall()
            cursor.fetchall()
            raw.close()

        def unchanged(session: Session) -> list[str]:
            return [] if session.exec(select(Order.amount)).all() == [0, 0] else ["changed"]

        lost = explore_crashes(actor, setup=two_orders, invariant=unchanged, journal=journal)
        assert (lost.count, lost.holds) == (2, True)

    def test_the_orphan_of_two_transactions(self) -> None:
        lost = explore_crashes(actors.click_inverted, setup=one_order, invariant=orphan, schema="as_written")
        assert (lost.count, lost.broken) == (5, ["AAAAx", "AAAx"])

    @pytest.mark.parametrize(("m", "n"), [(1, 1), (2, 3), (4, 2)])
    def test_with_another_actor(self, m: int, n: int) -> None:
        """Death takes the place of a step: the dead one's k steps, x among them, in every order with the other's."""
        lost = explore_crashes([autocommitted(m), autocommitted(n)], setup=one_order, invariant=nothing)
        assert lost.count == sum(comb(k + n, n) for k in range(1, m + 1))
        assert lost.errors == []

    def test_either_actor_may_be_the_one_that_dies(self) -> None:
        lost = explore_crashes(
            [autocommitted(1), autocommitted(2)], crash=1, setup=one_order, invariant=lambda session: ["always"]
        )
        assert sorted(lost.broken) == ["ABx", "Ax", "BAx", "BxA", "xA"]

    def test_a_branch_that_ends_early_has_no_later_point(self) -> None:
        """Whoever comes second ends after its check: one crash point; whoever comes first has three."""
        click = actors.click_classic
        lost = explore_crashes([click, click], setup=one_order, invariant=nothing, schema="as_written")
        schedules = list(Schedules(lost.graph))
        assert all(schedule.count("x") == 1 for schedule in schedules)
        assert len(set(schedules)) == lost.count
        assert "BBBx" in schedules
        assert "BBBAx" not in schedules
        assert "AAxBBB" in schedules


class TestDeath:
    def test_locks_are_free_at_once(self) -> None:
        lost = explore_crashes([actors.check_in_writing, autocommitted(1)], setup=one_order, invariant=amount)
        assert set(lost.problems.values()) == {("1",)}
        assert lost.errors == []

    def test_one_that_waits_can_die(self) -> None:
        lost = explore_crashes(
            [autocommitted(1), actors.check_in_writing], setup=one_order, invariant=lambda session: ["always"]
        )
        assert "BBxBBB" in lost.broken  # B holds the write lock, A stands before its statement

    def test_python_goes_on_and_reaches_no_database(self) -> None:
        met: list[type[BaseException]] = []

        def clings_to_life(engine: Engine) -> None:
            try:
                with writing(engine) as session:
                    session.execute(text("UPDATE orders SET amount = 1"))
            except BaseException:
                for reach in (
                    lambda: engine.connect().execute(text("UPDATE orders SET amount = 2")),
                    engine.raw_connection,
                ):
                    try:
                        reach()
                    except BaseException as error:
                        met.append(type(error))
                raise

        lost = explore_crashes(clings_to_life, setup=one_order, invariant=amount)
        assert lost.problems == {"x": ("0",), "Ax": ("0",), "AAx": ("0",)}
        assert set(met) == {ActorKilled}

    def test_statements_on_the_dead_connection_are_refused(self) -> None:
        met: list[type[BaseException]] = []

        def clings(engine: Engine) -> None:
            with driver(engine) as connection:
                cursor = connection.cursor()
                try:
                    cursor.execute("UPDATE orders SET amount = 1")
                except BaseException:
                    for act in (
                        lambda: cursor.execute("UPDATE orders SET amount = 2"),
                        lambda: connection.execute("UPDATE orders SET amount = 2"),
                        lambda: connection.executemany("UPDATE orders SET amount = ?", [(2,)]),
                        lambda: connection.executescript("UPDATE orders SET amount = 2"),
                        connection.cursor,
                        connection.commit,
                    ):
                        try:
                            act()
                        except BaseException as error:
                            met.append(type(error))
                    raise

        lost = explore_crashes(clings, setup=one_order, invariant=amount)
        assert lost.problems == {"x": ("0",)}
        assert set(met) == {ActorKilled}

    def test_is_no_exception_and_no_error_of_the_actor(self) -> None:
        def careful(engine: Engine) -> None:
            try:
                actors.check_in_writing(engine)
            except Exception:  # a killed process does not come here
                autocommitted(1)(engine)

        lost = explore_crashes(careful, setup=one_order, invariant=amount)
        assert set(lost.problems.values()) == {("0",)}
        assert lost.errors == []

    def test_leaves_no_message(self, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level(logging.WARNING):
            explore_crashes([actors.click_inverted] * 2, setup=one_order, invariant=nothing)
            explore_crashes(actors.check_before_the_block, setup=one_order, invariant=nothing, journal="delete")
        assert caplog.records == []


class TestRecovery:
    def test_runs_once_before_the_invariant(self) -> None:
        lost = explore_crashes(autocommitted(2), setup=one_order, recover=take_back, invariant=amount)
        assert lost.problems == {"x": ("0",), "Ax": ("-1",)}

    def test_that_fails_is_something_broken(self) -> None:
        def fails(_engine: Engine) -> None:
            raise ValueError("no way back")

        lost = explore_crashes(autocommitted(1), setup=one_order, recover=fails, invariant=nothing)
        assert lost.problems == {"x": ("the recovery raised ValueError: no way back",)}

    def test_is_shown_with_what_was_left_behind(self) -> None:
        lost = explore_crashes(autocommitted(2), setup=one_order, recover=take_back, invariant=amount)
        trace = lost.replay("Ax")
        assert [step.rows["orders"][0]["amount"] for step in trace.steps] == [1, 1, -1]
        assert trace.broken == ("-1",)
        text = str(trace)
        assert "  2  ✕ killed here" in text
        assert "  3  then take_back runs\n       ~ order 1: amount 1 → -1" in text


def test_text() -> None:
    lost = explore_crashes(actors.click_inverted, setup=one_order, invariant=orphan, schema="as_written")
    lines = str(lost).splitlines()
    assert lines[0] == "2 of 5 crash points break"
    assert lines[3] == "  holds   killed before step 3: COMMIT"
    assert lines[5] == "  BROKEN  killed before step 5: COMMIT"
    assert any(line.startswith("A was killed before UPDATE orders SET processing_task_id = 1") for line in lines)
    assert "  4  ✕ killed here" in lines
    assert "✕ Broken: task 1 is an orphan" in lines
    assert lines[-1] == "What would have helped: Commit what belongs together in one transaction."
    assert "assert lost.holds" in lost.as_test()


def test_the_first_of_many_is_said() -> None:
    lost = explore_crashes(autocommitted(4), setup=one_order, invariant=nothing, max_runs=2)
    assert not lost.complete
    assert not lost.holds
    assert "NOT COMPLETE" in str(lost)


def test_crash_names_an_actor() -> None:
    with pytest.raises(ValueError, match="crash=2 found"):
        explore_crashes([autocommitted(1), autocommitted(1)], crash=2, setup=one_order, invariant=nothing)
