"""Mutants of an answer: one small change each, in its Python (by `ast`) or in its SQL (by sqlglot).

The changes are those that engineers make by mistake: a forgotten statement, condition, LIMIT or RETURNING; a condition
too many; and for or; a constant off by one, or another word of the schema; a value that was seen in a message in place
of a parameter; a commit that is not theirs; an early return on the object in hand.
"""

from __future__ import annotations

import ast
import copy
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import sqlglot
from sqlglot import exp

STATUSES = ["pending", "running", "succeeded", "failed", "cancelled"]
WORDS = [STATUSES, ["process_payment", "refund"], ["duplicate", "error", "neither"]]
WORDS += [["refused", "failed", "lost", "paid", "stranger"], ["classic", "inverted", "both", "neither"]]
WORDS += [["unchanged", "cleared", "deleted"]]
# Conditions to add, by the model that a query is about.
CONDITIONS = {
    "Task": [
        "Task.status == 'pending'",
        "Task.attempt == 0",
        "Task.cancel_requested_at == None",
        "Task.lease_token < 2",
        "Task.id < 10",
        "Task.type == 'process_payment'",
        "Task.error == None",
        "Task.started_at == None",
    ],
    "Order": ["Order.id < 10", "Order.amount > 100", "Order.status == 'new'", "Order.customer != 'Bob'"],
}
SQL_CONDITIONS = {
    "task": ["status = 'pending'", "attempt = 0", "cancel_requested_at IS NULL", "lease_token < 2", "id < 10"],
    "orders": ["id < 10", "amount > 100", "status = 'new'"],
    "job": ["status = 'running'", "token < 2", "worker = 'ann'", "id = 1"],
    "account": ["balance = 0"],
}
OPPOSITE: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
METHODS = {"is_": "is_not", "is_not": "is_", "in_": "not_in", "not_in": "in_", "one": "first", "one_or_none": "first"}
METHODS |= {"scalar_one_or_none": "scalar", "first": "all", "rowcount": "lastrowid", "get_one": "get"}
CHAINED = ("limit", "order_by", "returning", "with_for_update", "distinct", "on_conflict_do_nothing", "where")
GIVEN = {"order": ["id"], "row": ["id"], "task": ["id", "token", "worker"], "message": ["id", "amount"]}
ENDINGS = ["session.commit()", "session.rollback()", "session.close()", "session.flush()", "session.expire_all()"]
EARLY = [
    "if order.processing_task_id is not None: return None",
    "if order.processing_task_id is None: return None",
    "if order.processing_task_id is None: return 0",
    "if getattr(row, column.key) is not None: return None",
    "if getattr(row, column.key) is None: return None",
    "if task.payload: return None",
    "if limit > 2: limit = 2",
    "if message.id > 1000: return None",
]


@dataclass(frozen=True)
class Mutant:
    """A changed answer, and what was changed."""

    label: str
    source: str


Edit = Callable[[ast.AST], None]


@dataclass(frozen=True)
class Change:
    """One change of one node of a source, not yet made: to make them all takes far longer than to list them."""

    label: str
    source: str
    node: int  # its place in ast.walk()
    edit: Edit

    def made(self) -> Mutant | None:
        """The changed source; None where it cannot be written."""
        tree = ast.parse(self.source)
        self.edit([*ast.walk(tree)][self.node])
        try:
            return Mutant(self.label, ast.unparse(ast.fix_missing_locations(tree)))
        except (ValueError, AttributeError):
            return None


def mutants_of(source: str, function: str) -> list[Mutant]:
    """Every mutant of this answer, each text once."""
    return list(distinct(changes_of(source, function)))


def distinct(changes: Iterable[Change]) -> Iterator[Mutant]:
    """Make the changes one by one; each text once, and none that is its own source."""
    seen: set[str] = set()
    for change in changes:
        mutant = change.made()
        if mutant and mutant.source not in seen and mutant.source != ast.unparse(ast.parse(change.source)):
            seen.add(mutant.source)
            yield mutant


def changes_of(source: str, function: str) -> list[Change]:
    """Every change of this answer, in its Python and in its SQL; none of what is no Python."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return []
    nodes = list(enumerate(ast.walk(tree)))
    changes = [
        Change(f"{label}: {_line(node)}", source, n, edit)
        for n, node in nodes
        for label, edit in _edits(node, function)
    ]
    texts = [(n, node.value) for n, node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return changes + [
        Change(f"SQL {label}", source, n, _sets("value", changed))
        for n, text in texts
        for label, changed in sql_mutants(text)
    ]


def _line(node: ast.AST) -> str:
    try:
        return ast.unparse(node).splitlines()[0][:60]
    except (ValueError, AttributeError, IndexError):
        return type(node).__name__


def _edits(node: ast.AST, function: str) -> Iterator[tuple[str, Edit]]:
    for field in ("body", "orelse", "finalbody"):
        block = getattr(node, field, None)
        if isinstance(block, list) and not isinstance(node, ast.Module | ast.ClassDef):
            yield from _of_block(node, field, block)
    match node:
        case ast.FunctionDef(name=name) if name == function:
            given = {argument.arg for argument in node.args.args}
            for line in EARLY:
                if {leaf.id for leaf in ast.walk(ast.parse(line)) if isinstance(leaf, ast.Name)} <= given | {"getattr"}:
                    yield "early return", _inserts("body", 0, line)
        case ast.Call(func=ast.Attribute(attr=attr, value=value)) if attr in CHAINED:
            yield f"dropped .{attr}()", _becomes(lambda call: call.func.value)  # type: ignore[attr-defined]
            if attr == "where":
                for place in range(len(node.args)):
                    yield "dropped condition", _drops("args", place)
                for condition in CONDITIONS.get(_model_of(value), []):
                    yield f"added {condition}", _adds("args", condition)
        case ast.Compare(ops=[op]) if type(op) in OPPOSITE:
            opposite = OPPOSITE[type(op)]
            yield "negated", _sets("ops", [opposite()])
        case ast.BinOp(op=ast.BitAnd() | ast.BitOr() as op):
            yield "left only", _becomes(lambda both: both.left)  # type: ignore[attr-defined]
            yield "right only", _becomes(lambda both: both.right)  # type: ignore[attr-defined]
            yield "swapped & and |", _sets("op", ast.BitOr() if isinstance(op, ast.BitAnd) else ast.BitAnd())
        case ast.BinOp(op=ast.Add()):
            yield "minus for plus", _sets("op", ast.Sub())
        case ast.BinOp(op=ast.Div()):
            yield "times for divided", _sets("op", ast.Mult())
            yield "upside down", lambda it: _swap(it)
        case ast.BoolOp(op=op, values=values):
            yield "swapped and, or", _sets("op", ast.Or() if isinstance(op, ast.And) else ast.And())
            for place in range(len(values) if len(values) > 1 else 0):
                yield "dropped operand", _drops("values", place)
        case ast.If() | ast.IfExp():
            yield "negated test", lambda it: setattr(it, "test", ast.UnaryOp(ast.Not(), it.test))  # type: ignore[attr-defined]
        case ast.Attribute(attr=attr) if attr in METHODS:
            yield f"{METHODS[attr]} for {attr}", _sets("attr", METHODS[attr])
        case ast.Attribute(value=ast.Name(id=name), attr=attr) if attr in GIVEN.get(name, []):
            for value in (7, 1):
                yield f"{value} for {name}.{attr}", _becomes_constant(value)
        case ast.Name(id="limit" | "before" | "now" | "until" as name, ctx=ast.Load()):
            others = {
                "limit": "3",
                "before": "__import__('taskref_edu.models').models.utc_now()",
                "now": "until",
                "until": "now",
            }
            yield f"{others[name]} for {name}", _becomes_source(others[name])
        case ast.Constant(value=bool() as value):
            yield "flipped", _sets("value", not value)
        case ast.Constant(value=int() as value):
            for shifted in (value - 1, value + 1):
                yield f"{shifted} for {value}", _sets("value", shifted)
        case ast.Constant(value=str() as value):
            for words in WORDS:
                for word in words if value in words else []:
                    yield f"{word} for {value}", _sets("value", word)
            if value.isupper() and value.isalpha():
                yield from _letters(value)
        case ast.Return(value=ast.expr()):
            yield "returns None", _sets("value", ast.Constant(None))
        case ast.List(elts=elements) | ast.Tuple(elts=elements) | ast.Set(elts=elements) if len(elements) > 1:
            for place in range(len(elements)):
                yield "dropped element", _drops("elts", place)
        case ast.Dict(keys=keys) if len(keys) > 1:
            for place in range(len(keys)):
                yield "dropped key", _drops_both(place)


def _of_block(node: ast.AST, field: str, block: list[ast.stmt]) -> Iterator[tuple[str, Edit]]:
    for place, statement in enumerate(block):
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
            continue  # a docstring
        yield "dropped statement", _replaces(field, place, "pass")
        if place + 1 < len(block):
            yield "swapped statements", _swaps(field, place)
    if isinstance(node, ast.FunctionDef) and "session" in {argument.arg for argument in node.args.args}:
        for ending in ENDINGS:
            for place in range(1, len(block)):
                yield f"added {ending}", _inserts(field, place, ending)
            if isinstance(block[-1], ast.Return) and block[-1].value is not None:
                yield f"added {ending} before the return", _ends_first(ending)


def _letters(letters: str) -> Iterator[tuple[str, Edit]]:
    for place in range(len(letters)):
        yield "dropped letter", _sets("value", letters[:place] + letters[place + 1 :])
        for letter in "ABCDEF":
            yield f"added {letter}", _sets("value", letters[:place] + letter + letters[place:])
            yield f"{letter} in place", _sets("value", letters[:place] + letter + letters[place + 1 :])
    for place in range(len(letters) - 1):
        swapped = letters[:place] + letters[place + 1] + letters[place] + letters[place + 2 :]
        yield "swapped letters", _sets("value", swapped)


def _model_of(node: ast.expr) -> str:
    """The model that the query behind a `.where` is about."""
    while True:
        match node:
            case ast.Call(func=ast.Name(id="select" | "update" | "delete"), args=[first, *_]):
                names = [leaf.id for leaf in ast.walk(first) if isinstance(leaf, ast.Name)]
                return names[0] if names else ""
            case ast.Call(func=ast.Attribute(value=inner)) | ast.Attribute(value=inner):
                node = inner
            case _:
                return ""


# Edits, each of which takes the node in the copy


def _sets(field: str, value: object) -> Edit:
    return lambda node: setattr(node, field, copy.deepcopy(value))


def _drops(field: str, place: int) -> Edit:
    return lambda node: getattr(node, field).pop(place)


def _drops_both(place: int) -> Edit:
    def edit(node: ast.AST) -> None:
        node.keys.pop(place)  # type: ignore[attr-defined]
        node.values.pop(place)  # type: ignore[attr-defined]

    return edit


def _adds(field: str, source: str) -> Edit:
    return lambda node: getattr(node, field).append(ast.parse(source, mode="eval").body)


def _inserts(field: str, place: int, source: str) -> Edit:
    return lambda node: getattr(node, field).insert(place, ast.parse(source).body[0])


def _replaces(field: str, place: int, source: str) -> Edit:
    return lambda node: getattr(node, field).__setitem__(place, ast.parse(source).body[0])


def _swaps(field: str, place: int) -> Edit:
    def edit(node: ast.AST) -> None:
        block = getattr(node, field)
        block[place], block[place + 1] = block[place + 1], block[place]

    return edit


def _ends_first(ending: str) -> Edit:
    """The value is kept, the ending is done, then the value is returned."""

    def edit(node: ast.AST) -> None:
        last = node.body[-1]  # type: ignore[attr-defined]
        kept = ast.Assign([ast.Name("kept", ast.Store())], last.value)
        node.body[-1:] = [kept, ast.parse(ending).body[0], ast.Return(ast.Name("kept", ast.Load()))]  # type: ignore[attr-defined]

    return edit


def _swap(node: ast.AST) -> None:
    node.left, node.right = node.right, node.left  # type: ignore[attr-defined]


def _becomes(part: Callable[[ast.AST], ast.AST]) -> Edit:
    """The node turns into a part of itself."""

    def edit(node: ast.AST) -> None:
        _turn(node, part(node))

    return edit


def _becomes_constant(value: Any) -> Edit:
    return lambda node: _turn(node, ast.Constant(value))


def _becomes_source(source: str) -> Edit:
    return lambda node: _turn(node, ast.parse(source, mode="eval").body)


def _turn(node: ast.AST, other: ast.AST) -> None:
    node.__class__ = other.__class__
    node.__dict__ = dict(other.__dict__)


# SQL: names of functions that sqlglot would translate are hidden from it

HIDDEN = re.compile(r"\bjson_(extract|each|tree)\b", re.IGNORECASE)
IS_SQL = re.compile(r"\b(SELECT|UPDATE|INSERT|DELETE|CREATE)\b", re.IGNORECASE)
IS_CONDITION = re.compile(r"=|\bIS\b")


def sql_mutants(text: str) -> Iterator[tuple[str, str]]:
    """Changes of one statement, or of one condition."""
    parsed = _parsed(HIDDEN.sub(r"HIDDEN_\1", text))
    if parsed is None:
        return
    for number, node in enumerate(parsed.walk()):
        for label, edit in _sql_edits(node):
            changed = parsed.copy()
            target = [*changed.walk()][number]
            try:
                replaced = edit(target)
                whole = replaced if target is changed and hasattr(replaced, "sql") else changed
                written = whole.sql(dialect="sqlite")
            except Exception:
                continue
            yield (
                f"{label}: {node.sql(dialect='sqlite')[:60]}",
                re.sub(r"HIDDEN_(\w+)", r"json_\1", written, flags=re.I),
            )


def _parsed(text: str) -> Any:
    try:
        if IS_SQL.search(text):
            return sqlglot.parse_one(text, read="sqlite")
        if IS_CONDITION.search(text) and " " in text.strip():
            return sqlglot.condition(text, dialect="sqlite")
    except Exception:
        return None
    return None


SqlEdit = Callable[[Any], Any]


def _sql_edits(node: Any) -> Iterator[tuple[str, SqlEdit]]:
    match node:
        case exp.And() | exp.Or():
            yield "left only", lambda it: it.replace(it.left)
            yield "right only", lambda it: it.replace(it.right)
            other = exp.Or if isinstance(node, exp.And) else exp.And
            yield "swapped AND, OR", lambda it: it.replace(other(this=it.left, expression=it.right))
        case exp.Where() | exp.Limit() | exp.Returning() | exp.Order():
            yield f"dropped {node.key}", lambda it: it.pop()
            if isinstance(node, exp.Where):
                for condition in SQL_CONDITIONS.get(_table_of(node), []):
                    yield (
                        f"added {condition}",
                        lambda it, condition=condition: it.set("this", exp.and_(it.this, condition, dialect="sqlite")),
                    )
        case exp.EQ() | exp.NEQ() | exp.LT() | exp.LTE() | exp.GT() | exp.GTE() | exp.Is() | exp.In():
            yield "negated", lambda it: it.replace(exp.not_(it.copy()))
            opposite = {exp.LT: exp.LTE, exp.LTE: exp.LT, exp.GT: exp.GTE, exp.GTE: exp.GT}.get(type(node))
            if opposite:
                yield "shifted", lambda it: it.replace(opposite(this=it.this, expression=it.expression))
            if isinstance(node, exp.In) and len(node.expressions) > 1:
                for place in range(len(node.expressions)):
                    yield "shorter list", lambda it, place=place: it.expressions[place].pop()
        case exp.Literal(this=value) if node.is_string:
            for words in WORDS[:2]:
                for word in words if value in words else []:
                    yield f"{word} for {value}", lambda it, word=word: it.replace(exp.Literal.string(word))
        case exp.Literal(this=value) if value.isdigit():
            yield "plus one", lambda it: it.replace(exp.Literal.number(int(it.this) + 1))
        case exp.Placeholder():
            yield "hard-coded", lambda it: it.replace(exp.Literal.number(7))
            yield "hard-coded", lambda it: it.replace(exp.Literal.number(1))
        case exp.Create() if node.args.get("unique"):
            yield "not unique", lambda it: it.set("unique", False)
        case exp.Add():
            yield "minus", lambda it: it.replace(exp.Sub(this=it.left, expression=it.right))


def _table_of(node: Any) -> str:
    statement = node.parent
    table = statement.find(exp.Table) if statement else None
    return table.name if table else ""
