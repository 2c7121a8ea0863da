"""RESULTS.md and its charts, written by the run. No figure in them is typed by hand."""

from __future__ import annotations

import os
import platform
import re
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from taskref_edu.lab.charts import growth

from .rounds import Table

FOLDER = Path(__file__).parent
Peers = Mapping[str, Mapping[str, float]]  # name -> enqueue and drain, as parts of the bare loop
COLOURS = {"enqueue": "#0072B2", "drain": "#D55E00"}  # after Okabe and Ito
INTRODUCTION = """# What was measured

Written by `make bench`. The machine was shared with other work: trust ratios, which are taken within a round in which
all contestants took their turn, and look at the quartiles in brackets before trusting the last digit.
"""


def machine(load_before: float) -> Table:
    """What it ran on: no names of hosts, users or folders."""
    load = f"{load_before:.1f} before, {os.getloadavg()[0]:.1f} after" if hasattr(os, "getloadavg") else "unknown"
    rows = [
        ("processor", _processor()),
        ("cores", os.cpu_count()),
        ("load", load),
        ("system", f"{platform.system()} {platform.machine()}"),
        ("Python", platform.python_version()),
        ("SQLite", sqlite3.sqlite_version),
        *((package, version(package)) for package in ("sqlmodel", "SQLAlchemy", "taskref_edu")),
    ]
    return Table("Machine and versions", ["", ""], [list(row) for row in rows])


def load() -> float:
    """How busy the machine is."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0


@dataclass
class Report:
    """What one run measured: tables, and by part what its chart shows."""

    tables: list[Table] = field(default_factory=list)
    charts: dict[str, Any] = field(default_factory=dict)


def write(results: Report, folder: Path = FOLDER, *, keep: bool = False) -> None:
    """Write RESULTS.md and its pictures into `folder`; keep: also what an earlier run wrote and this one left out."""
    path = folder / "RESULTS.md"
    sections = _sections(path.read_text(encoding="utf-8")) if keep and path.exists() else {}
    if sections:  # the machine is the same; when it was how busy is said beside the figures
        ours, *others = results.tables
        load = next(value for name, value in ours.rows if name == "load")
        note = f"Measured alone, after the rest; load {load}."
        results.tables = [replace(table, note=f"{note} {table.note}".strip()) for table in others]
    sections |= {table.title: table.markdown() for table in results.tables}
    for name, (part, draw, alt) in CHARTS.items():
        if results.charts.get(part):
            (folder / name).write_text(draw(results.charts[part]), encoding="utf-8")
            sections[name] = f"![{alt}]({name})"
    pictures = [sections.pop(name) for name in CHARTS if name in sections]
    path.write_text("\n\n".join([INTRODUCTION, *pictures, *sections.values()]) + "\n", encoding="utf-8")


def _sections(text: str) -> dict[str, str]:
    """The tables and pictures of a RESULTS.md, by title and by name."""
    head, *tables = text.rstrip().split("\n\n## ")
    pictures = {name: line for line in head.splitlines() for name in CHARTS if line.endswith(f"({name})")}
    return pictures | {table.partition("\n")[0]: f"## {table}" for table in tables}


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*:\s*(.+)", info.read_text()) if info.exists() else None
    return found[1] if found else platform.processor() or platform.machine()


def _growth(steps: Mapping[str, Any]) -> str:
    series = {name.replace(", ", ": "): at for name, at in steps["duplicate check"].items()}
    alt = "Classic's duplicate check grows with the number of orders unless it has an index; inverted's stays flat."
    return _on_white(growth("VM steps of a duplicate check", x="orders", series=series, alt=alt).svg)


def _bars(peers: Peers) -> str:
    from io import StringIO

    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "peers", "font.family": "sans-serif", "font.size": 11}):
        figure = Figure(figsize=(8.2, 0.55 * len(peers) + 1.2), layout="constrained", facecolor="white")
        axes = figure.add_subplot()
        for shift, (what, colour) in zip((-0.2, 0.2), COLOURS.items(), strict=True):
            places = [number + shift for number in range(len(peers))]
            bars = axes.barh(places, [figures[what] for figures in peers.values()], 0.38, color=colour, label=what)
            axes.bar_label(bars, fmt="%.2f", padding=3)
        axes.set_yticks(range(len(peers)), list(peers))
        axes.invert_yaxis()
        axes.axvline(1, color="black", linewidth=1, linestyle=":")
        axes.set_xlabel("times a bare loop written by hand (dotted)")
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, loc="lower right")
        out = StringIO()
        figure.savefig(out, format="svg", metadata={"Date": None})
    return out.getvalue()


def _on_white(svg: str) -> str:
    """A picture made for a page of either theme, as a file that is shown on any."""
    return svg.replace('style="max-width', 'style="background:white;max-width', 1)


# File, the part that it belongs to, how it is drawn, and what it shows.
CHARTS = {
    "peers.svg": ("peers", _bars, "Enqueue and drain of each queue, as a part of a loop written by hand"),
    "growth.svg": ("references", _growth, "VM steps of a duplicate check over the number of orders"),
}
