"""`perfcore report`: finish the folder of a run or of several, also a killed one's, and print its report."""

import json
import sys
from pathlib import Path

import click

from perfcore.cli.counting import finish
from perfcore.records.series import is_series
from perfcore.report import series, tune
from perfcore.report.terminal import show


@click.command("report")
@click.argument("run", type=click.Path(path_type=Path), metavar="RUN")
@click.option("--json", "as_json", is_flag=True, help="Print metrics.json, or summary.json, instead of tables.")
def command(run: Path, as_json: bool) -> None:
    """Finish the folder of a run, or of several under one parent, and print its report; of a search what it found."""
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
