"""In a real kernel: running a cell checks it, and shows how it ended with buttons below."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from jupyter_client.manager import KernelManager
from nbclient import NotebookClient

from taskref_edu.exercises.exercise import IMPORT, find

ROOT = Path(__file__).parents[2]
SOLVED, STUB = find("1.1").cell(find("1.1").solution), find("1.1").cell()
WRONG = find("1.1").cell(find("1.1").wrong_answers[0].code)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("kernel"),  # one kernel for all of them
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning"),  # of the kernel's client
]


class Kernel:
    """A kernel in which cells are run one after the other."""

    def __init__(self, client: NotebookClient) -> None:
        self._client = client

    def run(self, text: str, allow_errors: bool = False) -> list[Any]:
        """Run a cell; its outputs."""
        cell = nbformat.v4.new_code_cell(text, metadata={"tags": ["raises-exception"]} if allow_errors else {})
        self._client.nb.cells.append(cell)
        self._client.execute_cell(cell, len(self._client.nb.cells) - 1)
        return cell.outputs

    def shown(self, text: str, allow_errors: bool = False) -> str:
        """Run a cell; the text of what it shows. What is printed may arrive in several pieces."""
        shown, before = "", None
        for output in self.run(text, allow_errors):
            piece = output.get("data", {}).get("text/plain", output.get("text", ""))
            shown += piece if output.output_type == before == "stream" or before is None else f"\n{piece}"
            before = output.output_type
        return shown


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    """One kernel for the module: what one test does to it, the next one must survive."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT))
        patch.setenv("TASKREF_HOME", str(home))
        patch.setenv("JUPYTER_PLATFORM_DIRS", "1")
        client = NotebookClient(nbformat.v4.new_notebook(), timeout=60, kernel_name="python3")
        with client.setup_kernel():
            assert isinstance(client.km, KernelManager)
            yield Kernel(client)


def test_the_first_cell_that_imports_it_is_checked(kernel: Kernel) -> None:
    feedback, buttons = kernel.run(SOLVED)
    assert feedback.data["text/plain"].startswith("✔ 1.1 Follow the arrow: passed")
    assert 'role="status"' in feedback.data["text/html"]
    assert "application/vnd.jupyter.widget-view+json" in buttons.data


def test_a_stub_a_wrong_answer_and_an_error(kernel: Kernel) -> None:
    assert "○ 1.1 Follow the arrow: not attempted" in kernel.shown(STUB)
    assert "✘ 1.1 Follow the arrow: failed" in kernel.shown(WRONG)
    assert "▲ 1.1 Follow the arrow: raised an error" in kernel.shown(SOLVED.replace(".one()", ".two()"))


def test_the_function_is_the_learners_own_afterwards(kernel: Kernel) -> None:
    kernel.run(SOLVED)
    assert kernel.shown("order_of.__name__, order_of.__module__") == "('order_of', '__main__')"


def test_cells_without_an_exercise_show_nothing(kernel: Kernel) -> None:
    assert kernel.run("x = 1") == []


def test_imports_of_earlier_cells_count_and_their_helpers_do_not(kernel: Kernel) -> None:
    kernel.run("from math import prod as product\n\ndef helper(n): return n")
    code = f'{IMPORT}\n@exercise("1.1")\ndef order_of(session, task):\n    product([1])\n    return helper(1)'
    shown = kernel.shown(code)
    assert "Move `helper` into this cell." in shown


def test_a_deleted_import_is_missed_as_it_will_be_in_the_file(kernel: Kernel) -> None:
    code = SOLVED.replace("from sqlmodel import select", "from sqlmodel import select as choose").replace(
        "(select", "(choose"
    )
    assert "passed" in kernel.shown(code)
    assert "name 'choose' is not defined" in kernel.shown(code.replace("from sqlmodel import select as choose", ""))


def test_magic_does_not_hide_an_exercise(kernel: Kernel) -> None:
    assert "1.1 Follow the arrow: passed" in kernel.shown(f"%%time\n{SOLVED}")


def test_an_edited_cell_is_known_by_its_id(kernel: Kernel) -> None:
    """JupyterLab says which cell it runs; what the cell said before no longer counts."""
    kernel.run("import taskref_edu.exercises")
    run = "_ = get_ipython().run_cell({!r}, cell_id='abc')"
    kernel.run(run.format("from math import prod as times"))
    code = f'{IMPORT}\n@exercise("1.1")\ndef order_of(session, task):\n    return times([1]) and None'
    assert "returned nothing" in kernel.shown(code)
    kernel.run(run.format("from math import prod"))
    assert "name 'times' is not defined" in kernel.shown(code)


def test_a_deleted_cells_import_is_missed_as_in_the_file(kernel: Kernel, tmp_path: Path) -> None:
    """The kernel does not hear of it; the saved file shows it."""
    kernel.run("import taskref_edu.exercises, os")
    path = tmp_path / "mine.ipynb"
    kernel.run(f"os.environ['JPY_SESSION_NAME'] = {str(path)!r}")
    answer = f'{IMPORT}\n@exercise("1.1")\ndef order_of(session, task):\n    return thrice([1]) and None'
    imports = nbformat.v4.new_code_cell("from math import prod as thrice", id="imports")
    notebook = nbformat.v4.new_notebook(cells=[imports, nbformat.v4.new_code_cell(answer, id="answer")])
    run = "_ = get_ipython().run_cell({!r}, cell_id={!r})"
    nbformat.write(notebook, path)
    kernel.run(run.format(imports.source, "imports"))
    assert "returned nothing" in kernel.shown(run.format(answer, "answer"))
    notebook.cells[0] = nbformat.v4.new_markdown_cell(imports.source, id="imports")
    nbformat.write(notebook, path)
    assert "name 'thrice' is not defined" in kernel.shown(run.format(answer, "answer"))
    kernel.run("del os.environ['JPY_SESSION_NAME']")


def test_a_front_end_with_other_ids_is_known_by_the_text_of_its_cells(kernel: Kernel, tmp_path: Path) -> None:
    """VS Code names the file in a variable of the kernel, and its cells by ids that the file does not have."""
    kernel.run("import taskref_edu.exercises\nfrom math import prod as fourfold")
    answer = f'{IMPORT}\n@exercise("1.1")\ndef order_of(session, task):\n    return fourfold([1]) and None'
    assert "returned nothing" in kernel.shown(answer)
    path = tmp_path / "mine.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(answer, id="answer")]), path)
    kernel.run(f"__vsc_ipynb_file__ = {str(path)!r}")
    assert "name 'fourfold' is not defined" in kernel.shown(f"_ = get_ipython().run_cell({answer!r}, cell_id='W0sZ')")
    changed = f"{answer}  # not saved yet"
    assert "returned nothing" in kernel.shown(f"_ = get_ipython().run_cell({changed!r}, cell_id='W0sZ')")
    kernel.run("del __vsc_ipynb_file__")


def test_what_cannot_be_checked_is_said(kernel: Kernel) -> None:
    kernel.run("from taskref_edu.exercises import exercise")
    assert "`async def order_of` found" in kernel.shown(SOLVED.replace("def ", "async def "))
    assert "not used as a decorator here" in kernel.shown('order_of = exercise("1.1")(lambda session, task: None)')
    assert "1.1 Follow the arrow" in kernel.shown("mark = [exercise][0]\n@mark('1.1')\ndef order_of(session, task): 1")


def test_progress_is_where_it_was_after_cd(kernel: Kernel, tmp_path: Path) -> None:
    before = kernel.shown("from taskref_edu.clone import root; print(root())")
    kernel.run(f"%cd -q {tmp_path}")
    assert kernel.shown("print(root())") == before
    kernel.run("%cd -q -")


def test_a_cell_that_does_not_run_is_told_where(kernel: Kernel) -> None:
    kernel.run("import taskref_edu.exercises")
    shown = kernel.shown(SOLVED + "\n(", allow_errors=True)
    assert "▲ 1.1 Follow the arrow: raised an error" in shown
    assert "'(' was never closed" in shown


def test_a_line_that_fails_below_the_answer_does_not_spoil_it(kernel: Kernel) -> None:
    assert "passed" in kernel.shown(f"{SOLVED}\n1 / 0", allow_errors=True)


def test_an_id_that_does_not_exist(kernel: Kernel) -> None:
    assert "exercise '1.11' not found; there are 1.1" in kernel.shown(STUB.replace("1.1", "1.11"))


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("import sys; sys.exit()", "sys.exit()"),
        ("input('?')", "waits for the keyboard"),
        ("exit()", "sys.exit()"),
        ("from taskref_edu import Order; Order.id = None", "was put back"),
    ],
)
def test_the_kernel_survives(kernel: Kernel, body: str, said: str) -> None:
    code = f'{IMPORT}\n@exercise("1.1")\ndef order_of(session, task):\n    {body}'
    assert said in kernel.shown(code)
    assert "passed" in kernel.shown(SOLVED)


@pytest.mark.nightly
def test_the_kernel_survives_a_loop_that_swallows_exceptions(kernel: Kernel) -> None:
    loop = "while True:\n        try:\n            x = 1\n        except BaseException:\n            pass"
    kernel.run("import sys\nfrom dataclasses import replace\nimport taskref_edu.exercises")
    kernel.run("checking = sys.modules['taskref_edu.exercises.check']\nfind = checking.find")
    kernel.run("checking.find = lambda id: replace(find(id), seconds=2)  # not 10")
    shown = kernel.shown(f'{IMPORT}\n@exercise("1.1")\ndef order_of(session, task):\n    {loop}')
    kernel.run("checking.find = find")
    assert "Stopped after 2 s" in shown
    assert "passed" in kernel.shown(SOLVED)


def test_the_functions_show_themselves(kernel: Kernel) -> None:
    kernel.run("from taskref_edu.exercises import *")
    kernel.run(SOLVED)
    assert "1.1 Follow the arrow: passed" in kernel.shown('check("1.1")')
    assert "Hint 1 of 3" in kernel.shown('hint("1.1")')
    assert "processing_task_id == task.id" in kernel.shown('solution("1.1")')
    assert "1.1   Follow the arrow" in kernel.shown("progress()")
    assert "No guess yet" in kernel.shown('guess("01-a", None)')


def test_buttons_do_what_the_functions_do(kernel: Kernel) -> None:
    kernel.run("from taskref_edu.exercises import *")
    kernel.run("from taskref_edu.exercises.buttons import buttons\nrow = buttons('1.1')\nreset('1.1')")
    kernel.run("press = lambda *what: (row.press(*what), print(row.said))")
    assert kernel.shown("press('hint')").count("Hint 1 of 3") == 1
    assert "You have not passed it yet" in kernel.shown("press('solution')")
    assert "Paste this over the cell" in kernel.shown("press('reset')")
    assert "The cell holds its first text again" in kernel.shown("press('reset', 'what stood there')")
    assert "Hint for 1.1: one hint at a time" in kernel.shown("print(row.titles['hint'])")


def test_a_guess_is_picked_with_a_button_and_locked(kernel: Kernel) -> None:
    kernel.run("from taskref_edu.exercises import *")
    (output,) = kernel.run('guess("99-a", choices=["one", "two"])')
    assert "application/vnd.jupyter.widget-view+json" in output.data
    assert "No guess yet" in output.data["text/plain"]
    kernel.run('said, row = guess("99-a", choices=["one", "two"]).buttons().children')
    assert "Your guess: <code>&#x27;two&#x27;</code>" in kernel.shown("row.children[1].click()\nprint(said.value)")
    assert kernel.shown("print([(button.disabled, button.icon) for button in row.children])") == (
        "[(True, ''), (True, 'check')]\n"
    )
    again = kernel.shown('said, row = guess("99-a", choices=["one", "two"]).buttons().children\nprint(said.value)')
    assert "Your guess" in again
    kernel.run('rows = [guess("99-c", choices=["one", "two"]).buttons().children for _ in range(2)]  # two notebooks')
    kernel.run("for number, (said, row) in enumerate(rows): row.children[number].click()")
    assert "Your guess: <code>&#x27;one&#x27;</code>" in kernel.shown("print(rows[1][0].value)"), "the first pick stays"
    assert kernel.shown("print([button.icon for button in rows[1][1].children])") == "['check', '']\n"


def test_a_guess_in_code_that_is_no_choice_or_has_no_quotes_gets_a_sentence(kernel: Kernel) -> None:
    kernel.run("from taskref_edu.exercises import *")
    said = kernel.shown('print(guess("03-a", "2").buttons().children[0].value)')
    assert "is not a possible answer. Did you mean <code>2</code>?" in said
    for typed in ("never", "at the call"):
        shown = kernel.shown(f'guess("01-a", {typed}, choices=["at the call", "never"])', allow_errors=True)
        assert 'A word needs quotes: `guess("01-a", "at the call")`' in shown
    assert "quotes" not in kernel.shown("guesses = never", allow_errors=True)


def test_reveal_shows_itself_wherever_it_is_called(kernel: Kernel) -> None:
    kernel.run("from taskref_edu.exercises import *")
    shown = kernel.run('reveal("99-b", 2)\nanswer = 1 + 1\nprint(answer)')
    texts = [output.get("data", {}).get("text/markdown", output.get("text", "")) for output in shown]
    assert texts[0].startswith("**Guess 99-b.** The experiment says `2`")
    assert len(kernel.run('reveal("99-b", 2)')) == 1


def test_an_explanation_is_folded_only_where_somebody_could_have_guessed(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel.run("from taskref_edu.exercises import *")
    (converted,) = kernel.run('reveal("03-b", "most")')
    assert "<details>" not in converted.data["text/markdown"]
    monkeypatch.setattr(kernel._client.kc, "allow_stdin", True)  # as a page does
    (folded,) = kernel.run('reveal("03-b", "most")')
    assert "<details><summary>Show the explanation" in folded.data["text/markdown"]


def test_reset_offers_the_stub_in_a_new_cell(kernel: Kernel) -> None:
    kernel.run("from taskref_edu.exercises import *")
    kernel.run("payloads = []\nip = get_ipython()\nip.payload_manager.write_payload")
    shown = kernel.shown("note = reset('1.1')\nprint([one['text'] for one in ip.payload_manager.read_payload()])")
    assert "def order_of(session, task)" in shown


def test_importing_twice_checks_once(kernel: Kernel) -> None:
    kernel.run("import importlib, taskref_edu.exercises\nimportlib.reload(taskref_edu.exercises)")
    assert kernel.shown(SOLVED).count("1.1 Follow the arrow") == 1


def test_two_exercises_in_one_cell(kernel: Kernel) -> None:
    other = find("1.2").cell(find("1.2").solution)
    shown = kernel.shown(f"{SOLVED}\n\n{other}")
    assert "1.1 Follow the arrow: passed" in shown
    assert "1.2 All or nothing: passed" in shown


def test_progress_survives_a_restart(kernel: Kernel) -> None:
    kernel.run(SOLVED)
    path = kernel.shown("import os; print(os.environ['TASKREF_HOME'])").strip()
    known = json.loads((Path(path) / "progress.json").read_text())
    assert known["exercises"]["1.1"]["outcome"] == "passed"
    assert known["exercises"]["1.1"]["attempts"][-1]["source"] == SOLVED
