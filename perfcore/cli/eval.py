"""`perfcore eval`: score answers, those of runs, of other tools, or collected for it."""

import dataclasses
import json
import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click
import msgspec

from evaluators.statistics import summary
from evaluators.statistics.result import Result, decode
from perfcore.cli.counting import finish
from perfcore.cli.dry import dry
from perfcore.cli.load import Load, measure, notice, parameters
from perfcore.cli.lots import Lot, of_collected, of_files, of_runs
from perfcore.cli.points import Wanted, wanted
from perfcore.cli.scoring import job_of, mendable, panel_of_lot, result_of_lot, way_of
from perfcore.cli.tasks import run_all, tasks_of, with_server
from perfcore.errors import UserError
from perfcore.options import StressOptions, flag_of
from perfcore.records import evaluation
from perfcore.records.evaluation import Pair
from perfcore.redaction import redacted, redacted_command
from perfcore.report.files import write
from perfcore.report.text import encodable
from perfcore.run.collecting import Task
from perfcore.run.master import EXIT_INTERRUPTED, Outcome, stress

# What a command that scores again takes from the one that asked, where it is not given anew.
REMEMBERED = ("data_dir", "config_dir", "dataset_args", "think_tags", "seed", "evaluation")
Say = Callable[[str], None]


def run(runs: tuple[Path, ...], **given: Any) -> int:
    """Score the answers of a model.

    RUN is the folder of a run or of a sweep, whose saved answers are scored, or that of an earlier evaluation, which is
    scored again. With --url and --datasets the answers are collected first, at the given concurrency. With
    --predictions those of another tool are scored. docs/accuracy.md says how data sets are scored, and docs/eval.md
    what is written.
    """
    config, dry_run = given.pop("config"), given.pop("dry_run")
    models, datasets = given.pop("models"), given.pop("datasets")
    plan = wanted(given, config, os.environ, models, datasets, "eval")
    options = plan.resolved[0].options
    refuse_contradictions(runs, plan, options)
    for note in dict.fromkeys(note for resolved in plan.resolved for note in resolved.notes):
        notice(options)(note)
    if dry_run:
        click.echo(dry(plan))
        return 0
    if runs and not is_collected(runs):
        lots = of_runs(runs, finish, options.config_dir)
        code = scored(evaluation.create(options.out or own_folder(runs), again=True), lots, options)
        if options.out is None:
            show_in_pages(runs)
        return code
    if options.predictions:
        lots = of_files(options)
        return scored(evaluation.create(options.out, again=options.rescore), lots, options)
    if runs or options.rescore:
        folder = runs[0] if runs else folder_of(options)
        return scored_again(folder, options)
    return collected(plan, options)


def is_collected(runs: Sequence[Path]) -> bool:
    """Whether what is to be scored is the folder of an evaluation."""
    return len(runs) == 1 and evaluation.is_evaluation(runs[0])


def own_folder(runs: Sequence[Path]) -> Path | None:
    """Where runs are scored without --out: a single one in its own folder."""
    return runs[0] / evaluation.COMMAND if len(runs) == 1 else None


def show_in_pages(runs: Sequence[Path]) -> None:
    """Make the page of a run again that was scored in its own folder: it shows the scores, too."""
    if len(runs) == 1 and (runs[0] / "report.html").is_file() and (runs[0] / "run.json").is_file():
        finish(runs[0])


def refuse_contradictions(runs: Sequence[Path], plan: Wanted, options: StressOptions) -> None:
    """Raise UserError for what does not go together."""
    if any(resolved.lists for resolved in plan.resolved):
        name = next(iter(next(resolved.lists for resolved in plan.resolved if resolved.lists)))
        raise UserError(f"{flag_of(name)} has several values; `perfcore eval` asks at one load, so give one")
    if runs and (options.url or options.local):
        raise UserError(f"{runs[0]} was answered already, and --url would ask; leave one of them out")
    if runs and options.predictions:
        raise UserError(f"{runs[0]} and --predictions both give answers; leave one of them out")
    if options.format and not options.predictions:
        raise UserError("--format says what wrote --predictions, and there are none; leave it out")
    if options.reuse and (options.out or (options.rescore and options.resume)):
        raise UserError("--reuse names the folder, so leave out --out; give --resume or --rescore, not both")


def folder_of(options: StressOptions) -> Path:
    """The folder of an earlier evaluation. Raises UserError where there is none."""
    given = options.out if options.reuse is None else Path(options.reuse)
    if options.reuse == "latest":
        return evaluation.latest()
    if given is None:
        raise UserError(f"{'--rescore' if options.rescore else '--resume'} wants an evaluation; name it with --out DIR")
    if not evaluation.is_evaluation(given):
        raise UserError(f"{given} is not the folder of an evaluation: it has no {evaluation.EVAL}; give one that is")
    return given


def collected(plan: Wanted, options: StressOptions) -> int:
    """Ask for what is missing, and score it."""
    again = options.resume or options.reuse is not None
    tasks = tasks_of(plan.points, Path())
    for task in tasks:
        for name in task.options.dataset:
            way = way_of(name, task.options)
            job_of(way, task.options, name, details=False)
            panel_of_lot(way, task.options, name)
    with ExitStack() as stack:
        tasks = [with_server(task, stack, notice(options)) for task in tasks]
        folder = folder_of(options) if again else evaluation.create(options.out, again=False)
        stack.enter_context(evaluation.held(folder))
        pairs = [pair for task in tasks for pair in pairs_of(task)]
        evaluation.describe(folder, command_line(), redacted(options), pairs)
        say = logged(folder, notice(options))
        code = run_all([dataclasses.replace(task, folder=folder) for task in tasks], options.parallel_tasks, say)
    if code == EXIT_INTERRUPTED:
        notice(options)(f"stopped; go on with: perfcore eval ... --resume --out {folder}")
        return code
    lots = [lot for lot in of_collected(folder, pairs) if lot.lines]
    return max(code, scored(folder, lots, options) if lots else code)


def pairs_of(task: Task) -> list[Pair]:
    """What eval.json says of a task."""
    names = dict(zip(task.datasets, task.options.dataset, strict=True))
    return [Pair(task.model, task.datasets[own], name, task.repeats[own]) for own, name in names.items()]


def scored_again(folder: Path, options: StressOptions) -> int:
    """Score what an evaluation has once more."""
    described = evaluation.read(folder)
    lots = [
        dataclasses.replace(lot, settings=described.options | dict(lot.settings))
        for lot in of_collected(folder, described.pairs)
    ]
    if not lots:
        raise UserError(f"{folder} has collected no answers; score the runs, or the files, that it was made of")
    return scored(folder, lots, options)


def scored(folder: Path, lots: Sequence[Lot], options: StressOptions) -> int:
    """Score lots, write their results and the summary, and print it; returns the exit code."""
    say = logged(folder, notice(options))
    owns = [with_settings(options, lot.settings) for lot in lots]
    ways = [way_of(lot.dataset, own) for lot, own in zip(lots, owns, strict=True)]
    with evaluation.held(folder):
        if not evaluation.is_evaluation(folder):
            evaluation.describe(folder, command_line(), redacted(options), [])
        for lot, own, way in zip(lots, owns, ways, strict=True):
            try:
                result_of_lot(lot, way, own, folder, ask_judge, say)
            except KeyboardInterrupt:
                say("stopped while answers were judged; the same command goes on with those that are left")
                return EXIT_INTERRUPTED
            why = f", as {way.why} (--evaluation evaluator=NAME takes another)" if way.why else ""
            say(f"scored {lot.model}, {lot.file}: {len(lot.lines):,} answers by {way.evaluation.evaluator}{why}")
        results = results_in(folder)
        write_summary(folder, results)
    if options.json:
        click.echo(json.dumps(summary.as_json(results), indent=2, ensure_ascii=False))
    elif not options.quiet:
        click.echo(summary.text(results, width()))
        click.echo(f"\n{folder}")
    return 0


def ask_judge(options: StressOptions) -> Outcome:
    """One run of questions to a judge, with its progress on standard error."""
    return measure(options, stress)


def with_settings(options: StressOptions, settings: Mapping[str, Any]) -> StressOptions:
    """The options, with what decided the answers as it was then, where nothing else is given now."""
    default = StressOptions()
    kept: dict[str, Any] = {
        name: Path(settings[name]) if name.endswith("_dir") else settings[name]
        for name in REMEMBERED
        if settings.get(name) is not None and getattr(options, name) == getattr(default, name)
    }
    return dataclasses.replace(options, **kept)


def results_in(folder: Path) -> list[Result]:
    """All results of an evaluation, in the order of their names."""
    files = sorted((folder / "results").glob("*/*.json"))
    with mendable():
        return [decode(file.read_bytes(), str(file)) for file in files]


def write_summary(folder: Path, results: Sequence[Result]) -> None:
    """The summary as text, Markdown, CSV and JSON."""
    place = folder / "summary"
    place.mkdir(exist_ok=True)
    write(place / "summary.txt", encodable(summary.text(results) + "\n"))
    write(place / "summary.md", encodable(summary.markdown(results) + "\n"))
    write(place / "summary.csv", encodable(summary.csv_text(results)))
    write(place / "summary.json", msgspec.json.format(msgspec.json.encode(summary.as_json(results)), indent=2) + b"\n")


def width() -> int:
    """Columns of the terminal, or as many as a table likes where there is none."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else 0


def logged(folder: Path, say: Say) -> Say:
    """The same, with each line kept in the log of the evaluation."""

    def both(line: str) -> None:
        evaluation.log(folder, line)
        say(line)

    return both


def command_line() -> list[str]:
    """What was typed, without secrets."""
    return ["perfcore", *redacted_command(sys.argv[1:])]


command = Load(
    "eval",
    callback=run,
    help=run.__doc__,
    params=[
        click.Argument(["runs"], type=click.Path(path_type=Path), nargs=-1, metavar="[RUN]..."),
        *parameters("eval"),
    ],
)
