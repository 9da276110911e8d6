"""The evaluator `judged`: data sets whose answers only a judge can tell right from wrong."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import ArrayLike

from evaluators.errors import EvaluationError
from evaluators.registry import Evaluator
from evaluators.sample import Sample, Verdict

BIN = 100  # answers
CONFIDENCE = "confidence"


class JudgedSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of the evaluator `judged`: none, what a judge is told stands in the table `judge` beside it."""


def score(text: str, sample: Sample, settings: JudgedSettings) -> Verdict:
    """Raises EvaluationError: there is no rule."""
    raise EvaluationError("no judge was asked, and only a judge can tell whether this answer is right; give --judge")


def totals(samples: Sequence[Sample], verdicts: Sequence[Verdict], settings: Any) -> Mapping[str, float]:
    """The calibration error, where answers gave their confidence: as it is published, and of all bins."""
    pairs = [(one.parts[CONFIDENCE] / 100, one.score) for one in verdicts if CONFIDENCE in one.parts]
    if not pairs:
        return {}
    confidence, right = zip(*pairs, strict=True)
    whole = {"calibration_error_all": calibration_error(confidence, right, every=True)}
    if len(pairs) < 2 * BIN:  # one bin alone, which the published figure leaves out
        return whole
    return {"calibration_error": calibration_error(confidence, right), **whole}


def calibration_error(confidence: ArrayLike, right: ArrayLike, *, every: bool = False) -> float:
    """Root mean square of confidence less accuracy, over bins of 100 answers in the order of their confidence.

    Both are shares from 0 to 1, one of each answer. The last bin, of the surest answers, has up to 199. As in the
    program of Hendrycks et al., Deep Anomaly Detection with Outlier Exposure (2019), with which Humanity's Last Exam
    publishes its figures, that bin adds nothing to the sum, though its answers count in the number of all; with `every`
    it adds its part. Of answers of one confidence it is left to their order which bin they are in, so each counts there
    with their mean.
    """
    sure, good = np.asarray(confidence, float), np.asarray(right, float)
    values, group = np.unique(sure, return_inverse=True)
    means = np.bincount(group, good) / np.bincount(group)
    order = np.argsort(group, kind="stable")
    bins = max(1, order.size // BIN)
    starts = np.arange(bins) * BIN
    sizes = np.diff(np.append(starts, order.size))
    gaps = np.add.reduceat(values[group[order]] - means[group[order]], starts) / sizes
    taken = slice(None if every else -1)
    return float(np.sqrt(np.sum(sizes[taken] * gaps[taken] ** 2) / order.size))


EVALUATORS = {
    "judged": Evaluator(score, "Right or wrong, or a grade, as a judge says.", settings=JudgedSettings, totals=totals),
}
