"""The state machine notices a missing guard. `make soak` takes them all away in turn; here, one."""

from __future__ import annotations

import pytest

from .mutants import MUTANTS, Mutant, steps_until_found

pytestmark = pytest.mark.slow


@pytest.mark.nightly
def test_a_missing_guard_is_found() -> None:
    (mutant,) = (mutant for mutant in MUTANTS if mutant.name == "fail: no lease token")
    assert steps_until_found(mutant)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_each_guard_can_still_be_taken_away(mutant: Mutant) -> None:
    with mutant.applied():
        pass
