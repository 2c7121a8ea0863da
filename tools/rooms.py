"""Reads the package's imports, and draws its rooms from them: docs/pictures/rooms.svg, shown by docs/architecture.md.

    python tools/rooms.py            draws the picture anew
    python tools/rooms.py --lines    prints the lines of each room, and of its largest module

A room is a folder of the package, or a module that lies beside the folders. Of the arrows between rooms the picture
shows those that do not follow from others.
"""

from __future__ import annotations

import ast
import sys
from functools import cache
from html import escape
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1] / "taskref_edu"
PICTURE = PACKAGE.parent / "docs" / "pictures" / "rooms.svg"
FACE = "__init__"

# From left to right, where rooms lie beside each other.
QUESTIONS = {
    "cli": "the taskref command",
    "grading": "how is a class graded?",
    "series": "how are notebooks built?",
    "exercises": "is the answer right?",
    "beyond": "PostgreSQL, Procrastinate",
    "widgets": "show a queue, drive it",
    "lab": "what happens under every interleaving and crash?",
    "approaches": "the lesson: classic, inverted",
    "worker": "who runs tasks, and when?",
    "queue": "enqueue, claim, complete, cancel",
    "database": "open it, read it, write it",
    "schema": "what the database itself enforces",
    "clearing_trigger": "who clears a reference?",
    "clone": "where is the clone?",
    "errors": "what can go wrong?",
    "models": "what is a task?",
    "arguments": "what may a caller pass?",
    "former_names": "imports of older notebooks",
    "lazy_imports": "imports at first use",
}

Graph = dict[str, set[str]]


def files() -> dict[str, Path]:
    """The package's files by the name under which they are imported: `queue.task_queue`, `queue.__init__`."""
    found = PACKAGE.rglob("*.py")
    return {".".join(path.relative_to(PACKAGE).with_suffix("").parts): path for path in found}


def room(file: str) -> str:
    """The room of a file."""
    return file.split(".")[0]


@cache
def imports() -> Graph:
    """For each file the files that it imports, wherever in it, relative or absolute, also for types only."""
    known = files()
    return {name: _imports_of(name, path, known) for name, path in known.items()}


def _imports_of(name: str, path: Path, known: dict[str, Path]) -> set[str]:
    found: set[str] = set()
    package = ["taskref_edu", *name.split(".")[:-1]]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            for alias in node.names:  # a file of that room, or a name out of the file or the room's face
                file = f"{module}.{alias.name}"
                found.add(file if _file_of(file, known) else module)
    return {file for each in found if (file := _file_of(each, known))} - {name}


def _file_of(module: str, known: dict[str, Path]) -> str | None:
    """The file behind `taskref_edu.queue.task_queue`, or behind a room's name; None if it is none of ours."""
    if module.split(".")[0] != "taskref_edu":
        return None
    inside = module.removeprefix("taskref_edu").removeprefix(".")
    return next((file for file in (inside, f"{inside}.{FACE}".removeprefix(".")) if file in known), None)


def rooms() -> Graph:
    """For each room the other rooms that it imports. The package's own face is no room."""
    graph: Graph = {}
    for name, others in imports().items():
        if room(name) != FACE:
            graph.setdefault(room(name), set()).update(room(other) for other in others)
    return {name: others - {name, FACE} for name, others in graph.items()}


def layers(graph: Graph) -> list[list[str]]:
    """The rooms from the ground up: each one lies above all that it imports. RecursionError for a circle."""

    def level(name: str) -> int:
        return 1 + max(map(level, graph[name]), default=-1)

    levels = {name: level(name) for name in graph}
    place = list(QUESTIONS).index
    rows: list[list[str]] = [[] for _ in range(max(levels.values()) + 1)]
    for name in sorted(graph, key=place):
        rows[levels[name]].append(name)
    return rows


def without_shortcuts(graph: Graph) -> Graph:
    """The arrows that do not follow from others."""

    def below(name: str) -> set[str]:
        return graph[name].union(*map(below, graph[name]))

    return {name: {o for o in others if not any(o in below(b) for b in others)} for name, others in graph.items()}


# --- the picture ---------------------------------------------------------------------------------

WIDTH, HEIGHT, ROW, GAP, EDGE = 920, 44, 78, 16, 24
STYLE = """
    .sheet { fill: #ffffff; stroke: #d0d7de; } .room { fill: #f6f8fa; stroke: #8c959f; }
    .lesson { fill: #e7efff; stroke: #1d4ed8; }
    .name { fill: #1f2328; font-family: ui-monospace, monospace; font-size: 14px; font-weight: 600; }
    .what { fill: #57606a; font-size: 12px; } .arrow { fill: none; stroke: #8c959f; stroke-width: 1.3; }
    .tip { fill: #8c959f; }
    @media (prefers-color-scheme: dark) {
      .sheet { fill: #161b22; stroke: #30363d; } .room { fill: #1f2630; stroke: #6e7681; }
      .lesson { fill: #172644; stroke: #93c5fd; }
      .name { fill: #e6edf3; } .what { fill: #9da7b1; } .arrow { stroke: #6e7681; } .tip { fill: #6e7681; }
    }
  """


def picture(graph: Graph) -> str:
    """The rooms as SVG: a row for each layer, the ground at the bottom."""
    rows = list(reversed(layers(graph)))
    boxes = {name: box for number, names in enumerate(rows) for name, box in _row(number, names)}
    height = EDGE * 2 + ROW * (len(rows) - 1) + HEIGHT
    words = "; ".join(f"{', '.join(names)}" for names in rows)
    arrows = [(boxes[name], boxes[o]) for name, others in without_shortcuts(graph).items() for o in sorted(others)]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
        ' role="img" aria-labelledby="title desc" font-family="system-ui, sans-serif">',
        '<title id="title">The rooms of taskref_edu, each above those that it imports</title>',
        f'<desc id="desc">From the top down: {escape(words)}.</desc>',
        f"<style>{STYLE}</style>",
        '<defs><marker id="tip" markerWidth="8" markerHeight="8" refX="7" refY="4" orient="auto">'
        '<path class="tip" d="M 0 1 L 7 4 L 0 7 z"/></marker></defs>',
        f'<rect class="sheet" x="1" y="1" width="{WIDTH - 2}" height="{height - 2}" rx="10"/>',
        *(_arrow(*ends) for ends in sorted(arrows)),
        *(part for name, box in boxes.items() for part in _room(name, box)),
    ]
    return "\n  ".join(parts) + "\n</svg>\n"


Box = tuple[float, float, float]  # left, top, width


def _row(number: int, names: list[str]) -> list[tuple[str, Box]]:
    widths = [max(150.0, 34 + 6.2 * max(len(QUESTIONS[name]), len(name) * 1.4)) for name in names]
    left = (WIDTH - sum(widths) - GAP * (len(names) - 1)) / 2
    found = []
    for name, width in zip(names, widths, strict=True):
        found.append((name, (round(left, 1), EDGE + ROW * number, round(width, 1))))
        left += width + GAP
    return found


def _arrow(above: Box, below: Box) -> str:
    (x, y, width), (to_x, to_y, to_width) = above, below
    end = to_x + to_width / 2
    if to_y - y > ROW:  # past the rooms of the layer between: out at the side, then down
        side, turn = (x, end + 8) if end < x else (x + width, end - 8)
        half = y + HEIGHT / 2
        way = f"M {side:.0f} {half:.0f} H {turn:.0f} Q {end:.0f} {half:.0f}, {end:.0f} {half + 8:.0f} V {to_y - 2:.0f}"
        return f'<path class="arrow" marker-end="url(#tip)" d="{way}"/>'
    start, middle = x + width / 2, (y + HEIGHT + to_y) / 2
    turn = f"C {start:.0f} {middle:.0f}, {end:.0f} {middle:.0f}, {end:.0f} {to_y - 2:.0f}"
    return f'<path class="arrow" marker-end="url(#tip)" d="M {start:.0f} {y + HEIGHT:.0f} {turn}"/>'


def _room(name: str, box: Box) -> list[str]:
    x, y, width = box
    kind = "lesson" if name == "approaches" else "room"
    shown = name if (PACKAGE / name).is_dir() else f"{name}.py"
    return [
        f'<rect class="{kind}" x="{x}" y="{y}" width="{width}" height="{HEIGHT}" rx="7"/>',
        f'<text class="name" x="{x + 14}" y="{y + 19}">{shown}</text>',
        f'<text class="what" x="{x + 14}" y="{y + 35}">{escape(QUESTIONS[name])}</text>',
    ]


def lines() -> str:
    """Lines of each room, how many modules it has, and its largest one."""
    counted: dict[str, list[tuple[int, str]]] = {}
    for name, path in files().items():
        counted.setdefault(room(name), []).append((len(path.read_text(encoding="utf-8").splitlines()), name))
    rows = [(sum(n for n, _ in found), name, len(found), max(found)) for name, found in counted.items()]
    text = [
        f"{n:>6,}  {name:<12} {count:>3} modules, largest {big[1]} {big[0]}" for n, name, count, big in sorted(rows)
    ]
    return "\n".join([*text, f"{sum(row[0] for row in rows):>6,}  in all"])


if __name__ == "__main__":
    if sys.argv[1:] == ["--lines"]:
        print(lines())
    else:
        PICTURE.write_text(picture(rooms()), encoding="utf-8")
        print(PICTURE)
