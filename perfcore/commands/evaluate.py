"""Answers scored: those of runs, of other tools, or collected for it."""

import dataclasses
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from evaluators.statistics.repeats import sizes
from perfcore.commands import summaries, together
from perfcore.commands.counting import finish
from perfcore.commands.dry import dry
from perfcore.commands.load import measure, notice
from perfcore.commands.lots import Lot, of_collected, of_files, of_runs
from perfcore.commands.points import Wanted, wanted
from perfcore.commands.scoring import Ready, job_of, mendable, panel_of_lot, ready, result_of_lot, way_of, with_own_args
from perfcore.commands.tasks import run_all, tasks_of, with_server, without_page
from perfcore.errors import UserError
from perfcore.options import StressOptions, flag_of
from perfcore.records import evaluation
from perfcore.records.evaluation import Pair
from perfcore.records.series import is_series
from perfcore.redaction import redacted, redacted_command
from perfcore.report import series
from perfcore.run.collecting import Task, models_left, take_in_left
from perfcore.run.download import download
from perfcore.run.master import EXIT_INTERRUPTED, Outcome, stress
from perfcore.workload.registry import data_dirs, files_of, resolved

CHOOSING = ("num_prompts", "limit", "offset", "shuffle", "repeats")  # what is asked
# What a command that scores again takes from the one that asked, where it is not given anew.
REMEMBERED = ("data_dir", "config_dir", "dataset_args", "think_tags", "seed", "evaluation")
Say = Callable[[str], None]


def evaluate(runs: tuple[Path, ...], given: dict[str, Any]) -> int:
    """Score the answers of runs or of files, or collect answers first; returns the exit code."""
    config, dry_run = given.pop("config"), given.pop("dry_run")
    models, datasets = given.pop("models"), given.pop("datasets")
    plan = wanted(given, config, os.environ, models, datasets, "eval")
    options = plan.resolved[0].options
    refuse_contradictions(runs, plan, options)
    for note in dict.fromkeys(note for one in plan.resolved for note in one.notes):
        notice(options)(note)
    if dry_run:
        click.echo(dry(plan))
        return 0
    if len(runs) > 1 and any(map(evaluation.is_evaluation, runs)):
        together.refuse_mixed(runs)
        together.refuse_flags(plan.resolved[0].origins)
        return together.put_together(runs, options, command_line())
    if runs and not is_collected(runs):
        chosen = all_ready(of_runs(runs, finish, options.config_dir), options)
        code = scored(evaluation.create(options.out or own_folder(runs), again=True), chosen, options)
        if options.out is None:
            show_in_pages(runs)
        return code
    if options.predictions:
        have_files(options.dataset, options)
        chosen = all_ready(of_files(options), options)
        return scored(evaluation.create(options.out, again=options.rescore), chosen, options)
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
    """Make the page of a run, or of a sweep, that was scored in its own folder: it shows the scores, too."""
    if len(runs) != 1:
        return
    if is_series(runs[0]):
        series.write(runs[0], series.kept_metrics, plots=True)
    elif (runs[0] / "run.json").is_file():
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
    for name in CHOOSING:
        if getattr(options, name) != getattr(StressOptions(), name) and chooses_nothing(name, runs, options):
            raise UserError(f"{flag_of(name)} chooses what is asked, and nothing is asked here; leave it out")
    if options.format and not options.predictions:
        raise UserError("--format says what wrote --predictions, and there are none; leave it out")
    if options.reuse and (options.out or (options.rescore and options.resume)):
        raise UserError("--reuse names the folder, so leave out --out; give --resume or --rescore, not both")


def chooses_nothing(name: str, runs: Sequence[Path], options: StressOptions) -> bool:
    """Whether answers are there already, and all of them are scored whatever an option of CHOOSING says."""
    if options.predictions:
        return name in ("offset", "shuffle")  # files may answer the first rows, and each row several times
    return bool(runs) and not is_collected(runs)


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
        refuse_hopeless(task)
    for task in tasks:
        have_files(task.options.dataset, task.options)
    with ExitStack() as stack:
        tasks = [with_server(task, stack, notice(options)) for task in tasks]
        folder = folder_of(options) if again else evaluation.create(options.out, again=False)
        stack.enter_context(evaluation.held(folder))
        pairs = [pair for task in tasks for pair in pairs_of(task)]
        evaluation.describe(folder, command_line(), redacted(options), pairs)
        take_in_all(folder, evaluation.read(folder).pairs, options.config_dir)
        say = logged(folder, notice(options))
        code = run_all([dataclasses.replace(task, folder=folder) for task in tasks], options.parallel_tasks, say)
    if code == EXIT_INTERRUPTED:
        notice(options)(f"stopped; go on with: perfcore eval ... --resume --out {folder}")
        return code
    asked = {(task.model, file): task.options for task in tasks for file in task.datasets.values()}
    lots = [lot for lot in of_collected(folder, pairs) if lot.lines]
    chosen = [ready(lot, asked[lot.model, lot.file].dataset, asked[lot.model, lot.file]) for lot in lots]
    return max(code, scored(folder, chosen, options) if lots else code)


def refuse_hopeless(task: Task) -> None:
    """Raise UserError for what would be found wrong only at a later data set, or when all has been answered."""
    options = task.options
    for name in options.dataset:
        own = with_own_args(name, options.dataset, options)
        way = way_of(name, own)
        job_of(way, own, name, details=False)
        panel_of_lot(way, own, name)
        with mendable():
            sizes(options.k or None, task.repeats[way.found.name])


def have_files(datasets: Sequence[str], options: StressOptions) -> None:
    """Fetch what data sets lack, with --download. Raises UserError for files that are still missing."""
    if options.download:
        download(datasets, options.data_dir, options.config_dir, notice(options))
    for name in datasets:
        files_of(resolved(name, options.config_dir), data_dirs(options.data_dir))


def pairs_of(task: Task) -> list[Pair]:
    """What eval.json says of a task."""
    names = dict(zip(task.datasets, task.options.dataset, strict=True))
    return [Pair(task.model, task.datasets[own], name, task.repeats[own]) for own, name in names.items()]


def scored_again(folder: Path, options: StressOptions) -> int:
    """Score what an evaluation has once more, the answers of a run that was killed too."""
    described = evaluation.read(folder)
    if not described.pairs:
        raise UserError(f"{folder} has collected no answers; score the runs, or the files, that it was made of")
    refuse_other_choices(folder, described.options, options)
    with evaluation.held(folder):
        take_in_all(folder, described.pairs, with_settings(options, described.options).config_dir)
    settings = described.options | {"dataset": [pair.dataset for pair in described.pairs]}
    lots = [
        dataclasses.replace(lot, settings=settings | dict(lot.settings))
        for lot in of_collected(folder, described.pairs)
    ]
    for lot in lots:
        if not lot.lines:
            notice(options)(f"{lot.model}, {lot.file}: there are no answers yet; --resume asks for them")
    answered = [lot for lot in lots if lot.lines]
    if not answered:
        raise UserError(f"{folder} has no answers yet; ask for them with the command that made it, and --resume")
    return scored(folder, all_ready(answered, options), options)


def refuse_other_choices(folder: Path, then: Mapping[str, Any], options: StressOptions) -> None:
    """Raise UserError for what would choose among the questions, where none is asked."""
    for name in CHOOSING:
        now = redacted(options)[name]
        if now not in (getattr(StressOptions(), name), then.get(name)):
            raise UserError(
                f"{flag_of(name)} chooses what is asked, and all answers of {folder} are scored; leave it out, or ask "
                "with --resume"
            )


def take_in_all(folder: Path, pairs: Sequence[Pair], config_dir: Path | None) -> None:
    """Put the answers of runs that were killed to the others."""
    models, files = models_left(folder), dict[str, dict[str, str]]()
    for pair in (one for one in pairs if one.model in models):
        files.setdefault(pair.model, {})[resolved(pair.dataset, config_dir).name] = pair.file
    take_in_left(folder, files, without_page)


def all_ready(lots: Sequence[Lot], options: StressOptions) -> list[Ready]:
    """Lots that can be scored, each with its options. Raises UserError for the first one that cannot."""
    found = []
    for lot in lots:
        names = [*(other.dataset for other in lots), *lot.settings.get("dataset", ())]
        found.append(ready(lot, names, with_settings(options, lot.settings)))
    return found


def scored(folder: Path, chosen: Sequence[Ready], options: StressOptions) -> int:
    """Score lots, write their results and the summary, and print it; returns the exit code."""
    say = logged(folder, notice(options))
    with evaluation.held(folder):
        if not evaluation.is_evaluation(folder):
            evaluation.describe(folder, command_line(), redacted(options), [])
        for one in chosen:
            try:
                result_of_lot(one, folder, ask_judge, say)
            except KeyboardInterrupt:
                say("stopped while answers were judged; the same command goes on with those that are left")
                return EXIT_INTERRUPTED
            say(f"scored {one.lot.model}, {one.lot.file}: {len(one.lot.lines):,} answers by {by_what(one)}")
    results = summaries.finish(folder)
    if options.json or not options.quiet:
        summaries.show(results, folder, options.json)
    return 0


def by_what(chosen: Ready) -> str:
    """The evaluator, and what is worth knowing of the choice."""
    way, options = chosen.way, chosen.options
    why = f", as {way.why} (--evaluation evaluator=NAME takes another)" if way.why else ""
    unasked = (options.judge or options.judge_url) and chosen.panel is None and options.judge_strategy != "rule"
    alone = "; the judge is not asked: --judge-strategy llm, or llm_recall, has it asked" if unasked else ""
    return f"{way.evaluation.evaluator}{why}{alone}"


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


def logged(folder: Path, say: Say) -> Say:
    """The same, with each line kept in the log of the evaluation."""

    def both(line: str) -> None:
        evaluation.log(folder, line)
        say(line)

    return both


def command_line() -> list[str]:
    """What was typed, without secrets."""
    return ["perfcore", *redacted_command(sys.argv[1:])]
