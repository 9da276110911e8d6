"""`perfcore report`: finish the folder of a run or of several, also a killed one's, and print its report."""

import importlib
import json
import sys
from collections.abc import Callable
from pathlib import Path

import click

from perfcore.commands import summaries
from perfcore.commands.counting import finish
from perfcore.errors import UserError
from perfcore.records.evaluation import is_evaluation
from perfcore.records.series import is_series
from perfcore.report import series, tune
from perfcore.report.terminal import show

FIGURES = "perfcore.report.figures"  # a module by its name, not an import: matplotlib is loaded where plots are drawn


@click.command("report")
@click.argument("run", type=click.Path(path_type=Path), metavar="RUN")
@click.option("--json", "as_json", is_flag=True, help="Print metrics.json, or summary.json, instead of tables.")
@click.option("--html", is_flag=True, help="Print where report.html is instead of tables.")
@click.option("--png", is_flag=True, help="Draw the plots of report.html as PNG under plots, and print where they are.")
def command(run: Path, as_json: bool, html: bool, png: bool) -> None:
    """Finish the folder of a run, or of several under one parent, and print its report.

    Of a search it prints what was found, of an evaluation the summary of its scores.
    """
    if html or png:
        finish_all(run)
        click.echo("\n".join(map(str, written(run, html, png))))
        return
    if is_evaluation(run):
        summaries.show(summaries.finish(run), run, as_json)
        return
    if (kept := run / (tune.JSON if as_json else tune.TEXT)).is_file():
        click.echo(kept.read_text(encoding="utf-8"), nl=False)
        return
    if is_series(run):
        print_summary(run, as_json)
        return
    metrics = finish(run)
    if as_json:
        click.echo(json.dumps(metrics, indent=2, ensure_ascii=False))
    else:
        show(metrics, run, sys.stdout)


def print_summary(parent: Path, as_json: bool) -> None:
    """Finish all runs of a folder and print their summary."""
    summary = series.finish_series(parent, finish)
    if as_json:
        click.echo(json.dumps(summary, indent=2, ensure_ascii=False))
    else:
        click.echo("\n".join(series.text(summary, parent)))


def finish_all(folder: Path) -> None:
    """Finish a run, all of a folder of several, or an evaluation."""
    if is_evaluation(folder):
        summaries.finish(folder)
    elif is_series(folder):
        series.finish_series(folder, finish)
    else:
        finish(folder)


def written(folder: Path, html: bool, png: bool) -> list[Path]:
    """The pages of a folder and of the runs in it, and the plots of these pages where they are to be drawn."""
    pages = sorted([*folder.glob("report*.html"), *(folder.glob("*/report*.html") if is_series(folder) else ())])
    draw: Callable[[Path], list[Path]] = importlib.import_module(FIGURES).draw if png else lambda _: []
    drawn = [path for page in pages for path in draw(page)]
    if png and is_evaluation(folder):
        raise UserError(
            "the page of an evaluation has no plots; those of its runs are drawn by: perfcore report "
            f"{folder}/runs/MODEL/RUN --png"
        )
    return [*(pages if html else ()), *drawn]
