"""The one list of evaluators. Each is in a module that is only imported when its name is asked for."""

import difflib
import importlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from evaluators.errors import EvaluationError
from evaluators.sample import Sample, Verdict

Score = Callable[[str, Sample, Any], Verdict]
Total = Callable[[Sequence[Sample], Sequence[Verdict], Any], Mapping[str, float]]
Joint = Callable[[Sequence[Sample], Any], Sequence[tuple[Sample, Verdict | str]]]


class NoSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of an evaluator that has none."""


class Evaluator(NamedTuple):
    """`score` says what one answer is worth: (text of the answer, sample, settings) -> Verdict.

    The text has no reasoning in it and went through the filters. What `score` raises becomes the error of that sample.
    `totals` gives measures that are no mean over items, such as a corpus' BLEU or a calibration error. `empty` says
    that an empty answer is scored too, else it counts as wrong without being looked at; `slow` that one answer may take
    seconds. `joint`, where it is set, takes the place of `score`: it gets all lines of a data set and gives for each
    item a sample that stands for it, with its verdict or with what went wrong. `plain` are names of parts and totals
    that are no shares; `vote` says whether what is extracted can be voted on, `events`
    whether answers are put together from events that a run has to keep: calls of tools, log probabilities.
    """

    score: Score
    about: str
    metric: str = "accuracy"
    settings: type[Any] = NoSettings
    totals: Total | None = None
    empty: bool = False
    slow: bool = False
    joint: Joint | None = None
    plain: tuple[str, ...] = ()
    vote: bool = True
    events: bool = False


# Name -> module, whose table EVALUATORS has an Evaluator under that name.
MODULES: dict[str, str] = {
    "agieval": "evaluators.agieval",
    "bbh": "evaluators.bbh",
    "bfcl": "evaluators.bfcl",
    "choice": "evaluators.choice",
    "code": "evaluators.code",
    "drop": "evaluators.drop",
    "exact": "evaluators.text",
    "contains": "evaluators.text",
    "f1": "evaluators.text",
    "rouge": "evaluators.text",
    "bleu": "evaluators.text",
    "similarity": "evaluators.text",
    "errors": "evaluators.text",
    "leval": "evaluators.leval",
    "longbench": "evaluators.longbench",
    "needlebench": "evaluators.needlebench",
    "anls": "evaluators.pictures",
    "vqa": "evaluators.pictures",
    "iou": "evaluators.pictures",
    "by_options": "evaluators.pictures",
    "ifbench": "evaluators.ifbench",
    "ifeval": "evaluators.ifeval",
    "judged": "evaluators.judged",
    "math": "evaluators.mathematics",
    "number": "evaluators.number",
    "ppl": "evaluators.ppl",
}


def evaluator(name: str) -> Evaluator:
    """The evaluator of a name, or MODULE:NAME of a user's own. Raises EvaluationError."""
    module, _, key = name.partition(":")
    if not key:
        module, key = MODULES.get(name, ""), name
        if not module:
            near = difflib.get_close_matches(name, MODULES, 1, cutoff=0.0)
            raise EvaluationError(f"unknown evaluator {name!r}; the nearest one is {near[0]!r}")
    try:
        found = importlib.import_module(module).EVALUATORS[key]
    except ImportError as error:
        raise EvaluationError(f"evaluator {name!r}: {error}; install what it needs, or correct the name") from error
    except (AttributeError, KeyError):
        raise EvaluationError(f"evaluator {name!r}: {module} has no EVALUATORS[{key!r}]; correct the name") from None
    if not isinstance(found, Evaluator):
        raise EvaluationError(f"evaluator {name!r} is no evaluators.registry.Evaluator; make it one")
    return found
