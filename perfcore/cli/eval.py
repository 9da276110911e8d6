"""`perfcore eval`: score answers, those of runs, of other tools, or collected for it."""

from pathlib import Path
from typing import Any

import click

from perfcore.cli.flags import Load, parameters
from perfcore.commands.evaluate import evaluate


def run(runs: tuple[Path, ...], **given: Any) -> int:
    """Score the answers of a model.

    RUN is the folder of a run or of a sweep, whose saved answers are scored, or that of an earlier evaluation, which is
    scored again. With --url and --datasets the answers are collected first, at the given concurrency. With
    --predictions those of another tool are scored. docs/accuracy.md says how data sets are scored, and docs/eval.md
    what is written.
    """
    return evaluate(runs, given)


command = Load(
    "eval",
    callback=run,
    help=run.__doc__,
    params=[
        click.Argument(["runs"], type=click.Path(path_type=Path), nargs=-1, metavar="[RUN]..."),
        *parameters("eval"),
    ],
)
