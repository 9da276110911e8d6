"""Values that could not be computed carry their reason until the metrics are written."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Absent:
    """Stands where a value would, and says why there is none."""

    reason: str


def settle(tree: dict[str, Any]) -> dict[str, Any]:
    """`tree` with None for each Absent, and under `absent` the reasons by dotted key (list entries by their number)."""
    settled: dict[str, Any] = strip(tree)
    return settled | {"absent": dict(reasons(tree, ""))}


def strip(value: Any) -> Any:
    if isinstance(value, Absent):
        return None
    if isinstance(value, dict):
        return {key: strip(item) for key, item in value.items()}
    return [strip(item) for item in value] if isinstance(value, list) else value


def reasons(value: Any, key: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, Absent):
        yield key, value.reason
    elif isinstance(value, (dict, list)):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for name, item in items:
            yield from reasons(item, f"{key}.{name}" if key else str(name))
