"""A finished run in the form of another tool: files that are written whole or not at all."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from perfcore.errors import UserError
from perfcore.report import (
    export_aisbench,
    export_evalscope,
    export_openmetrics,
    export_tables,
    export_vllm,
    view,
)
from perfcore.report.files import write
from perfcore.report.finish import dataset_names, description

FOLDER = "export"  # in the run's own, where no other place is given


class Source(NamedTuple):
    """A run that is exported."""

    run_dir: Path
    described: dict[str, Any]
    metrics: dict[str, Any]
    with_texts: bool


class Form(NamedTuple):
    """A format: the one file's name, or "" for a folder of several; and what writes it to a path."""

    file: str
    write: Callable[[Source, Path], list[Path]]


def export(run_dir: Path, name: str, out: Path | None, with_texts: bool = False) -> list[Path]:
    """Write a finished run in a format of FORMATS; returns the files that were written.

    `out` is the file, or the folder where the format has several; by default it is export/ in the folder of the run.
    Prompts, answers and messages of failures are in no file unless `with_texts`. Raises UserError.
    """
    form = FORMATS[name]
    target = out or run_dir / FOLDER / name / form.file
    if out is not None and form.file and out.is_dir():
        target = out / form.file
    source = Source(run_dir, description(run_dir), view.metrics(run_dir), with_texts)
    with made(target.parent if form.file else target):
        return form.write(source, target)


@contextlib.contextmanager
def made(folder: Path) -> Iterator[None]:
    """The folder exists. Raises UserError where it or what is written there cannot be made."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise UserError(f"cannot write to {folder}: {error.strerror or error}; choose another --out") from None


def written(folder: Path, files: dict[str, bytes]) -> list[Path]:
    """Write these files into a folder."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write(folder / name, content)
    return [folder / name for name in files]


def csv(source: Source, folder: Path) -> list[Path]:
    tables = tables_of(source)
    return written(folder, {f"{name}.csv": export_tables.csv(table) for name, table in tables.items()})


def parquet(source: Source, folder: Path) -> list[Path]:
    tables = tables_of(source)
    return written(folder, {f"{name}.parquet": export_tables.parquet(table) for name, table in tables.items()})


def tables_of(source: Source) -> dict[str, Any]:
    """The two tables of a run."""
    return {
        "requests": export_tables.rows(source.run_dir, source.with_texts),
        "metrics": export_tables.metrics_table(source.metrics),
    }


def json(source: Source, file: Path) -> list[Path]:
    rows = export_tables.rows(source.run_dir, source.with_texts)
    return written(file.parent, {file.name: export_tables.json(rows, source.metrics)})


def vllm(source: Source, file: Path) -> list[Path]:
    content = export_vllm.result(source.run_dir, view.read(source.run_dir), source.described, source.with_texts)
    return written(file.parent, {file.name: content})


def openmetrics(source: Source, file: Path) -> list[Path]:
    known = {"run": source.run_dir.resolve().name, "model": source.described.get("model")}
    labels = {name: str(value) for name, value in known.items() if value}
    return written(file.parent, {file.name: export_openmetrics.exposition(source.metrics, labels)})


def aisbench(source: Source, folder: Path) -> list[Path]:
    """performances/<model>/ of AISBench, without its plots."""
    seen, name = view.read(source.run_dir), dataset_name(source.described)
    inner = folder / filename(str(source.described.get("model") or "model"))
    files = {
        export_aisbench.CSV.format(name): export_aisbench.table(seen),
        export_aisbench.SUMMARY.format(name): export_aisbench.summary(seen),
        export_aisbench.DETAILS.format(name): export_aisbench.details(source.run_dir, seen, name, source.with_texts),
    }
    base = export_aisbench.DATABASE.format(name)
    return [*written(inner, files), stored(inner / base, lambda path: export_aisbench.database(path, seen))]


def evalscope(source: Source, folder: Path) -> list[Path]:
    """The folder of one run of EvalScope."""
    seen = view.read(source.run_dir)
    files = {
        export_evalscope.SUMMARY: export_evalscope.summary(seen),
        export_evalscope.PERCENTILES: export_evalscope.percentiles(seen),
        export_evalscope.ARGUMENTS: export_evalscope.arguments(seen, source.described),
    }

    def fill(path: Path) -> None:
        export_evalscope.database(path, source.run_dir, seen, source.with_texts)

    return [*written(folder, files), stored(folder / export_evalscope.DATABASE, fill)]


def stored(path: Path, fill: Callable[[Path], None]) -> Path:
    """A database that takes the place of an older one when it is complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(path.name + ".new")
    new.unlink(missing_ok=True)
    fill(new)
    new.replace(path)
    return path


def dataset_name(described: dict[str, Any]) -> str:
    """What the files of AISBench are called after."""
    names = dataset_names(described)
    return filename("_".join(names)) if names else "prompts"


def filename(text: str) -> str:
    """A text as the name of a file."""
    kept = "".join(one if one.isalnum() or one in "-_." else "-" for one in text).strip(".")
    return kept[:100] or "run"


FORMATS: dict[str, Form] = {
    "csv": Form("", csv),
    "json": Form("run.json", json),
    "parquet": Form("", parquet),
    "aisbench": Form("", aisbench),
    "evalscope": Form("", evalscope),
    "vllm": Form("vllm.json", vllm),
    "openmetrics": Form("metrics.txt", openmetrics),
}
