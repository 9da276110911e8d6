"""How the reply of a judge is read: which rule finds what, and what is no verdict."""

from pathlib import Path

import msgspec
import pytest

from evaluators.judging.judge import Contract
from evaluators.judging.verdicts import RULES, Scale, field_text, percent, read

JUDGES = Path(__file__).parents[1] / "configs" / "judges"
SCALES = {
    file.stem: msgspec.convert(msgspec.toml.decode(file.read_bytes())["contract"], Contract).scale
    for file in JUDGES.glob("*.toml")
}
AB, YES_NO, WORDS = SCALES["correct"], SCALES["hle"], SCALES["lcr"]
GRADE, PAIR = SCALES["grade"], SCALES["pair"]


@pytest.mark.parametrize(
    ("reply", "scale", "label", "rule"),
    [
        ('{"verdict": "A"}', AB, "A", "json"),
        ('Well.\n```json\n{"reason": "B is wrong", "Verdict": "a"}\n```', AB, "A", "json"),
        ('{"verdict": "B"} no, wait: {"verdict": "A"}', AB, "A", "json"),
        ('{"correct": true, "confidence": 90}', YES_NO, "yes", "json"),
        ("verdict: A", AB, "A", "field"),
        ("**Verdict:** B\nbecause A is not what the reference says", AB, "B", "field"),
        ("verdict: A\nNo, the unit differs.\nFinal verdict: **B**", AB, "B", "field"),
        ("The verdict is A because both say Paris.", AB, "A", "field"),
        ("\u6700\u7ec8 verdict\uff1aA\u3002", AB, "A", "field"),
        ("correct: no\nconfidence: 100%", YES_NO, "no", "field"),
        ("extracted_final_answer: yes\nreasoning: same\ncorrect: yes", YES_NO, "yes", "field"),
        ("First [[A]] seemed better, but [[B]]", PAIR, "B", "brackets"),
        ("verdict: [[C]]", PAIR, "C", "field"),
        ("A", AB, "A", "whole"),
        (" **b.** ", AB, "B", "whole"),
        ("incorrect", WORDS, "INCORRECT", "whole"),
        ("A\n\nThe answer says the same.", AB, "A", "line"),
        ("The answer says something else.\n\n(B)", AB, "B", "line"),
        ("A. The answer says the same as the reference B", AB, "A", "opening"),
        ("A. The answer ...", AB, "A", "opening"),
        ("B: it lacks the unit", AB, "B", "opening"),
        ("Incorrect. It lacks the unit.", WORDS, "INCORRECT", "opening"),
        ("It is correct", WORDS, "CORRECT", "sentence"),
        ("The candidate answer is **incorrect**.", WORDS, "INCORRECT", "sentence"),
        ("[correct]: yes", YES_NO, "yes", "field"),
        ("I think the answer is CORRECT here", WORDS, "CORRECT", "word"),
        ("It seems INCORRECT to me", WORDS, "INCORRECT", "word"),
        ("rating: [[7]]", GRADE, "7", "field"),
        ("Rating: 8/10", GRADE, "8", "field"),
        ("I give it [[6.5]]", GRADE, "6.5", "brackets"),
        ("9 out of 10", GRADE, "9", "whole"),
        ("Good in parts.\n4", GRADE, "4", "line"),
        ('{"rating": 7.5}', GRADE, "7.5", "json"),
    ],
)
def test_a_verdict_is_found_by_the_first_rule_that_sees_one(reply: str, scale: Scale, label: str, rule: str) -> None:
    found = read(reply, scale)
    assert (found.label, found.rule) == (label, rule)
    assert found.score == (scale.scores[label] if scale.scores else pytest.approx((float(label) - 1) / 9))


@pytest.mark.parametrize(
    ("reply", "scale"),
    [
        ("A student would say that vitamin A is right, as in plan B.", AB),
        ("A good answer", AB),
        ("A-level students know this", AB),
        ("Verdict: a good answer", AB),
        ("verdict: A or B", AB),
        ("Reply with verdict: A/B", AB),
        ("The verdict is not A", AB),
        ("The answer is not correct.", WORDS),
        ("The answer is partially correct.", WORDS),
        ("The answer is A", AB),
        ("correct: yes or no", YES_NO),
        ("> verdict: A", AB),
        ("A\nOn second thought\nB", AB),
        ("A. It is right.\n\nB", AB),
        ("NOT CORRECT", WORDS),
        ("It may be CORRECT or INCORRECT", WORDS),
        ("The correct answer is 4", WORDS),
        ("rating: 70/100", GRADE),
        ("rating: 7-8", GRADE),
        ("rating: [[11]]", GRADE),
        ("rating: 0", GRADE),
        ("It has 3 faults in 5 lines", GRADE),
        ("", AB),
        ("I cannot judge this.", AB),
    ],
)
def test_what_is_no_verdict_is_unreadable_and_says_why(reply: str, scale: Scale) -> None:
    found = read(reply, scale)
    assert found.score is None and found.why


def test_the_expression_of_a_contract_goes_before_all_rules() -> None:
    scale = AB._replace(pattern=r"<v>(\w+)</v>")
    assert read("verdict: B <v>A</v>", scale)[:3] == (1, "A", "pattern")
    assert read("verdict: B", scale).rule == "field"
    assert next(iter(RULES)) == "pattern"


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "piece", ["{", '"', "[[", "```", "verdict: ", "\n", " ", "> ", "*", "A ", "CORRECT ", "9", "(A"]
)
def test_hostile_replies_are_read_in_bounded_work(piece: str) -> None:
    text = piece * (400_000 // len(piece))
    for scale in (AB, YES_NO, WORDS, GRADE, PAIR):
        read(text, scale)
        assert field_text(text, "confidence") == ""


@pytest.mark.parametrize(
    ("text", "value"),
    [("85%", 85), ("85", 85), ("0.85", 85), ("0.5%", 0.5), ("1", 1), ("about 90 %", 90), ("120", 100), ("None", None)],
)
def test_confidence_is_in_percent(text: str, value: float | None) -> None:
    assert percent(text) == (None if value is None else pytest.approx(value))
