"""Finds the exercises that a cell answers, and the names that it binds. The cell is read with `ast`, never run.

Only the id in the decorator connects a cell with its exercise. IPython's own transformer converts magics, line by line
in place, so that line numbers stay those of the cell. A use of `exercise` that cannot be checked is a stray, with a
sentence that says why: it is never ignored silently.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

# Cell magics whose cell does not run as Python in this kernel. Under all others (%%time, %%memit, …) it does.
ELSEWHERE = re.compile(
    "!|bash|cmd|file|html|javascript|js|latex|markdown|perl|pypy|python[23]?|R|ruby|script|sh|skip|sql|svg|sx|system"
    "|writefile"
)
CELL_MAGIC = re.compile(r"%%(\w+|!)(?!\?)")
ID = re.compile(r"\d+\.\d+\Z")
# An id in text that may not be Python: after a prompt, in typographic quotes, or without quotes.
NAMED = re.compile(r"^(?:In \[\d+\]:)?[ \t>.]*@[\w.]+\(\s*(?:id\s*=\s*)?[^\w\s]?(\d+\.\d+)(?![\w.])", re.MULTILINE)
UNREADABLE = (SyntaxError, ValueError, RecursionError, MemoryError)  # what parse() raises
TRANSFORMS = 500  # magics of one cell that are converted
Imports = list[ast.Import | ast.ImportFrom]
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Stray:
    """A use of `exercise` that cannot be checked, and why. id: None if it is not a literal."""

    id: str | None
    why: str


def parse(text: str) -> ast.Module:
    """The cell as a syntax tree; raises SyntaxError with the cell's line number, or another of UNREADABLE."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # such as that of an invalid escape, which pytest may turn into an error
        try:
            return ast.parse(text)
        except SyntaxError:
            python = as_python(text)
            if python == text:
                raise
            return ast.parse(python)


def as_python(text: str) -> str:
    """The cell as IPython runs it, with the same line numbers; unchanged without IPython."""
    try:
        from IPython.core.inputtransformer2 import TransformerManager, classic_prompt, ipython_prompt, leading_indent
    except ImportError:
        return text
    lines = f"{text}\n".splitlines(keepends=True)
    blank = next((number for number, line in enumerate(lines) if line.strip()), len(lines))
    lines = lines[blank:]
    for transform in (leading_indent, classic_prompt, ipython_prompt):
        lines = transform(lines)
    if lines and (magic := CELL_MAGIC.match(lines[0])):
        body = "" if ELSEWHERE.fullmatch(magic[1]) else "".join(lines[1:])
        return "\n" * (blank + 1) + (body if not body or _is_python(body) else as_python(body))
    manager = TransformerManager()
    for _ in range(TRANSFORMS):
        changed, after = manager.do_one_token_transform(lines)
        if not changed:
            break
        # A magic over several lines becomes one line: blank lines keep the line numbers below it.
        place = next(
            (n for n, pair in enumerate(zip(lines, after, strict=False)) if pair[0] != pair[1]), len(after) - 1
        )
        lines = [*after[: place + 1], *["\n"] * (len(lines) - len(after)), *after[place + 1 :]]
    return "\n" * blank + "".join(lines)


def _is_python(text: str) -> bool:
    try:
        ast.parse(text)
    except SyntaxError:
        return False
    return True


def decorator_names(imported: Iterable[ast.AST]) -> frozenset[str]:
    """The names of our decorator after these statements: `exercise`, and those from `import … as` or `=`."""
    names = {"exercise"}
    for node in imported:
        if isinstance(node, ast.ImportFrom) and (node.module or "").endswith("exercises"):
            names |= {alias.asname or alias.name for alias in node.names if alias.name == "exercise"}
        elif isinstance(node, ast.Assign) and _is_exercise(node.value, frozenset(names)):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return frozenset(names)


def _is_exercise(node: ast.expr, names: frozenset[str]) -> bool:
    match node:
        case ast.Name(id=name):
            return name in names
        case ast.Attribute(attr="exercise"):
            return True
    return False


def answers(tree: ast.Module, imported: Iterable[ast.AST] = ()) -> list[tuple[str, Function]]:
    """The ids of the exercises that a cell answers, from the top down, each with the function below it.

    imported: the import statements of other cells.
    """
    names = decorator_names([*imported, *tree.body])
    return [
        (id, node)
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for decorator in node.decorator_list
        if isinstance(decorator, ast.Call) and _is_exercise(decorator.func, names)
        if (id := _id_of(decorator)) is not None
    ]


def functions_of(id: str, text: str, imported: Iterable[ast.AST] = ()) -> list[Function]:
    """The functions in a cell that answer this exercise, from the top down. Raises an error of UNREADABLE."""
    return [function for answered, function in answers(parse(text), imported) if answered == id]


def _id_of(call: ast.Call) -> str | None:
    given = [*call.args[:1], *(keyword.value for keyword in call.keywords if keyword.arg == "id")]
    match given:
        case [ast.Constant(value=str(id))]:
            return id
    return None


def strays(text: str, imported: Iterable[ast.AST] = ()) -> list[Stray]:
    """The uses of `exercise` in a cell that answer no exercise, each with the reason."""
    stripped = text.lstrip()
    magic = CELL_MAGIC.match(stripped)
    if magic and ELSEWHERE.fullmatch(magic[1]):
        why = f"The cell begins with `{magic[0]}`, which does not run it as Python here: take that line away."
        return [Stray(id, why) for id in NAMED.findall(text)]
    try:
        tree = parse(text)
    except UNREADABLE:  # ids_in() finds literal ids, and their check says what is wrong
        return []
    answered = {id for id, _ in answers(tree, imported)}
    names = decorator_names([*imported, *tree.body])
    # `progress.exercise(…)`, or a function of the learner's own with that name, is no use of ours.
    return [Stray(id, why) for id, why in _strays(tree, names) if id not in answered and (id is None or ID.match(id))]


def _strays(tree: ast.Module, names: frozenset[str]) -> Iterator[tuple[str | None, str]]:
    seen: set[ast.AST] = set()
    for node in ast.walk(tree):
        for decorator in getattr(node, "decorator_list", ()):
            if isinstance(decorator, ast.Call) and _is_exercise(decorator.func, names):
                seen.add(decorator)
                if why := _why_not(node, node in tree.body, _id_of(decorator)):
                    yield _id_of(decorator), why
            elif _is_exercise(decorator, names):
                yield None, '`@exercise` has no id: write the exercise\'s id in quotes, as in `@exercise("1.1")`.'
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or node in seen or not _is_exercise(node.func, names):
            continue
        if (id := _id_of(node)) is not None:
            yield id, "`exercise(…)` is not used as a decorator here: write `@exercise(…)` on the line above a `def`."


def _why_not(node: ast.AST, top: bool, id: str | None) -> str:
    if id is None:
        return 'The exercise\'s id is not written out: write it in quotes, as in `@exercise("1.1")`.'
    if isinstance(node, ast.ClassDef):
        return "A class found; the check calls a function: write `def`."
    return "" if top else "The function stands inside another block: move it to the left edge of the cell."


def ids_in(text: str, imported: Iterable[ast.AST] = ()) -> list[str]:
    """The ids of a cell's exercises, even if the cell cannot be parsed."""
    try:
        return [id for id, _ in answers(parse(text), imported)]
    except UNREADABLE:
        return NAMED.findall(text)


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
    """The names that a cell binds at its top level, without imports."""
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
    """Whether two functions have the same body, ignoring docstrings."""
    return [ast.dump(node) for node in _body(one)] == [ast.dump(node) for node in _body(other)]


def _body(function: Function) -> list[ast.stmt]:
    body = function.body
    if ast.get_docstring(function, clean=False) is not None:
        body = body[1:]
    return body or [ast.Expr(ast.Constant(...))]
