"""Scores of answers about pictures: anls, vqa, iou, and choices beside open answers."""

import random
from typing import Any

import pytest

from evaluators.errors import EvaluationError
from evaluators.pictures import EVALUATORS
from evaluators.registry import evaluator
from evaluators.sample import Sample, Verdict
from evaluators.settings import settings_of
from evaluators.shown import annotators, boxes


def verdict(name: str, text: str, reference: Any, meta: dict[str, Any] | None = None, **args: Any) -> Verdict:
    own = EVALUATORS[name]
    settings = settings_of(args, own.settings, "here")
    return own.score(text, Sample(id="7", reference=reference, meta=meta or {}), settings)


SIZE = {"image_width": 200, "image_height": 100}


@pytest.mark.parametrize(
    ("text", "reference", "score"),
    [
        ("Paris", ["Paris"], 1.0),
        ("  PARIS \n", ["paris"], 1.0),
        ("New  York", "new york", 1.0),
        ("Parris", ["Paris"], round(1 - 1 / 6, 6)),  # one of six letters
        ("London", ["Paris"], 0.0),
        ("abcd", ["abxy"], 0.5),  # one half still counts, as in the program of the challenge
        ("abc", ["abxy"], 0.5),
        ("42", ["4"], 0.5),
        ("abc", ["axyz"], 0.0),
        ("abcde", ["abcxy"], 0.6),
        ("$1,000", ["1,000", "$1,000"], 1.0),  # the best reference
        ("The answer is: 12 May", ["12 may"], 1.0),
        ("<|begin_of_box|>42<|end_of_box|><|im_end|>", ["42"], 1.0),
        ("北京市", ["北京"], round(2 / 3, 6)),
        (42 * "x", 42, 0.0),
    ],
)
def test_anls_is_the_similarity_to_the_nearest_reference(text: str, reference: Any, score: float) -> None:
    assert verdict("anls", text, reference).score == score


def test_anls_agrees_with_the_worked_example_of_three_questions() -> None:
    scores = [verdict("anls", text, ref).score for text, ref in (("coke", "cola"), ("kola", "cola"), ("cola", "cola"))]
    assert scores == [0.5, 0.75, 1.0]  # of four letters two differ, one, none
    assert verdict("anls", "coke", "cola", threshold=0.49).score == 0.0


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("The dog", "dog"),
        ("A  cup\nof tea.", "cup of tea"),
        ("two", "2"),
        ("None", "0"),
        ("1,000", "1000"),
        ("3.14", "3.14"),
        ("U.S.A.", "usa"),
        ("red/blue", "red blue"),
        ("red, blue", "red blue"),
        ("stop!", "stop"),
        ("dont", "don't"),
        ("don't", "don't"),
        ("its well", "its well"),
        ("theyd", "they'd"),
        ("whatll", "what'll"),
        ("Im", "im"),  # the list has it with a capital alone, and the text is in small letters by then
        ("12:30", "12:30"),
    ],
)
def test_answers_of_people_have_a_normal_form(text: str, normal: str) -> None:
    assert annotators.normal(text) == normal


@pytest.mark.parametrize(
    ("agreeing", "score"),
    # Each person is left out in turn: of k who agree, k times k - 1 others are left, and 10 - k times k.
    [(0, 0.0), (1, 0.3), (2, 0.6), (3, 0.9), (4, 1.0), (10, 1.0)],
)
def test_agreement_with_ten_people_leaves_each_out_in_turn(agreeing: int, score: float) -> None:
    answers = [{"answer": "Dakota", "answer_confidence": "yes"}] * agreeing + [{"answer": "nikon"}] * (10 - agreeing)
    found = verdict("vqa", "dakota", answers)
    assert found.score == pytest.approx(score, abs=1e-6)
    assert found.parts == {"majority": float(score > 0.5)}


def test_agreement_with_few_people_is_with_all_of_them() -> None:
    assert verdict("vqa", "red", ["red"]).score == 1.0
    assert verdict("vqa", "red", ["red", "red"]).score == 1.0
    assert verdict("vqa", "red", ["red", "blue"]).score == 0.5
    with pytest.raises(EvaluationError, match="row 7 has no answers of people"):
        verdict("vqa", "red", None)


FORMS = [
    ('```json\n[{"bbox_2d": [20, 10, 60, 40], "label": "dog"}]\n```', "key of JSON"),
    ("{'bbox': [20, 10, 60, 40]}", "key of JSON"),
    ("<box>(20,10),(60,40)</box>", "tags"),
    ("<box>[[20, 10, 60, 40]]</box>", "tags"),
    ("<|object_ref_start|>dog<|object_ref_end|><|box_start|>(20,10),(60,40)<|box_end|>", "tags"),
    ("<box>20 10 60 40</box>", "tags"),
    ("It is at [20, 10, 60, 40].", "list"),
    ("[20.0 10.0 60.0 40.0]", "list"),
    ("[[20, 10], [60, 40]]", "list"),
    ("From (20, 10) to (60, 40)", "two points"),
    ("(20, 10, 60, 40)", "round brackets"),
    ("x1: 20, y1: 10, x2: 60, y2: 40", "named sides"),
    ('{"xmin": 20, "ymin": 10, "xmax": 60, "ymax": 40}', "named sides"),
    ("left=20; top=10; right=60; bottom=40", "named sides"),
    ("20, 10, 60, 40", "four numbers"),
    ('{"bbox_2d": ["20", "10", "60", "40"]}', "key of JSON"),
    ("\u4f4d\u7f6e\uff1a[20\uff0c10\uff0c60\uff0c40]", "list"),
]


@pytest.mark.parametrize(("text", "rule"), FORMS)
def test_a_box_is_found_in_the_forms_that_models_write(text: str, rule: str) -> None:
    assert boxes.find(text, "first") == boxes.Found((20.0, 10.0, 60.0, 40.0), rule)


@pytest.mark.parametrize(
    "text", ["", "There is no dog.", "[1, 2, 3]", "1234", "[1, 2, 3, 4, 5]", "In 2014, 3 of 4 did."]
)
def test_what_is_no_box_is_not_taken_for_one(text: str) -> None:
    found = verdict("iou", text, [0, 0, 10, 10], SIZE)
    assert (found.score, found.extracted, found.parts["iou"]) == (0.0, None, 0.0)


@pytest.mark.parametrize(
    ("text", "args", "score"),
    [
        ("[100, 100, 300, 400]", {}, 1.0),  # thousandths of 200 by 100 pixels
        ("[0.1, 0.1, 0.3, 0.4]", {}, 1.0),
        ("[20, 10, 60, 40]", {}, 0.0),
        ("[20, 10, 60, 40]", {"scale": "pixels"}, 1.0),
        ("[0.1, 0.1, 0.3, 0.4]", {"scale": "1000"}, 0.0),
        ("[300, 400, 100, 100]", {}, 1.0),  # corners exchanged
        ("[100, 100, 400, 300]", {"order": "yxyx"}, 1.0),
        ("[0,0,9,9] or [100,100,300,400]", {}, 0.0),
        ("[0,0,9,9] or [100,100,300,400]", {"which": "last"}, 1.0),
        ("[100, 100, 300, 250]", {}, 1.0),  # one half of it exactly
        ("[100, 100, 300, 249]", {}, 0.0),
        ("[100, 100, 300, 250]", {"threshold": 0.7}, 0.0),
    ],
)
def test_a_box_is_right_where_it_overlaps_the_reference(text: str, args: dict[str, Any], score: float) -> None:
    assert verdict("iou", text, [20, 10, 40, 30], SIZE, **args).score == score


def test_references_of_boxes_may_be_two_corners_or_text() -> None:
    assert verdict("iou", "[100, 100, 300, 400]", [20, 10, 60, 40], SIZE, form="xyxy").score == 1.0
    assert verdict("iou", "[100, 100, 300, 400]", "[20, 10, 40, 30]", SIZE).score == 1.0
    with pytest.raises(EvaluationError, match="no box of four numbers"):
        verdict("iou", "[1,2,3,4]", [20, 10], SIZE)


def test_a_picture_of_unknown_size_is_an_error_unless_boxes_are_in_pixels() -> None:
    with pytest.raises(EvaluationError, match="row 7: the size of the picture is not known; keep image_width"):
        verdict("iou", "[1,2,3,4]", [20, 10, 40, 30])
    assert verdict("iou", "[20, 10, 60, 40]", [20, 10, 40, 30], scale="pixels").score == 1.0


def test_overlap_by_hand() -> None:
    assert boxes.overlap((0, 0, 2, 2), (1, 1, 3, 3)) == pytest.approx(1 / 7)
    assert boxes.overlap((0, 0, 0, 0), (0, 0, 0, 0)) == 0.0
    assert verdict("iou", "[0, 0, 2, 2]", [1, 1, 2, 2], scale="pixels").parts == {
        "iou": pytest.approx(1 / 7, abs=1e-6),
        **{"acc@0.1": 1.0, "acc@0.3": 0.0, "acc@0.5": 0.0, "acc@0.7": 0.0, "acc@0.9": 0.0},
        "centre": 1.0,
    }


@pytest.mark.parametrize(
    "text", ["[" * 50_000, "[1," * 20_000, "<box>" * 20_000, "(1,2)" * 20_000, "9" * 100_000, "[1" + " " * 50_000]
)
@pytest.mark.timeout(30)  # what tries again and again takes minutes
def test_no_text_takes_long(text: str) -> None:
    assert boxes.find(text, "first") in (None, boxes.Found((1.0, 2.0, 1.0, 2.0), "two points, first of 10000"))


CHOICES = {"choices": {"options": "ABCDE", "labels": "options"}}


@pytest.mark.parametrize(
    ("text", "reference", "options", "score"),
    [
        ("ANSWER: B", "B", ["red", "blue"], 1.0),
        ("ANSWER: A", "B", ["red", "blue"], 0.0),
        ("It is blue.", "B", ["red", "blue"], 1.0),
        (r"So \boxed{\frac{1}{2}}", "0.5", [], 1.0),
        (r"So \boxed{3}", "0.5", [], 0.0),
        ("ANSWER: 24/7", ["24/7", "3.429"], [], 1.0),
        ("ANSWER: 3.429", ["24/7", "3.429"], [], 1.0),
        ("<|begin_of_box|>B<|end_of_box|>", "B", ["red", "blue"], 1.0),
    ],
)
def test_rows_with_choices_are_choices_and_others_are_open(
    text: str, reference: Any, options: list[str], score: float
) -> None:
    args: dict[str, Any] = {**CHOICES, "open": {"exact": {"take": "answer"}, "number": {}, "math": {}}}
    found = verdict("by_options", text, reference, {"options": options}, **args)
    assert found.score == score


OPEN = {"exact": {"take": "answer"}, "number": {"tolerance": 0.005}, "math": {}}


@pytest.mark.parametrize(
    ("said", "reference", "score"),
    [
        ("3", "-3", 0.0),
        ("13", "1/3", 0.0),
        ("800", "8:00", 0.0),
        ("0", "8:00", 0.0),  # the last number of the reference
        ("8:00.", "8:00", 1.0),
        ("1972", "1968-1972", 0.0),
        ("1968\u20131972", "1968-1972", 1.0),
        ("2", "Type 2", 0.0),
        ("the 1970s", "1970s", 1.0),
        ("5", ".5", 0.0),
        ("1/2", ".5", 1.0),
        ("6.9 years", "6.9", 1.0),
        ("5 dollars", "$5", 1.0),
        ("9.8", "9.8 m/s^2", 1.0),
        ("36", "36 pi", 0.0),
        ("0.31", "0.3103", 1.0),  # to two decimals
        ("0.32", "0.3103", 0.0),
    ],
)
def test_references_with_digits_are_numbers_or_compared_as_they_are_written(
    said: str, reference: str, score: float
) -> None:
    assert verdict("by_options", f"We see 7 of them.\nANSWER: {said}", reference, **{"open": OPEN}).score == score


@pytest.mark.parametrize(
    ("name", "said", "reference"),
    [("choice", "B", "B"), ("choice", "B. blue", "B"), ("math", "3\\sqrt{2}", "3\\sqrt{2}")],
)
@pytest.mark.parametrize("words", ["{}", "The answer is {}.", "We see 3 of A.\n{}", "{} <|end_of_box|>"])
def test_a_box_of_tokens_is_a_box(name: str, said: str, reference: str, words: str) -> None:
    text = words.format(f"<|begin_of_box|>{said}<|end_of_box|>")
    own = evaluator(name)
    assert own.score(text, Sample(id="7", reference=reference), own.settings()).score == 1.0


def test_a_letter_as_reference_is_a_choice_where_the_question_has_the_choices() -> None:
    args: dict[str, Any] = {
        "choices": {"options": "ABC"},
        "letters": True,
        "open": {"exact": {"take": "answer"}, "number": {}},
    }
    assert verdict("by_options", "ANSWER: C. The left one", "C", **args).score == 1.0
    assert verdict("by_options", "ANSWER: Stop", "stop", **args).score == 1.0
    assert verdict("by_options", "ANSWER: 12", "12", **args).score == 1.0
    assert verdict("by_options", "ANSWER: No", "Yes", **args).score == 0.0


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ({"open": {"exactly": {}}}, "unknown evaluator 'exactly'"),
        ({"open": {"exact": {"tak": ""}}}, "open.exact: .*tak"),
        ({"choices": {"option": "AB"}}, "choices: .*option"),
        ({"open": {}}, "here: "),
    ],
)
def test_settings_that_no_row_could_be_scored_with_are_refused(args: dict[str, Any], words: str) -> None:
    with pytest.raises(EvaluationError, match=words):
        settings_of(args, EVALUATORS["by_options"].settings, "here")


def golden(
    name: str, said: list[str], references: list[Any], meta: dict[str, Any] | None = None
) -> tuple[float, float]:
    """The score of references as answers, and of the same ones shuffled."""
    mixed = random.Random(5).sample(said, len(said))
    own, other = (
        [verdict(name, one, ref, meta).score for one, ref in zip(s, references, strict=True)] for s in (said, mixed)
    )
    return sum(own) / len(own), sum(other) / len(other)


def test_references_as_answers_score_everything_and_shuffled_ones_next_to_nothing() -> None:
    rng = random.Random(1)
    words = ["".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=8)) for _ in range(300)]
    assert golden("anls", words, [[word] for word in words])[0] == 1.0
    assert golden("anls", words, [[word] for word in words])[1] < 0.02
    own, other = golden("vqa", words, [[word] * 10 for word in words])
    assert own == 1.0 and other < 0.02
    corners = [(rng.randrange(900), rng.randrange(900)) for _ in range(300)]
    said = [f'{{"bbox_2d": [{x}, {y}, {x + 50}, {y + 50}]}}' for x, y in corners]
    size = {"image_width": 1000, "image_height": 1000}
    own, other = golden("iou", said, [[x, y, 50, 50] for x, y in corners], size)
    assert own == 1.0 and other < 0.02
