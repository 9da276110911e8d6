"""The search for the largest load at which a service meets its objectives, each point a steady measurement."""

import contextlib
import dataclasses
import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import click

from perfcore.analysis.decision import CLIENT, Decision, decide
from perfcore.analysis.search import NOTHING, Bounds, answer, next_load
from perfcore.analysis.slo import UNDECIDED
from perfcore.commands.counting import finish
from perfcore.commands.dry import as_table, rows_of
from perfcore.commands.load import measure, notice
from perfcore.commands.points import OF_THE_SERIES, padded, rows_there, start
from perfcore.commands.series import EXIT_INTERRUPTED, put_aside, service, shower
from perfcore.commands.steady import send
from perfcore.config import Resolved, resolve
from perfcore.errors import UserError
from perfcore.load import OPEN_LOOP
from perfcore.option import INT64
from perfcore.options import StressOptions
from perfcore.records import series
from perfcore.redaction import redacted, redacted_command
from perfcore.report import tune as report
from perfcore.report.series import kept_metrics
from perfcore.report.tune import Asked, Point
from perfcore.run.local import local_settings
from perfcore.slo import Objective, parse
from perfcore.workload.dialect import load_dialect

LOOKS = 3  # at a load: each measures twice as long as the one before
KEPT = (0, 1)  # exit codes of runs whose measurement counts: 1 is one in which nothing succeeded
PATIENCE = 4  # times its length that a window is looked for, where nobody says
LEAST_PATIENCE_S = 30.0
LIMITS = {"concurrency": (1, 4096), "rate": (1 / 64, 10_000.0)}
RESOLUTIONS = {"concurrency": 0.05, "rate": 0.02}
NAME = "tune"

Say = Callable[[str], None]


class Tuning(NamedTuple):
    """What all measurements of a search share."""

    parent: Path
    options: StressOptions
    asked: Asked
    objectives: tuple[Objective, ...]
    served: dict[str, Any]  # options that lead to the local server
    say: Say
    show: Say  # prints a line of the table


def found(config: Path | None, dry_run: bool, given: dict[str, Any]) -> int:
    """Find the largest load that meets objectives; returns the exit code."""
    resolved = asked_for(given, config)
    options = resolved.options
    for note in resolved.notes:
        notice(options)(note)
    if dry_run:
        click.echo(json.dumps(rows_of(resolved), indent=2) if options.json else as_table(resolved))
        return 0
    objectives = parse(options.slo)
    load_dialect(options.dialect)
    local_settings(options)
    parent = opened(options)
    with series.held(parent), contextlib.ExitStack() as stack:
        served = service(options, stack, notice(options))
        asked = Asked(options.variable or "concurrency", tuple(one.text for one in objectives), bounds_of(options))
        return tune(Tuning(parent, options, asked, objectives, served, notice(options), shower(options)))


def asked_for(given: Mapping[str, Any], config: Path | None) -> Resolved:
    """The options of the search; raises UserError for those that make none.

    A load that a file or the environment gives is that of other runs, and makes way.
    """
    by_rate = given.get("variable") == "rate"
    options = resolve({**given, **({"rate": given.get("rate") or 1.0} if by_rate else {})}, config, os.environ, NAME)
    variable = options.options.variable or "concurrency"
    if given.get(variable) is not None:
        raise UserError(f"--{variable} is what tune looks for; leave it out, or bound it by --low and --high")
    found = resolve({**given, variable: bounds_of(options.options).start}, config, os.environ, NAME)
    if variable == "concurrency" and found.options.arrivals is not None:
        name = next(name for name in OPEN_LOOP if getattr(found.options, name) is not None)
        place = f"{name} ({found.origins[name]})"
        raise UserError(f"{place} makes an open loop, and tune looks for a concurrency; give --variable rate")
    refuse(found)
    return found


def refuse(found: Resolved) -> None:
    """Raise UserError for options that a search can do nothing with."""
    if not found.options.slo:
        raise UserError("tune wants objectives; give --slo, such as --slo 'ttft_p99<=500ms,tpot_p99<=50ms'")
    if found.lists:
        raise UserError(f"{next(iter(found.lists))} has several values, and tune chooses its loads; give one, or none")
    if found.options.book is not None:
        raise UserError("--book keeps the requests of one run, and tune makes several; leave it out")


def bounds_of(options: StressOptions) -> Bounds:
    """Loads to search in; raises UserError where there is none."""
    variable = options.variable or "concurrency"
    whole = variable == "concurrency"
    low, high = (
        usual if own is None else own for own, usual in zip((options.low, options.high), LIMITS[variable], strict=True)
    )
    if whole and (low % 1 or high % 1):
        raise UserError("--low and --high of a concurrency are whole numbers; give whole ones, or --variable rate")
    if low > high:
        raise UserError(f"--low {low:g} is larger than --high {high:g}; give a range from a smaller to a larger load")
    first = low if options.low is not None else min(1, high)
    low, high, first = (int(load) if whole else float(load) for load in (low, high, first))
    return Bounds(low, high, first, whole, RESOLUTIONS[variable])


def opened(options: StressOptions) -> Path:
    """The folder of the search, new, or as --resume finds it. Raises UserError."""
    out = options.out
    told = {key: value for key, value in redacted(options).items() if key not in OF_THE_SERIES}
    points = [{"name": NAME, "options": told}]
    if options.resume and out is None:
        raise UserError("--resume goes on in a folder; name it with --out DIR")
    if out is None or not series.is_series(out):
        return series.begin(out, NAME, redacted_command(sys.argv[1:]), points)
    if not options.resume:
        raise UserError(f"--out {out} has runs already; go on with them by --resume, or choose another folder")
    series.reopen(out, points)
    return out


def tune(tuning: Tuning) -> int:
    """Measure loads until the search is over; returns the exit code."""
    tuning.say(f"Looking for the largest {tuning.asked.variable} that meets {', '.join(tuning.asked.objectives)}")
    tuning.say(f"To be found in {tuning.parent}")
    for line in report.head(tuning.asked.variable):
        tuning.show(line)
    points: list[Point] = []
    if not (tuning.parent / report.JSON).exists():
        keep(tuning, points, report.RUNNING, None)
    try:
        while (load := next_load(kinds(points), tuning.asked.bounds)) is not None:
            points.append(measured(load, tuning))
            tuning.show(report.row(tuning.asked.variable, report.entry(points[-1])))
            keep(tuning, points, report.RUNNING, None)
    except KeyboardInterrupt:
        return ended(tuning, points, report.INTERRUPTED, EXIT_INTERRUPTED)
    found = answer(kinds(points), tuning.asked.bounds)
    if found.state == NOTHING and any(point.decided.limit and point.decided.limit.kind == CLIENT for point in points):
        found = found._replace(state=UNDECIDED)  # who knows what the service would have met
    return ended(tuning, points, found.state, found.exit_code)


def kinds(points: list[Point]) -> dict[float, str]:
    """What each load came to."""
    return {point.load: point.decided.kind for point in points}


def keep(tuning: Tuning, points: list[Point], state: str, code: int | None, plots: bool = False) -> dict[str, Any]:
    """Write what has been found so far."""
    found = report.content(tuning.asked, points, answer(kinds(points), tuning.asked.bounds), state, code)
    report.write(tuning.parent, found, plots)
    return found


def ended(tuning: Tuning, points: list[Point], state: str, code: int) -> int:
    """Write and print the end of the search."""
    found = keep(tuning, points, state, code, plots=True)
    for line in ("", *(report.text(found) if sys.stdout.isatty() else report.conclusion(found))):
        tuning.show(line)
    tuning.show(f"Folder  {tuning.parent}")
    if tuning.options.json:
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
    return code


def measured(load: float, tuning: Tuning) -> Point:
    """Measure a load until it is decided, or often enough. Raises KeyboardInterrupt where the user wants no more."""
    folders: list[str] = []
    metrics: list[dict[str, Any]] = []
    decided: Decision | None = None
    for look in range(LOOKS):
        name = f"{tuning.asked.variable}-{padded(load)}" + (f"-x{2**look}" if look else "")
        metrics.append(run_of(name, load, 2**look, tuning))
        folders.append(name)
        refuse_unknown(metrics[-1])
        decided = decide(metrics, tuning.objectives, last=look == LOOKS - 1)
        if decided.kind != UNDECIDED:
            break
        if look < LOOKS - 1:
            why = decided.limit.what if decided.limit else UNDECIDED
            tuning.say(f"{name} is not decided and is measured {2 ** (look + 1)} times as long: {why}")
    assert decided is not None
    return Point(load, tuple(folders), tuple(metrics), decided)


def refuse_unknown(metrics: Mapping[str, Any]) -> None:
    """Raise UserError where answers came and an objective cannot be judged by them: no load would change that."""
    for key, reason in metrics["absent"].items():
        if key.startswith("goodput.objectives.") and key.endswith(".value") and "cannot be judged" in reason:
            raise UserError(f"{reason}; choose other objectives by --slo")


def run_of(name: str, load: float, times: int, tuning: Tuning) -> dict[str, Any]:
    """Metrics of one run: the one that lies there, if it is finished, or one that is made now."""
    folder = tuning.parent / name
    done = series.ran(folder)
    if done is not None and done.exit_code in KEPT:
        return kept_metrics(folder) or finish(folder)
    put_aside(folder)
    earlier = runs(tuning)
    if earlier:
        time.sleep(tuning.options.cooldown_s)
    options = longer(tuning.options, load, times, tuning.asked.variable)
    options = placed(reseeded(options, len(earlier)), earlier, tuning.say)
    tuning.say(name)
    outcome = measure(dataclasses.replace(options, out=folder, **tuning.served), send)
    if outcome.exit_code not in KEPT:
        raise KeyboardInterrupt
    return finish(folder)


def longer(options: StressOptions, load: float, times: int, variable: str) -> StressOptions:
    """Options of a run at a load, `times` as long as was asked for."""
    duration_s, bound_s = options.duration_s, options.max_duration_s
    if bound_s is None and duration_s is not None:
        bound_s = max(PATIENCE * duration_s, LEAST_PATIENCE_S)
    changed: dict[str, Any] = {
        variable: load,
        "duration_s": None if duration_s is None else duration_s * times,
        "max_duration_s": None if bound_s is None else bound_s * times,
        "requests": None if options.requests is None else options.requests * times,
    }
    return dataclasses.replace(options, **changed)


def reseeded(options: StressOptions, number: int) -> StressOptions:
    """Options with a seed of their own, or all runs would see the same arrivals and could only agree.

    Where the seed orders the rows it stays: rows of one order are what no two runs share.
    """
    if options.shuffle or options.weights:
        return options
    return dataclasses.replace(options, seed=(options.seed + number) % 2**63)


def runs(tuning: Tuning) -> list[series.Ran]:
    """All runs of the search so far, in their order; each had all rows from its offset on, but for --num-prompts."""
    most = tuning.options.num_prompts or INT64
    folders = (path for path in tuning.parent.glob(f"{tuning.asked.variable}-*") if path.is_dir())
    found = sorted(filter(None, map(series.ran, folders)), key=lambda ran: ran.started)
    return [dataclasses.replace(ran, to_the_end=ran.rows < most) for ran in found]


def placed(options: StressOptions, earlier: list[series.Ran], say: Say) -> StressOptions:
    """Options with the place in the data set: behind all rows that earlier runs have sent, while there are any."""
    if not options.dataset:
        return options
    offset, again = start(options.offset, None, earlier, rows_there(options.offset, earlier))
    if again:
        say(f"Too few rows are left that no run has sent; this one starts again at row {offset}")
    return dataclasses.replace(options, offset=offset)
