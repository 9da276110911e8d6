"""A run in its steady state: sent, or looked for in one that was made, with the exit code of its verdict."""

import json
import sys
from pathlib import Path
from typing import Any

import click

from perfcore.analysis.steady import online
from perfcore.analysis.steady.verdict import EXIT_CODES
from perfcore.commands.counting import finish, finish_steady
from perfcore.commands.load import perform
from perfcore.errors import UserError
from perfcore.options import StressOptions, flag_of
from perfcore.report.terminal import show
from perfcore.run.master import Outcome, Say, steady
from perfcore.run.progress import Show
from perfcore.run.writing import Tell


def measured(given: dict[str, Any]) -> int:
    """Make a steady run, or several; returns the exit code."""
    code, metrics = perform(given, "steady", send, finish)
    return code or (0 if metrics is None else verdict(metrics))


def send(options: StressOptions, show: Show, say: Say, tell: Tell) -> Outcome:
    """Send the load of a steady run."""
    return steady(options, online, show, say, tell)


def of_run(folder: Path, given: dict[str, Any]) -> int:
    """Look for the steady state in a run that was made; returns the exit code of its verdict."""
    as_json, quiet = given.pop("json"), given.pop("quiet")
    if others := [name for name, value in given.items() if value not in (None, (), False)]:
        raise UserError(f"{flag_of(others[0])} says how to send, and {folder} was sent already; leave it out")
    metrics = finish_steady(folder)
    if as_json:
        click.echo(json.dumps(metrics, indent=2, ensure_ascii=False))
    elif not quiet:
        show(metrics, folder, sys.stdout)
    return verdict(metrics)


def verdict(metrics: dict[str, Any]) -> int:
    """Exit code of what the analysis found."""
    return EXIT_CODES[metrics["steady"]["verdict"]]
