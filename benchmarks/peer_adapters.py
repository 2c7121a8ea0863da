"""How each peer is driven; imported by the interpreter of the peers' own environment.

Each peer is driven through its public interface, one task at a time on one thread, on a file in WAL mode with
synchronous = NORMAL; where a peer sets something else, the setting is made after it has opened its connection.
"""

# The peers live in an environment of their own.
# pyright: reportMissingImports=false

from __future__ import annotations

import json
import os
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

Handler = Callable[[int], None]
NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"


class Huey:
    """Deletes a task when it takes it: what a crash interrupts is lost."""

    package, semantics = "huey", "at most once; enqueue and the take are durable, a completion has no trace"

    def __init__(self, folder: Path) -> None:
        from huey import SqliteHuey
        from huey.storage import SqliteStorage

        class Normal(SqliteStorage):
            def _create_connection(self) -> Any:
                connection = super()._create_connection()
                connection.execute("PRAGMA synchronous = NORMAL")
                return connection

        class NormalHuey(SqliteHuey):
            storage_class = Normal

        self.path = folder / "huey.db"
        self.huey = NormalHuey(filename=str(self.path), results=False)
        self.handler: Handler = lambda number: None
        self.task = self.huey.task(name="work")(lambda number: self.handler(number))

    def enqueue(self, number: int) -> None:
        self.task(number)

    def drain(self, limit: int) -> None:
        while limit and (task := self.huey.dequeue()) is not None:
            self.huey.execute(task)
            limit -= 1

    def backlog(self, finished: int, pending: int) -> None:
        with closing(sqlite3.connect(self.path)) as connection, connection:
            one = "(SELECT * FROM task LIMIT 1)"
            copies = f"{NUMBERS} INSERT INTO task (queue, data) SELECT queue, data FROM {one}, n"
            connection.execute(copies, (pending,))

    def wait_for_work(self) -> None:
        consumer = self.huey.create_consumer(workers=1, periodic=False, check_worker_health=False)
        consumer._set_signal_handlers = lambda: None
        threading.Thread(target=consumer.run, daemon=True).start()


class PersistQueue:
    """The queue without acknowledgements: deletes a row when it takes it."""

    package, semantics = "persist-queue", "at most once; enqueue and the take are durable, a completion has no trace"
    kind = "SQLiteQueue"

    def __init__(self, folder: Path) -> None:
        import persistqueue

        self.queue = getattr(persistqueue, self.kind)(str(folder), auto_commit=True, multithreading=True)
        self.path = folder / "data.db"
        for connection in {self.queue._getter, self.queue._putter}:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
        self.handler: Handler = lambda number: None

    def enqueue(self, number: int) -> None:
        self.queue.put(number)

    def drain(self, limit: int) -> None:
        from persistqueue.exceptions import Empty

        while limit:
            try:
                number = self.queue.get(block=False)
            except Empty:
                return
            self.handler(number)
            self.done(number)
            limit -= 1

    def done(self, number: int) -> None: ...

    def backlog(self, finished: int, pending: int) -> None:
        with closing(sqlite3.connect(self.path)) as connection, connection:
            table = "queue_default"
            one = f"(SELECT * FROM {table} LIMIT 1)"
            copies = f"{NUMBERS} INSERT INTO {table} (data, timestamp) SELECT data, 0 FROM {one}, n"
            connection.execute(copies, (pending,))

    def wait_for_work(self) -> None:
        def loop() -> None:
            while True:
                number = self.queue.get()
                self.handler(number)
                self.done(number)

        threading.Thread(target=loop, daemon=True).start()


class PersistAckQueue(PersistQueue):
    """Takes and acknowledges; an unacknowledged row comes back when the queue is opened again."""

    semantics = "at least once after a restart; the lock that keeps two takers apart is one of the process"
    kind = "SQLiteAckQueue"

    def drain(self, limit: int) -> None:
        from persistqueue.exceptions import Empty

        while limit:
            try:
                found = self.queue.get(block=False, raw=True)
            except Empty:
                return
            self.handler(found["data"])
            self.queue.ack(id=found["pqid"])
            limit -= 1

    def done(self, number: int) -> None:
        self.queue.ack(number)

    def backlog(self, finished: int, pending: int) -> None:
        with closing(sqlite3.connect(self.path)) as connection, connection:
            columns, table = "(data, timestamp, status)", "ack_queue_default"
            # Finished rows are older than pending ones: their ids are lower.
            first = f"{NUMBERS} INSERT INTO {table} {columns} SELECT data, 0, '%s' FROM {table}, n WHERE _id = 1"
            connection.execute(first % 5, (finished,))
            connection.execute(first % 1, (pending,))
            connection.execute(
                f"INSERT INTO {table} {columns} SELECT data, timestamp, status FROM {table} WHERE _id = 1"
            )
            connection.execute(f"DELETE FROM {table} WHERE _id = 1")


class LiteQueue:
    """Takes, and marks as done."""

    package, semantics = "litequeue", "at most once: what a crash interrupts stays locked until somebody calls retry()"

    def __init__(self, folder: Path) -> None:
        from litequeue import LiteQueue

        self.path = folder / "litequeue.db"
        self.queue = LiteQueue(str(self.path))
        self.handler: Handler = lambda number: None

    def enqueue(self, number: int) -> None:
        self.queue.put(json.dumps(number))

    def drain(self, limit: int) -> None:
        while limit and (message := self.queue.pop()) is not None:
            self.handler(json.loads(message.data))
            self.queue.done(message.message_id)
            limit -= 1

    def backlog(self, finished: int, pending: int) -> None:
        with closing(sqlite3.connect(self.path)) as connection, connection:
            new = "INSERT INTO Queue (data, message_id, status, in_time) SELECT data, {} || i, {}, 0 FROM Queue, n"
            connection.execute(f"{NUMBERS} {new.format(repr('0'), 2)} WHERE Queue.rowid = 1", (finished,))
            connection.execute(f"{NUMBERS} {new.format(repr('z'), 0)} WHERE Queue.rowid = 1", (pending,))


class LiteQ:
    """Opens a connection for each step. Its own worker sleeps half a second between two takes; here it does not."""

    package, semantics = "liteq", "at most once: what a crash interrupts stays running; here without the worker's sleep"

    def __init__(self, folder: Path) -> None:
        os.environ["LITEQ_DB"] = str(folder / "liteq.db")
        from liteq import task
        from liteq.db import init_db
        from liteq.worker import Worker

        init_db()
        self.path = folder / "liteq.db"
        self.handler: Handler = lambda number: None
        self.task = task(name="work")(lambda number: self.handler(number))
        self.worker = Worker(["default"], 1)

    def enqueue(self, number: int) -> None:
        self.task.delay(number)

    def drain(self, limit: int) -> None:
        while limit:
            self.worker._fetch_and_run()
            running = list(self.worker.running_tasks.values())
            if not running:
                return
            running[0][0].result()
            limit -= 1

    def backlog(self, finished: int, pending: int) -> None:
        with closing(sqlite3.connect(self.path)) as connection, connection:
            new = "INSERT INTO tasks (name, payload, queue, status) SELECT name, payload, queue, '{}' FROM tasks, n"
            connection.execute(f"{NUMBERS} {new.format('done')} WHERE id = 1", (finished,))
            connection.execute(f"{NUMBERS} {new.format('pending')} WHERE id = 1", (pending,))

    def wait_for_work(self) -> None:
        threading.Thread(target=self.worker.run, daemon=True).start()


PEERS: dict[str, Any] = {
    "huey": Huey,
    "persist-queue": PersistQueue,
    "persist-queue Ack": PersistAckQueue,
    "litequeue": LiteQueue,
    "liteq": LiteQ,
}
