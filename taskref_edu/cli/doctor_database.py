"""What `taskref doctor DB` checks: the file's pages, then what earlier versions or manual changes left in its tables.

A dry run unless it is told to repair. Apart from `doctor_environment.py`, because it checks data, not an installation,
and can change something. Not covered: saving data from a damaged file (the remedy names the commands).
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable

from sqlalchemy import Engine, text

from taskref_edu import TaskQueue, open_database, reading, writing
from taskref_edu.cli.doctor_environment import Finding
from taskref_edu.database.error_names import RESTORE, SALVAGE
from taskref_edu.database.sqlite_engine import file_of
from taskref_edu.errors import DatabaseDamaged
from taskref_edu.queue.repair import repair as run_repair

SAVE = f"{RESTORE}; or save what can be saved: {SALVAGE}"
DAMAGES = 5  # that are shown


def run(where: str, types: Iterable[str], repair: bool) -> int:
    """Check a database, and repair its tables if asked; 0 if all is well, or has been repaired. Raises CannotOpen."""
    engine = open_database(where, create=False)
    try:
        pages = _pages(engine)
        print(pages)
        if pages.remedy is not None:
            return 1
        with (writing if repair else reading)(engine) as session:
            report = run_repair(TaskQueue(engine), session, types=types, dry_run=not repair)
        print(report)
        if report.count and not repair:
            print("To fix it, run the same with --repair.")
        return int(bool(report.broken) or (report.count > 0 and not repair))
    finally:
        engine.dispose()


def _pages(engine: Engine) -> Finding:
    name = file_of(engine) or engine.url
    save = SAVE.format(file=shlex.quote(str(name)))
    try:
        with reading(engine) as session:
            schema = session.connection().execute(text("SELECT name, version FROM taskref_schema")).one()
            if engine.dialect.name != "sqlite":
                return Finding(f"{name}: schema {schema.name}, version {schema.version}")
            found = session.connection().exec_driver_sql(f"PRAGMA quick_check({DAMAGES})").scalars().all()
    except DatabaseDamaged as error:
        return Finding(str(error), save)
    if found != ["ok"]:
        lines = [line for part in found for line in part.splitlines() if not line.startswith("***")]
        return Finding(f"{name} is damaged: {'; '.join(lines[:DAMAGES])}", save)
    return Finding(f"{name}: every page is whole; schema {schema.name}, version {schema.version}")
