"""Answers scored: the evaluator that a data set has, its columns, the result, and the summary of all results."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from evaluators import run as scorer
from evaluators.errors import EvaluationError
from evaluators.judging import panel as judges
from evaluators.judging.panel import report, rescored, rule_of
from evaluators.registry import evaluator
from evaluators.run import REFERENCE, Job
from evaluators.scored import Scored
from evaluators.settings import Evaluation, evaluation_of
from evaluators.statistics.figures import result_of
from evaluators.statistics.load import by_concurrency
from evaluators.statistics.notes import remarks
from evaluators.statistics.result import Result, encode
from perfcore.commands.lots import Lot
from perfcore.errors import UserError
from perfcore.options import StressOptions
from perfcore.records.files import write
from perfcore.records.inflight import in_flight
from perfcore.run.asking import keyed
from perfcore.run.collecting import places_of
from perfcore.run.judges import Panel, panel_of
from perfcore.run.judging import Ask, Place, Say, judge
from perfcore.versions import scoring_versions
from perfcore.workload.natural import natural
from perfcore.workload.registry import DataSet, data_dirs, open_dataset, resolved
from perfcore.workload.selection import args_of
from perfcore.workload.source import Wanted
from perfcore.workload.template import merged

# What flags say of a judge: judge_url is its url.
JUDGE_KEYS = (
    *("url", "model", "dialect", "api_key_env", "api_key_file"),
    *("concurrency", "timeout_s", "retries", "max_tokens", "temperature", "body"),
)

Rows: TypeAlias = list[dict[str, Any] | None] | None  # further columns of each line
SCORE_AGAIN = "make room or give access, and score again with the same command, or with --rescore"


@contextmanager
def mendable() -> Iterator[None]:
    """What the evaluators say of a mistake, as one of the user's."""
    try:
        yield
    except EvaluationError as error:
        raise UserError(str(error)) from None


@contextmanager
def progress(options: StressOptions, lot: Lot) -> Iterator[scorer.Show]:
    """A bar on a terminal while a lot is scored."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=options.quiet or not console.is_terminal) as bar:
        task = bar.add_task(f"scoring {lot.model}, {lot.file}", total=len(lot.lines))
        yield lambda done: bar.update(task, completed=done)


class Known(msgspec.Struct):
    """What of a line says which row of the data set it answers, and whether the row's reference is with it."""

    id: str = ""
    question: str = ""
    index: int | None = None
    repeat: int | None = None
    turn: int = 0
    reference: msgspec.Raw = msgspec.Raw(b"null")


class Way(NamedTuple):
    """How a data set is scored, what stands for it in tables, and why it is this way, where nobody said so."""

    found: DataSet
    evaluation: Evaluation
    version: str
    why: str = ""


_known = msgspec.json.Decoder(Known).decode


def way_of(dataset: str, options: StressOptions) -> Way:
    """How a data set's answers are scored. Raises UserError where nothing says so."""
    found = resolved(dataset, options.config_dir)
    own, why = natural(found, options.dataset_args) if not found.preset.evaluation else (found.preset.evaluation, "")
    other = options.evaluation.get("evaluator", own.get("evaluator")) != own.get("evaluator")
    table = merged(without_settings(own) if other else own, options.evaluation)
    place = f"the evaluation of {dataset}"
    if not table.get("evaluator"):
        raise UserError(
            f"{dataset} has no evaluator, so its answers cannot be scored; name one, such as "
            "--evaluation evaluator=exact (docs/accuracy.md lists them), or give a data set that has one"
        )
    with mendable():
        return Way(found, evaluation_of(table, place), version_of(found, table, options), "" if other else why)


def with_own_args(dataset: str, names: Sequence[str], options: StressOptions) -> StressOptions:
    """The options with the settings of one data set alone, where --dataset-args has some for several by their names."""
    found = [resolved(name, options.config_dir) for name in dict.fromkeys((dataset, *names))]
    others = [one.name for one in found]
    several = len(set(others)) > 1 or isinstance(options.dataset_args.get(found[0].name), Mapping)
    return replace(options, dataset_args=args_of(found[0], options.dataset_args, several, others))


def without_settings(table: Mapping[str, Any]) -> dict[str, Any]:
    """How a data set is scored, without what only its own evaluator understands."""
    return {key: value for key, value in table.items() if key not in ("args", "metric")}


def version_of(found: DataSet, table: Mapping[str, Any], options: StressOptions) -> str:
    """Stands for prompt and extraction: results with different versions are not to be compared as they are."""
    deciding = [found.preset.reader, found.preset.args, options.dataset_args, table]
    return hashlib.sha256(msgspec.json.encode(deciding, order="deterministic")).hexdigest()[:6]


def job_of(way: Way, options: StressOptions, dataset: str, details: bool) -> Job:
    """How its lines are scored. Raises UserError for settings that are wrong."""
    given = {"allowed": options.allow_code_execution}
    place, off = f"the evaluation of {dataset}", options.think_tags == "off"
    job = Job(way.evaluation, place, tags_of(options), given, details, off)
    with mendable():
        settings = scorer.prepared(job).settings
    if not getattr(settings, "allowed", True):
        raise UserError(
            f"{dataset} is scored by running the programs that the model wrote; --allow-code-execution runs them, in a "
            "sandbox (docs/code-execution.md)"
        )
    return job


def tags_of(options: StressOptions) -> tuple[str, str] | None:
    """Tags of reasoning that the user named, or None for the usual ones."""
    if options.think_tags in ("auto", "off"):
        return None
    opening, _, closing = options.think_tags.partition(",")
    return opening, closing


def panel_of_lot(way: Way, options: StressOptions, dataset: str) -> Panel | None:
    """Who judges the answers to a data set; None where a rule alone does. Raises UserError where a judge is missing."""
    evaluation = way.evaluation
    if options.judge_strategy is not None:
        judge = {**evaluation.judge, "strategy": options.judge_strategy}
        evaluation = msgspec.structs.replace(evaluation, judge=judge)
    over = {key: getattr(options, f"judge_{key}") for key in JUDGE_KEYS}
    place = f"the evaluation of {dataset}"
    return panel_of(evaluation, place, options.judge, over, options.config_dir, tags_of(options))


class Ready(NamedTuple):
    """A lot, and all that scoring it takes."""

    lot: Lot
    options: StressOptions
    way: Way
    job: Job
    panel: Panel | None


def ready(lot: Lot, names: Sequence[str], options: StressOptions) -> Ready:
    """A lot that can be scored; `names` are the data sets that its options speak of. Raises UserError."""
    own = with_own_args(lot.dataset, names, options)
    way = way_of(lot.dataset, own)
    job = job_of(way, own, lot.dataset, own.dump_details)
    return Ready(lot, own, way, job, panel_of_lot(way, own, lot.dataset))


def result_of_lot(chosen: Ready, folder: Path, ask: Ask, say: Say) -> Result:
    """Score a lot and write its result, and with --dump-details what was found of each answer.

    `ask` makes a run of questions to a judge. Raises UserError, and KeyboardInterrupt where such a run was interrupted.
    """
    lot, options, way, job, panel = chosen
    columns = columns_of(lot, way, options)
    with mendable(), progress(options, lot) as show:
        found = scorer.score(lot.lines, job, options.processes, columns, show)
    by_load = by_concurrency(found, loads_of(lot))
    told = None
    if panel is not None:
        samples = scorer.samples(lot.lines, columns)
        rules = [rule_of(one, way.evaluation.evaluator) for one in found]
        judged = judge(samples, rules, panel, Place(folder, lot.model, lot.file), ask, say)
        found = rescored(found, judged)
        told = report(judged, panel.judging, {one.name: one.model for one in panel.judges})
    with mendable():
        everything = [*distinct(found, lot), *unanswered(lot, way)]
        result = figures_of(everything, lot, way, job, options, columns)
    notes = [*lot.notes, *(judges.remarks(told) if told is not None else ()), *result.notes]
    notes += remarks(result, everything, asked_tokens(lot), lot.settings.get("body"), lot.asked is not None)
    result = msgspec.structs.replace(
        result, by_concurrency=by_load, judges=told, notes=notes, libraries=scoring_versions()
    )
    place = folder / "results" / lot.model / f"{lot.file}.json"
    if options.dump_details:
        found_of_each = b"".join(msgspec.json.encode(one) + b"\n" for one in everything)
        write(place.with_name(f"{lot.file}.jsonl"), found_of_each, SCORE_AGAIN)
    write(place, encode(result), SCORE_AGAIN)
    return result


def asked_tokens(lot: Lot) -> int | None:
    """The longest answer that was asked for, where somebody asked for one."""
    given = lot.settings.get("max_tokens")
    return given if isinstance(given, int) else None


def distinct(found: Sequence[Scored], lot: Lot) -> Sequence[Scored]:
    """The same, with the number of the row behind ids that several rows of a run have in common."""
    names = {(one.subset, one.id, one.repeat, one.turn) for one in found}
    if len(names) == len(found):
        return found
    indices = [_known(line).index for line in lot.lines]
    return [msgspec.structs.replace(one, id=f"{one.id}#{index}") for one, index in zip(found, indices, strict=False)]


def loads_of(lot: Lot) -> list[int | None]:
    """For each line of a lot, the requests in flight when it was asked for; None where no run says so."""
    known: dict[tuple[Any, ...], int] = {}
    for run in lot.runs:
        places = places_of(run)
        for (index, repeat, turn), number in in_flight(run).items():
            if places is None:
                known[index, repeat, turn] = number
            elif index < len(places):
                known[places[index].key, places[index].repeat, turn] = number
    heads = map(_known, lot.lines)
    return [known.get((one.question or one.index, one.repeat, one.turn)) for one in heads]


def figures_of(found: Sequence[Scored], lot: Lot, way: Way, job: Job, options: StressOptions, columns: Rows) -> Result:
    """All figures of the scored answers, whose lines have these further columns."""
    own = evaluator(way.evaluation.evaluator)
    return result_of(
        found,
        model=lot.model,
        dataset=lot.file,
        metric=way.evaluation.metric or own.metric,
        evaluator=way.evaluation.evaluator,
        version=way.version,
        mode="gen" if own.joint is None else "ppl",
        repeats=lot.repeats,
        ks=options.k or None,
        groups=way.evaluation.groups,
        totals=scorer.totals(lot.lines, found, job, columns),
        plain=own.plain,
        truncated="scored",
        vote=own.vote,
    )


def unanswered(lot: Lot, way: Way) -> Iterator[Scored]:
    """What was asked and has no line: those questions were failed, too."""
    if lot.asked is None or evaluator(way.evaluation.evaluator).joint is not None:
        return
    there = {(one.question, one.repeat) for one in map(_known, lot.lines)}
    for repeat in range(lot.repeats):
        for key, subset in lot.asked.items():
            if (key, repeat) not in there:
                yield Scored(id=key, subset=subset, repeat=repeat, error="no answer was collected")


def columns_of(lot: Lot, way: Way, options: StressOptions) -> Rows:
    """Further columns of the data set for each line: those that scoring needs, and references that were not saved.

    None where the lines have all. Raises UserError where the files of the data set are not there.
    """
    known = [_known(line) for line in lot.lines]
    if not way.evaluation.join and not (known and all(bytes(one.reference) == b"null" for one in known)):
        return None
    by_name = dict(rows_by_name(way, options))
    found = [by_name.get(one.question) or by_name.get(one.id) for one in known]
    strange = [one.id for one, row in zip(known, found, strict=True) if row is None]
    if strange and (len(strange) == len(found) or not (lot.runs or lot.asked)):
        raise UserError(
            f"{len(strange):,} of {len(found):,} answers are to no row of {lot.dataset}: the first has the id "
            f"{strange[0]!r}, and ids there are like {next(iter(by_name), '')!r}; correct them, or give the data set "
            "that was asked"
        )
    return found


def rows_by_name(way: Way, options: StressOptions) -> Iterator[tuple[str, dict[str, Any]]]:
    """Columns and reference of each row, by its key among all questions and by its id."""
    args = way.found.preset.args
    if args.get("meta") is not None:
        args = args | {"meta": [*args["meta"], *way.evaluation.join]}
    found = DataSet(way.found.name, msgspec.structs.replace(way.found.preset, args=args), way.found.path)
    rows = open_dataset(found, options.dataset_args, Wanted(seed=options.seed), data_dirs(options.data_dir))
    for key, row in keyed(rows):
        columns = {**row.meta, REFERENCE: row.reference}
        yield f"{found.name}/{key}", columns
        yield row.id, columns
