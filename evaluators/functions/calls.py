"""Calls of functions that an answer makes: those that the service told apart, and those that stand in its text.

A text is the calls as Python, Java or JavaScript write them, with or without brackets and a fence around, or JSON.
Prose around them makes it prose: a call that is only mentioned is none. Nothing that an answer says is ever run.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from evaluators.answers.structure import blocks
from evaluators.functions.python import python_calls
from evaluators.functions.source import source_calls

LONGEST = 100_000  # characters of JSON
DEEPEST = 50
TAGGED = re.compile(r"<(tool_call|function_call|tool_calls)>(.*?)(?:</\1>|\Z)", re.DOTALL)
BETWEEN = re.compile(r"[\s,;]*")
UNREADABLE = (SyntaxError, ValueError, TypeError, OverflowError, RecursionError, MemoryError)
DECODER = json.JSONDecoder()


class Call(NamedTuple):
    """One call. Arguments are values of JSON, or tuples; those in the source of Java and JavaScript stay texts."""

    name: str
    arguments: Mapping[str, Any]


class Calls(NamedTuple):
    """What was found, in which way, and else why it is nothing. `tried` says that a call was made but is broken."""

    found: Sequence[Call]
    how: str = ""
    why: str = ""
    tried: bool = False


def told_apart(given: Sequence[Mapping[str, Any]], names: Mapping[str, str]) -> Calls:
    """The calls that the service told apart. `names` has the functions' own names where they were sent under others."""
    found = []
    for one in given:
        name = str(one.get("name") or "")
        try:
            arguments = arguments_of(one.get("arguments"))
        except UNREADABLE:
            return Calls([], "tool_calls", f"the arguments of {name} are no JSON object", tried=True)
        found.append(Call(names.get(name, name), arguments))
    return Calls(found, "tool_calls")


def arguments_of(given: Any) -> dict[str, Any]:
    """Arguments as an object, of a function without any also an empty text; raises ValueError."""
    value = whole_json(given) if isinstance(given, str) and given.strip() else given or {}
    if not isinstance(value, dict) or too_deep(value, DEEPEST):
        raise ValueError("no object")
    return value


def in_text(text: str, language: str) -> Calls:
    """The calls that a text is; `language` is python, java or javascript."""
    bare = text.strip()
    tagged = "\n".join(found.group(2) for found in TAGGED.finditer(bare))
    fenced = "\n".join(block for _, block in blocks(bare)) if "```" in bare or "~~~" in bare else ""
    pieces = [("text", bare.strip("`\n ")), ("tags", tagged), ("fenced block", fenced)]
    for how, piece in pieces:
        for form, read in (("JSON", json_calls), (language, SOURCE[language])):
            if piece.strip() and (calls := attempt(read, piece.strip())) is not None:
                return Calls(
                    [Call(*one) for one in calls], f"{how}, {form}", "" if calls else "the list of calls is empty"
                )
    return Calls([], "", "the text holds no calls" if bare else "the answer is empty")


def attempt(read: Callable[[str], list[tuple[str, Mapping[str, Any]]]], text: str) -> Any:
    """The calls of a text, or None where it cannot be read as such."""
    try:
        return read(text)
    except UNREADABLE:
        return None


def json_calls(text: str) -> list[tuple[str, Mapping[str, Any]]]:
    """Calls as JSON, one after the other or in a list: {"name": ..., "arguments": {...}}; raises ValueError."""
    if len(text) > LONGEST or text[0] not in "[{":
        raise ValueError("no JSON")
    values = [one for value in json_values(text) for one in (value if isinstance(value, list) else [value])]
    return [json_call(one) for one in values]


def json_values(text: str) -> Iterator[Any]:
    """The values that a text is, between which are blanks, commas or semicolons."""
    at = 0
    while at < len(text):
        value, end = DECODER.raw_decode(text, at)
        yield value
        found = BETWEEN.match(text, end)
        at = found.end() if found else end


def whole_json(text: str) -> Any:
    """The value that a whole text is; raises ValueError."""
    if len(text) > LONGEST:
        raise ValueError("too long")
    return json.loads(text)


def json_call(value: Any) -> tuple[str, Mapping[str, Any]]:
    """Name and arguments; raises ValueError."""
    if isinstance(value, dict) and isinstance(value.get("function"), dict):
        value = value["function"]
    name = value.get("name") if isinstance(value, dict) else None
    if not isinstance(name, str) or not name or not value.keys() & {"arguments", "parameters"}:
        raise ValueError("no call")
    return name, arguments_of(value.get("arguments", value.get("parameters")))


def too_deep(value: Any, most: int) -> bool:
    """Whether lists and objects are nested more than so often."""
    if not isinstance(value, (dict, list, tuple)):
        return False
    inside = value.values() if isinstance(value, dict) else value
    return most == 0 or any(too_deep(one, most - 1) for one in inside)


def shown(value: Any) -> Any:
    """A value as JSON can have it."""
    if isinstance(value, Mapping):
        return {plain(str(key)): shown(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [shown(one) for one in value]
    if isinstance(value, str):
        return plain(value)
    fits = value is None or isinstance(value, (bool, float)) or (isinstance(value, int) and abs(value) < 1 << 63)
    return value if fits else plain(str(value))


def plain(text: str) -> str:
    """A text without halves of characters, which no file can hold."""
    return text.encode("utf-8", "replace").decode()


SOURCE: dict[str, Callable[[str], list[tuple[str, Mapping[str, Any]]]]] = {
    "python": python_calls,
    "java": source_calls,
    "javascript": source_calls,
}
