"""What the driver is given is what SQLAlchemy would have given it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from taskref_edu.queue.statement_execution import stored_time

ZONES = st.integers(-23, 23).map(lambda hours: timezone(timedelta(hours=hours)))
# A day from either end: in another zone the first and the last hours would lie outside of the calendar.
MOMENTS = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=ZONES | st.just(UTC))


@given(MOMENTS)
@example(datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC))
@example(datetime(2026, 1, 1, tzinfo=UTC))
def test_a_time_is_text_in_utc_of_one_length(moment: datetime):
    text = stored_time(moment)
    assert text == moment.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")
    assert len(text) == 26


@given(MOMENTS, MOMENTS)
def test_texts_sort_as_times_do(one: datetime, other: datetime):
    assert (stored_time(one) < stored_time(other)) == (one < other)


def test_a_time_without_a_zone_is_refused():
    with pytest.raises(ValueError, match="has no time zone"):
        stored_time(datetime(2026, 1, 1))
