"""Tables as text that fits a terminal and as Markdown. Cells are text already."""

import re
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

from rich.cells import cell_len, chop_cells

GAP = "  "
FOLDED = 20  # names are folded to this before a table is broken into pieces
NARROW = 8  # and to this before a piece is wider than the terminal
TITLE = 16  # a longer word of a title over figures is parted
# Unicode categories that may move the cursor, or hide or reorder text.
HOSTILE = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


class Column(NamedTuple):
    """`name` may be folded over several lines; `fixed` columns come again where a table is too wide for one piece."""

    title: str
    fixed: bool = False
    name: bool = False


Row = Sequence[str]


def text(columns: Sequence[Column], rows: Sequence[Row], width: int) -> str:
    """The table in as many pieces as the width asks for (0: in one), each with the fixed columns and at least one more.

    What the first column has is only said once where rows have it in common.
    """
    shown = [[clean(cell) for cell in row] for row in [[column.title for column in columns], *rows]]
    widths = widths_of(columns, shown, width)
    fixed = [at for at, column in enumerate(columns) if column.fixed]
    pieces: list[list[int]] = []
    for at in [at for at, column in enumerate(columns) if not column.fixed]:
        if not pieces or 0 < width < taken(widths, [*fixed, *pieces[-1], at]):
            pieces.append([])
        pieces[-1].append(at)
    for at in range(len(shown) - 1, 1, -1):
        if shown[at][0] == shown[at - 1][0]:
            shown[at][0] = ""
    return "\n".join(piece(columns, shown, widths, [*fixed, *chosen]) for chosen in pieces or [[]])


def widths_of(columns: Sequence[Column], rows: Sequence[Row], width: int) -> list[int]:
    """Of each column. Names are folded, the widest first, until all columns fit, or else as many as need be."""
    widths = [max(cell_len(row[at]) for row in rows) for at in range(len(columns))]
    if not width:
        return widths
    free = [at for at, column in enumerate(columns) if not column.fixed]
    for at in free:
        if columns[at].name:  # a title over figures
            words = max(cell_len(word) for word in pieces_of(rows[0][at]))
            widths[at] = max([min(words, TITLE), *(cell_len(row[at]) for row in rows[1:])])
    names = [at for at, column in enumerate(columns) if column.fixed and column.name]
    widths = narrowed(widths, names, taken(widths, range(len(columns))) - width, FOLDED)
    alone = [at for at in range(len(columns)) if at not in free]
    if free:
        alone.append(max(free, key=lambda at: widths[at]))
    return narrowed(widths, names, taken(widths, alone) - width, NARROW)


def narrowed(widths: list[int], names: Sequence[int], surplus: int, least: int) -> list[int]:
    """The widest of the names a cell less, as often as there is surplus and one is wider than the least width."""
    widths = list(widths)
    for _ in range(surplus):
        widest = max(names, key=lambda at: widths[at], default=None)
        if widest is None or widths[widest] <= least:
            break
        widths[widest] -= 1
    return widths


def taken(widths: Sequence[int], chosen: Sequence[int]) -> int:
    return sum(widths[at] for at in chosen) + len(GAP) * (len(chosen) - 1)


def piece(columns: Sequence[Column], rows: Sequence[Row], widths: Sequence[int], chosen: Sequence[int]) -> str:
    """These columns: names to the left, figures to the right."""
    lines: list[str] = []
    for number, row in enumerate(rows):
        cells = [folded(row[at], widths[at]) for at in chosen]
        for level in range(max(len(cell) for cell in cells)):
            parts = [cell[level] if level < len(cell) else "" for cell in cells]
            named = [columns[at].name and columns[at].fixed for at in chosen]
            lines.append(GAP.join(map(padded, parts, [widths[at] for at in chosen], named)).rstrip() + "\n")
        if number == 0:
            lines.append(GAP.join("-" * widths[at] for at in chosen) + "\n")
    return "".join(lines)


def folded(cell: str, width: int) -> list[str]:
    """Lines of at most this width, parted at blanks and behind `_`, `-`, `/` where it can be."""
    if cell_len(cell) <= width:
        return [cell]
    lines = [""]
    for word in pieces_of(cell):
        for part in chop_cells(word, width):
            if cell_len(lines[-1] + part.rstrip()) > width:
                lines.append("")
            lines[-1] += part
    return [line.rstrip() for line in lines if line.strip()]


def pieces_of(cell: str) -> list[str]:
    """Where a name can be parted; each piece ends with what it is parted at."""
    return re.findall(r"[^\s_/-]*[\s_/-]|[^\s_/-]+", cell) or [""]


def padded(cell: str, width: int, left: bool) -> str:
    blank = " " * (width - cell_len(cell))
    return cell + blank if left else blank + cell


def markdown(columns: Sequence[Column], rows: Sequence[Row]) -> str:
    """The whole table, however wide."""
    titles = [column.title for column in columns]
    rule = ["---" if column.name and column.fixed else "---:" for column in columns]
    lines = [[escaped(title) for title in titles], rule, *([escaped(cell) for cell in row] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def escaped(cell: str) -> str:
    r"""With what Markdown would take for its own escaped: `|`, `\`, `*`, backquotes, angle brackets and links."""
    return "".join("\\" + one if one in "\\|`*<>" else one for one in clean(cell)).replace("](", "]\\(")


def clean(cell: str) -> str:
    """Foreign text on one line; what could act on a terminal is shown escaped."""
    return " ".join("".join(map(visible, cell)).split())


def visible(character: str) -> str:
    if character.isspace():
        return " "
    if unicodedata.category(character) in HOSTILE:
        return character.encode("unicode_escape", "backslashreplace").decode("ascii")
    return character
