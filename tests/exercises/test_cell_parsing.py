"""Finding exercises and names in a cell's text, without running it."""

from __future__ import annotations

import ast

import pytest

from taskref_edu.exercises import cell_parsing as cells
from taskref_edu.exercises.exercise import function_of

ANSWER = '@exercise("1.1")\ndef order_of(session, task):\n    return 1\n'


@pytest.mark.parametrize(
    "text",
    [
        ANSWER,
        ANSWER.replace("exercise(", "exercises.exercise("),
        f"%%time\n{ANSWER}",
        f"%load_ext sql\n!ls\n{ANSWER}order_of?\n",
        f"files = !ls\n{ANSWER}",
        f"{ANSWER}this is not Python",
        ANSWER.replace('"', "'"),
    ],
)
def test_an_answer_is_found(text: str) -> None:
    assert cells.ids_in(text) == ["1.1"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x = 1",
        f"%%writefile file.py\n{ANSWER}",
        "# @exercise('1.1')",
        'text = """\n@exercise("1.1")\ndef f(): ...\n"""',
        "@exercise\ndef f(): ...",
        "class A:\n    @exercise('1.1')\n    def f(self): ...",
    ],
)
def test_no_answer_is_found(text: str) -> None:
    assert cells.ids_in(text) == []


def test_line_numbers_are_those_of_the_cell() -> None:
    tree = cells.parse(f"%%time\n!ls\n{ANSWER}")
    assert cells.answers(tree)[0].function.lineno == 4


def test_magic_inside_a_function_keeps_the_indent() -> None:
    assert cells.ids_in('@exercise("1.1")\ndef f():\n    %timeit 1\n    return 1') == ["1.1"]


def test_bound_names() -> None:
    tree = cells.parse(
        "import os\na, (b, *c) = 1, (2, 3)\nfor d in a:\n    e = 1\nwith open() as f:\n    g: int = 1\n"
        "def h(i):\n    j = 1\nclass K:\n    l = 1\nif (m := 1):\n    pass\n"
    )
    assert cells.bound_names(tree) == set("abcdefghKm")


def test_used_names_reach_into_functions() -> None:
    assert cells.used_names(cells.parse("def f():\n    return g(x)\ny = z")) == {"g", "x", "z"}


def test_imports_under_try_and_if() -> None:
    tree = cells.parse(
        "try:\n    import a\nexcept ImportError:\n    pass\nif True:\n    from b import c\ndef f():\n    import d"
    )
    assert [ast.unparse(node) for node in cells.imports(tree)] == ["import a", "from b import c"]


@pytest.mark.parametrize(
    ("code", "same"),
    [
        ("def f(x):\n    ...", True),
        ("def f(x):\n    'Another docstring.'\n    ...", True),
        ("def f(x):\n    'Only a docstring.'", True),
        ("def f(x):\n    # a comment\n    ...", True),
        ("def f(x):\n    pass", False),
        ("def f(x):\n    return x", False),
    ],
)
def test_same_body(code: str, same: bool) -> None:
    assert cells.same_body(function_of(code), function_of("def f(x):\n    'Doc.'\n    ...")) is same
