"""The child process of `child_process.py`: reads an attempt, checks it, writes its outcome.

Apart, because it imports `check.py`, which imports `child_process.py`.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict

from .check import check_attempt
from .loader import Attempt
from .outcomes import Outcome


def main() -> None:
    """In the child: the attempt from standard input, its outcome to standard output."""
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what the answer prints must not get into the outcome
    if not (sent := sys.stdin.read()):
        return  # it was started early, and the caller ended without a check
    given = json.loads(sent)
    attempt = Attempt(**{**given, "imports": tuple(given["imports"]), "elsewhere": frozenset(given["elsewhere"])})
    outcome = check_attempt(attempt)
    said = {name: getattr(outcome, name) for name in Outcome.__dataclass_fields__}
    said |= {"facts": [(heading, str(fact)) for heading, fact in outcome.facts], "notes": list(outcome.notes)}
    said |= {"comparison": asdict(outcome.comparison) if outcome.comparison else None}
    json.dump(said, answer)
    answer.flush()
    os._exit(0)  # without waiting for threads that the answer left running


if __name__ == "__main__":
    main()
