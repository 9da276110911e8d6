"""Judging: the questions to each judge are sent by the engine as any load, and the replies kept, so none is paid twice.

predictions/<model>/<dataset>-<judge>.jsonl   the replies
runs/<model>/<dataset>-<judge>-<n>            run folders; their replies are taken in after a kill too
"""

import itertools
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from evaluators.errors import EvaluationError
from evaluators.judging.judge import JudgeSettings, Question, earlier_turns, name_of, questions, to_judge
from evaluators.judging.panel import Judged, Reply, Vote, decided, vote_of
from evaluators.sample import Sample, Verdict
from perfcore.errors import UserError
from perfcore.options import StressOptions
from perfcore.records import store
from perfcore.run.judges import Panel, options_of
from perfcore.run.master import EXIT_INTERRUPTED, Outcome

Ask = Callable[[StressOptions], Outcome]
Say = Callable[[str], None]
TAKEN, ROWS = ".taken", ".rows.jsonl"


class Place(NamedTuple):
    """What is judged: the folder of the evaluation, and the names of the model and the data set there."""

    folder: Path
    model: str
    dataset: str


class Kept(msgspec.Struct, kw_only=True):
    """A line of the file of replies: which question, named by `key`, and what the judge said."""

    key: str
    id: str  # of the first sample that the question is about
    repeat: int
    turn: int
    judge: str
    judge_repeat: int
    swapped: bool
    reply: str
    reasoning: str | None = None
    finish_reason: str | None = None


class Line(msgspec.Struct):
    """What is read of a line of outputs.jsonl."""

    id: str
    meta: dict[str, Any]
    prediction: str | None = None
    reasoning: str | None = None
    finish_reason: str | None = None
    error: str | None = None


_encode = msgspec.json.Encoder().encode
_kept = msgspec.json.Decoder(Kept)
_line = msgspec.json.Decoder(Line)


def judge(
    samples: Sequence[Sample],
    rules: Sequence[Verdict | None],
    panel: Panel,
    place: Place,
    ask: Ask | None,
    say: Say,
) -> list[Judged]:
    """What the judges say of each sample, in their order; `rules` has what the rule says, None where it says nothing.

    Only what no earlier run has a reply to is asked: `ask` makes a run, as perfcore.run.master.stress does; None asks
    nothing, and what lacks a reply is an error of its sample. Samples that are not judged have the verdict of their
    rule. Raises UserError where a judge cannot be asked at all, and KeyboardInterrupt where its run was interrupted;
    the replies that came until then are kept.
    """
    asked, errors = asked_of(samples, rules, panel)
    votes: dict[int, list[Vote]] = defaultdict(list)
    for settings in panel.judges:
        own = asked[settings.name]
        replies = replies_of(own, settings, samples, place, ask, say)
        for question in own:
            reply = replies.get(question.key, Reply(error="it was not asked"))
            votes[question.sample].append(vote_of(question, reply, panel.contracts[settings.name]))
    return [
        Judged(None, errors[at])
        if at in errors
        else decided(sample, rules[at], votes[at], panel.judging, panel.contracts)
        if at in votes
        else not_judged(sample, rules[at])
        for at, sample in enumerate(samples)
    ]


def not_judged(sample: Sample, rule: Verdict | None) -> Judged:
    """What holds for an answer that no judge was asked about: it failed, it is empty, or the rule has it right."""
    if sample.error is not None:
        return Judged(None, sample.error)
    if rule is None:
        return Judged(Verdict(0.0, why="the answer is empty"))
    return Judged(rule._replace(parts={**rule.parts, "rule_score": rule.score}), "", rule.score)


def asked_of(
    samples: Sequence[Sample], rules: Sequence[Verdict | None], panel: Panel
) -> tuple[dict[str, list[Question]], dict[int, str]]:
    """The questions to each judge by its name, and by the place of a sample what keeps it from being judged."""
    turns = earlier_turns(samples)
    asked: dict[str, list[Question]] = {settings.name: [] for settings in panel.judges}
    errors: dict[int, str] = {}
    for at, (sample, rule) in enumerate(zip(samples, rules, strict=True)):
        if not to_judge(sample, rule, panel.judging.strategy, panel.tags):
            continue
        own = turns.get((name_of(sample), sample.repeat), {})
        try:
            for settings in panel.judges:
                contract = panel.contracts[settings.name]
                asked[settings.name] += questions(at, sample, own, settings, contract, panel.judging, panel.tags)
        except EvaluationError as error:
            errors[at] = str(error)
    return asked, errors


def replies_of(
    asked: Sequence[Question],
    settings: JudgeSettings,
    samples: Sequence[Sample],
    place: Place,
    ask: Ask | None,
    say: Say,
) -> Mapping[str, Reply]:
    """Replies by the key of their question: those that are kept, and those that are asked for now."""
    file = replies_file(place, settings.name)
    take_in(place, settings.name, file)
    there = read_replies(file)
    wanted = {question.key: question for question in asked}  # answers that are alike make the same question
    missing = {key: question for key, question in wanted.items() if key not in there}
    failed: dict[str, Reply] = {}
    if missing and ask is not None:
        kept = len(wanted) - len(missing)
        some = f", {kept:,} replies are there" if kept else ""
        say(f"{place.model}, {place.dataset}: asking the judge {settings.name} {len(missing):,} questions{some}")
        folder = next_run(place, settings.name)
        outcome = ask_for(missing.values(), samples, settings, folder, ask)
        failed = take_in(place, settings.name, file)
        there = read_replies(file)
        if outcome.exit_code == EXIT_INTERRUPTED:
            raise KeyboardInterrupt
    replies = {key: Reply(one.reply, one.reasoning or "", one.finish_reason) for key, one in there.items()}
    return {**failed, **replies}


def ask_for(
    asked: Iterable[Question], samples: Sequence[Sample], settings: JudgeSettings, folder: Path, ask: Ask
) -> Outcome:
    """Make the run that asks a judge; nothing is left of one that could not begin."""
    rows = beside(folder, ROWS)
    write_rows(rows, asked, samples)
    try:
        return ask(options_of(settings, rows, folder))
    except UserError as error:
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
        if not folder.exists():
            rows.unlink()
        raise UserError(f"the judge {settings.name}: {error}") from None


def write_rows(path: Path, asked: Iterable[Question], samples: Sequence[Sample]) -> None:
    """The questions as rows of a data set, each named by its key. Raises UserError where the file cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            file.writelines(row_of(question, samples[question.sample]) for question in asked)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}; make room and go on with --resume") from None


def row_of(question: Question, sample: Sample) -> bytes:
    """A question to a judge as a line."""
    plain = len(question.messages) == 1 and isinstance(question.messages[0]["content"], str)
    said = {"prompt": question.messages[0]["content"]} if plain else {"messages": question.messages}
    meta = {
        "id": name_of(sample),
        "repeat": sample.repeat or 0,
        "turn": sample.turn,
        "judge": question.judge,
        "judge_repeat": question.repeat,
        "swapped": question.swapped,
    }
    return _encode({"id": question.key, **said, "meta": meta}) + b"\n"


def take_in(place: Place, judge: str, file: Path) -> dict[str, Reply]:
    """Add the replies of runs that were not taken in yet, killed ones too; returns what failed, by its key."""
    failed: dict[str, Reply] = {}
    for folder in runs(place, judge):
        if beside(folder, TAKEN).exists() or not (folder / "run.json").exists():
            continue
        store.build(folder)
        there = read_replies(file)
        for line in lines_of(folder / "outputs.jsonl"):
            one = _line.decode(line)
            if one.error is None:
                texts = {"reply": one.prediction or "", "reasoning": one.reasoning, "finish_reason": one.finish_reason}
                there[one.id] = msgspec.convert({"key": one.id, **one.meta, **texts}, Kept)
            else:
                failed[one.id] = Reply(error=one.error)
        write_replies(file, there.values())
        beside(folder, TAKEN).touch()
        beside(folder, ROWS).unlink(missing_ok=True)
    return failed


def runs(place: Place, judge: str) -> list[Path]:
    """Folders of the runs that asked a judge, in their order."""
    stem = f"{place.dataset}-{judge}-"
    parent = place.folder / "runs" / place.model
    found = [path for path in parent.iterdir() if path.is_dir()] if parent.is_dir() else []
    own = [path for path in found if path.name.startswith(stem) and path.name[len(stem) :].isdecimal()]
    return sorted(own, key=lambda path: int(path.name[len(stem) :]))


def next_run(place: Place, judge: str) -> Path:
    """Folder of the next run that asks a judge."""
    parent = place.folder / "runs" / place.model
    names = (f"{place.dataset}-{judge}-{number}" for number in itertools.count(1))
    return next(parent / name for name in names if not any(parent.glob(f"{name}*")))


def beside(folder: Path, ending: str) -> Path:
    """A file beside a run folder."""
    return folder.with_name(folder.name + ending)


def replies_file(place: Place, judge: str) -> Path:
    """Where the replies of a judge are kept."""
    return place.folder / "predictions" / place.model / f"{place.dataset}-{judge}.jsonl"


def read_replies(path: Path) -> dict[str, Kept]:
    """The replies in a file by key; none where it is not there. Raises UserError for what is no line of it."""
    found = {}
    for number, line in enumerate(lines_of(path), 1):
        try:
            one = _kept.decode(line)
        except msgspec.DecodeError as error:
            raise UserError(f"{path}, line {number}: {error}; take the line out, the judge is asked again") from None
        found[one.key] = one
    return found


def lines_of(path: Path) -> Iterator[bytes]:
    """Whole lines of a file; none where it is not there."""
    try:
        with path.open("rb") as file:
            yield from (line for line in file if line.endswith(b"\n"))
    except FileNotFoundError:
        return
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}; make it readable") from None


def write_replies(path: Path, lines: Iterable[Kept]) -> None:
    """Write the file of replies as a whole."""
    partial = path.with_name(path.name + ".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            file.writelines(_encode(one) + b"\n" for one in lines)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise UserError(f"cannot write {path}: {error.strerror}; make room and go on with --resume") from None
