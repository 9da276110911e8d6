"""Filters: what is done to the text of an answer, one after the other, before it is scored. docs/filters.md lists them.

A filter is written as its name, as {name = value} or as {name = {key = value}}. Patterns are run by the package
`regex`, which stops after LIMIT_S seconds: some patterns take hours for texts that are made for them.
"""

import difflib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, TypeVar

import msgspec
import regex

from evaluators.answers.reasoning import without_reasoning
from evaluators.answers.structure import NOT_THERE, blocks, plain, value_at
from evaluators.errors import EvaluationError

LIMIT_S = 2.0
Which = Literal["first", "last"]
T = TypeVar("T")
Step = Callable[[str], str]


class Empty(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of a filter without settings."""


class Regex(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a pattern finds. Without a match the text becomes `fallback`, or stays with `keep`."""

    pattern: str
    group: int | str | None = None  # else the first group that matched, or the whole match where there are no groups
    match: Which = "first"
    fallback: str = ""
    keep: bool = False
    ignore_case: bool = False


class Place(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A text, or a pattern, of which the first or the last one counts."""

    text: str = ""
    pattern: str = ""
    which: Which | None = None


class Replace(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A text, or a pattern, and what goes in its place."""

    text: str = ""
    pattern: str = ""
    by: str = ""


class Tags(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A tag by its name, or what opens and closes."""

    name: str = ""
    opening: str = ""
    closing: str = ""


class Block(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which fenced block: of a language (any where it is empty), and of several the first, last or longest."""

    language: str = ""
    which: Literal["first", "last", "longest"] = "first"
    fallback: str | None = None  # without a block the text stays, unless this says what it becomes


class Json(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a value is within JSON: names and numbers joined by dots."""

    key: str = ""
    fallback: str = ""


class Characters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Characters at both ends of a text; blanks where there are none."""

    characters: str = ""


class Filter(NamedTuple):
    """`make` turns settings into a function; `main` is the setting that stands alone, as in {regex = "a+"}."""

    make: Callable[[Any], Step]
    settings: type[Any] = Empty
    main: str = ""


def prepare(filters: Sequence[str | Mapping[str, Any]]) -> Step:
    """One function that does what all filters say, in their order.

    Raises EvaluationError for an unknown filter, a wrong setting or a broken pattern; the function does where a
    pattern takes too long.
    """
    steps = [step_of(given, f"filters[{number}]") for number, given in enumerate(filters)]

    def through(text: str) -> str:
        for step in steps:
            text = step(text)
        return text

    return through


def step_of(given: str | Mapping[str, Any], place: str) -> Step:
    """One filter. Raises EvaluationError that begins with its place."""
    name, value = named(given, place)
    if name not in FILTERS:
        near = difflib.get_close_matches(name, FILTERS, 1, cutoff=0.0)[0]
        raise EvaluationError(f"{place}: unknown filter {name!r}; the nearest one is {near!r}")
    one = FILTERS[name]
    table = value if isinstance(value, Mapping) else {one.main: value}
    if not one.main and not isinstance(value, Mapping):
        raise EvaluationError(f"{place}: the filter {name} takes no value, it got {value!r:.40}; write {name!r} alone")
    try:
        return one.make(msgspec.convert(table, one.settings))
    except msgspec.ValidationError as error:
        raise EvaluationError(f"{place}: the filter {name}: {error}; docs/filters.md has its settings") from None
    except regex.error as error:
        raise EvaluationError(f"{place}: the filter {name} has a broken pattern: {error}; mend it") from None
    except ValueError as error:
        raise EvaluationError(f"{place}: the filter {name} {error}") from None


def named(given: str | Mapping[str, Any], place: str) -> tuple[str, Any]:
    """Name and value of a filter."""
    if isinstance(given, str):
        return given, {}
    if len(given) != 1:
        raise EvaluationError(
            f"{place} has the keys {', '.join(given) or '(none)'}; give each filter an entry of its own"
        )
    return next(iter(given.items()))


def in_time(pattern: str, run: Callable[[], T]) -> T:
    """What running a pattern gives. Raises EvaluationError where it takes too long."""
    try:
        return run()
    except TimeoutError:
        raise EvaluationError(
            f"the pattern {pattern!r} of a filter took more than {LIMIT_S:g} s for one answer; write it with fewer ways"
            " to match the same text"
        ) from None


# ---- those by patterns and places


def by_regex(settings: Regex) -> Step:
    """What a pattern finds."""
    compiled = regex.compile(settings.pattern, regex.IGNORECASE if settings.ignore_case else 0)
    known = [*range(compiled.groups + 1), *compiled.groupindex]
    if settings.group is not None and settings.group not in known:
        raise ValueError(f"asks for the group {settings.group!r}, and the pattern has {known}; correct one of them")

    def step(text: str) -> str:
        found = in_time(settings.pattern, lambda: matched(compiled, text, settings.match))
        if found is None:
            return text if settings.keep else settings.fallback
        if settings.group is not None:
            return str(found.group(settings.group) or "")
        return str(next((group for group in found.groups() if group is not None), found.group()))

    return step


def matched(compiled: Any, text: str, which: Which) -> Any:
    """The first or the last match of a pattern, or None."""
    if which == "first":
        return compiled.search(text, timeout=LIMIT_S)
    last = None
    for last in compiled.finditer(text, timeout=LIMIT_S):  # noqa: B007, the last one stays
        pass
    return last


def finder(settings: Place, otherwise: Which) -> Callable[[str], tuple[int, int] | None]:
    """Function from a text to where the place in it begins and ends."""
    if bool(settings.text) == bool(settings.pattern):
        raise ValueError("wants text or pattern, one of them; write {remove_until = 'Answer:'}, say")
    which = settings.which or otherwise
    if settings.pattern:
        compiled = regex.compile(settings.pattern)

        def search(text: str) -> tuple[int, int] | None:
            found = in_time(settings.pattern, lambda: matched(compiled, text, which))
            return None if found is None else found.span()

        return search

    def find(text: str) -> tuple[int, int] | None:
        at = text.find(settings.text) if which == "first" else text.rfind(settings.text)
        return None if at < 0 else (at, at + len(settings.text))

    return find


def remove_until(settings: Place) -> Step:
    """What comes after a place, the last one unless the settings say first; a text without it stays."""
    find = finder(settings, "last")
    return lambda text: text if (found := find(text)) is None else text[found[1] :]


def remove_after(settings: Place) -> Step:
    """What comes before a place, the first one unless the settings say last; a text without it stays."""
    find = finder(settings, "first")
    return lambda text: text if (found := find(text)) is None else text[: found[0]]


def replace(settings: Replace) -> Step:
    """Another text in the place of each one. A pattern's groups are \\1 or \\g<name>."""
    if bool(settings.text) == bool(settings.pattern):
        raise ValueError("wants text or pattern, one of them; write {replace = {text = 'a', by = 'b'}}, say")
    if settings.text:
        return lambda text: text.replace(settings.text, settings.by)
    compiled = regex.compile(settings.pattern)
    try:
        regex.compile(f"(?:{settings.pattern})|").sub(settings.by, "")
    except IndexError:
        raise ValueError(f"has by = {settings.by!r}, which names a group that the pattern has not") from None
    return lambda text: in_time(settings.pattern, lambda: str(compiled.sub(settings.by, text, timeout=LIMIT_S)))


def remove_tags(settings: Tags) -> Step:
    """A text without what stands between tags, as reasoning is taken out."""
    pair = (settings.opening, settings.closing) if settings.opening else (f"<{settings.name}>", f"</{settings.name}>")
    if bool(settings.name) == bool(settings.opening) or not all(pair):
        raise ValueError("wants a name, or opening and closing; write {remove_tags = 'note'}, say")
    return lambda text: without_reasoning(text, (pair,)).text


# ---- those of lines, words and characters


def first_line(_: Empty) -> Step:
    """The first line that is not blank."""
    return lambda text: next((line for line in text.splitlines() if line.strip()), "")


def last_line(_: Empty) -> Step:
    """The last line that is not blank."""
    return lambda text: next((line for line in reversed(text.splitlines()) if line.strip()), "")


def first_word(_: Empty) -> Step:
    """What stands before the first blank."""
    return lambda text: next(iter(text.split(maxsplit=1)), "")


def last_word(_: Empty) -> Step:
    """What stands behind the last blank."""
    return lambda text: next(iter(text.rsplit(maxsplit=1)[-1:]), "")


def strip(settings: Characters) -> Step:
    """A text without blanks, or other characters, at both ends."""
    return lambda text: text.strip(settings.characters or None)


def remove_characters(settings: Characters) -> Step:
    """A text without these characters."""
    if not settings.characters:
        raise ValueError("wants characters; write {remove_characters = '*$'}, say")
    table = dict.fromkeys(map(ord, settings.characters))
    return lambda text: text.translate(table)


def remove_whitespace(_: Empty) -> Step:
    """A text without any blank, tab or line end."""
    return lambda text: "".join(text.split())


def collapse_whitespace(_: Empty) -> Step:
    """A text in which one blank stands for several, and for line ends."""
    return lambda text: " ".join(text.split())


def lower(_: Empty) -> Step:
    """Small letters."""
    return str.lower


def upper(_: Empty) -> Step:
    """Capital letters."""
    return str.upper


# ---- those of structure


def remove_markdown(_: Empty) -> Step:
    """What Markdown shows: no marks of emphasis, headings, lists, quotes, links and code."""
    return plain


def code_block(settings: Block) -> Step:
    """What is in a fenced block of code."""
    wanted = settings.language.lower()

    def step(text: str) -> str:
        found = [code for language, code in blocks(text) if not wanted or language == wanted]
        if not found:
            return text if settings.fallback is None else settings.fallback
        return max(found, key=len) if settings.which == "longest" else found[0 if settings.which == "first" else -1]

    return step


def by_json(settings: Json) -> Step:
    """A value within JSON that the text is or has in it; text as it is, all else as JSON."""

    def step(text: str) -> str:
        found = value_at(text, settings.key)
        if found is NOT_THERE:
            return settings.fallback
        return found if isinstance(found, str) else msgspec.json.encode(found).decode()

    return step


FILTERS: dict[str, Filter] = {
    "regex": Filter(by_regex, Regex, "pattern"),
    "remove_until": Filter(remove_until, Place, "text"),
    "remove_after": Filter(remove_after, Place, "text"),
    "remove_tags": Filter(remove_tags, Tags, "name"),
    "replace": Filter(replace, Replace),
    "first_line": Filter(first_line),
    "last_line": Filter(last_line),
    "first_word": Filter(first_word),
    "last_word": Filter(last_word),
    "strip": Filter(strip, Characters, "characters"),
    "lower": Filter(lower),
    "upper": Filter(upper),
    "remove_characters": Filter(remove_characters, Characters, "characters"),
    "remove_whitespace": Filter(remove_whitespace),
    "collapse_whitespace": Filter(collapse_whitespace),
    "remove_markdown": Filter(remove_markdown),
    "code_block": Filter(code_block, Block, "language"),
    "json": Filter(by_json, Json, "key"),
}
