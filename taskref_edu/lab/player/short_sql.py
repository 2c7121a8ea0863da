"""SQL shortened by meaning, never by length: verb, table, the values that matter, and the whole WHERE.

Left out: a long list of columns, the column names and default values of an INSERT, assignments of times, the prefix
of the only table, OFFSET 0, the inside of an assigned CASE. A date in a condition is cut to its time of day.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

NOW = "…time…"  # in a recording: a time of the run itself
CLAUSES = (
    "INSERT INTO", "INSERT OR IGNORE INTO", "INSERT OR REPLACE INTO", "DELETE FROM", "UPDATE", "WITH", "SELECT",
    "FROM", "SET", "VALUES", "WHERE", "GROUP BY", "HAVING", "ORDER BY", "LIMIT", "OFFSET", "RETURNING", "ON CONFLICT",
    "FOR UPDATE", "UNION ALL", "UNION",
)  # fmt: skip
_TOKEN = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|[()]|[^\s'\"()]+|\s+")
_KEYWORD = re.compile("|".join(rf"{name.replace(' ', chr(92) + 's+')}(?!\w)" for name in CLAUSES), re.IGNORECASE)
_TIME = re.compile(r"'\d{4}-\d\d-\d\d[ T](\d\d:\d\d)(?::\d\d)?(?:\.\d+)?(?:\+\d\d:?\d\d|Z)?'")
_TABLES = re.compile(r"\b(?:FROM|JOIN|UPDATE|INTO)\s+\"?(\w+)", re.IGNORECASE)
_NO_OFFSET = re.compile(r"(\bLIMIT \d+) OFFSET 0\b", re.IGNORECASE)
_IS_TIME = re.compile(r"‹now›|'\d\d:\d\d'")
WRITES_INTO = ("FROM", "UPDATE", "INSERT INTO", "INSERT OR IGNORE INTO", "INSERT OR REPLACE INTO", "DELETE FROM")


class Clause(NamedTuple):
    """A keyword and what follows it; `role` determines its style."""

    keyword: str
    text: str
    role: str = ""


@lru_cache(maxsize=2_000)
def clauses(sql: str, kept: frozenset[str] = frozenset()) -> tuple[Clause, ...]:
    """The statement as clauses, each shortened. kept: columns of times whose assignments stay."""
    line = " ".join(sql.split()).rstrip("; ")
    line = _NO_OFFSET.sub(r"\1", line)
    line = _TIME.sub(r"'\1'", line.replace(f"'{NOW}'", "‹now›").replace(NOW, "‹now›"))
    if len(tables := set(_TABLES.findall(line))) == 1:
        name = tables.pop()
        line = re.sub(rf"(?<![\w.\"])(?:{name}|\"{name}\")\.", "", line)
    found = list(_split_clauses(line))
    if not found or found[0][0] == "WITH":
        return (Clause("", line),)
    shortened: list[Clause] = []
    columns: list[str] = []
    for keyword, text in found:
        if keyword.startswith("INSERT"):
            table, _, rest = text.partition("(")
            columns = split_list(rest.rpartition(")")[0])
            shortened.append(Clause(keyword, table.strip(), "table"))
        elif keyword == "VALUES":
            shortened.append(Clause("", _values(text, columns), "values"))
        elif keyword == "SET":
            shortened.append(Clause(keyword, ", ".join(_assignments(text, kept)), "set"))
        elif keyword in ("SELECT", "RETURNING"):
            shortened.append(Clause(keyword, _columns(text), "" if keyword == "SELECT" else "returning"))
        elif keyword in WRITES_INTO:
            shortened.append(Clause(keyword, text, "table"))
        else:
            shortened.append(Clause(keyword, text, keyword.lower().replace(" ", "-")))
    return tuple(shortened)


def short_sql(sql: str) -> str:
    """The shortened statement on one line."""
    return one_line(clauses(sql))


def one_line(found: Sequence[Clause]) -> str:
    """Clauses on one line."""
    return " ".join(f"{clause.keyword} {clause.text}".strip() for clause in found)


def split_list(text: str) -> list[str]:
    """A list split at its commas, except those in quotes and parentheses."""
    parts, depth = [""], 0
    for token in _TOKEN.findall(text):
        depth += (token == "(") - (token == ")")
        pieces = token.split(",") if depth == 0 and token[0] not in "'\"()" else [token]
        parts[-1] += pieces[0]
        parts += pieces[1:]
    return [part.strip() for part in parts if part.strip()]


def assignments(sql: str) -> dict[str, str]:
    """What an UPDATE assigns, by column."""
    for keyword, text in _split_clauses(" ".join(sql.split())):
        if keyword == "SET":
            pairs = (part.partition("=") for part in split_list(text))
            return {name.strip().strip('"').rpartition(".")[2]: value.strip() for name, _, value in pairs}
    return {}


def verb(sql: str) -> str:
    """UPDATE, INSERT, SELECT …"""
    return (sql.split(None, 1) or [""])[0].upper().rstrip(";")


def _split_clauses(line: str) -> Iterator[tuple[str, str]]:
    """The keywords outside quotes and parentheses, each with the text up to the next one."""
    starts, depth, place = [], 0, 0
    for token in _TOKEN.findall(line):
        depth += (token == "(") - (token == ")")
        if depth == 0 and token[0] not in "'\"()" and not token.isspace():
            found = _KEYWORD.match(line, place)
            if found and (not starts or found.start() >= starts[-1][1]):
                starts.append((found.start(), found.end()))
        place += len(token)
    if not starts or starts[0][0] != 0:
        return
    for (begin, end), following in zip(starts, [*starts[1:], (len(line), 0)], strict=True):
        yield " ".join(line[begin:end].upper().split()), line[end : following[0]].strip()


def _columns(text: str) -> str:
    return text if len(split_list(text)) <= 2 else "…"


def _values(text: str, columns: list[str]) -> str:
    rows = split_list(text)
    if len(rows) != 1:
        return f"({len(rows)} rows)"
    values = split_list(rows[0].strip()[1:-1])
    named = (
        list(zip(values, columns, strict=True)) if len(values) == len(columns) else [(value, "") for value in values]
    )
    texts = [(value, name) for value, name in named if value != "NULL" and not _IS_TIME.fullmatch(value)]
    kept = [value for value, name in texts if value.startswith("'") or name.rpartition("_")[2] == "id"]
    return f"({', '.join(kept or [value for value, _ in texts])})"


def _assignments(text: str, kept: frozenset[str]) -> list[str]:
    found = [[side.strip() for side in part.partition("=")[::2]] for part in split_list(text)]
    telling = [(name, value) for name, value in found if name in kept or not _IS_TIME.search(value)] or found
    return [f"{name} = {_assigned(value)}" if value else name for name, value in telling]


def _assigned(value: str) -> str:
    """The assigned expression; a CASE is abbreviated, because the row shows its value."""
    bare = re.sub(r"^\((?!\s*SELECT\b)(.*)\)$", r"\1", value)
    return "CASE … END" if re.match(r"CASE\b.*\bEND$", bare, re.IGNORECASE) else bare
