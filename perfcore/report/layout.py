"""What the parts of the text report have in common: tables, values by dotted key."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.table import Table


def framed(title: str) -> Table:
    """An empty table; two blanks part its columns and one is on either edge."""
    return Table(
        box=box.SIMPLE_HEAD,
        title=title,
        title_justify="left",
        title_style="bold",
        pad_edge=False,
        collapse_padding=True,
    )


def fitting(widths: Mapping[str, int], spared: Sequence[str], room: int) -> list[str]:
    """Names of the columns that fit side by side, two blanks apart; the first ones of `spared` are left out first."""
    columns = list(widths)
    for name in spared:
        if sum(widths[column] + 2 for column in columns) <= room:
            break
        columns.remove(name)
    return columns


def pick(tree: dict[str, Any], key: str) -> Any:
    """Value under a dotted key; None where there is none on the way."""
    found: Any = tree
    for name in key.split("."):
        found = found.get(name) if isinstance(found, dict) else None
    return found
