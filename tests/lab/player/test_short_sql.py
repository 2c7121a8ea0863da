"""Statements are shortened by meaning: the verb, the table and the whole WHERE stay, however long they are."""

# ruff: noqa: E501 - a sentence or a statement is read on one line

from __future__ import annotations

import pytest

from taskref_edu.lab.player.short_sql import assignments, clauses, short_sql, split_list


@pytest.mark.parametrize(
    ("sql", "short"),
    [
        ("SELECT orders.id, orders.a, orders.b \nFROM orders\nWHERE orders.id = 7", "SELECT … FROM orders WHERE id = 7"),
        ("SELECT a, b FROM t", "SELECT a, b FROM t"),
        ("SELECT count(*) AS n FROM t WHERE x IN (SELECT x FROM t)", "SELECT count(*) AS n FROM t WHERE x IN (SELECT x FROM t)"),
        ("SELECT o.id FROM orders AS o JOIN task ON task.id = o.t", "SELECT o.id FROM orders AS o JOIN task ON task.id = o.t"),
        ("SELECT id FROM t WHERE s = 'x' ORDER BY id LIMIT 1 OFFSET 0", "SELECT id FROM t WHERE s = 'x' ORDER BY id LIMIT 1"),
        ("SELECT id FROM t WHERE at <= '2030-01-01 12:00:00.000000'", "SELECT id FROM t WHERE at <= '12:00'"),
        ("SELECT id FROM t WHERE at <= '…time…'", "SELECT id FROM t WHERE at <= ‹now›"),
        ("INSERT INTO task (type, n, at, x) VALUES ('pay', 0, '…time…', NULL)", "INSERT INTO task ('pay')"),
        ("INSERT INTO payment (order_id, amount, status) VALUES (7, 25, 'ok')", "INSERT INTO payment (7, 'ok')"),
        ("INSERT INTO t (a, b) VALUES (1, 2)", "INSERT INTO t (1, 2)"),
        ("INSERT INTO t (a) VALUES ('x'), ('y')", "INSERT INTO t (2 rows)"),
        ("INSERT INTO t (a) VALUES ('x, (y') RETURNING id", "INSERT INTO t ('x, (y') RETURNING id"),
        ("INSERT INTO t (a) SELECT a FROM u", "INSERT INTO t SELECT a FROM u"),
        ("UPDATE t SET a=1, at='…time…', b=(t.b + 1) WHERE t.id = 3", "UPDATE t SET a = 1, b = b + 1 WHERE id = 3"),
        ("UPDATE t SET a=CASE WHEN (t.b IS NULL) THEN 'x' ELSE t.a END, at=CASE WHEN x THEN '…time…' END", "UPDATE t SET a = CASE … END"),
        ("UPDATE t SET a=(SELECT max(id) FROM u), b='CASE x END'", "UPDATE t SET a = (SELECT max(id) FROM u), b = 'CASE x END'"),
        ("UPDATE t SET a=1 WHERE id = (SELECT id FROM t LIMIT 1 OFFSET 0)", "UPDATE t SET a = 1 WHERE id = (SELECT id FROM t LIMIT 1)"),
        ("UPDATE t SET at='…time…' WHERE id = 3", "UPDATE t SET at = ‹now› WHERE id = 3"),
        ("DELETE FROM t WHERE id NOT IN (SELECT t FROM o)", "DELETE FROM t WHERE id NOT IN (SELECT t FROM o)"),
        ("SELECT id FROM t WHERE s = 'FROM here' FOR UPDATE", "SELECT id FROM t WHERE s = 'FROM here' FOR UPDATE"),
        ("WITH x AS (SELECT 1) SELECT * FROM x", "WITH x AS (SELECT 1) SELECT * FROM x"),
        ("BEGIN IMMEDIATE", "BEGIN IMMEDIATE"),
        ("", ""),
    ],
)  # fmt: skip
def test_short_sql(sql: str, short: str) -> None:
    assert short_sql(sql) == short


def test_a_long_condition_stays_whole() -> None:
    condition = " AND ".join(f"column_{n} = 'value {n}'" for n in range(40))
    assert short_sql(f"UPDATE t SET a = 1 WHERE {condition}").endswith(condition)


def test_clauses_have_roles() -> None:
    found = clauses("UPDATE t SET a=1 WHERE id = 2")
    assert [(c.keyword, c.text, c.role) for c in found] == [
        ("UPDATE", "t", "table"),
        ("SET", "a = 1", "set"),
        ("WHERE", "id = 2", "where"),
    ]


def test_lists_are_split_outside_quotes_and_parentheses() -> None:
    assert split_list("'a, b', f(c, d), NULL") == ["'a, b'", "f(c, d)", "NULL"]
    assert assignments("UPDATE t SET a=(t.a + 1), b='x, y' WHERE id = 1") == {"a": "(t.a + 1)", "b": "'x, y'"}
