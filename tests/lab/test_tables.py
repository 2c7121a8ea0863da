"""The small table of the notebooks: the same rows as text and as HTML."""

from __future__ import annotations

from taskref_edu.lab.tables import Table

ROWS = Table([{"side": "classic", "VM steps": 1234, "holds": True}, {"side": "<b>", "note": "late column"}])


def test_text_is_aligned_and_truth_is_a_word() -> None:
    assert str(ROWS).splitlines() == [
        "side     VM steps  holds  note",
        "classic  1,234     yes",
        "<b>                       late column",
    ]


def test_html_escapes_and_names_its_columns() -> None:
    html = ROWS._repr_html_()
    assert html.count('<th scope="col"') == 4
    assert "&lt;b&gt;" in html
    assert "<b>" not in html
    assert 'text-align:right">1,234' in html


def test_rows_stay_dicts() -> None:
    assert ROWS[0]["VM steps"] == 1234
    assert str(Table()) == ""
