"""The panel in a real kernel, clicked by messages as a page sends them: on whichever thread the kernel takes them.

`make kernels` runs this file with several versions of ipykernel.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import start_new_kernel

PANEL = """\
import asyncio, threading
from taskref_edu import TaskQueue, open_database
from taskref_edu.widgets import Panel
from taskref_edu.widgets.panel import scenarios
queue = TaskQueue(open_database(), lease=0.6, backoff=0)
panel = Panel(queue, approach="both")
panel.set(seconds=0.2)
panel"""
THREADS = 'sorted(t.name for t in threading.enumerate() if "panel" in t.name or "worker" in t.name)'


class Page:
    """What a browser sends to a kernel, and hears from it."""

    def __init__(self, client: BlockingKernelClient) -> None:
        self._client = client
        self._subshell: str | None = None
        self.heard: list[dict[str, Any]] = []  # whatever would appear in somebody's cell

    def run(self, code: str, ask: str = "None") -> str:
        """Run a cell, and return the value of an expression after it; an error in the cell is one of the test."""
        answer = self._client.execute_interactive(
            code, user_expressions={"asked": ask}, output_hook=self._hear, timeout=60
        )
        assert answer["content"]["status"] == "ok", answer["content"]
        return answer["content"]["user_expressions"]["asked"]["data"]["text/plain"]

    def click(self, name: str) -> None:
        """Send what a click on the button sends."""
        model = self.run("", "panel.controls.model_id").strip("'")
        content = {"comm_id": model, "data": {"method": "custom", "content": {"click": name}}}
        message = self._client.session.msg("comm_msg", content)
        if self._subshell is not None:
            message["header"]["subshell_id"] = self._subshell
        self._client.shell_channel.send(message)

    def status(self, text: str) -> None:
        """Wait until the status line holds the text."""
        end = time.monotonic() + 20
        while text not in (found := self.run("", "panel.status")):
            assert time.monotonic() < end, found
            time.sleep(0.02)

    def use_a_subshell(self) -> bool:
        """Send clicks on a thread of their own from now on, where the kernel has such; whether it has."""
        self._client.control_channel.send(self._client.session.msg("create_subshell_request", {}))
        try:
            answer = self._client.get_control_msg(timeout=5)["content"]
        except Exception:
            return False
        self._subshell = answer.get("subshell_id")
        return self._subshell is not None

    def _hear(self, message: dict[str, Any]) -> None:
        if message["msg_type"] in ("stream", "error"):
            self.heard.append(message["content"])


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    manager, client = start_new_kernel(kernel_name="python3")
    try:
        yield Page(client)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


@pytest.mark.parametrize("where", ["the shell", pytest.param("a subshell", marks=pytest.mark.nightly)])
def test_clicks_scenarios_and_waits(page: Page, where: str):
    if where == "a subshell" and not page.use_a_subshell():
        pytest.skip("this ipykernel has no subshells")
    page.run(PANEL)
    page.click("new_order")
    page.status("order 1: new")
    page.click("storm")
    page.status("8 clicks as written: 8 live payments, 7 of them orphans")
    page.click("start")
    page.run('await panel.until("all tasks finished")')
    page.run("panel.set(seconds=60)")
    page.click("new_order")
    page.status("order 2: new")
    page.click("pay")
    page.run('await panel.until("a task running")')
    page.click("crash")
    page.status("killed while it ran task")
    page.run("panel.set(seconds=0.2)")
    page.click("start")
    page.run('await panel.until("all tasks finished")\nawait panel.until("worker idle")')
    page.run('scenarios.PACE = 0.01\n_ = panel.run("typo")')
    page.click("play")
    page.run('await panel.until("scenario over")')
    assert page.run("panel.stop()", "panel.status") == "'stopped: re-run this cell to make it live'"
    page.run(
        "for _ in range(100):\n    if not THREADS: break\n    await asyncio.sleep(0.05)".replace("THREADS", THREADS)
    )
    assert page.run("", THREADS) == "[]"
    assert page.heard == []
