"""Takes a picture of the key cell of each notebook for `docs/tour.md`: `python -m tests.browser.key_cells`.

The notebook is run from the top, as it is, and the cell is shown as it then looks.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import ViewportSize, expect

from taskref_edu.lab.player.page import element_name

from .lab import REPOSITORY, CannotStart, Notebook, new_page, running_browser, running_lab

SIZE: ViewportSize = {"width": 1100, "height": 1800}


def pay_two(notebook: Notebook) -> None:
    notebook.execute("panel.set(seconds=30)")  # the first task is still running when the picture is taken
    for number in (1, 2):
        notebook.click("New order")
        notebook.expect_status(f"order {number}: new")
        notebook.click("Pay")
        notebook.expect_status(f"order {number}: payment enqueued as task {number}")
    notebook.click("Start worker")
    notebook.expect_task(1, "running")


def play(notebook: Notebook) -> None:
    box = notebook.page.locator(f".jp-Cell.jp-mod-active:visible {element_name()}")
    box.locator("section").focus()
    notebook.page.keyboard.type("abba")
    expect(box.locator(".verdict")).to_contain_text("You broke it")


def as_it_is(_: Notebook) -> None:
    pass


@dataclass(frozen=True)
class Key:
    """The cell with this text, after somebody has done something with it."""

    containing: str
    act: Callable[[Notebook], None] = as_it_is


KEYS = {
    "00_start_here": Key("panel = Panel(", pay_two),
    "01_two_arrows": Key("lost = explore_crashes("),
    "02_payload_validation": Key("doors = Table("),
    "03_duplicates": Key("inverted_race = two_clicks(inverted_click)"),
    "04_cancelling": Key("second = explore("),
    "05_in_process": Key("series=with_a_past"),
    "06_a_test_that_can_fail": Key("stories = Table("),
    "07_the_price": Key("pruned"),
    "08_races_and_crashes": Key("[naive_claim, naive_claim], setup", play),
    "09_beyond_one_machine": Key("Table([broken, locked, updated])"),
    "10_outbox_and_inbox": Key("deaths = [explore_crashes("),
    "11_the_verdict": Key("Table(board[claim] for claim"),
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.browser.key_cells", description=__doc__)
    parser.add_argument("--into", type=Path, default=REPOSITORY / "docs" / "pictures" / "notebooks")
    parser.add_argument("names", nargs="*", default=list(KEYS), help="notebooks, without .ipynb; all if none")
    chosen = parser.parse_args()
    try:
        take_all(chosen.into, chosen.names)
    except CannotStart as reason:
        raise SystemExit(str(reason)) from None


def take_all(into: Path, names: list[str]) -> None:
    into.mkdir(parents=True, exist_ok=True)
    with running_browser() as browser, running_lab() as lab, new_page(browser, viewport=SIZE) as page:
        for name in names:
            notebook = Notebook(page, lab)
            notebook.open(f"notebooks/{name}.ipynb")
            if name == names[0]:
                notebook.command("application:toggle-left-area")
            notebook.run_all()
            notebook.wait_until_run()
            take(notebook, KEYS[name], into / f"{name[:2]}.png")
            notebook.close()


def take(notebook: Notebook, key: Key, path: Path) -> None:
    cell = notebook.select_cell(key.containing)
    key.act(notebook)
    notebook.page.mouse.move(0, 0)  # no row is pointed at
    into_view = "cell => { cell.scrollIntoView({ block: 'start' }); return cell.getBoundingClientRect().height; }"
    notebook.page.wait_for_timeout(700)
    high = int(cell.evaluate(into_view))
    notebook.page.set_viewport_size({**SIZE, "height": max(SIZE["height"], high + 300)})  # all of it in the window
    notebook.page.wait_for_timeout(700)
    cell.evaluate(into_view)
    notebook.page.wait_for_timeout(700)
    cell.screenshot(path=path)
    print(f"{path.name}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
