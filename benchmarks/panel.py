"""How smooth the live panel is in a real JupyterLab, beside a plain HTML table of the same rows.

    python -m benchmarks.panel [--quick]

Not covered: other browsers than Chromium, which paints without a graphics card here.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

from . import panel_scene as scene
from . import report
from .goals import Goal
from .processes import ROOT
from .rounds import Contestant, Results, Spread, Table, interleave

TITLE = "The live panel in JupyterLab"
NO_LIMIT = "--ZMQChannelsWebsocketConnection.iopub_data_rate_limit=1e9"  # the HTML table exceeds the usual 1 MB/s


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    rounds: int = 3
    seconds: float = 5.0
    idle: float = 10.0
    openings: int = 7  # more rounds: one takes seconds, and what is asked for is the difference of two


QUICK = Size(1, 1.0, 1.0, 1)


@dataclass
class Traffic:
    """The kernel's messages of widgets to the page: their sizes, for each connection."""

    sizes: dict[int, list[int]] = field(default_factory=dict)

    def listen(self, socket: Any) -> None:
        mine = self.sizes.setdefault(len(self.sizes), [])
        socket.on("framereceived", lambda frame: self._hear(mine, frame))

    def heard(self) -> list[int]:
        """JupyterLab's debugger has a connection of its own, which hears the same once more."""
        return max(self.sizes.values(), key=len, default=[])

    def clear(self) -> None:
        for sizes in self.sizes.values():
            sizes.clear()

    @staticmethod
    def _hear(mine: list[int], frame: str | bytes) -> None:
        data = frame.encode() if isinstance(frame, str) else frame
        if b'"comm_msg"' in data:
            mine.append(len(data))


def run(quick: bool = False) -> list[Table]:
    """The goals, and both contestants' figures; or a table that says why there are none."""
    try:
        from tests.browser import lab
    except ImportError as error:
        return [_skipped(f"{error}: make test installs it")]
    try:
        with lab.running_browser() as browser, lab.running_lab(NO_LIMIT) as jupyter:
            return _measured(Rig(lab, browser, jupyter), QUICK if quick else Size())
    except lab.CannotStart as reason:
        return [_skipped(str(reason))]


def _skipped(reason: str) -> Table:
    return Table(TITLE, ["", ""], [["not measured", reason]])


class Rig:
    """A browser and a JupyterLab, and what is measured with them."""

    def __init__(self, lab, browser, jupyter) -> None:
        self.lab, self.browser, self.jupyter = lab, browser, jupyter

    @contextmanager
    def page(self, *cells: str) -> Iterator:
        """A notebook of these cells in a fresh page, run to its end; its kernel ends with the block."""
        with self.lab.new_page(self.browser) as page:
            notebook = self.lab.Notebook(page, self.jupyter)
            notebook.traffic = Traffic()
            page.on("websocket", notebook.traffic.listen)
            notebook.open(self.jupyter.write("bench.ipynb", *cells))
            yield notebook
            notebook.shut_down_kernel()
            page.wait_for_timeout(500)

    def busy(self, name: str, rows: int, hertz: float, seconds: float, folder: Path) -> dict[str, float]:
        """Every row changes `hertz` times a second: frames, milliseconds to the pixel, the kernel's part of a core."""
        path = str(folder / "tasks.db")
        setup = f"DATABASE, ROWS = {path!r}, {rows}\n{scene.SETUP}"
        with self.page(setup, scene.PANEL if name == "panel" else scene.HTML) as notebook:
            notebook.run_all()
            notebook.page.wait_for_selector(scene.SHOWN[name], state="attached")
            writer = _writer(path, hertz, seconds + 3)
            notebook.page.wait_for_timeout(1500)
            notebook.traffic.clear()
            cpu, begun = _cpu(path), time.perf_counter()
            found = notebook.page.evaluate(scene.RECORD, [scene.SHOWN[name], seconds * 1000])
            used, lasted = _cpu(path) - cpu, time.perf_counter() - begun
            sizes = [*notebook.traffic.heard()]
            commits = dict(_numbers(writer.communicate()[0]))
        return _figures(found, commits) | {
            "kernel": 100 * used / lasted,
            "messages": len(sizes) / lasted,
            "kB": sum(sizes) / lasted / 1000,
        }

    def idle(self, start: bool, seconds: float, folder: Path) -> dict[str, float]:
        """The kernel's CPU while nothing happens, without its worker or with it."""
        path = str(folder / "tasks.db")
        with self.page(f"DATABASE, ROWS = {path!r}, 0\n{scene.SETUP}", scene.PANEL) as notebook:
            notebook.run_all()
            notebook.page.wait_for_selector(".taskref-picture")
            if start:
                notebook.click("Start worker")
            notebook.page.wait_for_timeout(3000)
            notebook.traffic.clear()
            cpu = _cpu(path)
            notebook.page.wait_for_timeout(seconds * 1000)
            return {"kernel": 100 * (_cpu(path) - cpu) / seconds, "messages": len(notebook.traffic.heard()) / seconds}

    def opening(self, cell: str, selector: str, folder: Path) -> dict[str, float]:
        """Seconds from the address to the first widget, in a fresh page and a fresh kernel."""
        with self.lab.new_page(self.browser) as page:
            notebook = self.lab.Notebook(page, self.jupyter)
            path = self.jupyter.write("open.ipynb", cell)
            begun = time.perf_counter()
            notebook.open(path)
            notebook.run_all()
            page.wait_for_selector(selector)
            lasted = time.perf_counter() - begun
            notebook.shut_down_kernel()
            page.wait_for_timeout(500)
        return {"s": lasted}


def _measured(rig: Rig, size: Size) -> list[Table]:
    names = ["panel", "HTML table"]

    def both(rows: int, hertz: float) -> Results:
        contestants: dict[str, Contestant] = {
            name: partial(rig.busy, name, rows, hertz, size.seconds) for name in names
        }
        return interleave(f"{rows:,} tasks at {hertz:.0f} Hz", contestants, size.rounds)

    many, few = both(2000, 10), both(500, 20)
    resting = {"alone": partial(rig.idle, False, size.idle), "worker": partial(rig.idle, True, size.idle)}
    idle = interleave("idle", resting, size.rounds)
    openings: dict[str, Contestant] = {
        "panel": partial(rig.opening, scene.FIRST_PANEL, ".taskref-picture"),
        "button": partial(rig.opening, scene.BUTTON, ".jupyter-button"),
    }
    opened = interleave("opening", openings, size.openings)
    more = [a - b for a, b in zip(opened.of("panel", "s"), opened.of("button", "s"), strict=True)]
    of = lambda results, name, what: Spread.of(results.of(name, what))  # noqa: E731
    goals = [
        Goal("2,000 tasks at 10 Hz: frames a second", of(many, "panel", "fps"), 55, unit=""),
        Goal("2,000 tasks at 10 Hz: commit to pixel, median", of(many, "panel", "ms"), 100, False, "ms"),
        Goal("2,000 tasks at 10 Hz: the kernel, of a core", of(many, "panel", "kernel"), 15, False, "%"),
        Goal("2,000 tasks at 10 Hz: messages a second", of(many, "panel", "messages"), 10, False, ""),
        Goal("500 tasks at 20 Hz: frames dropped in 4 s", of(few, "panel", "dropped"), 0, False, ""),
        Goal("idle: the kernel, of a core", of(idle, "alone", "kernel"), 1, False, "%"),
        Goal("idle, the worker started: the kernel, of a core", of(idle, "worker", "kernel"), 3, False, "%"),
        Goal("idle: messages a second", of(idle, "worker", "messages"), 0, False, ""),
        Goal("opening a notebook, over one with a button", Spread.of(more), 1, False, "s"),
    ]
    heads = ["", "frames a second", "dropped in 4 s", "to pixel, ms", "kernel, %", "messages a second", "kB a second"]
    whats = ["fps", "dropped", "ms", "kernel", "messages", "kB"]
    lines = [
        [f"{name}, {title}", *(of(results, name, what) for what in whats)]
        for title, results in (("2,000 at 10 Hz", many), ("500 at 20 Hz", few))
        for name in names
    ]
    note = (
        "Chromium without a graphics card, on the machine that also runs the kernel and the process that changes every"
        f" task in each transaction; load {report.load():.1f} at the end. A change is shown when the frame after the"
        " one that holds it begins. The *HTML table* is one ipywidgets.HTML, written anew by a thread that looks ten"
        " times a second; the server's limit of 1 MB/s is lifted for it."
    )
    return [
        Table(TITLE, ["what", "found", "aim", "reached"], [goal.row() for goal in goals], note),
        Table("The panel and a plain HTML table", heads, lines),
    ]


def _writer(path: str, hertz: float, seconds: float) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "benchmarks.panel_scene", path, str(hertz), str(seconds)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def _numbers(lines: str) -> Iterator[tuple[int, float]]:
    for line in lines.splitlines():
        number, at = line.split()
        yield int(number), float(at)


def _cpu(path: str) -> float:
    """Seconds of a core that the notebook's kernel has used."""
    import psutil

    times = psutil.Process(int(Path(f"{path}.pid").read_text())).cpu_times()
    return times.user + times.system


def _figures(found: dict, commits: dict[int, float]) -> dict[str, float]:
    frames = found["frames"]
    gaps = [after - before for before, after in pairwise(frames)]
    latencies = [at - 1000 * commits[number] for number, at in found["shown"][1:] if number in commits]
    return {
        "fps": 1000 * len(gaps) / (frames[-1] - frames[0]),
        "dropped": sum(round(gap / (1000 / 60)) - 1 for gap in gaps) * 4000 / (frames[-1] - frames[0]),
        "ms": median(latencies) if latencies else float("nan"),
    }


def main() -> None:
    for table in run("--quick" in sys.argv[1:]):
        print(table, end="\n\n")


if __name__ == "__main__":
    main()
