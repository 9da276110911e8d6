"""Templates of prompts over the columns of a record: {column}, {column.0} or {column.key} within it, {column:form}."""

import difflib
import re
from collections.abc import Callable, Mapping
from string import ascii_uppercase
from typing import Any

from perfcore.workload.template import in_text

# {{ and }} stand for braces; braces around anything that is no name, such as {} or {"a": 1}, stand for themselves.
COLUMN = re.compile(r"\{\{|\}\}|\{([^{}:\n]+)(?::(\w+))?\}")
RANGE = re.compile(r"([A-Z])\.\.([A-Z])")


def worded(template: str, fields: Mapping[str, Any]) -> str:
    """The template with the values of columns in their places; raises ValueError for one that is not there.

    Text stands as it is, numbers and lists as JSON has them, null as nothing. A form says otherwise: FORMS.
    """
    return COLUMN.sub(lambda found: piece(found, fields), template)


def piece(found: re.Match[str], fields: Mapping[str, Any]) -> str:
    """What stands in the place of one match."""
    name, form = found.groups()
    if name is None:
        return found.group()[0]
    value = column(name, fields)
    if form is not None and form not in FORMS:
        raise ValueError(f"the template has {found.group()}, and {form!r} is none of the forms {', '.join(FORMS)}")
    try:
        return in_text(value if form is None else FORMS[form](value))
    except (TypeError, ValueError, KeyError, IndexError, AttributeError):
        raise ValueError(f"{name} is {value!r:.60}, which cannot be written as {form}; correct the template") from None


def column(name: str, fields: Mapping[str, Any]) -> Any:
    """Value of a column, or of what dots lead to within it; raises ValueError that gives the nearest name."""
    if name in fields:
        return fields[name]
    if (ends := RANGE.fullmatch(name)) is not None:
        return lettered(ends.group(1), ends.group(2), fields)
    value: Any = fields
    for part in name.split("."):
        value = within(value, part)
        if value is ABSENT:
            near = difflib.get_close_matches(name, list(fields), 1, cutoff=0.0)
            advice = f"the nearest one is {near[0]!r}" if near else "it has none"
            raise ValueError(f"has no column {name!r}; {advice}")
    return value


def lettered(first: str, last: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the columns A, B and so on that say something; raises ValueError where none does."""
    letters = ascii_uppercase[ascii_uppercase.index(first) : ascii_uppercase.index(last) + 1]
    found = {letter: fields[letter] for letter in letters if fields.get(letter) not in (None, "")}
    if not found:
        raise ValueError(f"has none of the columns {first} to {last}; give it the choices")
    return found


def within(value: Any, part: str) -> Any:
    """Value under a key of an object or at a place of a list, from 0; ABSENT where there is none."""
    if isinstance(value, Mapping):
        return value.get(part, ABSENT)
    if isinstance(value, list) and part.isdecimal() and int(part) < len(value):
        return value[int(part)]
    return ABSENT


def said(template: str, fields: Mapping[str, Any]) -> Any:
    """Value of a column in its own type if the template is just its name, else the template filled in."""
    return worded(template, fields) if "{" in template else column(template, fields)


def letter(value: Any) -> str:
    """A for 0, B for 1; a letter stays."""
    if isinstance(value, str) and not value.strip().isdecimal():
        return value.strip()
    return ascii_uppercase[int(value)]


def letter_from_one(value: Any) -> str:
    """A for 1, B for 2; a letter stays."""
    return letter(int(value) - 1) if str(value).strip().isdecimal() and int(value) else letter(value)


def options(value: Any) -> str:
    """Choices as lines with letters: of a list, of an object by letter, or of such with text and label."""
    if isinstance(value, Mapping) and value.keys() >= {"text", "label"}:
        pairs = list(zip(value["label"], value["text"], strict=True))
    elif isinstance(value, list) and all(isinstance(one, Mapping) and one.keys() >= {"text", "label"} for one in value):
        pairs = [(one["label"], one["text"]) for one in value]
    else:
        pairs = list(value.items() if isinstance(value, Mapping) else zip(ascii_uppercase, value, strict=False))
    return "\n".join(f"{label}. {in_text(text)}" for label, text in pairs)


def texts(value: Any) -> str:
    """The items of a list, one a line; nothing for null."""
    if value is None:
        return ""
    return value if isinstance(value, str) else "\n".join(in_text(item) for item in value)


def file_name(value: Any) -> str:
    """The last part of a path."""
    return str(value).replace("\\", "/").rpartition("/")[2]


ABSENT = object()
FORMS: dict[str, Callable[[Any], Any]] = {
    "letter": letter,
    "letter1": letter_from_one,
    "options": options,
    "lines": texts,
    "name": file_name,
    "strip": lambda value: in_text(value).strip(),
}
