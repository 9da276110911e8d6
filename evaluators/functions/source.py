"""Calls and values as Java and JavaScript write them: f(a=5L, b=new HashMap<String, Integer>() {{ put("x", 1); }}).

Values stay the text that they are until the type is known that they should have; then `value_of` reads them. What has
another form stays text: a name of a variable, say, or `new Point(1, 2)`.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

LONGEST = 20_000  # characters
OPENING, CLOSING = "([{", ")]}"
GENERIC = re.compile(r"(?<=\w)<[\w\s,.?\[\]<>]{0,200}>")
CALL = re.compile(r"([A-Za-z_$][\w$.]*)\s*\((.*)\)\s*;?", re.DOTALL)
ARGUMENT = re.compile(r"\s*([A-Za-z_$][\w$]*)\s*=(?![=>])(.*)", re.DOTALL)
WHOLE = re.compile(r"-?\d+")
LONG = re.compile(r"(-?\d+)[lL]")
BIG = re.compile(r"(-?\d+)n")
FLOAT = re.compile(r"(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)[fF]")
DOUBLE = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
DECIMAL = re.compile(r"-?\d+(?:\.\d+)?")
# Runs of blanks are bounded: where two of them meet, long ones would be tried in every way.
GAP, OF = r"\s{0,9}", r"\s{0,9}(?:<[^({]{0,99}>)?\s{0,9}"
JAVA_ARRAY = re.compile(rf"new\s+[\w.]+{OF}(?:\[{GAP}\]{GAP}){{1,9}}\{{(.*)\}}", re.DOTALL)
JAVA_LIST = re.compile(rf"new\s+ArrayList{OF}\({GAP}(?:Arrays\.asList{GAP}\((.*)\))?{GAP}\)", re.DOTALL)
JAVA_FILLED = re.compile(rf"new\s+\w+{OF}\({GAP}\){GAP}\{{{GAP}(?:\{{(.*)\}})?{GAP}\}}", re.DOTALL)
JAVA_MAP = re.compile(rf"new\s+HashMap{OF}\({GAP}\)")
ADDED = re.compile(r"(?:this\s*\.\s*)?add\s*\((.*)\)", re.DOTALL)
PUT = re.compile(r"(?:this\s*\.\s*)?put\s*\((.*)\)", re.DOTALL)
JS_ARRAY = re.compile(r"(?:\[(.*)\]|new\s+Array\s*\((.*)\))", re.DOTALL)
JS_OBJECT = re.compile(r"\{(.*)\}", re.DOTALL)
NAME = re.compile(r"[\w$-]+")


def source_calls(text: str) -> list[tuple[str, Mapping[str, Any]]]:
    """Name of each call and the source of its named arguments, of a string what is in it.

    Raises ValueError for a text that is anything else.
    """
    if len(text) > LONGEST:
        raise ValueError("too long to be calls")
    inside = text[1 if text.startswith("[") else 0 : -1 if text.endswith("]") else None]
    return [call_of(piece) for part in pieces(inside, ",;\n") if (piece := part.strip())]


def call_of(piece: str) -> tuple[str, dict[str, Any]]:
    """Name and arguments of one call; raises ValueError."""
    found = CALL.fullmatch(piece)
    if found is None:
        raise ValueError("no call")
    named = [ARGUMENT.fullmatch(part) for part in pieces(found.group(2), ",") if part.strip()]
    return found.group(1), {one.group(1): unquoted(one.group(2).strip()) for one in named if one is not None}


def pieces(text: str, between: str) -> Iterator[str]:
    """What stands between these characters, outside of strings and brackets; raises ValueError for odd brackets."""
    start = at = 0
    open_ones: list[str] = []
    while at < len(text):
        character = text[at]
        if character in "\"'`":
            at = end_of_string(text, at)
        elif character == "<" and (found := GENERIC.match(text, at)):
            at = found.end() - 1
        elif character in OPENING:
            open_ones.append(character)
        elif character in CLOSING:
            if not open_ones or OPENING.index(open_ones.pop()) != CLOSING.index(character):
                raise ValueError("brackets that do not match")
        elif character in between and not open_ones:
            yield text[start:at]
            start = at + 1
        at += 1
    if open_ones:
        raise ValueError("a bracket that nothing closes")
    yield text[start:]


def end_of_string(text: str, at: int) -> int:
    """Where the quote is that ends the string which begins here; raises ValueError."""
    quote = text[at]
    at += 1
    while at < len(text) and text[at] != quote:
        at += 2 if text[at] == "\\" else 1
    if at >= len(text):
        raise ValueError("a string without an end")
    return at


def unquoted(text: str) -> str:
    """What is in a string; anything else as it stands."""
    if len(text) < 2 or text[0] not in "\"'`" or text[-1] != text[0]:
        return text
    try:
        return text[1:-1] if end_of_string(text, 0) == len(text) - 1 else text
    except ValueError:
        return text


def value_of(text: str, kind: str, item: str, language: str) -> Any:
    """The value of a source of a type, with items of another one; what is not of that type stays text."""
    read = (JAVA if language == "java" else JAVASCRIPT).get(kind)
    try:
        return unquoted(text) if read is None else read(text.strip(), item)
    except (ValueError, RecursionError):
        return text


def items_of(text: str | None, item: str, language: str) -> list[Any]:
    """The items between commas, each of a type if there is one."""
    found = [one.strip() for one in pieces(text or "", ",") if one.strip()]
    if item and item != "any":
        return [value_of(one, item, "", language) for one in found]
    return [any_value(one, language) for one in found]


def any_value(text: str, language: str) -> Any:
    """A value whose form alone tells what it is."""
    if text in ("true", "false"):
        return text == "true"
    if (inside := unquoted(text)) != text:
        return inside
    values = (value_of(text, kind, "", language) for kind in KINDS[language])
    return next((value for value in values if not isinstance(value, str)), text)


def matched(pattern: re.Pattern[str], text: str) -> re.Match[str]:
    """The whole text by a pattern; raises ValueError."""
    found = pattern.fullmatch(text)
    if found is None:
        raise ValueError("of another type")
    return found


def whole(text: str, _: str) -> int:
    return int(matched(WHOLE, text).group())


def boolean(text: str, _: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError("of another type")
    return text == "true"


def java_array(text: str, item: str) -> list[Any]:
    return items_of(matched(JAVA_ARRAY, text).group(1), item, "java")


def java_list(text: str, item: str) -> list[Any]:
    """new ArrayList<>(), with Arrays.asList(...) in it or filled by add(...)."""
    if found := JAVA_LIST.fullmatch(text):
        return items_of(found.group(1), item, "java")
    return [one for added in filled(text, ADDED) for one in items_of(added, item, "java")]


def java_map(text: str, _: str) -> dict[str, Any]:
    """new HashMap<>(), also filled by put(...)."""
    if JAVA_MAP.fullmatch(text):
        return {}
    pairs = [list(pieces(put, ",")) for put in filled(text, PUT)]
    if any(len(pair) != 2 for pair in pairs):
        raise ValueError("of another type")
    return {unquoted(key.strip()): any_value(value.strip(), "java") for key, value in pairs}


def filled(text: str, pattern: re.Pattern[str]) -> list[str]:
    """What stands in the brackets of each call that fills a collection; raises ValueError."""
    inside = matched(JAVA_FILLED, text).group(1) or ""
    return [matched(pattern, part.strip()).group(1) for part in pieces(inside, ";") if part.strip()]


def js_array(text: str, item: str) -> list[Any]:
    found = matched(JS_ARRAY, text)
    return items_of(found.group(1) or found.group(2), item, "javascript")


def js_object(text: str, _: str) -> dict[str, Any]:
    """An object; a name without a value is that of a variable."""
    parts = [part.strip() for part in pieces(matched(JS_OBJECT, text).group(1), ",") if part.strip()]
    return dict(js_pair(part) for part in parts)


def js_pair(part: str) -> tuple[str, Any]:
    """Key and value; raises ValueError."""
    key, *value = pieces(part, ":")
    name = unquoted(key.strip())
    if not value and not NAME.fullmatch(part):
        raise ValueError("of another type")
    return name, any_value(part[len(key) + 1 :].strip(), "javascript") if value else part


# In the order in which a value without a type is tried.
KINDS = {
    "java": ("integer", "long", "float", "double", "Array", "ArrayList", "HashMap"),
    "javascript": ("integer", "float", "array", "dict"),
}
JAVA: dict[str, Callable[[str, str], Any]] = {
    **dict.fromkeys(("byte", "short", "integer"), whole),
    "long": lambda text, _: int(matched(LONG, text).group(1)),
    "float": lambda text, _: float(matched(FLOAT, text).group(1)),
    "double": lambda text, _: float(matched(DOUBLE, text).group()),
    "boolean": boolean,
    "Array": java_array,
    "ArrayList": java_list,
    "HashMap": java_map,
}
JAVASCRIPT: dict[str, Callable[[str, str], Any]] = {
    "integer": whole,
    "Bigint": lambda text, _: int(matched(BIG, text).group(1)),
    "float": lambda text, _: float(matched(DECIMAL, text).group()),
    "Boolean": boolean,
    "array": js_array,
    "dict": js_object,
}
