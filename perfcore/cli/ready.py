"""The folder of a run that is to be read: finished where it is not yet."""

from pathlib import Path

from perfcore.cli.counting import finish
from perfcore.errors import UserError
from perfcore.records.series import is_series

MADE = ("metrics.json", "requests.parquet", "events.parquet", "outputs.jsonl")


def ready(run: Path) -> Path:
    """The folder of one run with all that is made when it ends. Raises UserError for anything else."""
    if is_series(run):
        raise UserError(f"{run} is the folder of several runs; give one of those in it")
    if not run.is_dir() or not all((run / name).is_file() for name in MADE):
        finish(run, plots=False)
    return run
