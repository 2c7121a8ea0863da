"""django-tasks-db: as `peer_adapters.py`, with the settings that Django needs."""

# The peers live in an environment of their own.
# pyright: reportMissingImports=false

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

Handler = Callable[[int], None]
NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"


def handle_for_django(number: int) -> None:
    """The task."""
    DjangoTasks.handler(number)


class DjangoTasks:
    """Django's tasks in the database, with the worker of the package."""

    package, semantics = "django-tasks-db", "at most once: what a crash interrupts stays running"
    handler: Handler = staticmethod(lambda number: None)

    def __init__(self, folder: Path) -> None:
        import django
        from django.conf import settings

        self.path = folder / "django.db"
        pragmas = "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
        options = {"init_command": pragmas, "transaction_mode": "IMMEDIATE", "timeout": 5}
        settings.configure(
            INSTALLED_APPS=["django_tasks", "django_tasks_db"],
            DATABASES={
                "default": {
                    "ENGINE": "django.db.backends.sqlite3",
                    "NAME": str(self.path),
                    "OPTIONS": options,
                    "CONN_MAX_AGE": None,
                }
            },
            TASKS={"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}},
            USE_TZ=True,
            LOGGING_CONFIG=None,
        )
        django.setup()
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        from django_tasks import task

        self.task = task()(handle_for_django)
        globals()["handle_for_django"] = self.task  # Django finds a task by the path of its function

    def enqueue(self, number: int) -> None:
        DjangoTasks.handler = self.handler
        self.task.enqueue(number)

    def drain(self, limit: int) -> None:
        DjangoTasks.handler = self.handler
        self._worker(max_tasks=limit, batch=True, interval=0).run()

    def backlog(self, finished: int, pending: int) -> None:
        with closing(sqlite3.connect(self.path)) as connection, connection:
            from django_tasks_db.models import DBTaskResult

            table: str = DBTaskResult._meta.db_table
            names: list[str] = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
            values = {"id": "lower(hex(randomblob(16)))", "status": "'SUCCESSFUL'", "enqueued_at": "'2000-01-01'"}
            copies = f"{NUMBERS} INSERT INTO {table} SELECT %s FROM (SELECT * FROM {table} LIMIT 1), n"
            connection.execute(copies % ", ".join(values.get(name, name) for name in names), (finished,))
            values |= {"status": "'READY'", "enqueued_at": "'2999-01-01'"}
            connection.execute(copies % ", ".join(values.get(name, name) for name in names), (pending,))

    def wait_for_work(self) -> None:
        DjangoTasks.handler = self.handler
        threading.Thread(target=self._worker(max_tasks=None, batch=False, interval=1.0).run, daemon=True).start()

    def _worker(self, *, max_tasks: int | None, batch: bool, interval: float) -> Any:
        from django_tasks_db.management.commands.db_worker import Worker

        return Worker(
            queue_names=["*"],
            interval=interval,
            batch=batch,
            backend_name="default",
            startup_delay=False,
            max_tasks=max_tasks,
            worker_id=f"worker-{os.getpid()}",
            excluded_queue_names=[],
        )
