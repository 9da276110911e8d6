"""The tasks of an evaluation: which models are asked for which data sets, one after the other or side by side."""

import contextlib
import dataclasses
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import click

from evaluators.registry import evaluator
from perfcore.commands.counting import finish
from perfcore.commands.load import measure
from perfcore.commands.points import Point, label, stem
from perfcore.commands.scoring import mendable, way_of, with_own_args
from perfcore.commands.series import NO_LOCAL
from perfcore.config import overlaid
from perfcore.errors import UserError
from perfcore.options import StressOptions
from perfcore.run.collecting import Task, collect
from perfcore.run.local import with_local_server
from perfcore.run.master import EXIT_INTERRUPTED, EXIT_OK, Outcome, Pick, stress
from perfcore.run.target import first_model
from perfcore.workload.dialect import load_dialect
from perfcore.workload.registry import resolved

EXIT_MENDABLE = 2
LOOK_S = 0.2
Say = Callable[[str], None]


def tasks_of(points: Sequence[Point], folder: Path) -> list[Task]:
    """One task for each model and data set; with --merge-ds one for each model. Raises UserError."""
    found: dict[str, list[tuple[str, StressOptions]]] = {}
    for point in points:
        if not point.options.dataset:
            raise UserError("perfcore eval asks the questions of a data set; name one with --datasets, or give a RUN")
        model = stem(point.model) if point.model is not None else ""
        found.setdefault(model, []).extend((name, point.options) for name in point.options.dataset)
    return [task for model, pairs in found.items() for task in of_model(model, pairs, folder)]


def of_model(model: str, pairs: Sequence[tuple[str, StressOptions]], folder: Path) -> list[Task]:
    """The tasks of one model; its name is told by the service where nobody gave one."""
    names, options = [name for name, _ in pairs], pairs[0][1]
    refuse_same_names(names, options)
    if options.merge_ds:
        return [task_of(model, names, options, folder)]
    return [task_of(model, [name], with_own_args(name, names, one), folder) for name, one in pairs]


def refuse_same_names(names: Sequence[str], options: StressOptions) -> None:
    """Raise UserError where the files of two data sets would have one name, or their rows."""
    for called in (label, lambda name: resolved(name, options.config_dir).name):
        found: dict[str, str] = {}
        for name in names:
            own = called(name)
            if own in found and (called is label or options.merge_ds):
                raise UserError(
                    f"{found[own]} and {name} would both be called {own}; give each data set once, under a name of its "
                    "own: rename a file, or make a preset for it in DIR/datasets of --config-dir DIR"
                )
            found[own] = name


def task_of(model: str, names: Sequence[str], options: StressOptions, folder: Path) -> Task:
    """The task of several data sets, or of one."""
    ways = [way_of(name, with_own_args(name, names, options)) for name in names]
    repeats = {way.found.name: options.repeats or way.evaluation.repeats for way in ways}
    labels = {way.found.name: label(name) for way, name in zip(ways, names, strict=True)}
    once = all(number == 1 for number in repeats.values())
    greedy = load_dialect(options.dialect).greedy if once else {}
    with mendable():
        found = [evaluator(way.evaluation.evaluator) for way in ways]
    # Probabilities of prompts come in whole answers alone; of several data sets the first says nothing of the others.
    stream = options.stream and all(one.joint is None for one in found)
    kept = "always" if options.keep_events == "auto" and any(one.events for one in found) else options.keep_events
    own = dataclasses.replace(
        options, dataset=tuple(names), body=overlaid(greedy, options.body), stream=stream, keep_events=kept
    )
    if len(names) == 1 and not any(one.joint for one in found):
        return Task(model, labels, own, repeats, folder)
    # Rows are not questions here: of each data set so many are meant, and some make several requests of a question.
    uncut = dataclasses.replace(own, num_prompts=None, offset=0)
    return Task(model, labels, uncut, repeats, folder, options.offset, options.num_prompts)


def run_all(tasks: Sequence[Task], side_by_side: int, say: Say) -> int:
    """Collect what all tasks want; returns the worst exit code. A task that cannot be done does not stop the others."""
    if side_by_side > 1 and len(tasks) > 1:
        return at_once(tasks, side_by_side)
    codes = [EXIT_OK]
    for task in tasks:
        codes.append(run_task(task, say))
        if codes[-1] == EXIT_INTERRUPTED:
            break
    return max(codes)


def with_server(task: Task, stack: contextlib.ExitStack, say: Say) -> Task:
    """The task with the address of its local server, if it has one, and with the name of its model."""
    options = task.options
    if options.local is not None:
        served = with_local_server(options, stack, say)
        options = dataclasses.replace(options, **NO_LOCAL, url=served.url, model=served.model)
    if not options.url and options.unix_socket is None:
        raise UserError("perfcore eval asks a service; name it with --url, or start one with --local")
    model = task.model or stem(first_model(options) or "model")
    return dataclasses.replace(task, options=options, model=model)


def run_task(task: Task, say: Say) -> int:
    """One task, with its mistakes told instead of raised."""
    try:
        # The name stays with the answers, so that those of another model are never put beside them.
        named = dataclasses.replace(task.options, model=first_model(task.options))
        return collect(dataclasses.replace(task, options=named), send, without_page, say).exit_code
    except UserError as error:
        click.echo(f"perfcore: {task.model}, {task.name}: {error}", err=True)
        return EXIT_MENDABLE


def without_page(run: Path) -> dict[str, Any]:
    """The tables of a run; `perfcore report RUN` makes its page."""
    return finish(run, page=False)


def send(options: StressOptions, pick: Pick) -> Outcome:
    """One run of the engine, with its progress on standard error."""
    return measure(options, lambda asked, show, say, tell: stress(asked, show, say, tell, pick))


def at_once(tasks: Sequence[Task], most: int) -> int:
    """Tasks in processes of their own, so many at a time. An interrupt goes to all of them."""
    context = multiprocessing.get_context("spawn")
    left = [context.Process(target=alone, args=(task, os.getpid()), name=task.name) for task in tasks]
    running: list[BaseProcess] = []
    codes = [EXIT_OK]
    while left or running:
        try:
            while left and len(running) < most:
                running.append(left.pop(0))
                running[-1].start()
            time.sleep(LOOK_S)
        except KeyboardInterrupt:
            left = []
            codes.append(EXIT_INTERRUPTED)
            for process in running:
                os.kill(process.pid or 0, signal.SIGINT)
        for process in [one for one in running if not one.is_alive()]:
            running.remove(process)
            codes.append(process.exitcode if process.exitcode is not None and process.exitcode >= 0 else 1)
    return EXIT_INTERRUPTED if EXIT_INTERRUPTED in codes else max(codes)


def alone(task: Task, parent: int) -> None:
    """A task in a process of its own, which ends with the one that started it."""
    os.setpgid(0, 0)
    threading.Thread(target=follow, args=(parent,), daemon=True).start()
    quiet = dataclasses.replace(task, options=dataclasses.replace(task.options, quiet=True))
    sys.exit(run_task(quiet, lambda line: click.echo(line, err=True)))


def follow(parent: int) -> None:
    """Interrupt this process when the one that started it is gone."""
    while os.getppid() == parent:
        time.sleep(LOOK_S)
    os.kill(os.getpid(), signal.SIGINT)
