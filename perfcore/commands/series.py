"""Several runs under one parent: a sweep over loads, pairs of models and data sets, or both."""

import contextlib
import dataclasses
import itertools
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import click

from perfcore.commands.counting import finish
from perfcore.commands.points import Point, described, pair, rows_there, rows_wanted, start
from perfcore.errors import UserError
from perfcore.options import StressOptions
from perfcore.records import series
from perfcore.records.series import FINISHED, Ran
from perfcore.redaction import redacted_command
from perfcore.report import series as report
from perfcore.run.local import local_settings, with_local_server
from perfcore.run.master import Outcome
from perfcore.run.rows import peeked, select
from perfcore.workload.dialect import load_dialect
from perfcore.workload.source import Made

EXIT_MENDABLE, EXIT_INTERRUPTED = 2, 130
# What a run has no more once its server has been started for several runs.
NO_LOCAL: dict[str, Any] = {"local": None, "local_path": None, "local_python": None, "local_options": {}}
Say = Callable[[str], None]
Measure = Callable[[StressOptions], Outcome]
Pair = tuple[str | None, str | None]


class Around(NamedTuple):
    """What the runs of a series share."""

    points: Sequence[Point]
    parent: Path
    available: dict[Pair, int | None]  # rows of the data set, as far as counted
    measure: Measure  # makes one run in the folder that the options name,
    say: Say  # tells the user something
    show: Say  # prints a line of the summary


def run(points: Sequence[Point], measure: Measure, say: Say) -> int:
    """Make the runs one after the other, print their summary as it grows, and return the worst exit code.

    Raises UserError before the first run for all that can be known by then.
    """
    options = points[0].options
    available = checked(points)
    parent = opened(points)
    with series.held(parent):
        asked = series.read_series(parent)
        around = Around(points, parent, available, measure, say, shower(options))
        for line in (*beginning(points, parent), *([] if options.json else [""])):
            say(line)
        for line in report.head(asked):
            around.show(line)
        code = run_all(around)
        summary = report.write(parent, report.kept_metrics, plots=True)
        # On a terminal the rows stand between lines of progress: once more, then, in one piece.
        for line in ("", *report.text(summary, parent)) if sys.stdout.isatty() else report.tail(summary, parent):
            around.show(line)
    if options.json:
        click.echo(json.dumps(summary, indent=2, ensure_ascii=False))
    return code


def shower(options: StressOptions) -> Say:
    """Prints the summary's lines: with --json to standard error, with --quiet nowhere."""
    return (lambda _: None) if options.quiet else (lambda line: click.echo(line, err=options.json))


def beginning(points: Sequence[Point], parent: Path) -> Iterator[str]:
    """What a user should know before the first run."""
    yield f"{len(points)} runs, to be found in {parent}"
    if not all(point.options.url or point.options.local or point.options.unix_socket for point in points):
        yield "No --url given: each run has a simulator of its own"


def checked(points: Sequence[Point]) -> dict[Pair, int | None]:
    """How many rows each pair has; raises UserError for what no run of it could do with."""
    found = {}
    for key, group in itertools.groupby(points, pair):
        own = list(group)
        load_dialect(own[0].options.dialect)
        local_settings(own[0].options)
        found[key] = counted(own)
    return found


def counted(points: Sequence[Point]) -> int | None:
    """Rows of the data set from its offset on, up to what all points need; None if they need all, or what time allows.

    Reads as far as it counts, so that a row that is wrong is found before the first run.
    """
    first = points[0].options
    if not first.dataset or first.tokenizer == "server":  # of the latter nothing can be made before it is there
        return None
    known = [number for number in (rows_wanted(point.options) for point in points) if number is not None]
    total = sum(known) + spent(points) if len(known) == len(points) else 1
    limits: dict[str, Any] = {"requests": total, "num_prompts": total if first.num_prompts is not None else None}
    options = dataclasses.replace(first, duration_s=None, warmups=0, **limits)
    _, rows = peeked(select(options, load_dialect(first.dialect)).rows)
    count = len(rows) if isinstance(rows, Made) else sum(1 for _ in itertools.islice(rows, total))
    return count if len(known) == len(points) else None


def spent(points: Sequence[Point]) -> int:
    """Rows that runs of these points have sent already, where a series goes on; of a killed one all that it had."""
    options = points[0].options
    if not options.resume or options.out is None:
        return 0
    runs = [run for point in points for run in series.runs_of(options.out, point.name)]
    return sum(run.rows if run.exit_code is None else run.used for run in runs)


def opened(points: Sequence[Point]) -> Path:
    """The parent folder, new, or as --resume finds it."""
    options = points[0].options
    out = options.out
    if options.resume and out is None:
        raise UserError("--resume goes on in a folder; name it with --out DIR")
    if out is not None and series.is_series(out):
        if not options.resume:
            raise UserError(f"--out {out} has runs already; go on with them by --resume, or choose another folder")
        series.reopen(out, described(points))
        return out
    kind = "sweep" if pair(points[0]) == (None, None) else "pairs"
    return series.begin(out, kind, redacted_command(sys.argv[1:]), described(points))


def run_all(around: Around) -> int:
    """Make all runs that are not finished; returns the worst exit code. An interrupt ends it."""
    codes = [FINISHED]
    try:
        for _, group in itertools.groupby(around.points, server_of):
            for code in run_group(list(group), around, len(codes) > 1):
                codes.append(code)
                if code == EXIT_INTERRUPTED:
                    return code
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    return max(codes)


def server_of(point: Point) -> tuple[Any, ...]:
    """What decides which local server a point has: runs that follow each other share one."""
    options = point.options
    return (*(getattr(options, name) for name in NO_LOCAL), options.model, options.local_timeout_s)


def run_group(points: Sequence[Point], around: Around, pause: bool) -> Iterator[int]:
    """Make the runs of points that share a server; gives their exit codes. With `pause` another run went before."""
    left = [point for point in points if not kept(point, around)]
    with contextlib.ExitStack() as stack:
        try:
            served = service(left[0].options, stack, around.say) if left else {}
        except UserError as error:
            for point in left:
                failed(point, around, error)
                yield EXIT_MENDABLE
            return
        for point in left:
            if pause:
                time.sleep(point.options.cooldown_s)
            pause = True
            yield run_point(point, around, served)


def service(options: StressOptions, stack: contextlib.ExitStack, say: Say) -> dict[str, Any]:
    """Options that lead to the local server, which is started and ends with `stack`; none where there is none."""
    if options.local is None:
        return {}
    options = with_local_server(options, stack, say)
    return NO_LOCAL | {"url": options.url, "model": options.model}


def kept(point: Point, around: Around) -> bool:
    """Whether a point needs no run: it has one that is finished, though perhaps not evaluated yet."""
    folder = around.parent / point.name
    done = series.ran(folder)
    if done is None or done.exit_code != FINISHED:
        return False
    if report.kept_metrics(folder) is None:
        finish(folder)
    show_row(point, around)
    return True


def run_point(point: Point, around: Around, served: dict[str, Any]) -> int:
    """Make one run and evaluate it; returns its exit code."""
    folder = around.parent / point.name
    put_aside(folder)
    series.forget_failure(folder)
    options = dataclasses.replace(placed(point, around), out=folder, **served)
    around.say(f"{point.name}, {list(around.points).index(point) + 1} of {len(around.points)}")
    try:
        outcome = around.measure(options)
        finish(folder)
    except UserError as error:
        failed(point, around, error)
        return EXIT_MENDABLE
    report.write(around.parent, report.kept_metrics)
    show_row(point, around)
    return outcome.exit_code


def put_aside(folder: Path) -> None:
    """Evaluate what an unfinished run has measured, and make place for a new one."""
    with contextlib.suppress(UserError):  # it came to nothing
        finish(folder, page=False)
    series.set_aside(folder)


def failed(point: Point, around: Around, error: UserError) -> None:
    """Keep and tell why a run could not be made."""
    folder = around.parent / point.name
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
    series.note_failure(folder, str(error))
    around.say(f"{point.name}: {error}")
    report.write(around.parent, report.kept_metrics)
    show_row(point, around)


def show_row(point: Point, around: Around) -> None:
    """Print the row of a point."""
    asked = series.read_series(around.parent)
    around.show(report.row(asked, around.parent, point.name))


def placed(point: Point, around: Around) -> StressOptions:
    """Options of a point with its place in the data set, behind all that other runs of its pair have sent."""
    options = point.options
    if options.book is not None and len(around.points) > 1:
        book = options.book
        options = dataclasses.replace(options, book=book.with_name(f"{book.stem}-{point.name}{book.suffix}"))
    if not options.dataset:
        return options
    earlier = before(point, around)
    known = [rows for rows in (around.available[pair(point)], rows_there(options.offset, earlier)) if rows is not None]
    offset, again = start(options.offset, rows_wanted(options), earlier, min(known, default=None))
    if again:
        around.say(f"{point.name}: too few rows are left that no run has sent; it starts again at row {offset}")
    return dataclasses.replace(options, offset=offset)


def before(point: Point, around: Around) -> list[Ran]:
    """All runs of the point's pair so far, in their order."""
    own = [other.name for other in around.points if pair(other) == pair(point)]
    return sorted((run for name in own for run in series.runs_of(around.parent, name)), key=lambda run: run.started)
