"""A real JupyterLab, started as `make lab` starts it, and a real Chromium that looks at it.

For the tests (`conftest.py`), the pictures of the documents (`pictures.py`) and the benchmark of the panel.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Locator, Page, ViewportSize, expect, sync_playwright

REPOSITORY = Path(__file__).resolve().parents[2]
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE = 30  # seconds for one thing to appear, on a slow machine with little else to do
TOKEN = "browser-test"
SIZE: ViewportSize = {"width": 1280, "height": 900}
CONTEXT = "window.jupyterapp?.shell?.currentWidget?.context"  # of the current tab


class CannotStart(Exception):
    """No browser, or no JupyterLab; the message says what to do."""


def browser_path() -> str:
    """The path of a Chromium. Raises CannotStart."""
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        raise CannotStart(
            "no Chromium found. Install one: sudo apt-get install chromium (Debian), brew install chromium (macOS)"
        )
    return found


@contextmanager
def running_browser(*more_flags: str) -> Iterator[Browser]:
    """A Chromium. Raises CannotStart."""
    path = browser_path()
    temporary = os.environ.pop("TMPDIR", None)  # a Chromium from a snap reaches no other folder of that kind than /tmp
    with sync_playwright() as started:
        if temporary:
            os.environ["TMPDIR"] = temporary
        browser = started.chromium.launch(executable_path=path, args=[*FLAGS, *more_flags])
        yield browser
        browser.close()


@dataclass
class Lab:
    """A running JupyterLab on a folder of its own."""

    folder: Path
    address: str

    def write(self, name: str, *cells: str) -> str:
        """Write a notebook of code cells; returns its path in the lab."""
        notebook = {
            "cells": [
                {"cell_type": "code", "id": f"cell-{n}", "metadata": {}, "outputs": [], "execution_count": None,
                 "source": source}
                for n, source in enumerate(cells)
            ],
            "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
            "nbformat": 4,
            "nbformat_minor": 5,
        }  # fmt: skip
        path = self.folder / "notebooks" / name
        path.write_text(json.dumps(notebook))
        return f"notebooks/{name}"


@contextmanager
def running_lab(*options: str) -> Iterator[Lab]:
    """A JupyterLab on a folder of its own, with the notebooks. Raises CannotStart."""
    with tempfile.TemporaryDirectory(prefix="taskref-lab-", ignore_cleanup_errors=True) as place:
        folder, home = Path(place, "clone"), Path(place, "home")
        for part in ("notebooks", "docs"):  # the notebooks show pictures of the docs
            shutil.copytree(REPOSITORY / part, folder / part)
        home.mkdir()
        port = free_port()
        one = Lab(folder, f"http://localhost:{port}")
        log = home / "jupyterlab.log"
        command = [sys.executable, "-m", "taskref_edu.cli", "lab", "--no-browser", "--port", str(port)]
        ours = [f"--IdentityProvider.token={TOKEN}", "--LabApp.expose_app_in_browser=True", *options]
        with log.open("w") as output:
            server = subprocess.Popen(
                [*command, *ours], cwd=folder, env=environment(home), stdout=output, stderr=subprocess.STDOUT
            )
        try:
            wait_until_up(one, server, log)
            yield one
        finally:
            server.terminate()
            try:
                server.wait(20)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def environment(home: Path) -> dict[str, str]:
    """A fresh user's: nothing of this machine's Jupyter settings reaches the test, and nothing stays behind."""
    ours = {
        "PYTHONPATH": str(REPOSITORY),
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_DATA_DIR": str(home / "data"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "IPYTHONDIR": str(home / "ipython"),
        "TASKREF_HOME": str(home / "progress"),
    }
    return os.environ | ours


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until_up(lab: Lab, server: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + 4 * PATIENCE
    while time.monotonic() < end and server.poll() is None:
        try:
            urllib.request.urlopen(f"{lab.address}/api/status?token={TOKEN}", timeout=5).close()
            return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise CannotStart(f"JupyterLab did not start:\n{log.read_text()[-3000:]}")


class Notebook:
    """A notebook in the browser, and the panel in it."""

    def __init__(self, page: Page, lab: Lab) -> None:
        self.page = page
        self.lab = lab
        self.path = ""

    def open(self, path: str) -> None:
        """Open it in an empty JupyterLab, or as a further tab of the one on the page, and wait for its kernel."""
        self.path = path
        if self.page.url == "about:blank":
            self.page.goto(f"{self.lab.address}/lab/tree/{path}?reset&token={TOKEN}")
        else:
            self.show()
        self._wait_for_kernel()

    def show(self) -> None:
        """Make it the current tab."""
        self.command("docmanager:open", path=self.path)
        self.page.wait_for_function(f"path => {CONTEXT}?.path === path", arg=self.path)

    def close(self) -> None:
        """Close its tab and shut down its kernel; other tabs stay."""
        self.show()
        self.page.evaluate(
            f"""async () => {{
                const context = {CONTEXT}, widget = window.jupyterapp.shell.currentWidget;
                await context.save();
                await context.sessionContext.shutdown();
                widget.close();
            }}"""
        )

    def save_and_reload(self) -> None:
        self.page.evaluate(f"{CONTEXT}.save()")
        self.page.reload()
        self._wait_for_kernel()

    def command(self, name: str, **arguments: str) -> None:
        """Execute a command of JupyterLab's."""
        self.page.evaluate("([name, args]) => void window.jupyterapp.commands.execute(name, args)", [name, arguments])

    def execute(self, code: str) -> None:
        """Execute code in the kernel, and wait until it has been."""
        self.page.evaluate(
            f"async code => void await {CONTEXT}.sessionContext.session.kernel.requestExecute({{code}}).done", code
        )

    def run_all(self) -> None:
        self.command("notebook:run-all-cells")

    def wait_until_run(self) -> None:
        """Wait for the last of its code cells."""
        self.page.wait_for_function(
            """() => {
                const cells = [...window.jupyterapp.shell.currentWidget.content.model.cells];
                return cells.filter(cell => cell.type === "code").at(-1).executionCount !== null;
            }""",
            timeout=4 * PATIENCE * 1000,
        )

    def select_cell(self, containing: str) -> Locator:
        """Make the cell that is this text, or the first that holds it, the active one, which brings it into view."""
        self.page.evaluate(
            """text => {
                const notebook = window.jupyterapp.shell.currentWidget.content;
                const sources = [...notebook.model.cells].map(cell => cell.sharedModel.getSource());
                const whole = sources.indexOf(text);
                notebook.activeCellIndex = whole >= 0 ? whole : sources.findIndex(one => one.includes(text));
            }""",
            containing,
        )
        return self.page.locator(".jp-Cell.jp-mod-active:visible")

    def run_cell(self, containing: str) -> None:
        self.select_cell(containing)
        self.command("notebook:run-cell")

    def shut_down_kernel(self) -> None:
        self.page.evaluate(f"{CONTEXT}.sessionContext.shutdown()")

    @property
    def panel(self) -> Locator:
        return self.page.locator(".taskref-panel:visible")

    def button(self, name: str) -> Locator:
        return self.panel.get_by_role("button", name=name, exact=True)

    def click(self, name: str) -> None:
        self.button(name).click()

    def select_order(self, number: int) -> None:
        """Choose the order in the list, once it is offered there."""
        choice = self.panel.get_by_label("Selected order")
        label = choice.locator("option").filter(has_text=re.compile(rf"^{number}\b")).inner_text()
        choice.select_option(label=label)

    def expect_status(self, text: str) -> None:
        expect(self.panel.get_by_role("status")).to_have_text(text)

    def expect_task(self, number: int, status: str) -> None:
        row = self.panel.locator(f'[data-task="{number}"]')
        expect(row).to_contain_text(status)

    def screenshot(self, name: str) -> None:
        """Keep a picture where TASKREF_SCREENSHOTS says, if it says."""
        folder = os.environ.get("TASKREF_SCREENSHOTS")
        if folder:
            self.page.screenshot(path=Path(folder) / f"{name}.png")

    def _wait_for_kernel(self) -> None:
        self.page.wait_for_function(
            f"""path => {{
                const context = {CONTEXT};
                // A cell that runs before this plugin is there, faster than any hand, gets no picture.
                if (!window.jupyterapp?.isPluginActivated("anywidget:plugin")) return false;
                if (context?.path !== path || !context.isReady) return false;
                return context.sessionContext?.session?.kernel?.status === "idle";
            }}""",
            arg=self.path,
        )


@contextmanager
def new_page(chromium: Browser, **options: Any) -> Iterator[Page]:
    """A page in a browser that has seen nothing before."""
    expect.set_options(timeout=PATIENCE * 1000)
    options.setdefault("viewport", SIZE)
    context = chromium.new_context(**options)
    context.set_default_timeout(PATIENCE * 1000)
    page = context.new_page()
    page.on("pageerror", lambda error: print("in the browser:", error))  # pytest shows it beside a failure
    page.on("console", lambda line: print("in the browser:", line.text) if line.type == "error" else None)
    try:
        yield page
    finally:
        context.close()
