"""The presets of perplexity mode: that each is sound, and which choices it makes of rows in the layout of its home."""

import csv
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evaluators import ppl
from evaluators.settings import evaluation_of, settings_of
from perfcore.workload import catalogue, registry
from perfcore.workload.source import Made, Wanted

PPL = [
    name
    for name, entry in catalogue.names(None).items()
    if catalogue.read_preset(entry).evaluation.get("evaluator") == "ppl"
]
AISBENCH = """
ARC_c_ppl_0_shot_str ARC_e_ppl_0_shot_str FewCLUE_bustm_ppl_0_shot_chat FewCLUE_chid_ppl_0_shot_str
FewCLUE_cluewsc_ppl_0_shot_chat FewCLUE_csl_ppl_0_shot_str FewCLUE_eprstmt_ppl_0_shot_chat
FewCLUE_tnews_ppl_0_shot_chat ceval_ppl_0_shot_str cmmlu_ppl_0_shot_cot_chat_prompt gpqa_ppl_0_shot_str
hellaswag_ppl_0_shot_chat_prompt mmlu_ppl_0_shot_str piqa_ppl_0_shot_str race_ppl_0_shot_chat siqa_ppl_0_shot_chat
"""


def test_all_tasks_of_aisbench_by_perplexity_are_there() -> None:
    assert {*AISBENCH.split()} <= {*PPL}


@pytest.mark.parametrize("name", PPL)
def test_the_settings_of_a_preset_by_perplexity_are_sound(name: str) -> None:
    preset = catalogue.read_preset(catalogue.names(None)[name])
    chosen = evaluation_of(preset.evaluation, name)
    settings_of(chosen.args, ppl.Settings, name)
    args = registry.settings_of(registry.resolved(name, None), {})
    assert args.labels is not None and not args.where


SUBJECT = ["id", "question", "A", "B", "C", "D", "answer"]
QUIZ = ["Q", "w", "x", "y", "z"]
# name, files with their lines, labels, right ones, and the last of the prompt of the first and of the last label
LAYOUTS: list[tuple[str, dict[str, list[Any]], str, Any, str, str]] = [
    (
        "ARC_c_ppl_0_shot_str",
        {
            "ARC/ARC-c/ARC-Challenge-Test.jsonl": [
                {
                    "id": "q1",
                    "question": {
                        "stem": "Why?",
                        "choices": [{"text": "so", "label": "A"}, {"text": "no", "label": "B"}],
                    },
                    "answerKey": "B",
                }
            ]
        },
        "A B",
        "B",
        "Answer: so",
        "Answer: no",
    ),
    (
        "mmlu_ppl_0_shot_str",
        {"mmlu/test/law_test.csv": [[*QUIZ, "C"]], "mmlu/dev/law_dev.csv": [[*QUIZ, "A"]] * 5},
        "A B C D",
        "C",
        "D. z\nAnswer: A",
        "D. z\nAnswer: D",
    ),
    (
        "ceval_ppl_0_shot_str",
        {
            "ceval/formal_ceval/val/law_val.csv": [SUBJECT, [0, *QUIZ, "C"]],
            "ceval/formal_ceval/dev/law_dev.csv": [SUBJECT, *([[0, *QUIZ, "A"]] * 5)],
        },
        "A B C D",
        "C",
        "答案\uff1aA",
        "答案\uff1aD",
    ),
    (
        "cmmlu_ppl_0_shot_cot_chat_prompt",
        {
            "cmmlu/test/law.csv": [["", "Question", "A", "B", "C", "D", "Answer"], [0, *QUIZ, "C"]],
            "cmmlu/dev/law.csv": [["", "Question", "A", "B", "C", "D", "Answer"], *([[0, *QUIZ, "A"]] * 5)],
        },
        "A B C D",
        "C",
        "答案\uff1aA",
        "答案\uff1aD",
    ),
    (
        "gpqa_ppl_0_shot_str",
        {
            "gpqa/gpqa_diamond.csv": [
                ["Question", "Correct Answer", "Incorrect Answer 1", "Incorrect Answer 2", "Incorrect Answer 3"],
                ["Why?", "right", "w1", "w2", "w3"],
            ]
        },
        "A B C D",
        None,
        "",
        "",
    ),
    (
        "hellaswag_ppl_0_shot_chat_prompt",
        {"hellaswag/hellaswag.jsonl": [{"query": "A man", "choices": ["sits", "eats", "runs", "flies"], "gold": 1}]},
        "A B C D",
        "B",
        "sits",
        "flies",
    ),
    (
        "winogrande_ppl_0_shot_str",
        {"winogrande/dev.jsonl": [{"sentence": "The _ is full.", "option1": "jug", "option2": "cup", "answer": "2"}]},
        "1 2",
        "2",
        "The jug is full.",
        "The cup is full.",
    ),
    (
        "piqa_ppl_0_shot_str",
        {"piqa/dev.jsonl": [{"goal": "Boil water", "sol1": "heat", "sol2": "cool"}], "piqa/dev-labels.lst": ["1"]},
        "A B",
        "B",
        "Boil water\nheat",
        "Boil water\ncool",
    ),
    (
        "siqa_ppl_0_shot_chat",
        {
            "siqa/dev.jsonl": [{"context": "c", "question": "q", "answerA": "a", "answerB": "b", "answerC": "c"}],
            "siqa/dev-labels.lst": ["1"],
        },
        "A B C",
        "A",
        "a",
        "c",
    ),
    (
        "SuperGLUE_BoolQ_ppl_0_shot_str",
        {"SuperGLUE/BoolQ/val.jsonl": [{"question": "is it so", "passage": "It is.", "label": True}]},
        "A B",
        "B",
        "Answer: No",
        "Answer: Yes",
    ),
    (
        "race_ppl_0_shot_chat",
        {
            f"race/test/{level}.jsonl": [
                {"article": "a", "question": "q", "options": ["x", "y", "z", "u"], "answer": "D"}
            ]
            for level in ("middle", "high")
        },
        "A B C D",
        "D",
        "A. x",
        "D. u",
    ),
    *(
        (
            f"truthfulqa_{task}",
            {
                "truthfulqa/multiple_choice/validation-00000-of-00001.parquet": [
                    {"question": "q", f"{task}_targets": {"choices": ["x", "y"], "labels": [1, 0]}}
                ]
            },
            "A B",
            [1, 0],
            "A: x",
            "A: y",
        )
        for task in ("mc1", "mc2")
    ),
    (
        "FewCLUE_bustm_ppl_0_shot_chat",
        {
            f"FewCLUE/bustm/{part}.json": [{"id": 1, "sentence1": "a", "sentence2": "b", "label": "1"}]
            for part in ("dev_few_all", "test_public")
        },
        "0 1",
        "1",
        "不同",
        "相同",
    ),
    (
        "FewCLUE_chid_ppl_0_shot_str",
        {
            f"FewCLUE/chid/{part}.jsonl": [
                {"id": 1, "candidates": ["a", "b", "c", "d", "e", "f", "g"], "content": "x #idiom# y", "answer": 2}
            ]
            for part in ("dev_few_all", "test_public")
        },
        "A B C D E F G",
        "C",
        "x a y",
        "x g y",
    ),
    (
        "FewCLUE_cluewsc_ppl_0_shot_chat",
        {
            f"FewCLUE/cluewsc/{part}.json": [
                {"target": {"span1_text": "m", "span2_text": "n"}, "idx": 0, "label": "true", "text": "t"}
            ]
            for part in ("dev_few_all", "test_public")
        },
        "false true",
        "true",
        "不是",
        "是",
    ),
    (
        "FewCLUE_csl_ppl_0_shot_str",
        {
            f"FewCLUE/csl/{part}.jsonl": [{"id": 0, "abst": "a", "keyword": ["k", "l"], "label": "0"}]
            for part in ("dev_few_all", "test_public")
        },
        "0 1",
        "0",
        "k\nl\n这些关键词都属于这篇摘要吗\uff1f不是",
        "吗\uff1f是",
    ),
    (
        "FewCLUE_eprstmt_ppl_0_shot_chat",
        {
            f"FewCLUE/eprstmt/{part}.json": [{"id": 0, "sentence": "s", "label": "Negative"}]
            for part in ("dev_few_all", "test_public")
        },
        "Negative Positive",
        "Negative",
        "负面",
        "正面",
    ),
    (
        "FewCLUE_tnews_ppl_0_shot_chat",
        {
            f"FewCLUE/tnews/{part}.json": [
                {"label": 102, "label_desc": "news_tech", "sentence": "s", "keywords": "", "id": 5}
            ]
            for part in ("dev_few_all", "test_public")
        },
        "news_agriculture news_car news_culture news_edu news_entertainment news_finance news_game news_house"
        " news_military news_sports news_stock news_story news_tech news_travel news_world",
        "news_tech",
        "农业",
        "国际",
    ),
]


def put(path: Path, lines: list[Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(lines), path)
    elif path.suffix == ".csv":
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows(lines)
    else:
        texts = [one if isinstance(one, str) else json.dumps(one) for one in lines]
        path.write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "files", "labels", "right", "first", "last"), LAYOUTS, ids=[one[0] for one in LAYOUTS]
)
def test_rows_in_the_layout_of_a_home_become_choices(
    tmp_path: Path, name: str, files: dict[str, list[Any]], labels: str, right: Any, first: str, last: str
) -> None:
    for file, lines in files.items():
        put(tmp_path / file, lines)
    found = registry.open_dataset(registry.resolved(name, None), {}, Wanted(chat="_chat" in name), (tmp_path,))
    assert not isinstance(found, Made)
    rows = list(found)[: len(labels.split())]
    assert [row.meta["label"] for row in rows] == labels.split()
    assert right is None or rows[0].reference == right
    assert ppl.right_labels(rows[0].reference, labels.split())
    assert ppl.text_of(rows[0].body).endswith(first) and ppl.text_of(rows[-1].body).endswith(last)
    assert set(rows[0].meta) == {"item", "label", "labels"}


def test_the_layouts_of_all_presets_by_perplexity_are_tried() -> None:
    alike = {"ARC_e_ppl_0_shot_str"}
    assert {*PPL} - alike == {one[0] for one in LAYOUTS}
