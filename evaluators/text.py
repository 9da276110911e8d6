"""Text against text: exact, contains, f1, rouge, bleu, similarity, errors. docs/text-metrics.md has them in words."""

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from evaluators.registry import Evaluator
from evaluators.sample import NOTHING_FOUND, Sample, Verdict
from evaluators.words import chinese, overlap, wording
from evaluators.words.overlap import Method
from evaluators.words.wording import Form, Language, Take

DIGIT_BEFORE, DIGIT_AFTER = re.compile(r"\d[./:]?\Z|(?<!\w)-\Z"), re.compile(r"[./:]?\d")
SHOWN = 60  # characters of a reference in `why`

Separator = Annotated[str, Meta(description="What stands between several references in one text, such as |.")]
Taking = Annotated[Take, Meta(description="Which part of the text is the answer: evaluators/words/wording.py, taken.")]
Speaking = Annotated[Language, Meta(description="en, zh, or other (no Latin script); else the texts tell.")]
Normalizing = Annotated[Form, Meta(description="Normal form in which texts are compared; each has those before it.")]


class Exact(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of `exact`."""

    normalize: Normalizing = "articles"
    take: Taking = ""
    separator: Separator = ""


class Contains(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of `contains`."""

    normalize: Normalizing = "articles"
    take: Taking = ""
    separator: Separator = ""
    both: Annotated[bool, Meta(description="An answer within a reference is right too.")] = False
    whole: Annotated[
        int, Meta(ge=0, description="Texts of so many characters at most have to be whole words where they are found.")
    ] = 4


class F1(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of `f1`."""

    take: Taking = ""
    separator: Separator = ""
    language: Speaking = ""
    measure: Annotated[Literal["f1", "em", "precision", "recall"], Meta(description="Which one is the score.")] = "f1"


class Rouge(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of `rouge`."""

    take: Taking = ""
    language: Speaking = ""
    measure: Annotated[Literal["rouge1", "rouge2", "rougeL"], Meta(description="Which one is the score.")] = "rougeL"
    stem: Annotated[bool, Meta(description="Compare stems of English words (Porter).")] = False


class Bleu(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of `bleu`."""

    take: Taking = ""
    language: Speaking = ""
    measure: Annotated[
        Literal["bleu1", "bleu2", "bleu3", "bleu4"], Meta(description="Which one is the score of an item.")
    ] = "bleu4"


class Similarity(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of `similarity`."""

    take: Taking = ""
    method: Annotated[
        Method, Meta(description="Edits as of Levenshtein, or insertions and deletions alone (indel).")
    ] = "levenshtein"
    normalize: Normalizing = "none"


class Errors(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of `errors`."""

    take: Taking = ""
    language: Speaking = ""
    unit: Annotated[
        Literal["word", "character"], Meta(description="What the score counts: 1 - errors of words or characters.")
    ] = "word"


def exact(text: str, sample: Sample, settings: Exact) -> Verdict:
    """1 where the answer is one of the references, both in the normal form."""
    wanted = wording.references(sample, settings.separator)
    found, rule = wording.taken(text, settings.take)
    if not found:
        return nothing(rule)
    said = wording.normal(found, settings.normalize)
    right = any(said == wording.normal(one, settings.normalize) for one in wanted)
    return verdict(right, found, rule, "is the reference" if right else f"is not {shown(wanted)}")


def contains(text: str, sample: Sample, settings: Contains) -> Verdict:
    """1 where the answer has one of the references in it, both in the normal form."""
    wanted = wording.references(sample, settings.separator)
    found, rule = wording.taken(text, settings.take)
    if not found:
        return nothing(rule)
    said = wording.normal(found, settings.normalize)
    for one in wanted:
        reference = wording.normal(one, settings.normalize)
        if within(reference, said, settings.whole):
            return verdict(True, found, rule, f"has {one[:SHOWN]!r}")
        if settings.both and within(said, reference, settings.whole):
            return verdict(True, found, rule, f"is within {one[:SHOWN]!r}")
    return verdict(False, found, rule, f"has no {shown(wanted)}")


def within(part: str, text: str, whole: int) -> bool:
    """Whether a text has a part, of whole words where that is no longer than `whole`; it never has an empty one."""
    at = text.find(part) if part else -1
    while at >= 0:
        end = at + len(part)
        in_word = len(part) <= whole and (joined(text[at - 1 : at], part[0]) or joined(part[-1], text[end : end + 1]))
        if not in_word and not in_number(text, at, end):
            return True
        at = text.find(part, at + 1)
    return False


def in_number(text: str, at: int, end: int) -> bool:
    """Whether a part of a text begins or ends within a number: 35 yards is not in 135 yards, nor 3 in 3.5 or -3."""
    before, after = text[max(0, at - 2) : at], text[end : end + 2]
    return ((text[at].isdigit() or text[at] == ".") and DIGIT_BEFORE.search(before) is not None) or (
        text[end - 1].isdigit() and DIGIT_AFTER.match(after) is not None
    )


def joined(one: str, other: str) -> bool:
    """Whether two neighbours are of one word; Chinese characters are words of their own."""
    return one.isalnum() and other.isalnum() and not wording.is_han(one + other)


def f1(text: str, sample: Sample, settings: F1) -> Verdict:
    """Words in common with the reference for which these are the most."""
    wanted = wording.references(sample, settings.separator)
    found, rule = wording.taken(text, settings.take)
    if not found:
        return nothing(rule, {"em": 0.0, "f1": 0.0, "precision": 0.0, "recall": 0.0})
    language = wording.language_of(settings.language, found, *wanted)
    said = wording.tokens(found, language)
    all_of = [overlap.overlap(said, wording.tokens(one, language)) for one in wanted]
    most = all_of[wording.best([one.f1 for one in all_of])]
    normal = wording.normal(found, "articles")
    em = float(any(normal == wording.normal(one, "articles") for one in wanted))
    parts = overlap.rounded({"em": em, "f1": most.f1, "precision": most.precision, "recall": most.recall})
    return Verdict(parts[settings.measure], found, rule, f"{settings.measure} to {shown(wanted)}", parts)


def rouge(text: str, sample: Sample, settings: Rouge) -> Verdict:
    """F of ROUGE-1, -2 and -L."""
    wanted = wording.references(sample)
    found, rule = wording.taken(text, settings.take)
    if not found:
        return nothing(rule, dict.fromkeys(("rouge1", "rouge2", "rougeL"), 0.0))
    parts = overlap.rounded(overlap.rouge(found, wanted, settings.language, settings.stem))
    return Verdict(parts[settings.measure], found, rule, f"{settings.measure} to {shown(wanted)}", parts)


def bleu(text: str, sample: Sample, settings: Bleu) -> Verdict:
    """BLEU of one answer, of orders up to four."""
    wanted = wording.references(sample)
    found, rule = wording.taken(text, settings.take)
    if not found:
        return nothing(rule, {f"bleu{order}": 0.0 for order in overlap.ORDERS})
    parts = overlap.rounded(overlap.bleu(found, wanted, settings.language))
    return Verdict(parts[settings.measure], found, rule, f"{settings.measure} to {shown(wanted)}", parts)


def corpus_bleu(samples: Sequence[Sample], verdicts: Sequence[Verdict], settings: Bleu) -> Mapping[str, float]:
    """BLEU of all answers together; an answer that is empty counts as one without words."""
    said = [one.extracted or "" for one in verdicts]
    wanted = [wording.references(sample) for sample in samples]
    found = overlap.corpus_bleu(said, wanted, settings.language)
    return {f"corpus_{name}": value for name, value in overlap.rounded(found).items()}


def similarity(text: str, sample: Sample, settings: Similarity) -> Verdict:
    """Edit similarity to the nearest reference."""
    wanted = wording.references(sample)
    found, rule = wording.taken(text, settings.take)
    if not found:
        return nothing(rule)
    said = wording.normal(found, settings.normalize)
    values = [overlap.similarity(said, wording.normal(one, settings.normalize), settings.method) for one in wanted]
    return Verdict(round(max(values), 6), found, rule, f"{settings.method} to {shown(wanted)}")


def errors(text: str, sample: Sample, settings: Errors) -> Verdict:
    """1 - rate of errors, at least 0; the parts are the rates themselves, which may be more than 1."""
    wanted = wording.references(sample)
    found, rule = wording.taken(text, settings.take)
    parts = {name: overlap.rate(counted(found, wanted, name, settings.language)) for name in UNITS}
    score = max(0.0, 1 - parts[RATES[settings.unit]])
    why = f"{RATES[settings.unit]} to {shown(wanted)}" if found else NOTHING_FOUND
    return Verdict(round(score, 6), found or None, rule, why, overlap.rounded(parts))


def counted(found: str, wanted: Sequence[str], name: str, language: Language) -> overlap.Edits:
    """Edits to the nearest reference."""
    chosen = wording.language_of(language, found, *wanted)
    every = [overlap.edits(units(found, name, chosen), units(one, name, chosen)) for one in wanted]
    return min(every, key=overlap.rate)


def units(text: str, name: str, language: Language) -> Sequence[str]:
    """Words or characters of a text in lower case without punctuation; characters without blanks in Chinese."""
    plain = wording.normal(text, "punctuation")
    if name == "cer":
        return plain.replace(" ", "") if language == "zh" else plain
    return chinese.words(plain) if language == "zh" else plain.split()


def all_errors(samples: Sequence[Sample], verdicts: Sequence[Verdict], settings: Errors) -> Mapping[str, float]:
    """Rates over all answers: their edits together by the tokens of their references together."""
    found = {}
    for name in UNITS:
        every = [
            counted(one.extracted or "", wording.references(sample), name, settings.language)
            for sample, one in zip(samples, verdicts, strict=True)
        ]
        edits, tokens = sum(one.edits for one in every), sum(one.tokens for one in every)
        found[f"corpus_{name}"] = overlap.rate(overlap.Edits(edits, tokens))
    return overlap.rounded(found)


def nothing(rule: str, parts: Mapping[str, float] | None = None) -> Verdict:
    """Of a text in which a rule finds no answer."""
    return Verdict(0.0, None, rule, NOTHING_FOUND, parts or {})


def verdict(right: bool, found: str, rule: str, why: str) -> Verdict:
    return Verdict(float(right), found, rule, why)


def shown(wanted: Sequence[str]) -> str:
    """References for a person."""
    more = f" or {len(wanted) - 1} more" if len(wanted) > 1 else ""
    return f"{wanted[0][:SHOWN]!r}{more}"


RATES = {"word": "wer", "character": "cer"}
UNITS = tuple(RATES.values())
EVALUATORS = {
    "exact": Evaluator(exact, "The answer is a reference, in a normal form.", "accuracy", Exact),
    "contains": Evaluator(contains, "The answer has a reference in it.", "accuracy", Contains),
    "f1": Evaluator(f1, "Words in common with a reference, as of SQuAD.", "f1", F1),
    "rouge": Evaluator(rouge, "ROUGE-1, -2 and -L.", "rougeL", Rouge),
    "bleu": Evaluator(bleu, "BLEU-1 to -4 of each answer, and of all together.", "bleu4", Bleu, corpus_bleu),
    "similarity": Evaluator(similarity, "Edit similarity of characters.", "edit_similarity", Similarity),
    "errors": Evaluator(errors, "1 - rate of errors of words or characters.", "1-wer", Errors, all_errors, True),
}
