"""`perfcore compare`: runs side by side, each against the first, and limits for what may differ."""

import importlib
import json
import string
import sys
from pathlib import Path
from typing import Any

import click

from perfcore.cli.accuracy import scores
from perfcore.cli.folders import metrics_of, names
from perfcore.errors import UserError
from perfcore.records.series import is_series
from perfcore.report import compare, compare_gate, compare_html, compare_sweeps
from perfcore.report.compare_text import show

# A module by its name, not an import: matplotlib takes longer to load than a comparison takes.
PLOTS = "perfcore.report.compare_plots"


@click.command("compare")
@click.argument("runs", nargs=-1, type=click.Path(path_type=Path), metavar="A B [C]...")
@click.option(
    "--fail-if",
    "limits",
    multiple=True,
    metavar="LIMIT",
    help="Exit with 1 where a run differs that much from the first, such as 'ttft_p99>+5%' or 'errors>+0'; repeatable.",
)
@click.option("--significant", is_flag=True, help="--fail-if only where the whole 95 % interval is beyond the limit.")
@click.option("--all", "everything", is_flag=True, help="Show all metrics, and not only the most important ones.")
@click.option("--png", type=click.Path(path_type=Path), metavar="DIR", help="Write overlaid plots there.")
@click.option(
    "--html", type=click.Path(path_type=Path), metavar="FILE|DIR", help="Write one page with tables and overlaid plots."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
def command(
    runs: tuple[Path, ...],
    limits: tuple[str, ...],
    significant: bool,
    everything: bool,
    png: Path | None,
    html: Path | None,
    as_json: bool,
) -> int:
    """Compare runs, or sweeps point by point: A is what the others are compared with.

    Exit code 0: no limit was passed, 1: one was, 3: one could not be decided.
    """
    asked = [compare_gate.parse(text) for text in limits]
    if significant and not asked:
        raise UserError("--significant says when --fail-if holds; give --fail-if too, or leave it out")
    folders = distinct(runs)
    found, drawn = compared(folders)
    found["gates"] = [gate for one in parts(found) for gate in gates(asked, one, significant)]
    found["gates"] += compare_gate.unmet(asked, found.get("missing", ()))
    if as_json:
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
    else:
        show(found, sys.stdout, everything)
    if png is not None:
        made(png, "--png")
        written = importlib.import_module(PLOTS).draw(found, drawn, png)
        click.echo(f"Plots  {', '.join(str(path) for path in written)}", err=as_json)
    if html is not None:
        made(compare_html.file_of(html).parent, "--html")
        click.echo(f"Page   {compare_html.write_page(found, drawn, html)}", err=as_json)
    return compare_gate.exit_code(found["gates"])


def made(folder: Path, flag: str) -> None:
    """Create a folder; raises UserError where that fails."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{flag}: cannot create {folder} ({error.strerror}); choose another folder") from None


def distinct(runs: tuple[Path, ...]) -> list[Path]:
    """At least two folders, and no more than there are letters; raises UserError."""
    if len(runs) < 2:
        raise UserError("a comparison takes two runs or more; give their folders")
    if len(runs) > len(string.ascii_uppercase):
        raise UserError(f"{len(runs)} runs are too many to compare; give at most {len(string.ascii_uppercase)}")
    sweeps = [is_series(run) for run in runs]
    if any(sweeps) and not all(sweeps):
        one = runs[sweeps.index(True)]
        raise UserError(f"{one} holds several runs and others are single ones; give one of its runs, or sweeps only")
    return list(runs)


def compared(folders: list[Path]) -> tuple[dict[str, Any], list[Any]]:
    """The comparison, and what is drawn of it."""
    letters, called = string.ascii_uppercase, names(folders)
    if is_series(folders[0]):
        return compare_sweeps.compared(folders, called, side_of)
    sides = [side_of(letters[at], name, folder) for at, (name, folder) in enumerate(zip(called, folders, strict=True))]
    found = compare.compared(sides)
    found["accuracy"], rows = scores([(one.letter, one.folder) for one in sides])
    for one in found["comparisons"]:
        one["rows"] += [row for letter, row in rows if letter == one["b"]]
    return found, sides


def side_of(letter: str, name: str, folder: Path) -> compare.Side:
    """A run, finished where it is not."""
    return compare.side(letter, name, folder, metrics_of(folder))


def parts(found: dict[str, Any]) -> list[dict[str, Any]]:
    """All single comparisons; those of a sweep with their point."""
    if "points" not in found:
        return list(found["comparisons"])
    return [one | {"point": point["point"]} for point in found["points"] for one in point["comparisons"]]


def gates(asked: list[compare_gate.Limit], one: dict[str, Any], significant: bool) -> list[dict[str, Any]]:
    """What the limits say of one comparison."""
    point = {"point": one["point"]} if "point" in one else {}
    return [gate | point for gate in compare_gate.judge(asked, one, significant)]
