"""What `perfcore check` finds out: one sentence each for what was seen, what it means and what to change."""

from dataclasses import dataclass, field
from typing import Any, Literal

Level = Literal["ok", "note", "problem", "unchecked"]
MS = 1_000_000


@dataclass(frozen=True)
class Finding:
    """One line of the report. `data` holds the numbers behind it, with their units in their names."""

    name: str
    level: Level
    seen: str
    meaning: str = ""
    change: str = ""
    data: dict[str, Any] = field(default_factory=dict)


def unchecked(name: str, why: str) -> Finding:
    """A finding that there is none."""
    return Finding(name, "unchecked", why)


def in_ms(ns: int) -> float:
    """Milliseconds with as many digits as they deserve."""
    return round(ns / MS, 3)


def ms(ns: int) -> str:
    """A duration as a person reads it."""
    value = ns / MS
    return f"{value:,.0f} ms" if value >= 100 else f"{value:.3g} ms"


def plural(count: int, word: str) -> str:
    """`1 event`, `2 events`."""
    return f"{count:,} {word}{'' if count == 1 else 's'}"
