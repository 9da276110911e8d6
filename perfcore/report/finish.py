"""From a run folder with its journal to one with metrics, plots and report."""

import importlib
import json
from pathlib import Path
from typing import Any

from perfcore.analysis import metrics
from perfcore.errors import UserError
from perfcore.records import store
from perfcore.report import terminal
from perfcore.report.files import write
from perfcore.report.text import encodable

# A module by its name, not an import: matplotlib takes longer to load than most runs take to finish.
PLOTS = "perfcore.report.plots"


def finish(run_dir: Path, plots: bool = True) -> dict[str, Any]:
    """Rebuild everything that can be rebuilt in a run folder; returns what metrics.json then holds.

    Works on the folder of a killed run too, and any number of times. Raises UserError where `run_dir` is not the folder
    of a run.
    """
    described = description(run_dir)
    run = store.build(run_dir, think_tags(described))
    found = metrics.compute(run, cores(described))
    write(run_dir / "metrics.json", encodable(json.dumps(found, indent=2, ensure_ascii=False, allow_nan=False) + "\n"))
    write(run_dir / "report.txt", encodable(terminal.render(found, run_dir)))
    if plots:
        importlib.import_module(PLOTS).draw(run, run_dir)
    return found


def description(run_dir: Path) -> dict[str, Any]:
    """What run.json says."""
    if not run_dir.is_dir():
        raise UserError(f"{run_dir} is not a folder; give the folder of a run (outputs/...)")
    path = run_dir / "run.json"
    try:
        described = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise UserError(f"{run_dir} is not the folder of a run: it has no run.json") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read ({error}); restore it from another run of the same kind") from None
    if not isinstance(described, dict):
        raise UserError(f"{path} is not the description of a run: it holds no JSON object")
    return described


def think_tags(described: dict[str, Any]) -> str:
    """What marks reasoning within a text, as the run was told."""
    options = described.get("options")
    told = options.get("think_tags") if isinstance(options, dict) else None
    return told if isinstance(told, str) else "auto"


def cores(described: dict[str, Any]) -> int | None:
    """Processor cores of the machine that sent the load."""
    machine = described.get("machine")
    number = machine.get("cores") if isinstance(machine, dict) else None
    return number if isinstance(number, int) else None
