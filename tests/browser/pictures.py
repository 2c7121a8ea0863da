"""Takes the pictures of the panel for the documents: `python -m tests.browser.pictures [--into FOLDER] [--all]`.

--all also takes those that only whoever changes the panel looks at: broken references, 2,000 tasks, little room.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from playwright.sync_api import Browser, expect

from .lab import REPOSITORY, CannotStart, Lab, Notebook, new_page, running_browser, running_lab

SETUP = """\
from sqlalchemy import text
from taskref_edu import Order, TaskQueue, open_database, writing
from taskref_edu.approaches import classic, inverted
from taskref_edu.widgets import Panel
queue = TaskQueue(open_database(), max_attempts=2, backoff=30)
names = ["Ada", "Grace", "Edsger", "Barbara", "Donald", "Frances", "Tony"]
def fill(orders, payments=0, approach=inverted):
    with writing(queue.engine) as session:
        rows = [Order(customer=names[n % 7], amount=500 * (1 + n * 7 % 19)) for n in range(orders)]
        session.add_all(rows)
        session.flush()
        for row in rows[:payments]:
            approach.enqueue_payment(session, queue, row)"""
BUSY = """\
fill(9)
panel = Panel(queue, approach="both")
panel.controls.seconds.value = 0.3
panel"""
PLAY = """\
import time
def click(*buttons):
    for name in buttons:
        panel.controls.buttons[name].click()
        time.sleep(0.2)
for number in (1, 4, 2, 5, 3, 7, 6):
    panel.controls.order.value = number
    click("pay")
panel.controls.order.value = 5
click("cancel")
click("start")
while sum(task.status == "succeeded" for task in panel.views[0].rows.newest_tasks(99)) < 3:
    time.sleep(0.05)
panel.controls.seconds.value = 60
time.sleep(1.5)
panel.controls.order.value = 9
click("pay")"""
BROKEN = """\
fill(6, 4, APPROACH)
with writing(queue.engine) as session:
    queue.enqueue(session, "process_payment", {"oder_id": 5})
    queue.enqueue(session, "process_payment", {"order_id": 99})
    queue.enqueue(session, "send_receipt", {"to": "Ada"})
    session.execute(text("PRAGMA defer_foreign_keys = ON"))
    if APPROACH is classic: session.execute(text("DELETE FROM orders WHERE id = 2"))
panel = Panel(queue, approach="NAME")
panel.controls.buttons["step"].click()
panel"""
MANY = """\
fill(2000, 2000, classic)
panel = Panel(queue, approach="classic")
panel.controls.seconds.value = 0.02
panel.controls.buttons["start"].click()
panel"""
LIGHT, DARK = "JupyterLab Light", "JupyterLab Dark"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.browser.pictures", description=__doc__)
    parser.add_argument("--into", type=Path, default=REPOSITORY / "docs" / "pictures")
    parser.add_argument("--all", action="store_true", help="also the scenes that stand in no document")
    chosen = parser.parse_args()
    try:
        take_chosen(chosen.into, chosen.all)
    except CannotStart as reason:
        raise SystemExit(str(reason)) from None


def take_chosen(into: Path, all_scenes: bool) -> None:
    with running_browser() as browser, running_lab() as lab:
        for theme, name in ((LIGHT, "panel_light"), (DARK, "panel_dark")):
            take(browser, lab, theme, [SETUP, BUSY, PLAY], into / f"{name}.png")
        if all_scenes:
            take_all(browser, lab, into)


def take_all(browser: Browser, lab: Lab, into: Path) -> None:
    """Scenes to look at after a change of the panel."""
    for approach in ("classic", "inverted"):
        broken = BROKEN.replace("APPROACH", approach).replace("NAME", approach)
        for theme in (LIGHT, DARK):
            take(
                browser,
                lab,
                theme,
                [SETUP, broken],
                into / f"broken_{approach}_{theme[11:].lower()}.png",
                last=7,
                opened=6,
            )
    take(browser, lab, DARK, [SETUP, MANY], into / "many_dark.png", last=50)
    take(browser, lab, LIGHT, [SETUP, MANY], into / "many_light.png", last=50)
    take(browser, lab, LIGHT, [SETUP, BUSY, PLAY], into / "narrow.png", width=800)
    take(browser, lab, LIGHT, [SETUP, BUSY, PLAY], into / "zoomed.png", width=640, scale=2)


def take(
    browser: Browser,
    lab: Lab,
    theme: str,
    cells: list[str],
    path: Path,
    width: int = 1400,
    scale: int = 1,
    last: int = 8,
    opened: int = 0,
) -> None:
    """A picture of the panel that the cells show, once task `last` is there; `opened`: its details are shown."""
    size = {"width": width, "height": 1000 if width >= 1400 else 2400}
    with new_page(browser, viewport=size, device_scale_factor=scale, reduced_motion="reduce") as page:
        notebook = Notebook(page, lab)
        notebook.open(lab.write("pictures.ipynb", *cells))
        notebook.command("apputils:change-theme", theme=theme)
        page.wait_for_function("theme => document.body.dataset.jpThemeName === theme", arg=theme)
        expect(page.locator("#jupyterlab-splash")).to_have_count(0)
        if width != 800:
            notebook.command("application:toggle-left-area")
        notebook.run_all()
        expect(notebook.panel.locator(f"[data-task='{last}']").first).to_be_visible()
        page.wait_for_timeout(1500)
        if opened:
            notebook.panel.locator(f'[data-task="{opened}"] .taskref-c-id').click()
            page.mouse.move(0, 0)
        notebook.panel.evaluate("panel => panel.scrollIntoView({ block: 'start' })")
        page.wait_for_timeout(300)
        path.parent.mkdir(parents=True, exist_ok=True)
        notebook.panel.screenshot(path=path)
    print(f"{path.name}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
