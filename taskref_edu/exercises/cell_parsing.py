"""What stands in a cell: the exercises it answers, and the names it binds. Read with `ast`, never run.

The id in the decorator is all that ties a cell to its exercise. Lines that only IPython understands are
blanked, so that the line numbers stay those of the cell.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

# A cell magic that runs the rest of the cell as Python; under any other, the rest is not Python.
TRANSPARENT = re.compile(r"\A\s*%%(time|timeit|capture|prun)\b")
MAGIC = re.compile(r"^\s*[%!].*|^\s*\?.*|.*\?\s*$|^\s*\w+\s*=\s*[%!].*")
NAMED = re.compile(r"^@exercise\(\s*[\"']([^\"']+)[\"']", re.MULTILINE)
Imports = list[ast.Import | ast.ImportFrom]
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Answer:
    """A function under `@exercise(id)` in a cell."""

    id: str
    function: Function


def parse(text: str) -> ast.Module:
    """The cell as a syntax tree; raises SyntaxError with the cell's line number."""
    if text.lstrip().startswith("%%"):
        first, _, rest = text.partition("\n")
        text = "\n" + rest if TRANSPARENT.match(first) else ""
    try:
        return ast.parse(text)
    except SyntaxError:
        without = "\n".join(_without_magic(line) for line in text.split("\n"))
        if without == text:
            raise
        return ast.parse(without)


def _without_magic(line: str) -> str:
    indent = line[: len(line) - len(line.lstrip())]
    return f"{indent}pass" if MAGIC.match(line) else line


def answers(tree: ast.Module) -> list[Answer]:
    """The exercises that a cell answers, in its order."""
    return [
        Answer(id, node)
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for id in map(_exercise_id, node.decorator_list)
        if id is not None
    ]


def ids_in(text: str) -> list[str]:
    """The ids of a cell's exercises, found even where the cell cannot be parsed."""
    try:
        return [answer.id for answer in answers(parse(text))]
    except (SyntaxError, ValueError):  # ValueError: a null byte
        return NAMED.findall(text)


def _exercise_id(decorator: ast.expr) -> str | None:
    match decorator:
        case ast.Call(
            func=ast.Name(id="exercise") | ast.Attribute(attr="exercise"), args=[ast.Constant(value=str(id)), *_]
        ):
            return id
    return None


def imports(tree: ast.Module) -> Imports:
    """The imports at the top level of a cell, also those under `try` and `if`."""
    return [node for node in _top_level(tree.body) if isinstance(node, ast.Import | ast.ImportFrom)]


def _top_level(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    for node in body:
        yield node
        if isinstance(node, ast.Try | ast.If | ast.With | ast.For | ast.While):
            yield from _top_level([child for child in ast.iter_child_nodes(node) if isinstance(child, ast.stmt)])


def origins(tree: ast.Module) -> dict[str, str]:
    """What each imported name is: `{"select": "sqlmodel.select", "json": "json"}`."""
    found = {}
    for node in imports(tree):
        module = f"{node.module or ''}." if isinstance(node, ast.ImportFrom) else ""
        for alias in node.names:
            found[alias.asname or alias.name] = f"{module}{alias.name}"
    return found


def bound_names(tree: ast.Module) -> set[str]:
    """The names that a cell binds at its top level, imports left out."""
    names = set()
    for node in _top_level(tree.body):
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
            names.add(node.name)
        elif not isinstance(node, ast.Import | ast.ImportFrom):
            names |= {leaf.id for leaf in _outside_functions(node) if isinstance(leaf.ctx, ast.Store)}
    return names


def used_names(tree: ast.Module) -> set[str]:
    """Every name that a cell reads, anywhere."""
    return {leaf.id for leaf in ast.walk(tree) if isinstance(leaf, ast.Name) and isinstance(leaf.ctx, ast.Load)}


def _outside_functions(node: ast.AST) -> Iterator[ast.Name]:
    if isinstance(node, ast.Name):
        yield node
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef | ast.stmt):
            yield from _outside_functions(child)


def same_body(one: Function, other: Function) -> bool:
    """Whether two functions have the same body, their docstrings aside."""
    return [ast.dump(node) for node in _body(one)] == [ast.dump(node) for node in _body(other)]


def _body(function: Function) -> list[ast.stmt]:
    body = function.body
    if ast.get_docstring(function, clean=False) is not None:
        body = body[1:]
    return body or [ast.Expr(ast.Constant(...))]
