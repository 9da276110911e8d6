"""`perfcore query`: look at single requests of runs, in SQL or by flags that make it."""

import shutil
import sys
from pathlib import Path

import click

from perfcore.commands.folders import metrics_of, names, runs_in
from perfcore.errors import UserError
from perfcore.report import query_columns, query_output
from perfcore.report.query import Answer, Source, ask, asked, known_table
from perfcore.report.text import encodable

HELP = "help"
SHOWN = 100  # rows of a table where no limit is given


@click.command("query")
@click.argument("runs", nargs=-1, type=click.Path(path_type=Path), metavar="RUN...")
@click.option("--where", metavar="SQL", help="Which rows, such as 'ttft_ms > 1000 and error is null'.")
@click.option("--columns", metavar="SQL", help="What to show, with commas apart; 'help' lists the columns.")
@click.option("--table", default="requests", show_default=True, help="requests, events, outputs or server.")
@click.option("--group-by", metavar="SQL", help="Columns to group by; --columns then holds aggregates.")
@click.option("--order", metavar="SQL", help="Such as 'ttft_ms desc'.")
@click.option("--limit", type=click.IntRange(min=0), metavar="N", help=f"Rows; 0: all. [default: {SHOWN} in a table]")
@click.option("--all", "everything", is_flag=True, help="Also warm-ups and what only kept the load up.")
@click.option("--sql", metavar="SQL", help="A whole SELECT, in the place of the flags above.")
@click.option(
    "--format", "form", type=click.Choice(["table", "csv", "json"]), default="table", show_default=True, help="Of rows."
)
def command(
    runs: tuple[Path, ...],
    where: str | None,
    columns: str | None,
    table: str,
    group_by: str | None,
    order: str | None,
    limit: int | None,
    everything: bool,
    sql: str | None,
    form: str,
) -> None:
    """Select requests, events, outputs or server metrics of runs. Nothing is changed by it."""
    if columns == HELP:
        click.echo(query_columns.listing(known_table(table), len(runs) > 1))
        return
    if not runs:
        raise UserError("no run is given; give the folder of one, or several")
    flags = {"--where": where, "--columns": columns, "--group-by": group_by, "--order": order}
    if sql is not None and (given := [flag for flag, value in flags.items() if value is not None]):
        raise UserError(
            f"--sql is a whole query, so {' and '.join(given)} cannot be given with it; write it into the SQL"
        )
    sources = sources_of(runs)
    several = len(sources) > 1
    made = sql or asked(known_table(table), several, columns, where, group_by, order, everything)
    put(ask(sources, made), form, limit)


def sources_of(runs: tuple[Path, ...]) -> list[Source]:
    """All runs, finished, by their names."""
    folders = list(dict.fromkeys(folder for run in runs for folder in runs_in(run)))
    for folder in folders:
        metrics_of(folder)
    return [Source(name, folder) for name, folder in zip(names(folders), folders, strict=True)]


def put(answer: Answer, form: str, limit: int | None) -> None:
    """Print rows as asked for."""
    if form == "table":
        most = SHOWN if limit is None else limit or None
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        text, more = query_output.table(answer.names, answer.batches, most, width)
        click.echo(encodable(text), nl=False)
        if more and limit is None:
            click.echo(f"only the first {most:,} rows are shown; --limit 0 shows all", err=True)
        return
    write = query_output.comma_separated if form == "csv" else query_output.objects
    for text in write(answer.names, query_output.first(answer.batches, limit or None)):
        click.echo(encodable(text), nl=False)
