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
        f"\n \n%%time\n{ANSWER}",
        f"%%memit -r 1\n{ANSWER}",
        f"%%time\n%%capture\n!ls\n{ANSWER}",
        "    " + ANSWER.strip().replace("\n", "\n    "),
        ">>> " + ANSWER.strip().replace("\n", "\n... "),
        "In [1]: " + ANSWER.strip().replace("\n", "\n   ...: "),
        f"from taskref_edu.exercises import exercise as ex\n{ANSWER.replace('exercise', 'ex')}",
        f"ex = exercise\n{ANSWER.replace('exercise', 'ex')}",
        ANSWER.replace('"1.1"', 'id="1.1"'),
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


@pytest.mark.parametrize(
    ("text", "id", "said"),
    [
        ('order_of = exercise("1.1")(lambda session, task: 1)', "1.1", "not used as a decorator here"),
        ("class A:\n    @exercise('1.1')\n    def f(self): ...", "1.1", "inside another block"),
        ("if True:\n    " + ANSWER.strip().replace("\n", "\n    "), "1.1", "inside another block"),
        ("@exercise('1.1')\nclass order_of: ...", "1.1", "a class found"),
        (f"%%writefile file.py\n{ANSWER}", "1.1", "`%%writefile`"),
        (f"\n%%bash\n{ANSWER}", "1.1", "`%%bash`"),
        ("@exercise\ndef f(): ...", None, "has no id"),
        ("I = '1.1'\n@exercise(I)\ndef f(): ...", None, "not written out"),
    ],
)
def test_what_cannot_be_checked_is_said(text: str, id: str | None, said: str) -> None:
    (stray,) = cells.strays(text)
    assert stray.id == id
    assert said in stray.why.lower()


@pytest.mark.parametrize("text", [ANSWER, "x = 1", "'@exercise'", "Progress().exercise(task)", "kept.exercise('note')"])
def test_nothing_is_said_of_anything_else(text: str) -> None:
    assert cells.strays(text) == []


def test_only_magics_are_changed() -> None:
    """A comment that ends in a question, a `%` in a string or after a line break: Python as it stands."""
    python = (
        "session.commit()  # or does the caller commit?\n"
        "text = '''\n-- what does live mean?\n%s\n!\n'''\n"
        "left = (7\n% 4)\nif left:\n    pass  # why?\n"
    )
    after = cells.as_python(f"{python}%matplotlib inline\n!ls \\\n  -l\nmagic = %who\nx = 1\n")
    assert after.startswith(python)
    assert after.count("get_ipython()") == 3
    assert ast.parse(after).body[-1].lineno == 15


@pytest.mark.parametrize("text", ["(" * 10_000, "x = '\ud800'", "\0", "-" * 100_000 + "1"])
def test_what_python_cannot_read_is_no_crash(text: str) -> None:
    assert cells.ids_in(text) == []
    assert cells.strays(text) == []


@pytest.mark.parametrize("id", ["“1.1”", "‘1.1’", "1.1", "'1.1'", "id=„1.1“"])
@pytest.mark.parametrize("prompt", ["", ">>> ", "In [3]: "])
def test_what_python_cannot_read_still_says_which_exercise_it_means(id: str, prompt: str) -> None:
    assert cells.ids_in(f"{prompt}@exercise({id})\n{prompt}def order_of(:\n") == ["1.1"]


def test_line_numbers_are_those_of_the_cell() -> None:
    tree = cells.parse(f"%%time\n!ls\n{ANSWER}")
    assert cells.answers(tree)[0][1].lineno == 4


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
