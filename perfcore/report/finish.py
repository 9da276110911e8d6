"""From a run folder with its journal to one with metrics, report and page."""

import importlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from perfcore import slo
from perfcore.analysis import metrics, notes
from perfcore.analysis.clues import EXACT, FREE, LIMIT, NO_TEXTS, Texts, looked_at
from perfcore.analysis.families import recognised
from perfcore.errors import UserError
from perfcore.records import scrapes, store, texts
from perfcore.records.counting import Counter
from perfcore.report import terminal
from perfcore.report.files import write
from perfcore.report.text import encodable
from perfcore.slo import Objective
from perfcore.types import Run


class Files(NamedTuple):
    """Where an analysis of a run goes."""

    metrics: str
    report: str
    suffix: str


FILES = Files("metrics.json", "report.txt", "")
BESIDE = Files("steady.json", "report-steady.txt", "-steady")

# The model of `perfcore simulate`, unless it is told to give it another name.
SIMULATED = "simulated"

# A module by its name, not an import: it is loaded where the page is made.
PAGE = "perfcore.report.html"


def finish(run_dir: Path, page: bool = True, counter: Counter | None = None) -> dict[str, Any]:
    """Rebuild everything that can be rebuilt in a run folder; returns what metrics.json then holds.

    `page` is whether the page is made, which has the plots: perfcore.report.figures draws them from there. `counter`
    counts the tokens that no server reported. The numbers of a steady run are those of its window.
    Works on the folder of a killed run too, and any number of times. Raises UserError where `run_dir` is not the folder
    of a run.
    """
    described = description(run_dir)
    steady = is_steady(run_dir, described)
    run = store.build(run_dir, think_tags(described), counter, stamps=steady)
    return evaluated(run, described, run_dir, steady, FILES, page)


def finish_steady(run_dir: Path, page: bool = True, counter: Counter | None = None) -> dict[str, Any]:
    """Look for a steady state in a run that was made; returns the metrics of its window, and writes its report.

    Those of a run that was not held for a window go into files of their own beside its metrics: steady.json,
    report-steady.txt and report-steady.html. For the rest as `finish`.
    """
    described = description(run_dir)
    held = is_steady(run_dir, described)
    run = store.build(run_dir, think_tags(described), counter, stamps=True)
    if not held and not (run_dir / FILES.metrics).exists():
        evaluated(run, described, run_dir, False, FILES, page)
    return evaluated(run, described, run_dir, True, FILES if held else BESIDE, page)


def evaluated(
    run: Run, described: dict[str, Any], run_dir: Path, steady: bool, files: Files, page: bool
) -> dict[str, Any]:
    """Compute the metrics and write them, the report and the page."""
    told = scrapes.build(run_dir, recognised)
    found = metrics.compute(
        run, cores(described), steady, objectives(described), told, said(run_dir, described), lengths(described)
    )
    write(run_dir / files.metrics, encodable(json.dumps(found, indent=2, ensure_ascii=False, allow_nan=False) + "\n"))
    write(run_dir / files.report, encodable(terminal.render(found, run_dir)))
    if page:
        importlib.import_module(PAGE).write_page(run, found, described, run_dir, told, files.suffix)
    return found


def is_steady(run_dir: Path, described: dict[str, Any]) -> bool:
    """Whether a run was held for a window: its master noted so, or the command that was killed before was `steady`."""
    if command_of(described) == "steady":
        return True
    return notes.held(store.notes_of(run_dir)) is not None


def description(run_dir: Path) -> dict[str, Any]:
    """What run.json says."""
    if not run_dir.is_dir():
        raise UserError(f"{run_dir} is not a folder; give the folder of a run (outputs/...)")
    path = run_dir / "run.json"
    try:
        described = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise UserError(
            f"{run_dir} is not the folder of a run: it has no run.json; give the folder that has run.json"
        ) from None
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read ({error}); restore it from another run of the same kind") from None
    if not isinstance(described, dict):
        raise UserError(f"{path} is not the description of a run: it holds no JSON object")
    return described


def dataset_names(described: dict[str, Any]) -> list[str]:
    """What the data sets of a run are called: in run.json each is an object with its settings, or a name."""
    held = described.get("datasets")
    return [str(one.get("name") if isinstance(one, dict) else one) for one in (held if isinstance(held, list) else ())]


def think_tags(described: dict[str, Any]) -> str:
    """What marks reasoning within a text, as the run was told."""
    options = described.get("options")
    told = options.get("think_tags") if isinstance(options, dict) else None
    return told if isinstance(told, str) else "auto"


def said(run_dir: Path, described: dict[str, Any]) -> Texts:
    """What answers say; those of the simulator repeat themselves on purpose."""
    return NO_TEXTS if described.get("model") == SIMULATED else looked_at(texts.said(run_dir))


def lengths(described: dict[str, Any]) -> str:
    """Whether answers were asked for in exact lengths, up to a limit, or to be scored, whatever their length."""
    options = described.get("options")
    if command_of(described) == "eval":
        return FREE
    asked = options if isinstance(options, dict) else {}
    return EXACT if asked.get("ignore_eos") or asked.get("output_tokens") is not None else LIMIT


def command_of(described: Mapping[str, Any]) -> str | None:
    """Which command made a run, such as "stress"; None where run.json does not say."""
    typed = described.get("command")
    name = typed[1] if isinstance(typed, list) and len(typed) > 1 else None
    return name if isinstance(name, str) else None


def cores(described: dict[str, Any]) -> int | None:
    """Processor cores of the machine that sent the load."""
    machine = described.get("machine")
    number = machine.get("cores") if isinstance(machine, dict) else None
    return number if isinstance(number, int) else None


def objectives(described: dict[str, Any]) -> tuple[Objective, ...]:
    """The service levels that the run was asked to be judged by."""
    options = described.get("options")
    given = options.get("slo") if isinstance(options, dict) else None
    try:
        return slo.parse(slo.texts(given)) if given else ()
    except ValueError as error:
        raise UserError(f"slo in run.json {error}; correct it there") from None
