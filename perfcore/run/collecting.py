"""The answers of an evaluation: what is missing is asked for with the engine, and all of it kept in predictions/.

configs/<model>/<dataset>.json       settings and questions that the answers belong to
runs/<model>/<task>-<n>              run folders, with the speed of each run
runs/<model>/<task>-<n>.asked.json   which question each row of that run asked, until its answers are merged
predictions/<model>/<dataset>.jsonl  the answers
"""

import dataclasses
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import msgspec

from perfcore.errors import UserError
from perfcore.options import StressOptions
from perfcore.records import files, predictions
from perfcore.records.predictions import Place
from perfcore.redaction import redacted
from perfcore.run.asking import Asked, Question, changed, missing, numbered, picker, questions
from perfcore.run.master import EXIT_OK, Outcome, Pick
from perfcore.run.rows import select
from perfcore.workload.dialect import load_dialect

# What decides an answer, so that answers asked for with other values of it are not put together.
DECIDING = ("model", "preset_model", "dialect", "body", "max_tokens", "dataset_args", "history", "lora", "ignore_eos")
ASKED, MERGED = ".asked.json", ".merged.json"
# What decides how they are scored: another preset of a model may have other tags of reasoning.
SCORING = ("think_tags", "evaluation", "data_dir", "config_dir", "seed")
Send = Callable[[StressOptions, Pick], Outcome]
Finish = Callable[[Path], dict[str, Any]]
Say = Callable[[str], None]
Asking: TypeAlias = dict[str, list[tuple[int, Question]]]  # by data set, each question with its place among all


@dataclass(frozen=True)
class Task:
    """Data sets that one model is asked for in one run. Names are those of folders and files."""

    model: str
    datasets: dict[str, str]  # by the name of a data set in its rows, that of its files
    options: StressOptions  # without `out`
    repeats: dict[str, int]  # by the name of a data set in its rows
    folder: Path
    # Questions of each data set to pass over, and then to take; that is for tasks whose options choose all rows.
    offset: int = 0
    count: int | None = None

    @property
    def name(self) -> str:
        names = list(self.datasets.values())
        return names[0] if len(names) == 1 else f"{names[0]}-and-{len(names) - 1}-more"


class State(msgspec.Struct):
    """What the answers in a file of predictions belong to."""

    settings: dict[str, Any]
    questions: dict[str, str]  # digest by key
    repeats: int
    subsets: dict[str, str] = {}  # by key, of those that are in one


class Collected(NamedTuple):
    """How it ended: 0, or what the run ended with."""

    exit_code: int


def collect(task: Task, send: Send, finish: Finish, say: Say) -> Collected:
    """Ask for all answers that are not there yet. Raises UserError, also where what is there was asked otherwise."""
    take_in(task, finish)
    asked = asked_now(task)
    check(task, asked)
    there = {
        key
        for dataset in task.datasets
        for key, kept in predictions.read(predictions_of(task.folder, task.model, task.datasets[dataset])).items()
        if kept.head.error is None
    }
    wanted = sorted(
        itertools.chain.from_iterable(
            missing_of(asked, dataset, task.repeats[dataset], there) for dataset in task.datasets
        ),
        key=lambda one: (one.repeat, one.place),
    )
    keep_state(task, asked)
    total = sum(len(asked[dataset]) * task.repeats[dataset] for dataset in task.datasets)
    if not wanted:
        say(f"{task.model}, {task.name}: all {total:,} answers are there")
        return Collected(EXIT_OK)
    some = "" if len(wanted) == total else f"{len(wanted):,} of "
    say(f"{task.model}, {task.name}: asking for {some}{total:,} answers")
    return ask(task, wanted, send, finish)


def asked_now(task: Task) -> Asking:
    """The questions of each data set, with their places among all. Raises UserError."""
    selected = select(task.options, load_dialect(task.options.dialect))
    found: Asking = {dataset: [] for dataset in task.datasets}
    wanted = numbered(task.offset, task.count)
    for place, (question, row) in enumerate(questions(selected.rows)):
        if wanted(row):
            found[row.dataset].append((place, question))
    if empty := [dataset for dataset, own in found.items() if not own]:
        raise UserError(f"the data set {empty[0]} gives no row; choose fewer rows to pass over, or leave it out")
    return found


def missing_of(asked: Asking, dataset: str, repeats: int, there: set[tuple[str, int]]) -> Iterator[Place]:
    """What of a data set is to be asked."""
    places = [place for place, _ in asked[dataset]]
    for one in missing([question for _, question in asked[dataset]], repeats, there):
        yield Place(places[one.place], one.key, one.repeat)


def ask(task: Task, wanted: Sequence[Place], send: Send, finish: Finish) -> Collected:
    """Make a run of what is missing and take its answers in."""
    folder = next_run(task)
    note = asked_file(folder)
    files.write(note, msgspec.json.encode(list(wanted)))
    chosen = picker([Asked(*one) for one in wanted])
    try:
        outcome = send(dataclasses.replace(task.options, out=folder), chosen)
    except UserError:
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
            note.unlink()
        raise
    take_in(task, finish)
    return Collected(outcome.exit_code)


def take_in(task: Task, finish: Finish) -> None:
    """Add the answers of runs that were not merged yet, killed ones too, to the predictions."""
    for note in sorted((task.folder / "runs" / task.model).glob(f"*{ASKED}")):
        if note.name.removesuffix(ASKED).rpartition("-")[0] == task.name:
            take_in_run(note, partial(by_name, task.folder, task.model, task.datasets), finish)


def take_in_left(folder: Path, files: Mapping[str, Mapping[str, str]], finish: Finish) -> None:
    """The same for all runs that were left in the folder of an evaluation, whatever data sets they asked together.

    `files` has for each model the names of files by those of data sets in their rows. For when nobody else collects.
    """
    for model, names in files.items():
        for note in sorted((folder / "runs" / model).glob(f"*{ASKED}")):
            take_in_run(note, partial(by_name, folder, model, names), finish)


def models_left(folder: Path) -> set[str]:
    """The models that have such runs."""
    return {note.parent.name for note in (folder / "runs").glob(f"*/*{ASKED}")}


def by_name(folder: Path, model: str, files: Mapping[str, str], dataset: str) -> Path:
    """The predictions of a data set by the name that its rows have."""
    return predictions_of(folder, model, files[dataset])


def take_in_run(note: Path, path_of: Callable[[str], Path], finish: Finish) -> None:
    """Add the answers of one run; of one that had not begun there are none."""
    run = note.with_name(note.name.removesuffix(ASKED))
    if (run / "run.json").exists():
        finish(run)
        outputs = run / "outputs.jsonl"
        predictions.merge([outputs], {outputs: places_in(note)}, path_of)
    note.rename(note.with_name(f"{run.name}{MERGED}"))


def next_run(task: Task) -> Path:
    """Folder of the task's next run."""
    runs = task.folder / "runs" / task.model
    numbers = (number for number in itertools.count(1) if not any(runs.glob(f"{task.name}-{number}*")))
    return runs / f"{task.name}-{next(numbers)}"


def runs_of(folder: Path, model: str) -> list[Path]:
    """The runs of a model whose answers are in the predictions."""
    merged = sorted((folder / "runs" / model).glob(f"*{MERGED}"))
    return [note.with_name(note.name.removesuffix(MERGED)) for note in merged]


def places_of(run: Path) -> list[Place] | None:
    """What each row of a run asked, where it was a run of an evaluation."""
    note = run.with_name(f"{run.name}{MERGED}")
    return places_in(note) if note.exists() else None


def places_in(note: Path) -> list[Place]:
    """What a note says that the rows of its run ask. Raises UserError for a broken one."""
    try:
        return [Place(*one) for one in msgspec.json.decode(note.read_bytes(), type=list[tuple[int, str, int]])]
    except (OSError, msgspec.DecodeError) as error:
        raise UserError(f"{note} cannot be read ({error}); restore it, or take it and its run out of the way") from None


def asked_file(folder: Path) -> Path:
    """Where it stands what each row of a run asks."""
    return folder.with_name(f"{folder.name}{ASKED}")


def predictions_of(folder: Path, model: str, dataset: str) -> Path:
    """The predictions of a pair."""
    return folder / "predictions" / model / f"{dataset}.jsonl"


def state_of(folder: Path, model: str, dataset: str) -> State | None:
    """What the answers of a pair belong to; None where none were asked for. Raises UserError for a broken file."""
    path = folder / "configs" / model / f"{dataset}.json"
    try:
        return msgspec.json.decode(path.read_bytes(), type=State)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        raise UserError(f"{path} cannot be read ({error}); evaluate into a new folder") from None


def check(task: Task, asked: Asking) -> None:
    """Raise UserError where answers that are there were asked for otherwise, and say what differs."""
    now = settings_of(task.options)
    for dataset, file in task.datasets.items():
        state = state_of(task.folder, task.model, file)
        if state is None:
            continue
        before = dict(state.settings)
        if before.get("model") is None:
            before["model"] = now["model"]
        if differences := [key for key in DECIDING if now[key] != before.get(key)]:
            key = differences[0]
            was, own = (msgspec.json.encode(value).decode() for value in (before.get(key), now[key]))
            raise UserError(
                f"the answers in {task.folder} to {file} were asked for with {key} {was}, and now it is {own}: give "
                "the same, or evaluate into a new folder"
            )
        if other := changed([question for _, question in asked[dataset]], state.questions):
            raise UserError(
                f"the question {other!r} of {file} is sent in other words now than the answers in {task.folder} were "
                "asked for: restore the data set, or evaluate into a new folder"
            )


def settings_of(options: StressOptions) -> dict[str, Any]:
    """What decides the answers and how they are scored, as plain values without secrets."""
    plain = redacted(options)
    return {key: plain[key] for key in (*DECIDING, *SCORING)}


def keep_state(task: Task, asked: Asking) -> None:
    """Note what the answers belong to, before they are asked for."""
    for dataset, file in task.datasets.items():
        path = task.folder / "configs" / task.model / f"{file}.json"
        questions = {question.key: question.digest for _, question in asked[dataset]}
        subsets = {question.key: question.subset for _, question in asked[dataset] if question.subset}
        state = State(settings_of(task.options), questions, task.repeats[dataset], subsets)
        files.write(path, msgspec.json.format(msgspec.json.encode(state), indent=1) + b"\n")
