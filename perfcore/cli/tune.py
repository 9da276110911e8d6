"""`perfcore tune`: find the largest load at which a service meets its objectives."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from perfcore.cli.flags import parameters
from perfcore.commands.tune import found


def run(config: Path | None, dry_run: bool, **given: Any) -> int:
    """Find the largest load that meets objectives.

    --slo says what has to be met, --variable which load is looked for: the concurrency, or the rate. Each load is
    measured as `perfcore steady` does, with all its options, and judged by the interval of what was found: it meets,
    it fails, or it is measured longer. The load is doubled until one fails, and then the range is halved.

    Ends with 0 if the load was found, 3 if none meets, 4 if that could not be decided: docs/tune.md.
    """
    return found(config, dry_run, given)


def of_tune(wanted: list[click.Parameter]) -> Iterator[click.Parameter]:
    """Flags of one service and one workload: those of several make a sweep."""
    return (flag for flag in wanted if flag.name not in ("models", "datasets"))


command = click.Command("tune", callback=run, help=run.__doc__, params=list(of_tune(parameters("tune"))))
