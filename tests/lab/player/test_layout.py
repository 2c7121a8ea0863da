"""What stands beside the lanes: notes in their gaps, marks on rows that something is wrong with."""

from __future__ import annotations

import json
from xml.etree import ElementTree

import pytest

from taskref_edu.lab.player.answers import Dependency, dependencies
from taskref_edu.lab.player.layout import marks, side_by_side
from taskref_edu.lab.player.recording import Recording
from taskref_edu.lab.player.still import MONO, Still
from tests.lab.player.scenarios import recorded

pytestmark = pytest.mark.xdist_group("recordings")  # each is recorded once, in one process


def test_a_task_that_has_ended_needs_no_order() -> None:
    facts = json.loads(json.dumps(recorded("race").facts))
    broken = recorded("race").moments(recorded("race").opened)[-1]
    assert list(marks(recorded("race"), broken).values()) == ["◌ orphan: no order points at it"]
    facts["rows"] = [["done" if value == "pending" else value for value in row] for row in facts["rows"]]
    assert marks(Recording(facts), broken) == {}


def test_a_task_whose_payload_names_its_order_is_no_orphan() -> None:
    facts = json.loads(json.dumps(recorded("race").facts))
    broken = recorded("race").moments(recorded("race").opened)[-1]
    payload = facts["tables"]["task"]["cols"].index("payload") + 1  # a row begins with its table's name
    for row in facts["rows"]:
        if row[0] == "task":
            row[payload] = '{"order_id": 7}'
    assert marks(Recording(facts), broken) == {}


def test_each_of_two_reads_that_an_actor_relies_on_is_known_to_be_out_of_date() -> None:
    crowd = recorded("crowd")
    moments = crowd.moments(crowd.opened)
    stale = next(m for m in moments if m.state.get("now", {}).get("A"))
    reads = [m for m in moments if m.by == "A" and m.kind == "read"]
    assert [crowd.table_of(m.step) for m in reads if crowd.now(stale, m)] == ["orders", "customer", "shipment"]


def test_dependencies_at_the_same_time_do_not_share_a_line() -> None:
    crowd = recorded("crowd")
    found = [dependency for dependency in dependencies(crowd, crowd.moments(crowd.opened)) if dependency.by == "A"]
    places = side_by_side(found)
    assert len(found) == len(set(places.values())) == 3
    after = Dependency("A", max(dependency.act or 0 for dependency in found), 20, None, None)
    assert side_by_side([*found, after])[after] == min(places.values())  # a line that has become free


@pytest.mark.parametrize("name", ["race", "many", "crowd"])
def test_what_stands_in_a_lane_of_a_still_stays_in_it(name: str) -> None:
    picture = Still(recorded(name), recorded(name).opened)
    for element in ElementTree.fromstring(picture.draw()).iter("{http://www.w3.org/2000/svg}text"):
        x, said = float(element.get("x", 0)), "".join(element.itertext())
        if element.get("class") == "code" and x < picture.right:
            lane = max(left for left in picture.lefts.values() if left <= x)
            assert x + len(said.rstrip()) * MONO <= lane + picture.lane, said


def test_the_tables_of_a_shop_stand_below_each_other__with_every_arrow() -> None:
    crowd = recorded("crowd")
    picture = Still(crowd, crowd.opened)
    assert [table.level for table in picture.tables] == [0, 1, 2, 2]
    assert picture.draw().count('class="arrow"') == 2  # an order's task, and the order of a shipment below it
