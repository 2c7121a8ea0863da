"""What each notebook claims: run in its kernel after its last cell, with stubs and with solutions.

The notebooks show the same to a learner in words and figures; here it fails where an experiment comes out otherwise.
"""

from __future__ import annotations

CLAIMS = {
    "00": """
assert greetings == ["Hello, Ann!"]
assert row.status == "succeeded"
clicks = break_the_shop().found
assert len(clicks.broken) == clicks.count - 2  # right only if one click is over before the other checks
""",
    "01": """
assert paid == {"Ann": "paid", "Bob": "paid", "Cleo": "new"}
assert noticed == "at the call"
assert not lost.holds and safe.holds
""",
    "02": """
assert ending == "succeeded"  # the typo, as written: nobody is told
refused = {name: [door for door, said in line.items() if said == "refused"] for name, line in by_name.items()}
assert refused["right"] == refused["the wrong one"] == []
assert refused["names nobody"] == ["the_call", "the_model", "classics_column"]  # the orphan passes inverted's key
assert refused["names what does not exist"] == ["classics_column", "inverteds_key"]
assert refused["text"] == refused["true"] == ["the_model"]
assert [line["while it waits"][:7] for line in deleting] == ["refused", "deleted"]
assert old.status == "failed" and paying == ["the document's"]
assert sorted(paid(zoo)) == ["Ann", "Bob"] and paid(wrong) == ["Jan"]
""",
    "03": """
assert (classic_charges, inverted_charges) == (2, 1)  # as written, a click while it runs
assert all(race.count - len(race.broken) == 2 for race in (classic_race, inverted_race))  # A before B, B before A
assert guarded.holds and refused.holds and not guarded.errors and not refused.errors  # repaired, both
assert safe == ["classic"] and retries == [2, 2]
assert cost["classic, unique index"][0] == cost["classic, unique index"][1]
assert cost["inverted, one UPDATE"][0] == cost["inverted, one UPDATE"][1]
""",
    "04": """
assert len(charged_inverted) == len(charged_classic) == 2  # as written, both sides charge twice
assert charged_repaired == {"inverted": [1], "classic": [1]}  # at their best, neither does
assert first.holds and not second.holds  # cancelled is final; asking is a request
assert third.holds and third.count > 20 and not outside.holds  # inside the transaction it can be kept; outside not
assert len(endings) == 4 and half_done == ([1], "cancelled", "new")
assert growing == ["classic without index"]
""",
    "05": """
assert classic_list == [6, 7] and inverted_list == [1, 2, 3, 5, 6, 7]  # as written, neither is right
assert left_behind == [3] and by_hand == [5, 7]  # a handler misses an end, the trigger does not
assert repaired == {"inverted": [5, 6, 7], "classic": [5, 6, 7]}
assert not two_queries.holds and one_query.holds  # two queries, two instants
assert flat == ["classic, its index", "inverted, partial index"]  # it takes the right index, on either side
assert 1 < factor < 4
assert in_the_orms_words.vm_steps > 100 * in_the_indexs_words.vm_steps
""",
    "07": """
for costs in (to_enqueue, to_complete):
    assert costs["inverted"].vm_steps > costs["classic"].vm_steps
    assert costs["inverted"].changes > costs["classic"].changes
assert [row["break"] > 0 for row in saves] == [True, False, True, False]  # save() of every column, and of what changed
assert len(full["classic"]) == 1 and len(full["inverted"]) == 3
assert "no order references it" in paid.error and len(referencing) == 1
assert today == ["classic"] and later == [] and len(failed) == 2
assert [row["tasks left"] for row in pruned] == [3, 0, 0] and pruned[1]["(order, reference)"] == []
assert [row["next id"] == row["pruned id"] for row in ids] == [True, False] and not safe
assert [row["outcome"] for row in history] == ["declined", "charged"]
assert [click is not None for click in clicks] == [True, False] and booked and same
""",
    "08": """
assert len(shared.broken) == shared.count - 2  # look, then take: only the serial schedules are right
assert not torn.broken and len(torn.errors) > torn.count / 2
assert single.holds and not single.errors
assert not stuck.holds and healed.holds and not repeated.holds
assert zombie.broken and guarded.holds
assert once.holds
assert (row().status, order.status, len(ledger)) == ("succeeded", "paid", 1)
""",
    "06": """
assert not from_orders.broken and not from_tasks.broken  # two invariants that look sensible, and see nothing
assert whole.count - len(whole.broken) == 2 and repaired.holds
assert [row["broken meanwhile"] == "nothing" for row in stories] == [True, False, True]
assert [len(row["charged by tasks"]) for row in stories] == [1, 2, 2]
""",
    "09": """
assert on_a_file[1] >= 0.8 and on_postgresql[1] < on_a_file[1]  # one after the other; at the same time
assert paid == ["paid", None] and claimed[0] != claimed[1]
assert on_sqlite.holds and broken["schedules"] - broken["break"] == 2  # the same code: only serial schedules are right
assert all(way["break"] == way["errors"] == 0 for way in (locked, updated))
assert (meanwhile["order is"], meanwhile["job is"], meanwhile["still charging"]) == ("paid", "succeeded", 1)
assert meanwhile["references"] == "nothing" and held["references"].startswith("job ")  # the lock is open; it is not
assert "StaleLease" in refusal and (held["order is"], held["job is"]) == ("new", "doing")
assert (awake["order is"], awake["charges"]) == ("paid", 2)  # a token fences the database, not the card company
""",
    "10": """
assert not any(lost.holds for lost in dual.values()) and all(lost.holds for lost in deaths)
assert arrivals == [2, 3, 4] and once.holds
assert len(too_early) == 2 and let_in == (True, False, True)
assert [tuple(row) for row in confirmed] == [("order 7, payment 1", 2)]  # sent twice: one payment
assert not too_soon.holds and confirming.holds and killed.holds
""",
    "11": """
assert [board[claim]["as written"] for claim in sorted(board)] == (
    "inverted neither inverted neither neither both classic neither inverted inverted".split())
assert [board[claim]["at their best"] for claim in sorted(board)] == (
    "both classic inverted both both both classic classic neither inverted".split())
assert [code["at their best", side] for side in SIDES] == [49, 48]
assert [tokens["at their best", side] for side in SIDES] == [521, 527] and shorter == "classic's is shorter"
assert torn == {"classic": False, "inverted": True} and not any(wrong["at their best", side] for side in SIDES)
assert alone == {"classic": 3, "inverted": 2}
""",
}
