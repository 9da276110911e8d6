"""JSON paths found the slow way: the whole document as a tree, and every path tried at every value."""

import json
import re
from typing import Any

DEPTH = 128


class Number(str):
    """A number as it was spelled."""


class Pairs(list[tuple[str, Any]]):
    """An object with its members in order, repeated keys included."""


class MalformedError(ValueError):
    pass


class TooDeepError(ValueError):
    pass


def parse(document: bytes) -> Any:
    """The tree of a document by RFC 8259. Bytes that are not UTF-8 pass, as they do in the compiled matcher."""
    text = document.decode("utf-8", "surrogateescape")
    try:
        tree = json.loads(
            text, object_pairs_hook=Pairs, parse_int=Number, parse_float=Number, parse_constant=refuse_constant
        )
        levels = depth(tree)
    except RecursionError:
        raise TooDeepError from None
    except ValueError as error:
        raise MalformedError from error
    if levels > DEPTH:
        raise TooDeepError
    return tree


def refuse_constant(word: str) -> None:
    raise ValueError(f"{word} is not JSON")


def depth(tree: Any) -> int:
    members = [value for _, value in tree] if isinstance(tree, Pairs) else tree if isinstance(tree, list) else None
    return 0 if members is None else 1 + max(map(depth, members), default=0)


def match(paths: list[str], document: bytes) -> list[tuple[int, str, Any]]:
    """(number of the path, type, value) of each match, in the order in which the values end."""
    return walk(parse(document), [(number, split(path)) for number, path in enumerate(paths)])


def walk(value: Any, places: list[tuple[int, list[str]]]) -> list[tuple[int, str, Any]]:
    found = []
    if isinstance(value, Pairs):
        members = value
    else:
        members = Pairs((str(i), element) for i, element in enumerate(value)) if isinstance(value, list) else Pairs()
    for key, member in members:
        found += walk(member, [(number, rest[1:]) for number, rest in places if rest and leads(rest[0], key)])
    return found + [(number, type_name(value), value) for number, rest in places if not rest]


def leads(part: str, key: str) -> bool:
    return part == "*" or unescape(part) == key


def split(path: str) -> list[str]:
    """The parts, still escaped."""
    parts = [""]
    escaped = False
    for char in path:
        if char == "." and not escaped:
            parts.append("")
        else:
            parts[-1] += char
        escaped = char == "\\" and not escaped
    return parts


def unescape(part: str) -> str:
    return re.sub(r"\\(.)", r"\1", part)


def type_name(value: Any) -> str:
    for kind, name in ((Pairs, "object"), (list, "array"), (Number, "number"), (str, "string")):
        if isinstance(value, kind):
            return name
    return json.dumps(value)
