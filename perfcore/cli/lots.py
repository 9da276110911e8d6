"""What is scored: answers of one model to one data set, from runs or from the folder of an evaluation."""

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from perfcore.cli.points import label, stem
from perfcore.errors import UserError
from perfcore.options import StressOptions
from perfcore.records import predictions, series
from perfcore.records.evaluation import Pair
from perfcore.records.foreign import READERS, Answer
from perfcore.report.finish import description
from perfcore.run.asking import questions
from perfcore.run.collecting import predictions_of, runs_of, state_of
from perfcore.run.rows import select
from perfcore.workload.dialect import load_dialect
from perfcore.workload.registry import resolved
from perfcore.workload.row import Row


@dataclass(frozen=True)
class Lot:
    """Answers to be scored together. `model` and `file` name the result, `dataset` is what --dataset would name it.

    `asked` has the keys of all questions with their subsets, each of which wants `repeats` answers; None where nobody
    knows what was asked beside the answers that are there. `runs` are the folders of the runs that they came from,
    `settings` their options.
    """

    model: str
    file: str
    dataset: str
    lines: list[bytes]
    asked: Mapping[str, str] | None = None
    repeats: int = 1
    runs: Sequence[Path] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)


class Origin(msgspec.Struct):
    """The data set that a line is of."""

    dataset: str = ""


_origin = msgspec.json.Decoder(Origin).decode


def of_runs(folders: Sequence[Path], finish: Callable[[Path], Any], config_dir: Path | None) -> list[Lot]:
    """The answers of runs and sweeps, killed ones too: a lot for each run and data set. Raises UserError."""
    runs = [run for folder in folders for run in single_runs(folder)]
    return with_own_names([lot for run in runs for lot in of_run(run, finish, config_dir)])


def single_runs(folder: Path) -> Iterator[Path]:
    """The folder of a run, or those of the runs of a sweep."""
    if not series.is_series(folder):
        yield folder
        return
    for point in series.read_series(folder)["points"]:
        if series.ran(folder / point["name"]) is not None:
            yield folder / point["name"]


def of_run(run: Path, finish: Callable[[Path], Any], config_dir: Path | None) -> Iterator[Lot]:
    """The lots of one run, one for each data set that it sent. Raises UserError."""
    described = description(run)
    options = described.get("options") or {}
    names = {resolved(text, config_dir).name: text for text in options.get("dataset") or []}
    if not names:
        raise UserError(f"{run} sent no data set, so nothing says what its answers should be; give a run that did")
    if not (run / "outputs.jsonl").exists():
        finish(run)
    by_dataset: dict[str, list[bytes]] = defaultdict(list)
    for _, line in predictions.lines_of(run / "outputs.jsonl"):
        by_dataset[_origin(line).dataset].append(line)
    if not by_dataset:
        raise UserError(f"{run} has no answers; give a run that came to some")
    for name, lines in by_dataset.items():
        model = stem(str(described.get("model") or "model"))
        yield Lot(model, label(names.get(name, name)), names.get(name, name), lines, runs=[run], settings=options)


def with_own_names(lots: Sequence[Lot]) -> list[Lot]:
    """The same; where several have model and data set in common, the model's name says the run too."""
    pairs = Counter((lot.model, lot.file) for lot in lots)
    return [
        dataclasses.replace(lot, model=f"{lot.model}@{lot.runs[0].name}") if pairs[lot.model, lot.file] > 1 else lot
        for lot in lots
    ]


def of_collected(folder: Path, pairs: Sequence[Pair]) -> Iterator[Lot]:
    """The answers that an evaluation has collected."""
    for pair in pairs:
        state = state_of(folder, pair.model, pair.file)
        there = predictions.read(predictions_of(folder, pair.model, pair.file))
        asked = None if state is None else state.questions
        lines = [
            kept.line
            for (key, repeat), kept in there.items()
            if (asked is None or key in asked) and repeat < pair.repeats
        ]
        settings = {} if state is None else state.settings
        keys = None if state is None else {key: state.subsets.get(key, "") for key in state.questions}
        runs = runs_of(folder, pair.model)
        yield Lot(pair.model, pair.file, pair.dataset, lines, keys, pair.repeats, runs, settings)


def of_files(options: StressOptions) -> list[Lot]:
    """The answers in --predictions. Raises UserError that names file and line."""
    if len(options.dataset) != 1:
        raise UserError("--predictions answer one data set; name it with --dataset")
    dataset = options.dataset[0]
    if options.format in (None, "jsonl"):
        lines = [own_line(path, number, line) for path in options.predictions for number, line in lines_in(path)]
        model = options.model or options.predictions[0].parent.name or "model"
        return [Lot(stem(model), label(dataset), dataset, lines)]
    answers = [one for path in options.predictions for one in READERS[options.format](path)]
    if not answers:
        raise UserError(f"{options.predictions[0]} has no answers; give a file that has some")
    rows = rows_by_part(options)
    lines = [line_of(one, rows, options.repeats or 1) for one in answers]
    model = options.model or answers[0].model or "model"
    return [Lot(stem(model), label(dataset), dataset, lines, repeats=options.repeats or 1)]


def lines_in(path: Path) -> Iterator[tuple[int, bytes]]:
    """Lines of a file with their numbers. Raises UserError where it is not there."""
    if not path.is_file():
        raise UserError(f"--predictions {path} is no file; correct the path")
    return predictions.lines_of(path)


def own_line(path: Path, number: int, line: bytes) -> bytes:
    """A line of outputs.jsonl; raises UserError for one that is none."""
    try:
        _id(line)
    except msgspec.DecodeError as error:
        raise UserError(
            f"{path}, line {number}: {error}; --format says what wrote the file: correct one of them"
        ) from None
    return line


class Id(msgspec.Struct):
    """What a line cannot do without."""

    id: str


_id = msgspec.json.Decoder(Id).decode


def rows_by_part(options: StressOptions) -> dict[str, list[tuple[str, Row]]]:
    """Rows of the data set with their keys, by subset, and all of them under ""."""
    found: dict[str, list[tuple[str, Row]]] = {"": []}
    for question, row in questions(select(options, load_dialect(options.dialect)).rows):
        found[""].append((question.key, row))
        if row.subset:
            found.setdefault(row.subset, []).append((question.key, row))
    return found


def line_of(answer: Answer, rows: Mapping[str, Sequence[tuple[str, Row]]], repeats: int) -> bytes:
    """An answer of another tool as a line of predictions. Raises UserError where it answers no row."""
    ends = [part for part in rows if part and answer.part.endswith(part)]
    part = max(ends, key=len, default="")
    index, repeat = (answer.number, answer.repeat) if answer.repeat is not None else divmod(answer.number, repeats)
    if index >= len(rows[part]):
        raise UserError(
            f"{answer.place} answers row {index} of {part or 'the data set'}, which has {len(rows[part])}; give the "
            "data set that was asked, and --repeats if each question was asked several times"
        )
    key, row = rows[part][index]
    fields = {
        "id": row.id,
        "question": key,
        "index": index,
        "repeat": repeat,
        "prompt": answer.prompt,
        "prediction": answer.prediction,
        "reasoning": answer.reasoning,
        "finish_reason": answer.finish_reason,
        "error": answer.error,
        "reference": answer.gold if row.reference is None else row.reference,
        "meta": row.meta,
        "dataset": row.dataset,
        "subset": row.subset,
    }
    return msgspec.json.encode(fields) + b"\n"
