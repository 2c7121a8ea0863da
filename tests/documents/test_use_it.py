"""Every block of docs/use-it.md, from its very text: the project that they make up is deployed, asked, worked, tested.

A block whose first line names a file is that file; the others are run one after the other, as one program. Only
one thing is added: what asks (`ASK`), as a client and an operator would.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from taskref_edu.beyond import start_postgres
from tests.conftest import POSTGRESQL

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/use-it.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.M)
NAMED = re.compile(r"\A# (\S+\.py)\n")
FILES = {found[1]: block for block in BLOCKS if (found := NAMED.match(block))}
SNIPPETS = [block for block in BLOCKS if not NAMED.match(block)]

pytestmark = pytest.mark.slow
CLIENT = """
from uuid import UUID, uuid4
from fastapi.testclient import TestClient
from shop.api import app
from shop.database import engine
from shop.dependency import Writer
from shop.models import Invoice
from taskref_edu import reading

@app.post("/by-dependency")
def create(session: Writer) -> str:
    session.add(invoice := Invoice(email="ann@example.org"))
    return str(invoice.id)

with TestClient(app) as client:
    id = client.post("/invoices", params={"email": "ann@example.org"}).json()
    assert id in client.get("/sending").json()
    assert client.post(f"/invoices/{id}/send").status_code == 409
    assert client.delete(f"/invoices/{id}/sending").json() == 1
    assert id not in client.get("/sending").json()
    assert client.post(f"/invoices/{id}/send").status_code == 202
    assert client.post(f"/invoices/{uuid4()}/send").status_code == 404
    assert client.delete(f"/invoices/{uuid4()}/sending").status_code == 404
    other = client.post("/by-dependency").json()
with reading(engine) as session:
    assert session.get(Invoice, UUID(other)), "committed before the response"
print(id, other)
"""
ASYNC = """
import asyncio
from uuid import UUID
from shop.async_api import async_engine, send

async def main():
    first = await send(UUID(argument))
    second = await send(UUID(argument))
    await async_engine.dispose()
    print(first is not None, second)

asyncio.run(main())
"""
SENT = """
from uuid import UUID
from shop.database import engine, queue
from shop.models import Invoice
from taskref_edu import reading
with reading(engine) as session:
    found = session.get_one(Invoice, UUID(argument))
    print(found.sent, found.sending_task_id)
"""
FIRST = """
from alembic import command
from alembic.config import Config
from shop.database import engine, queue
from shop.models import SENDING
from sqlalchemy import text
from taskref_edu import writing
config = Config()
config.set_main_option("script_location", "migrations")
command.upgrade(config, "0001")
SENDING.install(engine)
command.downgrade(config, "base")
with writing(engine) as session:
    assert queue.cancel(session, queue.enqueue(session, "send_invoice").id), "no trigger is left that would fail"
command.upgrade(config, "0001")
SENDING.install(engine)
with writing(engine) as session:  # an invoice in process, as the first version has left it
    task = queue.enqueue(session, "send_invoice")
    row = {"id": "0" * 31 + "1", "task": task.id}
    session.execute(text("INSERT INTO invoice (id, email, sent, sending_task_id) VALUES (:id, '', FALSE, :task)"), row)
    kind = "CHAR(32)" if engine.dialect.name == "sqlite" else "UUID"
    session.execute(text(f"CREATE TABLE line (invoice {kind} REFERENCES invoice (id) ON DELETE CASCADE)"))
    session.execute(text("INSERT INTO line VALUES (:id)"), row)
"""
STILL = """
from shop.database import engine
from shop.models import SENDING
from sqlalchemy import text
from taskref_edu import reading
with reading(engine) as session:
    print(len(SENDING.in_process(session)), session.scalar(text("SELECT count(*) FROM line")))
"""
TIDY = """
from shop.database import engine
from sqlalchemy import text
from taskref_edu import writing
with writing(engine) as session:
    session.execute(text("DROP TABLE line"))
"""
DEPLOY = "from shop.deploy import main; main()"
CHECK = """
from alembic import command
from alembic.config import Config
config = Config()
config.set_main_option("script_location", "migrations")
command.check(config)  # raises if the models are not what the migrations have made, or a table of ours is looked at
"""
DOCTOR = """
from taskref_edu.cli.command import parser, run
run(parser(), ["doctor", argument])
"""
PROCRASTINATE = """
import os
from procrastinate.schema import SchemaManager
from sqlalchemy import text
from sqlmodel import Session
from shop.database import engine
from shop.on_procrastinate import SET_UP, Parcel, enqueue_once
from taskref_edu import writing
with writing(engine) as session:
    session.connection().connection.driver_connection.execute(SchemaManager.get_schema())
    Parcel.metadata.create_all(session.connection())
    for statement in SET_UP:
        session.execute(text(statement))
with writing(engine) as session:
    session.add(parcel := Parcel())
with writing(engine) as session:
    first, second = enqueue_once(session, parcel), enqueue_once(session, parcel)
with writing(engine) as session:
    session.execute(text("UPDATE procrastinate_jobs SET status = 'cancelled'"))
with writing(engine) as session:
    status = session.execute(text("SELECT status FROM procrastinate_jobs")).scalar_one()
    print(first is not None, second, status, session.get_one(Parcel, parcel.id).sending_job_id)
"""
# Runs one program after the other, so that what they import is imported once.
INTERPRETER = """
import contextlib, io, json, sys, traceback
answers, sys.stdout = sys.stdout, sys.stderr
for line in sys.stdin:
    program, argument = json.loads(line)
    printed, succeeded = io.StringIO(), True
    with contextlib.redirect_stdout(printed):
        try:
            exec(compile(program, "<program>", "exec"), {"__name__": "__main__", "argument": argument})
        except BaseException:
            traceback.print_exc(file=printed)
            succeeded = False
    print(json.dumps([succeeded, printed.getvalue().strip()]), file=answers, flush=True)
"""


class Project:
    """The project of the page, in a folder of its own, on one database; and a Python in it."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder, self.url = folder, url
        self.environment = {**os.environ, "DATABASE_URL": url, "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"}
        for name, text in FILES.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
        (folder / "shop/__init__.py").touch()
        self._python = self.start("-c", INTERPRETER, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def start(self, *arguments: str, **options: Any) -> subprocess.Popen[Any]:
        """Start Python with these arguments in the project."""
        return subprocess.Popen([sys.executable, *arguments], cwd=self.folder, env=self.environment, **options)

    def run(self, program: str, argument: str = "") -> str:
        """What a program prints; it must succeed."""
        assert self._python.stdin
        assert self._python.stdout
        self._python.stdin.write(json.dumps([program, argument]) + "\n")
        self._python.stdin.flush()
        succeeded, printed = json.loads(self._python.stdout.readline())
        assert succeeded, printed
        return printed

    def close(self) -> None:
        """End the Python that runs the programs."""
        self._python.communicate()


@pytest.fixture(scope="module", params=["sqlite", POSTGRESQL])
def project(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """The project, deployed over an earlier version of it; a second time nothing is left to do."""
    folder = tmp_path_factory.mktemp("project")
    url = str(folder / "shop.db")
    if request.param == "postgresql":
        request.getfixturevalue("postgresql_url")  # skips where there is none
        url = start_postgres()
    project = Project(folder, url)
    project.run(FIRST)
    for _ in range(2):
        project.run(DEPLOY)
        assert project.run(STILL) == "1 1", "what was in process still is, and what references it is there"
    project.run(TIDY)
    yield project
    project.close()


def test_each_block_is_a_file_of_the_project_or_part_of_the_program() -> None:
    assert len(FILES) + len(SNIPPETS) == len(BLOCKS) == PAGE.count("```python"), "and no file is named twice"
    assert PAGE.count("```") == 2 * (len(BLOCKS) + PAGE.count("```sh"))


def test_a_request_and_an_async_session(project: Project) -> None:
    in_process, other = project.run(CLIENT).split()
    assert project.run(ASYNC, in_process) == "False None"
    assert project.run(ASYNC, other) == "True None"


def test_a_worker_as_a_service(project: Project) -> None:
    invoice = project.run(CLIENT).split()[0]
    log = project.folder / "worker.log"
    with log.open("w") as file:
        worker = project.start("-m", "shop.worker", stderr=file)
    try:
        end = time.monotonic() + 60
        while project.run(SENT, invoice) != "True None":
            assert time.monotonic() < end, log.read_text()
            assert worker.poll() is None, log.read_text()
            time.sleep(0.05)
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(60) == 0, log.read_text()
    finally:
        worker.kill()
        worker.wait()
    assert "mail to ann@example.org, idempotency key" in log.read_text()


def test_alembic_finds_nothing_to_do__and_leaves_our_tables_alone(project: Project) -> None:
    project.run(CHECK)


def test_the_program_of_the_page(project: Project) -> None:
    printed = project.run("\n".join(SNIPPETS))
    assert "waiting since" in printed
    assert re.search(r"^\{'pending': 1, 'running': 0, ", printed, re.M)


def test_the_doctor_finds_nothing(project: Project) -> None:
    assert "Nothing to repair" in project.run(DOCTOR, project.url)


def test_from_here_to_procrastinate(project: Project) -> None:
    if project.url.startswith("postgresql"):
        assert project.run(PROCRASTINATE) == "True None cancelled None"
    else:
        compile(FILES["shop/on_procrastinate.py"], "on_procrastinate.py", "exec")


def test_the_tests_of_the_page(tmp_path: Path) -> None:
    project = Project(tmp_path, "not opened: these tests open a database of their own")
    project.close()
    tests = project.start("-m", "pytest", "-q", "-p", "no:cacheprovider", "tests", stdout=subprocess.PIPE, text=True)
    out, _ = tests.communicate()
    assert tests.returncode == 0, out
    assert "3 passed" in out
