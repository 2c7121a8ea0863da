"""The worker: what it runs, what it survives, and that it holds up nobody."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from sqlmodel import Session

from taskref_edu import Order, Task, TaskQueue, TaskStatus, Worker, errors, open_database, reading, writing
from taskref_edu.database.observed_connection import ObservedConnection
from taskref_edu.database.sqlite_engine import file_of, observers_of
from taskref_edu.queue.running_task import RunningTask
from taskref_edu.worker.attempt import describe
from taskref_edu.worker.claims import TaskFetcher
from tests.conftest import Clock, claim, in_transaction, new_orders, until


def task(engine: Engine, task_id: int) -> Task:
    with reading(engine) as session:
        return session.get_one(Task, task_id)


def enqueue(queue: TaskQueue, type: str, **keywords: object) -> int:
    with writing(queue.engine) as session:
        return queue.enqueue(session, type, **keywords).id or 0  # type: ignore[arg-type]


@pytest.fixture
def live(sqlite: Engine) -> TaskQueue:
    """A queue with a real clock, a handler that does nothing, and a lease of a second."""
    queue = TaskQueue(sqlite, lease=1.0, backoff=0.01)
    queue.handler("nothing")(lambda task: None)
    return queue


@pytest.fixture
def worker(live: TaskQueue) -> Iterator[Worker]:
    worker = Worker(live)
    yield worker
    worker.stop()


class TestSteps:
    """On the calling thread, with a clock that the test moves, on both databases."""

    def test_step_runs_one_task_and_starts_no_thread(self, queue: TaskQueue) -> None:
        seen: list[RunningTask] = []
        queue.handler("work")(seen.append)
        for payload in ("a", "b"):
            enqueue(queue, "work", payload=payload)
        worker, threads = Worker(queue), set(threading.enumerate())
        assert [worker.step(), worker.step(), worker.step()] == [True, True, False]
        assert [task.payload for task in seen] == ["a", "b"]
        assert set(threading.enumerate()) <= threads

    def test_step_claims_one_task_and_no_other(self, queue: TaskQueue) -> None:
        queue.handler("work")(lambda task: None)
        enqueue(queue, "work")
        enqueue(queue, "work")
        worker = Worker(queue)
        worker.step()
        assert (task(queue.engine, 1).status, task(queue.engine, 2).status) == (
            TaskStatus.SUCCEEDED,
            TaskStatus.PENDING,
        )
        assert queue.engine.pool.checkedout() == 0  # type: ignore[attr-defined]

    def test_a_handler_may_run_its_own_worker(self, queue: TaskQueue) -> None:
        worker = Worker(queue)
        queue.handler("outer")(lambda task: worker.run_until_idle())
        queue.handler("inner")(lambda task: None)
        for type_ in ("outer", "inner", "inner"):
            enqueue(queue, type_)
        assert worker.run_until_idle() == 1
        assert [task(queue.engine, number).status for number in (1, 2, 3)] == [TaskStatus.SUCCEEDED] * 3

    def test_a_handler_that_returns_is_completed(self, queue: TaskQueue) -> None:
        queue.handler("work")(lambda task: None)
        enqueue(queue, "work")
        Worker(queue).step()
        assert task(queue.engine, 1).status is TaskStatus.SUCCEEDED

    @pytest.mark.parametrize("error", [ValueError("no such card"), SystemExit(3), GeneratorExit()])
    def test_an_error_fails_the_attempt_and_is_kept(self, queue: TaskQueue, error: BaseException) -> None:
        def handler(task: RunningTask) -> None:
            raise error

        queue.handler("work")(handler)
        enqueue(queue, "work", max_attempts=1)
        Worker(queue).step()
        failed = task(queue.engine, 1)
        assert (failed.status, failed.error) == (TaskStatus.FAILED, describe(error))

    def test_a_retry_waits_for_its_backoff(self, queue: TaskQueue, clock: Clock) -> None:
        attempts: list[int] = []

        def handler(task: RunningTask) -> None:
            attempts.append(task.attempt)
            raise ValueError

        queue.handler("work")(handler)
        enqueue(queue, "work", max_attempts=2)
        worker = Worker(queue)
        assert worker.run_until_idle() == 1
        clock.advance(1)
        assert worker.run_until_idle() == 1
        assert (attempts, task(queue.engine, 1).status) == ([1, 2], TaskStatus.FAILED)

    def test_a_type_that_one_worker_does_not_know_waits_for_another_one(self, queue: TaskQueue, clock: Clock) -> None:
        """As in a rolling deploy."""
        newer = TaskQueue(queue.engine, now=clock)
        newer.handler("new")(lambda task: None)
        enqueue(queue, "new")
        older = Worker(queue)
        assert older.run_until_idle() == 1
        waiting = task(queue.engine, 1)
        assert waiting.status is TaskStatus.PENDING
        assert (waiting.error or "").startswith("UnknownType: no handler for type 'new' (known: none)")
        assert "UnknownType" in (older.status.error or "")
        assert Worker(newer).run_until_idle() == 0, "not before its backoff is over"
        clock.advance(queue.backoff)
        assert Worker(newer).run_until_idle() == 1
        assert task(queue.engine, 1).status is TaskStatus.SUCCEEDED

    def test_a_type_that_nobody_knows_fails_by_name_after_its_attempts(self, queue: TaskQueue, clock: Clock) -> None:
        queue.handler("work")(lambda task: None)
        enqueue(queue, "wrok")
        enqueue(queue, "work")
        worker = Worker(queue)
        assert worker.run_until_idle() == 2
        for _ in range(2):
            clock.advance(queue.max_backoff)
            assert worker.run_until_idle() == 1
        failed = task(queue.engine, 1)
        assert (failed.status, failed.attempt) == (TaskStatus.FAILED, 3)
        assert (failed.error or "").startswith("UnknownType: no handler for type 'wrok'")

    def test_an_error_whose_text_raises_is_kept_all_the_same(self, queue: TaskQueue) -> None:
        class Nasty(Exception):
            def __str__(self) -> str:
                raise RuntimeError

        def handler(task: RunningTask) -> None:
            raise Nasty

        queue.handler("work")(handler)
        enqueue(queue, "work", max_attempts=1)
        Worker(queue).step()
        assert task(queue.engine, 1).error == "Nasty: (its text raised RuntimeError)"

    def test_checkpoint_stops_a_cancelled_task(self, queue: TaskQueue) -> None:
        def handler(task: RunningTask) -> None:
            in_transaction(queue.engine, lambda session: queue.cancel(session, task.id))
            try:
                task.checkpoint()
            except Exception:
                pytest.fail("a handler's `except Exception` must not see the request")

        queue.handler("work")(handler)
        enqueue(queue, "work")
        Worker(queue).step()
        assert task(queue.engine, 1).status is TaskStatus.CANCELLED

    def test_a_cancelled_task_that_goes_on_succeeds(self, queue: TaskQueue) -> None:
        queue.handler("work")(
            lambda task: in_transaction(queue.engine, lambda session: queue.cancel(session, task.id)) and None
        )
        enqueue(queue, "work")
        Worker(queue).step()
        assert task(queue.engine, 1).status is TaskStatus.SUCCEEDED

    def test_taskcancelled_that_nobody_asked_for_is_a_failure(self, queue: TaskQueue) -> None:
        def handler(task: RunningTask) -> None:
            raise errors.TaskCancelled

        queue.handler("work")(handler)
        enqueue(queue, "work", max_attempts=1)
        Worker(queue).step()
        assert "though nobody asked" in (task(queue.engine, 1).error or "")

    def test_effect_and_completion_are_one(self, queue: TaskQueue) -> None:
        (order,) = new_orders(queue.engine, 1)

        def handler(task: RunningTask) -> None:
            with task.completing() as session:
                session.get_one(Order, order.id).status = "paid"
                raise ValueError("after the effect, before the commit")

        queue.handler("work")(handler)
        enqueue(queue, "work", max_attempts=1)
        Worker(queue).step()
        assert task(queue.engine, 1).status is TaskStatus.FAILED
        with reading(queue.engine) as session:
            assert session.get_one(Order, order.id).status == "new"

    def test_an_error_after_completing_does_not_undo_it(self, queue: TaskQueue) -> None:
        def handler(task: RunningTask) -> None:
            with task.completing():
                pass
            raise ValueError("too late")

        queue.handler("work")(handler)
        enqueue(queue, "work")
        worker = Worker(queue)
        worker.step()
        assert task(queue.engine, 1).status is TaskStatus.SUCCEEDED
        assert "was completed, then its handler raised ValueError: too late" in (worker.status.error or "")

    def test_a_stale_result_is_dropped_and_said(self, queue: TaskQueue, clock: Clock) -> None:
        def handler(task: RunningTask) -> None:
            if task.attempt == 1:  # sleeps past its lease; somebody else takes over meanwhile
                clock.advance(queue.lease)
                Worker(queue, name="other").step()

        queue.handler("work")(handler)
        enqueue(queue, "work")
        worker = Worker(queue)
        worker.step()
        assert "lease token 1 is stale, 2 was given out since; drop this result" in (worker.status.error or "")
        assert (task(queue.engine, 1).status, task(queue.engine, 1).lease_token) == (TaskStatus.SUCCEEDED, 2)

    def test_a_dead_workers_task_is_taken_over(self, queue: TaskQueue, clock: Clock) -> None:
        queue.handler("work")(lambda task: None)
        enqueue(queue, "work")
        claim(queue)
        assert Worker(queue).step() is False
        clock.advance(queue.lease)
        assert Worker(queue).step() is True
        assert task(queue.engine, 1).status is TaskStatus.SUCCEEDED

    def test_keyboardinterrupt_is_recorded_and_goes_on_to_the_program(self, queue: TaskQueue) -> None:
        def handler(task: RunningTask) -> None:
            raise KeyboardInterrupt

        queue.handler("work")(handler)
        enqueue(queue, "work", max_attempts=1)
        with pytest.raises(KeyboardInterrupt):
            Worker(queue).step()
        assert task(queue.engine, 1).status is TaskStatus.FAILED


class TestHooks:
    def test_a_subclass_is_told_how_each_attempt_ended_and_which_thread_works(self, live: TaskQueue) -> None:
        told: list[object] = []

        class Told(Worker):
            @contextmanager
            def working(self) -> Iterator[None]:
                told.append(threading.current_thread().name)
                yield
                told.append("left")

            def finished(self, task: RunningTask, error: BaseException | None) -> None:
                told.append((task.id, type(error)))

        def stale(task: RunningTask) -> None:
            if task.attempt == 1:
                in_transaction(live.engine, lambda s: s.execute(text("UPDATE task SET lease_token = 5")))

        live.handler("stale")(stale)
        live.handler("fails")(lambda task: 1 / 0)
        for type_ in ("nothing", "fails", "stale"):
            enqueue(live, type_, max_attempts=1)
        worker = Told(live)
        assert worker.run_until_idle() == 3
        here = threading.current_thread().name
        assert told == [here, (1, type(None)), (2, ZeroDivisionError), (3, errors.StaleLease), "left"]
        told.clear()
        with worker:
            until(lambda: worker.status.state == "idle")
        assert told == ["worker", "left"]

    def test_a_hook_that_raises_leaves_no_claim_behind(self, live: TaskQueue) -> None:
        class Raises(Worker):
            def finished(self, task: RunningTask, error: BaseException | None) -> None:
                raise ValueError("a hook")

        for _ in range(2):
            enqueue(live, "nothing")
        worker = Raises(live)
        for task_id in (1, 2):
            with pytest.raises(ValueError, match="a hook"):
                worker.run_until_idle()
            assert task(live.engine, task_id).status is TaskStatus.SUCCEEDED


class TestThread:
    def test_start_stop_and_their_repetition(self, live: TaskQueue) -> None:
        before = set(threading.enumerate())
        worker = Worker(live)
        assert worker.status.state == "stopped"
        assert worker.stop() is True
        worker.start()
        worker.start()
        until(lambda: worker.status.state == "idle")
        assert worker.stop() is True
        assert worker.stop() is True
        assert worker.status.state == "stopped"
        worker.start()
        enqueue(live, "nothing")
        until(lambda: task(live.engine, 1).status is TaskStatus.SUCCEEDED)
        worker.stop()
        until(lambda: set(threading.enumerate()) <= before)

    def test_pause_and_resume(self, live: TaskQueue, worker: Worker) -> None:
        worker.start()
        worker.pause()
        until(lambda: worker.status.state == "paused")
        enqueue(live, "nothing")
        time.sleep(0.1)
        assert task(live.engine, 1).status is TaskStatus.PENDING
        assert worker.step() is True, "one step is possible while paused"
        enqueue(live, "nothing")
        worker.resume()
        until(lambda: task(live.engine, 2).status is TaskStatus.SUCCEEDED)

    def test_paused_is_said_only_when_nothing_more_is_claimed(
        self, live: TaskQueue, worker: Worker, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """pause() between the thread's look at it and its claim: the worker once said "paused", and claimed."""
        reached, release, claim_at_desk = threading.Event(), threading.Event(), TaskFetcher.claim

        def claim_late(fetcher: TaskFetcher) -> RunningTask | None:
            reached.set()
            release.wait(10)
            return claim_at_desk(fetcher)

        monkeypatch.setattr(TaskFetcher, "claim", claim_late)
        worker.start()
        assert reached.wait(10)
        worker.pause()
        assert worker.status.state != "paused"
        with pytest.raises(errors.WorkerBusy):
            worker.step()
        enqueue(live, "nothing")
        release.set()
        until(lambda: worker.status.state == "paused")
        assert task(live.engine, 1).status is TaskStatus.SUCCEEDED
        enqueue(live, "nothing")
        time.sleep(0.1)
        assert task(live.engine, 2).status is TaskStatus.PENDING

    def test_step_beside_the_running_thread_is_refused(self, worker: Worker) -> None:
        worker.start()
        with pytest.raises(errors.WorkerBusy, match="pause"):
            worker.step()

    def test_a_commit_in_this_process_wakes_it(self, live: TaskQueue) -> None:
        worker, started = Worker(live, poll=60), threading.Event()  # polling cannot help here
        live.handler("work")(lambda task: started.set())
        worker.start()
        until(lambda: worker.status.state == "idle")
        time.sleep(0.1)
        with Session(live.engine) as session:  # any session, not only writing()
            live.enqueue(session, "work")
            session.commit()
        assert started.wait(5)
        worker.stop()

    def test_a_commit_of_another_process_is_seen(self, live: TaskQueue, worker: Worker) -> None:
        """Within 25 ms, as promised; the median of 15, since a second test process shares the machine."""
        delays: list[float] = []
        live.handler("work")(lambda task: delays.append(time.time() - task.payload))
        worker.start()
        program = f"""
import sys, time
from taskref_edu import TaskQueue, open_database, writing
engine = open_database({str(file_of(live.engine))!r})
for _ in range(15):
    time.sleep(0.05)
    with writing(engine) as session:
        task = TaskQueue(engine).enqueue(session, "work", time.time())
"""
        subprocess.run([sys.executable, "-c", program], check=True)
        until(lambda: len(delays) == 15)
        assert sorted(delays)[7] < 0.025

    def test_a_delayed_task_starts_when_it_is_due(self, live: TaskQueue, worker: Worker) -> None:
        worker.start()
        due = live.now() + timedelta(seconds=0.3)
        enqueue(live, "nothing", available_at=due)
        until(lambda: task(live.engine, 1).status is TaskStatus.SUCCEEDED)
        started = task(live.engine, 1).started_at
        assert started
        assert started >= due

    def test_once_it_has_stopped_no_thread_of_it_uses_the_database(self, sqlite: Engine) -> None:
        before = set(threading.enumerate())
        looking = threading.Event()

        class SlowHeartbeat:
            def around(
                self, connection: ObservedConnection, sql: str, parameters: object, run: Callable[[], object]
            ) -> object:
                if threading.current_thread().name.endswith("-heartbeat"):
                    looking.set()
                    time.sleep(0.2)
                return run()

        queue = TaskQueue(sqlite, lease=0.9)
        queue.handler("slow")(lambda task: looking.wait(10))
        enqueue(queue, "slow")
        with observers_of(sqlite).attached(SlowHeartbeat()), Worker(queue):
            assert looking.wait(10)
        assert set(threading.enumerate()) <= before

    def test_the_heartbeat_keeps_the_lease_of_a_slow_handler(self, live: TaskQueue, worker: Worker) -> None:
        live.handler("slow")(lambda task: time.sleep(live.lease * 2.5))
        enqueue(live, "slow")
        worker.start()
        until(lambda: task(live.engine, 1).status is TaskStatus.SUCCEEDED)
        assert task(live.engine, 1).lease_token == 1

    def test_a_dead_process_loses_its_task_to_the_next_worker(self, live: TaskQueue, worker: Worker) -> None:
        program = f"""
import os
from taskref_edu import TaskQueue, Worker, open_database
queue = TaskQueue(open_database({str(file_of(live.engine))!r}), lease=1.0)
queue.handler("nothing")(lambda task: os._exit(9))
Worker(queue).step()
"""
        enqueue(live, "nothing")
        assert subprocess.run([sys.executable, "-c", program]).returncode == 9
        assert task(live.engine, 1).status is TaskStatus.RUNNING
        worker.start()
        until(lambda: task(live.engine, 1).status is TaskStatus.SUCCEEDED)
        assert task(live.engine, 1).attempt == 2

    def test_a_handler_that_ignores_its_cancellation_is_called_unresponsive(self, live: TaskQueue) -> None:
        worker, release = Worker(live, patience=0.1), threading.Event()
        live.handler("deaf")(lambda task: release.wait(30))
        enqueue(live, "deaf")
        worker.start()
        until(lambda: worker.status.state == "busy")
        in_transaction(live.engine, lambda session: live.cancel(session, 1))
        until(lambda: worker.status.state == "unresponsive")
        release.set()
        until(lambda: worker.status.state == "idle")
        assert worker.stop() is True

    def test_stop_returns_within_its_timeout(self, live: TaskQueue) -> None:
        worker, release = Worker(live), threading.Event()
        live.handler("deaf")(lambda task: release.wait(30))
        enqueue(live, "deaf")
        worker.start()
        until(lambda: worker.status.state == "busy")
        begun = time.monotonic()
        assert worker.stop(timeout=0.2) is False
        assert time.monotonic() - begun < 2
        assert worker.status.state == "unresponsive"
        with pytest.raises(errors.WorkerBusy, match="start another Worker"):
            worker.start()
        release.set()
        assert worker.stop() is True
        assert task(live.engine, 1).status is TaskStatus.SUCCEEDED

    def test_stop_inside_a_handler(self, live: TaskQueue, worker: Worker) -> None:
        live.handler("last")(lambda task: worker.stop())
        enqueue(live, "last")
        enqueue(live, "nothing")
        worker.start()
        until(lambda: worker.status.state == "stopped")
        assert task(live.engine, 1).status is TaskStatus.SUCCEEDED
        assert task(live.engine, 2).status is TaskStatus.PENDING

    @pytest.mark.parametrize("error", [ValueError, SystemExit, KeyboardInterrupt, MemoryError])
    def test_it_survives_what_handlers_raise(self, live: TaskQueue, worker: Worker, error: type[BaseException]) -> None:
        def handler(task: RunningTask) -> None:
            raise error

        live.handler("bad")(handler)
        enqueue(live, "bad", max_attempts=1)
        enqueue(live, "nothing")
        worker.start()
        until(lambda: task(live.engine, 2).status is TaskStatus.SUCCEEDED)
        assert task(live.engine, 1).status is TaskStatus.FAILED
        assert worker.status.state in ("idle", "busy", "blocked")

    @pytest.mark.fault
    def test_it_survives_a_database_that_is_locked(self, tmp_path: Path) -> None:
        engine = open_database(tmp_path / "x.db", timeout=0.05)
        queue = TaskQueue(engine)
        queue.handler("nothing")(lambda task: None)
        enqueue(queue, "nothing")
        worker = Worker(queue)
        with writing(engine):
            worker.start()
            until(lambda: worker.status.state == "blocked")
            assert "locked" in (worker.status.error or "")
        until(lambda: task(engine, 1).status is TaskStatus.SUCCEEDED)
        until(lambda: worker.status.state == "idle")
        worker.stop()
        engine.dispose()

    @pytest.mark.fault
    def test_a_result_waits_for_a_lock_to_go(self, tmp_path: Path) -> None:
        engine = open_database(tmp_path / "x.db", timeout=0.05)
        queue = TaskQueue(engine)
        ran, locked = threading.Event(), threading.Event()
        queue.handler("work")(lambda task: (ran.set(), locked.wait(10)))
        enqueue(queue, "work")
        worker = Worker(queue)
        worker.start()
        ran.wait(10)
        with writing(engine):
            locked.set()
            time.sleep(0.5)  # ten times what a statement waits
        until(lambda: task(engine, 1).status is TaskStatus.SUCCEEDED)
        assert task(engine, 1).attempt == 1
        worker.stop()
        engine.dispose()

    @pytest.mark.fault
    @pytest.mark.skipif(sys.platform == "win32", reason="Windows does not delete a file that is open")
    def test_it_survives_a_deleted_file_and_goes_on_with_the_next(self, tmp_path: Path) -> None:
        path = tmp_path / "x.db"
        engine = open_database(path)
        queue = TaskQueue(engine)
        queue.handler("nothing")(lambda task: None)
        worker = Worker(queue)
        worker.start()
        until(lambda: worker.status.state == "idle")
        for file in tmp_path.iterdir():
            file.unlink()
        until(lambda: worker.status.state == "blocked")
        until(lambda: "was deleted: put it back" in (worker.status.error or ""))
        assert not path.exists(), "nothing is made again in silence"
        again = open_database(path)
        enqueue(TaskQueue(again), "nothing")
        until(lambda: task(again, 1).status is TaskStatus.SUCCEEDED)
        worker.stop()
        again.dispose()
        engine.dispose()


def test_slow_work_inside_completing_blocks_writers_as_the_docs_say(live: TaskQueue) -> None:
    enqueue(live, "nothing")
    running = claim(live)
    finished: list[str] = []
    with running.completing():
        other = threading.Thread(target=lambda: (enqueue(live, "nothing"), finished.append("enqueue")))
        other.start()
        time.sleep(0.2)
        assert finished == []
    other.join()
    assert finished == ["enqueue"]


def test_text_in_the_database_stays_text(live: TaskQueue) -> None:
    hostile = "'); DROP TABLE task; --"
    with writing(live.engine) as session:
        session.add(Order(customer=hostile, amount=1))
        live.enqueue(session, hostile, {hostile: hostile})
    Worker(live).run_until_idle()
    with live.engine.connect() as connection:
        assert connection.execute(text("SELECT customer FROM orders")).scalar() == hostile
        assert connection.execute(text("SELECT type FROM task")).scalar() == hostile
