"""`perfcore calibrate`: find out what this machine can, so that reports say how much of it a run used."""

import json
import os
import sys

import click
import msgspec

from perfcore.errors import UserError
from perfcore.records.machine import Calibration, keep, kept
from perfcore.report.ceilings import table
from perfcore.run.calibration import calibrate

MOST_NUMBERS = 4  # of workers where none are given: with more, each search would have too little time
MOST_WORKERS = 1024
NOT_FOUND = 1


def run(workers: str | None, quick: bool, show: bool, as_data: bool) -> int:
    """Find out what this machine can send and receive without error.

    Loads the built-in simulator harder and harder for about two minutes: paced events, requests and new connections per
    second, by number of workers. The result is kept for this machine, and the reports of later runs say what share of
    it they used. Run it while nothing else runs here.
    """
    if show:
        return shown(as_data)
    numbers = usual(len(os.sched_getaffinity(0))) if workers is None else numbers_of(workers)
    found = calibrate(numbers, quick, lambda line: click.echo(line, err=True))
    click.echo(in_form(found, as_data))
    if not whole(found):
        click.echo("Not kept: some ceilings were not found; run it again when the machine is quiet.", err=True)
        return NOT_FOUND
    click.echo(f"Kept in {keep(found)}", err=True)
    return 0


def whole(found: Calibration) -> bool:
    """Whether every search has found a load that passes."""
    edges = (edge for each in found.ceilings for edge in (each.events, each.requests, each.connections))
    return all(edge.per_s is not None for edge in edges)


def shown(as_data: bool) -> int:
    """Print what is kept for this machine; raises UserError where there is nothing."""
    found = kept()
    if found.calibration is None:
        raise UserError(found.why)
    click.echo(in_form(found.calibration, as_data))
    return 0


def in_form(found: Calibration, as_data: bool) -> str:
    """For a program, or for a person, in letters that the terminal has."""
    if as_data:
        return json.dumps(msgspec.to_builtins(found), indent=2, ensure_ascii=False)
    encoding = sys.stdout.encoding or "utf-8"
    return table(found).encode(encoding, "replace").decode(encoding)


def usual(cores: int) -> list[int]:
    """Numbers of workers worth knowing: powers of two, and one fewer than there are cores, which a run has at most."""
    most = max(1, cores - 1)
    powers = [1 << power for power in range(most.bit_length()) if 1 << power < most]
    return [*powers[: MOST_NUMBERS - 1], most]


def numbers_of(text: str) -> list[int]:
    """The numbers in 1,2,4; raises UserError."""
    words = text.split(",")
    if not all(word.strip().isdecimal() and 1 <= int(word) <= MOST_WORKERS for word in words):
        raise UserError(f"--workers {text!r}: wants numbers from 1 to {MOST_WORKERS}, such as 1,2,4")
    return sorted({int(word) for word in words})


command = click.Command(
    "calibrate",
    callback=run,
    help=run.__doc__,
    params=[
        click.Option(
            ["--workers"], metavar="N[,N...]", help="Numbers of workers. [default: 1, 2, 4 and one less than cores]"
        ),
        click.Option(["--quick"], is_flag=True, help="Take half a minute, and know the ceilings less well."),
        click.Option(["--show"], is_flag=True, help="Print what is kept for this machine; measure nothing."),
        click.Option(["--json", "as_data"], is_flag=True, help="Print JSON instead of a table."),
    ],
)
