"""NeedleBench (Li et al. 2024): facts to be found in a long text, and an ancestor to be traced."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence

from evaluators.errors import EvaluationError
from evaluators.registry import Evaluator, NoSettings
from evaluators.sample import NOTHING_FOUND, Sample, Verdict
from evaluators.text import within
from evaluators.words import wording

BOXED = re.compile(r"\\boxed\s{0,9}\{\s{0,9}(?:(?:\\[a-z]{1,10}\s{0,9})?\{\s{0,9})?([^{}]{1,200})\}")
BOXED_TASKS = ("multi_reasoning", "atc")
TEXT_TASKS = ("single", "multi_retrieval", "multi_reasoning")
WHOLE = 4  # keywords of so few characters have to be whole words


def score(answer: str, sample: Sample, settings: NoSettings) -> Verdict:
    """Share of the keywords that the answer has; of reasoning, whether the last \\boxed{} has the right name."""
    task = sample.meta.get("task")
    if task in BOXED_TASKS:
        return boxed(answer, sample)
    if task not in ("single", "multi_retrieval"):
        raise EvaluationError(f"row {sample.id} has the task {task!r} in meta; take the rows of the reader needlebench")
    return keywords(answer, sample)


def boxed(answer: str, sample: Sample) -> Verdict:
    """Name in the last box against the reference."""
    right = wording.references(sample)[0]
    found = BOXED.findall(answer)
    parts = {"mentioned": float(has(answer, right))}
    if not found:
        return Verdict(0.0, None, "last boxed", NOTHING_FOUND, parts)
    said = found[-1].replace("~", " ").strip()  # TeX's blank
    same = wording.normal(said, "punctuation") == wording.normal(right, "punctuation")
    return Verdict(float(same), said, "last boxed", f"the right one is {right!r}", parts)


def keywords(answer: str, sample: Sample) -> Verdict:
    """Share of the keywords; each depth of several is a part."""
    wanted = wording.references(sample)
    found = [has(answer, keyword) for keyword in wanted]
    depths = sample.meta.get("depths") or []
    parts = {f"retrieval_depth_{depth}": float(one) for depth, one in zip(depths, found, strict=False)}
    said = [keyword for keyword, one in zip(wanted, found, strict=True) if one]
    why = f"has {len(said)} of {len(wanted)} keywords"
    return Verdict(len(said) / len(wanted), ", ".join(said) or None, "keywords", why, parts)


def has(answer: str, keyword: str) -> bool:
    return within(wording.normal(keyword, "case"), wording.normal(answer, "case"), WHOLE)


def tables(samples: Sequence[Sample], verdicts: Sequence[Verdict], settings: NoSettings) -> Mapping[str, float]:
    """Means of each task by language, by length, and by depth: single_en, single_length_4000, single_depth_10.

    `overall` is the mean of the three tasks of a text, however many rows each has: NeedleBench's own number.
    """
    found: dict[str, list[float]] = defaultdict(list)
    for sample, verdict in zip(samples, verdicts, strict=True):
        meta = sample.meta
        keys = [f"{name}_{meta[name]}" for name in ("length", "depth", "needles") if meta.get(name) is not None]
        for key in ["", str(meta.get("language", "")), *keys]:
            found[f"{meta.get('task')}_{key}".rstrip("_")].append(verdict.score)
    means = {name: sum(values) / len(values) for name, values in found.items()}
    parts = [means[task] for task in TEXT_TASKS if task in means]
    return {"overall": sum(parts) / len(parts), **means} if len(parts) == len(TEXT_TASKS) else means


EVALUATORS = {
    "needlebench": Evaluator(
        score, "NeedleBench: keywords that are found, or the boxed name.", "score", NoSettings, tables
    )
}
