"""The evaluator `number`: which number of an answer counts, how it is read, and when it is right."""

import json
import random
import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings, strategies

from evaluators.errors import EvaluationError
from evaluators.formulas.numerals import last, numerals, plain, written
from evaluators.number import Number, find, reference, score
from evaluators.registry import evaluator
from evaluators.sample import Sample
from evaluators.settings import evaluation_of, settings_of
from perfcore.workload import registry
from perfcore.workload.source import Made, Wanted

ROOT = Path(__file__).parents[1]
SMALL = ROOT / "tests" / "data" / "datasets"
LARGE = ROOT.parent / "shared" / "data"
LANGUAGES = ["bn", "de", "en", "es", "fr", "ja", "ru", "sw", "te", "th", "zh"]


def right(text: str, wanted: Any, subset: str = "", **args: Any) -> float:
    return score(text, Sample(id="1", reference=wanted, subset=subset), Number(**args)).score


def settings_in(preset: str) -> Number:
    """Settings of the evaluator in a preset."""
    table = evaluation_of(registry.resolved(preset, None).preset.evaluation, preset)
    found: Number = settings_of(table.args, evaluator(table.evaluator).settings, preset)
    return found


def large(path: str) -> Path:
    if not LARGE.is_dir():
        pytest.skip(f"the data sets are not in {LARGE}")
    return LARGE / path


def gsm8k(path: Path) -> list[str]:
    return [json.loads(line)["answer"] for line in path.read_text(encoding="utf-8").splitlines()]


def said(answer: str) -> Iterator[str]:
    """Ways to give a number."""
    yield from (
        answer,
        f"#### {answer}",
        f"So \\boxed{{{answer}}} it is.",
        f"The answer is {answer}.",
        f"answer:{answer}",
    )
    yield f"She has 3 + 4 = 7. Then 7 more.\nIn all it costs ${answer}."
    yield f"The answer is ${answer}$ dollars."
    yield f"**Answer:** {answer}\n\nThat is because 12 and 13 are numbers."


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1,234", "1234"),
        ("1 234", "1234"),
        ("1'234", "1234"),
        ("1\u202f234\u202f567", "1234567"),
        ("12,34,567", "1234567"),
        ("1,234.50", "1234.5"),
        ("1.234.567", "1234567"),
        ("1.234,50", "1234.5"),
        ("1{,}234", "1234"),
        ("10,\\!080", "10080"),
        ("$5", "5"),
        ("\u20ac 5", "5"),
        ("USD5", "5"),
        ("Rs. 500", "500"),
        ("-5", "-5"),
        ("\u22125", "-5"),
        ("-$5", "-5"),
        ("$-5", "-5"),
        (".5", "0.5"),
        ("18.", "18"),
        ("3/4", "0.75"),
        ("1 3/4", "1.75"),
        ("1/3", "1/3"),
        ("\u00bd", "0.5"),
        ("2\u00bd", "2.5"),
        ("\\frac{3}{4}", "0.75"),
        ("-\\dfrac34", "-0.75"),
        ("1\\frac{3}{4}", "1.75"),
        ("1.5e3", "1500"),
        ("2.5 \\times 10^{3}", "2500"),
        ("2.5\u00d710^-1", "0.25"),
        ("50 cm^2", "50"),
        ("50 m2", "50"),
        ("10-15", "15"),
        ("\u09e7\u09e8\u09e9", "123"),
        ("\u0661\u0662\u066b\u0665", "12.5"),
        ("\u0e51\u0e52", "12"),
        ("\uff11\uff18", "18"),
        ("8 on the 3rd day", "8"),
    ],
)
def test_a_number_is_read_as_people_write_it(text: str, value: str) -> None:
    found = find(text)
    assert found is not None and found.numeral is not None and written(found.numeral.value) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5.600", "5600"),
        ("2,5", "2.5"),
        ("5,600", "5600"),
        ("1.234,5", "1234.5"),
        ("3.5", "3.5"),
        ("5 600,5", "5600.5"),
    ],
)
def test_a_comma_is_the_mark_of_decimals_where_the_language_has_it(text: str, value: str) -> None:
    found = find(text, comma=True)
    assert found is not None and found.numeral is not None and written(found.numeral.value) == value


@pytest.mark.parametrize(
    ("text", "value", "rule"),
    [
        ("9 eggs\n#### 18", 18, "####"),
        ("#### 5\nNo.\n#### 18", 18, "####"),
        ("The answer is 5. No, the answer is 18. (5 was wrong)", 18, "answer is"),
        ("The answer is 16 - 3 - 4 = 9 eggs", 9, "answer is"),
        ("The answer is that each of the 3 children gets 5 apples.", 5, "answer is"),
        ("The answer to the question is **18**, not 17.", 18, "answer is"),
        ("\\boxed{18} since 2 * 9 is 18, and 3 are gone", 18, "boxed"),
        ("The final answer is $\\boxed{18}$. I hope it is correct.", 18, "answer is"),
        ("\\boxed{x = 18}", 18, "boxed"),
        ("$$\\boxed{18}$$ solves $x^3 = 5832$.", 18, "boxed"),
        ("\\boxed{- 18}", -18, "boxed"),
        ("\\boxed{18 \\text{ million}}", 18, "boxed"),
        ("Answer: 18\n\nExplanation: 16 + 2", 18, "answer:"),
        ("Answer: 16 - 3 = 13 eggs\nShe sells them for $26.", 26, "last number"),
        ("\u7b54\u6848\u662f 18\u3002 16 + 2", 18, "answer is"),
        ("She makes 9 * 2 = $18 every day.", 18, "last number"),
        ("So **18**.", 18, "last number"),
    ],
)
def test_rules_are_tried_in_their_order_and_named(text: str, value: int, rule: str) -> None:
    verdict = score(text, Sample(id="1", reference=value), Number())
    assert (verdict.score, verdict.extracted, verdict.rule, verdict.why) == (1.0, str(value), rule, "equal")


@pytest.mark.parametrize("word", ["Question:", "Q:", "**Question 2:**", "Problem:", "\u95ee\u9898\uff1a", "Frage:"])
def test_a_question_that_the_model_invents_is_cut_off(word: str) -> None:
    assert right(f"So she has 18.\n\n{word} Tom has 7 pears.\nAnswer: 7", 18) == 1.0


def test_a_question_that_is_repeated_before_the_answer_is_not_cut_off() -> None:
    assert right("Question: how many?\nAnswer: 18", 18) == 1.0


@pytest.mark.parametrize(
    ("text", "wanted", "points"),
    [
        ("1,234", "1234", 1.0),  # the last number by AISBench's rule would be 234
        ("1,234", "234", 0.0),
        ("The answer is 2,125 dollars.", "2,125", 1.0),
        ("18.0000004", "18", 1.0),
        ("18.1", "18", 0.0),
        ("1234567", "1234568", 0.0),
        ("50%", "50", 1.0),
        ("50%", "0.5", 1.0),
        ("50", "0.5", 0.0),
        ("$1.2 million", 1_200_000, 1.0),
        ("1.2 million", 1.2, 1.0),
        ("3\u4e07", 30000, 1.0),
        ("1/2", 0.5, 1.0),
        ("-18", "18", 0.0),
        ("180", "18", 0.0),
    ],
)
def test_numbers_are_compared_by_their_value(text: str, wanted: Any, points: float) -> None:
    assert right(text, wanted) == points


def test_a_tolerance_can_be_asked_for() -> None:
    assert right("3.1", 3, tolerance=0.1) == 1.0
    assert right("3.11", 3, tolerance=0.1) == 0.0


@pytest.mark.parametrize("text", ["", "I do not know.", "H2O", "5/0", "9" * 5000, "1e99999"])
def test_an_answer_without_a_number_is_wrong_and_says_why(text: str) -> None:
    verdict = score(text, Sample(id="1", reference="5"), Number())
    assert verdict.score == 0.0 and verdict.extracted is None and "no answer" in verdict.why


NO_SINGLE_NUMBER = [
    *("5, 6", "(5, 0)", "**5, 6**", "So we get\n5 and 6", "#### 5, 6", "#### 5x"),
    *(
        "\\boxed{5!}",
        "\\boxed{5x}",
        "\\boxed{5 x}",
        "\\boxed{5n}",
        "\\boxed{5\\pi}",
        "\\boxed{5\\sqrt{2}}",
        "\\boxed{\\sqrt{5}}",
    ),
    *(
        "\\boxed{5+3}",
        "\\boxed{-x+5}",
        "\\boxed{5^2}",
        "\\boxed{5^{2}}",
        "\\boxed{5-15}",
        "\\boxed{5/x}",
        "\\boxed{\\frac{5}{x}}",
    ),
    *(
        "\\boxed{5, 6}",
        "\\boxed{(5,0)}",
        "\\boxed{[5,6]}",
        "\\boxed{5:30}",
        "\\boxed{x>5}",
        "\\boxed{5 \\text{ or } 6}",
    ),
    *("\\boxed{5 dollars and 50 cents}", "\\boxed{x = 5 \\text{ or } x = 6}", "\\boxed{5x} since 2 + 3 = 5"),
    *(
        "The answer is 5, 6",
        "The answer is (5, 0).",
        "The answer is 5 and 6.",
        "The answer is $5x$.",
        "The answer is 5:30.",
    ),
    *("The answer is \\boxed{5!}.", "Answer: \\boxed{5, 6}", "Answer: 5 or 6", "Answer: 5 to 6", "Answer: 5x"),
]


@pytest.mark.parametrize("text", NO_SINGLE_NUMBER)
def test_what_is_more_than_one_number_is_not_its_first_one(text: str) -> None:
    verdict = score(text, Sample(id="1", reference="5"), Number())
    assert verdict.score == 0.0 and verdict.why == "no single number, where 5 is right"
    assert verdict.extracted and verdict.extracted in text and verdict.rule


ONE_NUMBER = [
    *("5!", "The answer is 5!", "The answer is 5, not 6.", "The answer is 5, 3 more than 2.", "The answer is 5 a day."),
    *("The answer is 5 books and 3 are left.", "The answer is **5**, and 6 was wrong.", "Answer: 5 (16 - 11)"),
    *(
        "So it is 2, 3 and 5 = 5",
        "#### 5 apples",
        "\\boxed{x=5}",
        "\\boxed{2 \\times 2.5 = 5}",
        "\\boxed{\\$5}",
        "\\boxed{5\\%}",
    ),
    *("\\boxed{5 km/h}", "\\boxed{5/hour}", "\\boxed{5 (eggs)}", "\\boxed{5 \\text{ (in 2 days)}}", "\\boxed{5 m^2}"),
    *(
        "\\boxed{5\\text{ m}^{2}}",
        "\\boxed{5^{\\circ}}",
        "\\boxed{5^\\circ C}",
        "\\boxed{\\{5\\}}",
        "\\boxed{\\approx 5}",
    ),
    *(
        "\\boxed{\\text{She has } 5 \\text{ eggs}} of 12",
        "\\boxed{5\\, \\text{kg}}",
        "\\boxed{5x} is wrong: \\boxed{5}",
    ),
]


@pytest.mark.parametrize("text", ONE_NUMBER)
def test_one_number_may_have_units_and_words_around_it(text: str) -> None:
    assert right(text, "5") == 1.0


@given(
    strategies.lists(
        strategies.sampled_from(["1", "34", ",", ".", "/", "\n", " ", " x", " a ", "\\times ", "10^3", "3rd", "%"])
    )
)
def test_the_last_number_is_the_same_whether_the_end_is_read_first_or_all(pieces: list[str]) -> None:
    text = plain("".join(pieces))
    every = [each for each in numerals(text) if not each.ordinal] or list(numerals(text))
    assert last(text) == (every[-1] if every else None)


@pytest.mark.parametrize("wanted", [None, "", "none", True, [5]])
def test_a_reference_without_a_number_is_an_error_of_the_sample(wanted: Any) -> None:
    with pytest.raises(EvaluationError, match="has no number"):
        right("5", wanted)


def test_a_prefix_that_is_no_regular_expression_is_named() -> None:
    with pytest.raises(EvaluationError, match=r"evaluation.args.prefix"):
        right("5", 5, prefix=["("])


@pytest.mark.parametrize(
    "text",
    [
        *("1" * 100_000, "11," * 30_000, "1 " * 50_000, "1/" * 50_000, "-" * 100_000, "####" * 20_000),
        *("answer is " * 10_000, "answer" + " " * 100_000, "Question:\n" * 10_000, "\\ " + " " * 100_000),
    ],
    ids=lambda text: repr(text[:12]),
)
@pytest.mark.timeout(20)
def test_long_hostile_answers_take_no_long_time(text: str) -> None:
    right(text, 5)


@settings(max_examples=100, deadline=None)
@given(strategies.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-(10**9), max_value=10**9))
def test_any_decimal_is_found_again_in_the_forms_that_english_has(value: Any) -> None:
    for text in (f"{value:f}", f"{value:,f}", f"It is {value:,f}."):
        assert [numeral.value for numeral in numerals(plain(text))] == [Fraction(str(value))]


@settings(max_examples=100, deadline=None)
@given(strategies.text(alphabet="0123456789.,/-$% e^{}\\frac\u00bd\u0661=#:answer is"))
def test_no_text_makes_reading_fail(text: str) -> None:
    right(text, 5)


def test_the_first_rows_of_gsm8k_are_right_in_every_form() -> None:
    for answer in gsm8k(SMALL / "gsm8k" / "test.jsonl"):
        for text in (answer, *said(written(reference(answer)))):
            assert right(text, answer) == 1.0, text


@pytest.mark.parametrize("name", ["test", "train"])
def test_all_references_of_gsm8k_score_100_percent_and_shuffled_ones_next_to_nothing(name: str) -> None:
    answers = random.Random(2).sample(gsm8k(large(f"gsm8k/{name}.jsonl")), 500)
    for answer in answers:
        assert right(answer, answer) == 1.0, answer
        for text in said(answer.rpartition("####")[2].strip()):
            assert right(text, answer) == 1.0, text
    shuffled = random.Random(5).sample(answers, len(answers))
    assert sum(map(right, shuffled, answers)) / len(answers) < 0.03


@pytest.mark.parametrize("language", LANGUAGES)
def test_all_references_of_mgsm_score_100_percent_in_the_form_that_its_prompt_asks_for(language: str) -> None:
    name = f"mgsm_{language}"
    args = msgspec.structs.asdict(settings_in(name))
    found = registry.open_dataset(registry.resolved(name, None), {}, Wanted(), (large("."),))
    assert not isinstance(found, Made)
    rows = list(found)
    asked = str(rows[0].prompt).rpartition("\n")[2]
    word = re.findall('["\u201c\u300c]([^":]+?) ?:', asked)[-1]
    for row in rows:
        text = f"16 + 2 = 18\n{word}: {row.reference}\n\n(3)"
        verdict = score(text, Sample(id="1", reference=row.reference, subset=row.subset), Number(**args))
        assert (verdict.score, verdict.rule) == (1.0, "prefix"), text
        assert right(str(row.reference), row.reference, subset=row.subset, **args) == 1.0


@pytest.mark.parametrize(
    ("subset", "text", "wanted"),
    [
        ("de", "Antwort: 5.600", "5,600"),
        ("es", "La respuesta es: 114.200 d\u00f3lares", "114,200"),
        ("fr", "R\u00e9ponse : 276 000", "276,000"),
        ("fr", "R\u00e9ponse\u00a0: **2,5**", "2.5"),
        (
            "ru",
            "\u041e\u0442\u0432\u0435\u0442: 5\u00a0600 \u0440\u0443\u0431\u043b\u0435\u0439 2 \u0440",
            "5,600",
        ),
        ("en", "Answer: 5.600", "5.6"),
        ("bn", "\u0989\u09a4\u09cd\u09a4\u09b0: \u09e7\u09e8\u09e9\u0964 \u09e8", "123"),
        ("zh", "\u7b54\u6848\u662f 18\u3002 2", "18"),
        ("ja", "\u7b54\u3048: 18\u500b 2", "18"),
    ],
)
def test_each_language_of_mgsm_has_its_words_and_marks(subset: str, text: str, wanted: str) -> None:
    assert right(text, wanted, subset=subset, **msgspec.structs.asdict(settings_in("mgsm"))) == 1.0
