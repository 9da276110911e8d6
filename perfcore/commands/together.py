"""Evaluations put together: their results side by side in a folder of their own, with models compared.

Nothing is asked or scored: results are taken as they are, so that a table of many models costs a second.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from evaluators.statistics.result import Result, encode
from perfcore.commands import summaries
from perfcore.commands.points import stem
from perfcore.errors import UserError
from perfcore.options import StressOptions, flag_of
from perfcore.records import evaluation
from perfcore.records.files import write
from perfcore.redaction import redacted
from perfcore.run.collecting import state_of

REMEDY = "make room or give access, or choose another --out"
UNDERSTOOD = ("out", "quiet", "json")  # what can be said of evaluations that are put together


class Taken(NamedTuple):
    """A result, the evaluation that it is of, and the model that it is shown as."""

    folder: Path
    result: Result
    model: str


def refuse_mixed(folders: Sequence[Path]) -> None:
    """Raise UserError where some are evaluations and others are runs."""
    other = next((folder for folder in folders if not evaluation.is_evaluation(folder)), None)
    if other is not None and not other.is_dir():
        raise UserError(f"{other} is not a folder; give the folder of an evaluation")
    if other is not None:
        done = next(folder for folder in folders if evaluation.is_evaluation(folder))
        raise UserError(
            f"{done} is an evaluation and {other} is none; score that first with: perfcore eval {other}, and give the "
            "folder of its evaluation"
        )


def refuse_flags(origins: Mapping[str, str]) -> None:
    """Raise UserError for a flag that says how to ask or to score."""
    for name, origin in origins.items():
        if origin.startswith("--") and name not in UNDERSTOOD:
            raise UserError(
                f"{flag_of(name)} says how to ask or to score, and evaluations are put together as they are; leave it "
                "out, or score each by itself first: perfcore eval DIR"
            )


def put_together(folders: Sequence[Path], options: StressOptions, command: list[str]) -> int:
    """Write the results of evaluations to one folder, with summary and page, and print it; returns the exit code."""
    taken = with_own_names([Taken(one, result, result.model) for one in folders for result in summaries.scored_in(one)])
    refuse_other_questions(taken)
    folder = evaluation.create(options.out, again=False)
    with evaluation.held(folder):
        evaluation.describe(folder, command, redacted(options), [])
        for one in taken:
            take(one, folder)
    results = summaries.finish(folder)
    if options.json or not options.quiet:
        summaries.show(results, folder, options.json)
    return 0


def with_own_names(taken: Sequence[Taken]) -> list[Taken]:
    """Each result once; where evaluations have model and data set in common, the model's name says the folder, too.

    Raises UserError where that does not tell them apart.
    """
    once: dict[bytes, Taken] = {}
    for one in taken:
        once.setdefault(encode(one.result), one)
    pairs = Counter((one.model, one.result.dataset) for one in once.values())
    twice = {model for (model, _), number in pairs.items() if number > 1}
    named = [one._replace(model=own_name(one)) if one.model in twice else one for one in once.values()]
    found: dict[tuple[str, str], Taken] = {}
    for one in named:
        before = found.setdefault((one.model, one.result.dataset), one)
        if before is not one:
            raise UserError(
                f"{before.folder} and {one.folder} have different answers of {one.result.model} to "
                f"{one.result.dataset}; leave one of the folders out, or give it another name"
            )
    return named


def own_name(one: Taken) -> str:
    """The model and the folder of its evaluation; of one in the folder of a run that of the run."""
    folder = one.folder.resolve()
    return f"{one.model}@{stem(folder.parent.name if folder.name == evaluation.COMMAND else folder.name)}"


def refuse_other_questions(taken: Sequence[Taken]) -> None:
    """Raise UserError where a question of two evaluations has one name and is not the same."""
    known: dict[tuple[str, str], dict[str, tuple[str, Path]]] = {}
    for folder, result, _ in taken:
        state = state_of(folder, result.model, result.dataset)
        same = known.setdefault((result.dataset, result.version), {})
        for key, digest in ({} if state is None else state.questions).items():
            before, where = same.setdefault(key, (digest, folder))
            if before != digest:
                raise UserError(
                    f"the question {key!r} of {result.dataset} was sent in other words in {where} than in {folder}, so "
                    "that their scores cannot be compared; ask both the same, or under another name of the data set"
                )


def take(one: Taken, folder: Path) -> None:
    """Write a result, what was found of its answers, and what was asked. Raises UserError where that fails."""
    date = evaluation.read(one.folder).started[:10]
    note = f"from {one.folder}, evaluated {date}"
    result = msgspec.structs.replace(one.result, model=one.model, notes=[*one.result.notes, note])
    places = (("results", ".json"), ("results", ".jsonl"), ("configs", ".json"))
    here, there = (
        [root / kind / model / f"{result.dataset}{ending}" for kind, ending in places]
        for root, model in ((folder, one.model), (one.folder, one.result.model))
    )
    write(here[0], encode(result), REMEDY)
    for source, copy in zip(there[1:], here[1:], strict=True):
        if source.is_file():
            write(copy, source.read_bytes(), REMEDY)
