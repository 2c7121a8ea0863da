"""What stands beside the lanes: notes in their gaps, marks on rows that something is wrong with."""

from __future__ import annotations

import json

from taskref_edu.lab.player.layout import marks
from taskref_edu.lab.player.recording import Recording
from tests.lab.player.scenarios import recorded


def test_a_task_that_has_ended_needs_no_order() -> None:
    facts = json.loads(json.dumps(recorded("race").facts))
    broken = recorded("race").moments(recorded("race").opened)[-1]
    assert list(marks(recorded("race"), broken).values()) == ["◌ orphan: no order points at it"]
    facts["rows"] = [["done" if value == "pending" else value for value in row] for row in facts["rows"]]
    assert marks(Recording(facts), broken) == {}


def test_each_of_two_reads_that_an_actor_relies_on_is_known_to_be_out_of_date() -> None:
    crowd = recorded("crowd")
    moments = crowd.moments(crowd.opened)
    stale = next(m for m in moments if m.state.get("now", {}).get("A"))
    reads = [m for m in moments if m.by == "A" and m.kind == "read"]
    assert [crowd.table_of(m.step or {}) for m in reads if crowd.now(stale, m)] == ["orders", "customer", "shipment"]
