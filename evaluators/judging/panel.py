"""From the replies of judges to one verdict for each answer, and to what a report says of the judges."""

import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from evaluators.answers.reasoning import answer_of
from evaluators.judging.judge import RIGHT, Contract, Judging, Question
from evaluators.judging.verdicts import field_text, percent, read
from evaluators.sample import Sample, Verdict
from evaluators.scored import Scored

DRAW = 0.5
SHOWN = 8  # votes in the words of a verdict
TRUNCATED = ("length", "max_tokens")
UNSAID = 100.0  # percent of confidence where an answer gives none, as in Humanity's Last Exam


class Reply(NamedTuple):
    """What came back for a question; `error` says why nothing did."""

    text: str = ""
    reasoning: str = ""
    finish_reason: str | None = None
    error: str | None = None


class Vote(NamedTuple):
    """One reply, read. `score` is None where it says nothing, and `error` tells a failed request from such a reply."""

    judge: str
    repeat: int
    swapped: bool
    score: float | None
    label: str
    rule: str
    why: str
    error: str | None
    extracted: str = ""
    confidence: float | None = None


class Judged(NamedTuple):
    """What becomes of one answer.

    `verdict` has what counts, None where `error` says why there is nothing to count. Of `rule_score` and `judge_score`
    one is None where there was no rule, or no judge was asked.
    """

    verdict: Verdict | None
    error: str = ""
    rule_score: float | None = None
    judge_score: float | None = None
    votes: Sequence[Vote] = ()


def vote_of(question: Question, reply: Reply, contract: Contract) -> Vote:
    """What one reply says; of a pair in the other order the score is turned round."""
    name = (question.judge, question.repeat, question.swapped)
    if reply.error is not None:
        return Vote(*name, None, "", "", f"the judge failed: {reply.error}", reply.error)
    text = answer_of(Sample(id="", prediction=reply.text, reasoning=reply.reasoning or None)).text
    found = read(text, contract.scale)
    why = found.why
    if found.score is None and reply.finish_reason in TRUNCATED:
        why = "the reply was cut off before its verdict; give the judge a greater max_tokens"
    score = round(1 - found.score, 9) if found.score is not None and question.swapped else found.score
    confidence = percent(field_text(text, contract.confidence)) if contract.confidence else None
    extracted = field_text(text, contract.extracted) if contract.extracted else ""
    return Vote(*name, score, found.label, found.rule, why, None, extracted, confidence)


def decided(
    sample: Sample, rule: Verdict | None, votes: Sequence[Vote], judging: Judging, contracts: Mapping[str, Contract]
) -> Judged:
    """One verdict from those of all judges, which each have one vote, and from that of the rule."""
    rule_score = None if rule is None else rule.score
    by_judge = {name: of_judge(own, contracts[name], judging) for name, own in grouped(votes).items()}
    valid = {name: score for name, score in by_judge.items() if score is not None}
    if len(valid) < judging.min_valid:
        why = next((vote.why for vote in votes if vote.score is None), "")
        words = f"{len(valid)} of {len(by_judge)} judges gave a verdict, and {judging.min_valid} have to: {why}"
        return Judged(None, words, rule_score, None, votes)
    pair = any(contract.pair for contract in contracts.values())
    score = put_together(list(valid.values()), how(judging, contracts.values()), pair)
    best = score if rule_score is None or judging.strategy != "llm_recall" else max(score, rule_score)
    verdict = verdict_of(rule, best, score, len(valid), votes)
    if any(contract.confidence for contract in contracts.values()):
        verdict = verdict._replace(parts={**verdict.parts, "confidence": confidence_of(sample, votes)})
    return Judged(verdict, "", rule_score, score, votes)


def grouped(votes: Iterable[Vote]) -> dict[str, list[Vote]]:
    """Votes by judge."""
    found: dict[str, list[Vote]] = defaultdict(list)
    for vote in votes:
        found[vote.judge].append(vote)
    return found


def of_judge(votes: Sequence[Vote], contract: Contract, judging: Judging) -> float | None:
    """The vote of one judge from its replies; None where none can be read."""
    scores = [score for score in rounds(votes, contract.pair and judging.swap) if score is not None]
    return put_together(scores, how(judging, [contract]), contract.pair) if scores else None


def rounds(votes: Sequence[Vote], both_orders: bool) -> list[float | None]:
    """A score for each time that a judge was asked. Of a pair both orders count: where they differ, it is a draw."""
    if not both_orders:
        return [vote.score for vote in votes]
    found: dict[int, list[float | None]] = defaultdict(list)
    for vote in votes:
        found[vote.repeat].append(vote.score)
    return [in_both_orders(scores) for scores in found.values()]


def in_both_orders(scores: Sequence[float | None]) -> float | None:
    """The score that two orders agree on; None where one cannot be read."""
    valid = [score for score in scores if score is not None]
    if len(valid) < 2:
        return None
    return valid[0] if valid[0] == valid[1] else DRAW


def how(judging: Judging, contracts: Iterable[Contract]) -> str:
    """How verdicts are put together: grades have a mean, labels a majority."""
    if judging.vote != "auto":
        return judging.vote
    return "majority" if all(contract.scores for contract in contracts) else "mean"


def put_together(scores: Sequence[float], how: str, pair: bool) -> float:
    """One score of several. Where two have as many votes the lower one counts, of pairs a draw."""
    if how == "mean":
        return statistics.fmean(scores)
    if how == "median":
        return statistics.median(scores)
    counts = Counter(scores)
    most = max(counts.values())
    first = [score for score, count in counts.items() if count == most]
    return first[0] if len(first) == 1 else DRAW if pair else min(first)


def verdict_of(rule: Verdict | None, score: float, judges: float, valid: int, votes: Sequence[Vote]) -> Verdict:
    """The verdict that counts, with those of rule and judges among its parts."""
    parts = {**(rule.parts if rule is not None else {}), "judge_score": judges}
    if rule is not None:
        parts["rule_score"] = rule.score
    said = "; ".join(f"{vote.judge}: {vote.label or vote.why}" for vote in votes[:SHOWN])
    extracted = next((vote.extracted for vote in votes if vote.extracted), None)
    if extracted is None and rule is not None:
        extracted = rule.extracted
    return Verdict(score, extracted, "judge" if valid == 1 else f"{valid} judges", said, parts)


def confidence_of(sample: Sample, votes: Sequence[Vote]) -> float:
    """The confidence in percent that an answer gives: as the judges repeat it, else as it says itself."""
    repeated = [vote.confidence for vote in votes if vote.confidence is not None]
    if repeated:
        return statistics.fmean(repeated)
    own = percent(field_text(answer_of(sample).text, "confidence"))
    return UNSAID if own is None else own


def rule_of(line: Scored, evaluator: str) -> Verdict | None:
    """What the rule says of a scored line; None where the data set has none, or the rule failed."""
    if evaluator == "judged" or line.score is None:
        return None
    return Verdict(line.score, line.extracted, line.rule, line.why, line.parts)


def rescored(lines: Sequence[Scored], found: Sequence[Judged]) -> list[Scored]:
    """Scored lines with what judges and rule say together; an answer that failed stays as it is."""
    return [one if one.error is not None else with_verdict(one, own) for one, own in zip(lines, found, strict=True)]


def with_verdict(line: Scored, found: Judged) -> Scored:
    """A scored line with another verdict, or with the reason why it has none."""
    verdict = found.verdict
    if verdict is None:
        own = {} if found.rule_score is None else {"rule_score": found.rule_score}
        parts = {**line.parts, **own}
        return msgspec.structs.replace(line, score=None, correct=None, metric_error=found.error, parts=parts)
    return msgspec.structs.replace(
        line,
        score=verdict.score,
        correct=verdict.score >= RIGHT if verdict.score <= 0 or verdict.score >= RIGHT else None,
        extracted=verdict.extracted,
        rule=verdict.rule,
        why=verdict.why,
        parts=dict(verdict.parts),
        metric_error=None,
    )


def report(found: Sequence[Judged], judging: Judging, models: Mapping[str, str]) -> dict[str, Any]:
    """What is to be told of the judges: of each what it was asked and how much could be read; how often rule and judge
    agree (right or not), over the answers that have both. `models` has the model of each judge by its name.
    """
    both = [
        (one.rule_score >= RIGHT) == (one.judge_score >= RIGHT)
        for one in found
        if one.rule_score is not None and one.judge_score is not None
    ]
    unasked: dict[str, list[Vote]] = {name: [] for name in models}
    judges = unasked | grouped(vote for one in found for vote in one.votes)
    return {
        "strategy": judging.strategy,
        "answers": len(found),
        "judged": sum(bool(one.votes) for one in found),
        "errors": sum(bool(one.error) for one in found),
        "min_valid": judging.min_valid,
        "agreement": sum(both) / len(both) if both else None,
        "agreement_answers": len(both),
        "judges": [{"name": name, "model": models.get(name, "")} | of_replies(own) for name, own in judges.items()],
    }


def remarks(told: Mapping[str, Any]) -> Iterator[str]:
    """What a reader of a judged score has to know, in sentences; `told` is what `report` gives."""
    names = ", ".join(f"{one['name']} ({one['model']})" if one["model"] else one["name"] for one in told["judges"])
    agreed = told["agreement"]
    with_rule = (
        "" if agreed is None else f"; rule and judge agree on {100 * agreed:.1f} % of {told['agreement_answers']:,}"
    )
    yield f"{told['judged']:,} of {told['answers']:,} answers were judged by {names}{with_rule}"
    for one in told["judges"]:
        if one["failed"]:
            yield f"{one['failed']:,} of {one['asked']:,} questions to {one['name']} failed; scoring again asks them"
        if one["unreadable"]:
            share = f"{one['unreadable']:,} of {one['asked'] - one['failed']:,} replies of {one['name']}"
            yield f"{share} have no verdict that can be read: look at some; docs/judges.md says how they are read"


def of_replies(votes: Sequence[Vote]) -> dict[str, Any]:
    """Counts of a judge's replies. The share of unreadable ones is of those that came."""
    failed = sum(vote.error is not None for vote in votes)
    unreadable = sum(vote.score is None and vote.error is None for vote in votes)
    came = len(votes) - failed
    turned = [vote for vote in votes if vote.swapped]
    return {
        "asked": len(votes),
        "failed": failed,
        "unreadable": unreadable,
        "unreadable_share": unreadable / came if came else None,
        "rules": dict(Counter(vote.rule for vote in votes if vote.rule)),
    } | ({"first_shown_wins": first_wins(votes)} if turned else {})


def first_wins(votes: Sequence[Vote]) -> float | None:
    """Share of the decided pairs in which the answer shown first won: 0.5 without a liking for a place."""
    decided = [(vote.score > DRAW) != vote.swapped for vote in votes if vote.score is not None and vote.score != DRAW]
    return sum(decided) / len(decided) if decided else None
