"""The database misbehaves: each fault has a name and a remedy, nothing is lost, and the worker resumes by itself."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Engine, event
from sqlmodel import Session, select

from taskref_edu import Order, Task, TaskQueue, TaskStatus, Worker, errors, open_database, reading, writing
from tests.conftest import in_transaction, until

pytestmark = pytest.mark.fault
POSIX = pytest.mark.skipif(os.name == "nt", reason="Windows does not delete or replace a file that is open")


def queue_on(engine: Engine) -> TaskQueue:
    queue = TaskQueue(engine, backoff=0.01)
    queue.handler("work")(lambda task: None)
    return queue


def enqueue(queue: TaskQueue, count: int = 1, payload: object = None) -> None:
    in_transaction(queue.engine, lambda session: queue.enqueue_many(session, "work", [payload] * count))


def succeeded(queue: TaskQueue) -> int:
    with reading(queue.engine) as session:
        return queue.counts(session)[TaskStatus.SUCCEEDED]


@contextmanager
def running(queue: TaskQueue) -> Iterator[Worker]:
    worker = Worker(queue)
    worker.start()
    try:
        yield worker
    finally:
        assert worker.stop(20) is True


def says(worker: Worker, name: str) -> None:
    """Wait until the worker says that it is blocked, and by which error."""
    until(lambda: worker.status.state == "blocked" and (worker.status.error or "").startswith(name))


class TestLocked:
    """By another program, for longer than a writer waits."""

    @pytest.fixture
    def impatient(self, tmp_path: Path) -> Iterator[TaskQueue]:
        engine = open_database(tmp_path / "x.db", timeout=0.1)
        yield queue_on(engine)
        engine.dispose()

    @contextmanager
    def locked(self, path: Path) -> Iterator[None]:
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield
            other.execute("ROLLBACK")

    def test_the_caller_gets_a_name_and_a_remedy_and_nothing_is_written(
        self, impatient: TaskQueue, tmp_path: Path
    ) -> None:
        with self.locked(tmp_path / "x.db"), pytest.raises(errors.DatabaseLocked) as caught:
            enqueue(impatient)
        assert "x.db: database is locked; another transaction has been open for longer" in str(caught.value)
        assert "end it" in str(caught.value)
        assert isinstance(caught.value.__cause__.__cause__, sqlite3.OperationalError)  # type: ignore[union-attr]
        assert sum(in_transaction(impatient.engine, impatient.counts).values()) == 0
        enqueue(impatient)

    def test_a_reader_is_not_held_up(self, impatient: TaskQueue, tmp_path: Path) -> None:
        enqueue(impatient)
        with self.locked(tmp_path / "x.db"), reading(impatient.engine) as session:
            assert impatient.counts(session)[TaskStatus.PENDING] == 1

    def test_the_worker_keeps_its_result_and_goes_on_by_itself(self, impatient: TaskQueue, tmp_path: Path) -> None:
        ran, locked, attempts = threading.Event(), threading.Event(), []

        def handler(task: object) -> None:
            attempts.append(task)
            ran.set()
            locked.wait(20)

        impatient.handler("work")(handler)
        enqueue(impatient, 2)
        with running(impatient) as worker:
            ran.wait(20)
            with self.locked(tmp_path / "x.db"):
                locked.set()
                says(worker, "DatabaseLocked: ")
            until(lambda: succeeded(impatient) == 2)
            until(lambda: worker.status.state == "idle")
        assert len(attempts) == 2, "no task ran again"


class TestDiskFull:
    @pytest.fixture
    def small_disk(self) -> Iterator[Path]:
        """A file system of 512 KiB of its own; only root can make one."""
        folder = Path(tempfile.mkdtemp(prefix="taskref-disk-"))
        mount = shutil.which("mount")
        made = (
            mount
            and not subprocess.run(
                [mount, "-t", "tmpfs", "-o", "size=512k", "tmpfs", folder], capture_output=True
            ).returncode
        )
        try:
            if not made:
                pytest.skip("only root, where mounting is allowed, can make a small file system")
            yield folder
        finally:
            if made:
                subprocess.run(["umount", "-l", folder], check=True)
            folder.rmdir()

    def test_the_worker_keeps_its_result_and_goes_on_once_there_is_space(self, small_disk: Path) -> None:
        engine = open_database(small_disk / "tasks.db")
        queue = queue_on(engine)
        ran, full, attempts = threading.Event(), threading.Event(), []

        def handler(task: object) -> None:
            attempts.append(task)
            ran.set()
            full.wait(20)

        queue.handler("work")(handler)
        enqueue(queue, 2)
        filler = small_disk / "filler"
        with running(queue) as worker:
            ran.wait(20)
            fill(filler)
            with pytest.raises(errors.DiskError, match=r"tasks\.db: database or disk is full; .*free some space"):
                for _ in range(100):  # what is left in the log takes some
                    enqueue(queue, payload="x" * 10_000)
            with reading(engine) as session:
                before = sum(queue.counts(session).values())
            full.set()
            says(worker, "DiskError: ")
            with reading(engine) as session:
                assert sum(queue.counts(session).values()) == before, "what was refused left nothing"
            filler.unlink()
            until(lambda: succeeded(queue) == before)
        assert len(attempts) == before, "no task ran again"
        with engine.connect() as connection:
            assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
        engine.dispose()

    def test_where_only_the_file_may_not_grow(self, tmp_path: Path) -> None:
        engine = open_database(tmp_path / "x.db")
        with engine.connect() as connection:
            most = connection.exec_driver_sql("PRAGMA page_count").scalar_one() + 5
        event.listen(engine, "connect", lambda driver, _: driver.execute(f"PRAGMA max_page_count = {most}"))
        engine.dispose()
        queue = queue_on(engine)
        with pytest.raises(errors.DiskError, match="database or disk is full"):
            enqueue(queue, 1000)
        with pytest.raises(errors.DiskError), writing(engine) as session:
            session.add_all([Order(customer="x" * 1000, amount=1) for _ in range(100)])
        assert sum(in_transaction(engine, queue.counts).values()) == 0
        enqueue(queue, 3)
        assert Worker(queue).run_until_idle() == 3
        engine.dispose()


def fill(path: Path) -> None:
    """Write until nothing more fits."""
    with path.open("wb", buffering=0) as file:
        for size in (65536, 4096, 512, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                continue


READ_ONLY = """
import os, sys
from pathlib import Path
from taskref_edu import TaskQueue, Worker, errors, open_database, reading, writing
folder = Path(sys.argv[1])
if os.geteuid() == 0:  # permissions do not bind root
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
engine = open_database(folder / "tasks.db")
queue = TaskQueue(engine)
queue.handler("work")(lambda task: None)
with writing(engine) as session:
    queue.enqueue(session, "work")
for path in folder.iterdir():
    path.chmod(0o444)
engine.dispose()
try:
    with writing(engine) as session:
        queue.enqueue(session, "work")
except errors.DatabaseReadOnly as error:
    print(error)
with reading(engine) as session:
    print(queue.counts(session))
try:
    open_database(folder / "tasks.db")
except errors.CannotOpen as error:
    print(error)
for path in folder.iterdir():
    path.chmod(0o644)
engine.dispose()
print(Worker(queue).run_until_idle())
"""


@pytest.mark.skipif(os.name == "nt", reason="other permissions there")
def test_a_file_that_becomes_read_only() -> None:
    with tempfile.TemporaryDirectory(prefix="taskref-ro-") as folder:
        if os.geteuid() == 0:
            os.chown(folder, 65534, 65534)
        ran = subprocess.run([sys.executable, "-c", READ_ONLY, folder], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    refused, counts, not_opened, done = ran.stdout.splitlines()
    assert refused.startswith(
        f"{folder}/tasks.db: attempt to write a readonly database; this program may read the file"
    )
    assert "'pending'>: 1" in counts
    assert not_opened == f"{folder}/tasks.db is read-only: change its permissions, or work on a copy"
    assert done == "1"


@POSIX
class TestGone:
    """Deleted, moved or replaced, while a connection goes on seeing the old file."""

    @pytest.fixture
    def queue(self, tmp_path: Path) -> Iterator[TaskQueue]:
        engine = open_database(tmp_path / "x.db")
        yield queue_on(engine)
        engine.dispose()

    def move(self, folder: Path, to: Path) -> None:
        to.mkdir(exist_ok=True)
        for path in folder.glob("x.db*"):
            path.rename(to / path.name)

    @pytest.mark.parametrize("session_of", [writing, reading, Session], ids=["writing", "reading", "Session"])
    def test_no_transaction_begins_on_a_ghost(
        self, queue: TaskQueue, tmp_path: Path, session_of: Callable[[Engine], Session]
    ) -> None:
        enqueue(queue)  # leaves a connection in the pool
        self.move(tmp_path, tmp_path / "away")
        for _ in range(2):
            with pytest.raises(errors.DatabaseGone, match=r"x\.db.* was deleted.*put it back"):
                with session_of(queue.engine) as session:
                    session.exec(select(Task)).all()
        self.move(tmp_path / "away", tmp_path)
        with session_of(queue.engine) as session:
            assert len(session.exec(select(Task)).all()) == 1

    def test_one_error_then_the_new_file_is_used(self, queue: TaskQueue, tmp_path: Path) -> None:
        enqueue(queue)
        self.move(tmp_path, tmp_path / "away")
        open_database(tmp_path / "x.db").dispose()
        with pytest.raises(errors.DatabaseGone, match="replaced by another file: the next transaction uses"):
            enqueue(queue)
        enqueue(queue, 2)
        assert in_transaction(queue.engine, queue.counts)[TaskStatus.PENDING] == 2

    def backed_up(self, queue: TaskQueue, folder: Path) -> bytes:
        """A backup of one task that has succeeded; in the database itself, another one follows in the log."""
        enqueue(queue)
        with running(queue):
            until(lambda: succeeded(queue) == 1)
        with queue.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        backup = (folder / "x.db").read_bytes()
        enqueue(queue, 30)
        return backup

    @pytest.mark.parametrize("how", ["replaced at once", "deleted, then put back"])
    def test_a_backup_beside_the_old_log_is_not_opened(self, queue: TaskQueue, tmp_path: Path, how: str) -> None:
        """SQLite would write the old log into it: what was put back would be gone, or damaged."""
        backup = self.backed_up(queue, tmp_path)
        path, log = tmp_path / "x.db", tmp_path / "x.db-wal"
        with running(queue) as worker:
            worker.pause()
            until(lambda: worker.status.state == "paused")
            if how != "replaced at once":
                path.unlink()
                until(lambda: "was deleted: put it back" in (worker.status.error or ""))
            (tmp_path / "new").write_bytes(backup)
            (tmp_path / "new").rename(path)
            until(lambda: f"Stop what uses the file, remove {log}" in (worker.status.error or ""))
            with pytest.raises(errors.DatabaseGone, match="Stop what uses the file"):
                enqueue(queue)
            assert path.read_bytes() == backup
            for name in ("x.db-wal", "x.db-shm"):
                (tmp_path / name).unlink(missing_ok=True)
            worker.resume()
            until(lambda: worker.status.state == "idle")
            assert succeeded(queue) == 1
            enqueue(queue)
            until(lambda: succeeded(queue) == 2)

    def test_the_worker_goes_on_with_the_file_that_is_put_back(self, queue: TaskQueue, tmp_path: Path) -> None:
        with running(queue) as worker:
            enqueue(queue)
            until(lambda: succeeded(queue) == 1)
            self.move(tmp_path, tmp_path / "away")
            says(worker, "DatabaseGone: ")
            self.move(tmp_path / "away", tmp_path)
            until(lambda: worker.status.state == "idle")
            enqueue(queue)
            until(lambda: succeeded(queue) == 2)

    def test_the_folder_goes(self, queue: TaskQueue, tmp_path: Path) -> None:
        with running(queue) as worker:
            tmp_path.rename(tmp_path.with_name("elsewhere"))
            says(worker, "DatabaseGone: ")
            tmp_path.with_name("elsewhere").rename(tmp_path)
            until(lambda: worker.status.state == "idle")


@POSIX
class TestDamaged:
    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        """A database of 500 tasks, with a backup beside it."""
        engine = open_database(tmp_path / "x.db")
        enqueue(queue_on(engine), 500)
        engine.dispose()
        shutil.copy(tmp_path / "x.db", tmp_path / "backup.db")
        return tmp_path / "x.db"

    @pytest.mark.parametrize("what", ["a page", "the first bytes"])
    def test_it_is_named_and_the_worker_goes_on_with_a_backup(self, path: Path, what: str) -> None:
        engine = open_database(path)
        queue = queue_on(engine)
        engine.dispose()
        overwrite(path, what)
        message = {"a page": "disk image is malformed", "the first bytes": "file is not a database"}[what]
        with pytest.raises(errors.DatabaseDamaged, match=rf"x\.db: .*{message}; .*backup"):
            enqueue(queue, 500)
        with running(queue) as worker:
            says(worker, "DatabaseDamaged: ")
            (path.parent / "backup.db").replace(path)
            until(lambda: worker.status.done >= 500, 60)
        assert succeeded(queue) == 500
        engine.dispose()

    @pytest.mark.skipif(shutil.which("sqlite3") is None, reason="SQLite's shell is not installed")
    def test_the_line_that_the_message_names_saves_what_can_be_read(self, path: Path) -> None:
        engine = open_database(path)
        in_transaction(engine, lambda session: session.add(Order(id=1, customer="Ann", amount=1)))
        engine.dispose()
        overwrite(path, "a page")
        with pytest.raises(errors.DatabaseDamaged) as found:
            enqueue(queue_on(engine), 500)
        (line,) = re.findall(r"`(sqlite3 .*)`", str(found.value))
        new = path.with_name("new.db")
        subprocess.run(line.replace("NEW_FILE", str(new)), shell=True, capture_output=True, check=False)
        with closing(sqlite3.connect(new)) as connection:
            assert connection.execute("SELECT customer FROM orders").fetchall() == [("Ann",)]
        engine.dispose()

    def test_other_tables_can_still_be_read(self, path: Path) -> None:
        engine = open_database(path)
        in_transaction(engine, lambda session: session.add(Order(id=1, customer="Ann", amount=1)))
        engine.dispose()
        overwrite(path, "a page")
        with reading(engine) as session:
            assert session.get_one(Order, 1).customer == "Ann"
            with pytest.raises(Exception, match="malformed"):
                session.exec(select(Task)).all()
        engine.dispose()


def overwrite(path: Path, what: str) -> None:
    """Damage the page at the root of the table of tasks, or the head of the file."""
    with closing(sqlite3.connect(path)) as connection:
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'task'").fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    with path.open("r+b") as file:
        file.seek((page - 1) * size if what == "a page" else 0)
        file.write(b"\xa5" * (size if what == "a page" else 16))


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ("UPDATE taskref_schema SET version = 2", errors.SchemaTooNew, "version 2, this package knows 1: update"),
        ("UPDATE taskref_schema SET version = 0", errors.CannotOpen, "schema version 0, a number from 1 to 1 expected"),
        ("UPDATE taskref_schema SET version = 'x'", errors.CannotOpen, "version 'x'.*put a backup back"),
        ("DELETE FROM taskref_schema", errors.CannotOpen, "schema version None"),
        ("ALTER TABLE taskref_schema DROP COLUMN name", errors.CannotOpen, "cannot open .*no such column: name"),
    ],
)
def test_a_schema_that_is_not_ours_is_refused_and_left_as_it_is(
    tmp_path: Path, change: str, error: type[Exception], message: str
) -> None:
    path = tmp_path / "x.db"
    open_database(path).dispose()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(change)
        connection.commit()
    before = path.read_bytes()
    with pytest.raises(error, match=message):
        open_database(path)
    assert path.read_bytes() == before


NAMES = [
    "with a space.db",
    "ä ö ü €.db",
    "日本語.db",
    "100%25?a=b#c&d.db",
    "'; DROP TABLE task; --.db",
    ".db",
    "\udcff.db",
]


@pytest.mark.skipif(os.name == "nt", reason="not all of these are names there")
@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_any_name_will_do(tmp_path: Path, name: str) -> None:
    folder = tmp_path / f"in {name}"
    folder.mkdir()
    engine = open_database(folder / name)
    queue = queue_on(engine)
    with running(queue):
        enqueue(queue, 2)
        until(lambda: succeeded(queue) == 2)
    engine.dispose()
    open_database(folder / name, create=False).dispose()
    assert [path.name for path in folder.iterdir()] == [name]


class TestNotCreating:
    def test_what_is_not_there_is_not_made(self, tmp_path: Path) -> None:
        with pytest.raises(errors.CannotOpen, match=r"x\.db not found: .*nothing was created"):
            open_database(tmp_path / "x.db", create=False)
        assert list(tmp_path.iterdir()) == []

    def test_somebody_elses_file_gets_no_tables(self, tmp_path: Path) -> None:
        with closing(sqlite3.connect(tmp_path / "shop.db")) as connection:
            connection.execute("CREATE TABLE customer (name)")
        before = (tmp_path / "shop.db").read_bytes()
        with pytest.raises(errors.CannotOpen, match="holds no tasks: no table taskref_schema found"):
            open_database(tmp_path / "shop.db", create=False)
        assert (tmp_path / "shop.db").read_bytes() == before

    def test_nor_a_server(self, postgresql_url: str) -> None:
        from tests.conftest import _empty

        _empty(postgresql_url)
        with pytest.raises(errors.CannotOpen, match="holds no tasks"):
            open_database(postgresql_url, create=False)


@pytest.mark.parametrize(
    ("timeout", "error"),
    [(-1, ValueError), (float("nan"), ValueError), (10**9, ValueError), ("5", TypeError), (True, TypeError)],
)
def test_a_timeout_that_sqlite_cannot_count(tmp_path: Path, timeout: float, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"timeout .* found, (from 0 to 86,400 )?seconds expected"):
        open_database(tmp_path / "x.db", timeout=timeout)
