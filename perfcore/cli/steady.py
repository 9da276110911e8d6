"""`perfcore steady`: measure a service in a proven steady state, or look for one in a run that was made."""

from pathlib import Path
from typing import Any

import click

from perfcore.cli.flags import Load, parameters
from perfcore.commands.steady import measured, of_run


def run(run: Path | None, **given: Any) -> int:
    """Measure a service in a proven steady state.

    Holds the load, finds the plateau, measures a window of it, keeps the load up until the last measured request has
    ended, and says how sure the numbers are. --duration, --requests or --precision say when the window ends. With the
    folder of a finished run in the place of all options: looks for the steady state in that run.

    Ends with 0 if the state was steady, 3 if it was not, 4 if the window was too short to tell: docs/steady-state.md.
    """
    return measured(given) if run is None else of_run(run, given)


command = Load(
    "steady",
    callback=run,
    help=run.__doc__,
    params=[
        click.Argument(["run"], type=click.Path(path_type=Path), required=False, metavar="[RUN]"),
        *parameters("steady"),
    ],
)
