"""How long to wait before a database that did not answer is asked again."""

from __future__ import annotations

from taskref_edu import errors
from taskref_edu.worker.database_backoff import LONGEST_DELAY, SHORTEST_DELAY, Backoff


def test_pauses_double_up_to_a_bound_and_are_jittered() -> None:
    backoff, error = Backoff(), errors.ServerNotReached()
    found = [backoff.delay_after(error) for _ in range(12)]
    assert all(SHORTEST_DELAY / 2 <= pause <= LONGEST_DELAY for pause in found)
    assert max(found) > LONGEST_DELAY / 2
    assert len(set(found)) == 12
    backoff.reset()
    assert backoff.delay_after(error) <= SHORTEST_DELAY
    assert backoff.delay_after(ValueError()) == SHORTEST_DELAY, "a locked file is asked again soon"
