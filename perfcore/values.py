"""Values of options: each function takes text or what a file holds, and raises ValueError saying what it wants."""

import json
import math
import re
from collections.abc import Callable, Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Any, cast

import msgspec

from perfcore.paths import expanded

DURATION = re.compile(r"(?:\d+(?:\.\d*)?(?:ms|s|m|h|d))+")
DURATION_PART = re.compile(r"(\d+(?:\.\d*)?)(ms|s|m|h|d)")
SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
SIZE = re.compile(r"(\d+)\s*(?:([kmg])(i?)b?|b)?", re.IGNORECASE)
SWITCH = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
MOST_URLS = 255  # their number is one byte of a record
HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\r\n\0]*")


def text(value: object) -> str:
    """Non-empty text."""
    if not isinstance(value, str) or not value:
        raise ValueError("wants text that is not empty")
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise ValueError("has bytes that are not UTF-8")
    return value


def urls(value: object) -> tuple[str, ...]:
    """URLs without the blanks around them; their parts are checked where the request's address is made from them."""
    found = tuple(item.strip() for item in texts(value))
    if len(found) > MOST_URLS:
        raise ValueError(f"wants at most {MOST_URLS} URLs")
    return found


def choice(*names: str) -> Callable[[object], str]:
    """A check for one of these names."""

    def check(value: object) -> str:
        if str(value) not in names:  # a file may give 1.1 and 2 as numbers
            raise ValueError(f"wants one of {', '.join(names)}")
        return str(value)

    return check


def think_tags(value: object) -> str:
    """auto, off, or an opening and a closing tag with a comma between them."""
    given = "off" if value is False else text(value)  # YAML reads off as false
    opening, _, closing = given.partition(",")
    if given not in ("auto", "off") and (not opening or not closing or "," in closing):
        raise ValueError("wants auto, off, or OPEN,CLOSE such as <think>,</think>")
    return given


def resolutions(value: object) -> tuple[str, ...]:
    """Lines of HOST:PORT:ADDRESS, whose address is IPv4 or IPv6, with or without brackets."""
    lines = texts(value)
    for line in lines:
        host, _, rest = line.partition(":")
        port, _, address = rest.partition(":")
        try:
            ip_address(address.removeprefix("[").removesuffix("]"))
        except ValueError:
            port = ""
        if not host or not port.isdecimal():
            raise ValueError(f"wants HOST:PORT:ADDRESS, such as llm.example:443:10.0.0.7, which {line!r} is not")
    return lines


def path(value: object) -> Path:
    """Path of a file or folder."""
    if isinstance(value, Path):
        return value
    return expanded(text(value))


def integer(value: object) -> int:
    """Whole number, also written as text or as a float without a fraction (1e6 in TOML)."""
    number_or_none = value if isinstance(value, (int, float)) and not isinstance(value, bool) else None
    if isinstance(value, str):
        try:
            number_or_none = int(value)
        except ValueError:
            number_or_none = None
    if number_or_none is None or number_or_none != number_or_none or math.isinf(number_or_none) or number_or_none % 1:
        raise ValueError("wants a whole number")
    return int(number_or_none)


def number(value: object) -> float:
    """Finite number."""
    try:
        parsed = float("nan") if isinstance(value, bool) or not isinstance(value, (int, float, str)) else float(value)
    except (ValueError, OverflowError):
        parsed = float("nan")
    if not math.isfinite(parsed):
        raise ValueError("wants a number")
    return parsed


def duration(value: object) -> float:
    """Seconds, from a number or from text such as 500ms, 30s, 2m, 1h30m."""
    if isinstance(value, str) and DURATION.fullmatch(value.strip()):
        return sum(float(amount) * SECONDS[unit] for amount, unit in DURATION_PART.findall(value))
    try:
        return number(value)
    except ValueError:
        raise ValueError("wants seconds or a time such as 500ms, 30s, 2m or 1h30m") from None


def size(value: object) -> int:
    """Bytes, from a number or from text such as 64MiB or 1GB."""
    found = SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        return integer(value)
    amount, letter, binary = found.groups()
    power = " kmg".index(letter.lower()) if letter else 0
    unit: int = (1024 if binary else 1000) ** power
    return int(amount) * unit


def switch(value: object) -> bool:
    """True or false, also in words."""
    known = value if isinstance(value, bool) else SWITCH.get(str(value).strip().lower())
    if known is None:
        raise ValueError("wants true or false")
    return known


def texts(value: object) -> tuple[str, ...]:
    """One text or several; a JSON list where only text can be given (the environment)."""
    if isinstance(value, str) and value.startswith('["'):
        value = parsed_json(value)
    items = (value,) if isinstance(value, str) else value
    if not isinstance(items, (list, tuple)):
        raise ValueError("wants text, or a list of texts")
    return tuple(text(item) for item in items)


def names(value: object) -> tuple[str, ...]:
    """Names or paths, several in one text with commas between them; one in an existing file's name is part of it."""
    found: list[str] = []
    for item in (str(value),) if isinstance(value, Path) else texts(value):
        places = (item, item.partition(":")[2] or item)
        found += [item] if any(expanded(place).exists() for place in places) else item.split(",")
    return tuple(text(name.strip()) for name in found)


def paths(value: object) -> tuple[Path, ...]:
    """Paths of files or folders, one or a list."""
    return tuple(path(item) for item in (value if isinstance(value, (list, tuple)) else [value]))


def counts(value: object) -> tuple[int, ...]:
    """Whole numbers from 1 on, in rising order, as a list or as text with commas."""
    items = value.split(",") if isinstance(value, str) else value if isinstance(value, (list, tuple)) else [value]
    found = tuple(sorted({integer(item) for item in items}))
    if not found or found[0] < 1:
        raise ValueError("wants whole numbers from 1 on, such as 1,4,16")
    return found


def weights(value: object) -> tuple[float, ...]:
    """Shares above 0, as a list or as text with commas."""
    items = value.split(",") if isinstance(value, str) else value if isinstance(value, (list, tuple)) else [value]
    return tuple(share(item) for item in items)


def shares(value: object) -> dict[str, Any]:
    """Shares above 0 by name."""
    return {name: share(item) for name, item in table(value).items()}


def share(value: object) -> float:
    """A number above 0."""
    found = number(value)
    if found <= 0:
        raise ValueError("wants shares above 0")
    return found


def share_of_one(value: object) -> float:
    """A share, as a number (0.02) or in percent (2%)."""
    if isinstance(value, str) and value.strip().endswith("%"):
        return number(value.strip()[:-1]) / 100
    return number(value)


def headers(value: object) -> tuple[str, ...]:
    """Header lines; what is refused is named by its place, as it may hold a secret."""
    lines = texts(value)
    for place, line in enumerate(lines, 1):
        if not HEADER.fullmatch(line):
            raise ValueError(f"wants lines of the form 'Name: value', which number {place} is not")
    return lines


def table(value: object) -> dict[str, Any]:
    """Table of a file, a JSON object as text, or key=json assignments, whose dotted keys nest."""
    if isinstance(value, str):
        value = parsed_json(value) if value.lstrip().startswith("{") else (value,)
    if isinstance(value, Mapping):
        return cast(dict[str, Any], msgspec.to_builtins(dict(value), str_keys=True))
    if not isinstance(value, (list, tuple)):
        raise ValueError("wants a table of keys and values")
    body: dict[str, Any] = {}
    for assignment in value:
        assign(body, text(assignment))
    text(json.dumps(body, ensure_ascii=False))
    return body


def assign(body: dict[str, Any], assignment: str) -> None:
    """Put one key=json into a body; a value that is not JSON is text; raises ValueError."""
    key, equals, given = assignment.partition("=")
    names = key.split(".")
    if not equals or not all(names):
        raise ValueError("wants key=json, such as temperature=0 or a.b=true")
    for name in names[:-1]:
        body = body.setdefault(name, {})
        if not isinstance(body, dict):
            raise ValueError(f"gives {key!r} below a key that has a value of its own")
    try:
        body[names[-1]] = json.loads(given)
    except ValueError:
        body[names[-1]] = given


def parsed_json(value: str) -> object:
    """JSON value of a text; raises ValueError in words."""
    try:
        return json.loads(value)
    except ValueError as error:
        raise ValueError(f"is not JSON ({error})") from None
