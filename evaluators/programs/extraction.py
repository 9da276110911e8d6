"""The code in an answer: rules that are tried in this order, each of which gives candidates of a program.

Which of them is run is decided where it is run: the first one that compiles. Nothing of an answer is parsed here by
more than regular expressions.
"""

import re
import textwrap
from collections.abc import Iterator, Sequence
from typing import NamedTuple

FENCE = re.compile(r"[ \t]*(?P<mark>```+|~~~+)[ \t]*(?P<tag>[\w+#.-]*)[ \t]*(?P<more>.*)")
MOST = 12  # candidates
BEGIN = re.compile(r"\[BEGIN\][ \t]*\n?(?P<code>.*?)(?:\[DONE\]|\Z)", re.S)
DONE = re.compile(r"\[DONE\]")
# A line at the left margin with which a base model goes on to something else after a function's body.
BEYOND = re.compile(
    r"^(?:class |def |async def |@|if |print|assert |#|```|<|\[DONE\]|import |from |[A-Z][a-z]+ )", re.M
)
CODE_LINE = re.compile(r"(?:from\s+\S+\s+import|import\s|def\s|class\s|@\w|async\s+def\s)")
TAGS = {
    "python": ("python", "py", "python3", "py3"),
    "cpp": ("cpp", "c++", "cc", "cxx"),
    "java": ("java",),
    "js": ("javascript", "js", "node"),
    "go": ("go", "golang"),
    "rust": ("rust", "rs"),
}


class Found(NamedTuple):
    """Code, and the name of the rule that found it."""

    code: str
    rule: str


def blocks(text: str) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Tag and content of each fenced block, and of one at the end that is not closed. Takes one look at each line."""
    closed: list[tuple[str, str]] = []
    opened: re.Match[str] | None = None
    inside: list[str] = []
    for line in text.split("\n"):
        fence = FENCE.match(line)
        if opened is None:
            opened, inside = fence, []
        elif fence and not fence["tag"] and not fence["more"] and fence["mark"].startswith(opened["mark"]):
            closed.append((opened["tag"].lower(), textwrap.dedent("\n".join([*inside, ""]))))
            opened = None
        else:
            inside.append(line)
    rest = [(opened["tag"].lower(), textwrap.dedent("\n".join(inside)))] if opened is not None else []
    return closed, rest


def candidates(text: str, defines: re.Pattern[str] | None, language: str = "python") -> list[Found]:
    """Programs in an answer, the likeliest first. `defines` matches code that has what is asked for."""
    return list(dict.fromkeys(found for found in ruled(text, defines, language) if found.code.strip()))[:MOST]


def ruled(text: str, defines: re.Pattern[str] | None, language: str) -> Iterator[Found]:
    """One rule after the other."""
    text = text.replace("\r\n", "\n")
    marked = BEGIN.search(text)
    if marked:
        yield from within(marked["code"], "[BEGIN]", defines, language)
    closed, opened = blocks(text)
    yield from fenced(closed, defines, TAGS.get(language, (language,)))
    yield from (Found(code, "unclosed fence") for _, code in opened)
    done = None if marked else DONE.search(text)
    if done:
        yield from within(text[: done.start()], "[DONE]", defines, language)
    yield from bare(text, defines)


def within(text: str, rule: str, defines: re.Pattern[str] | None, language: str) -> Iterator[Found]:
    """Code between marks, which may have a fence around it all the same."""
    closed, opened = blocks(text)
    inside = closed or opened
    for found in fenced(inside, defines, TAGS.get(language, (language,))):
        yield Found(found.code, rule)
    yield Found(text.strip("\n"), rule)


def fenced(found: Sequence[tuple[str, str]], defines: re.Pattern[str] | None, tags: Sequence[str]) -> Iterator[Found]:
    """Blocks of the language before others, of each kind those that define what is asked for, the last one first."""
    last_first = list(reversed(found))
    if defines is not None:
        yield from (Found(code, "tagged block") for tag, code in last_first if tag in tags and defines.search(code))
        yield from (Found(code, "block") for _, code in last_first if defines.search(code))
    yield from (Found(code, "last tagged block") for tag, code in last_first[:1] if tag in tags)
    yield from (Found(code, "first tagged block") for tag, code in found if tag in tags)
    yield from (Found(code, "last block") for _, code in last_first[:1])


def bare(text: str, defines: re.Pattern[str] | None) -> Iterator[Found]:
    """Text that is code from beginning to end, or from its first line of code on."""
    if defines is not None and not defines.search(text):
        return
    yield Found(text, "bare code")
    lines = text.split("\n")
    first = next((at for at, line in enumerate(lines) if CODE_LINE.match(line)), None)
    if first is None:
        return
    for end in ends(lines, first):
        yield Found("\n".join(lines[first:end]), "code in text")


def ends(lines: Sequence[str], first: int) -> Iterator[int]:
    """Where code may end: at its end, else before a line at the margin that looks like prose."""
    yield len(lines)
    prose = [at for at in range(first + 1, len(lines)) if re.match(r"[A-Z][\w']*[ ,]|[#*>-]+ \w|```", lines[at])]
    yield from prose[:8]


def bodies(text: str) -> list[str]:
    """A function's body that continues a prompt: as it is, cut where something else begins, its first line indented."""
    text = text.replace("\r\n", "\n")
    closed, opened = blocks(text)
    inside = next((code for _, code in [*closed, *opened]), text)
    cut = BEYOND.search(inside, 1)
    whole = [inside, *([inside[: cut.start()]] if cut else [])]
    indented = [f"    {body.lstrip()}" for body in whole if not body[:1].isspace()]
    return [*reversed(whole), *reversed(indented)]
