"""A learner's progress: one JSON file, shared by all kernels and terminals that work in the same clone.

It is written as a whole and moved into place, under a lock. A file that cannot be read is set aside, never lost;
`taskref check` restores the outcomes, because the notebooks contain the answers. If the folder cannot be written,
that is said, and entries are remembered until the process ends. The file does not contain the learner's name.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..clone import root
from .loader import Attempt
from .outcomes import Outcome, Verdict

KEPT = 20  # attempts kept for each exercise
Entry = dict[str, Any]
_unsaved: dict[tuple[Path, str, str], Entry] = {}  # by file, part and id: what could not be written
TYPES = {"attempts": list, "outcome": str, "passed_at": str, "checks": int, "hints": int, "asked": int}


def home() -> Path:
    """The folder of the progress: TASKREF_HOME, by default `.taskref` in the clone."""
    if named := os.environ.get("TASKREF_HOME"):
        return Path(named).expanduser()
    return root() / ".taskref"


class Progress:
    """The progress in one folder. `notes` collects messages for the learner; take_notes() empties it."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or home()
        self.path = self.folder / "progress.json"
        self._notes: list[str] = []

    def take_notes(self) -> list[str]:
        """What happened to the file since the last call, as sentences."""
        notes, self._notes = self._notes, []
        return notes

    def read(self) -> dict[str, dict[str, Entry]]:
        """`{"exercises": {id: entry}, "guesses": {id: entry}}`; empty entries if there is no file."""
        known = self._read_locked() if self.path.exists() else _empty()
        for (path, part, id), entry in _unsaved.items():
            if path == self.path:
                known[part][id] = entry
        return known

    def _read_locked(self) -> dict[str, dict[str, Entry]]:
        try:
            with locked(self.folder / "lock"):
                return self._read()
        except OSError:  # the folder can be read but not written
            return self._read()

    def _read(self) -> dict[str, dict[str, Entry]]:
        try:
            return _checked(json.loads(self.path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return _empty()
        except (OSError, ValueError, RecursionError) as error:  # UnicodeDecodeError is a ValueError
            return self._set_aside(error)

    def exercise(self, id: str) -> Entry:
        """The entry of one exercise; empty if there is none."""
        return self.read()["exercises"].get(id, {})

    def record(self, attempt: Attempt, outcome: Outcome) -> None:
        """Store an attempt and its outcome; the same text again only updates the time. A stub is no attempt."""
        if outcome.verdict == Verdict.NOT_ATTEMPTED:
            return
        now = _now()

        def change(entry: Entry) -> None:
            entry["outcome"], entry["at"] = str(outcome.verdict), now
            entry["checks"] = entry.get("checks", 0) + 1
            if outcome.verdict == Verdict.PASSED:
                entry.setdefault("passed_at", now)
            _keep(entry, attempt, outcome, now)

        self.change("exercises", outcome.id, change)

    def last_attempt(self, id: str, verdict: Verdict | None = None) -> Attempt | None:
        """The latest attempt that was stored, or the latest with this verdict; None if there is none."""
        for kept in reversed(self.exercise(id).get("attempts", [])):
            if verdict is None or kept.get("outcome") == verdict:
                return Attempt(id, kept["source"], tuple(kept.get("imports", ())))
        return None

    def change(self, part: str, id: str, change: Callable[[Entry], None]) -> Entry:
        """Change one entry under the lock and write the file; returns the entry."""
        key = (self.path, part, id)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with locked(self.folder / "lock"):
                known = self._read()
                entry = known[part].setdefault(id, {})
                entry.update(_unsaved.get(key, {}))
                change(entry)
                write_whole(self.path, json.dumps(known, indent=1, ensure_ascii=False) + "\n")
                _unsaved.pop(key, None)
                return entry
        except OSError as error:
            self._notes.append(f"Progress was not saved: {self.path}: {error.strerror or error}.")
            entry = _unsaved.setdefault(key, self.read()[part].get(id, {}))
            change(entry)
            return entry

    def _set_aside(self, error: Exception) -> dict[str, dict[str, Entry]]:
        aside = self.path.with_name(f"progress.damaged-{time.time_ns()}.json")
        with contextlib.suppress(OSError):
            self.path.replace(aside)
            self._notes.append(
                f"`progress.json` could not be read ({error}); it was set aside as `{aside.name}`. "
                "`taskref check` rebuilds the outcomes from the notebooks."
            )
        return _empty()


def _empty() -> dict[str, dict[str, Entry]]:
    return {"exercises": {}, "guesses": {}}


def _checked(found: Any) -> dict[str, dict[str, Entry]]:
    """The file's content if it has the right shape; ValueError if not."""
    if not isinstance(found, dict):
        raise ValueError("not an object")
    for part in _empty():
        entries = found.setdefault(part, {})
        if not isinstance(entries, dict) or not all(isinstance(entry, dict) for entry in entries.values()):
            raise ValueError(f"{part!r} is not an object of objects")
        for entry in entries.values():
            if not all(isinstance(entry.get(key, kind()), kind) for key, kind in TYPES.items()):
                raise ValueError(f"one of {', '.join(TYPES)} is of another type")
            if not all(map(_is_attempt, entry.get("attempts", []))):
                raise ValueError("an attempt has no source")
    return found


def _is_attempt(kept: Any) -> bool:
    return isinstance(kept, dict) and isinstance(kept.get("source"), str) and isinstance(kept.get("imports", []), list)


def _keep(entry: Entry, attempt: Attempt, outcome: Outcome, now: str) -> None:
    kept = entry.setdefault("attempts", [])
    if kept and kept[-1]["source"] == attempt.source:
        kept.pop()
    kept.append({"at": now, "outcome": str(outcome.verdict), "source": attempt.source, "imports": [*attempt.imports]})
    del kept[:-KEPT]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def write_whole(path: Path, text: str) -> None:
    """Write the file so that a reader sees either the old text or the new one, never a part.

    A lone surrogate is written as JSON's escape. On file systems without modes, the file's mode stays as it is.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(PermissionError, NotImplementedError):
            Path(name).chmod(path.stat().st_mode if path.exists() else 0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the file's lock for the block; waits for other processes and threads that hold it."""
    with path.open("a+b") as file:
        try:
            import fcntl
        except ImportError:  # on Windows: a lock on the first byte, tried for ten seconds
            import msvcrt

            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)  # type: ignore[attr-defined]
            yield
            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)  # type: ignore[attr-defined]
            return
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
