"""From a cell's text to the learner's function: the loader that notebook and terminal share.

It runs the imports of all cells, then this cell's imports, functions, classes and constants, in a new namespace.
Nothing else of the notebook exists there, so a check cannot pass because of what an earlier cell left behind.
"""

from __future__ import annotations
import __future__

import ast
import builtins
import functools
import linecache
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from . import cell_parsing as cells
from .exercise import Exercise, function_of


class NotAllowed(Exception):
    """The learner's code used what a check cannot provide: the keyboard, or IPython. args: what, and what to do."""

    def __str__(self) -> str:
        return str(self.args[0])


@dataclass(frozen=True)
class Attempt:
    """The text of one answer, and what it may rely on.

    imports: the import statements of all cells of the notebook, as text.
    elsewhere: names that other cells bind, for the message when one is missing.
    place: what the cell is called in messages.
    """

    id: str
    source: str
    imports: tuple[str, ...] = ()
    elsewhere: frozenset[str] = frozenset()
    place: str = "your cell"

    @property
    def filename(self) -> str:
        """The file name of the compiled code; tracebacks are reduced to its frames."""
        return f"<exercise {self.id}>"

    @property
    def statements(self) -> list[ast.stmt]:
        """The import statements of the other cells."""
        return [statement for line in self.imports for statement in ast.parse(line).body]

    @property
    def functions(self) -> list[cells.Function]:
        """The functions that answer the exercise, from the top down. Raises an error of UNREADABLE."""
        return cells.functions_of(self.id, self.source, self.statements)


def attempt_from(id: str, source: str, other_cells: Iterable[str], place: str = "your cell") -> Attempt:
    """An attempt in a notebook with these other cells.

    Cells that are not Python are ignored, as are cells that answer the same exercise: in a kernel, these are earlier
    versions of this cell, and an import that was deleted from it must be missing, as it will be in the file.
    """
    lines: dict[str, None] = {}
    names: set[str] = set()
    for text in other_cells:
        answered, imported, bound = _read(text)
        if id not in answered:
            lines.update(dict.fromkeys(imported))
            names |= bound
    return Attempt(id, source, tuple(lines), frozenset(names), place)


def imports_of(texts: Iterable[str]) -> list[ast.stmt]:
    """The import statements of these cells."""
    return [statement for text in texts for line in _read(text)[1] for statement in ast.parse(line).body]


@functools.lru_cache(maxsize=2000)  # a kernel's history is read again after each cell
def _read(text: str) -> tuple[list[str], list[str], set[str]]:
    """The exercises that a cell answers, its imports, and the names it binds."""
    try:
        tree = cells.parse(text)
    except cells.UNREADABLE:
        return [], [], set()
    imported = [ast.unparse(node) for node in cells.imports(tree)]
    return [id for id, _ in cells.answers(tree)], imported, cells.bound_names(tree)


def why_not_checked(attempt: Attempt, function: str) -> str:
    """A sentence if the cell's function cannot be found by its decorator; empty if the check can say more."""
    if attempt.id in cells.ids_in(attempt.source, attempt.statements):
        return ""
    found = [stray.why for stray in cells.strays(attempt.source, attempt.statements) if stray.id == attempt.id]
    if not found and f"def {function}(" in attempt.source:
        found = [f'The cell has no line `@exercise("{attempt.id}")`: write it above the `def`.']
    return found[0] if found else ""


def is_attempted(exercise: Exercise, source: str, imported: Iterable[ast.AST] = ()) -> bool:
    """Whether the function's body differs from the stub's, ignoring docstrings. A syntax error is an attempt."""
    try:
        functions = cells.functions_of(exercise.id, source, imported)
    except cells.UNREADABLE:
        return True
    return not functions or not cells.same_body(functions[-1], function_of(exercise.stub))


def load(attempt: Attempt) -> Callable[..., Any]:
    """The function, after running the attempt's imports and definitions. Raises their errors, with the cell's own line
    numbers.
    """
    tree = cells.parse(attempt.source)
    namespace: dict[str, Any] = {"__name__": "__main__", "__builtins__": _builtins()}
    for line in attempt.imports:
        try:
            exec(compile(line, "<imports>", "exec"), namespace)
        except Exception:  # a failing import of another cell does not concern this one
            continue
    text = attempt.source
    linecache.cache[attempt.filename] = (len(text), None, text.splitlines(keepends=True), attempt.filename)
    for node in _definitions(tree, namespace):
        code = compile(ast.Module([node], []), attempt.filename, "exec", _future(tree), dont_inherit=True)
        exec(code, namespace)
    return namespace[attempt.functions[-1].name]


def _future(tree: ast.Module) -> int:
    """The compiler flags of the cell's `from __future__ import …`."""
    names = [
        name.name for node in cells.imports(tree) for name in node.names if vars(node).get("module") == "__future__"
    ]
    return sum({getattr(__future__, name).compiler_flag for name in names if name in __future__.all_feature_names})


def _definitions(tree: ast.Module, namespace: dict[str, Any]) -> Iterable[ast.stmt]:
    """Imports, functions, classes and constants. A constant is an assignment that uses only names defined before it."""
    for node in tree.body:
        match node:
            case ast.Import() | ast.ImportFrom() | ast.FunctionDef() | ast.ClassDef() | ast.AsyncFunctionDef():
                yield node
            case ast.Try() | ast.If() if _only_imports(node):
                yield node
            case ast.Assign(value=value) | ast.AnnAssign(value=ast.expr() as value):
                if _known(value, namespace) and not _calls_an_answer(value, tree):
                    yield node


def _only_imports(node: ast.stmt) -> bool:
    """Whether a `try` or an `if` contains only imports: of one of two libraries, or for a type checker."""
    inner = [child for child in ast.walk(node) if isinstance(child, ast.stmt) and child is not node]
    return all(isinstance(child, ast.Import | ast.ImportFrom | ast.Pass) for child in inner)


def _known(value: ast.expr, namespace: dict[str, Any]) -> bool:
    names = [leaf for leaf in ast.walk(value) if isinstance(leaf, ast.Name)]
    made_here = {leaf.id for leaf in names if isinstance(leaf.ctx, ast.Store)}
    made_here |= {leaf.arg for leaf in ast.walk(value) if isinstance(leaf, ast.arg)}
    return all(leaf.id in namespace or leaf.id in made_here or hasattr(builtins, leaf.id) for leaf in names)


def _calls_an_answer(value: ast.expr, tree: ast.Module) -> bool:
    own = {function.name for _, function in cells.answers(tree)}
    return any(isinstance(leaf, ast.Name) and leaf.id in own for leaf in ast.walk(value))


def _builtins() -> dict[str, Any]:
    """Python's builtins, except those that would wait for the keyboard, end the kernel, or need IPython."""

    def refuse(*_: Any, **__: Any) -> None:
        step = "input() found in an exercise; a check cannot type: take what you need from the parameters."
        raise NotAllowed("The code waits for the keyboard", step)

    def refuse_magic() -> None:
        raise NotAllowed(
            "The code runs a magic (`%…`, `!…` or `…?`)", "A check runs without IPython: write it in Python."
        )

    def leave(code: object = None) -> None:
        raise SystemExit(code)

    changed: dict[str, Any] = {"input": refuse, "breakpoint": refuse, "exit": leave, "quit": leave}
    return {**vars(builtins), **changed, "get_ipython": refuse_magic}
