"""Rows of a query as a table for people, and as CSV and JSON for programs."""

import csv
import io
import itertools
import json
import math
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from perfcore.report.text import NONE, clean, number

WIDE = 100_000  # of a table that no terminal cuts
CELL = 60  # characters of a cell

Rows = Iterator[list[tuple[Any, ...]]]


def first(batches: Rows, limit: int | None) -> Rows:
    """The first rows; all where there is no limit."""
    left = limit
    for batch in batches:
        yield batch[:left]
        left = None if left is None else left - len(batch)
        if left is not None and left <= 0:
            return


def comma_separated(names: Sequence[str], batches: Rows) -> Iterator[str]:
    """A line of names, then a line for each row; null is empty."""
    yield line(names)
    for batch in batches:
        yield "".join(line([field(plain(value)) for value in row]) for row in batch)


def line(cells: Sequence[Any]) -> str:
    target = io.StringIO()
    csv.writer(target, lineterminator="\n").writerow(cells)
    return target.getvalue()


def field(value: Any) -> Any:
    """A value in CSV: lists as JSON, truth as JSON has it."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, (list, dict, bool)) else value


def objects(names: Sequence[str], batches: Rows) -> Iterator[str]:
    """A JSON list with an object for each row, one a line."""
    before = "["
    for batch in batches:
        for row in batch:
            values = [plain(value) for value in row]
            yield f"{before}\n  {json.dumps(dict(zip(names, values, strict=True)), ensure_ascii=False)}"
            before = ","
    yield "[]\n" if before == "[" else "\n]\n"


def plain(value: Any) -> Any:
    """A value that JSON has: numbers that are none are null, times and the like text."""
    if isinstance(value, Decimal):
        value = int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    return value if value is None or isinstance(value, (bool, int, str)) else str(value)


def table(names: Sequence[str], batches: Rows, limit: int | None, width: int | None) -> tuple[str, bool]:
    """The first rows as columns, of at most `width` characters (None: as wide as it is); whether there are more."""
    rows = list(itertools.islice(itertools.chain.from_iterable(batches), None if limit is None else limit + 1))
    shown = [[plain(value) for value in row] for row in rows[:limit]]
    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for place, name in enumerate(names):
        right = all(isinstance(row[place], (int, float, type(None))) for row in shown)
        grid.add_column(Text(clean(name, CELL)), justify="right" if right else "left", no_wrap=True)
    for row in shown:
        grid.add_row(*(Text(cell(value)) for value in row))
    target = io.StringIO()
    Console(file=target, width=width or WIDE, color_system=None, legacy_windows=False, emoji=False).print(grid)
    return "\n".join(text.rstrip() for text in target.getvalue().splitlines()) + "\n", len(rows) > len(shown)


def cell(value: Any) -> str:
    """Whole numbers in plain digits, as most are numbers of something."""
    if isinstance(value, float):
        return number(value)
    return NONE if value is None else clean(str(value), CELL)
