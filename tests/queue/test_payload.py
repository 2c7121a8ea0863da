"""Whatever JSON is: it comes back as it was; whatever it is not: it is refused."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskref_edu.errors import PayloadError
from taskref_edu.queue.payload import LARGEST_BARE_INTEGER, clean, decoded, encoded

text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | text
json_values = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(text, inner), max_leaves=20)


def is_kept(value: object) -> bool:
    """Not an integer that SQLite would make a float, which is refused."""
    return not isinstance(value, int) or abs(value) <= LARGEST_BARE_INTEGER


@given(json_values.filter(is_kept))
def test_json_comes_back_as_it_was(value: object) -> None:
    assert decoded(encoded(value)) == value


@given(st.recursive(st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=10))
def test_refused_exactly_where_some_text_holds_nul_or_a_surrogate(value: object) -> None:
    bad = any(character == "\x00" or "\ud800" <= character <= "\udfff" for character in _all_text(value))
    try:
        encoded(value)
        refused = False
    except PayloadError:
        refused = True
    assert refused == bad


def _all_text(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        return "".join(key + _all_text(inner) for key, inner in value.items())
    return "".join(map(_all_text, value)) if isinstance(value, list) else ""


@given(st.text())
def test_clean_text_can_always_be_stored(value: str) -> None:
    assert clean(value).encode() is not None
    assert "\x00" not in clean(value)


def test_a_tuple_comes_back_as_a_list() -> None:
    assert decoded(encoded({"a": (1, 2)})) == {"a": [1, 2]}


def test_endless_and_very_deep_values_are_refused() -> None:
    endless: list[object] = []
    endless.append(endless)
    deep = json.loads("[" * 500 + "]" * 500)
    for _ in range(100_000):
        deep = [deep]
    for value in (endless, deep):
        with pytest.raises(PayloadError):
            encoded(value)


@pytest.mark.parametrize("payload", [2**63, -(2**63), 10**30])
def test_a_bare_integer_that_comes_back_as_a_float_is_refused__inside_a_list_it_is_kept(payload: int) -> None:
    with pytest.raises(PayloadError, match="put it into a list or a dict"):
        encoded(payload)
    assert decoded(encoded([payload, {"number": payload}])) == [payload, {"number": payload}]


@pytest.mark.parametrize("payload", [{1: "a", "1": "b"}, [{None: 1, "null": 2}], {"deep": ({True: 1, "true": 2},)}])
def test_a_dictionary_that_would_lose_a_key_is_refused(payload: object) -> None:
    with pytest.raises(PayloadError, match="two keys are the same text in JSON"):
        encoded(payload)


def test_other_keys_become_text() -> None:
    assert decoded(encoded({1: {2: "b"}, None: 3})) == {"1": {"2": "b"}, "null": 3}
