"""What reports as text have in common: how they get onto a stream, tables, values by dotted key."""

import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TextIO

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table

# Width of report.txt and of output that is no terminal: wide enough for every column.
WIDTH = 120


def show(stream: TextIO, parts: Callable[[int], Iterable[RenderableType]]) -> None:
    """Print what `parts` makes for a width: in colour and as wide as the terminal, or plain and 120 columns wide.

    What the stream's encoding lacks is replaced by a question mark.
    """
    terminal = stream.isatty()
    console = Console(file=stream, width=None if terminal else WIDTH)
    # A terminal may know no colours (TERM=dumb), and a user may want none (NO_COLOR).
    colour = terminal and console.color_system is not None and not console.no_color
    encoding = stream.encoding or "utf-8"
    stream.write(rendered(parts(console.width), console.width, colour).encode(encoding, "replace").decode(encoding))
    stream.flush()


def rendered(parts: Iterable[RenderableType], width: int = WIDTH, colour: bool = False) -> str:
    """Text of at most `width` columns without blanks at the ends of lines; with ANSI colours if asked for."""
    target = io.StringIO()
    console = Console(
        file=target,
        width=width,
        force_terminal=colour,
        color_system="standard" if colour else None,
        legacy_windows=False,
        highlight=False,
        emoji=False,
    )
    console.print(Group(*parts))
    return "\n".join(line.rstrip() for line in target.getvalue().splitlines()) + "\n"


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


def pick(tree: Any, key: str) -> Any:
    """Value under a dotted key; None where there is none on the way."""
    for name in key.split("."):
        tree = tree.get(name) if isinstance(tree, Mapping) else None
    return tree
