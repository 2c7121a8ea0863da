"""The rules that check one cell at a time: headings, figures, links, lengths. The others are in `rules.py`."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from ..exercises import cell_parsing as cells
from .source import FENCED, Block, Source, headings

MAX_WORDS, MAX_EXPLAINED, MAX_GOAL, MAX_LONG, MAX_LINES = 60, 80, 110, 3, 10
IMAGE = re.compile(r"!\[([^\]]*)\]\(([^)\s]+)[^)]*\)")
HTML_IMAGE = re.compile(r"<img\b[^>]*>", re.IGNORECASE)
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)[^)]*\)")
Found = Iterator[tuple[int, str]]

# A phrase that readers stumbled over in a draft, and what to write instead.
PHRASES = {
    r"orders? of (?:events|(?:their|its|the) statements)": "say interleaving or sequence: an order is the shop's",
    r"looks? whether": "say check whether",
    r"how often (?:does|is|can|will)": "say how many times",
    r"mend(?:s|ed|ing)?": "say fix",
    r"(?:what|which) becomes of": "say what happens to",
    r"what was left out": "say what we left for later",
    r"expected (?:is|are) ": "say expected …, got …",
    r"with sugar": "say with a decorator",
    r"nobody who compares": "say checks nothing",
    r"lucky with the plug": "say you needn't time the power cut",
    r"the look (?:stands |is )?(?:outside|inside)": "say the check is outside, or move the check inside",
    r"right are only": "say only … are right",
    r"prevents nothing by nature": "say the column alone prevents nothing",
    r"knock(?:s|ing)? at the door": "say test whether it is accepted",
    r"(?:stands?|sits?) in the WHERE": "say lives in the WHERE clause",
    r"each sentence asks": "say read each question and pick an answer",
    r"is only its first half": "say covers only half of",
    r"have done, too": "say would … have been enough",
    r"(?:may|can) die of": "say can fail with an error, or must never kill",
    r"takes? it that": "say assumes",
    r"to return is to say": "say returning means success",
    r"the customer rings": "say calls",
    r"turn(?:s|ed)? the .{1,20} round": "say now from the other side",
    r"in any order\b": "say in any sequence: an order is the shop's",
    r"(?:letters|lines|statements|words),? in (?:the same )?order\b": "say in sequence: an order is the shop's",
    r"(?:click|worker|receiver) dies of": "say fails with",
    r"look, then act": "say check, then act",
    r"puts? .{1,30} on trial": "say test",
}


def headings_in_order(source: Source) -> Found:
    """One H1, which the build writes; no level is skipped."""
    level = 1
    for block in source.blocks:
        if block.kind == "exercise" and level < 2:
            yield block.line, "an exercise is a heading of level 3: put a ## above it"
        for found, text, line in headings(block) if block.kind == "prose" else ():
            if found == 1:
                yield line, f"# {text}: the build writes the only H1 from the title; begin with ##"
            elif found > level + 1:
                yield line, f"{'#' * found} {text}: level {found} follows level {level}"
            level = max(found, 2)


def figures_have_words(source: Source) -> Found:
    """Every figure has alt text, in Markdown and in HTML."""
    for line, text in _prose_lines(source):
        for found in IMAGE.finditer(text):
            if len(found[1].split()) < 2:
                yield line, f"figure {found[2]}: alt text {found[1]!r} found; say in words what it shows"
        for image in HTML_IMAGE.findall(text):
            if not re.search(r"\balt=[\"'][^\"']+", image):
                yield line, f"{image}: no alt text"


def links_lead_somewhere(source: Source) -> Found:
    """Relative links and pictures exist, as seen from `notebooks/`; a sibling notebook has a source."""
    notebooks = source.path.parent.parent / "notebooks"
    for line, text in _prose_lines(source):
        for target in LINK.findall(text) + [found[2] for found in IMAGE.finditer(text)]:
            file = target.partition("#")[0]
            if not file or re.match(r"[a-z][a-z0-9+.-]*:", file):
                continue
            sibling = source.path.parent / file.replace(".ipynb", ".md")
            if not (notebooks / file).resolve().exists() and not (file.endswith(".ipynb") and sibling.exists()):
                yield line, f"link {target} leads nowhere (relative to notebooks/)"


def wording(source: Source) -> Found:
    """No phrase that readers have stumbled over, neither in the notebook nor in its exercises' texts."""
    for line, text in [*_prose_lines(source), *_exercise_texts(source)]:
        for phrase, better in PHRASES.items():
            for found in re.finditer(rf"\b(?:{phrase})", text, re.IGNORECASE):
                yield line, f"{found[0].strip()!r} found: {better}"


def _exercise_texts(source: Source) -> Iterator[tuple[int, str]]:
    """What an exercise says to the learner, each text at the line of its block."""
    for line, exercise in source.exercises():
        proved = [(check.__doc__ or "").partition("\n")[0] for check in exercise.checks]
        texts = (exercise.goal, exercise.stub, *exercise.hints, exercise.discussion, *proved)
        yield from ((line, text) for text in texts)


def prose_is_short(source: Source) -> Found:
    """Prose cells have up to 60 words; three may be longer. Code in fences, tables and tags do not count."""
    texts = [(block.line, block.text) for block in source.blocks if block.kind == "prose"]
    long = [(line, count_words(text)) for line, text in texts if count_words(text) > MAX_WORDS]
    if len(long) > MAX_LONG:
        for line, count in long:
            yield line, f"{count} words found, {MAX_WORDS} expected, and only {MAX_LONG} cells may be longer"
    for block in source.blocks:
        if block.kind == "explain" and (count := count_words(block.text)) > MAX_EXPLAINED:
            yield block.line, f"an explanation of {count} words found, {MAX_EXPLAINED} expected"
    for line, exercise in source.exercises():  # its text states every rule that the checks enforce: it may be longer
        if (count := count_words(exercise.goal)) > MAX_GOAL:
            yield line, f"exercise {exercise.id} has a goal of {count} words, {MAX_GOAL} expected"


def count_words(text: str) -> int:
    """How many words of prose a prose cell has."""
    bare = re.sub(r"`[^`]+`", "code", FENCED.sub("", text))  # a piece of code in a sentence is one word
    bare = re.sub(r"<[^>]+>", " ", bare)
    lines = [line for line in bare.splitlines() if not line.lstrip().startswith("|")]
    return len([word for word in " ".join(lines).split() if re.search(r"\w", word)])


def code_is_short(source: Source) -> Found:
    """Code cells have up to 10 lines, blank ones aside, and can be parsed."""
    for block in source.blocks:
        if block.kind == "code":
            count = len([line for line in block.text.splitlines() if line.strip()])
            if count > MAX_LINES:
                yield block.line, f"a code cell of {count} lines found, {MAX_LINES} expected"
            try:
                cells.parse(block.text)
            except SyntaxError as error:
                yield block.line + (error.lineno or 1) - 1, f"syntax error: {error.msg}"


def no_code_in_prose(source: Source) -> Found:
    """No code cell that Markdown would treat as prose: it would never run."""
    for block in source.blocks:
        place = block.text.find("```{code-cell}")
        if block.kind in ("prose", "recall", "explain") and place >= 0:
            line = block.line + block.text.count("\n", 0, place)
            why = "a fence above is left open, or a recall question holds a backtick, which opens none"
            yield line, f"this code cell was read as prose: {why}"


def code_blocks(source: Source) -> Iterator[tuple[Block, ast.Module]]:
    """The code cells that can be parsed."""
    for block in source.blocks:
        if block.kind == "code":
            try:
                yield block, cells.parse(block.text)
            except SyntaxError:  # reported by code_is_short
                continue


def calls_of(source: Source, *names: str) -> Iterator[tuple[str, str, int, ast.Call]]:
    """Each call of these functions with an id, such as `guess("03-a", …)`: its name, id, line and the call itself."""
    for block, tree in code_blocks(source):
        for node in ast.walk(tree):
            match node:
                case ast.Call(func=ast.Name(id=name), args=[ast.Constant(value=str(id)), *_]) if name in names:
                    yield name, id, block.line + node.lineno - 1, node


def _prose_lines(source: Source) -> Iterator[tuple[int, str]]:
    """The lines of prose, with recall answers and explanations, without fenced code."""
    for block in source.blocks:
        if block.kind in ("prose", "recall", "explain"):
            bare = FENCED.sub(lambda match: "\n" * match[0].count("\n"), block.text)
            offset = block.line + (block.kind != "prose")
            yield from ((offset + number, line) for number, line in enumerate(bare.splitlines()))
