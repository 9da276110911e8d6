"""Run folders as they are given on the command line: of one run or of several, finished or not yet."""

import json
from pathlib import Path
from typing import Any

from perfcore.commands.counting import finish
from perfcore.errors import UserError
from perfcore.records import series

MADE = ("requests.parquet", "events.parquet", "outputs.jsonl", "metrics.json")


def metrics_of(run_dir: Path) -> dict[str, Any]:
    """What metrics.json of a run holds; finishes a run that is not. Raises UserError for what is no run."""
    if not run_dir.is_dir():
        raise UserError(f"{run_dir} is not a folder; give the folder of a run (outputs/...)")
    if all((run_dir / name).is_file() for name in MADE):
        try:
            found = json.loads((run_dir / "metrics.json").read_bytes())
            if isinstance(found, dict) and "latency" in found:
                return found
        except ValueError:
            pass  # it can be made again
    return finish(run_dir, page=False)


def ready(run: Path) -> Path:
    """The folder of one run with all that is made when it ends. Raises UserError for anything else."""
    if series.is_series(run):
        raise UserError(f"{run} is the folder of several runs; give one of those in it")
    metrics_of(run)
    return run


def runs_in(folder: Path) -> list[Path]:
    """The runs of a folder of several that were made, or the folder itself."""
    if not series.is_series(folder):
        return [folder]
    named = [folder / point["name"] for point in series.read_series(folder)["points"]]
    found = [run for run in named if (run / "run.json").is_file()]
    if not found:
        raise UserError(f"none of the runs of {folder} was made; go on with --resume")
    return found


def names(folders: list[Path]) -> list[str]:
    """The shortest ends of the paths by which they can be told apart."""
    whole = [folder.resolve().parts for folder in folders]
    for length in range(1, max(map(len, whole)) + 1):
        found = ["/".join(parts[-length:]) for parts in whole]
        if len(set(found)) == len(set(whole)):
            return found
    return [str(folder) for folder in folders]
