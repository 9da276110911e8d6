"""How much two texts have in common, all values from 0 to 1 unless said otherwise."""

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal, NamedTuple, TypeAlias

from rapidfuzz.distance import Indel, LCSseq, Levenshtein
from rouge_score import rouge_scorer, scoring, tokenizers
from sacrebleu.metrics.bleu import BLEU

from evaluators.words import chinese, wording
from evaluators.words.wording import Language

Method: TypeAlias = Literal["levenshtein", "indel"]
ORDERS = (1, 2, 3, 4)


class Overlap(NamedTuple):
    """Of two lists of tokens."""

    f1: float
    precision: float
    recall: float


def overlap(predicted: Sequence[str], wanted: Sequence[str]) -> Overlap:
    """Tokens in common, each as often as both have it; equal ones even if both are empty (SQuAD, Rajpurkar et al.)."""
    if not predicted or not wanted:
        same = float(predicted == wanted)
        return Overlap(same, same, same)
    common = sum((Counter(predicted) & Counter(wanted)).values())
    precision, recall = common / len(predicted), common / len(wanted)
    return Overlap(2 * common / (len(predicted) + len(wanted)), precision, recall)


class Words(NamedTuple):
    """What rouge-score wants of a tokenizer."""

    language: Language
    stem: bool

    def tokenize(self, text: str) -> list[str]:
        if self.language == "zh":
            return [word for word in chinese.words(text.casefold()) if wording.without_marks(word)]
        return wording.words(text) if self.language == "other" else list(english(self.stem).tokenize(text))


@lru_cache(maxsize=2)
def english(stem: bool) -> Any:
    """rouge-score's own words: runs of a-z and 0-9 in lower case."""
    return tokenizers.DefaultTokenizer(stem)


@lru_cache(maxsize=6)
def scorer(words: Words) -> Any:
    return rouge_scorer.RougeScorer(["rouge1", "rouge2"], tokenizer=words)


def rouge(predicted: str, wanted: Sequence[str], language: Language, stem: bool = False) -> dict[str, float]:
    """F of rouge1, rouge2 and rougeL (Lin 2004), each that of the reference for which it is greatest.

    rouge-score's own rougeL takes seconds, and gigabytes, for long answers; the subsequence is rapidfuzz's.
    """
    words = Words(wording.language_of(language, predicted, *wanted), stem)
    grams = scorer(words).score_multi(list(wanted), predicted)
    found = words.tokenize(predicted)
    longest = max(subsequence(found, words.tokenize(text)) for text in wanted)
    return {"rouge1": grams["rouge1"].fmeasure, "rouge2": grams["rouge2"].fmeasure, "rougeL": longest}


def subsequence(predicted: Sequence[str], wanted: Sequence[str]) -> float:
    """F of the longest common subsequence."""
    if not predicted or not wanted:
        return 0.0
    common = LCSseq.similarity(predicted, wanted)
    return float(scoring.fmeasure(common / len(predicted), common / len(wanted)))


@lru_cache(maxsize=8)
def bleu_of(tokenizer: str, sentence: bool) -> Any:
    """sacrebleu's metric; of a sentence only the orders count that it is long enough for."""
    return BLEU(tokenize=tokenizer, effective_order=sentence)


def bleu_tokenizer(language: Language, texts: Sequence[str]) -> str:
    return "zh" if wording.language_of(language, *texts) == "zh" else "13a"


def bleu(predicted: str, wanted: Sequence[str], language: Language) -> dict[str, float]:
    """bleu1 to bleu4 of one answer (Papineni et al. 2002), each cumulative: the mean of the orders up to it."""
    metric = bleu_of(bleu_tokenizer(language, wanted), True)
    return by_order(metric, metric.sentence_score(predicted, list(wanted)), True)


def corpus_bleu(predicted: Sequence[str], wanted: Sequence[Sequence[str]], language: Language) -> dict[str, float]:
    """bleu1 to bleu4 of all answers together; `wanted` has the references of each."""
    most = max(map(len, wanted), default=0)
    streams = [[texts[at] if at < len(texts) else None for texts in wanted] for at in range(most)]
    metric = bleu_of(bleu_tokenizer(language, [texts[0] for texts in wanted[:100]]), False)
    return by_order(metric, metric.corpus_score(list(predicted), streams), False) if most else {}


def by_order(metric: Any, found: Any, sentence: bool) -> dict[str, float]:
    """Scores of the orders from the counts that sacrebleu made."""
    scores = {
        f"bleu{order}": metric.compute_bleu(
            found.counts[:order],
            found.totals[:order],
            found.sys_len,
            found.ref_len,
            smooth_method="exp",
            effective_order=sentence,
            max_ngram_order=order,
        ).score
        / 100
        for order in ORDERS
    }
    return {name: min(score, 1.0) for name, score in scores.items()}  # rounding may leave 1.0000000000000002


def similarity(predicted: str, wanted: str, method: Method) -> float:
    """1 - edits / length of the longer text, or 1 - (insertions and deletions) / both lengths."""
    found = Indel if method == "indel" else Levenshtein
    return float(found.normalized_similarity(predicted, wanted))


class Edits(NamedTuple):
    """Edits that turn the reference into the answer, and the tokens that the reference has."""

    edits: int
    tokens: int


def edits(predicted: Sequence[str], wanted: Sequence[str]) -> Edits:
    """Insertions, deletions and substitutions of tokens."""
    return Edits(int(Levenshtein.distance(wanted, predicted)), len(wanted))


def rate(counts: Edits) -> float:
    """Edits for each token of the reference, which may be more than 1."""
    return counts.edits / counts.tokens if counts.tokens else float(counts.edits > 0)


def rounded(values: Mapping[str, float]) -> dict[str, float]:
    """Values as they are stored: six places."""
    return {name: round(value, 6) for name, value in values.items()}
