"""What is scored: answers of one model to one data set, from runs or from the folder of an evaluation."""

import dataclasses
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import msgspec

from evaluators.sample import Sample
from perfcore.commands.points import label, stem
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
    `settings` what decided the answers.
    """

    model: str
    file: str
    dataset: str
    lines: list[bytes]
    asked: Mapping[str, str] | None = None
    repeats: int = 1
    runs: Sequence[Path] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    notes: Sequence[str] = ()  # what a reader of the result has to know of the answers


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
        # What a command wanted that was refused stands in eval.json, and not in the state.
        asked, repeats = (None, pair.repeats) if state is None else (state.questions, state.repeats)
        lines = [
            kept.line for (key, repeat), kept in there.items() if (asked is None or key in asked) and repeat < repeats
        ]
        settings = {} if state is None else state.settings
        keys = None if state is None else {key: state.subsets.get(key, "") for key in state.questions}
        runs = runs_of(folder, pair.model)
        yield Lot(pair.model, pair.file, pair.dataset, lines, keys, repeats, runs, settings)


def of_files(options: StressOptions) -> list[Lot]:
    """The answers in --predictions, a lot for each model. Raises UserError that names file and line."""
    if len(options.dataset) != 1:
        raise UserError("--predictions answer one data set; name it with --dataset")
    dataset = options.dataset[0]
    by_model: dict[str, list[Any]] = defaultdict(list)
    for path in options.predictions:
        if options.format in (None, "jsonl"):
            by_model[options.model or path.parent.name or "model"] += own_lines(path)
        else:
            for one in READERS[options.format](path):
                by_model[options.model or one.model or "model"].append(one)
    if not by_model or not all(by_model.values()):
        raise UserError(f"{options.predictions[0]} has no answers; give a file that has some")
    if options.format in (None, "jsonl"):
        return [Lot(stem(model), label(dataset), dataset, numbered(own)) for model, own in by_model.items()]
    rows = rows_by_part(options)
    return [of_answers(stem(model), dataset, own, rows, options.repeats or 1) for model, own in by_model.items()]


def of_answers(
    model: str, dataset: str, answers: Sequence[Answer], rows: Mapping[str, Sequence[tuple[str, Row]]], repeats: int
) -> Lot:
    """The answers of one model that another tool saved. Raises UserError where they cannot be to these rows."""
    parts = {one.part: part_of(one.part, rows) for one in answers}
    unknown = [name for name, part in parts.items() if not part]
    if len(unknown) > 1:
        raise UserError(
            f"{unknown[0]} and {unknown[1]} are parts of the data set by their names, and {dataset} has "
            f"{', '.join(sorted(part for part in rows if part)[:5]) or 'none'}; give the data set that was asked"
        )
    found = [located(one, parts[one.part], rows, repeats) for one in answers]
    refuse_other_questions(answers, [row for _, row, _, _ in found], dataset)
    wanted = {key for part in parts.values() for key, _ in rows[part]}
    left = len(wanted - {key for key, _, _, _ in found})
    note = f"{left:,} of {len(wanted):,} questions have no answer in the files, and are in no figure" if left else ""
    lines = [line_of(one, *place) for one, place in zip(answers, found, strict=True)]
    return Lot(model, label(dataset), dataset, lines, repeats=repeats, notes=[note] if note else [])


def own_lines(path: Path) -> Iterator[dict[str, msgspec.Raw]]:
    """Lines of outputs.jsonl, as their fields. Raises UserError for one that is none, the last one too."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read --predictions {path}: {error.strerror}; give a file that can be read") from None
    for number, line in enumerate(content.split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            fields = _fields(line)
            if isinstance(name := msgspec.json.decode(fields.get("id", NO_ID)), int):
                fields["id"] = msgspec.Raw(encode(str(name)))
            _sample(encode(fields))
        except msgspec.DecodeError as error:
            raise UserError(
                f"{path}, line {number}: {error}; --format says what wrote the file: correct one of them"
            ) from None
        yield fields


def numbered(lines: Sequence[dict[str, msgspec.Raw]]) -> list[bytes]:
    """Lines with the number of their repeat: an answer without one that comes again is another to its question."""
    seen: Counter[tuple[bytes, bytes]] = Counter()
    for fields in lines:
        if bytes(fields.get("repeat", NULL)) == NULL:
            name = bytes(fields.get("question") or fields["id"]), bytes(fields.get("turn", NULL))
            fields["repeat"] = msgspec.Raw(encode(seen[name]))
            seen[name] += 1
    return [encode(fields) + b"\n" for fields in lines]


NULL, NO_ID = b"null", b'""'
encode = msgspec.json.Encoder().encode
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_sample = msgspec.json.Decoder(Sample).decode


def rows_by_part(options: StressOptions) -> dict[str, list[tuple[str, Row]]]:
    """Rows of the data set with their keys, by subset, and all of them under ""."""
    found: dict[str, list[tuple[str, Row]]] = {"": []}
    for question, row in questions(select(options, load_dialect(options.dialect)).rows):
        found[""].append((question.key, row))
        if row.subset:
            found.setdefault(row.subset, []).append((question.key, row))
    return found


def part_of(name: str, rows: Iterable[str]) -> str:
    """The subset that the name of a file, or of a part of it, ends with; "" for the whole data set."""
    return max((part for part in rows if part and name.endswith(part)), key=len, default="")


Located: TypeAlias = tuple[str, Row, int, int]  # key of a question, its row, its number, and that of the repeat


def located(answer: Answer, part: str, rows: Mapping[str, Sequence[tuple[str, Row]]], repeats: int) -> Located:
    """What is answered. Raises UserError where it is no row."""
    index, repeat = (answer.number, answer.repeat) if answer.repeat is not None else divmod(answer.number, repeats)
    if index >= len(rows[part]):
        raise UserError(
            f"{answer.place} answers row {index} of {part or 'the data set'}, which has {len(rows[part])}; give the "
            "data set that was asked, and --repeats if each question was asked several times"
        )
    return *rows[part][index], index, repeat


def refuse_other_questions(answers: Sequence[Answer], rows: Sequence[Row], dataset: str) -> None:
    """Raise UserError where the prompts in the files are not those of the rows by their numbers.

    Tools put a question into other words around it, but most of its own words are there: more of them than of those of
    the row before. Where that holds for fewer than FITTING of the answers, the numbers count something else.
    """
    fits = total = 0
    for at, one in enumerate(answers[:LOOKED_AT]):
        said, own, other = words(one.prompt), words(said_of(rows[at])), words(said_of(rows[at - 1]))
        if not said & own or own <= other:
            continue  # nothing to compare: no prompt, one in another form, or the same question again
        total += 1
        fits += share(own - other, said) > share(other - own, said)
    if total >= ENOUGH and fits < FITTING * total:
        raise UserError(
            f"{answers[0].place}: {total - fits:,} of {total:,} prompts do not fit the rows of {dataset} that their "
            "numbers stand for; give the data set, or the subset, that was asked"
        )


def share(part: set[str], whole: set[str]) -> float:
    """How many of some words are among others."""
    return len(part & whole) / len(part) if part else 0.0


LOOKED_AT, ENOUGH, FITTING = 500, 5, 0.8
WORD = re.compile(r"[\u3040-\u9fff]|[^\W\u3040-\u9fff]+")  # a Chinese or Japanese character is one


def words(text: Any) -> set[str]:
    """Words in all texts of a value."""
    plain = text if isinstance(text, str) else encode(text).decode().replace("\\n", " ")
    return set() if text is None else set(WORD.findall(plain))


def said_of(row: Row) -> Any:
    """What a row asks."""
    return row.prompt if row.prompt is not None else msgspec.to_builtins(row.messages)


def line_of(answer: Answer, key: str, row: Row, index: int, repeat: int) -> bytes:
    """An answer of another tool as a line of predictions."""
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
