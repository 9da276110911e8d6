"""Where files of data sets are looked for and asked for, and which of their rows a preset takes."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from perfcore.errors import UserError
from perfcore.workload import catalogue, registry
from tests.test_dataset_presets import NAMES, rows


def written(path: Path, lines: Sequence[object]) -> Path:
    """A file of JSON lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{json.dumps(one)}\n" for one in lines))
    return path


EXAM = {"passage": None, "question": "Which?", "options": ["(A) x", "(B) y"], "label": "B", "answer": None}
TASK = {"task_id": "HumanEval/0", "prompt": "def f():\n", "canonical_solution": "    return 1\n"}
SMALL = {"prompt": "Write f.", "code": "def f(): pass", "test_imports": [], "test_list": ["assert True"]}
ELSEWHERE: dict[str, tuple[str, Sequence[object]]] = {
    "agieval_gen": ("agieval/gaokao-english.jsonl", [EXAM]),
    "humaneval_gen_0_shot": ("humaneval/human-eval-v2-20210705.jsonl", [TASK]),
    "humanevalx_gen_0_shot": ("humanevalx/humanevalx_cpp.jsonl", [TASK | {"task_id": "CPP/0"}]),
    "sanitized_mbpp_passk_gen_3_shot_chat_prompt": (
        "mbpp/sanitized-mbpp.jsonl",
        [SMALL | {"task_id": number} for number in (2, 3, 4, 11)],
    ),
    "atc_0shot_nocot_2_power_en": ("NeedleBench/names.json", [{"English": "Ann,Bob,Cid,Dan"}]),
}


@pytest.mark.parametrize("name", ELSEWHERE)
def test_files_are_found_where_aisbench_has_them(name: str, tmp_path: Path) -> None:
    place, lines = ELSEWHERE[name]
    path = written(tmp_path / place, lines)
    assert registry.files_of(registry.resolved(name, None), (tmp_path,)) == (path,)


def test_examples_come_from_the_file_of_the_layout_that_is_there(tmp_path: Path) -> None:
    place, lines = ELSEWHERE["sanitized_mbpp_passk_gen_3_shot_chat_prompt"]
    written(tmp_path / place, lines)
    (row,) = rows("sanitized_mbpp_passk_gen_3_shot_chat_prompt", tmp_path)
    assert (row.id, len(row.messages or [])) == ("11", 7)


def test_what_lacks_is_told_by_the_first_place_where_no_place_has_all(tmp_path: Path) -> None:
    written(tmp_path / "agieval" / "notes.txt", [])
    with pytest.raises(
        UserError, match=r"lacks data/v1_1/\*\.jsonl in .*/AGIEval; get them from https://github\.com/rui"
    ):
        registry.files_of(registry.resolved("agieval", None), (tmp_path,))


@pytest.mark.parametrize(
    ("name", "home"),
    [
        ("hellaswag_gen_10_shot_chat_prompt", "data/hellaswag.zip"),
        ("race_high_gen_5_shot_chat", "data/race.zip"),
        ("race_hub", "huggingface.co/datasets/ehovy/race"),
        ("triviaqa_gen_5_shot_chat_prompt", "data/triviaqa.zip"),
        ("drop_gen_3_shot_str", "data/drop_simple_eval.zip"),
        ("ARC_c_gen_25_shot_chat_prompt", "data/ARC.zip"),
        ("lambada_gen", "OpenCompassData-core-20240207.zip"),
        ("Xsum_gen", "OpenCompassData-core-20240207.zip"),
        ("siqa_gen", "OpenCompassData-core-20240207.zip"),
        ("aime2026_gen", "aime26"),
    ],
)
def test_a_missing_file_is_asked_for_from_where_it_has_that_name(name: str, home: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"get them from http.*{home}"):
        registry.files_of(registry.resolved(name, None), (tmp_path,))


def test_every_preset_of_questions_says_where_its_files_come_from() -> None:
    presets = {name: catalogue.read_preset(entry) for name, entry in NAMES.items()}
    own = {"custom", "general_", "mm_custom", "pairs", "retrieval", "agents"}
    without = [name for name, one in presets.items() if one.kind == "accuracy" and one.files and not one.home]
    assert [name for name in without if not name.startswith(tuple(own))] == []


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("BFCL_gen_multi_turn_base", "BFCL_v4_multi_turn_.*programs of the authors"),
        ("gedit_gen_0_shot_llmjudge", "no evaluator"),
        ("ocrbench_v2_gen_0_shot_chat", "no evaluator"),
        ("omnidocbench_gen", "no evaluator"),
        ("videobench_gen_base64", "no evaluator"),
        ("vocalsound_gen", "no evaluator"),
    ],
)
def test_a_name_of_aisbench_that_is_not_offered_says_why(name: str, why: str) -> None:
    with pytest.raises(UserError, match=f"{name} is not offered: .*{why}"):
        registry.resolved(name, None)


def test_the_demonstration_is_the_first_eight_questions(tmp_path: Path) -> None:
    lines = [{"question": f"{number}?", "answer": f"#### {number}"} for number in range(20)]
    written(tmp_path / "gsm8k" / "test.jsonl", lines)
    written(tmp_path / "gsm8k" / "train.jsonl", lines)
    assert len(rows("demo_gsm8k_gen_4_shot_cot_chat_prompt", tmp_path, most=99)) == 8


def test_the_test_split_of_mbpp_is_the_tasks_from_11_to_510(tmp_path: Path) -> None:
    task = {"text": "Write f.", "code": "def f(): pass", "test_setup_code": "", "test_list": ["assert True"]}
    written(tmp_path / "mbpp" / "mbpp.jsonl", [task | {"task_id": number} for number in range(1, 600)])
    found = rows("mbpp_gen", tmp_path, most=999)
    assert (len(found), found[0].id, found[-1].id) == (500, "11", "510")
    assert found == rows("mbpp_passk_gen_3_shot_chat_prompt", tmp_path, most=999)


@pytest.mark.parametrize(
    ("where", "why"),
    [
        ({"level": {"from": "a"}}, "numbers as from and to"),
        ({"level": {"least": 1}}, "numbers as from and to"),
        ({"question": {"from": 1}}, "'Why' is no number"),
    ],
)
def test_a_range_that_cannot_be_is_refused(where: dict[str, Any], why: str, tmp_path: Path) -> None:
    path = written(tmp_path / "own.jsonl", [{"question": "Why", "level": 1}])
    with pytest.raises(UserError, match=why):
        rows(f"table:{path}", tmp_path, {"prompt": "{question}", "where": where})


def test_the_english_examination_of_china_is_among_the_chinese_ones_as_in_aisbench() -> None:
    groups = catalogue.read_preset(NAMES["agieval"]).evaluation["groups"]
    assert {name: len(members) for name, members in groups.items()} == {
        "agieval-chinese": 12,
        "agieval-english": 9,
        "agieval-gaokao": 9,
    }
    assert "gaokao-english" in groups["agieval-chinese"]


def test_a_line_of_names_is_no_question_of_mmlu(tmp_path: Path) -> None:
    path = tmp_path / "mmlu" / "test" / "anatomy_test.csv"
    path.parent.mkdir(parents=True)
    path.write_text("question,choice0,choice1,choice2,choice3,answer\nWhich?,a,b,c,d,0\n")
    with pytest.raises(UserError, match=r"anatomy_test\.csv.*names the columns \(question, .*mmlu_with_header"):
        rows("mmlu", tmp_path)


@pytest.mark.parametrize(
    ("name", "there", "lacks"),
    [
        ("mmlu_gen", "mmlu/test/anatomy_test.csv", "dev/*_dev.csv"),
        ("ceval_gen", "ceval/formal_ceval/val/law_val.csv", "dev/*_dev.csv"),
        ("race_high_gen_5_shot_chat", "race/test/high.jsonl", "validation/*.jsonl"),
        ("bbh_gen", "BBH/data/snarks.json", "lib_prompt/*.txt"),
        ("mmlu_pro_gen_5_shot_str", "mmlu_pro/test-00000-of-00001.parquet", "validation-00000-of-00001.parquet"),
        ("gsm8k_gen", "gsm8k/test.jsonl", "train.jsonl"),
        ("gsm8k_gen", "", "test.jsonl, train.jsonl"),
    ],
)
def test_files_of_examples_are_asked_for_with_those_of_the_rows(
    name: str, there: str, lacks: str, tmp_path: Path
) -> None:
    written(tmp_path / (there or "other"), [])
    with pytest.raises(UserError, match=rf"lacks {re.escape(lacks)} in .*; get them from http"):
        registry.files_of(registry.resolved(name, None), (tmp_path,))


def test_a_folder_that_is_looked_into_anyway_is_named_once() -> None:
    assert registry.data_dirs(Path("data"))[0] == Path("data")
    assert len(registry.data_dirs(Path("data"))) == len(registry.data_dirs(None)) == 2
    assert registry.data_dirs(registry.CACHE.expanduser())[0] == registry.CACHE.expanduser()
