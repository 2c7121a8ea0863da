"""Hint, Solution and Reset in a real JupyterLab: earlier hints stay, code can be copied, the cell itself is reset."""

from __future__ import annotations

from playwright.sync_api import expect

from taskref_edu.exercises.exercise import find

from .lab import Notebook

EXERCISE = find("1.1")
WRONG = EXERCISE.cell(EXERCISE.wrong_answers[0].code).rstrip()
TEXT = "window.jupyterapp.shell.currentWidget.content.model.cells.get(0).sharedModel.getSource()"


def test_hints_a_solution_beside_mine_and_the_cell_as_it_was(notebook: Notebook) -> None:
    page = notebook.page
    notebook.open(notebook.lab.write("buttons.ipynb", WRONG))
    notebook.run_cell('@exercise("1.1")')
    button = {name: page.get_by_role("button", name=name, exact=True) for name in ("Hint", "Solution", "Reset")}
    button["Hint"].click()
    expect(page.get_by_text("Hint 1 of 3")).to_be_visible()
    button["Hint"].click()
    expect(page.get_by_text("Hint 2 of 3")).to_be_visible()
    expect(page.get_by_text(EXERCISE.hints[0].strip()[:30])).to_be_visible()
    button["Solution"].click()
    expect(page.get_by_text("You have not passed it yet")).to_be_visible()
    button["Solution"].click()
    expect(page.get_by_text("Yours", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name="Copy", exact=True)).to_have_count(2)
    assert page.evaluate(TEXT).strip() == WRONG
    for _ in range(2):  # the second changes nothing, so that one undo still brings back the answer
        button["Reset"].click()
        expect(page.get_by_text("The cell holds its first text again")).to_be_visible()
        assert page.evaluate(TEXT).strip() == EXERCISE.cell().strip()
    page.locator(".jp-Cell.jp-mod-active .cm-content").press("ControlOrMeta+z")
    assert page.evaluate(TEXT).strip() == WRONG
    notebook.shut_down_kernel()
    button["Hint"].click()
    expect(page.get_by_text("The kernel was restarted or shut down. Run this cell again")).to_be_visible()
