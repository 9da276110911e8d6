"""What a page is made of: plots, tables, cards and lines as plain values, which the page's script turns into elements.

A cell, a label or a line is text and nothing else. Numbers of a plot have as many digits as a screen can show.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from perfcore.report.text import clean

Block: TypeAlias = dict[str, Any]
Floats: TypeAlias = NDArray[np.float64]

DIGITS, X_DIGITS, SHARE_DIGITS = 5, 8, 10
CELL = 300  # characters of foreign text in a cell


def section(name: str, title: str, blocks: Iterable[Block | None]) -> Block | None:
    """A part of the page with its blocks; None where it has none."""
    kept = [block for block in blocks if block is not None]
    return {"name": name, "title": title, "blocks": kept} if kept else None


def lines(texts: Iterable[str], style: str = "") -> Block | None:
    """Paragraphs; None without any."""
    found = list(texts)
    return {"kind": "lines", "lines": found, "style": style} if found else None


def table(
    title: str,
    heads: Sequence[str | tuple[str, str]],
    rows: Iterable[Sequence[str]],
    *,
    names: int = 1,
    note: str = "",
    terms: Sequence[str] = (),
) -> Block | None:
    """A table whose first `names` columns are to the left and the others numbers; None without rows.

    A head may be a pair of text and name of its definition; `terms` names the definitions of the rows. A cell that
    ends with a star is shown faint.
    """
    found = [list(row) for row in rows]
    pairs = [(head, "") if isinstance(head, str) else head for head in heads]
    if not found:
        return None
    return {
        "kind": "table",
        "title": title,
        "heads": [text for text, _ in pairs],
        "head_terms": [term for _, term in pairs],
        "rows": found,
        "names": names,
        "note": note,
        "terms": list(terms),
    }


def pairs(title: str, rows: Iterable[tuple[str, str]], term: Mapping[str, str] | None = None) -> Block | None:
    """A table of names and words without a head."""
    found = [[name, words] for name, words in rows]
    terms = [(term or {}).get(name, "") for name, _ in found]
    return table(title, ("", ""), found, names=2, terms=terms)


def folded(title: str, blocks: Iterable[Block | None]) -> Block | None:
    """Blocks that are shown when they are asked for."""
    kept = [block for block in blocks if block is not None]
    return {"kind": "folded", "title": title, "blocks": kept} if kept else None


def plot(
    name: str,
    title: str,
    x: Floats,
    series: Sequence[Block],
    x_label: str,
    y_label: str,
    **more: Any,
) -> Block | None:
    """Curves over one x; None where there is nothing to draw.

    `more`: `steps` (x are edges, and values hold between two of them), `whole` (no ticks between whole numbers), `log`
    (both axes can be switched to logarithms, and x begins so), `share` (y goes from 0 to 1), `time` (x is shared with
    the other plots over time), `window` (start and end that are shaded), `note`, `term`.
    """
    drawn = [one for one in series if any(value is not None for value in one["values"])]
    if not drawn or x.size < 2:
        return None
    found = {"kind": "plot", "name": name, "title": title, "x": rounded(x, X_DIGITS), "series": drawn}
    return found | {"x_label": x_label, "y_label": y_label, **more}


def curve(
    label: str, values: Floats | Sequence[float | None], colour: str, dash: bool = False, digits: int = DIGITS
) -> Block:
    """One series of a plot; NaN and None are gaps. Shares take SHARE_DIGITS, or the tail of many would end at 1."""
    return {"label": label, "values": rounded(values, digits), "colour": colour, "dash": dash}


def rounded(values: Any, digits: int = DIGITS) -> list[float | None]:
    """Numbers with so many significant digits; whole ones as such, NaN as None."""
    return [short(value, digits) for value in (values.tolist() if isinstance(values, np.ndarray) else values)]


def short(value: float | None, digits: int = DIGITS) -> float | None:
    if value is None or not math.isfinite(value):
        return None
    found = float(f"{value:.{digits}g}")
    return int(found) if found.is_integer() and abs(found) < 1e15 else found


def foreign(text: Any, limit: int = CELL) -> str:
    """What a service or a file says, on one line, without characters that hide or reorder text."""
    return clean(str(text), limit)
