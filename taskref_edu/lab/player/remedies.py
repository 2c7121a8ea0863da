"""The usual repair for each pattern of `why.py`, in a sentence. Apart, because exercises hide it."""

from __future__ import annotations

from .case import Why

LOCKED = "a lock before the SELECT (SQLite: BEGIN IMMEDIATE; a server: SELECT … FOR UPDATE)"
REMEDIES = {
    "same answer": f"Check and write in one step: {LOCKED}, or one UPDATE whose WHERE repeats the check; then check how"
    " many rows it changed.",
    "same answer, adding": f"A UNIQUE constraint refuses the second row whoever checked; or {LOCKED}.",
    "write skew": "Start the write transaction before the SELECT (BEGIN IMMEDIATE; SERIALIZABLE on a server):"
    " what was read must still hold at the COMMIT.",
    "lost update": "Let the database compute it (SET n = n + 1), or compare a version in the UPDATE’s WHERE and"
    " read again if no row was changed.",
    "lost update, put back": "Save only the columns that were changed: an UPDATE of the others puts back what was read."
    " Or compare a version in the UPDATE’s WHERE, and read again if no row was changed.",
    "stale read": "Read and write under one lock, or let the UPDATE’s WHERE repeat what was read, and check how many"
    " rows it changed.",
    "started too early": "Commit the task and its reference in one transaction.",
    "second after cancel": "Keep a cancelled task visible until its worker has ended: only then let a second one in.",
    "stale holder": "Name the claim in the UPDATE’s WHERE (status and lease token), and drop the result if no row was"
    " changed.",
    "killed": "Commit what belongs together in one transaction.",
    "refused": "Start the write transaction before the SELECT (BEGIN IMMEDIATE): then it waits instead of failing.",
    "deadlock": "Lock the rows in the same sequence everywhere, for example by id; and run a transaction again that"
    " the database ended.",
    "serialization": "Run the refused transaction again, from its SELECT on; or lock the row as it is read (SELECT …"
    " FOR UPDATE): then it waits instead of failing.",
    "unique": "Take the refusal for the answer “somebody was first”: INSERT … ON CONFLICT DO NOTHING, then check"
    " how many rows it added.",
}


def remedy(why: Why | None, outcome: str) -> str:
    """The repair for a schedule that broke or failed; "" if no pattern matches."""
    if why is None or outcome == "good":
        return ""
    adds = "INSERT" in why.parts
    same = why.pattern == "same answer"
    return REMEDIES["same answer, adding" if same and adds else why.pattern]
