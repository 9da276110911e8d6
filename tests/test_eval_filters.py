"""Answers before they are scored: reasoning taken out, filters in their order, and the vote over several answers."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluators.answers import filters
from evaluators.answers.filters import FILTERS, prepare
from evaluators.answers.reasoning import TAGS, Answer, answer_of, without_reasoning
from evaluators.errors import EvaluationError
from evaluators.sample import Sample
from evaluators.statistics.vote import majority, tally
from perfcore.records import think

PAGE = Path(__file__).parents[1] / "docs" / "filters.md"


# ---- reasoning


@pytest.mark.parametrize(
    ("text", "answer", "how"),
    [
        ("42", "42", ""),
        ("", "", ""),
        ("<think>2 + 2</think>\n\n4", "4", "tags"),
        ("2 + 2</think>4", "4", "unpaired closing tag"),
        ("<think>a<think>b</think>c</think>d", "d", "tags and unpaired closing tag"),
        ("<think>a</think>x<think>b</think>y", "xy", "tags"),
        ("a</think>b</think>c", "c", "unpaired closing tag"),
        ("a</think>b</think>", "b", "unpaired closing tag"),
        ("a</think>b<think>c<think>d</think>e</think>", "", "unpaired closing tag and tags"),
        ("Let me see. <think>hm</think>So 7", "Let me see. So 7", "tags"),
        ("<think>I write <think> here</think>7", "7", "tags"),
        ("<THINKING>a</Thinking> b", "b", "tags"),
        ("<reasoning>a</reasoning>b", "b", "tags"),
        ("[THINK]a[/THINK]b", "b", "tags"),
        ("◁think▷a◁/think▷b", "b", "tags"),
        ("<seed:think>a</seed:think>b", "b", "tags"),
        (
            "<|begin_of_thought|>a<|end_of_thought|>\n<|begin_of_solution|>\nb<|end_of_solution|>",
            "b",
            "tags",
        ),
        (
            "<|channel|>analysis<|message|>A or B?<|end|><|start|>assistant<|channel|>final<|message|>B<|return|>",
            "B",
            "channel markers",
        ),
        ("analysisWe need to add.assistantfinalThe sum is 4.", "The sum is 4.", "channel markers"),
        ("analysis of the data shows assistantfinal", "", "channel markers"),
        ("The tag <think> opens a thought. 4", "The tag <think> opens a thought. 4", ""),
        ("B<|im_end|>", "B", ""),
        ("B</s> <|eot_id|>\n", "B", ""),
        ("<think>a</think>B<end_of_turn>", "B", "tags"),
        ("A < B, so </div> stays", "A < B, so </div> stays", ""),
        ("The tag `</think>` ends it: 7", "The tag `</think>` ends it: 7", ""),
        ("The tag “</think>” ends it: 7", "The tag “</think>” ends it: 7", ""),
        ("Use `.*?</think>` and ``</think>``. 7", "Use `.*?</think>` and ``</think>``. 7", ""),
        ("Use `a</think>The answer is `b`", "The answer is `b`", "unpaired closing tag"),
        ("7\n```\n<think>a</think>\n```\n", "7\n```\n<think>a</think>\n```\n", ""),
        ("```\nx\n</think>\n```py\ny\n```", "```py\ny\n```", "unpaired closing tag"),
        ("<think>\n```\nx\n</think>\n```\ny\n```\nz\n```", "```\ny\n```\nz\n```", "tags"),
        ("```xml\n<think>a</think>\n7\n```", "```xml\n\n7\n```", "tags"),
    ],
)
def test_reasoning_is_taken_out_of_a_text(text: str, answer: str, how: str) -> None:
    assert answer_of(Sample(id="1", prediction=text)) == Answer(answer, how)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("<think>so far", ""),
        ("  <think>so far", ""),
        ("<think>a</think>\n<think>b", ""),
        ("The sum is 4.\n<think>or is it", "The sum is 4.\n"),
        ("<|channel|>analysis<|message|>so far", ""),
    ],
)
def test_a_text_that_ends_in_thought_is_cut_off(text: str, answer: str) -> None:
    found = answer_of(Sample(id="1", prediction=text))
    assert found.text == answer and found.cut_off


@pytest.mark.parametrize(
    ("given_fields", "expected"),
    [
        ({"prediction": "4", "reasoning": "2 + 2"}, Answer("4", "channel")),
        ({"prediction": "more</think>4", "reasoning": "2 + 2"}, Answer("4", "channel and unpaired closing tag")),
        ({"prediction": None, "reasoning": "2 +", "finish_reason": "length"}, Answer("", "channel", True)),
        ({"prediction": None, "reasoning": "2 + 2", "finish_reason": "stop"}, Answer("", "channel")),
        ({"prediction": "4</think>", "reasoning": "2 + 2"}, Answer("4", "channel and unpaired closing tag")),
        ({"prediction": None}, Answer("")),
    ],
)
def test_reasoning_in_a_channel_is_apart_already(given_fields: dict[str, Any], expected: Answer) -> None:
    assert answer_of(Sample(id="1", **given_fields)) == expected


def test_tags_of_one_s_own_take_the_place_of_the_usual_ones() -> None:
    sample = Sample(id="1", prediction="((so))4 <think>stays</think>")
    assert answer_of(sample, ("((", "))")) == Answer("4 <think>stays</think>", "tags")


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(["<think>", "</think>", "a", "\n", " ", "<", "7"]), max_size=8).map("".join))
def test_the_answer_is_that_of_the_load_report_where_one_split_leaves_no_tags(text: str) -> None:
    parted = think.split(text, think.Tags("<think>", "</think>", ()))
    if parted is not None and "think>" not in parted.answer:
        assert without_reasoning(text).text == parted.answer


@settings(max_examples=500, deadline=None)
@given(st.lists(st.sampled_from(["<think>", "</think>", "a", "\n", "`", '"', "\n```\n"]), max_size=10).map("".join))
def test_the_answer_of_a_run_s_folder_is_that_of_the_whole_text(text: str) -> None:
    parted = think.split(text, think.Tags("<think>", "</think>", ()))
    # A thought within a thought, or a block of code around a whole text, is known from the whole text alone.
    unsure = parted and ("<think>" in parted.reasoning or "```" in parted.reasoning or parted.answer[:3] == "```")
    if parted is not None and parted.reasoning and not unsure:
        rest = Sample(id="1", prediction=parted.answer, reasoning=parted.reasoning)
        assert answer_of(rest).text.strip() == without_reasoning(text).text.strip()


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from([tag for pair in TAGS for tag in pair] + ["a", "\n"]), max_size=12).map("".join))
def test_no_closing_tag_is_left_over(text: str) -> None:
    assert not any(closing in without_reasoning(text).text for _, closing in TAGS)


def test_many_tags_that_nothing_closes_take_no_time() -> None:
    text = "x <think> " * 100_000
    assert without_reasoning(text).text == text


# ---- filters

CASES: list[tuple[list[Any], str, str]] = [
    ([], " as it is ", " as it is "),
    ([{"regex": r"answer is (\w+)"}], "The answer is B. answer is C", "B"),
    ([{"regex": {"pattern": r"answer is (\w+)", "match": "last"}}], "answer is B. answer is C", "C"),
    ([{"regex": {"pattern": r"(?P<x>a)|(?P<y>b)", "group": "y"}}], "cb", "b"),
    ([{"regex": {"pattern": r"(\d+)-(\d+)", "group": 2}}], "12-34", "34"),
    ([{"regex": {"pattern": r"\d+", "fallback": "[invalid]"}}], "none", "[invalid]"),
    ([{"regex": {"pattern": r"\d+", "keep": True}}], "none", "none"),
    ([{"regex": {"pattern": "ANSWER", "ignore_case": True}}], "Answer", "Answer"),
    ([{"regex": r"\d+"}], "none", ""),
    ([{"remove_until": "</note>"}], "a</note>b</note>c", "c"),
    ([{"remove_until": {"text": "</note>", "which": "first"}}], "a</note>b</note>c", "b</note>c"),
    ([{"remove_until": {"pattern": r"Answer\s*:"}}], "Answer: A\nAnswer : B", " B"),
    ([{"remove_until": "Answer:"}], "none", "none"),
    ([{"remove_after": "Question:"}], "4\nQuestion: 5\nQuestion: 6", "4\n"),
    ([{"remove_after": {"pattern": r"\n\n+", "which": "last"}}], "a\n\nb\n\nc", "a\n\nb"),
    ([{"remove_tags": "note"}], "a<note>b</note>c", "ac"),
    ([{"remove_tags": {"opening": "((", "closing": "))"}}], "a((b))c", "ac"),
    ([{"replace": {"text": ",", "by": ""}}], "1,234,5", "12345"),
    ([{"replace": {"pattern": r"(\d),(\d)", "by": r"\1\2"}}], "1,2 and a,b", "12 and a,b"),
    (["first_line"], "\n  \na\nb", "a"),
    (["last_line"], "a\nb\n \n", "b"),
    (["first_word"], "  Yes, it is", "Yes,"),
    (["last_word"], "it is so  ", "so"),
    (["first_word", "last_word"], "", ""),
    (["strip"], " a ", "a"),
    ([{"strip": ".!"}], "a.!", "a"),
    (["lower"], "ABc", "abc"),
    (["upper"], "abC", "ABC"),
    ([{"remove_characters": "$*"}], "$*4*", "4"),
    (["remove_whitespace"], " 1 2\n3 ", "123"),
    (["collapse_whitespace"], " 1  2\n3 ", "1 2 3"),
    (
        ["remove_markdown"],
        "## So\n> **B** is `x_1` and _it_\n- [a link](http://x)\n2 * 3 * 4",
        "So\nB is x_1 and it\na link\n2 * 3 * 4",
    ),
    (["remove_markdown"], "```python\nx = snake_case_name\n```", "x = snake_case_name\n"),
    (["code_block"], "So:\n```python\nx = 1\n```\nor\n```\ny\n```", "x = 1"),
    ([{"code_block": {"which": "last"}}], "```python\nx = 1\n```\nor\n```\ny\n```", "y"),
    ([{"code_block": "python"}], "```sh\nls\n```\n```Python\nx\n```", "x"),
    ([{"code_block": {"which": "longest"}}], "```\nx\n```\n```\nlong\nest\n```", "long\nest"),
    (["code_block"], "```python\nx = 1\ny = 2", "x = 1\ny = 2"),
    (["code_block"], "x = 1", "x = 1"),
    ([{"code_block": {"fallback": ""}}], "x = 1", ""),
    ([{"json": "answer"}], '{"answer": "B"}', "B"),
    ([{"json": "a.0.b"}], 'Here: ```json\n{"a": [{"b": [1, 2]}]}\n```', "[1,2]"),
    ([{"json": "answer"}], 'I take {this} one: {"answer": 4} as {"answer": 5}', "4"),
    ([{"json": {"key": "answer", "fallback": "none"}}], '{"result": 4}', "none"),
    ([{"remove_until": "</note>"}, "strip", "lower", {"regex": "^([a-d])"}], "x</note> B.", "b"),
]


@pytest.mark.parametrize(("given_filters", "text", "expected"), CASES)
def test_filters_change_a_text_in_their_order(given_filters: list[Any], text: str, expected: str) -> None:
    assert prepare(given_filters)(text) == expected


@pytest.mark.parametrize(
    ("given_filters", "words"),
    [
        (["strip", "striip"], r"filters\[1\]: unknown filter 'striip'; the nearest one is 'strip'"),
        ([{"regx": "a"}], "nearest one is 'regex'"),
        ([{"regex": "(a"}], r"filters\[0\]: the filter regex has a broken pattern: missing \)"),
        ([{"regex": {"patern": "a"}}], "docs/filters.md"),
        ([{"regex": {"pattern": "a", "group": 1}}], "asks for the group 1"),
        ([{"regex": "a", "lower": {}}], "has the keys regex, lower"),
        ([{"lower": "x"}], "takes no value"),
        ([{"remove_until": {"text": "a", "pattern": "b"}}], "wants text or pattern"),
        (["remove_until"], "wants text or pattern"),
        (["replace"], "wants text or pattern"),
        ([{"replace": {"pattern": "a", "by": r"\1"}}], "filter replace"),
        (["remove_tags"], "wants a name"),
        (["remove_characters"], "wants characters"),
        ([{"code_block": {"which": "middle"}}], "Invalid enum value 'middle'"),
        ([{}], r"has the keys \(none\)"),
    ],
)
def test_a_wrong_filter_is_refused_before_any_text_comes(given_filters: list[Any], words: str) -> None:
    with pytest.raises(EvaluationError, match=words):
        prepare(given_filters)


@pytest.mark.parametrize("name", ["regex", "remove_until", "replace"])
def test_a_pattern_that_takes_too_long_is_an_error_of_the_answer(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filters, "LIMIT_S", 0.05)
    step = prepare([{name: {"pattern": r"(?:(a|aa)+(?=(c)))+b\2"}}])
    with pytest.raises(EvaluationError, match="took more than"):
        step("a" * 60)


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet='`~#>*-_[]()!{}"\n ab', max_size=60), st.sampled_from(sorted(FILTERS)))
def test_no_text_brings_a_filter_down(text: str, name: str) -> None:
    needed = {
        "regex": "a+",
        "remove_until": "a",
        "remove_after": "a",
        "remove_tags": "a",
        "replace": {"text": "a"},
        "remove_characters": "a",
    }
    assert isinstance(prepare([{name: needed[name]} if name in needed else name])(text), str)


@pytest.mark.parametrize("text", ["[" * 20_000, '{"a":' * 20_000, "```\n" * 20_000, "*a" * 20_000, "[a](" * 20_000])
def test_texts_made_to_be_slow_are_not(text: str) -> None:
    for name in ("json", "code_block", "remove_markdown"):
        prepare([name])(text)


def test_the_page_names_each_filter_with_its_settings() -> None:
    page = PAGE.read_text(encoding="utf-8")
    missing = [name for name in FILTERS if f"| `{name}` |" not in page]
    missing += [
        f"{name}.{key}"
        for name, one in FILTERS.items()
        for key in one.settings.__struct_fields__
        if f"`{key}`" not in page.partition(f"| `{name}` |")[2].partition("\n")[0]
    ]
    assert missing == []


# ---- votes


@pytest.mark.parametrize(
    ("values", "winner"),
    [
        (["A", "B", "B"], "B"),
        (["B", "A", "A", "B"], "B"),
        (["A", None, None], "A"),
        ([None, None], None),
        ([], None),
        (["A", " A ", "B"], "A"),
        ([["a"], ["b"], ["b"]], ["b"]),
        ([4, 4.0, 5], 4),
        ([{"a": 1, "b": 2}, {"b": 2, "a": 1}, "c"], {"a": 1, "b": 2}),
    ],
)
def test_the_answer_of_most_wins_and_of_a_tie_the_first(values: list[Any], winner: Any) -> None:
    assert majority(values) == winner


def test_what_counts_as_the_same_answer_is_said_by_a_key() -> None:
    values = ["1/2", "0.5", "1"]
    assert tally(values, key=lambda text: {"1/2": 0.5}.get(text) or float(text)) == [("1/2", 2), ("1", 1)]
