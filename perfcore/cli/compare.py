"""`perfcore compare`: runs side by side, each against the first, and limits for what may differ."""

import importlib
import json
import sys
from pathlib import Path

import click

from perfcore.commands.compare import compared, distinct, gates, made, parts
from perfcore.errors import UserError
from perfcore.report import compare_gate, compare_html
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
@click.option(
    "--with",
    "again",
    multiple=True,
    metavar="A=RUN[,RUN]",
    help="Repeats of a run, two runs a side or more: intervals are of how much runs differ; repeatable.",
)
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
    again: tuple[str, ...],
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
    found, drawn = compared(folders, again)
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
