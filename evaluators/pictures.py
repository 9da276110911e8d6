"""Answers to questions about pictures: anls, vqa, iou, by_options. docs/picture-sets.md has them in words."""

import re
from collections.abc import Mapping
from itertools import product
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta
from rapidfuzz.distance import Levenshtein

from evaluators import choice
from evaluators.errors import EvaluationError
from evaluators.registry import Evaluator, evaluator
from evaluators.sample import NOTHING_FOUND, Sample, Verdict
from evaluators.settings import settings_of
from evaluators.shown import annotators, boxes, quantity
from evaluators.words import wording
from evaluators.words.wording import Take

# What some models put around an answer: GLM's box, and marks of turns.
BOXED = re.compile(r"<\|begin_of_box\|>(.*?)<\|end_of_box\|>", re.DOTALL)
MARK = re.compile(r"<\|\w{1,40}\|>|<unk>")
ABOVE = (0.1, 0.3, 0.5, 0.7, 0.9)
SHOWN = 60

Taking = Annotated[Take, Meta(description="Which part of the text is the answer: evaluators/words/wording.py, taken.")]


class Anls(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of `anls`."""

    threshold: Annotated[
        float, Meta(ge=0, le=1, description="Distance, as part of the longer text, above which an answer is worth 0.")
    ] = 0.5
    take: Taking = "answer"


class Vqa(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of `vqa`."""

    take: Taking = "answer"


class Iou(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of `iou`."""

    threshold: Annotated[float, Meta(gt=0, le=1, description="Overlap from which an answer is right.")] = 0.5
    scale: Annotated[
        boxes.Scale,
        Meta(description="Unit of the answers: 1 or 1000 for the whole picture, or pixels; else 1 or 1000 by size."),
    ] = ""
    order: Annotated[
        Literal["xyxy", "yxyx"], Meta(description="Of the four numbers in answers: x first, or y as Gemini writes.")
    ] = "xyxy"
    which: Annotated[boxes.Which, Meta(description="Which box counts where an answer has several.")] = "first"
    form: Annotated[
        Literal["xywh", "xyxy"], Meta(description="Reference, in pixels: a corner and the size, or two corners.")
    ] = "xywh"
    width: Annotated[str, Meta(description="Column of meta with the width of the picture in pixels.")] = "image_width"
    height: Annotated[str, Meta(description="Column of meta with its height.")] = "image_height"


class ByOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of `by_options`."""

    choices: Annotated[dict[str, Any], Meta(description="Settings of `choice`, for rows that have choices.")] = {}
    open: Annotated[
        dict[str, dict[str, Any]],
        Meta(min_length=1, description="Evaluators of all other rows with their settings; one of them is enough."),
    ] = msgspec.field(default_factory=lambda: {"math": {}})
    letters: Annotated[
        bool, Meta(description="A reference that is one of the letters is a choice, though the row lists none.")
    ] = False

    def __post_init__(self) -> None:
        """Refuse settings that no row could be scored with."""
        settings_of(self.choices, choice.Choice, "choices")
        for name, given in self.open.items():
            settings_of(given, evaluator(name).settings, f"open.{name}")


def anls(text: str, sample: Sample, settings: Anls) -> Verdict:
    """Normalised Levenshtein similarity to the nearest reference, 0 where it is farther away than the threshold.

    Biten et al. 2019, "Scene Text Visual Question Answering": lower case, one blank where there are several. An answer
    at the threshold itself counts, as in the program of the challenge, which all published scores come from.
    """
    wanted = wording.references(sample)
    found, rule = wording.taken(without_marks(text), settings.take)
    if not found:
        return Verdict(0.0, None, rule, NOTHING_FOUND)
    said = plain(found)
    near = min(wanted, key=lambda one: Levenshtein.normalized_distance(said, plain(one)))
    distance = Levenshtein.normalized_distance(said, plain(near))
    why = f"distance {distance:.2f} to {near[:SHOWN]!r}, right up to {settings.threshold:g}"
    score = 1.0 if distance == 0 else round(1 - distance, 6) if distance <= settings.threshold else 0.0
    return Verdict(score, found, rule, why)


def plain(text: str) -> str:
    return " ".join(text.lower().split())


def without_marks(text: str) -> str:
    """The answer without what a model's template put around it."""
    found = BOXED.findall(text)
    return MARK.sub("", found[-1] if found else text)


def vqa(text: str, sample: Sample, settings: Vqa) -> Verdict:
    """Agreement with people who answered: evaluators/shown/annotators.py. The part `majority` is 1 above one half."""
    answers = [annotators.normal(one) for one in answers_of(sample)]
    found, rule = wording.taken(without_marks(text), settings.take)
    if not found:
        return Verdict(0.0, None, rule, NOTHING_FOUND, {"majority": 0.0})
    said = annotators.normal(found)
    score = round(annotators.agreement(said, answers), 6)
    why = f"{answers.count(said)} of {len(answers)} people said it"
    return Verdict(score, found, rule, why, {"majority": float(score > 0.5)})


def answers_of(sample: Sample) -> list[str]:
    """What the people answered: texts, or objects with `answer`. Raises EvaluationError where there is none."""
    given = sample.reference if isinstance(sample.reference, list) else [sample.reference]
    texts = [one.get("answer") if isinstance(one, Mapping) else one for one in given]
    found = [str(one) for one in texts if one is not None]
    if not found:
        raise EvaluationError(
            f"row {sample.id} has no answers of people as reference; give a list of texts, or of objects with answer"
        )
    return found


def iou(text: str, sample: Sample, settings: Iou) -> Verdict:
    """1 where the box of the answer overlaps that of the reference enough; the parts are the overlap and others."""
    size = size_of(sample, settings)
    wanted = reference_box(sample, settings)
    found = boxes.find(text, settings.which)
    if found is None:
        return Verdict(0.0, None, "", "no box was found in the text", parts_of(0.0, False))
    one, two, three, four = found.numbers
    given = (one, two, three, four) if settings.order == "xyxy" else (two, one, four, three)
    try:
        box = boxes.in_pixels(given, settings.scale, size)
    except ValueError as error:
        raise EvaluationError(
            f"row {sample.id}: {error}; keep {settings.width} and {settings.height} in `meta` (`sizes` of the reader "
            "`table` measures them), or set scale = 'pixels'"
        ) from None
    value = round(boxes.overlap(box, wanted), 6)
    parts = parts_of(value, boxes.centre_is_in(box, wanted))
    overlapping = f"overlap {value:.2f} with the right box in pixels, {', '.join(f'{side:g}' for side in wanted)}"
    return Verdict(
        float(value >= settings.threshold),
        list(given),
        found.rule,
        f"{overlapping}, right from {settings.threshold:g}",
        parts,
    )


def parts_of(value: float, centre: bool) -> dict[str, float]:
    """Measures of one box: the overlap, whether it is above several thresholds, and whether its middle is inside."""
    return {"iou": value, **{f"acc@{at}": float(value >= at) for at in ABOVE}, "centre": float(centre)}


def size_of(sample: Sample, settings: Iou) -> tuple[float, float] | None:
    """Width and height of the picture in pixels, or None where the row has not both."""
    width, height = (sample.meta.get(name) for name in (settings.width, settings.height))
    return (float(width), float(height)) if width and height else None


def reference_box(sample: Sample, settings: Iou) -> boxes.Box:
    """The box that is right, in pixels. Raises EvaluationError for a reference that is none."""
    given = sample.reference
    if isinstance(given, str):
        found = boxes.find(given, "first")
        given = None if found is None else list(found.numbers)
    if not isinstance(given, list) or len(given) != 4 or not all(isinstance(one, (int, float)) for one in given):
        raise EvaluationError(f"row {sample.id}: the reference {sample.reference!r:.60} is no box of four numbers")
    one, two, three, four = map(float, given)
    return (one, two, one + three, two + four) if settings.form == "xywh" else boxes.in_order((one, two, three, four))


def by_options(text: str, sample: Sample, settings: ByOptions) -> Verdict:
    """As `choice` scores it where the row has choices, else as the best of other evaluators does."""
    text = without_marks(text)
    own = settings_of(settings.choices, choice.Choice, "choices")
    letter = settings.letters and str(sample.reference).strip() in tuple(own.options)
    if choice.choices_of(sample.meta, own) or letter:
        return choice.score(text, sample, own)
    return best_of(text, references_apart(sample), settings.open)


def references_apart(sample: Sample) -> list[Sample]:
    """The sample once for each of its references."""
    given = sample.reference if isinstance(sample.reference, list) and sample.reference else [sample.reference]
    return [msgspec.structs.replace(sample, reference=one) for one in given]


def best_of(text: str, samples: list[Sample], open_ones: Mapping[str, dict[str, Any]]) -> Verdict:
    """The best verdict of several evaluators on the same answer; raises what the last one did where all of them did.

    One that cannot take a reference, such as a word or a span of years for a number, is passed over.
    """
    found: list[Verdict] = []
    failed: EvaluationError | None = None
    for name, sample in product(open_ones, samples):
        verdict = verdict_of(text, sample, name, open_ones[name])
        if isinstance(verdict, EvaluationError):
            failed = verdict
            continue
        found.append(verdict._replace(parts={}))
        if verdict.score >= 1:
            break
    if not found and failed is not None:
        raise failed
    return max(found, key=lambda one: one.score)


def verdict_of(text: str, sample: Sample, name: str, given: Mapping[str, Any]) -> Verdict | EvaluationError:
    """What an evaluator says of an answer, or why it cannot say anything.

    A reference that is a number is compared and not looked for among other words, and `number` takes no other one: of
    8:00 and 1968-1972 it would take the last number.
    """
    single = quantity.is_one_number(str(sample.reference))
    if (name == "number" and not single) or (name == "contains" and single):
        kind = "a number, which is not looked for among words" if single else "no single number"
        return EvaluationError(f"the reference {sample.reference!r:.60} is {kind}; name further evaluators in `open`")
    other = evaluator(name)
    try:
        return other.score(text, sample, settings_of(given, other.settings, f"open.{name}"))
    except EvaluationError as error:
        return error


EVALUATORS = {
    "anls": Evaluator(anls, "Similarity to the nearest reference by edits, as of DocVQA.", "anls", Anls),
    "vqa": Evaluator(vqa, "Agreement with the people who answered, as of VQA.", "vqa_accuracy", Vqa),
    "iou": Evaluator(iou, "The box in the answer overlaps the right one.", "accuracy@0.5", Iou, vote=False),
    "by_options": Evaluator(by_options, "A choice where the row has some, else an open answer.", settings=ByOptions),
}
