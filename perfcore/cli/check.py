"""`perfcore check`: what a service does with requests, in one pass before it is measured."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import click

from perfcore import values
from perfcore.cli.flags import flags
from perfcore.commands.check import show
from perfcore.config import resolve
from perfcore.errors import UserError
from perfcore.run.check import as_json, check

WITHIN_S = 60.0
# Options of `perfcore stress` that say which service is meant and how it is asked.
ABOUT_THE_SERVICE = (
    *("url", "dialect", "model", "header", "api_key_env", "body", "stream"),
    *("connect_timeout_s", "cacert", "cert", "key", "insecure", "http", "connections", "unix_socket", "resolve"),
    *("proxy", "local", "local_path", "local_python", "local_options", "local_timeout_s", "preset", "preset_model"),
)


def run(config: Path | None, within: str | None, as_data: bool, **given: Any) -> int:
    """Find out what a service does with requests before it is measured.

    A dozen short requests, one at a time: is it reached, does it stream, what counts the tokens, which parameters does
    it honour. Ends with 0 if nothing prevents a measurement, 1 if something does, 2 for a mistake in the options.
    """
    resolved = resolve(given, config, os.environ)
    for note in resolved.notes:
        click.echo(note, err=True)
    report = check(resolved.options, seconds(within), lambda line: click.echo(line, err=True))
    if as_data:
        click.echo(json.dumps(as_json(report), indent=2, ensure_ascii=False))
    else:
        show(report, sys.stdout)
    return 0 if report.ok else 1


def seconds(within: str | None) -> float:
    """Time for the check; raises UserError for one that is none."""
    try:
        parsed = WITHIN_S if within is None else values.duration(within)
    except ValueError as error:
        raise UserError(f"--timeout {within!r}: {error}") from None
    if parsed <= 0:
        raise UserError(f"--timeout {within!r}: wants a time above 0")
    return parsed


command = click.Command(
    "check",
    callback=run,
    help=run.__doc__,
    params=[
        *(flag for flag in flags("check") if flag.name in ABOUT_THE_SERVICE),
        click.Option(
            ["--timeout", "within"], metavar="TIME", help=f"Time for all of it together. [default: {WITHIN_S:g}s]"
        ),
        click.Option(["--config"], type=click.Path(path_type=Path), help="File of options: TOML, YAML, JSON or .py."),
        click.Option(["--json", "as_data"], is_flag=True, help="Print JSON instead of a table."),
    ],
)
