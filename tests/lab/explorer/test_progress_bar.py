"""A long exploration says how far it is, and can be stopped; the result then says that nothing is proven."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager, start_new_kernel

from taskref_edu.lab import explore
from taskref_edu.lab.explorer.experiment import Experiment
from taskref_edu.lab.explorer.exploration import Exploration
from taskref_edu.lab.explorer.schedule_outcome import Limits
from taskref_edu.lab.explorer.schedules import AllSchedules
from tests.lab.explorer import actors
from tests.lab.explorer.actors import autocommitted, nothing, one_order

ROOT = Path(__file__).parents[3]
LONG = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # in the background a shell has it ignored
from taskref_edu.lab import explore, explore_crashes
from tests.lab.explorer.actors import autocommitted, nothing, one_order
def long(count, lab=explore):
    return lab([autocommitted(count)] * 3, setup=one_order, invariant=nothing, merge=False, max_runs=10**6)
"""


class TestShare:
    def test_is_exact_in_a_straight_line(self) -> None:
        with Exploration(Experiment([autocommitted(3)] * 2, nothing, one_order), Limits()) as exploration:
            walk = AllSchedules(exploration)
            assert walk.share == 0
            assert [round(walk.share * 20, 9) for _ in walk] == list(range(1, 21))

    def test_ends_at_one_where_actors_wait_and_branch(self) -> None:
        click = actors.check_before_the_block
        with Exploration(Experiment([click] * 2, nothing, one_order), Limits()) as exploration:
            walk = AllSchedules(exploration)
            assert [walk.share for _ in walk][-1] == pytest.approx(1)


def test_a_short_one_shows_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    explore([autocommitted(3)] * 2, setup=one_order, invariant=nothing)
    assert capfd.readouterr() == ("", "")


class Terminal:
    """A program whose standard error is a terminal."""

    def __init__(self, program: str) -> None:
        self.screen, theirs = pty.openpty()
        command = [sys.executable, "-W", "error", "-c", LONG + program]
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=theirs, text=True)
        os.close(theirs)
        self.seen = ""

    def reads(self, text: str) -> None:
        end = time.monotonic() + 30
        while text not in self.seen:
            assert time.monotonic() < end, self.seen
            self.seen += os.read(self.screen, 4096).decode()

    def output(self) -> str:
        try:
            return self.process.communicate(timeout=60)[0]
        finally:
            self.process.kill()  # left running, it would be another test's warning


def test_in_a_terminal_control_c_ends_it_between_two_schedules() -> None:
    terminal = Terminal("lost = long(4, explore_crashes); print(lost, lost.holds, lost.complete, sep='\\n')")
    terminal.reads("; Control-C stops")
    terminal.process.send_signal(signal.SIGINT)
    first, stopped, *_, holds, complete = terminal.output().splitlines()
    assert first.startswith("0 of ")
    assert stopped.startswith("STOPPED BY YOU after ")
    assert stopped.endswith(" schedules: nothing is proven")
    assert (holds, complete) == ("False", "False")
    assert os.read(terminal.screen, 4096).decode().endswith("\r\x1b[K")
    os.close(terminal.screen)


@pytest.fixture(scope="module")
def kernel() -> Iterator[tuple[KernelManager, BlockingKernelClient]]:
    manager, client = start_new_kernel(cwd=str(ROOT))
    yield manager, client
    client.stop_channels()
    manager.shutdown_kernel(now=True)
    manager.cleanup_resources()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning:(zmq|tornado|jupyter)")
class TestInANotebook:
    def test_the_bar_goes_and_the_result_is_loud(self, kernel: tuple[KernelManager, BlockingKernelClient]) -> None:
        manager, client = kernel
        sent: list[dict[str, Any]] = []

        def hook(message: dict[str, Any]) -> None:
            if message["msg_type"] == "display_data":
                manager.interrupt_kernel()
            sent.append(message)

        reply = client.execute_interactive(LONG + "long(4)", output_hook=hook, timeout=30)
        assert reply["content"]["status"] == "ok"
        shown = [(message["msg_type"], message["content"].get("data")) for message in sent]
        bars = [data for kind, data in shown if "display_data" in kind]
        (result,) = [data for kind, data in shown if kind == "execute_result"]
        assert "<progress max='1' value='0.0" in bars[0]["text/html"]
        assert "<strong>Stop:</strong> press ■" in bars[0]["text/html"]
        assert bars[-1] == {}
        assert result["text/plain"].splitlines()[1].startswith("STOPPED BY YOU after ")
        assert "<strong>STOPPED BY YOU" in result["text/html"]

    def test_a_second_interrupt_does_not_wait(self, kernel: tuple[KernelManager, BlockingKernelClient]) -> None:
        manager, client = kernel
        program = """
import itertools, time
seconds = itertools.chain([0.3, 0.3], itertools.repeat(4))  # one schedule to show the bar, one to interrupt
def sleeps(engine):
    autocommitted(2)(engine)
    time.sleep(next(seconds))
explore([sleeps] * 2, setup=one_order, invariant=nothing)
"""

        def hook(message: dict[str, Any]) -> None:
            if message["msg_type"] == "display_data":
                manager.interrupt_kernel()
                time.sleep(0.5)
                manager.interrupt_kernel()

        reply = client.execute_interactive(LONG + program, output_hook=hook, timeout=30)
        assert (reply["content"]["status"], reply["content"].get("ename")) == ("error", "KeyboardInterrupt")

    @pytest.mark.nightly
    def test_half_an_exploration_passes_no_check(self, kernel: tuple[KernelManager, BlockingKernelClient]) -> None:
        manager, client = kernel
        program = """
from tests.exercises.conftest import SOLUTION, outcome_of
def check_long(double):
    "Nothing breaks."
    assert not long(4).problems
outcome = outcome_of(SOLUTION, checks=[check_long], seconds=20.0)
f"{outcome.verdict.value}: {outcome.message}"
"""
        sent: list[dict[str, Any]] = []

        def hook(message: dict[str, Any]) -> None:
            if message["msg_type"] == "display_data":
                manager.interrupt_kernel()
            sent.append(message)

        client.execute_interactive(LONG + program, output_hook=hook, timeout=30)
        (result,) = [each["content"]["data"]["text/plain"] for each in sent if each["msg_type"] == "execute_result"]
        assert "The check was interrupted" in result
