"""`perfcore explain`: what a metric means, and what another tool would have reported of a run."""

import json
from pathlib import Path

import click
from rich.console import Console

from perfcore.analysis.peers_told import TOOLS
from perfcore.commands.folders import ready
from perfcore.errors import UserError
from perfcore.report import explain
from perfcore.report.definition import Definition
from perfcore.report.definitions import DEFINITIONS, named

WIDTH = 120  # of output that is no terminal


@click.command("explain")
@click.argument("what", required=False, metavar="[METRIC|RUN]")
@click.option("--as", "tool", type=click.Choice(list(TOOLS)), help="Show RUN as this tool would have reported it.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
def command(what: str | None, tool: str | None, as_json: bool) -> None:
    """Explain a METRIC, list all of them, or show a RUN as another tool would have reported it."""
    if tool is not None:
        show_run(what, tool, as_json)
        return
    if what is not None and (Path(what) / "run.json").is_file():
        raise UserError(f"{what} is a run; say as which tool it is to be shown: --as {'|'.join(TOOLS)}")
    found = named(what) if what is not None else tuple(DEFINITIONS.values())
    if as_json:
        click.echo(json.dumps([content(one) for one in found], indent=2, ensure_ascii=False))
    else:
        console().print(explain.explained(found) if what is not None else explain.listed())


def show_run(what: str | None, tool: str, as_json: bool) -> None:
    """A run as a tool would have reported it."""
    if what is None:
        raise UserError(f"--as {tool} needs the folder of a run: perfcore explain RUN --as {tool}")
    run = ready(Path(what))
    if as_json:
        click.echo(json.dumps(explain.as_json(run, tool), indent=2, ensure_ascii=False, allow_nan=False))
    else:
        console().print(explain.compared(run, tool))


def content(one: Definition) -> dict[str, object]:
    return {**one._asdict(), "edge_cases": list(one.edge_cases)}


def console() -> Console:
    """Standard output, as wide as it is on a terminal."""
    found = Console(highlight=False)
    return found if found.is_terminal else Console(highlight=False, width=WIDTH)
