"""Multiple choice: which letter each kind of answer gives, and by which rule."""
# ruff: noqa: RUF001

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import choice
from evaluators.choice import Choice, find, score
from evaluators.errors import EvaluationError
from evaluators.sample import Sample

CASES: list[tuple[str, str, str]] = [
    # the whole answer
    ("C", "C", "whole answer"),
    (" c ", "C", "whole answer"),
    ("(C)", "C", "whole answer"),
    ("**C**", "C", "whole answer"),
    ("C.", "C", "whole answer"),
    ("Ｃ。", "C", "whole answer"),
    ("（Ｃ）", "C", "whole answer"),
    ("$C$", "C", "whole answer"),
    ("\\(\\text{C}\\)", "C", "whole answer"),
    ("\\boxed{C}", "C", "whole answer"),
    ("【C】", "C", "whole answer"),
    ("Option B", "B", "whole answer"),
    ("选B", "B", "whole answer"),
    # boxes
    ("So we get \\boxed{\\text{(B)}} in the end", "B", "boxed"),
    ("thus $\\boxed{\\mathrm{D}}$, as asked", "D", "boxed"),
    ("Thus \\boxed{B. 42 m} holds for all of them", "B", "boxed"),
    ("energy \\boxed{\\langle H\\rangle \\ll \\Delta E}\n**Answer: D**", "D", "answer is"),
    # "the answer is"
    ("The answer is (C).", "C", "answer is"),
    ("The answer is C", "C", "answer is"),
    ("the answer is c.", "C", "answer is"),
    ("the answer is (c) because it is red", "C", "answer is"),
    ("The correct answer is option B, since it is.", "B", "answer is"),
    ("The correct answer is:\n\n**D. the mouse**", "D", "answer is"),
    ("The best answer is **C. Paris**", "C", "answer is"),
    ("ANSWER: B", "B", "answer is"),
    ("ANSWER IS D. A is incorrect.", "D", "answer is"),
    ("Answer：Ｄ", "D", "answer is"),
    ("**Answer:** B) the cat", "B", "answer is"),
    ("### Final Answer\n\nC", "C", "last line"),
    ("## Answer\nB. It is because A is too small.\nThat was it all.", "B", "answer is"),
    ("Final answer: $\\textbf{(A)}$ as shown above", "A", "answer is"),
    ("The answer to this question is A because the sky is blue.", "A", "answer is"),
    ("Answer: D all of the above", "D", "answer is"),
    ("Answer - B", "B", "answer is"),
    ("The answer is B. Note that A is a common distractor.", "B", "answer is"),
    ("Answer: D, not B", "D", "answer is"),
    ("The answer isn't A, it's B.", "B", "answer is"),
    ("The answer is not A but C.", "C", "answer is"),
    ("Answer: It is not B, the answer is D", "D", "answer is"),
    ("The answer is A. Wait, that is wrong. The answer is B.", "B", "answer is"),
    ("Answer: A\nAfter checking I have to correct this.\nAnswer: B", "B", "answer is"),
    ("I considered (A), but it is incorrect. Final answer: D.", "D", "answer is"),
    ("If the answer is A, then x is 3, which fails. The answer is C since it fits.", "C", "answer is"),
    ("The answer is C. The wrong answer is A.", "C", "answer is"),
    ("The answer is \\boxed{C}.", "C", "boxed"),
    ("The answer is A, B and C being wrong.", "A", "answer is"),
    ("So the correct option is (B).", "B", "right option is"),
    ("The most appropriate choice is D, I think.", "D", "right option is"),
    ("A is a trap. I would choose B here.", "B", "choose"),
    ("A is a trap. Therefore, I choose option B.", "B", "choose"),
    # Chinese
    ("答案是B。", "B", "答案"),
    ("答案：B", "B", "答案"),
    ("答案: B", "B", "答案"),
    ("【答案】C", "C", "答案"),
    ("正确答案为选项D，因为甲。", "D", "答案"),
    ("综上，答案应该是Ａ。", "A", "答案"),
    ("所以答案选C", "C", "答案"),
    ("答案不是A而是C。", "C", "答案"),
    ("答案是A吗？不，答案是B。", "B", "答案"),
    ("故选B。", "B", "选"),
    ("因此本题应选：D．", "D", "选"),
    ("甲错，乙对，故选：\nC", "C", "last line"),
    ("不选A，应选择B", "B", "选"),
    ("选项A是错误的，选项B也不对，所以正确的选项是C。", "C", "选"),
    ("以上说法中，正确的是C。", "C", "正确的是"),
    ("A项错误。B项错误。只有选项C正确，D项错误。", "C", "called right"),
    ("只有选项D符合题意。", "D", "called right"),
    # places
    ("A. The answer follows from the text.", "A", "beginning"),
    ("(B) as the text says", "B", "beginning"),
    ("B) as the text says", "B", "beginning"),
    ("**C**\n\nExplanation: the text says so", "C", "beginning"),
    ("B because the text says so", "B", "beginning"),
    ("C\n\nA. wrong, see above\nB. wrong too", "C", "first line"),
    ("It has to be the third one (C).", "C", "end"),
    ("Answer: I think it is C", "C", "end"),
    ("Answer: rules out C, leaving D", "D", "end"),
    ("The first is false, the second true.\n\n**B**", "B", "last line"),
    ("The first is false, the second true.\nB. The second", "B", "last line begins"),
    ("Option A is wrong. Option B is correct. Option C is wrong.", "B", "called right"),
    ("I believe **C** fits better than the rest of them", "C", "says"),
    ("The rest of them are worse than **C** by far.", "C", "bold"),
    # the initial of a name
    ("A. Smith wrote the text in 1912.", "", ""),
    ("A. B. Smith argues that it is so.", "", ""),
    ("A. Smith (1912) has it.", "", ""),
    ("A. Paris is the capital.", "A", "beginning"),
    ("A. The author states it.", "A", "beginning"),
    ("A. He wrote it.", "A", "beginning"),
    # keys and what is only supposed before them
    ("Some words\n- **Choice**: C\nmore of them", "C", "says"),
    ("{'choice': 'C', 'sure': 1}", "C", "says"),
    ("If so,\nResult: C\nand no other one", "", ""),
    # prose
    ("A cat sat on the mat.", "", ""),
    ("I think that is it", "", ""),
    ("The body needs vitamin C.", "", ""),
    ("My plan B is to leave.", "", ""),
    ("The answer is vitamin C deficiency", "", ""),
    ("The answer is a cat.", "", ""),
    ("The answer is A cat.", "", ""),
    ("The answer is B cells", "", ""),
    ("The answer is C++.", "", ""),
    ("The answer is A's brother", "", ""),
    ("The answer is B-cell lymphoma", "", ""),
    ("The answer lies in group A and B.", "", ""),
    ("ANSWER: None of the above", "", ""),
    ("ANSWER: Don't know", "", ""),
    ("ANSWER: $LETTER", "", ""),
    ("答案是维生素C", "", ""),
    ("血型是B型", "", ""),
    ("A. one\nB. two\nC. three\nD. four", "", ""),
    ("", "", ""),
    ("Hence, option (b) is the correct answer.", "B", "called right"),
    ("(A) is wrong. (B) is wrong. (C) is correct.", "C", "called right"),
    ("<answer>B</answer>", "B", "answer is"),
    ('{"answer": "B", "why": "A is wrong"}', "B", "answer is"),
    ("The answer's B.", "B", "answer is"),
    ("B, because the text says so", "B", "beginning"),
    ("A。因为它是对的。", "A", "beginning"),
    ("A选项", "A", "whole answer"),
    ("所以选择 D 选项。", "D", "选"),
    ("答案不可能是A，只能是B。", "B", "答案"),
    ("答案并非A，而是C。", "C", "答案"),
    ("我认为答案是A，但是仔细想想，答案应该是B。", "B", "答案"),
    ("The answer is neither A nor B; it is C.", "C", "end"),
    ("It can't be A. It can't be B. So it must be C.", "C", "end"),
    ("Is the answer A? No. Is the answer B? Yes.", "", ""),
    ("The answer is A = 5", "", ""),
    ("The answer is that A is a vowel.", "", ""),
    ("A: wrong\nB: correct\nC: wrong", "B", "judged"),
    # hedges
    ("The answer is either A or B.", "", "answer is"),
    ("The answer is A and C.", "", "answer is"),
    ("答案是A或B。", "", "答案"),
    ("A, B", "", "whole answer"),
    ("The answer is E.", "", ""),
    ("E", "", ""),
]


@pytest.mark.parametrize(("text", "letters", "rule"), CASES, ids=[case[0][:40] for case in CASES])
def test_an_answer_gives_its_letter_by_a_named_rule(text: str, letters: str, rule: str) -> None:
    assert find(text, "ABCD", False, {})[:2] == (letters, rule)


# What peers got wrong, in the forms that were published or that their rules are known to miss.
PEERS: list[tuple[str, str, str, bool]] = [
    ("ABCD", "The answer is B: option A is a distractor.", "B", False),
    ("ABCDE", "Each of them is plausible. B: no. C: no. The answer is therefore E, as D: is not.", "E", False),
    ("ABCD", "故选C。", "C", False),
    ("ABCD", "只有选项C是正确的。", "C", False),
    ("ABCD", "The first capital letter here is a T. Answer: C", "C", False),
    ("ABCD", "The answer is B, not the well-known vitamin C.", "B", False),
    ("ABCD", "答案：B", "B", False),
    ("ABCD", "**答案：** (B)", "B", False),
    ("ABCDEFGHIJ", "The answer is C because I computed the integral.", "C", False),
    ("ABCDEFGHIJ", "Answer: I think it is C", "C", False),
    ("ABCDEFGHIJ", "ANSWER: I don't know", "", False),
    ("ABCDEFGHIJ", "ANSWER: None of the above", "", True),
    ("ABCD", "Answer: A, C\nThat needs a correction.\nAnswer: B, D", "BD", True),
    ("ABCD", "Answer: **D**", "D", False),
    ("ABCD", "The correct answer is d.", "D", False),
]


@pytest.mark.parametrize(("options", "text", "letters", "several"), PEERS, ids=[case[1][:40] for case in PEERS])
def test_answers_that_peers_misread_are_read(options: str, text: str, letters: str, several: bool) -> None:
    assert find(text, options, several, {}).letters == letters


SETS = [
    ("A, C", "AC"),
    ("AC", "AC"),
    ("CA", "AC"),
    ("A和C", "AC"),
    ("A、C、D", "ACD"),
    ("The answer is A and C.", "AC"),
    ("The answers are (A), (C), and (D).", "ACD"),
    ("The answer is A", "A"),
    ("\\boxed{\\text{A, C}}", "AC"),
    ("\\boxed{AC}", "AC"),
    ("因此，本题答案为ABD。", "ABD"),
    ("故选：BC", "BC"),
    ("正确答案是：Ａ、Ｂ", "AB"),
    ("Answer: [A, C]", "AC"),
    ("The answer is bad.", ""),
    ("The answer is A cat", ""),
    ("ANSWER: Don't know", ""),
]


@pytest.mark.parametrize(("text", "letters"), SETS)
def test_sets_of_letters_are_read(text: str, letters: str) -> None:
    assert find(text, "ABCD", True, {}).letters == letters


def test_several_letters_are_compared_as_a_set_and_in_part() -> None:
    settings = Choice(several=True)
    sample = Sample(id="1", reference=["A", "C"])
    assert [score(text, sample, settings)[0] for text in ("AC", "C, A", "A", "ABC")] == [1, 1, 0, 0]
    assert [score(text, sample, settings).parts["partial"] for text in ("AC", "A", "ABC", "?")] == [1, 0.5, 0, 0]


def test_a_hedge_is_no_answer_and_says_so() -> None:
    verdict = score("The answer is A. Or rather, the answer is A or B.", Sample(id="1", reference="A"), Choice())
    assert verdict == (0.0, None, "answer is", "the answer names several choices: A, B", {})


def test_an_initial_is_the_letter_where_its_choice_begins_with_that_name() -> None:
    text, other = "A. Smith wrote it.", {"A": "Jones wrote it", "B": "nobody"}
    assert find(text, "AB", False, {"A": "Smith wrote it", "B": "nobody"}).letters == "A"
    assert find(text, "AB", False, other).letters == ""


def test_statements_far_from_the_end_are_read() -> None:
    text = "So the answer is C. " + "Nothing of it is said here again. " * 40
    assert find(text, "ABCD", False, {})[:2] == ("C", "answer is")


CITIES = ["Paris", "New York", "York", "B cells"]
TEXTS = [
    ("Paris", "A", "whole answer is a choice"),
    ("new york.", "B", "whole answer is a choice"),
    ("The answer is New York.", "B", "answer is"),
    ("The answer is York", "C", "answer is"),
    ("The answer is B cells", "D", "answer is"),
    ("So the answer is **Paris**, of course", "A", "answer is"),
    ("It lies on the Seine, which makes it Paris, no doubt.", "A", "text of a choice"),
    ("Paris. New York is too far.", "A", "begins with a choice"),
    ("It is not Paris.", "", ""),
    ("Paris or New York", "", ""),
    ("A Parisian would know.", "", ""),
    ("It is New Yorkshire.", "", ""),
]


@pytest.mark.parametrize(("text", "letter", "rule"), TEXTS, ids=[case[0][:40] for case in TEXTS])
def test_the_text_of_a_choice_stands_for_its_letter(text: str, letter: str, rule: str) -> None:
    verdict = score(text, Sample(id="1", reference="A", meta={"labels": CITIES}), Choice(labels="labels"))
    assert (verdict.extracted or "", verdict.rule) == (letter, rule)


def test_numbers_as_choices_are_whole_numbers() -> None:
    sample = Sample(id="1", reference="C", meta={"labels": ["2", "3", "4", "-4"]})
    texts = ("The answer is 4.", "The answer is 4.5", "The answer is 42", "The answer is $4$", "The answer is -4")
    found = [score(text, sample, Choice(labels="labels")).extracted for text in texts]
    assert found == ["C", None, None, "C", "D"]


def test_sums_with_choices_in_numbers_are_right_without_a_letter() -> None:
    meta = {"A": "2258", "B": "2263", "C": "2281"}
    text = "Add step by step:\n\n165 + 833 = 998\n\n998 + 650 = 1648\n\n### Check\n\nThe sum is **2263**."
    assert score(text, Sample(id="1", reference="B", meta=meta), Choice(labels=["A", "B", "C"])).score == 1


@pytest.mark.parametrize(
    ("labels", "meta"),
    [
        ("choices", {"choices": {"text": ["x", "y"], "label": ["1", "2"]}}),
        ("choices", {"choices": [{"text": "x", "label": "1"}, {"text": "y", "label": "2"}]}),
        ("choices", {"choices": {"1": "x", "2": "y"}}),
    ],
)
def test_labels_of_the_row_are_what_counts(labels: str, meta: dict[str, object]) -> None:
    sample = Sample(id="1", reference="2", meta=meta)
    found = [
        score(text, sample, Choice(labels=labels)).extracted for text in ("2", "(1)", "The answer is 2.", "C", "3")
    ]
    assert found == ["2", "1", "2", None, None]


@pytest.mark.parametrize("reference", ["C", "(C)", "c", ["C"], '["C"]', "Ｃ", "both", "C."])
def test_references_are_letters_in_any_form_or_the_text_of_a_choice(reference: object) -> None:
    sample = Sample(id="1", reference=reference, meta={"choices": ["one", "two", "both"]})
    assert score("C", sample, Choice(labels="choices")).score == 1


@pytest.mark.parametrize("reference", ["E", "", None, 7, "nothing"])
def test_a_reference_that_is_no_choice_is_an_error_that_says_so(reference: object) -> None:
    with pytest.raises(
        EvaluationError, match=r"is none of the choices ABCD; correct the row or evaluation\.args\.options"
    ):
        score("A", Sample(id="1", reference=reference), Choice())


def test_phrases_of_one_language_can_be_asked_for() -> None:
    text = "The answer is A. 答案是B。"
    assert [find(text, "ABCD", False, {}, language).letters for language in ("", "en", "zh")] == ["B", "A", "B"]


def test_a_model_that_goes_on_with_questions_of_its_own_has_answered_first() -> None:
    text = "C\n\nWhat is next?\nA. one\nB. two\nC. three\nD. four\nAnswer: B"
    assert find(text, "ABCD", False, {})[:2] == ("C", "first line")


HOSTILE = [
    "(" * 10**6 + "A",
    "answer " * 150_000,
    "the answer is " * 70_000,
    "答案" * 500_000,
    "选项" * 500_000,
    "\\boxed{" * 140_000,
    "**" * 500_000,
    "A" * 10**6,
    "A " * 500_000,
    "A, " * 330_000,
    "A is " * 200_000,
    "\n" * 10**6 + "A.",
    " " * 10**6,
    "I choose " * 110_000,
    "**A" + " " * 10**6,
    "\\text{" * 160_000,
    "if the answer is not " * 48_000,
    "İ" * 500_000 + " the answer is C",
]


@pytest.mark.parametrize("text", HOSTILE, ids=[text[:12] for text in HOSTILE])
def test_hostile_text_takes_no_more_than_linear_time(text: str) -> None:
    """Each is a megabyte or so; quadratic work would run into the limit of the test."""
    sample = Sample(id="1", reference="C", meta={"labels": ["A, A, A", "one", "(((", "**"]})
    for settings in (Choice(labels="labels"), Choice(labels="labels", several=True)):
        assert 0 <= score(text, sample, settings).score <= 1


@given(st.text(alphabet="ABCDabcd answeris()[]{}*_.,:\n\\$选答案是项正确不İＡ", max_size=120), st.booleans())
def test_any_text_gives_letters_among_the_options(text: str, several: bool) -> None:
    found = find(text, "ABC", several, {"A": "an answer", "B": "b", "C": ""})
    assert set(found.letters) <= set("ABC") and (several or len(found.letters) <= 1)
    assert found.letters == "" or found.rule


def test_the_benchmark_runs() -> None:
    assert [figure.key for figure in choice.measure(choice.SMOKE)] == ["choice-rate", "choice-ratio"]
