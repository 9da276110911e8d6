"""`perfcore stress`: load a service with a workload, measure it, report."""

import dataclasses
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from perfcore.cli.flags import flags
from perfcore.config import Resolved, listing, resolve
from perfcore.options import StressOptions
from perfcore.report.finish import finish
from perfcore.report.live import Live, Snapshot
from perfcore.report.terminal import show
from perfcore.run.master import stress
from perfcore.run.progress import Progress


def run(config: Path | None, dry_run: bool, **given: Any) -> int:
    """Load a service and measure it.

    Without --url the built-in simulator is measured, so that `perfcore stress` alone does something. Options come from
    flags, from the environment (names in brackets), from --config FILE and from --preset, in this order;
    docs/options.md has them all.
    """
    resolved = resolve(given, config, os.environ)
    for note in resolved.notes:
        notice(resolved.options)(note)
    if dry_run:
        click.echo(as_json(resolved) if resolved.options.json else as_table(resolved))
        return 0
    options = resolved.options
    live = Live(sys.stderr)
    outcome = stress(options, silent if options.quiet else lambda now: live.update(snapshot(now)), notice(options))
    live.close()
    print_report(finish(outcome.folder), outcome.folder, options)
    return outcome.exit_code


def snapshot(now: Progress) -> Snapshot:
    """The master's progress in the words of the live line."""
    return Snapshot(**dataclasses.asdict(now))


def silent(_: object) -> None:
    """Show nothing."""


def notice(options: StressOptions) -> Callable[[str], None]:
    """Tell the user something on standard error, unless they want it quiet."""
    return silent if options.quiet else lambda line: click.echo(line, err=True)


def print_report(metrics: dict[str, Any], folder: Path, options: StressOptions) -> None:
    """The tables, or metrics.json, or with --quiet nothing."""
    if options.json:
        click.echo(json.dumps(metrics, indent=2, ensure_ascii=False))
    elif not options.quiet:
        show(metrics, folder, sys.stdout)


def as_json(resolved: Resolved) -> str:
    """Resolved options for a program: {key: {value, origin}}."""
    rows = {row["key"]: {"value": row["value"], "origin": row["origin"]} for row in listing(resolved)}
    return json.dumps(rows, indent=2, ensure_ascii=False)


def as_table(resolved: Resolved) -> str:
    """Resolved options for a person: key, value and origin in columns."""
    rows = [("key", "value", "origin")]
    for row in listing(resolved):
        value = row["value"]
        rows.append((row["key"], "-" if value in (None, [], {}) else in_words(value), row["origin"]))
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    return "\n".join(f"{key:{widths[0]}}  {value:{widths[1]}}  {origin}" for key, value, origin in rows)


def in_words(value: Any) -> str:
    """Value in one line of a table."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:59] + "…"


command = click.Command(
    "stress",
    callback=run,
    help=run.__doc__,
    params=[
        *flags(),
        click.Option(
            ["--config"],
            type=click.Path(path_type=Path),
            help="File of options: TOML, YAML, JSON, or an AISBench .py of models, which is read and never executed.",
        ),
        click.Option(["--dry-run"], is_flag=True, help="Print the options and where each came from; send nothing."),
    ],
)
