"""Answers as engineers write them, none of them in the catalog: right ones in many styles pass, wrong ones are refused.

`answers/<exercise>/right_<n>.py` and `wrong_<n>.py`; the first line says why. A line `# must say: …` or
`# must not say: …` is about the message.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from taskref_edu.exercises import check_answer
from taskref_edu.exercises.exercise import names
from taskref_edu.exercises.outcomes import Verdict
from tests.recordings import assert_small

FOLDER = Path(__file__).parent / "answers"
# In every run, because each of these was once judged wrongly; the others are nightly.
QUICK = {
    "1.1": "right_9 wrong_5 wrong_7 wrong_13",
    "2.2": "wrong_9",
    "2.3": "right_9 wrong_1 wrong_3 wrong_5 wrong_7",
    "2.4": "wrong_5 wrong_7 wrong_13 wrong_31",
    "3.1": "wrong_5 wrong_7 wrong_13",
    "3.3": "wrong_1 wrong_7 wrong_15",
    "3.4": "wrong_1 wrong_3 wrong_5 wrong_13 wrong_17",
    "4.1": "wrong_3 wrong_5 wrong_9 wrong_19 wrong_31",
    "4.2": "wrong_5 wrong_7 wrong_17",
    "4.3": "wrong_13",
    "5.1": "wrong_3 wrong_7 wrong_9",
    "5.3": "wrong_3 wrong_5",
    "6.1": "wrong_5 wrong_7 wrong_15",
    "7.1": "wrong_9 wrong_11 wrong_17",
    "7.2": "wrong_9 wrong_11",
    "8.2": "wrong_5 wrong_7 wrong_19 wrong_21",
    "8.3": "wrong_3",
    "8.5": "wrong_19",
    "9.2": "right_9 wrong_5 wrong_15 wrong_31",
}
EVERY = [path for id in names() for path in sorted((FOLDER / id).glob("*.py"))]


def _param(path: Path) -> object:
    quick = path.stem in QUICK.get(path.parent.name, "").split()
    return pytest.param(path, id=f"{path.parent.name}/{path.stem}", marks=[] if quick else pytest.mark.nightly)


@pytest.mark.parametrize("path", [_param(path) for path in EVERY])
def test_it_is_judged_as_it_is(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    outcome = check_answer(path.parent.name, source)
    assert not outcome.broken_check, outcome
    assert_small(outcome._repr_html_())
    if path.stem.startswith("right"):
        assert outcome.verdict == Verdict.PASSED, outcome
    else:
        assert outcome.verdict in (Verdict.FAILED, Verdict.ERROR), outcome
    said = f"{outcome.message} | Next: {outcome.next_step}"
    for wanted in re.findall(r"^# must say: (.+)$", source, re.MULTILINE):
        assert wanted in said
    for unwanted in re.findall(r"^# must not say: (.+)$", source, re.MULTILINE):
        assert unwanted not in said


def test_every_exercise_has_both_kinds() -> None:
    for id in names():
        kinds = {path.stem.partition("_")[0] for path in (FOLDER / id).glob("*.py")}
        assert kinds == {"right", "wrong"}, id
