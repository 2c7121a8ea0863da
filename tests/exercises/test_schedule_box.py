"""A failed exercise shows the schedule beside the learner's own code, and does not give the repair away."""

from __future__ import annotations

import json
import re

from taskref_edu.exercises.check import check_attempt
from taskref_edu.exercises.loader import Attempt
from taskref_edu.exercises.outcomes import Outcome

CLAIM = '''\
@exercise("8.2")
def claim(session, now, until):
    """Take the oldest due task; its id, or None."""
    due = select(Task).where(Task.status == "pending", Task.available_at <= now)
    task = session.exec(due.order_by(Task.available_at, Task.id).limit(1)).first()
    if task is None:
        return None
    new = {"status": "running", "lease_token": Task.lease_token + 1, "lease_expires_at": until}
    session.execute(update(Task).where(Task.id == task.id).values(new))
    return task.id
'''
IMPORTS = (
    "from sqlmodel import select, update",
    "from taskref_edu import Task",
    "from taskref_edu.exercises import exercise",
)


def failed() -> Outcome:
    outcome = check_attempt(Attempt("8.2", CLAIM, imports=IMPORTS))
    assert "two workers get task 1" in outcome.message
    return outcome


def test_the_box_holds_the_player_with_the_learners_lines() -> None:
    html = failed()._repr_html_()
    folded = re.search(r"<details><summary>What happened</summary>(.*)", html, re.DOTALL)
    assert folded is not None, "folded, opened by one click"
    data = json.loads(re.search(r'<script type="application/json">(.*?)</script>', folded[1])[1])  # type: ignore[index]
    assert data["code"] == CLAIM.strip()
    sent = {data["sql"][step["sql"]].split()[0]: step["line"] for step in data["steps"]}
    lines = data["code"].splitlines()
    assert "session.exec(" in lines[sent["SELECT"] - 1]
    assert "session.execute(" in lines[sent["UPDATE"] - 1]


def test_the_text_says_why__and_not_what_would_have_helped() -> None:
    text = str(failed())
    assert "A and B both read task 1 (steps 1 and 2) before either UPDATE was committed (steps 3 and 4)." in text
    assert "What would have helped" not in text
