"""8.3: a bug hunt. `complete` believes whoever calls it; a holder whose lease is over must change nothing."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

from sqlalchemy import Engine, text
from sqlmodel import Session

from taskref_edu import writing
from taskref_edu.exercises.catalog._answer_forms import require_few_changes
from taskref_edu.exercises.catalog._worlds import opened, some_ids
from taskref_edu.exercises.exercise import CheckFailed, Exercise, Wrong
from taskref_edu.exercises.runtime_slips import callers
from taskref_edu.lab import explore

STUB = '''
from sqlalchemy import text


def complete(session, task, now):
    """Record that the task succeeded; whether it was recorded."""
    guard = "id = :id"
    done = session.execute(
        text(f"UPDATE job SET status = 'succeeded' WHERE {guard}"),
        {"id": task.id, "worker": task.worker, "token": task.token, "now": now},
    )
    return done.rowcount == 1
'''
TABLE = "CREATE TABLE job (id INTEGER PRIMARY KEY, status TEXT, worker TEXT, token INTEGER, lease_until INTEGER)"
CLAIM = "UPDATE job SET status = 'running', worker = :worker, token = token + 1, lease_until = :until WHERE id = 1"
RECLAIM = "UPDATE job SET status = 'pending' WHERE status = 'running' AND lease_until <= :now"
WORLDS, WORKERS = 30, ["ann", "bob", "cleo"]
TEN, TEN_PAST = 600, 610  # minutes of the day; a lease lasts 5 of them


class Lease(NamedTuple):
    """What a worker remembers of its claim."""

    id: int
    worker: str
    token: int


Complete = Callable[[Session, Lease, int], Any]
FIRST = Lease(1, "ann", 1)


@contextmanager
def job_of_ann() -> Iterator[Session]:
    """A session on a database in which ann has claimed job 1 at ten."""
    with opened("both") as engine:
        ann_claims_at_ten(engine)
        with writing(engine) as session:
            yield session


def ann_claims_at_ten(engine: Engine) -> None:
    """Job 1, claimed by ann with token 1."""
    with writing(engine) as session:
        session.execute(text(TABLE))
        session.execute(text("INSERT INTO job VALUES (1, 'pending', NULL, 0, NULL)"))
        session.execute(text(CLAIM), {"worker": "ann", "until": TEN + 5})


def check_its_holder(complete: Complete) -> None:
    """Whoever holds the job completes it."""
    with job_of_ann() as session, callers(session):
        said = "ann holds job 1, in time, and her success was not recorded"
        done, status = complete(session, FIRST, TEN + 1), _status(session)
        if not done or status != "succeeded":
            problem = f"{said}; its status is {status}." if done else f"{said}; expected True."
            raise CheckFailed(problem, expected=_told(True, "succeeded"), found=_told(bool(done), status))


def check_another_holder(complete: Complete) -> None:
    """A holder whose lease is over changes nothing while another worker holds the job."""
    with job_of_ann() as session:
        _taken_over(session, "bob")
        done = complete(session, FIRST, TEN_PAST)
        what = "ann's lease (token 1) is over; the row is bob's now (running, token 2, a lease of its own)"
        _unchanged(session, done, "running", f"{what}. ann's call ended bob's job all the same.")


def check_the_same_worker(complete: Complete) -> None:
    """Nor while the same worker holds it anew: a name is not a claim."""
    with job_of_ann() as session:
        _taken_over(session, "ann")
        done = complete(session, FIRST, TEN_PAST)
        what = "ann's first thread is late (token 1), and ann claimed the job again (token 2)"
        _unchanged(session, done, "running", f"{what}: the name is the same, the claim is not.")


def check_an_ended_job(complete: Complete) -> None:
    """A job that is no longer running stays as it is, although nobody claimed it since."""
    for status in ("cancelled", "failed", "pending"):
        with job_of_ann() as session:
            session.execute(text("UPDATE job SET status = :status"), {"status": status})
            done = complete(session, FIRST, TEN_PAST)
            what = f"Job 1 is {status}, and its token is still ann's"
            _unchanged(session, done, status, f"{what}; her call made it {_status(session)}.")


def check_in_random_worlds(complete: Complete) -> None:
    """In random tables of many jobs, a call changes the caller's own running job or nothing."""
    dice = random.Random(83)
    with opened() as engine:
        with writing(engine) as session:
            session.execute(text(TABLE))
        for size in range(1, WORLDS):
            jobs = [_job(dice, id) for id in some_ids(dice, size)]
            own = dice.choice(jobs)
            lease = Lease(own["id"], own["worker"] or "ann", own["token"])
            if dice.random() < 0.4:  # an earlier claim, or somebody else's
                lease = lease._replace(
                    token=dice.choice([own["token"] - 1, own["token"] + 1]), worker=dice.choice(WORKERS)
                )
            held = own["status"] == "running" and own["token"] == lease.token
            # In time, if it holds the job: whether a lease that is over may still count is left open.
            now = (own["lease_until"] or TEN) - dice.randint(1, 9) if held else dice.choice([TEN - 30, TEN, TEN_PAST])
            _judge_job(complete, engine, jobs, lease, now, held)


def _job(dice: random.Random, id: int) -> dict[str, Any]:
    status = dice.choice(["running", "running", "running", "pending", "succeeded", "failed", "cancelled"])
    until = dice.choice([TEN + dice.randint(-5, 20), None]) if status == "pending" else TEN + dice.randint(-5, 20)
    return {
        "id": id,
        "status": status,
        "worker": dice.choice(WORKERS),
        "token": dice.randint(1, 3),
        "lease_until": until,
    }


def _judge_job(
    complete: Complete, engine: Engine, jobs: list[dict[str, Any]], lease: Lease, now: int, held: bool
) -> None:
    with writing(engine) as session:
        session.execute(text("INSERT INTO job VALUES (:id, :status, :worker, :token, :lease_until)"), jobs)
        with callers(session):
            done = complete(session, lease, now)
        after = {row.id: dict(row._mapping) for row in session.execute(text("SELECT * FROM job"))}
        session.rollback()
    wanted = {job["id"]: {**job, "status": "succeeded"} if held and job["id"] == lease.id else job for job in jobs}
    changed = [id for id in wanted if after.get(id) != wanted[id]]
    holder = f"{lease.worker} with token {lease.token} {'holds' if held else 'does not hold'} job {lease.id}"
    details = "\n".join(map(str, jobs))
    if changed:
        job, now_is = f"job {changed[0]}", after.get(changed[0])
        rows = f"{job} became {now_is['status']}" if now_is else f"{job} was deleted"
        right = f"it stays {wanted[changed[0]]['status']}" if changed[0] != lease.id or not held else "succeeded"
        raise CheckFailed(
            f"{holder}, and calls `complete`: {rows}; expected: {right}.",
            details,
            expected={job: wanted[changed[0]]},
            found={job: now_is or "deleted"},
        )
    if bool(done) != held:
        returned = f"{holder}, and `{done!r:.40}` was returned; expected {held}."
        raise CheckFailed(returned, details, expected=held, found=done)


def check_every_schedule(complete: Complete) -> None:
    """Each statement its own transaction: ann's late call beside bob's claim, under every schedule."""

    def late(engine: Engine) -> Any:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            with Session(connection) as session:
                return complete(session, FIRST, TEN_PAST)

    def takes_over(engine: Engine) -> None:
        for sql in (RECLAIM, CLAIM + " AND status = 'pending'"):
            with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.execute(text(sql), {"worker": "bob", "until": TEN_PAST + 5, "now": TEN_PAST})

    found = explore([late, takes_over], setup=ann_claims_at_ten, invariant=_only_own, schema=None)
    if not found.holds:
        count = f"In {len(found.broken)} of {found.count} schedules"
        raise CheckFailed(f"{count} bob takes over between your check and your UPDATE, and loses his job.", found)


def check_one_line(complete: Complete) -> None:
    """One line was changed."""
    require_few_changes(complete, STUB, 1)


def _taken_over(session: Session, worker: str) -> None:
    session.execute(text(RECLAIM), {"now": TEN_PAST})
    session.execute(text(CLAIM), {"worker": worker, "until": TEN_PAST + 5})


def _unchanged(session: Session, done: Any, status: str, otherwise: str) -> None:
    if done or _status(session) != status:
        raise CheckFailed(otherwise, expected=_told(False, status), found=_told(bool(done), _status(session)))


def _told(done: bool, status: str) -> dict[str, Any]:
    return {"returned": done, "the job": status}


def _status(session: Session) -> str:
    return session.execute(text("SELECT status FROM job")).scalar_one()


def _only_own(session: Session, errors: Mapping[str, BaseException], results: Mapping[str, Any]) -> list[str]:
    token, status = session.execute(text("SELECT token, status FROM job")).one()
    return ["bob's job was completed by ann"] if token == 2 and status == "succeeded" else []


def _wrong(guard: str, message: str) -> Wrong:
    return Wrong(STUB.replace('"id = :id"', f'"{guard}"'), message)


EXERCISE = Exercise(
    id="8.3",
    title="The zombie",
    objective="8-stale",
    goal="""
`complete` accepts any caller. A worker whose lease ran out wakes up, calls it, and ends a job that somebody else
holds. **Change one line**, so that only who holds the job can complete it: that job and no other, and the function says
whether it did.

A claim sets `status`, `worker` and `lease_until` in the table `job`, and raises `token` by one. `task` is what the
worker remembers of its claim.
""",
    stub=STUB,
    checks=[
        check_its_holder,
        check_another_holder,
        check_the_same_worker,
        check_an_ended_job,
        check_every_schedule,
        check_in_random_worlds,
        check_one_line,
    ],
    errors=[("No row was found", "There is no such job: the query has to ask for the job of the caller, `task.id`")],
    hints=[
        "The UPDATE asks *which* job. It should also ask *whose*, and *in which state*.",
        "What differs between ann's first claim and everything that came after it, even if ann herself claims again?",
        """
Two conditions are missing. `AND` joins them in the SQL:

```python
guard = "id = :id AND status = ... AND ..."
```
""",
    ],
    solution=STUB.replace('"id = :id"', "\"id = :id AND status = 'running' AND token = :token\""),
    discussion="""
Both halves are needed. The token tells this claim from every later one; the status tells a job in work from one that
was cancelled or returned, which keeps the token it had.

A look at the clock (`lease_until > :now`) is no substitute: it sees the *new* holder's lease. Nor is checking first
and updating afterwards: between the two the job changes hands.

The field calls such a number a *fencing token*. In the library it is `lease_token`; a refused holder gets
`StaleLease`.
""",
    wrong_answers=[
        _wrong("id = :id AND status = 'running'", "ann's call ended bob's job all the same"),
        _wrong("id = :id AND lease_until > :now", "ann's call ended bob's job all the same"),
        _wrong("id = :id AND status = 'running' AND worker = :worker", "the name is the same, the claim is not"),
        _wrong("id = :id AND token = :token AND status != 'cancelled'", "Job 1 is failed, and its token is still"),
        _wrong("id = :id AND token = :token", "Job 1 is cancelled, and its token is still"),
        _wrong("status = 'running' AND token = :token", "does not hold job"),
        _wrong("id = :id AND status = 'pending' AND token = :token", "her success was not recorded"),
        Wrong(
            """
from sqlalchemy import text


def complete(session, task, now):
    row = session.execute(text("SELECT status, token FROM job WHERE id = :id"), {"id": task.id}).one()
    if row.status != "running" or row.token != task.token:
        return False
    session.execute(text("UPDATE job SET status = 'succeeded' WHERE id = :id"), {"id": task.id})
    return True
""",
            "between your check and your UPDATE",
        ),
        Wrong(
            """
from sqlalchemy import text


def complete(session, task, now):
    sql = "UPDATE job SET status = 'succeeded' WHERE id = :id AND status = 'running' AND token = :token"
    values = {"id": task.id, "token": task.token}
    return session.execute(text(sql), values).rowcount == 1
""",
            "lines of the function are new or changed",
        ),
    ],
)
