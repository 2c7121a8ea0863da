"""What an exploration refuses, and where it stops."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from math import comb
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlmodel import Session

from taskref_edu import open_database
from taskref_edu.lab import explore, explore_crashes
from taskref_edu.lab.explorer import errors
from tests.lab.explorer.actors import autocommitted, driver, nothing, one_order

NEEDS_A_SIGNAL = pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="no signal reaches one thread here")


class TestNeverEnds:
    def test_in_sql(self) -> None:
        def tries_again(engine: Engine) -> None:
            with driver(engine) as connection:
                while True:
                    connection.execute("SELECT * FROM orders")

        with pytest.raises(errors.ActorNeverEnds, match=r"B made 7 steps in 'AB{7}' and goes on with 'SELECT \* FROM"):
            explore([autocommitted(1), tries_again], setup=one_order, invariant=nothing, max_steps=7)

    def test_steps_up_to_the_bound_are_no_error(self) -> None:
        assert explore([autocommitted(7)], setup=one_order, invariant=nothing, max_steps=7).holds

    @staticmethod
    def computes(_engine: Engine) -> None:
        while True:
            pass

    @staticmethod
    def swallows(_engine: Engine) -> None:
        number = 0
        while True:
            try:
                number += 1
            except BaseException:
                number = 0

    @staticmethod
    def computes_in_sql(engine: Engine) -> None:
        endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n"
        with driver(engine) as connection:
            connection.execute(endless).fetchall()

    @staticmethod
    def sleeps(_engine: Engine) -> None:
        time.sleep(60)

    @pytest.mark.parametrize(
        "name", ["computes", "swallows", "computes_in_sql", pytest.param("sleeps", marks=NEEDS_A_SIGNAL)]
    )
    def test_between_two_steps(self, name: str) -> None:
        before = time.monotonic()
        with pytest.raises(errors.ActorNeverEnds, match=r"A took more than 0.2 seconds"):
            explore([getattr(self, name), autocommitted(1)], setup=one_order, invariant=nothing, patience=0.2)
        assert time.monotonic() - before < 5
        assert threading.active_count() == len(threading.enumerate())
        assert not [thread for thread in threading.enumerate() if "watchdog" in thread.name]

    def test_on_another_thread_than_the_main_one(self) -> None:
        with ThreadPoolExecutor(1) as pool:
            exploration = pool.submit(explore, [self.computes], setup=one_order, invariant=nothing, patience=0.2)
            with pytest.raises(errors.ActorNeverEnds):
                exploration.result(timeout=10)

    @NEEDS_A_SIGNAL
    def test_waiting_for_a_lock_that_another_actor_holds(self) -> None:
        lock, listens = threading.Lock(), signal.getsignal(signal.SIGURG)

        def holds_it_across_sql(engine: Engine) -> None:
            with lock:
                autocommitted(2)(engine)

        with pytest.raises(errors.ActorNeverEnds, match=r'B took .* at "with lock:" \(holds_it_across_sql, line \d+\)'):
            explore([holds_it_across_sql] * 2, setup=one_order, invariant=nothing, patience=0.2)
        assert not lock.locked()
        assert signal.getsignal(signal.SIGURG) == listens


class TestPastTheExplorer:
    def test_a_connection_of_its_own(self, tmp_path: Path) -> None:
        def opens(engine: Engine) -> None:
            with suppress(Exception):  # the exploration must not go on as if nothing had happened
                sqlite3.connect(engine.url.database or "")

        with pytest.raises(errors.PastTheExplorer, match=r"actor A \(opens\) opened a connection of its own"):
            explore([opens], setup=one_order, invariant=nothing)
        sqlite3.connect(tmp_path / "mine.db").close()  # allowed again

    def test_another_database(self) -> None:
        with pytest.raises(errors.PastTheExplorer):
            explore([lambda engine: open_database()], setup=one_order, invariant=nothing)

    def test_other_threads_may_connect_meanwhile(self, tmp_path: Path) -> None:
        asked, done = threading.Event(), threading.Event()

        def connects() -> None:
            asked.wait()
            sqlite3.connect(tmp_path / "other.db").close()
            done.set()

        def lets_it_connect(_engine: Engine) -> None:
            asked.set()
            assert done.wait(10)

        thread = threading.Thread(target=connects)
        thread.start()
        assert explore([lets_it_connect], setup=one_order, invariant=nothing).count == 1
        thread.join()

    @pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
    @pytest.mark.parametrize("start", [threading.Thread, partial(threading.Timer, 0)])
    def test_a_thread_that_the_actor_starts(self, start: Any, tmp_path: Path) -> None:
        others = create_engine(f"sqlite:///{tmp_path}/mine.db")
        others.connect().close()

        def connects() -> None:
            sqlite3.connect(tmp_path / "other.db").close()

        def borrows() -> None:
            others.connect().close()

        def delegates(what: Callable[[], None]) -> Callable[[Engine], None]:
            def actor(engine: Engine) -> None:
                thread = start(target=what) if start is threading.Thread else start(what)
                thread.start()
                thread.join()
                autocommitted(1)(engine)

            return actor

        for what, said in ((connects, "opened a connection of its own"), (borrows, "used another engine than its own")):
            with pytest.raises(errors.PastTheExplorer, match=rf"actor A \(actor\) {said}"):
                explore([delegates(what), autocommitted(1)], setup=one_order, invariant=nothing)
        others.dispose()
        assert threading.Thread.start.__name__ == "start"  # as it was

    def test_an_engine_of_open_database_that_is_connected_already(self) -> None:
        others = open_database()
        one_order(others)

        def uses_both(engine: Engine) -> None:
            autocommitted(1)(engine)
            autocommitted(1)(others)

        with pytest.raises(errors.PastTheExplorer, match=r"actor A \(uses_both\) used another engine than its own"):
            explore([uses_both] * 2, setup=one_order, invariant=nothing)
        others.dispose()

    @pytest.mark.parametrize(
        ("journal", "sql"),
        [
            ("wal", "PRAGMA locking_mode = EXCLUSIVE"),
            ("wal", "PRAGMA main.locking_mode=exclusive"),
            ("wal", "PRAGMA journal_mode('delete')"),
            ("delete", "PRAGMA journal_mode = WAL"),
        ],
    )
    def test_a_setting_that_locks_others_out(self, journal: Any, sql: str) -> None:
        def sets(engine: Engine) -> None:
            with driver(engine) as connection:
                connection.execute(sql)
                connection.execute("UPDATE orders SET amount = 1")

        with pytest.raises(errors.PastTheExplorer, match=r"actor A \(sets\) sends .PRAGMA"):
            explore([sets, autocommitted(1)], setup=one_order, invariant=nothing, journal=journal)

    @pytest.mark.parametrize(
        "sql", ["PRAGMA journal_mode = WAL", "PRAGMA locking_mode", "PRAGMA locking_mode = NORMAL"]
    )
    def test_a_setting_that_does_not(self, sql: str) -> None:
        def sets(engine: Engine) -> None:
            with driver(engine) as connection:
                connection.execute(sql)
                connection.execute("UPDATE orders SET amount = 1")

        assert explore([sets, autocommitted(1)], setup=one_order, invariant=nothing).holds

    def test_another_connection_while_the_whole_file_is_locked(self) -> None:
        def locks(engine: Engine) -> None:
            with driver(engine) as connection:
                connection.execute("BEGIN EXCLUSIVE")
                connection.execute("COMMIT")

        def connects_late(engine: Engine) -> None:
            with driver(engine) as connection:
                connection.execute("SELECT 1")
                with driver(engine) as another:
                    another.execute("SELECT 2")

        with pytest.raises(errors.PastTheExplorer, match=r"B \(connects_late\) opens another connection while"):
            explore([locks, connects_late], setup=one_order, invariant=nothing, journal="delete", schedules=["ABAB"])
        assert explore([locks, connects_late], setup=one_order, invariant=nothing).count == comb(4, 2)  # readers go on

    def test_another_actors_engine(self) -> None:
        first: list[Engine] = []

        def lends(engine: Engine) -> None:
            first.append(engine)
            autocommitted(1)(engine)

        def borrows(_engine: Engine) -> None:
            autocommitted(1)(first[-1])

        with pytest.raises(errors.PastTheExplorer, match=r"B \(borrows\) opened a connection of its own"):
            explore([lends, borrows], setup=one_order, invariant=nothing)
        with pytest.raises(errors.PastTheExplorer, match=r"A \(append\) has its engine used by B's function"):
            explore([first.append, borrows], setup=one_order, invariant=nothing)

    def test_a_thread(self) -> None:
        def on_the_thread(engine: Engine) -> None:
            with pytest.raises(errors.PastTheExplorer):
                autocommitted(1)(engine)

        def delegates(engine: Engine) -> None:
            thread = threading.Thread(target=on_the_thread, args=(engine,))
            thread.start()
            thread.join()

        with pytest.raises(errors.PastTheExplorer, match="another thread"):
            explore([delegates], setup=one_order, invariant=nothing)

    def test_many_rows_outside_a_transaction(self) -> None:
        def many(engine: Engine) -> None:
            with driver(engine) as connection:
                connection.executemany("UPDATE orders SET amount = ?", [(1,), (2,)])

        with pytest.raises(errors.PastTheExplorer, match="executemany"):
            explore([many], setup=one_order, invariant=nothing)

    def test_an_engine_of_its_own_that_is_connected_already(self, tmp_path: Path) -> None:
        others = create_engine(f"sqlite:///{tmp_path}/mine.db")

        def in_a_session(_engine: Engine) -> None:
            with suppress(Exception), Session(others) as session:
                session.execute(text("SELECT 1"))

        def raw(_engine: Engine) -> None:
            others.raw_connection().close()

        for function in (in_a_session, raw):
            others.connect().close()  # its pool keeps the connection: nothing is opened any more
            with pytest.raises(errors.PastTheExplorer, match=rf"actor B \({function.__name__}\) used another engine"):
                explore([autocommitted(1), function], setup=one_order, invariant=nothing)
        with Session(others) as session:
            session.execute(text("SELECT 1"))  # allowed again
        others.dispose()

    def test_code_that_has_not_run(self) -> None:
        async def later(engine: Engine) -> None:
            autocommitted(1)(engine)

        def yields(engine: Engine) -> Iterator[None]:
            autocommitted(1)(engine)
            yield

        async def yields_later(engine: Engine) -> AsyncIterator[None]:
            yield

        def one_that_returns_a_coroutine(engine: Engine) -> object:
            return later(engine)

        for function, kind in (
            (later, "a coroutine"),
            (one_that_returns_a_coroutine, "a coroutine"),
            (yields, "a generator"),
            (yields_later, "an asynchronous generator"),
            (partial(later), "a coroutine"),
        ):
            with pytest.raises(errors.PastTheExplorer, match=f"^actor B .* returned {kind}: its code has not run"):
                explore([autocommitted(1), function], setup=one_order, invariant=nothing)
        with pytest.raises(errors.PastTheExplorer, match=r"^setup returned a coroutine"):
            explore([autocommitted(1)], setup=later, invariant=nothing)
        with pytest.raises(errors.PastTheExplorer, match=r"^recover returned a generator"):
            explore_crashes(autocommitted(1), setup=one_order, recover=yields, invariant=nothing)
        with pytest.raises(errors.PastTheExplorer, match=r"^the invariant returned a generator"):
            explore([autocommitted(1)], setup=one_order, invariant=lambda session: yields(session))  # type: ignore[arg-type]

    def test_no_statement_at_all_is_said(self) -> None:
        found = explore([autocommitted(1), lambda engine: None], setup=one_order, invariant=nothing)
        assert "NOTE: B (<lambda>) sent no statement" in str(found)
        assert not found.holds


class TestActorsErrors:
    @pytest.mark.parametrize("error", [ValueError("wrong"), SystemExit(3)])
    def test_are_part_of_the_result(self, error: BaseException) -> None:
        def fails(engine: Engine) -> None:
            autocommitted(1)(engine)
            raise error

        found = explore([fails, autocommitted(1)], setup=one_order, invariant=nothing)
        assert found.errors == ["AB", "BA"]
        assert found.error_texts["AB"] == (f"A: {type(error).__name__}: {error}",)

    def test_who_fails_in_every_schedule_proves_nothing(self) -> None:
        def fails(engine: Engine) -> None:
            autocommitted(1)(engine)
            raise ValueError("wrong")

        found = explore([fails, autocommitted(1)], setup=one_order, invariant=nothing)
        assert not found.holds
        assert "NOTE: A (fails) failed in every schedule, as with ValueError: wrong" in str(found)
        assert explore([fails, autocommitted(1)], setup=one_order, invariant=lambda session, errors: []).holds

    def test_an_interrupt_ends_the_exploration(self) -> None:
        def interrupted(_engine: Engine) -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            explore([autocommitted(1), interrupted], setup=one_order, invariant=nothing)


class TestRepeatable:
    def test_a_function_that_remembers_is_told(self) -> None:
        calls: list[int] = []

        def remembers(engine: Engine) -> None:
            calls.append(1)
            autocommitted(3 if len(calls) == 1 else 0)(engine)

        with pytest.raises(errors.NotRepeatable, match="depend on the database only"):
            explore([remembers, autocommitted(2)], setup=one_order, invariant=nothing)


class TestSchedules:
    @pytest.mark.parametrize(
        ("schedule", "message"),
        [
            ("ABC", "names 'C'; the actors are A, B"),
            ("AA", "after 'A', A has no step left"),
            ("A", "ends too early: steps are left .B: UPDATE"),
            ("ABx", "names 'x'"),
        ],
    )
    def test_that_cannot_happen(self, schedule: str, message: str) -> None:
        found = explore([autocommitted(1), autocommitted(1)], setup=one_order, invariant=nothing)
        with pytest.raises(errors.NoSuchSchedule, match=message):
            found.replay(schedule)

    def test_the_first_of_many_is_said(self) -> None:
        found = explore([autocommitted(4)] * 2, setup=one_order, invariant=nothing, max_runs=5)
        assert (found.count, found.complete, found.holds, found.broken) == (5, False, False, [])
        assert "NOT COMPLETE: 5 schedules were run for real (max_runs= allows more) after 5 of at least 8" in str(found)
        assert "NOT COMPLETE" in found._repr_html_()

    def test_some_of_a_list_are_not_all_of_it(self) -> None:
        asked = ["AB", "BA"]
        found = explore([autocommitted(1)] * 2, setup=one_order, invariant=nothing, schedules=asked, max_runs=1)
        assert (found.count, found.complete) == (1, False)
        assert explore([autocommitted(1)] * 2, setup=one_order, invariant=nothing, schedules=asked).complete

    def test_a_bound_that_is_just_enough_is_no_bound(self) -> None:
        assert explore([autocommitted(4)] * 2, setup=one_order, invariant=nothing, max_runs=70).complete

    def test_somebody_may_stop_it(self) -> None:
        found = explore([autocommitted(4)] * 2, setup=one_order, invariant=nothing, progress=lambda count: count == 3)
        assert (found.count, found.complete) == (3, False)

    @pytest.mark.parametrize("count", [0, 27])
    def test_too_few_or_too_many_actors(self, count: int) -> None:
        with pytest.raises(ValueError, match=f"{count} actors found"):
            explore([autocommitted(1)] * count, setup=one_order, invariant=nothing)

    @pytest.mark.parametrize(
        ("actors", "message"),
        [
            (nothing, "actors: <function nothing at .*> found; a list of functions expected"),
            ([nothing, None], "actor B: None found; a function f.engine. expected, not what it returns"),
        ],
    )
    def test_what_is_no_list_of_functions(self, actors: Any, message: str) -> None:
        with pytest.raises(TypeError, match=message):
            explore(actors, setup=one_order, invariant=nothing)


class TestSetupAndInvariant:
    def test_setup_must_end_its_transaction(self) -> None:
        kept: list[Session] = []

        def unfinished(engine: Engine) -> None:
            kept.append(Session(engine))
            kept[0].execute(text("INSERT INTO orders VALUES (1, 'Ada', 0, 'new', NULL)"))

        with pytest.raises(errors.LabError, match="setup left a transaction open"):
            explore([autocommitted(1)], setup=unfinished, invariant=nothing)
        kept[0].close()

    @pytest.mark.parametrize("wrong", [None, "one string", True, 3])
    def test_an_invariant_must_return_a_list(self, wrong: Any) -> None:
        with pytest.raises(TypeError, match="a list of strings expected"):
            explore([autocommitted(1)], setup=one_order, invariant=lambda session: wrong)

    def test_an_invariant_that_raises_says_after_which_schedule(self) -> None:
        def raises(_session: Session) -> list[str]:
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError) as caught:
            explore([autocommitted(1)] * 2, setup=one_order, invariant=raises)
        assert caught.value.__notes__ == ["raised by the invariant after the schedule 'AB'"]

    @pytest.mark.parametrize(
        ("invariant", "told"),
        [
            (lambda session: ["asked"], "asked"),
            (lambda session, errors: [str(sorted(errors))], "['A']"),
            (lambda session, errors, results: [f"{sorted(errors)} {results}"], "['A'] {'B': 42}"),
            (lambda session, mine=7: [str(mine)], "7"),
        ],
    )
    def test_an_invariant_gets_what_it_takes(self, invariant: Callable[..., list[str]], told: str) -> None:
        def fails(engine: Engine) -> None:
            autocommitted(1)(engine)
            raise ValueError

        def returns(engine: Engine) -> int:
            autocommitted(1)(engine)
            return 42

        found = explore([fails, returns], setup=one_order, invariant=invariant)
        assert found.problems["AB"] == (told,)

    def test_an_invariant_that_takes_nothing_is_refused_before_the_setup(self) -> None:
        set_up: list[Engine] = []
        with pytest.raises(TypeError, match="an invariant of 0 arguments found"):
            explore([autocommitted(1)], setup=set_up.append, invariant=lambda: [])
        assert not set_up

    def test_no_file_is_left_behind(self) -> None:
        folders: list[Path] = []

        def setup(engine: Engine) -> None:
            folders.append(Path(engine.url.database or "").parent)
            one_order(engine)

        found = explore([autocommitted(1)], setup=setup, invariant=nothing)
        found.replay("A")
        with pytest.raises(errors.NoSuchSchedule):
            found.replay("B")
        assert len(folders) == 3
        assert not [folder for folder in folders if folder.exists()]


STARVED = """
import os, subprocess, sys, threading, time
from taskref_edu.lab.explorer.watchdog import Watchdog

class Turns:
    turn, running = 0, True
    def interrupt(self):
        pass

os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(4)]  # on the same processor
watchdog = Watchdog(Turns(), 1.0)
begun, end = time.monotonic(), time.process_time() + float(sys.argv[1])
try:
    while time.process_time() < end:
        pass
    print("ended after", "longer" if time.monotonic() - begun > 1 else "less")
finally:
    watchdog.close()
    for other in others:
        other.kill()
        other.wait()
"""


@pytest.mark.skipif(not Path("/proc/thread-self/schedstat").exists(), reason="nobody counts the waiting here")
@pytest.mark.parametrize(("computes", "said"), [(0.8, "ended after longer"), (30, "Hung")])
@pytest.mark.nightly
def test_time_without_a_processor_does_not_count(computes: float, said: str) -> None:
    """A check on a busy machine said that an answer had not ended in time."""
    found = subprocess.run([sys.executable, "-c", STARVED, str(computes)], capture_output=True, text=True, timeout=100)
    assert said in found.stdout + found.stderr
