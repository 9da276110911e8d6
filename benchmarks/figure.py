"""A measured figure, what it should be, and the table of them."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """`value` in `unit`, with `gate` the most (or, where `least`, the least) that it should be, if there is a gate.

    `key` names it in the reasons that the page gives for a gate that is missed. `ratio` says that it compares two
    things measured in one run; other figures hold for one machine. `note` is what else a reader should know,
    `floor` what bare libcurl took for the same in the same run.
    """

    key: str
    what: str
    value: float
    unit: str = ""
    gate: float | None = None
    least: bool = False
    ratio: bool = False
    note: str = ""
    floor: float | None = None

    @property
    def met(self) -> bool | None:
        """Whether the gate is; None without one."""
        if self.gate is None:
            return None
        return bool(self.value >= self.gate if self.least else self.value <= self.gate)

    def measured(self) -> str:
        """Value with its unit."""
        return with_unit(self.value, self.unit)

    def wanted(self) -> str:
        """Gate with its unit, or nothing."""
        return "" if self.gate is None else f"{'≥' if self.least else '≤'} {with_unit(self.gate, self.unit)}"


def with_unit(value: float, unit: str) -> str:
    """A number with no more digits than it can bear."""
    digits = next((digits for bound, digits in ((100, 0), (10, 1), (0.1, 2)) if abs(value) >= bound), 3)
    number = f"{value:,.{digits}f}"
    if "." in number:
        number = number.rstrip("0").rstrip(".")
    return f"{number} {unit}".rstrip()


def spread(values: Sequence[float]) -> str:
    """The values that a median was taken of, in words."""
    return f"{len(values)} pairs, {min(values):.2f} to {max(values):.2f}"


def median(values: Sequence[float]) -> float:
    """The middle one."""
    return statistics.median(values)


def rows(figures: Sequence[Figure]) -> list[tuple[str, str, str, str, str]]:
    """(what, measured, gate, met, note) of each figure, ratios first."""
    words = {True: "yes", False: "**no**", None: ""}
    return [
        (figure.what, figure.measured(), figure.wanted(), words[figure.met], figure.note)
        for figure in sorted(figures, key=lambda figure: not figure.ratio)
    ]


def text(table: Sequence[Sequence[str]]) -> str:
    """The rows in columns, for a terminal."""
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    return "\n".join("  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)) for row in table)


def markdown(head: Sequence[str], table: Sequence[Sequence[str]]) -> str:
    """The rows as a table of Markdown."""
    lines = [head, ["---"] * len(head), *table]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
