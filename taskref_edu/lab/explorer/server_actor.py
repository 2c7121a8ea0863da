"""An actor on a server: a function on a thread that stops at a gate before each of its statements.

Its connections are real ones; the server reports whose lock a statement waits for. A killed actor's socket is closed,
as a killed process's is: before a statement, or after COMMIT was sent and before the reply arrived.
"""

from __future__ import annotations

import os
import re
import socket
import sys
import threading
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Engine, ExceptionContext, event

from ..player.recording import DIES_IN_COMMIT
from .errors import ActorKilled, LabError, PastTheExplorer
from .errors_in_words import database_name, error_text
from .experiment import ActorFunction, file_of, line_in, name_of
from .past_the_explorer import refuse_later

NO_STEP = ("SAVEPOINT", "RELEASE")
LOCKING = re.compile(r"\bFOR\s+(NO\s+KEY\s+)?(KEY\s+)?(UPDATE|SHARE)\b", re.IGNORECASE)
PARAMETER = re.compile(r"%\((\w+)\)s(?:::\w+(?: WITH(?:OUT)? TIME ZONE)?)?")


@dataclass(frozen=True)
class ServerAnswer:
    """The server's answer to a statement. columns: None if the statement returns no rows."""

    statement: str
    parameters: Any
    columns: list[str] | None
    rows: list[list[Any]]
    changed: int


class ServerActor(threading.Thread):
    """One function in one schedule.

    moved: notified whenever an actor reaches its gate, or ends. file: whose line numbers are recorded; None: its own.
    """

    def __init__(
        self, letter: str, function: ActorFunction, engine: Engine, moved: threading.Condition, file: str | None
    ) -> None:
        super().__init__(name=f"actor {letter}", daemon=True)
        self.actor = self  # read by the hooks of past_the_explorer.py
        self.letter, self.function, self.engine, self.moved = letter, function, engine, moved
        self.file = file or file_of(function)
        self.at_gate = self.ended = self.dead = self.wrote = False
        self.steps = 0
        self.sql, self.fate = "", ""
        self.connection: Connection | None = None  # of the next or current step
        self.pid = 0
        self.opened = False  # whether a transaction was open before its latest step
        self.line: int | None = None  # of `file`, that sent the step
        self.answer: ServerAnswer | None = None  # to the step
        self.refused: tuple[str, str | None] | None = None  # the error of the step, and the server's name of it
        self.result: Any = None
        self.error: BaseException | None = None
        self.fault: LabError | None = None

    def run(self) -> None:
        """The function, on its thread."""
        try:
            self.result = self.function(self.engine)
            refuse_later(f"actor {self.letter} ({name_of(self.function)})", self.result)
        except ActorKilled:
            pass
        except PastTheExplorer as fault:
            self.fault = self.fault or fault
        except BaseException as error:
            self.error = error
        with self.moved:
            self.ended = True
            self.moved.notify_all()

    @property
    def is_moving(self) -> bool:
        """Whether its statement, or the code after it, is running."""
        return not self.at_gate and not self.ended

    def let_go(self, fate: str = "") -> None:
        """Let it run its step, or kill it; fate: DIES or DIES_IN_COMMIT."""
        with self.moved:
            self.fate, self.at_gate = fate, False
            self.moved.notify_all()

    def connects(self) -> None:
        """Its code opens a SQLite file."""
        self._fail("opened a SQLite database", "use the engine that it is given")

    def borrows(self, pool: Any, _connection: Any) -> None:
        """Its code takes a connection from a pool."""
        if self.dead:
            raise ActorKilled
        if threading.current_thread() is not self:
            self._fail("has its engine used by another thread", "only its own actor may use an engine")
        if pool is not self.engine.pool:
            advice = "pass it the engine that it is given; docs/test-your-own-code.md shows how"
            self._fail("used another engine than its own", advice)

    def stop_at_gate(self, connection: Connection, sql: str) -> None:
        """Wait for the explorer before a step."""
        if self.dead:
            raise ActorKilled
        driver: Any = connection.connection.driver_connection
        self.connection, self.sql, self.pid = connection, sql, driver.info.backend_pid
        opened, line = is_open(connection), line_in(self.file, sys._getframe(1))
        with self.moved:
            self.at_gate = True
            self.moved.notify_all()
            self.moved.wait_for(lambda: not self.at_gate)
        self.opened, self.line, self.answer, self.refused = opened, line, None, None
        if self.fate:
            self._die(connection, driver)
        self.steps += 1

    def _die(self, connection: Connection, driver: Any) -> None:
        self.dead = True
        if self.fate == DIES_IN_COMMIT:
            driver.pgconn.send_query(b"COMMIT")
            driver.pgconn.flush()
        with socket.socket(fileno=os.dup(driver.pgconn.socket)) as wire:
            wire.shutdown(socket.SHUT_RDWR)
        connection.invalidate()  # code that still runs cannot reach the server
        raise ActorKilled

    def _fail(self, what: str, advice: str) -> None:
        self.fault = PastTheExplorer(f"actor {self.letter} ({name_of(self.function)}) {what}: {advice}")
        raise self.fault


def put_gates(engine: Engine) -> None:
    """Stop actors before each statement on this engine; other threads are not stopped."""
    event.listen(engine, "before_cursor_execute", _before_statement)
    event.listen(engine, "after_cursor_execute", _after_statement)
    event.listen(engine, "handle_error", _refused)
    event.listen(engine, "commit", lambda connection: _before_end(connection, "COMMIT"))
    event.listen(engine, "rollback", lambda connection: _before_end(connection, "ROLLBACK"))


def _before_statement(
    connection: Connection, _cursor: Any, statement: str, parameters: Any, _context: Any, _many: bool
) -> None:
    actor = threading.current_thread()
    if isinstance(actor, ServerActor) and not statement.startswith(NO_STEP):
        actor.stop_at_gate(connection, filled(statement, parameters))
        actor.wrote |= not only_reads(statement)


def _after_statement(
    _connection: Connection, cursor: Any, statement: str, parameters: Any, _context: Any, _many: bool
) -> None:
    actor = threading.current_thread()
    if isinstance(actor, ServerActor) and not statement.startswith(NO_STEP):
        columns = None if cursor.description is None else [column.name for column in cursor.description]
        rows = []
        on_server = hasattr(cursor, "name")
        if columns is not None and not on_server and cursor.rowcount > 0 and cursor.rownumber == 0:
            rows = [list(row) for row in cursor.fetchall()]
            cursor.scroll(0, "absolute")  # rewind: they are in memory, and the actor has fetched none yet
        actor.answer = ServerAnswer(statement, parameters, columns, rows, max(0, cursor.rowcount))


def _refused(context: ExceptionContext) -> None:
    actor = threading.current_thread()
    if isinstance(actor, ServerActor):
        error = context.sqlalchemy_exception or context.original_exception
        actor.refused = error_text(error), database_name(error)


def only_reads(statement: str) -> bool:
    """Whether it is a SELECT that locks nothing."""
    return statement.lstrip().upper().startswith("SELECT") and LOCKING.search(statement) is None


def is_open(connection: Connection) -> bool:
    """Whether a transaction is open on the server, and no statement in it has failed."""
    driver: Any = connection.connection.driver_connection
    return driver.info.transaction_status.name == "INTRANS"


def _before_end(connection: Connection, how: str) -> None:
    actor = threading.current_thread()
    if isinstance(actor, ServerActor) and actor.wrote and not connection.invalidated:
        actor.stop_at_gate(connection, how)
        actor.wrote = False


def filled(statement: str, parameters: Any) -> str:
    """The statement with its parameters filled in."""
    values = parameters if isinstance(parameters, dict) else {}
    return PARAMETER.sub(lambda found: _literal(values[found[1]]) if found[1] in values else "…", statement)


def _literal(value: Any) -> str:
    """The value as it is written in SQL."""
    if value is None or isinstance(value, bool):
        return {None: "NULL", True: "true", False: "false"}[value]
    return str(value) if isinstance(value, int | float | Decimal) else "'" + str(value).replace("'", "''") + "'"
