"""Scoring: lines of outputs.jsonl in, what was found of each answer out, over all cores."""

import itertools
import multiprocessing
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from typing import Any, NamedTuple, TypeAlias

import msgspec

from evaluators.answers.filters import prepare
from evaluators.answers.reasoning import Answer, answer_of
from evaluators.errors import EvaluationError
from evaluators.registry import Evaluator, evaluator
from evaluators.sample import Sample, Verdict
from evaluators.scored import Scored
from evaluators.settings import Evaluation, settings_of

AT_ONCE = 500  # lines that a process gets together
ALONE = 200  # lines up to which no other process is started
RIGHT = 1 - 1e-9
REFERENCE = "(reference)"  # among the columns of a row, what its answer should be
# The class of a request that ended well without any text: that is the model's own answer, and a wrong one.
EMPTY = "empty_answer"
DIED = "the process that scored it died; the answer, or the evaluator, is at fault"

Columns: TypeAlias = Mapping[str, Any] | None
Pair: TypeAlias = tuple[bytes, Columns]  # a line, and further columns of its row
Show = Callable[[int], None]


class Job(NamedTuple):
    """How lines are scored. It can be pickled.

    `place` is what messages call it. `tags` are those of reasoning, None for the usual ones. `given` are settings of
    the evaluator that no preset may have, such as the permission to run code.
    """

    evaluation: Evaluation
    place: str
    tags: tuple[str, str] | None = None
    given: Mapping[str, Any] = {}
    details: bool = False  # prompt and reference are wanted too
    as_it_is: bool = False  # reasoning between tags is part of the answer


class Scorer(NamedTuple):
    """A job, ready to be done."""

    evaluator: Evaluator
    settings: Any
    filtered: Callable[[str], str]
    answered: Callable[[Sample], Answer]
    details: bool


_decode = msgspec.json.Decoder(Sample).decode
_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(list[Scored]).decode


def prepared(job: Job) -> Scorer:
    """The job's evaluator with its settings; raises EvaluationError for what is wrong with them."""
    found = evaluator(job.evaluation.evaluator)
    known = {field.name for field in msgspec.structs.fields(found.settings)}
    given = {name: value for name, value in job.given.items() if name in known}
    settings = settings_of({**job.evaluation.args, **given}, found.settings, job.place)
    answered = as_it_is if job.as_it_is else partial(answer_of, tags=job.tags)
    return Scorer(found, settings, prepare(job.evaluation.filters), answered, job.details)


def as_it_is(sample: Sample) -> Answer:
    """The whole text of an answer."""
    return Answer(sample.prediction or "")


def score(
    lines: Sequence[bytes],
    job: Job,
    processes: int = 0,
    columns: Sequence[Columns] | None = None,
    show: Show = lambda _: None,
) -> list[Scored]:
    """What each line is worth, in the order of the lines; of an evaluator of several lines at once, of each item.

    `columns` has for each line further columns of its row, for `sample.meta`. `show` gets the number of lines done.
    Raises EvaluationError for settings; what goes wrong with one line is the error of that line.
    """
    scorer = prepared(job)
    pairs = list(zip(lines, columns or itertools.repeat(None), strict=False))
    if scorer.evaluator.joint is not None:
        items = scorer.evaluator.joint(samples(lines, columns), scorer.settings)
        return [kept(one, job.details, **found_of(outcome)) for one, outcome in items]
    if len(lines) <= ALONE and not scorer.evaluator.slow:
        return [scored(line, scorer, more) for line, more in pairs]
    return side_by_side(pairs, job, processes or len(os.sched_getaffinity(0)), show, scorer.evaluator.slow)


def samples(lines: Sequence[bytes], columns: Sequence[Columns] | None = None) -> list[Sample]:
    """The samples of lines, with further columns of their rows."""
    return [decoded(line, more) for line, more in zip(lines, columns or itertools.repeat(None), strict=False)]


def totals(
    lines: Sequence[bytes], found: Sequence[Scored], job: Job, columns: Sequence[Columns] | None = None
) -> dict[str, float]:
    """Figures of the whole data set that are no means of scores; `found` begins with what is found of `lines`.

    `columns` are those that the lines were scored with.
    """
    scorer = prepared(job)
    if scorer.evaluator.totals is None:
        return {}
    every = zip(samples(lines, columns), found, strict=False)
    looked_at = [(sample, one) for sample, one in every if one.metric_error is None]  # failed ones are wrong
    verdicts = [Verdict(one.score or 0.0, one.extracted, one.rule, one.why, one.parts) for _, one in looked_at]
    return dict(scorer.evaluator.totals([sample for sample, _ in looked_at], verdicts, scorer.settings))


def side_by_side(pairs: Sequence[Pair], job: Job, processes: int, show: Show, slow: bool) -> list[Scored]:
    """The same by several processes. A line that brings its process down is found and has that as its error."""
    size = 1 if slow else max(1, min(AT_ONCE, len(pairs) // (processes * 4)))
    found: dict[int, list[Scored]] = {}
    parts = {at: pairs[at : at + size] for at in range(0, len(pairs), size)}
    broken = run_parts(parts, job, processes, found, show)
    for at in [start + more for start in broken for more in range(len(parts[start]))]:
        if run_parts({at: pairs[at : at + 1]}, job, 1, found, show):
            found[at] = [kept(decoded(*pairs[at]), job.details, metric_error=DIED)]
    return [one for at in sorted(found) for one in found[at]]


def run_parts(
    parts: Mapping[int, Sequence[Pair]], job: Job, processes: int, found: dict[int, list[Scored]], show: Show
) -> list[int]:
    """Score parts by several processes into `found`; returns those that were not scored as a process died."""
    context = multiprocessing.get_context("spawn")
    workers = max(1, min(processes, len(parts)))
    with ProcessPoolExecutor(workers, context, initializer=begin, initargs=(job,)) as pool:
        futures: dict[Future[bytes], int] = {pool.submit(part, pairs): at for at, pairs in parts.items()}
        done = 0
        try:
            for future in as_completed(futures):
                found[futures[future]] = _unpack(future.result())
                done += len(parts[futures[future]])
                show(done)
        except BrokenProcessPool:
            pass
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return [at for at in parts if at not in found]


_own: list[Scorer] = []  # of a process that scores


def begin(job: Job) -> None:
    """Prepare a process for its parts."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the one that started it ends it
    _own[:] = [prepared(job)]


def part(pairs: Sequence[Pair]) -> bytes:
    """A part, by a process that was prepared."""
    return _pack([scored(line, _own[0], more) for line, more in pairs])


def scored(line: bytes, scorer: Scorer, columns: Columns) -> Scored:
    """What one line is worth. Raises EvaluationError for a line that is none."""
    sample = decoded(line, columns)
    if sample.error is not None:
        return kept(sample, scorer.details, error=sample.error)
    answer = scorer.answered(sample)
    seen: dict[str, Any] = {"reasoning_removed": answer.how, "cut_off": answer.cut_off}
    try:
        text = scorer.filtered(answer.text)
        seen["empty"] = not (text.strip() or sample.tool_calls)
        if not seen["empty"] or scorer.evaluator.empty:
            verdict = scorer.evaluator.score(text, sample, scorer.settings)
        else:
            verdict = Verdict(0.0, why="cut off while reasoning" if answer.cut_off else "the answer is empty")
    except Exception as error:  # whatever an evaluator stumbles over is the error of this sample alone
        words = str(error) if isinstance(error, EvaluationError) else f"{type(error).__name__}: {error}"
        return kept(sample, scorer.details, **seen, metric_error=words)
    return kept(sample, scorer.details, **seen, **found_of(verdict))


def decoded(line: bytes, columns: Columns) -> Sample:
    """The sample of a line, with further columns of its row."""
    try:
        sample = _decode(line)
    except msgspec.DecodeError as error:
        raise EvaluationError(f"a line of the answers is broken ({error}): take out {line[:80]!r}") from None
    if sample.error == EMPTY:
        sample = msgspec.structs.replace(sample, error=None)
    if columns is None:
        return sample
    reference = columns.get(REFERENCE) if sample.reference is None else sample.reference
    meta = {name: value for name, value in columns.items() if name != REFERENCE} | sample.meta
    return msgspec.structs.replace(sample, meta=meta, reference=reference)


def found_of(verdict: Verdict | str) -> dict[str, Any]:
    """What a verdict says, by the names that it has in the details; a text is why there is none.

    A score between 0 and 1 is neither right nor wrong.
    """
    if isinstance(verdict, str):
        return {"error": verdict}
    return {
        "score": verdict.score,
        "correct": verdict.score >= RIGHT if verdict.score <= 0 or verdict.score >= RIGHT else None,
        "extracted": verdict.extracted,
        "rule": verdict.rule,
        "why": verdict.why,
        "parts": dict(verdict.parts),
    }


def kept(sample: Sample, details: bool, **found: Any) -> Scored:
    """What is kept of a sample, and what was found of it."""
    more = {name: getattr(sample, name) for name in ("prompt", "reference")} if details else {}
    return Scored(
        id=sample.question or sample.id,
        repeat=sample.repeat or 0,
        subset=sample.subset,
        turn=sample.turn,
        prediction=sample.prediction,
        reasoning=sample.reasoning,
        finish_reason=sample.finish_reason,
        **more,
        **found,
    )
