"""Reasoning between tags: what remains is the answer that a careful reader would take."""

import pytest

from evaluators.answers.reasoning import TAGS, Answer, without_reasoning

PAIR, CLOSING, OPENING = "tags", "unpaired closing tag", "unpaired opening tag"
OWN = (("[R]", "[/R]"),)


@pytest.mark.parametrize(
    ("text", "answer", "how"),
    [
        ("<think></think>B", "B", PAIR),
        ("<think>\n\n</think>\n\nB", "B", PAIR),
        ("<THINK>A</Think>B", "B", PAIR),
        ("<think>A</think>B <think>C</think>D", "B D", PAIR),
        ("<think>A<think>C</think>D</think>B", "B", f"{PAIR} and {CLOSING}"),
        ("<think>one <think> more</think>B", "B", PAIR),
        ("A</think>B", "B", CLOSING),
        ("A</think>C</think>B", "B", CLOSING),
        ("A</think>", "", CLOSING),
        ("<think>A</think></think>B", "B", f"{PAIR} and {CLOSING}"),
        ("<think>A</think>B</think>", "B", PAIR),  # one tag too many takes no answer away
        ("<think>A</think>B\n</think>\n", "B\n", PAIR),
        ("<think>A</thinking>B", "B", PAIR),  # closed, though by another tag
        ("<thinking>A</think>B", "B", PAIR),
    ],
)
def test_what_was_thought_is_taken_out(text: str, answer: str, how: str) -> None:
    found = without_reasoning(text)
    assert (found.text.strip(" "), found.how, found.cut_off) == (answer, how, False)


@pytest.mark.parametrize(
    "answer",
    [
        "Use the `</think>` tag. B",
        "To close it, write '</think>'.",
        'Its name is "<think>", B.',
        "```python\nprint('</think>')\n```",
        "```xml\n<think>\n```\nB",
        "B is more than <think> is.",
        "def f():\n    return '<think>' + x + '</think>'",
    ],
)
def test_a_tag_that_a_text_is_about_is_a_word_like_any_other(answer: str) -> None:
    assert without_reasoning(answer) == Answer(answer)
    assert without_reasoning(f"<think>A `</think>` closes.</think>\n{answer}") == Answer(answer, PAIR)


@pytest.mark.parametrize(
    "text", ['<think>It is "5"</think>"5"', "<think>'a'</think>'5'", "<think>```x```</think>```5```", '"5."</think>"5"']
)
def test_quotes_that_end_before_a_tag_and_begin_behind_it_are_not_around_it(text: str) -> None:
    assert "5" in without_reasoning(text).text and "think" not in without_reasoning(text).text


@pytest.mark.parametrize(
    ("text", "before"),
    [("<think>A", ""), ("B\n<think>A", "B\n"), ("```\n<think>A", "```\n"), ("<think>`</think>`", "")],
)
def test_a_tag_that_is_never_closed_cuts_the_answer_off(text: str, before: str) -> None:
    assert without_reasoning(text) == Answer(before, OPENING, cut_off=True)


@pytest.mark.parametrize(
    ("text", "answer"), [("[R]A[/R]B", "B"), ("[r]A[/R]B", "B"), ("A[/R]B", "B"), ("<think>A</think>B", None)]
)
def test_own_tags_stand_in_the_place_of_the_usual_ones(text: str, answer: str | None) -> None:
    assert without_reasoning(text, OWN).text == (text if answer is None else answer)


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "piece", ["\n<think>", "</think>", "`<think>`", "```\n<think>\n```\n", "<think></reason>", "x<think>\n</think>y"]
)
def test_a_megabyte_of_tags_is_read(piece: str) -> None:
    text = without_reasoning(piece * (1_000_000 // len(piece)), TAGS).text
    assert len(text) <= 1_000_000
