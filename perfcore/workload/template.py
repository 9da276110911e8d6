"""Templates: trees of values in which texts such as {model} stand for what is known later."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

PLACEHOLDER = re.compile(r"\{(\w+)\}")


def strings(value: Any) -> Iterable[str]:
    """All texts in a template."""
    if isinstance(value, str):
        yield value
    below = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for item in below:
        yield from strings(item)


def placeholders(template: Any) -> set[str]:
    """Names of all placeholders in a template."""
    return {name for text in strings(template) for name in PLACEHOLDER.findall(text)}


def filled(template: Any, values: Mapping[str, Any]) -> Any:
    """Template with placeholders replaced; one that stands alone keeps its value's type, None takes its key along.

    A word in braces that is not in `values` is left as it is.
    """
    if isinstance(template, dict):
        pairs = {key: filled(value, values) for key, value in template.items()}
        return {key: value for key, value in pairs.items() if value is not None}
    if isinstance(template, list):
        return [value for item in template if (value := filled(item, values)) is not None]
    if not isinstance(template, str) or "{" not in template:
        return template
    alone = PLACEHOLDER.fullmatch(template)
    if alone and alone.group(1) in values:
        return values[alone.group(1)]
    return PLACEHOLDER.sub(lambda found: in_text(values.get(found.group(1), found.group(0))), template)


def in_text(value: Any) -> str:
    """A placeholder's value within a longer text."""
    if value is None:
        return ""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Two objects merged as RFC 7396 says: objects deeply, null removes a key, all else replaces what was there."""
    result = dict(under)
    for key, value in over.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, Mapping):
            below = result.get(key)
            result[key] = merged(below if isinstance(below, Mapping) else {}, value)
        else:
            result[key] = value
    return result
