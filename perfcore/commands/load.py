"""What the commands that send load have in common: one run with its progress, its report."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from perfcore.commands import series
from perfcore.commands.dry import dry
from perfcore.commands.points import wanted
from perfcore.errors import UserError
from perfcore.options import StressOptions
from perfcore.report.live import Live
from perfcore.report.live_screen import Snapshot, WorkerLoad
from perfcore.report.preparing import Preparing
from perfcore.report.terminal import show
from perfcore.run.master import Outcome, Say
from perfcore.run.progress import Progress, Show
from perfcore.run.writing import Tell

Send = Callable[[StressOptions, Show, Say, Tell], Outcome]
Finish = Callable[[Path], dict[str, Any]]


def perform(given: dict[str, Any], command: str, send: Send, finish: Finish) -> tuple[int, dict[str, Any] | None]:
    """Make the run, or the runs, that are asked for; returns exit code and, of a single run, its metrics."""
    config, dry_run = given.pop("config"), given.pop("dry_run")
    models, datasets = given.pop("models"), given.pop("datasets")
    plan = wanted(given, config, os.environ, models, datasets, command)
    options = plan.resolved[0].options
    for note in dict.fromkeys(note for resolved in plan.resolved for note in resolved.notes):
        notice(options)(note)
    if dry_run:
        click.echo(dry(plan))
        return 0, None
    if not plan.alone:
        return series.run(plan.points, lambda point: measure(point, send), notice(options)), None
    refuse_resume(options)
    outcome = measure(options, send)
    metrics = finished(outcome.folder, finish)
    print_report(metrics, outcome.folder, options)
    return outcome.exit_code, metrics


def measure(options: StressOptions, send: Send) -> Outcome:
    """One run, with its progress on standard error."""
    live, preparing = Live(sys.stderr), Preparing(sys.stderr)
    shown = (silent, silent) if options.quiet else (lambda now: live.update(snapshot(now)), preparing.update)
    try:
        outcome = send(options, shown[0], notice(options), shown[1])
    finally:
        preparing.close()
        live.close()
    return outcome


def finished(folder: Path, finish: Finish) -> dict[str, Any]:
    """The metrics of a run; where the user does not wait for them, how to get them later."""
    try:
        return finish(folder)
    except KeyboardInterrupt:
        click.echo(
            f"interrupted; what was measured is kept, and its report made by: perfcore report {folder}", err=True
        )
        raise


def refuse_resume(options: StressOptions) -> None:
    """Raise UserError where a single run is to go on."""
    if options.resume:
        raise UserError(
            "--resume goes on with several runs, and this is one; leave it out, or give --concurrency 1,2,4"
        )


def snapshot(now: Progress) -> Snapshot:
    """The master's progress in the words of the live line."""
    return Snapshot(**vars(now) | {"workers": tuple(WorkerLoad(**vars(one)) for one in now.workers)})


def silent(*_: object) -> None:
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
