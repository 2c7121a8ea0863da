"""The forms in which answers come: a function with few changed lines, letters of lines, a word for each name, SQL."""

from __future__ import annotations

import inspect
import io
import tokenize
from ast import literal_eval
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from textwrap import dedent
from typing import Any

from taskref_edu.exercises.exercise import CheckFailed, function_of

# Tokens that are not a line's text.
LAYOUT = {tokenize.COMMENT, tokenize.NL, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING, tokenize.ENDMARKER}


def indentation_problem(lines: Mapping[str, str], letters: str) -> str:
    """Which of these lines cannot stand where it does, because of its indentation; empty if each can."""
    inside = opened = ""
    for letter in letters:
        indented = lines[letter].startswith(" ")
        if opened and not indented:
            return f"Line {opened} opens a block: the next line must be an indented one, and line {letter} is not."
        if indented and not inside:
            return f"Line {letter} is indented, and no block is open above it."
        opened = letter if lines[letter].endswith(":") else ""
        inside = letter if indented or opened else ""
    return f"Line {opened} opens a block, and no line follows it." if opened else ""


def require_few_changes(function: Callable[..., Any], stub: str, most: int) -> None:
    """Fail an answer that has more than `most` new or changed lines, and show which they are.

    A line is what ends with a line break or a semicolon, however many lines of the editor it fills. Comments,
    docstrings, indentation and the kind of quotes do not count, and to move a line is free.
    """
    after = [*_lines(inspect.getsource(function), function.__name__)]
    as_typed = dict(after)
    new = Counter(line for line, _ in after) - Counter(line for line, _ in _lines(stub, function_of(stub).name))
    count = new.total()
    if count > most:
        enough = "1 line is" if most == 1 else f"{most} lines are"
        raise CheckFailed(
            f"{count} lines of the function are new or changed; {enough} enough.",
            "\n".join(as_typed[line] for line in new.elements()),
            expected={"new or changed lines": f"at most {most}"},
            found={"new or changed lines": count},
        )


def _lines(source: str, name: str) -> Iterator[tuple[str, str]]:
    """The logical lines of the function's body, each in one spelling and as it was typed."""
    source = dedent(source).strip("\n") + "\n"
    typed = source.splitlines()
    function = function_of(source, name)
    body = range(function.body[0].lineno, (function.end_lineno or 0) + 1)
    words: list[str] = []
    first = 0
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.start[0] not in body:
            continue
        if token.type == tokenize.NEWLINE or token.string == ";":
            if words and not (len(words) == 1 and words[0][0] in "'\""):
                yield _joined(words), "\n".join(typed[first - 1 : token.end[0]]).strip()
            words = []
        elif token.type not in LAYOUT:
            first = first if words else token.start[0]
            words.append(_spelt(token))
    if words:
        yield _joined(words), "\n".join(typed[first - 1 :]).strip()


def _joined(words: list[str]) -> str:
    """The line's words; a comma before a closing bracket says nothing."""
    return " ".join(
        word for word, next in zip(words, [*words[1:], ""], strict=True) if word != "," or next not in ")]}"
    )


def _spelt(token: tokenize.TokenInfo) -> str:
    if token.type == tokenize.STRING and token.string[0] in "'\"":
        return repr(literal_eval(token.string))
    return token.string


def letters_of(arrange: Callable[[], Any], lines: Iterable[str], *, once: Iterable[str] = (), most: int = 12) -> str:
    """What the learner returned, once it is letters of these lines. once: those used once or not at all."""
    letters = arrange()
    form = 'letters in quotes, such as `"ABC"`'
    if not isinstance(letters, str):
        raise CheckFailed(f"`{letters!r:.60}` returned; expected {form}.", expected=form, found=letters)
    if not letters:
        raise CheckFailed(f"No letter returned; expected {form}.", expected=form, found=letters)
    lines = list(lines)
    for letter in letters:
        if letter not in lines:
            capital = f"; the letters are capital ones, such as `{letter.upper()}`" if letter.upper() in lines else ""
            plain = "; write the letters with nothing between them" if letter in ",;-" or letter.isspace() else ""
            shown = letter if letter.isprintable() else repr(letter)
            raise CheckFailed(f"There is no line `{shown}`{capital}{plain}. The lines are {', '.join(lines)}.")
    for letter in once:
        if letters.count(letter) > 1:
            twice, line = f"Line {letter} is there more than once; it is used once or not at all.", f"line {letter}"
            raise CheckFailed(twice, expected={line: "at most once"}, found={line: f"{letters.count(letter)} times"})
    if len(letters) > most:
        many = f"{len(letters)} lines found; at most {most} are needed."
        raise CheckFailed(many, expected={"lines": f"at most {most}"}, found={"lines": len(letters)})
    return letters


def words_for(predict: Callable[[], Any], names: Iterable[str], words: Iterable[str], what: str) -> Mapping[str, Any]:
    """What the learner returned, once it is a dict with one of these words for each of these names."""
    said, names, words = predict(), list(names), list(words)
    if not isinstance(said, Mapping):
        form = f"a dict with a {what} for each name"
        raise CheckFailed(f"`{said!r:.60}` returned; expected {form}.", expected=form, found=said)
    for name in names:
        if name not in said:
            raise missing_key(name, said, names)
        if not isinstance(said[name], str):
            form = f"one {what}: {', '.join(words)}"
            raise CheckFailed(
                f"`{name}`: `{said[name]!r:.40}` found; expected {form}.",
                expected={name: f"one {what}"},
                found={name: said[name]},
            )
        if said[name] not in words:
            capital = ", in small letters" if said[name].strip().lower() in words else ""
            raise CheckFailed(
                f"`{name}`: `{said[name]!r:.40}` is not a {what}; expected one of {', '.join(words)}{capital}.",
                expected={name: " | ".join(words)},
                found={name: said[name]},
            )
    return said


def predictions(said: Mapping[str, Any], seen: Mapping[str, Any], told: str) -> dict[str, Mapping[str, Any]]:
    """For `CheckFailed(…, **predictions(…))`: each prediction beside what was seen.

    Of those that differ only one is told, the one that the message explains: the others are worth another thought.
    """
    expected = {
        name: value if name == told or said[name] == value else f"not {said[name]}" for name, value in seen.items()
    }
    return {"expected": expected, "found": {name: said[name] for name in seen}}


def missing_key(name: Any, said: Mapping[Any, Any], names: Iterable[Any]) -> CheckFailed:
    """What to say of a dict without this key, beside the keys that it has in its place."""
    strange = [key for key in said if key not in names]
    instead = f" `{strange[0]!r:.40}` found in its place." if strange else ""
    problem = f"There is nothing for `{name!r}`; expected the keys {', '.join(map(repr, names))}.{instead}"
    return CheckFailed(problem, expected=set(names), found=list(said))


def sql_of(answer: Callable[[], Any], kind: str, example: str) -> str:
    """What the learner returned, once it is the text of one statement. kind: such as `query`."""
    sql = answer()
    form = f"the text of one {kind} in quotes, such as `{example}`"
    if not isinstance(sql, str):
        returned = f"`{type(sql).__name__}` returned: `{sql!r:.60}`"
        raise CheckFailed(f"{returned}; expected {form}.", expected=example, found=sql)
    try:
        sql.encode()
    except UnicodeEncodeError as error:
        problem = f"The text has a character that SQLite cannot read, at place {error.start + 1}; expected {form}."
        raise CheckFailed(problem, expected=example, found=sql) from None
    if not sql.strip(" ;\n\t"):
        raise CheckFailed(f"An empty text returned; expected {form}.", expected=example, found=sql)
    return sql
