"""Takes the pictures of the panel for the documents: `python -m tests.browser.pictures [--into FOLDER] [NAME …]`.

Without names, those that stand in a document; with `all`, also those that only whoever changes the panel looks at.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, expect

from .lab import REPOSITORY, CannotStart, Lab, Notebook, new_page, running_browser, running_lab

SETUP = """\
import time
from sqlalchemy import text
from taskref_edu import Order, TaskQueue, open_database, writing
from taskref_edu.approaches import classic, inverted
from taskref_edu.widgets import Panel
names = ["Ada", "Grace", "Edsger", "Barbara", "Donald", "Frances", "Tony"]
def shop(orders=0, payments=0, approach=inverted, **options):
    queue = TaskQueue(open_database(), max_attempts=2, backoff=30, **options)
    with writing(queue.engine) as session:
        rows = [Order(customer=names[n % 7], amount=500 * (1 + n * 7 % 19)) for n in range(orders)]
        session.add_all(rows)
        session.flush()
        for row in rows[:payments]:
            approach.enqueue_payment(session, queue, row)
    return queue
def until(condition):
    end = time.monotonic() + 20
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
def click(*buttons):
    for name in buttons:
        panel.click(name)
        time.sleep(0.15)"""
BUSY = """\
for number in (1, 4, 2, 5, 3, 7, 6):
    panel.select(number)
    click("pay")
panel.select(5)
panel.set(seconds=0.8)
click("cancel", "start")
until(lambda: panel.views[0].side.counts()["succeeded"] == 3)
panel.set(seconds=60)
time.sleep(2.5)
panel.select(9)
click("pay")"""
STEPS = """\
panel = Panel(shop(), approach="inverted", steps=[
    ("make three orders", "orders >= 3"), ("pay each", "tasks >= 3"),
    ("cancel the second while it is pending", "cancelled >= 1"), ("start the worker", "worker started")])
panel"""
BROKEN = """\
queue = shop(6, 4, APPROACH)
with writing(queue.engine) as session:
    queue.enqueue(session, "process_payment", {"oder_id": 5})
    queue.enqueue(session, "process_payment", {"order_id": 99})
    queue.enqueue(session, "send_receipt", {"to": "Ada"})
    session.execute(text("PRAGMA defer_foreign_keys = ON"))
    if APPROACH is classic: session.execute(text("DELETE FROM orders WHERE id = 2"))
panel = Panel(queue, approach="NAME")
panel.click("step")
panel"""
MANY = """\
panel = Panel(shop(2000, 2000, classic), approach="classic")
panel.set(seconds=0.02)
panel.click("start")
panel"""


SOME = 'click("new_order", "pay", "new_order", "pay", "new_order")'


def broken(approach: str) -> str:
    return BROKEN.replace("APPROACH", approach).replace("NAME", approach)


def both(orders: int = 9) -> str:
    return f'panel = Panel(shop({orders}), approach="both")\npanel'


@dataclass(frozen=True)
class Scene:
    """A panel at one moment: cells, buttons clicked on the page after them, and how it is looked at."""

    name: str
    cells: Sequence[str]
    clicks: Sequence[str] = ()
    waits: float = 1.0
    width: int = 1400
    dark: bool = False
    scale: float = 1
    document: bool = False


RUN = '_ = panel.run("double click")'
SCENES = [
    Scene("panel_light", [both(), BUSY], document=True),
    Scene("panel_dark", [both(), BUSY], dark=True, document=True),
    Scene(
        "panel_checklist",
        [STEPS, 'click("new_order", "pay", "new_order", "pay", "new_order")'],
        width=1100,
        document=True,
    ),
    Scene("panel_scenario", [both(3), RUN], ["two"], 2.5, document=True),
    Scene("question_dark", [both(3), RUN], dark=True),
    Scene("answer_640", [both(3), RUN], ["two"], 2.5, width=640),
    Scene("empty", [STEPS], width=1000),
    Scene("empty_dark_640", [STEPS], width=640, dark=True),
    Scene("busy_1000", [both(), BUSY], width=1000),
    Scene("busy_640", [both(), BUSY], width=640),
    Scene("zoom_200", [both(), BUSY], width=700, scale=2),
    Scene("one_1000", [both().replace("both", "inverted"), BUSY], ["More"], width=1000),
    Scene("broken_classic", [broken("classic")], width=1000),
    Scene("broken_inverted_dark", [broken("inverted")], width=1000, dark=True),
    Scene("answer_dark_1000", [both(3), RUN], ["one"], 2.5, width=1000, dark=True),
    Scene("lens", [both(3), "click('pay')"], ["SQL"], 1.5),
    Scene("crash", [both(3), "panel.set(seconds=30); click('pay', 'start'); time.sleep(1)"], ["More", "Crash"], 1.5),
    Scene("many", [MANY]),
    Scene("recording", [both(), BUSY, "recording = panel.recording(); panel.close(); recording"], waits=2),
]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.browser.pictures", description=__doc__)
    parser.add_argument("--into", type=Path, default=REPOSITORY / "docs" / "pictures")
    parser.add_argument("names", nargs="*")
    chosen = parser.parse_args()
    wanted = [
        one
        for one in SCENES
        if one.name in chosen.names or (one.document if not chosen.names else "all" in chosen.names)
    ]
    try:
        with running_browser() as browser, running_lab() as lab:
            for scene in wanted:
                take(browser, lab, scene, chosen.into / f"{scene.name}.png")
    except CannotStart as reason:
        raise SystemExit(str(reason)) from None


def take(browser: Browser, lab: Lab, scene: Scene, path: Path) -> None:
    size = {"width": scene.width, "height": 1100 if scene.width > 1000 else 2000}
    with new_page(browser, viewport=size, device_scale_factor=scene.scale, reduced_motion="reduce") as page:
        notebook = Notebook(page, lab)
        notebook.open(lab.write("pictures.ipynb", SETUP, *scene.cells))
        theme = "JupyterLab Dark" if scene.dark else "JupyterLab Light"
        notebook.command("apputils:change-theme", theme=theme)
        page.wait_for_function("theme => document.body.dataset.jpThemeName === theme", arg=theme)
        expect(page.locator("#jupyterlab-splash")).to_have_count(0)
        notebook.command("application:toggle-left-area")
        notebook.run_all()
        notebook.wait_until_run()
        notebook.panel.wait_for()
        for name in scene.clicks:
            notebook.click(name)
        page.wait_for_timeout(1000 * scene.waits)
        page.mouse.move(0, 0)
        notebook.panel.evaluate("panel => panel.scrollIntoView({ block: 'start' })")
        page.wait_for_timeout(400)
        path.parent.mkdir(parents=True, exist_ok=True)
        notebook.panel.screenshot(path=path)
        notebook.shut_down_kernel()
    print(f"{path.name}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
