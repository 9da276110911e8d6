"""Trackers of experiments: the numbers of a run as scalars, its report files as artifacts, one small adapter each.

None of their packages is needed by anything else, so each is imported when its tracker is asked for.
"""

import importlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from perfcore.errors import UserError
from perfcore.report.export_tables import flat
from perfcore.report.finish import dataset_names, description
from perfcore.report.view import metrics

PROJECT = "perfcore"
FIGURES = "perfcore.report.figures"  # a module by its name, not an import: matplotlib is loaded where plots are drawn
PAGE = "report.html"
QUOTING = ("metrics.json", "report.txt")  # these quote what a server said of a failure
SHOWING = (PAGE,)  # shows prompts and answers
OPTIONS = ("concurrency", "rate", "arrivals", "requests", "duration_s", "warmups", "seed", "stream")


class Told(NamedTuple):
    """What a tracker is told of a run."""

    name: str
    project: str
    settings: dict[str, str | int | float | bool]
    numbers: dict[str, float | int]
    files: Sequence[Path]


def send(run_dir: Path, sink: str, project: str = PROJECT, with_texts: bool = False) -> tuple[str, list[Path]]:
    """Hand a finished run to a tracker; returns the name it has there, and the files that were left out.

    Files that quote prompts, answers or messages of failures go along `with_texts` only. Raises UserError where the
    tracker's package is not installed, or it refuses.
    """
    found, described = metrics(run_dir), description(run_dir)
    module = imported(sink)
    files, left = artifacts(run_dir, found, with_texts)
    name = run_dir.resolve().name
    try:
        SINKS[sink](module, Told(name, project, settings(described), flat(found), files))
    except Exception as error:
        said = (str(error) or type(error).__name__).strip().splitlines()[0]
        raise UserError(f"{sink} did not take the run ({said}); see its own settings, such as its login") from error
    return name, left


def imported(sink: str) -> Any:
    """The tracker's package. Raises UserError where it is not installed."""
    try:
        return importlib.import_module(sink)
    except ImportError as error:
        raise UserError(f"{sink} cannot be imported ({error}); pip install 'perfcore[{sink}]'") from None


def artifacts(run_dir: Path, found: Mapping[str, Any], with_texts: bool) -> tuple[list[Path], list[Path]]:
    """Files of the report that go along, the plots of the page drawn anew, and those that do not: they show texts."""
    quoting = [run_dir / name for name in QUOTING if (run_dir / name).is_file()]
    showing = [run_dir / name for name in SHOWING if (run_dir / name).is_file()]
    page = run_dir / PAGE
    plots: list[Path] = importlib.import_module(FIGURES).draw(page) if page.is_file() else []
    if with_texts:
        return [*quoting, *showing, *plots], []
    if found.get("error_samples"):
        return plots, [*quoting, *showing]
    return [*quoting, *plots], showing


def settings(described: Mapping[str, Any]) -> dict[str, str | int | float | bool]:
    """What the run was: model, dialect, load, versions; no text of a prompt, no header, no address."""
    options, versions = described.get("options") or {}, described.get("versions") or {}
    known = {name: described.get(name) for name in ("model", "dialect", "started")}
    known |= {name: options.get(name) for name in OPTIONS}
    known |= {f"version_{name}": one for name, one in versions.items()}
    known["datasets"] = ",".join(dataset_names(dict(described))) or None
    return {name: one for name, one in known.items() if isinstance(one, (str, int, float, bool))}


def mlflow(module: Any, told: Told) -> None:
    """A run of an experiment: parameters, metrics, artifacts."""
    module.set_experiment(told.project)
    with module.start_run(run_name=told.name):
        module.log_params(told.settings)
        module.log_metrics({name: float(value) for name, value in told.numbers.items()})
        for file in told.files:
            module.log_artifact(str(file))


def wandb(module: Any, told: Told) -> None:
    """A run of a project: configuration, summary, one artifact with the files; nothing of this process or its git."""
    quiet = module.Settings(disable_git=True, console="off", x_disable_stats=True)
    run = module.init(project=told.project, name=told.name, config=told.settings, job_type="benchmark", settings=quiet)
    run.summary.update(told.numbers)
    artifact = module.Artifact("".join(one if one.isalnum() or one in "-_." else "-" for one in told.name), "report")
    for file in told.files:
        artifact.add_file(str(file))
    run.log_artifact(artifact)
    run.finish()


def swanlab(module: Any, told: Told) -> None:
    """An experiment of a project: configuration, scalars, plots as images. It keeps no other files."""
    module.init(project=told.project, experiment_name=told.name, config=told.settings)
    module.log(dict(told.numbers))
    images = {file.stem: module.Image(str(file)) for file in told.files if file.suffix == ".png"}
    if images:
        module.log(images)
    module.finish()


def clearml(module: Any, told: Told) -> None:
    """A task of a project: parameters, single values, artifacts."""
    task = module.Task.init(
        project_name=told.project,
        task_name=told.name,
        reuse_last_task_id=False,
        auto_connect_frameworks=False,
        auto_connect_arg_parser=False,
        auto_resource_monitoring=False,
        auto_connect_streams=False,
    )
    task.connect(dict(told.settings))
    logger = task.get_logger()
    for name, value in told.numbers.items():
        logger.report_single_value(name, value)
    for file in told.files:
        task.upload_artifact(file.name, artifact_object=str(file), wait_on_upload=True)
    task.close()


SINKS: dict[str, Callable[[Any, Told], None]] = {
    "wandb": wandb,
    "swanlab": swanlab,
    "mlflow": mlflow,
    "clearml": clearml,
}
