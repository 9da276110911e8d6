"""Multiple choice data sets: rows in the layout of their homes, asked by their presets and scored as these say."""
# ruff: noqa: RUF001

import csv
import itertools
import json
import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evaluators.registry import evaluator
from evaluators.sample import Sample, Verdict
from evaluators.settings import Evaluation, evaluation_of, settings_of
from perfcore.errors import UserError
from perfcore.workload import registry
from perfcore.workload.row import Row
from perfcore.workload.source import Made, Wanted

LARGE = Path(__file__).parents[2] / "shared" / "data"
WRAPPED = ("{}", "The answer is ({}).", "Let me think. ANSWER: {}", "综上，答案是{}。", "故选：{}", "{}. It fits best.")
SAID = (
    "{}",
    "So the answer is {}.",
    "Let me think. ANSWER: {}",
    "Step by step.\n\n**Answer:** {}",
    "Hm.\nSo the answer is **{}**.",
)


@lru_cache(maxsize=2)
def rows(name: str, folder: Path, most: int = 20_000) -> list[Row]:
    there = registry.open_dataset(registry.resolved(name, None), {}, Wanted(limit=most), (folder,))
    assert not isinstance(there, Made)
    return list(itertools.islice(there, most))


def evaluation(name: str) -> Evaluation:
    return evaluation_of(registry.resolved(name, None).preset.evaluation, name)


def scored(name: str, asked: Sequence[Row], texts: Sequence[str]) -> list[Verdict]:
    how = evaluation(name)
    found = evaluator(how.evaluator)
    settings = settings_of(how.args, found.settings, name)
    samples = [
        Sample(id=row.id, reference=row.reference, meta=row.meta or {}, subset=row.subset or "") for row in asked
    ]
    return [found.score(text, sample, settings) for text, sample in zip(texts, samples, strict=True)]


def mean(verdicts: Sequence[Verdict]) -> float:
    return sum(verdict.score for verdict in verdicts) / len(verdicts)


def chance(asked: Sequence[Row]) -> float:
    """Share of references that stay right, on average, when those of each subset are shuffled."""
    parts = Counter(row.subset for row in asked)
    alike = Counter((row.subset, str(row.reference)) for row in asked)
    return sum(n * n / parts[subset] for (subset, _), n in alike.items()) / len(asked)


def shuffled(asked: Sequence[Row]) -> list[str]:
    """References of other rows of the same subset."""
    draw, places = random.Random(7), defaultdict[Any, list[int]](list)
    for at, row in enumerate(asked):
        places[row.subset].append(at)
    mixed = {at: to for part in places.values() for at, to in zip(part, draw.sample(part, len(part)), strict=True)}
    return [str(asked[mixed[at]].reference) for at in range(len(asked))]


@pytest.mark.parametrize(("name", "count", "forms"), [("mmlu_with_header", 14_042, WRAPPED), ("bbh", 6_511, SAID)])
def test_references_as_answers_are_all_right_and_shuffled_ones_by_chance(
    name: str, count: int, forms: Sequence[str]
) -> None:
    if not LARGE.is_dir():
        pytest.skip(f"the data sets are not in {LARGE}")
    asked = rows(name, LARGE)
    texts = [forms[at % len(forms)].format(row.reference) for at, row in enumerate(asked)]
    assert (len(asked), mean(scored(name, asked, texts))) == (count, 1)
    assert abs(mean(scored(name, asked, [f"The answer is {text}." for text in shuffled(asked)])) - chance(asked)) < 0.02


def test_texts_of_the_right_choices_stand_for_their_letters() -> None:
    if not LARGE.is_dir():
        pytest.skip(f"the data sets are not in {LARGE}")
    asked = rows("mmlu_with_header", LARGE)[::20]
    choices = [[str((row.meta or {})[f"choice{at}"]) for at in range(4)] for row in asked]
    texts = [there["ABCD".index(str(row.reference))] for row, there in zip(asked, choices, strict=True)]
    found = scored("mmlu_with_header", asked, [f"The answer is {text}" for text in texts])
    wrong = [text for text, verdict in zip(texts, found, strict=True) if not verdict.score]
    assert len(wrong) / len(texts) < 0.01, wrong


def put(path: Path, lines: Sequence[Any]) -> None:
    """A file of JSON lines, of one JSON document, of CSV, or of Parquet, by its name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(list(lines)), path)
    elif path.suffix == ".csv":
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows(lines)
    else:
        path.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")


ARC = {
    "id": "q",
    "question": {"stem": "Why?", "choices": [{"text": "sun", "label": "1"}, {"text": "moon", "label": "2"}]},
}
HELLA = {"query": "A man", "choices": ["sits", "eats", "runs", "flies"], "gold": 2}
WINO = {"sentence": "The _ is full.", "option1": "jug", "option2": "cup", "answer": "2"}
BOOLQ = {"question": "does it rain", "passage": "It rains.", "label": True}
EXAM = {"passage": None, "question": "Q", "options": ["(A)one", "(B)two", "(C)three"], "answer": None, "other": None}
GPQA = [["Record", "Question", "Correct Answer", *(f"Incorrect Answer {at}" for at in (1, 2, 3))]] + [
    [str(at), "Which?", "right", "wrong 1", "wrong 2", "wrong 3"] for at in range(4)
]
PRO = {"question_id": 7, "question": "Why?", "options": ["x", "y", "z"], "answer": "C", "category": "law"}
SHOT = {**PRO, "cot_content": "A: Let us see. The answer is (C)."}
# Name, file, rows, an answer to the first row that is right, and one that is not.
LAYOUTS: list[tuple[str, str, list[Any], str, str]] = [
    ("mmlu", "mmlu/test/law_test.csv", [["Q", "a", "b", "c", "d", "C"]], "C. c", "B"),
    ("mmlu_gen_0_shot_cot_chat_prompt", "mmlu/test/law_test.csv", [["Q", *"wxyz", "D"]], "ANSWER: D", "ANSWER: A"),
    ("mmlu_pro", "mmlu_pro/test-00000-of-00001.parquet", [PRO], "The answer is (C).", "The answer is (D)."),
    (
        "ceval",
        "ceval/formal_ceval/val/law_val.csv",
        [["id", "question", *"ABCD", "answer"], [0, "Q", *"wxyz", "B"]],
        "故选B",
        "A",
    ),
    (
        "cmmlu",
        "cmmlu/test/law.csv",
        [["", "Question", *"ABCD", "Answer"], [0, "Q", *"wxyz", "B"]],
        "答案：B",
        "答案：C",
    ),
    ("ARC_c_gen_0_shot_chat_prompt", "ARC/ARC-c/ARC-Challenge-Test.jsonl", [{**ARC, "answerKey": "2"}], "2", "1"),
    ("ARC_e_gen", "ARC/ARC-e/ARC-Easy-Test.jsonl", [{**ARC, "answerKey": "1"}], "The answer is sun.", "2"),
    ("hellaswag_gen", "hellaswag/hellaswag.jsonl", [HELLA], "C. runs", "eats"),
    ("winogrande", "winogrande/dev.jsonl", [WINO], "2", "jug"),
    ("SuperGLUE_BoolQ_gen", "SuperGLUE/BoolQ/val.jsonl", [BOOLQ], "Yes, it does.", "There is no doubt."),
    ("winogrande_gen_0_shot_chat_prompt", "winogrande/dev.jsonl", [WINO], "B", "A"),
    ("gpqa_gen_0_shot_cot_chat_prompt", "gpqa/gpqa_diamond.csv", GPQA, "Answer: D", "Answer: A"),
    ("agieval_gen", "AGIEval/data/v1_1/lsat-ar.jsonl", [{**EXAM, "label": "B"}], "答案：B", "答案：C"),
    ("agieval_gen", "AGIEval/data/v1_1/gaokao-physics.jsonl", [{**EXAM, "label": ["A", "C"]}], "答案：AC", "答案：A"),
    ("agieval_gen", "AGIEval/data/v1_1/sat-math.jsonl", [{**EXAM, "label": "C"}], "(C)three", "two"),
    (
        "bbh",
        "bbh/snarks.json",
        [{"examples": [{"input": "(A) x\n(B) y", "target": "(B)"}]}],
        "So the answer is (B).",
        "A",
    ),
    ("custom_mcq_gen", "mcq.csv", [["question", *"ABC", "answer"], ["Q", "1", "2", "3", "B"]], "So it is 2.", "C"),
]


@pytest.mark.parametrize(
    ("name", "file", "lines", "right", "wrong"), LAYOUTS, ids=[f"{one[0]}-{one[3]}" for one in LAYOUTS]
)
def test_rows_in_the_layout_of_a_home_are_asked_and_scored(
    tmp_path: Path, name: str, file: str, lines: list[Any], right: str, wrong: str
) -> None:
    put(tmp_path / file, lines)
    wanted = f"{name}:{tmp_path / file}" if name == "custom_mcq_gen" else name
    asked = rows(wanted, tmp_path)[:1]
    assert [mean(scored(wanted, asked, [text])) for text in (right, wrong)] == [1, 0]


@pytest.mark.parametrize(
    ("name", "row", "label"),
    [
        ("piqa", {"goal": "G", "sol1": "heat it", "sol2": "cool it"}, 1),
        ("siqa", {"context": "C", "question": "Q", "answerA": "heat it", "answerB": "cool it", "answerC": "eat"}, 2),
    ],
)
def test_choices_that_stand_in_columns_may_be_said_in_words(
    tmp_path: Path, name: str, row: dict[str, Any], label: int
) -> None:
    put(tmp_path / name / "dev.jsonl", [row])
    (tmp_path / name / "dev-labels.lst").write_text(f"{label}\n", encoding="utf-8")
    asked = rows(name, tmp_path)
    assert [mean(scored(name, asked, [text])) for text in ("You should cool it.", "B", "heat it")] == [1, 1, 0]


def test_formulas_of_exams_are_scored_as_mathematics(tmp_path: Path) -> None:
    cloze = {**EXAM, "options": None, "label": None, "answer": "\\frac{1}{2}"}
    put(tmp_path / "AGIEval/data/v1_1/math.jsonl", [cloze])
    asked = rows("agieval", tmp_path)
    assert (asked[0].reference, asked[0].subset) == ("\\frac{1}{2}", "math")
    assert [
        verdict.score for verdict in scored("agieval", asked * 2, ["It is $\\boxed{0.5}$.", "It is $\\boxed{2}$."])
    ] == [1, 0]


def test_choices_of_gpqa_are_turned_so_that_each_letter_is_right_equally_often(tmp_path: Path) -> None:
    put(tmp_path / "gpqa/gpqa_diamond.csv", GPQA)
    asked = rows("gpqa", tmp_path)
    assert [row.reference for row in asked] == ["D", "C", "B", "A"]
    assert all((row.meta or {})[str(row.reference)] == "right" for row in asked)
    assert asked[0].meta == {"A": "wrong 1", "B": "wrong 2", "C": "wrong 3", "D": "right"}
    assert str(asked[0].prompt).startswith("Which?\nA. wrong 1\nB. wrong 2\nC. wrong 3\nD. right\nClose")


def test_a_column_to_turn_that_is_not_there_is_an_error_that_names_it(tmp_path: Path) -> None:
    put(tmp_path / "gpqa/gpqa_diamond.csv", [["Question", "Correct Answer"], ["Q", "x"]])
    with pytest.raises(UserError, match=r"line 2: has no column 'Incorrect Answer 1'.*`turned` asks for it"):
        rows("gpqa", tmp_path)


def test_examples_of_mmlu_pro_are_those_of_the_subject(tmp_path: Path) -> None:
    others = [{**SHOT, "category": "math", "question": f"M{at}"} for at in range(5)]
    own = [{**SHOT, "question": f"L{at}"} for at in range(6)]
    put(tmp_path / "mmlu_pro/test-00000-of-00001.parquet", [PRO])
    put(tmp_path / "mmlu_pro/validation-00000-of-00001.parquet", [*others, *own])
    text = str(rows("mmlu_pro_gen_5_shot_str", tmp_path)[0].prompt)
    assert [text.count(f"Question: L{at}\nA. x\n") for at in range(6)] == [1, 1, 1, 1, 1, 0]
    assert "Question: M" not in text and text.endswith("Question: Why?\nA. x\nB. y\nC. z\n")


@pytest.mark.parametrize(
    ("name", "file", "examples", "lines", "shots", "last"),
    [
        (
            *("ARC_c_gen_25_shot_chat_prompt", "ARC/ARC-c/ARC-Challenge-Test.jsonl", "ARC-Challenge-Dev.jsonl"),
            *(ARC | {"answerKey": "2"}, 25, "2"),
        ),
        (
            *("hellaswag_gen_10_shot_chat_prompt", "hellaswag/hellaswag.jsonl", "hellaswag_train_sampled25.jsonl"),
            *(HELLA, 10, "C"),
        ),
        ("winogrande_gen_5_shot_chat_prompt", "winogrande/dev.jsonl", "train_xs.jsonl", WINO, 5, "B"),
    ],
)
def test_examples_are_rounds_of_a_chat(
    tmp_path: Path, name: str, file: str, examples: str, lines: dict[str, Any], shots: int, last: str
) -> None:
    put(tmp_path / file, [lines])
    put((tmp_path / file).with_name(examples), [lines] * 25)
    messages = rows(name, tmp_path)[0].messages or []
    assert len(messages) == 2 * shots + 1
    assert messages[-2] == {"role": "assistant", "content": last}


@pytest.mark.parametrize(("name", "count"), [("mmlu", 57), ("ceval", 52), ("cmmlu", 67), ("agieval", 21)])
def test_groups_have_all_subjects(name: str, count: int) -> None:
    groups = evaluation(name).groups
    assert len({subset for subsets in groups.values() for subset in subsets}) == count
    assert all(len(subsets) == len(set(subsets)) > 1 for subsets in groups.values())


NAMES = """
ARC_c_gen ARC_c_gen_0_shot_chat_prompt ARC_c_gen_25_shot_chat_prompt ARC_e_gen ARC_e_gen_0_shot_chat_prompt
ARC_e_gen_25_shot_chat_prompt agieval_gen agieval_gen_0_shot_chat_prompt bbh_gen bbh_gen_3_shot_cot_chat ceval_gen
ceval_gen_0_shot_cot_chat_prompt ceval_gen_0_shot_noncot_chat_prompt ceval_gen_0_shot_str ceval_gen_0_shot_str_perf
ceval_gen_5_shot_str cmmlu_gen cmmlu_gen_0_shot_cot_chat_prompt cmmlu_gen_5_shot_cot_chat_prompt custom_mcq_gen
gpqa_gen gpqa_gen_0_shot_cot_chat_prompt gpqa_gen_0_shot_str hellaswag_gen hellaswag_gen_0_shot_chat_prompt
hellaswag_gen_10_shot_chat_prompt mmlu_gen mmlu_gen_0_shot_cot_chat_prompt mmlu_gen_5_shot_chat_prompt
mmlu_gen_5_shot_str mmlu_pro_gen mmlu_pro_gen_0_shot_str mmlu_pro_gen_5_shot_str winogrande_gen
winogrande_gen_0_shot_chat_prompt winogrande_gen_5_shot_chat_prompt
"""


@pytest.mark.parametrize("name", NAMES.split())
def test_presets_with_names_of_other_tools_say_how_they_are_scored(name: str) -> None:
    how = evaluation(name)
    settings_of(how.args, evaluator(how.evaluator).settings, name)


TASKS: list[tuple[str, str, str, float]] = [
    ("word_sorting", "bar foo", "So the answer is: bar, foo.", 1),
    ("word_sorting", "bar foo", "The answer is:\n1. bar\n2. foo", 1),
    ("word_sorting", "bar foo", "So the answer is foo bar.", 0),
    ("dyck_languages", "] )", "So the answer is ] ).", 1),
    ("dyck_languages", "] )", "The answer is `])`", 1),
    ("dyck_languages", "] )", "The answer is ) ]", 0),
    ("navigate", "No", "So the answer is no.", 1),
    ("navigate", "No", "No. There is a way back, yes.", 1),
    ("navigate", "No", "Yes", 0),
    ("formal_fallacies", "invalid", "The argument is deductively invalid.", 1),
    ("formal_fallacies", "valid", "The argument is deductively invalid.", 0),
    ("formal_fallacies", "valid", "The answer is **valid**.", 1),
    ("boolean_expressions", "True", "= True. So the answer is True.", 1),
    ("boolean_expressions", "True", "True or False = True; the answer is False", 0),
    ("multistep_arithmetic_two", "-11520", "So the answer is -11,520.", 1),
    ("multistep_arithmetic_two", "-35", "= 35. So the answer is 35.", 0),
    ("object_counting", "8", "So the answer is 8.", 1),
    ("snarks", "(B)", "The answer is (B).", 1),
    ("movie_recommendation", "Monsters, Inc", "So the answer is Monsters, Inc.", 1),
]


@pytest.mark.parametrize(("task", "reference", "text", "right"), TASKS)
def test_tasks_of_bbh_are_read_each_in_its_way(task: str, reference: str, text: str, right: float) -> None:
    found = evaluator("bbh")
    assert found.score(text, Sample(id="1", reference=reference, subset=task), found.settings()).score == right
