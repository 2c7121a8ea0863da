"""`make test` runs once more, by itself, what failed beside the others; what fails again has failed."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

SPEC = importlib.util.spec_from_file_location("tools_test", Path(__file__).parents[2] / "tools" / "test.py")
assert SPEC
assert SPEC.loader
tool = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(tool)

PASSES = "def test_passes(): pass\n"
FAILS = "def test_fails(): assert False\n"
ONCE = """
from pathlib import Path

def test_fails_once():
    mark = Path(__file__).with_name("seen")
    seen, _ = mark.exists(), mark.touch()
    assert seen
"""
MANY = "import pytest\n@pytest.mark.parametrize('n', range(11))\ndef test_fails(n): assert False\n"


@pytest.mark.parametrize(
    ("source", "passes", "said"),
    [
        pytest.param(
            PASSES + ONCE, True, "beside the others:\n    tests/test_it.py::test_fails_once", id="one fails once"
        ),
        pytest.param(
            ONCE + FAILS, False, "by themselves: the 2 that failed", id="one fails twice", marks=pytest.mark.nightly
        ),
        pytest.param(PASSES, True, "", id="all pass", marks=pytest.mark.nightly),
        pytest.param(MANY, False, "", id="too many", marks=pytest.mark.nightly),
        pytest.param(
            "import no_such_module\n", False, "the 1 that failed", id="not collected", marks=pytest.mark.nightly
        ),
        pytest.param("", False, "", id="no test", marks=pytest.mark.nightly),
    ],
)
def test_what_failed_runs_again(
    source: str, passes: bool, said: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_it.py").write_text(source)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    assert tool.run_tests(["tests"], tmp_path) is passes
    found = capfd.readouterr().out
    assert said in found
    assert said or "by themselves" not in found


def test_the_group_of_a_test_is_no_part_of_its_name(tmp_path: Path) -> None:
    """Pytest then found no such test among the selected ones, and ran all of them once more."""
    cache = tmp_path / ".pytest_cache" / "v" / "cache"
    cache.mkdir(parents=True)
    failed = ["tests/a.py::test_one@kernel", "tests/a.py::test_two[u@host]@kernel", "tests/a.py::test_two[u@host]"]
    (cache / "lastfailed").write_text(json.dumps(dict.fromkeys(failed, True)))
    assert tool.last_failed(tmp_path) == [
        "tests/a.py::test_one",
        "tests/a.py::test_two[u@host]",
        "tests/a.py::test_two[u@host]",
    ]
