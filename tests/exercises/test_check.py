"""The four outcomes, what an attempt may rely on, and that no attempt harms the process."""

from __future__ import annotations

import importlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from taskref_edu import TaskQueue
from taskref_edu.exercises.check import check_answer, check_attempt
from taskref_edu.exercises.commands import check_and_keep
from taskref_edu.exercises.exercise import IMPORT, CheckFailed, UnknownExercise, catalog
from taskref_edu.exercises.loader import attempt_from
from taskref_edu.exercises.outcomes import Outcome, Verdict
from taskref_edu.exercises.progress import Progress

from .conftest import SOLUTION, STUB, outcome_of


def test_passed() -> None:
    outcome = outcome_of(SOLUTION)
    assert outcome.verdict == Verdict.PASSED
    assert str(outcome).splitlines()[:3] == [
        "✔ 0.1 Double: passed",
        "  The check passed.",
        '  Next: Go on; `solution("0.1")` shows ours beside yours.',
    ]
    assert "✔ Twice 3 is 6." in str(outcome)


def test_failed_says_which_behaviour() -> None:
    outcome = outcome_of("def double(n):\n    return n")
    assert outcome.verdict == Verdict.FAILED
    assert outcome.message == "Twice 3 is 6, not 3."
    assert 'hint("0.1")' in outcome.next_step


def test_raised_shows_the_learners_lines_only() -> None:
    outcome = outcome_of("def double(n):\n    return half(n)\n\n\ndef half(n):\n    return n / 0")
    assert outcome.verdict == Verdict.ERROR
    assert outcome.message == "ZeroDivisionError: division by zero in line 10."
    assert str(outcome.facts[0][1]).splitlines() == [
        "line 6, in double:  return half(n)",
        "line 10, in half:  return n / 0",
        "ZeroDivisionError: division by zero",
    ]


def test_not_attempted() -> None:
    assert outcome_of(STUB).verdict == Verdict.NOT_ATTEMPTED
    assert outcome_of(STUB.replace("Twice n.", "Two times n.")).verdict == Verdict.NOT_ATTEMPTED


def test_an_assert_of_the_learners_is_their_error() -> None:
    outcome = outcome_of("def double(n):\n    assert n > 5, 'too small'\n    return 2 * n")
    assert outcome.verdict == Verdict.ERROR
    assert "too small in line 6" in outcome.message


def test_a_check_without_a_message_shows_its_line() -> None:
    def silent(double) -> None:
        if double(1) != 2:
            raise AssertionError

    assert (
        outcome_of("def double(n):\n    return n", checks=[silent]).message == "`raise AssertionError` does not hold."
    )


def test_a_check_can_show_more_than_a_message() -> None:
    def check(double) -> None:
        raise CheckFailed("First line.\nSecond line.", details="a table")

    outcome = outcome_of(SOLUTION, checks=[check])
    assert outcome.message == "First line."
    assert outcome.facts == (("More", "Second line."), ("What happened", "a table"))


def test_a_check_that_breaks_is_called_so() -> None:
    def check(double) -> None:
        double(3).no_such_attribute  # noqa: B018

    outcome = outcome_of(SOLUTION, checks=[check])
    assert outcome.broken_check
    assert outcome.message.startswith("The check itself stopped")


def test_what_an_exercise_says_of_an_error() -> None:
    outcome = outcome_of("def double(n):\n    return 1 / 0", errors=[("division by zero", "zero has no inverse")])
    assert outcome.next_step == "Zero has no inverse."


def test_an_unknown_exercise_is_named() -> None:
    with pytest.raises(UnknownExercise, match=r"'9\.9' not found; there are 1\.1"):
        check_attempt(attempt_from("9.9", '@exercise("9.9")\ndef f(): return 1', ()))


def test_a_syntax_error_names_cell_and_line() -> None:
    outcome = outcome_of('@exercise("0.1")\ndef double(n):\n    return (2 * n', decorated=False)
    assert outcome.verdict == Verdict.ERROR
    assert outcome.message == "your cell, line 3: '(' was never closed."
    assert dict(outcome.facts)["Your lines"] == "line 3:  return (2 * n\nSyntaxError: '(' was never closed"


# What an attempt may rely on


def test_imports_of_other_cells_are_there() -> None:
    code = "def double(n):\n    return math.prod([2, n])"
    assert outcome_of(code, "import math").verdict == Verdict.PASSED
    assert outcome_of(code, "x = 1\nimport nothing_like_it\nimport math", "!ls").verdict == Verdict.PASSED
    assert "name 'math' is not defined" in outcome_of(code).message


def test_imports_of_an_earlier_answer_are_not() -> None:
    code = "def double(n):\n    return math.prod([2, n])"
    assert "name 'math' is not defined" in outcome_of(code, f'import math\n\n@exercise("0.1")\n{code}').message


def test_helpers_and_constants_of_the_cell_are_there() -> None:
    code = (
        "TWO = 2\nPAIR = (TWO, lambda x: x * TWO)\n\n"
        "def double(n):\n    return helper(n)\n\ndef helper(n):\n    return PAIR[1](n)"
    )
    assert outcome_of(code).verdict == Verdict.PASSED


def test_other_statements_of_the_cell_are_not_run() -> None:
    code = f"{SOLUTION}\n\nresult = double(21)\nprint(unknown)\nsession_of = unknown\n1 / 0"
    assert outcome_of(code).verdict == Verdict.PASSED


def test_a_helper_in_another_cell_is_to_be_moved() -> None:
    outcome = outcome_of("def double(n):\n    return twice(n)", "def twice(n): return 2 * n")
    assert outcome.verdict == Verdict.ERROR
    assert outcome.next_step == "Move `twice` into this cell."
    assert "Another cell defines `twice`" in outcome.message


def test_every_attempt_gets_a_fresh_namespace() -> None:
    code = "SEEN = []\n\ndef double(n):\n    SEEN.append(n)\n    return 2 * n * len(SEEN)"
    assert [outcome_of(code).verdict for _ in range(2)] == [Verdict.PASSED] * 2


def test_future_imports_and_dataclasses_work() -> None:
    code = (
        "from __future__ import annotations\nfrom dataclasses import dataclass\n\n"
        "@dataclass\nclass Pair:\n    left: Unknown\n\n"
        "def double(n: Unknown):\n    return 2 * Pair(n).left"
    )
    assert outcome_of(code).verdict == Verdict.PASSED


def test_what_the_code_prints_is_kept_and_bounded(capsys: pytest.CaptureFixture[str]) -> None:
    outcome = outcome_of("def double(n):\n    for i in range(1000):\n        print(i, n)\n    return n")
    heading, printed = outcome.facts[-1]
    assert "printed" in heading
    assert str(printed).splitlines()[0] == "0 3"
    assert len(str(printed).splitlines()) == 50
    assert capsys.readouterr().out == ""


def test_a_magic_elsewhere_in_the_cell_changes_no_verdict() -> None:
    wrong = "def double(n):\n    return n  # or 2 * n?\n\n!true"
    right = "def double(n):\n    sql = '''\n-- what does live mean?\n'''\n    return 2 * n\n\n%matplotlib inline"
    assert cell_outcome(wrong).verdict == Verdict.FAILED
    assert cell_outcome(right).verdict == Verdict.PASSED
    assert "A check runs without IPython" in cell_outcome("def double(n):\n    %who\n    return 2 * n").next_step


def cell_outcome(code: str) -> Outcome:
    return outcome_of(f'{IMPORT}\n\n@exercise("0.1")\n{code}', decorated=False)


def test_a_cell_that_cannot_be_checked_is_an_error_that_says_why() -> None:
    outcome = cell_outcome("class double: ...")
    assert outcome.verdict == Verdict.ERROR
    assert "A class found" in outcome.message
    assert "async def" in cell_outcome("async def double(n):\n    return 2 * n").message
    assert "no line `@exercise" in outcome_of(SOLUTION, decorated=False).message


@pytest.mark.parametrize(
    ("line", "note"),
    [
        ("sys.stdout = io.StringIO()", "`sys.stdout`"),
        ("os.chdir('/')", "working directory"),
        ("os.environ['TASKREF_HOME'] = '/'", "environment"),
        ("sys.setrecursionlimit(5000)", "recursion limit"),
        ("sys.path.insert(0, '/')", ""),
    ],
)
def test_what_the_code_changes_in_the_process_is_put_back(
    line: str, note: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = (sys.stdout, Path.cwd(), dict(os.environ), sys.getrecursionlimit(), list(sys.path))
    outcome = outcome_of(f"import io, os, sys\n\ndef double(n):\n    {line}\n    return 2 * n")
    assert (sys.stdout, Path.cwd(), dict(os.environ), sys.getrecursionlimit(), list(sys.path)) == before
    assert outcome.verdict == Verdict.PASSED
    assert note in "".join(outcome.notes)


@pytest.mark.parametrize("statement", ["import helper", "import importlib; helper = importlib.import_module('helper')"])
def test_a_file_beside_the_notebook_is_not_seen(
    statement: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kernel finds it, a grader does not: so no check does, not even one that was imported before."""
    (tmp_path / "helper.py").write_text("def twice(n):\n    return 2 * n\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    helper = importlib.import_module("helper")
    outcome = outcome_of(f"def double(n):\n    {statement}\n    return helper.twice(n)")
    assert outcome.verdict == Verdict.ERROR
    assert "beside the notebook" in outcome.next_step
    assert sys.modules.pop("helper") is helper


def test_a_warning_changes_no_verdict() -> None:
    """pytest may turn warnings into errors, and a kernel does not."""
    code = "def double(n):\n    import warnings; warnings.warn('old')\n    return 2 * n if '\\d' else 0"
    assert cell_outcome(code).verdict == Verdict.PASSED


def test_an_endless_text_is_cut() -> None:
    outcome = outcome_of("def double(n):\n    raise ValueError('x' * 1_000_000)")
    assert "1,000,0" in outcome.message
    assert len(str(outcome)) < 50_000
    assert len(outcome._repr_html_()) < 50_000


def test_a_lone_surrogate_harms_nothing() -> None:
    str(outcome_of("def double(n):\n    raise ValueError(chr(0xD800))")).encode()
    source = '@exercise("1.1")\ndef order_of(session, task):\n    "\ud800"\n'
    outcome = check_and_keep(attempt_from("1.1", source, ()))
    assert outcome.verdict == Verdict.ERROR
    kept = Progress().last_attempt("1.1")
    assert kept is not None
    assert kept.source == source


@pytest.mark.parametrize("level", ["1", pytest.param("2", marks=pytest.mark.nightly)])
def test_without_asserts_nothing_passes(level: str) -> None:
    program = (
        "from taskref_edu.exercises.check import check_attempt\n"
        "from taskref_edu.exercises.exercise import find\nfrom taskref_edu.exercises.loader import Attempt\n"
        "wrong = find('1.1').cell(find('1.1').wrong_answers[0].code)\nprint(check_attempt(Attempt('1.1', wrong)))"
    )
    environment = {**os.environ, "PYTHONOPTIMIZE": level}
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment)
    assert "Unset PYTHONOPTIMIZE" in found.stdout, found.stderr


def test_a_decorator_of_the_learners_own_works() -> None:
    code = "import functools\n\n@functools.cache\ndef double(n):\n    return 2 * n"
    assert outcome_of(code).verdict == Verdict.PASSED


# Harm


def timed(code: str, seconds: float = 0.3, **changes) -> Outcome:
    """The outcome with a limit; it must come soon after, and the next check must be right."""
    began = time.monotonic()
    outcome = outcome_of(code, seconds=seconds, **changes)
    assert time.monotonic() - began < seconds + 3
    assert outcome_of(SOLUTION).verdict == Verdict.PASSED
    return outcome


ENDLESS = {
    "loop": "    while True:\n        pass",
    "sleep": "    import time\n    time.sleep(100)",
    "swallows": "    while True:\n        try:\n            while True: pass\n"
    "        except BaseException:\n            pass",
    "bare": "    while True:\n        try:\n            n += 1\n        except:\n            continue",
    "waits": "    import threading\n    threading.Event().wait()",
    "sql": "    import sqlite3\n    sqlite3.connect(':memory:').execute('WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL "
    "SELECT x + 1 FROM c) SELECT max(x) FROM c').fetchone()",
}


@pytest.mark.parametrize("body", ENDLESS.values(), ids=ENDLESS.keys())
def test_code_without_an_end_is_stopped(body: str) -> None:
    outcome = timed(f"def double(n):\n{body}")
    assert outcome.verdict == Verdict.ERROR
    assert "Stopped after 0.3 s" in outcome.message or "interrupted" in outcome.message


@pytest.mark.parametrize("name", ["loop", "swallows", "bare", "sql"])
def test_and_on_a_thread_that_gets_no_signals(name: str) -> None:
    outcomes: list[Outcome] = []
    thread = threading.Thread(target=lambda: outcomes.append(timed(f"def double(n):\n{ENDLESS[name]}")))
    thread.start()
    thread.join(10)
    assert [outcome.verdict for outcome in outcomes] == [Verdict.ERROR]


def test_the_alarm_of_others_goes_on() -> None:
    heard = []
    before = signal.signal(signal.SIGALRM, lambda *_: heard.append(1))
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.6)
        timed("def double(n):\n    while True: pass")
        time.sleep(0.6)
        assert heard == [1]
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("code", ["import sys\n    sys.exit(3)", "exit()", "quit()", "raise SystemExit"])
def test_sys_exit_ends_nothing(code: str) -> None:
    outcome = timed(f"def double(n):\n    {code}")
    assert outcome.verdict == Verdict.ERROR
    assert "sys.exit()" in outcome.message


ENDING = {
    "os._exit": "os._exit(0)",
    "os.abort": "os.abort()",
    "os.execv": "os.execl(sys.executable, sys.executable, '-c', 'pass')",
    "os.execve": "os.execvpe('true', ['true'], os.environ)",
    "os.kill": "os.kill(os.getpid(), signal.SIGKILL)",
    "os.killpg": "os.killpg(0, signal.SIGTERM)",
    "signal.raise_signal": "signal.raise_signal(signal.SIGTERM)",
    "signal.pthread_kill": "signal.pthread_kill(threading.get_ident(), signal.SIGKILL)",
}


@pytest.mark.parametrize(("call", "code"), ENDING.items(), ids=ENDING.keys())
def test_what_would_end_the_kernel__is_refused_by_name(call: str, code: str) -> None:
    """Also where the answer hides the error."""
    before = os._exit, os.kill, signal.raise_signal
    for body in (code, f"try:\n        {code}\n    except Exception:\n        return 2 * n"):
        outcome = timed(f"import os, signal, sys, threading\n\n\ndef double(n):\n    {body}")
        assert outcome.verdict == Verdict.ERROR, outcome
        assert f"would end the kernel, or whatever process runs this check, with `{call}()`" in outcome.message
    assert (os._exit, os.kill, signal.raise_signal) == before


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_what_would_end_the_kernel__on_another_thread() -> None:
    body = "Thread(target=_exit, args=[0]).start()\n    return 2 * n"
    outcome = timed(f"from os import _exit\nfrom threading import Thread\n\n\ndef double(n):\n    {body}")
    assert "with `os._exit()`" in outcome.message


@pytest.mark.skipif(not hasattr(os, "fork"), reason="an answer starts a child in this way only where there is fork")
def test_a_child_of_the_answer_may_be_ended() -> None:
    body = (
        "child = os.fork()\n    if child == 0:\n        os._exit(n)\n    os.kill(os.getpid(), 0)\n"
        "    return 2 * os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])"
    )
    assert timed(f"import os\n\n\ndef double(n):\n    {body}").verdict == Verdict.PASSED


@pytest.mark.parametrize("code", ["input('n? ')", "breakpoint()"])
def test_nobody_is_asked(code: str) -> None:
    assert "waits for the keyboard in line 6" in timed(f"def double(n):\n    return {code}").message


def test_a_thread_left_running_is_ended() -> None:
    before = set(threading.enumerate())
    code = (
        "import threading\n\ndef double(n):\n    threading.Thread(target=spin).start()\n    return 2 * n\n\n"
        "def spin():\n    while True:\n        try:\n            x = 1\n        except ValueError:\n            pass"
    )
    assert timed(code).verdict == Verdict.PASSED
    assert set(threading.enumerate()) <= before  # those of an earlier test may end meanwhile


def test_a_patched_library_is_put_back() -> None:
    claim = TaskQueue.claim
    code = (
        "import json\nfrom taskref_edu import TaskQueue, queue\n\n"
        "def double(n):\n    TaskQueue.claim = None\n    queue.TaskQueue = json.dumps = 1\n    return 2 * n"
    )
    outcome = timed(code)
    assert claim is TaskQueue.claim
    assert "The code replaced `json.dumps`; it was put back." in outcome.notes
    assert len(outcome.notes) == 3


def test_endless_recursion_is_explained() -> None:
    assert "calls itself without an end" in timed("def double(n):\n    return double(n)", seconds=10).message


def test_a_function_replaced_by_a_value_is_explained() -> None:
    assert "did a later line of the cell replace it?" in timed(f"{SOLUTION}\n\ndouble = 6").message


def test_check_answer__the_decorator_is_added_unless_it_is_there() -> None:
    bare = "def exponent(n1, steps1, n2, steps2):\n    return 1"
    marked = f'from taskref_edu.exercises import exercise\n\n\n@exercise("5.1")\n{bare}'
    assert check_answer("5.1", bare).message == check_answer("5.1", marked).message
    assert check_answer("5.1", bare).verdict == Verdict.FAILED


def test_check_answer__solution_stub_and_text_without_the_function() -> None:
    known = catalog()["5.1"]
    assert check_answer("5.1", known.solution).verdict == Verdict.PASSED
    assert check_answer("5.1", known.stub).verdict == Verdict.NOT_ATTEMPTED
    assert "No `def exponent(…)` found" in check_answer("5.1", "x = 1").message
    assert check_answer("5.1", "def exponent(").verdict == Verdict.ERROR


def test_check_answer__a_coroutine_without_the_decorator() -> None:
    said = check_answer("5.1", "async def exponent(n1, steps1, n2, steps2):\n    return 1").message
    assert "`async def exponent` found" in said


def test_check_answer__an_unknown_exercise_is_named() -> None:
    with pytest.raises(UnknownExercise, match=r"'0\.9' not found"):
        check_answer("0.9", "def f(): ...")


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("async def double(n):\n    return 2 * n", "`async def double` found"),
        ("def double(n):\n    for m in [n]:\n        yield 2 * m", "`yield` found in `double`"),
    ],
)
def test_a_coroutine_and_a_generator__are_named(code: str, said: str) -> None:
    outcome = outcome_of(f'@exercise("0.1")\n{code}', decorated=False)
    assert outcome.verdict == Verdict.FAILED
    assert said in outcome.message


def test_a_generator_inside_the_function__is_no_generator() -> None:
    code = "def double(n):\n    def twice():\n        yield n\n        yield n\n    return sum(twice())"
    assert outcome_of(code).verdict == Verdict.PASSED
