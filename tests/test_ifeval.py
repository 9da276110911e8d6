"""IFEval: each kind of instruction, the loose mode, the totals, and the official rows."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evaluators.errors import EvaluationError
from evaluators.ifeval import EVALUATORS, RULES, score
from evaluators.instructions.checking import variants
from evaluators.instructions.splitting import capital_words, sentences
from evaluators.registry import evaluator
from evaluators.sample import Sample, Verdict
from tests.obedient import ENGLISH, FOLLOWING, LANGUAGES

ROOT = Path(__file__).parents[1]
SMALL = ROOT / "tests" / "data" / "datasets" / "ifeval" / "input_data.jsonl"
LARGE = ROOT.parent / "shared" / "data" / "ifeval" / "input_data.jsonl"
TEXT = "A text, in **Markdown**:\n\n* one\n* two\n\nP.S. It is as good as any [other]. My answer is yes."


def sample(*instructions: tuple[str, dict[str, Any]]) -> Sample:
    names, given = [name for name, _ in instructions], [given for _, given in instructions]
    return Sample(id="1", meta={"instruction_id_list": names, "kwargs": given})


def follows(name: str, given: dict[str, Any], text: str) -> bool:
    return score(text, sample((name, given)), None).score == 1


LEAST, LESS = {"relation": "at least"}, {"relation": "less than"}
CASES: list[tuple[str, dict[str, Any], str, bool]] = [
    ("keywords:existence", {"keywords": ["mom", "c++"]}, "My MOMENT with C++", True),
    ("keywords:existence", {"keywords": ["mom", "dad"]}, "My mom", False),
    ("keywords:frequency", {"keyword": "tea", "frequency": 2, **LEAST}, "Tea and steam", True),
    ("keywords:frequency", {"keyword": "tea", "frequency": 3, **LEAST}, "Tea and steam", False),
    ("keywords:frequency", {"keyword": "tea", "frequency": 2, **LESS}, "tea", True),
    ("keywords:frequency", {"keyword": "tea", "frequency": 2, **LESS}, "tea, tea", False),
    ("keywords:forbidden_words", {"forbidden_words": ["rock"]}, "Rocket science", True),
    ("keywords:forbidden_words", {"forbidden_words": ["rock"]}, "It is a ROCK.", False),
    ("keywords:letter_frequency", {"letter": "E", "let_frequency": 2, "let_relation": "at least"}, "Eve", True),
    ("keywords:letter_frequency", {"letter": "e", "let_frequency": 2, "let_relation": "less than"}, "Eve", False),
    ("keywords:letter_frequency", {"letter": "#", "let_frequency": 2, "let_relation": "at least"}, "# #", True),
    ("language:response_language", {"language": "de"}, LANGUAGES["de"], True),
    ("language:response_language", {"language": "de"}, LANGUAGES["it"], False),
    ("language:response_language", {"language": "de"}, "12345 67890", True),  # no language can be found
    ("length_constraints:number_sentences", {"num_sentences": 2, **LEAST}, "One. Two!", True),
    (
        "length_constraints:number_sentences",
        {"num_sentences": 2, **LEAST},
        "Dr. Fox has 3.5 points, in U.S. dollars",
        False,
    ),
    ("length_constraints:number_sentences", {"num_sentences": 2, **LESS}, "One", True),
    ("length_constraints:number_paragraphs", {"num_paragraphs": 2}, "One.\n\n***\n\nTwo.", True),
    ("length_constraints:number_paragraphs", {"num_paragraphs": 2}, "***\nOne.\n***\nTwo.\n***", True),
    ("length_constraints:number_paragraphs", {"num_paragraphs": 2}, "One.\n***\n\n***\nTwo.", False),
    ("length_constraints:number_paragraphs", {"num_paragraphs": 2}, "One.\n\nTwo.", False),
    ("length_constraints:number_words", {"num_words": 4, **LEAST}, "I don't know.", True),
    ("length_constraints:number_words", {"num_words": 4, **LESS}, "I don't know.", False),
    ("length_constraints:number_words", {"num_words": 1, **LEAST}, "...", False),
    ("detectable_content:number_placeholders", {"num_placeholders": 2}, "[name], [address]", True),
    ("detectable_content:number_placeholders", {"num_placeholders": 2}, "[name\n] [[address]]", False),
    ("detectable_content:postscript", {"postscript_marker": "P.P.S"}, "Bye.\nP. P.S. Wait", True),
    ("detectable_content:postscript", {"postscript_marker": "P.P.S"}, "Bye.\nP.S. Wait", False),
    ("detectable_content:postscript", {"postscript_marker": "P.S."}, "p. s. wait", True),
    ("detectable_content:postscript", {"postscript_marker": "PS:"}, "Bye. ps: wait", True),
    ("detectable_format:number_bullet_lists", {"num_bullets": 2}, "Two:\n* one\n  - two\n**no**\n*", True),
    ("detectable_format:number_bullet_lists", {"num_bullets": 2}, "* one\n* two\n* three", False),
    ("detectable_format:constrained_response", {}, "I say: My answer is no. So it is.", True),
    ("detectable_format:constrained_response", {}, "My answer is no", False),
    ("detectable_format:number_highlighted_sections", {"num_highlights": 2}, "*one* and **two**", True),
    ("detectable_format:number_highlighted_sections", {"num_highlights": 2}, "*one\ntwo* ** ** ****", False),
    ("detectable_format:multiple_sections", {"section_spliter": "Day", "num_sections": 2}, "Day 1\na\nDay 2\nb", True),
    ("detectable_format:multiple_sections", {"section_spliter": "Day", "num_sections": 2}, "day 1\nDay 2", False),
    ("detectable_format:json_format", {}, '```json\n{"a": 1}\n```', True),
    ("detectable_format:json_format", {}, 'Here it is: {"a": 1}', False),
    ("detectable_format:json_format", {}, "[" * 100_000, False),
    ("detectable_format:title", {}, "<<On teas>>\nTea", True),
    ("detectable_format:title", {}, "<<>> <tea>", False),
    ("detectable_format:title", {}, "<<tea\n>>", False),
    ("combination:two_responses", {}, "One.\n******\nTwo.\n******", True),
    ("combination:two_responses", {}, "One.\n******\nOne.", False),
    ("combination:two_responses", {}, "One.\n******\n\n******\nTwo.", False),
    ("combination:repeat_prompt", {"prompt_to_repeat": "Write a haiku."}, " write a Haiku. Snow", True),
    ("combination:repeat_prompt", {"prompt_to_repeat": "Write a haiku."}, "Sure. Write a haiku.", False),
    ("startend:end_checker", {"end_phrase": "Peace!"}, '"All is well. peace!"\n', True),
    ("startend:end_checker", {"end_phrase": "Peace!"}, "Peace! Bye.", False),
    ("change_case:capital_word_frequency", {"capital_frequency": 2, "capital_relation": "at least"}, "I SEE.", True),
    ("change_case:capital_word_frequency", {"capital_frequency": 2, "capital_relation": "less than"}, "NO-ONE", True),
    ("change_case:capital_word_frequency", {"capital_frequency": 1, "capital_relation": "at least"}, "See", False),
    ("change_case:english_capital", {}, ENGLISH.upper(), True),
    ("change_case:english_capital", {}, ENGLISH.upper() + " so", False),
    ("change_case:english_capital", {}, LANGUAGES["ru"].upper(), False),
    ("change_case:english_lowercase", {}, ENGLISH, True),
    ("change_case:english_lowercase", {}, ENGLISH.capitalize(), False),
    ("punctuation:no_comma", {}, "So; it is.", True),
    ("punctuation:no_comma", {}, "So, it is.", False),
    ("startend:quotation", {}, ' "So it is." ', True),
    ("startend:quotation", {}, '"', False),
]
NTH = {"num_paragraphs": 2, "nth_paragraph": 2, "first_word": "tea"}
CASES += [
    ("length_constraints:nth_paragraph_first_word", NTH, "One.\n\n\"Tea's hot", True),
    ("length_constraints:nth_paragraph_first_word", NTH, "Tea.\n\nOne.", False),
    ("length_constraints:nth_paragraph_first_word", NTH, "One.\nTea", False),
    ("length_constraints:nth_paragraph_first_word", NTH, "One.\n\nTea.\n\nThree.", False),
]


@pytest.mark.parametrize(("name", "given", "text", "followed"), CASES)
def test_an_instruction_is_followed_or_not(name: str, given: dict[str, Any], text: str, followed: bool) -> None:
    assert follows(name, given, text) is followed
    assert not follows(name, given, " \n ")


def test_every_kind_has_an_answer_that_follows_it_and_one_that_does_not() -> None:
    for wanted in (True, False):
        assert {name for name, _, _, followed in CASES if followed is wanted} == set(RULES)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("Mr. Fox met Mrs. Hen. They ate.", 2),
        ("He lives in the U.S. The weather is good.", 2),
        ("J. R. Smith came at 5 p.m. and left.", 1),
        ("Well... yes. Well... No!", 3),
        ('She said "No." Then she left (at last!). Why?! So.', 4),
        ("Why?!", 2),  # as the paper's splitter has it, as in the next four
        ("**Tea is hot.** So it is.", 2),
        ("**Tea is hot.**", 2),
        ("Tea, milk, etc. are drinks, e.g. water.", 3),
        ("No. 5 is Vitamin C. Then we left.", 2),
        ("1. Tea is hot.", 2),  # as the paper's splitter has it
        ("no end, no mark", 1),
        ("\u8fd9\u662f\u8336\u3002\u5f88\u70ed\uff01", 2),
        (" ... ", 1),
        ("", 0),
    ],
)
def test_sentences_end_where_a_reader_ends_them(text: str, count: int) -> None:
    assert len(sentences(text)) == count


@pytest.mark.parametrize(
    ("text", "count"),
    [("I DON'T", 3), ("I'm at IBM's", 2), ("(HELLO) **WORLD**", 2), ("U.S. A-B Ab", 2), ("3D 42", 1), ("YES--NO", 2)],
)
def test_words_in_capitals_are_counted_as_tokens_of_the_penn_treebank(text: str, count: int) -> None:
    assert capital_words(text) == count


@pytest.mark.parametrize(
    "text",
    [
        "Sure, here it is:\nno commas",
        "no commas\nI hope so, friend",
        "Sure, here it is:\nno commas\nI hope so, friend",
        "Sure, here it is:\n*no commas*\nI hope so, friend",
    ],
)
def test_loose_mode_looks_past_the_first_and_the_last_line(text: str) -> None:
    found = score(text, sample(("punctuation:no_comma", {})), None)
    assert (found.score, found.rule, found.extracted) == (0, "loose", ["punctuation:no_comma"])
    assert found.parts["prompt_level_strict"] == 0 and found.parts["prompt_level_loose"] == 1


def test_loose_mode_has_eight_texts_and_each_is_looked_at_once() -> None:
    assert variants("a\n*b*\nc") == ["a\n*b*\nc", "*b*\nc", "a\n*b*", "*b*", "a\nb\nc", "b\nc", "a\nb", "b"]
    assert variants("a") == ["a", ""]


def test_an_answer_that_asterisks_spoil_is_right_in_loose_mode() -> None:
    found = score('**"So it is."**', sample(("startend:quotation", {})), None)
    assert (found.parts["prompt_level_strict"], found.parts["prompt_level_loose"]) == (0, 1)


def test_a_verdict_names_what_was_not_followed_and_why() -> None:
    words = ("length_constraints:number_words", {"num_words": 5, **LEAST})
    found = score("So, it is", sample(("punctuation:no_comma", {}), words, ("startend:quotation", {})), None)
    assert found.extracted == ["punctuation:no_comma", words[0], "startend:quotation"]
    assert "length_constraints:number_words: 3 words, not at least 5" in found.why
    assert found.parts["inst_per_prompt_strict"] == 0


def test_the_level_of_instructions_counts_them_all_and_not_prompts() -> None:
    one = sample(("punctuation:no_comma", {}))
    three = sample(("punctuation:no_comma", {}), ("startend:quotation", {}), ("detectable_format:title", {}))
    verdicts = [score("no", one, None), score("no", three, None)]
    totals = EVALUATORS["ifeval"].totals
    assert totals is not None
    assert totals([one, three], verdicts, None) == {"inst_level_strict": 0.5, "inst_level_loose": 0.5}
    assert sum(found.parts["inst_per_prompt_strict"] for found in verdicts) / 2 == pytest.approx(2 / 3)
    assert totals([one, three], [verdicts[0], Verdict(0.0)], None)["inst_level_strict"] == 0.25
    assert totals([], [], None)["inst_level_strict"] == 0


@pytest.mark.parametrize(
    ("meta", "words"),
    [
        ({"instruction_id_list": ["keywords:existense"], "kwargs": [{}]}, "keywords:existense.*keywords:existence"),
        ({"instruction_id_list": ["keywords:existence"], "kwargs": [{}]}, "keywords:existence lack keywords"),
        ({"instruction_id_list": ["keywords:existence"], "kwargs": [{"keywords": "a"}]}, "keywords.*Expected `array`"),
        ({"instruction_id_list": ["keywords:existence"], "kwargs": []}, "1 instructions, but 0 kwargs"),
        ({"instruction_id_list": ["keywords:existence"], "kwargs": [3]}, "are no object"),
        ({"instruction_id_list": ["punctuation:no_comma"]}, "no list in the column kwargs"),
        ({"instruction_id_list": [], "kwargs": []}, "no instructions"),
        ({}, "no list in the column instruction_id_list"),
    ],
)
def test_what_cannot_be_checked_is_an_error_that_names_it(meta: dict[str, Any], words: str) -> None:
    with pytest.raises(EvaluationError, match=f"sample 1.*{words}"):
        score("text", Sample(id="1", meta=meta), None)


def test_an_unknown_relation_is_an_error() -> None:
    with pytest.raises(EvaluationError, match=r"relation of length_constraints:number_words.*'about'"):
        follows("length_constraints:number_words", {"num_words": 3, "relation": "about"}, "text")


def test_kwargs_of_tables_with_nulls_numbers_with_a_point_and_json_are_read() -> None:
    given = {"num_words": 3.0, "relation": "at least", "keywords": None, "letter": None}
    assert follows("length_constraints:number_words", given, "So it is")
    meta = {"instruction_id_list": '["punctuation:no_comma"]', "kwargs": ["{}"]}
    assert score("So it is", Sample(id="1", meta=meta), None).score == 1


def test_the_registry_knows_it() -> None:
    found = evaluator("ifeval")
    assert (found.metric, found.empty) == ("prompt_level_strict", True)


def official(path: Path) -> Iterator[Sample]:
    if not path.is_file():
        pytest.skip(f"the official rows are not in {path}")
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        yield Sample(id=str(row["key"]), meta={key: row[key] for key in ("instruction_id_list", "kwargs")})


@pytest.mark.parametrize("path", [SMALL, LARGE], ids=["small", "all"])
def test_each_official_row_is_scored(path: Path) -> None:
    for one in official(path):
        found = score(TEXT, one, None)
        assert found.score in (0, 1) and len(found.extracted) <= len(one.meta["kwargs"])
        assert found.parts["inst_per_prompt_strict"] <= found.parts["inst_per_prompt_loose"]


@pytest.mark.parametrize("path", [SMALL, LARGE], ids=["small", "all"])
def test_answers_made_to_follow_an_instruction_of_the_official_rows_follow_it(path: Path) -> None:
    failed = [
        (one.id, name)
        for one in official(path)
        for name, given in zip(one.meta["instruction_id_list"], one.meta["kwargs"], strict=True)
        if not follows(name, given, FOLLOWING[name](given))
    ]
    assert failed == []


def test_answers_to_other_rows_are_seldom_right() -> None:
    rows = [one for one in official(LARGE) if len(one.meta["kwargs"]) == 1]
    made = [FOLLOWING[one.meta["instruction_id_list"][0]](one.meta["kwargs"][0]) for one in rows]
    assert [score(text, one, None).score for text, one in zip(made, rows, strict=True)] == [1] * len(rows)
    moved = [score(text, one, None).score for text, one in zip(made[7:] + made[:7], rows, strict=True)]
    assert sum(moved) / len(moved) < 0.45


HOSTILE = {
    "letters": "a" * 1_000_000,
    "dots": "." * 1_000_000 + "x",
    "marks": "? " * 500_000,
    "brackets": "[" * 1_000_000,
    "angles": "<" * 1_000_000,
    "asterisks": "* \n" * 300_000,
    "lines": "\n" * 1_000_000 + "x",
    "blanks": " " * 1_000_000 + "x",
    "broken": "\ud800\x00\u202e" * 300_000,
    "capitals": "A'S-" * 250_000,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_texts_of_a_megabyte_are_scored(text: str) -> None:
    kinds = {name: given for name, given, _, _ in CASES}  # what takes the square of the length runs into the time limit
    found = score(text, sample(*kinds.items()), None)
    assert found.score == 0 and len(found.why) < 5000
