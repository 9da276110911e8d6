"""`perfcore report`: finish a run folder, also one that a killed run left behind, and print its report."""

import json
import sys
from pathlib import Path

import click

from perfcore.report.finish import finish
from perfcore.report.terminal import show


@click.command("report")
@click.argument("run", type=click.Path(path_type=Path), metavar="RUN")
@click.option("--json", "as_json", is_flag=True, help="Print metrics.json instead of tables.")
def command(run: Path, as_json: bool) -> None:
    """Finish the folder of a run and print its report."""
    metrics = finish(run)
    if as_json:
        click.echo(json.dumps(metrics, indent=2, ensure_ascii=False))
    else:
        show(metrics, run, sys.stdout)
