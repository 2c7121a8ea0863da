"""Opening a database, and the two kinds of transaction."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlmodel import select

from taskref_edu import Order, TaskQueue, errors, open_database, reading, writing
from taskref_edu.database.sqlite_engine import file_of
from tests.conftest import new_orders, scalar


class TestOpening:
    def test_pragmas(self, sqlite: Engine) -> None:
        names = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        assert [scalar(sqlite, f"PRAGMA {name}") for name in names] == ["wal", 1, 1, 5000]

    def test_full_and_timeout_can_be_chosen(self, tmp_path: Path) -> None:
        engine = open_database(tmp_path / "x.db", synchronous="FULL", timeout=1.5)
        assert [scalar(engine, f"PRAGMA {name}") for name in ("synchronous", "busy_timeout")] == [2, 1500]
        engine.dispose()

    def test_without_a_path_the_file_is_gone_at_exit(self) -> None:
        program = "from taskref_edu import open_database; print(open_database().url.database)"
        path = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True
        ).stdout.strip()
        assert path.endswith("tasks.db")
        assert not Path(path).parent.exists()

    def test_with_a_path_it_is_kept(self, tmp_path: Path) -> None:
        path = tmp_path / "a ?#%20 ä.db"
        engine = open_database(path)
        new_orders(engine, 2)
        engine.dispose()
        again = open_database(str(path))
        with reading(again) as session:
            assert len(session.exec(select(Order)).all()) == 2
        assert file_of(again) == path
        again.dispose()
        assert [other.name for other in tmp_path.iterdir()] == [path.name]

    def test_a_url_will_do(self, tmp_path: Path) -> None:
        engine = open_database(f"sqlite:///{tmp_path}/x.db")
        assert file_of(engine) == tmp_path / "x.db"
        engine.dispose()

    @pytest.mark.parametrize("where", [":memory:", "sqlite://", "sqlite:///:memory:"])
    def test_memory_is_refused_with_the_reason(self, where: str) -> None:
        with pytest.raises(errors.CannotOpen, match="invisible to a second thread"):
            open_database(where)

    def test_a_uri_of_sqlite_is_refused_and_makes_no_file(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        with pytest.raises(errors.CannotOpen, match="is a URI of SQLite: give the path alone"):
            open_database("file:x.db?mode=ro")
        assert list(tmp_path.iterdir()) == []
        open_database("./file:x.db").dispose()
        assert (tmp_path / "file:x.db").exists()

    @pytest.mark.parametrize(
        "url",
        [
            "postgresql://bob:s3cret@db:notaport/shop",
            "postgresql://bob:s3@cret@db/shop",
            "postgresql://bob@localhost:1/shop?password=s3cret",
            "postgresql://bob@localhost:1/shop?sslmode=disable&sslpassword=s3cret",
            "postgresql+psycopg2://bob:s3cret@db/shop",
            "postgresql://bob:s3cret@localhost:1/shop?connect_timeout=no&password=s3cret",
            "mysql://bob:s3cret@db/shop",
            "sqlite:///x.db?password=s3cret",
            "postgresql://bob:s3 cret@db:notaport/shop",
        ],
    )
    def test_no_message_shows_a_password(self, url: str) -> None:
        with pytest.raises(errors.CannotOpen) as found:
            open_database(url)
        chain: BaseException | None = found.value
        while chain is not None:
            assert "cret" not in str(chain)
            chain = chain.__cause__ or (None if chain.__suppress_context__ else chain.__context__)

    def test_a_missing_folder(self, tmp_path: Path) -> None:
        with pytest.raises(errors.CannotOpen, match=r"folder .*missing not found: create it"):
            open_database(tmp_path / "missing" / "x.db")
        assert not (tmp_path / "missing").exists()

    def test_a_folder_in_the_files_place(self, tmp_path: Path) -> None:
        with pytest.raises(errors.CannotOpen, match="is not a file"):
            open_database(tmp_path)

    def test_a_read_only_folder(self, tmp_path: Path) -> None:
        folder = tmp_path / "locked"
        folder.mkdir(mode=0o500)
        if os.access(folder, os.W_OK):  # root may write anywhere but here
            folder = Path("/proc/self")
            if not folder.is_dir():
                pytest.skip("running as root, and this system has no folder that root cannot write to")
        with pytest.raises(errors.CannotOpen, match=r"cannot create .*Choose a folder that you may write to"):
            open_database(folder / "x.db")

    def test_a_file_that_is_no_database_is_left_as_it_is(self, tmp_path: Path) -> None:
        path = tmp_path / "essay.txt"
        path.write_text("My holidays, by Ann. " * 100)
        before = path.read_bytes()
        with pytest.raises(errors.CannotOpen, match="is not a SQLite database: choose another name"):
            open_database(path)
        assert path.read_bytes() == before
        assert list(tmp_path.iterdir()) == [path]

    def test_a_damaged_database_is_named(self, tmp_path: Path) -> None:
        path = tmp_path / "damaged.db"
        path.write_bytes(b"SQLite format 3\0" + b"\xff" * 5000)
        with pytest.raises(errors.CannotOpen, match=r"cannot open .*damaged\.db"):
            open_database(path)

    def test_a_newer_schema_is_left_as_it_is(self, tmp_path: Path) -> None:
        path = tmp_path / "newer.db"
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("CREATE TABLE taskref_schema (version INTEGER, name TEXT)")
            connection.execute("INSERT INTO taskref_schema VALUES (99, 'both')")
            connection.commit()
        before = path.read_bytes()
        with pytest.raises(errors.SchemaTooNew, match="version 99, this package knows 1: update taskref_edu"):
            open_database(path)
        assert path.read_bytes() == before

    def test_somebody_elses_tables_stay(self, tmp_path: Path) -> None:
        path = tmp_path / "shop.db"
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("CREATE TABLE customer (name)")
            connection.execute("INSERT INTO customer VALUES ('Ann')")
            connection.commit()
        engine = open_database(path)
        assert scalar(engine, "SELECT name FROM customer") == "Ann"
        engine.dispose()

    def test_the_schema_of_an_existing_file_must_be_the_one_asked_for(self, tmp_path: Path) -> None:
        open_database(tmp_path / "x.db", schema="classic").dispose()
        open_database(tmp_path / "x.db").dispose()
        with pytest.raises(errors.CannotOpen, match="has the schema 'classic', 'inverted' was asked for"):
            open_database(tmp_path / "x.db", schema="inverted")

    @pytest.mark.parametrize(
        ("where", "keywords", "message"),
        [
            ("nonsense://x", {}, "no driver for"),
            ("postgresql+psycopg://nobody@127.0.0.1:1/x", {}, "cannot open .*127.0.0.1"),
            (None, {"schema": "other"}, "schema 'other' found, one of both, classic"),
            (None, {"synchronous": "OFF"}, "NORMAL or FULL expected"),
        ],
    )
    def test_other_mistakes_are_named(self, where: str | None, keywords: dict[str, str], message: str) -> None:
        with pytest.raises(errors.CannotOpen, match=message):
            open_database(where, **keywords)  # type: ignore[arg-type]

    def test_an_old_sqlite_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 34, 1))
        with pytest.raises(errors.CannotOpen, match=r"3\.35 or newer needed"):
            open_database()

    @pytest.mark.nightly
    def test_two_programs_may_open_it_at_the_same_moment(self, tmp_path: Path) -> None:
        program = f"from taskref_edu import open_database; open_database({str(tmp_path / 'x.db')!r})"
        started = [subprocess.Popen([sys.executable, "-W", "error", "-c", program]) for _ in range(4)]
        assert [process.wait() for process in started] == [0, 0, 0, 0]

    def test_a_deleted_file_is_not_made_again_in_silence(self, tmp_path: Path) -> None:
        engine = open_database(tmp_path / "x.db")
        engine.dispose()
        (tmp_path / "x.db").unlink()
        with pytest.raises(Exception, match="unable to open database file"), reading(engine) as session:
            session.exec(select(Order)).all()
        assert not (tmp_path / "x.db").exists()


def test_an_engine_that_is_dropped_closes_its_connections_without_a_warning() -> None:
    """Run with warnings as errors; Python 3.13 warned of each connection."""
    program = """
import gc
from taskref_edu import Order, open_database, reading
for _ in range(3):
    engine = open_database()
    with reading(engine) as session:
        session.get(Order, 1)
    del engine, session
gc.collect()
"""
    ran = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True)
    assert (ran.returncode, ran.stderr) == (0, "")


def test_opened_twice_in_a_process_it_keeps_its_log(tmp_path: Path) -> None:
    """A process that closed the file itself would lose its locks on it; then this other one would delete the log."""
    path = tmp_path / "tasks.db"
    queue = TaskQueue(engine := open_database(path))
    with writing(engine) as session:
        queue.enqueue(session, "work")
    open_database(path).dispose()
    other = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('UPDATE task SET attempt = 1'); c.commit()"
    )
    subprocess.run([sys.executable, "-c", f"{other}; c.close()", str(path)], check=True)
    assert path.with_name("tasks.db-wal").exists()
    with writing(engine) as session:
        queue.enqueue(session, "work")
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT attempt FROM task ORDER BY id").fetchall() == [(1,), (0,)]
    engine.dispose()
