"""Likely mistakes that the text of an answer shows; reported beside what a check found, if the answer did not pass.

Each is a sentence with the line. Not covered: whether the slip is the cause; the check only found that something is
wrong.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from difflib import get_close_matches

from ..models import TaskStatus
from . import cell_parsing as cells
from .exercise import Exercise, function_of

MODELS = ("Task", "Order")
WORDS = ("process_payment", "pending", "running", "succeeded", "failed", "cancelled", "processing_task_id")
CLOSE = 0.86  # difflib's ratio from which a word counts as misspelt, as "canceled" and "process_payments" do
SQL = re.compile(r"\b(SELECT|UPDATE|INSERT|DELETE|WHERE|CREATE|AND)\b|=")
CONDITIONS = ("in_", "not_in", "is_", "is_not", "like", "between")
Found = Iterator[tuple[int, str]]  # lines, each with what is wrong there
OPERATORS = {ast.And: ("and", "&"), ast.Or: ("or", "|")}


def slips_in(source: str, exercise: Exercise, *, raised: bool = False) -> list[str]:
    """The slips in an answer, from the top down. raised: whether it ended in an error, so that it did not return."""
    try:
        tree = cells.parse(source)
        function = function_of(ast.unparse(tree), exercise.function)
    except (SyntaxError, ValueError):
        return []
    found = [*_python_for_sql(tree), *_misspelt(tree, exercise), *_assigned_outside(tree)]
    given = {argument.arg for argument in function.args.args}
    found += [*_times_as_text(tree, given), *_and_beside_or(tree)]
    found += [] if raised else _hidden_errors(tree)
    said = list(dict.fromkeys(f"Line {line}: {text}." for line, text in sorted(found)))
    if not raised and _returns(function_of(exercise.solution, exercise.function)) and not _returns(function):
        said.append(f"`{exercise.function}` has no `return` with a value.")
    return said


def _python_for_sql(tree: ast.Module) -> Found:
    """Python's `and`, `or`, `not`, `in` in a query: Python evaluates them before SQLAlchemy can see them."""
    models = {name for name, origin in cells.origins(tree).items() if origin.rpartition(".")[2] in MODELS}
    for node in ast.walk(tree):
        match node:
            case ast.Compare(left=left, ops=[ast.In() | ast.NotIn() as op, *_]) if _is_column(left, models):
                method = "in_" if isinstance(op, ast.In) else "not_in"
                yield node.lineno, f"`{ast.unparse(left)}` is a column: `col(…).{method}(…)`"
            case ast.Compare(left=left, ops=[ast.Is() | ast.IsNot() as op, *_]) if _is_column(left, models):
                method = "is_" if isinstance(op, ast.Is) else "is_not"
                yield node.lineno, f"Python decides `is` at once, before any SQL: `col(…).{method}(None)`"
            case ast.Compare(left=left, ops=[ast.Eq()], comparators=[ast.Tuple() | ast.List() | ast.Set()]) if (
                _is_column(left, models)
            ):
                yield node.lineno, "a column equals one value; for several: `col(…).in_(…)`"
            case ast.BoolOp(op=ast.And(), values=values) if (column := _one_column(values, models)) is not None:
                yield node.lineno, _never_both(column)
            case ast.BinOp(left=left, op=ast.BitAnd(), right=right) if (
                column := _one_column([left, right], models)
            ) is not None:
                yield node.lineno, _never_both(column)
            case ast.BoolOp(op=op, values=values) if any(_is_condition(value, models) for value in values):
                word, sign = OPERATORS[type(op)]
                text = f"Python's `{word}` keeps one of the two conditions: `(…) {sign} (…)`"
                yield node.lineno, text
            case ast.UnaryOp(op=ast.Not(), operand=operand) if _is_condition(operand, models):
                yield node.lineno, "Python decides `not` at once, before any SQL: `~(…)`"
            case ast.BinOp(left=left, op=ast.BitAnd() | ast.BitOr(), right=right) if isinstance(
                left, ast.Constant
            ) or _is_column(right, models):
                yield (
                    node.lineno,
                    "`&` and `|` bind before `==`: parentheses around each condition",
                )


def _one_column(values: list[ast.expr], models: set[str]) -> str | None:
    """The column, if each of these compares it for equality."""
    equalities = [value for value in values if isinstance(value, ast.Compare) and isinstance(value.ops[0], ast.Eq)]
    columns = [ast.unparse(value.left) for value in equalities if _is_column(value.left, models)]
    return columns[0] if len(columns) == len(values) and len(set(columns)) == 1 else None


def _never_both(column: str) -> str:
    return f"a row has one `{column}`, so it never equals both: `(…) | (…)`, or `col(…).in_(…)`"


def _is_column(node: ast.expr, models: set[str]) -> bool:
    match node:
        case ast.Attribute(value=ast.Name(id=name)):
            return name in models
        case ast.Call(func=ast.Name(id="col"), args=[column]):
            return _is_column(column, models)
    return False


def _is_condition(node: ast.expr, models: set[str]) -> bool:
    match node:
        case ast.Compare(left=left, comparators=[right, *_]):
            return _is_column(left, models) or _is_column(right, models)
        case ast.Call(func=ast.Attribute(value=column, attr=attr)):
            return attr in CONDITIONS and _is_column(column, models)
        case ast.BinOp(left=left, op=ast.BitAnd() | ast.BitOr(), right=right):
            return _is_condition(left, models) or _is_condition(right, models)
    return False


def _misspelt(tree: ast.Module, exercise: Exercise) -> Found:
    """Words that are nearly a word of the schema, except words in the exercise's own texts; and unknown statuses."""
    unknown = {word for word in _compared_with_a_status(tree) if word not in list(TaskStatus)}
    meant = f"{exercise.goal}{exercise.stub}{exercise.solution}"
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            words = re.findall(r"'(\w+)'", node.value) if SQL.search(node.value) else [node.value]
            for word in words:
                close = get_close_matches(word, WORDS, 1, CLOSE)
                if word in unknown and not close:
                    yield node.lineno, f"`{word}` is not a status; the statuses are {', '.join(TaskStatus)}"
                if close and word != close[0] and word not in meant:
                    yield (
                        node.lineno,
                        f"`{word}` found, which is nearly `{close[0]}`: a misspelling",
                    )


def _compared_with_a_status(tree: ast.Module) -> Iterator[str]:
    """The texts with which the status of a task is compared, in Python."""
    models = {name for name, origin in cells.origins(tree).items() if origin.rpartition(".")[2] == "Task"}
    for node in ast.walk(tree):
        match node:
            case ast.Compare(left=column, comparators=[values]):
                pass
            case ast.Call(func=ast.Attribute(value=column, attr="in_" | "not_in"), args=[values]):
                pass
            case _:
                continue
        if _is_column(column, models) and ast.unparse(column).rstrip(")").endswith(".status"):
            words = [leaf.value for leaf in ast.walk(values) if isinstance(leaf, ast.Constant)]
            yield from (word for word in words if isinstance(word, str))


def _hidden_errors(tree: ast.Module) -> Found:
    """`except Exception` that raises nothing: it hides a locked database, too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler) and not any(isinstance(leaf, ast.Raise) for leaf in ast.walk(node)):
            kind = ast.unparse(node.type) if node.type else ""
            if kind in ("", "Exception", "BaseException"):
                hides = f"`except{' ' * bool(kind)}{kind}` hides every error, a locked database's, too"
                yield node.lineno, f"{hides}: name the error that you expect"


def _times_as_text(tree: ast.Module, given: set[str]) -> Found:
    """Times that are written in another way than the table's, so that comparing them as text goes wrong."""
    times = given & {"before", "until"} and given & {"before", "now", "until"}  # elsewhere `now` is a number
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(attr="now" | "utcnow") | ast.Name(id="utc_now")) if "now" in times:
                yield node.lineno, "the time is given, as `now`"
                continue
            case ast.Dict(values=values) if (
                "text" in names
                and "DateTime" not in names
                and any(isinstance(value, ast.Name) and value.id in times for value in values)
            ):
                how = "`text()` writes a datetime with its zone"
            case ast.Call(func=ast.Attribute(attr="isoformat")):
                how = "`isoformat()` writes a zone, and a T unless told otherwise"
            case ast.Call(func=ast.Name(id="str"), args=[ast.Name(id="now" | "before" | "until")]):
                how = "`str()` of a time writes its zone"
            case ast.Call(func=ast.Attribute(attr="strftime"), args=[ast.Constant(value=str(form))]) if (
                "%f" not in form
            ):
                how = "without `%f` the fraction of the second is lost"
            case ast.Call(func=ast.Attribute(attr="replace"), keywords=[ast.keyword(arg="microsecond"), *_]):
                how = "the fraction of the second is thrown away"
            case _:
                continue
        stored = "times are stored as `2030-01-31 12:00:00.250000`, in UTC"
        yield node.lineno, f"{how}; {stored}. `bindparam(…, type_=DateTime())` writes a datetime so"


def _and_beside_or(tree: ast.Module) -> Found:
    """SQL in which an AND and an OR stand side by side, without parentheses."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and _mixes_and_with_or(node.value):
            yield node.lineno, "in SQL, AND binds before OR: parentheses around the OR"


def _mixes_and_with_or(sql: str) -> bool:
    joined: dict[int, set[str]] = defaultdict(set)  # by depth, the words that join the conditions of this clause
    depth, between = 0, False
    for word in re.findall(r"'[^']*'|[()]|\w+", sql.upper()):
        if word in ("(", "CASE"):
            depth += 1
            joined[depth] = set()
        elif word in (")", "END"):
            depth -= 1
        elif word in ("SELECT", "WHERE", "ON", "HAVING", "UNION"):
            joined[depth] = set()
        elif word == "BETWEEN":
            between = True
        elif word in ("AND", "OR"):
            if not (between and word == "AND"):
                joined[depth].add(word)
            between = False
        if len(joined[depth]) == 2:
            return True
    return False


def _assigned_outside(tree: ast.Module) -> Found:
    """Assignments to a row that was read in another session: no session writes them."""
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef):
            continue
        given = {argument.arg for argument in function.args.args} & {"order", "row"}
        names = [leaf for leaf in ast.walk(function) if isinstance(leaf, ast.Name)]
        bound = {leaf.id for leaf in names if isinstance(leaf.ctx, ast.Store)} | set(_added(function))
        for node in ast.walk(function):
            match node:
                case ast.Attribute(value=ast.Name(id=name), ctx=ast.Store()) if name in given - bound:
                    pass
                case ast.Call(func=ast.Name(id="setattr"), args=[ast.Name(id=name), *_]) if name in given - bound:
                    pass
                case ast.Call(func=ast.Attribute(attr="merge"), args=[ast.Name(id=name), *_]) if name in given:
                    old = f"`merge({name})` writes what was read long ago over the row as it is now"
                    yield node.lineno, f"{old}; read the row in this session"
                    continue
                case _:
                    continue
            text = f"`{name}` was read in another session, so an assignment to it is not written"
            yield node.lineno, f"{text}; use an UPDATE, or read the row in this session"


def _added(function: ast.FunctionDef) -> Iterator[str]:
    """The names that the function hands to a session, which then writes what is assigned to them."""
    for node in ast.walk(function):
        match node:
            case ast.Call(func=ast.Attribute(attr="add" | "add_all" | "refresh"), args=arguments):
                yield from (leaf.id for each in arguments for leaf in ast.walk(each) if isinstance(leaf, ast.Name))


def _returns(function: ast.AST) -> bool:
    """Whether the function returns a value anywhere, not counting nested functions."""
    for node in ast.iter_child_nodes(function):
        if isinstance(node, ast.Return) and node.value is not None:
            return True
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) and _returns(node):
            return True
    return False
