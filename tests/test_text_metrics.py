"""Text against text: exact, contains, f1, rouge, bleu, similarity, errors; values worked out by hand."""

import itertools
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rouge_score import rouge_scorer

from evaluators.errors import EvaluationError
from evaluators.registry import evaluator
from evaluators.sample import Sample, Verdict
from evaluators.settings import settings_of
from evaluators.words import chinese, overlap, wording

ROOT = Path(__file__).parents[1]
SENTENCES = [
    "The harbour closed at noon because of the storm.",
    "Two engineers measured how long the bridge swings.",
    "Nobody remembers who planted the oldest oak in the park.",
    "Prices of copper fell for the third week in a row.",
    "A museum of clocks opens in the former railway station.",
    "The choir sang without notes, and the audience stood up.",
]
CHINESE = [
    "台风登陆前港口已经关闭。",
    "两名工程师测量了大桥的摆动。",
    "没有人记得公园里最老的橡树是谁种的。",
    "铜价连续三周下跌。",
    "钟表博物馆在旧火车站开放。",
]
NAMES = ["exact", "contains", "f1", "rouge", "bleu", "similarity", "errors"]


def scored(name: str, text: str, reference: Any, **args: Any) -> Verdict:
    found = evaluator(name)
    return found.score(text, Sample(id="1", reference=reference), settings_of(args, found.settings, name))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("texts", [SENTENCES, CHINESE], ids=["en", "zh"])
def test_references_as_answers_score_everything_and_those_of_others_little(name: str, texts: list[str]) -> None:
    rights = [scored(name, text, text).score for text in texts]
    others = [scored(name, text, other).score for text, other in zip(texts, [*texts[1:], texts[0]], strict=True)]
    assert rights == pytest.approx([1.0] * len(texts))
    assert sum(others) / len(texts) < 0.35


@pytest.mark.parametrize(
    ("answer", "reference", "form", "right"),
    [
        ("The  Beatles!", "beatles", "articles", True),
        ("The Beatles!", "beatles", "punctuation", False),
        ("BEATLES", "beatles", "case", True),
        ("BEATLES", "beatles", "space", False),
        (" a  b ", "a b", "space", True),
        ("\uff21\uff22\uff23", "abc", "case", True),  # full width
        ("\u5317 \u4eac\u3002", "\u5317\u4eac", "articles", True),
        ("3.14", "314", "articles", False),
        ("1,000", "1000", "articles", True),
        ("The", "a", "articles", False),  # nothing would be left of either
        ("The", "the", "articles", True),
        ("!!!", "???", "articles", False),
        ("Paris", ["London", "paris"], "articles", True),
        ("Paris, France", "Paris", "articles", False),
        ("12", 12, "articles", True),
        ("true", True, "articles", True),
        ("Straße", "STRASSE", "case", True),
    ],
)
def test_exact_compares_normal_forms(answer: str, reference: Any, form: str, right: bool) -> None:
    assert scored("exact", answer, reference, normalize=form).score == right


@pytest.mark.parametrize(
    ("answer", "reference", "right"),
    [
        ("It was Marie Curie.", "marie curie", True),
        ("He is Iranian", "Iran", False),  # short ones have to be whole words
        ("He is from Iran.", "Iran", True),
        ("the year 1990", "9", False),
        ("3\u4e2a", "3", True),
        ("30\u4e2a", "3", False),
        ("dogs and cats", "the", False),
        ("anything", "the", False),  # an article alone is not found everywhere
        ("anything", "?!", False),
        ("Berlin or Paris", ["Rome", "Paris"], True),
        ("\u4ed6\u5728\u5317\u4eac\u5de5\u4f5c", "\u5317\u4eac", True),
    ],
)
def test_contains_looks_for_a_reference(answer: str, reference: Any, right: bool) -> None:
    assert scored("contains", answer, reference).score == right


@pytest.mark.parametrize(
    ("answer", "right"),
    [
        ("They scored twice.\nAnswer: 35", True),
        ("Answer: 3", False),  # a digit of 35 is not 35
        ("**Answer:** 35 yards by Moreno", True),
        ("Answer: Moreno", True),
        ("Answer: 12\nNo, wait.\nAnswer: 35 yards", True),
        ("Answer: 12", False),
        ("Answer: yards", True),  # the rule of DROP: within a right answer is right
        ("35 yards", True),
        ("\u7b54\u6848\uff1a35", True),
    ],
)
def test_contains_both_ways_scores_drop(answer: str, right: bool) -> None:
    args = {"both": True, "separator": "|", "take": "answer"}
    assert scored("contains", answer, "35 yards|35|Moreno", **args).score == right


# "the cat sat on the mat" and "a cat lay on a mat": without articles cat sat on mat and cat lay on mat. Three of four
# words are common: precision 3/4, recall 3/4, F1 3/4.
# "Paris in France" and "Paris": precision 1/3, recall 1, F1 2 * 1/3 / (4/3) = 1/2.
# b b b x and b x x: b once, x once: precision 2/4, recall 2/3, F1 2 * 2 / (4 + 3) = 4/7.
@pytest.mark.parametrize(
    ("answer", "reference", "parts"),
    [
        ("the cat sat on the mat", "a cat lay on a mat", (0, 0.75, 0.75, 0.75)),
        ("Paris in France", "Paris", (0, 0.5, 0.333333, 1)),
        ("b b b x", "b x x", (0, 0.571429, 0.5, 0.666667)),
        ("The Paris.", "paris", (1, 1, 1, 1)),
        ("Rome", "Paris", (0, 0, 0, 0)),
        ("Paris", ["the city of Paris", "Paris"], (1, 1, 1, 1)),
    ],
)
def test_f1_is_that_of_squad(answer: str, reference: Any, parts: tuple[float, ...]) -> None:
    found = scored("f1", answer, reference)
    assert found.parts == dict(zip(("em", "f1", "precision", "recall"), parts, strict=True))
    assert found.score == parts[1]


def test_f1_of_chinese_counts_words_that_jieba_cuts() -> None:
    # Four words and three, of which the first and "Beijing" are common: 2 * 2 / 7.
    answer, reference = "\u6211\u6765\u5230\u5317\u4eac\u6e05\u534e\u5927\u5b66\u3002", "\u6211\u5728\u5317\u4eac"
    assert scored("f1", answer, reference).score == pytest.approx(4 / 7, abs=1e-6)


# Lin (2004), section 3: "police kill the gunman" against "police killed the gunman" has a subsequence of 3 of 4 words,
# ROUGE-L 0.75; "the gunman kill police" one of 2, 0.5. Of bigrams, "the gunman" is in both: 1/3.
@pytest.mark.parametrize(
    ("answer", "rouge1", "rouge2", "longest"),
    [("police kill the gunman", 0.75, 1 / 3, 0.75), ("the gunman kill police", 0.75, 1 / 3, 0.5)],
)
def test_rouge_has_the_values_of_its_paper(answer: str, rouge1: float, rouge2: float, longest: float) -> None:
    found = scored("rouge", answer, "police killed the gunman").parts
    assert found == pytest.approx({"rouge1": rouge1, "rouge2": rouge2, "rougeL": longest}, abs=1e-6)


WORDS = st.lists(st.sampled_from(["a", "b", "c", "dog", "runs", "Home."]), max_size=30).map(" ".join)


@settings(max_examples=200, deadline=None)
@given(WORDS, WORDS)
def test_our_rouge_is_that_of_rouge_score(one: str, other: str) -> None:
    theirs = rouge_scorer.RougeScorer(["rouge1", "rouge2", "rougeL"]).score(other, one)
    ours = overlap.rouge(one, [other], "en")
    assert ours == pytest.approx({name: value.fmeasure for name, value in theirs.items()})


@pytest.mark.parametrize("text", ["Мама мыла раму", "η γάτα κάθισε", "बिल्ली चटाई पर"])
def test_rouge_of_other_scripts_is_not_nothing(text: str) -> None:
    assert scored("rouge", text, text).score == 1
    assert scored("rouge", text, "x y z").score == 0


# "the cat sat on the mat" against "the cat is on the mat": of 6 words 5 are there, of 5 pairs 3 (the cat, on the, the
# mat), of 4 triples 1 (on the mat), of 3 fours none, which sacrebleu smooths to 1 / (2 * 3). No penalty for length.
# BLEU-1 5/6, BLEU-2 sqrt(5/6 * 3/5) = sqrt(1/2), BLEU-3 cbrt(1/2 * 1/4) = 1/2, BLEU-4 (1/8 * 1/6) ** (1/4).
def test_bleu_is_what_a_hand_computes() -> None:
    found = scored("bleu", "the cat sat on the mat", "the cat is on the mat").parts
    values = (5 / 6, 0.5**0.5, 0.5, (1 / 48) ** 0.25)
    assert found == pytest.approx({f"bleu{order}": value for order, value in enumerate(values, 1)}, abs=1e-6)


# Papineni et al. (2002), example 2: "the the the the the the the" has two of seven words, as the reference has two.
def test_bleu_does_not_count_a_word_more_often_than_a_reference_has_it() -> None:
    references = ["The cat is on the mat.", "There is a cat on the mat."]
    assert overlap.bleu("the the the the the the the", [one.lower()[:-1] for one in references], "en")["bleu1"] == (
        pytest.approx(2 / 7)
    )


# "a b" against "a b c d" and "e f g h" against itself. Words 2 + 4 of 6, pairs 1 + 3 of 4, lengths 6 of 8:
# penalty exp(1 - 8/6). BLEU-2 = exp(-1/3) * sqrt(1 * 1).
def test_bleu_of_a_corpus_is_no_mean_of_its_items() -> None:
    found = evaluator("bleu")
    samples = [Sample(id="1", reference="a b c d"), Sample(id="2", reference=["e f g h", "z"])]
    verdicts = [Verdict(0, "a b"), Verdict(0, "e f g h")]
    assert found.totals is not None
    totals = found.totals(samples, verdicts, found.settings())
    assert totals["corpus_bleu2"] == pytest.approx(2.718281828 ** (-1 / 3), abs=1e-6)


# kitten to sitting: two substitutions and an insertion, 3 edits of 7: 4/7. As insertions and deletions alone: two
# substitutions are four, 5 of 13: 8/13.
@pytest.mark.parametrize(("method", "value"), [("levenshtein", 4 / 7), ("indel", 8 / 13)])
def test_similarity_is_what_a_hand_computes(method: str, value: float) -> None:
    assert scored("similarity", "kitten", "sitting", method=method).score == pytest.approx(value, abs=1e-6)


def test_similarity_of_code_is_that_of_its_first_line() -> None:
    answer = "```python\n# the next line\nreturn left + right\nprint(1)\n```"
    assert scored("similarity", answer, "return left + right", take="code_line").score == 1


# "the cat sat" for "the black cat sat down": two words are missing of five: 0.4. "cut" for "cat": one of three letters.
def test_rates_of_errors_count_words_and_characters() -> None:
    assert scored("errors", "The cat sat!", "the black cat sat down").parts["wer"] == 0.4
    assert scored("errors", "cut", "cat", unit="character").score == pytest.approx(2 / 3, abs=1e-6)
    assert scored("errors", "one two three four", "one").parts["wer"] == 3
    assert scored("errors", "one two three four", "one").score == 0
    assert scored("errors", "\u5317\u4eac\u5e02", "\u5317\u4eac \u5e02").parts["cer"] == 0


def test_rates_of_errors_of_all_answers_weigh_long_references_more() -> None:
    found = evaluator("errors")
    samples = [Sample(id="1", reference="a b c"), Sample(id="2", reference="x")]
    assert found.totals is not None
    totals = found.totals(samples, [Verdict(1, "a b c"), Verdict(0, None)], found.settings())
    assert totals == {"corpus_wer": 0.25, "corpus_cer": round(1 / 6, 6)}


@pytest.mark.parametrize(
    ("text", "take", "found", "rule"),
    [
        ("door, of course", "first_word", "door", "first word"),
        ('"... door" he said', "first_word", "door", "first word"),
        ("\n\n one\ntwo", "first_line", "one", "first line"),
        ("one\ntwo\n", "last_line", "two", "last line"),
        ("The answer is Paris.", "answer", "Paris.", "answer phrase"),
        ("Answer:\n\n**Paris**", "answer", "Paris", "answer phrase"),
        ("The answer is not easy.\nThe answer is Rome", "answer", "Rome", "answer phrase"),
        ("Paris\nQuestion: next", "answer_line", "Paris", "first line"),
        ("Paris\nmore", "answer", "Paris\nmore", "whole text"),
        ("\u7b54\u6848\u662f\u5317\u4eac", "answer", "\u5317\u4eac", "answer phrase"),
        ("# only\n// comments", "code_line", "", "first line of code"),
    ],
)
def test_the_part_that_is_the_answer_is_taken(text: str, take: wording.Take, found: str, rule: str) -> None:
    assert wording.taken(text, take) == (found, rule)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("reference", [None, [], "", ["", None], {"a": 1}])
def test_a_row_without_a_reference_is_an_error_and_no_zero(name: str, reference: Any) -> None:
    with pytest.raises(EvaluationError, match="row 1 has"):
        scored(name, "text", reference)


@pytest.mark.parametrize("name", NAMES[:-1])
def test_an_answer_without_the_part_that_counts_says_so(name: str) -> None:
    take = "first_word" if name in ("exact", "contains", "f1") else "code_line"
    found = scored(name, "# ...", "x", take=take) if take == "code_line" else scored(name, "... !", "x", take=take)
    assert (found.score, found.extracted, found.why) == (0, None, "no answer was found in the text")


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "text", ["a " * 100_000, "answer: " * 20_000, "\u5317" * 30_000, "*" * 100_000, "\n" * 200_000 + "x", "\ud800\x00"]
)
def test_no_text_takes_long(name: str, text: str) -> None:
    assert 0 <= scored(name, text, "the a b " * 50, take="answer").score <= 1


def test_cutting_chinese_leaves_no_file_and_says_nothing(tmp_path: Path) -> None:
    code = "from evaluators.words import chinese; print(len(chinese.words('\u6211\u6765\u5230\u5317\u4eac')))"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=ROOT,
        env={"TMPDIR": str(tmp_path), "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout, done.stderr, list(tmp_path.iterdir())) == ("3\n", "", [])


def test_shuffled_references_of_many_rows_are_never_exact() -> None:
    drawn = random.Random(5)
    texts = [f"{drawn.choice(SENTENCES)} {number}" for number in range(200)]
    assert not any(scored("exact", one, other).score for one, other in itertools.pairwise(texts))


def test_words_without_a_mark_between_them_are_those_of_jieba() -> None:
    text = "".join(CHINESE) * 3 + "GPT-4o 3.14%"
    assert chinese.words(text) == [word for word in chinese.dictionary().cut(text) if not word.isspace()]


@pytest.mark.parametrize("name", ["exact", "contains", "f1"])
@pytest.mark.parametrize(
    ("said", "reference", "score"),
    [
        *(("3", "-3", 0), ("-3", "3", 0), ("\u22123", "-3", 1), ("-.5", ".5", 0), ("5", ".5", 0), ("13", "1/3", 0)),
        *(("800", "8:00", 0), ("12", "1,2", 0), ("1,000", "1000", 1), ("1968\u20131972", "1968-1972", 1)),
        *(("$5.", "5", 1), ("50%", "50", 1), ("(3.14)", "3.14", 1), ("co-op", "coop", 1), ("x-3", "x3", 1)),
    ],
)
def test_marks_within_numbers_count(name: str, said: str, reference: str, score: float) -> None:
    found = evaluator(name)
    assert found.score(said, Sample(id="1", reference=reference), found.settings()).score == score


@pytest.mark.parametrize("said", ["it is -3", "1/3", "3/4", "8:30 or 30:3", "3.5", "13", "35"])
def test_a_number_is_not_found_within_another_one(said: str) -> None:
    found = evaluator("contains")
    assert found.score(said, Sample(id="1", reference="3"), found.settings()).score == 0
