"""The presets of data sets: that each is sound, and what it makes of rows in the layout of its home."""

import csv
import itertools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from perfcore.errors import UserError
from perfcore.workload import catalogue, registry
from perfcore.workload.row import Row
from perfcore.workload.source import Made, Wanted

ROOT = Path(__file__).parents[1]
DATA = ROOT / "tests" / "data"
LARGE = ROOT.parent / "shared" / "data"
NAMES = catalogue.names(None)
AISBENCH = """
gsm8k_gen gsm8k_gen_4_shot_cot_str gsm8k_gen_4_shot_cot_chat_prompt gsm8k_gen_0_shot_cot_str
gsm8k_gen_0_shot_cot_str_perf gsm8k_gen_0_shot_cot_chat_prompt gsm8k_gen_0_shot_noncot_chat_prompt
demo_gsm8k_gen_4_shot_cot_chat_prompt demo_gsm8k_gen_0_shot_cot_str_perf math500_gen_0_shot_cot_chat_prompt
math_prm800k_500_0shot_cot_gen mmlu_gen mmlu_gen_5_shot_str mmlu_gen_5_shot_chat_prompt mmlu_gen_0_shot_cot_chat_prompt
humaneval_gen_0_shot humaneval_gen_0_shot_perf humanevalx_gen_0_shot mbpp_passk_gen_3_shot_chat_prompt bbh_gen
bbh_gen_3_shot_cot_chat ifeval_0_shot_gen_str ifbench_0_shot_gen_str mgsm_gen_0_shot_cot_chat_prompt aime2024_gen
aime2024_gen_0_shot_str aime2024_gen_0_shot_chat_prompt aime2025_gen aime2025_gen_0_shot_chat_prompt aime2026_gen
aime2026_gen_0_shot_str aime2026_gen_0_shot_chat_prompt
math_prm800k_500_5shot_cot_gen mgsm_gen_8_shot_cot_chat_prompt aime2025_gen_0_shot_llmjudge
ceval_gen ceval_gen_5_shot_str ceval_gen_0_shot_str
ceval_gen_0_shot_str_perf ceval_gen_0_shot_cot_chat_prompt ceval_gen_0_shot_noncot_chat_prompt
cmmlu_gen_0_shot_cot_chat_prompt cmmlu_gen_5_shot_cot_chat_prompt SuperGLUE_BoolQ_gen SuperGLUE_BoolQ_gen_0_shot_str
SuperGLUE_BoolQ_gen_0_shot_cot_str SuperGLUE_BoolQ_gen_0_shot_noncot_str SuperGLUE_BoolQ_gen_0_shot_str_perf
hellaswag_gen_0_shot_chat_prompt piqa_gen_0_shot_str piqa_gen_0_shot_chat_prompt siqa_gen siqa_gen_0_shot_chat
lambada_gen lambada_gen_0_shot_str lambada_gen_0_shot_chat Xsum_gen Xsum_gen_0_shot_str Xsum_gen_0_shot_chat
mmlu_pro_gen_0_shot_str dapo_math_gen dapo_math_gen_0_shot_str dapo_math_gen_0_shot_cot_str
livecodebench_code_generate_lite_gen_0_shot_chat livecodebench_0_shot_chat_v6 livecodebench_0_shot_chat_v4_v5
livecodebench_0_shot_chat_v4_v5_v6 longbenchv2_gen longbench_hotpotqa_gen longbench_repobench_gen
mooncake_trace_gen sharegpt_gen mtbench_gen mm_custom_gen custom_qa_gen custom_mcq_gen
synthetic_gen synthetic_gen_string synthetic_gen_tokenid drop_gen_0_shot_str drop_gen_3_shot_str
triviaqa_gen_5_shot_chat_prompt lcsts_gen lcsts_gen_0_shot_chat longbench leval_code_u_gen leval_topic_retrieval_gen
needlebench_v2_4k needlebench_v2_single_1000k atc_0shot_nocot_2_power_en
mbpp_gen longbenchv2_gen_75fbba
textvqa_gen textvqa_gen_base64 glm4v_textvqa_gen_base64 docvqa_gen infovqa_gen mmmu_gen mmmu_pro_options10_gen
mmmu_pro_options10_cot_gen mmmu_pro_vision_gen mmmu_pro_vision_cot_gen mmstar_gen mmstar_gen_cot mathvision_gen
realworldqa_gen realworldqa_gen_base64 geometry3k_gen refcoco_gen refcoco_gen_base64 refcoco_plus_gen
refcoco_plus_gen_base64 refcocog_gen refcocog_gen_base64 videomme_gen
"""
EVALSCOPE = """
openqa longalpaca share_gpt_zh share_gpt_en line_by_line random random_vl flickr8k kontext_bench speed_benchmark
speed_benchmark_long embedding embed embedding_batch random_embedding random_embedding_batch rerank random_rerank
random_multi_turn share_gpt_zh_multi_turn share_gpt_en_multi_turn custom_multi_turn swe_smith workload_trace
general_mcq general_qa general_vqa general_vmcq
"""


def rows(name: str, folder: Path, args: dict[str, Any] | None = None, most: int = 3) -> list[Row]:
    found = registry.resolved(name, None)
    there = registry.open_dataset(found, args or {}, Wanted(limit=most), (folder,))
    return there.part(0, min(most, len(there))) if isinstance(there, Made) else list(itertools.islice(there, most))


def said(row: Row) -> str:
    """All that is sent of a row, as text."""
    messages = row.messages or row.turns
    return str(row.prompt) if messages is None else "\n".join(f"{one['role']}: {one['content']}" for one in messages)


@pytest.mark.parametrize("name", NAMES)
def test_a_preset_resolves_and_its_settings_are_those_of_its_reader(name: str) -> None:
    found = registry.resolved(name, None)
    assert found.origin == NAMES[name].path
    registry.settings_of(found, {})


@pytest.mark.parametrize("name", NAMES)
def test_a_preset_says_what_it_is_and_where_its_files_come_from(name: str) -> None:
    preset = catalogue.read_preset(NAMES[name])
    assert preset.about.endswith(".") and len(preset.about) <= 120
    assert preset.home.startswith(("https://", "http://opencompass.oss-cn-")) or preset.home == ""
    assert bool(preset.folder) == bool(preset.files)
    assert all(fetch.url.startswith("https://") and not fetch.to.startswith("/") for fetch in preset.fetch)
    examples = preset.args.get("examples", {}).get("file", "")
    assert not preset.fetch or {*preset.files} <= {fetch.to for fetch in preset.fetch} | {examples}


@pytest.mark.parametrize("name", [*AISBENCH.split(), *EVALSCOPE.split()])
def test_names_of_other_tools_resolve(name: str) -> None:
    assert registry.resolved(name, None).name == name


def test_no_two_families_have_the_same_name_in_them() -> None:
    families = [[path.stem, *catalogue.variants(path)] for path in catalogue.files(None)]
    everything = [name for family in families for name in family]
    assert len(everything) == len(set(everything))


@pytest.mark.parametrize(
    ("name", "folder", "beginning", "reference"),
    [
        ("gsm8k", "datasets", "Question: Janet\u2019s ducks lay 16 eggs", "#### 18"),
        ("gsm8k_gen_0_shot_cot_str_perf", "datasets", "Janet\u2019s ducks lay 16 eggs", "#### 18"),
        ("gsm8k_gen_0_shot_noncot_chat_prompt", "datasets", "user: Janet\u2019s ducks", "#### 18"),
        ("math500", "datasets", "Convert the point", "\\left( 3, \\frac{\\pi}{2} \\right)"),
        ("humaneval_gen_0_shot_perf", "datasets", "from typing import List", "return False"),
        ("ifeval_0_shot_gen_str", "datasets", "Write a 300+ word summary", ""),
        ("mgsm_en", "datasets", "Janet\u2019s ducks", "18"),
        ("mgsm_de", "datasets", "Janets Enten", "18"),
        ("mtbench_gen", "", "user: Compose an engaging travel blog post", ""),
        ("mooncake_trace_gen", "traces", "", ""),
        ("azure_conv", "traces", "", ""),
    ],
)
def test_official_rows_become_requests(name: str, folder: str, beginning: str, reference: str) -> None:
    first = rows(name, DATA / folder)[0]
    assert said(first).startswith(beginning)
    assert reference in str(first.reference)


def test_examples_of_gsm8k_are_taken_from_its_train_file() -> None:
    text = str(rows("gsm8k_gen_4_shot_cot_str", DATA / "datasets")[0].prompt)
    assert text.count("Question: ") == 5
    assert "Question: Weng earns $12 an hour" in text
    assert text.index("Answer: ") < text.index("Janet\u2019s ducks") < text.rindex("Answer:") == len(text) - 7


def test_examples_in_a_chat_are_rounds_of_it() -> None:
    messages = rows("gsm8k_gen_4_shot_cot_chat_prompt", DATA / "datasets")[0].messages
    assert messages is not None
    assert [message["role"] for message in messages] == ["user", "assistant"] * 4 + ["user"]


def test_a_group_has_a_subset_for_each_of_its_files() -> None:
    assert [row.subset for row in rows("mgsm", DATA / "datasets", most=4)] == ["de", "de", "en", "en"]


JSON_ROWS: list[tuple[str, str, Any, str]] = [
    (
        "mbpp",
        "mbpp/mbpp.jsonl",
        {"task_id": 11, "text": "Add two numbers.", "code": "c", "test_list": ["assert f(1)", "assert f(2)"]},
        "Add two numbers.\nThe code has to pass these tests:\nassert f(1)\nassert f(2)\nReply",
    ),
    (
        "SuperGLUE_BoolQ_gen_0_shot_str_perf",
        "SuperGLUE/BoolQ/val.jsonl",
        {"question": "is it so", "passage": "It is so.", "label": True, "idx": 0},
        "It is so.\nis it so",
    ),
    (
        "hellaswag",
        "hellaswag/hellaswag_val.jsonl",
        {"ctx": "A man", "endings": ["sits", "eats", "runs", "flies"], "label": 2},
        "A man\nWhich of these goes on best?\nA. sits\nB. eats\nC. runs\nD. flies\n",
    ),
    (
        "hellaswag_gen_0_shot_chat_prompt",
        "hellaswag/hellaswag.jsonl",
        {"query": "A man", "choices": ["sits", "eats"], "gold": 1},
        "user: A man\nWhich of these goes on best?\nA. sits\nB. eats\n",
    ),
    (
        "winogrande",
        "winogrande/dev.jsonl",
        {"sentence": "The _ is full.", "option1": "jug", "option2": "cup", "answer": "1"},
        "The _ is full.\nWhat does the blank (_) stand for?\n1. jug\n2. cup\n",
    ),
    (
        "piqa",
        "piqa/dev.jsonl",
        {"goal": "Boil water", "sol1": "heat", "sol2": "cool"},
        "Boil water\nA. heat\nB. cool\n",
    ),
    (
        "siqa",
        "siqa/dev.jsonl",
        {"context": "Kim left.", "question": "Why?", "answerA": "a", "answerB": "b", "answerC": "c"},
        "Kim left.\nWhy?\nA. a\nB. b\nC. c\n",
    ),
    ("lambada", "lambada/test.jsonl", {"prompt": "He shut the", "label": "door"}, "Which word comes next?"),
    ("xsum", "Xsum/dev.jsonl", {"dialogue": "It rained.", "summary": "Rain."}, "It rained.\n\n"),
    ("aime2024", "aime2024/aime.jsonl", {"origin_prompt": "Find x.", "gold_answer": "7"}, "Find x.\nWork it out"),
    ("aime2025", "aime2025/aime2025.jsonl", {"question": "Find x.", "answer": "7"}, "Find x.\nWork it out"),
    ("aime2026", "aime2026/aime2026.jsonl", {"problem": "Find x.", "answer": "7"}, "Find x.\nWork it out"),
    (
        "ifbench",
        "ifbench/IFBench_test.jsonl",
        {"key": 1, "prompt": "Write.", "instruction_id_list": ["format:no_whitespace"], "kwargs": [{}]},
        "Write.",
    ),
    (
        "longbench_hotpotqa_gen",
        "LongBench/data/hotpotqa.jsonl",
        {
            "_id": "1",
            "input": "Who?",
            "context": "Text.",
            "answers": ["I"],
            "length": 2,
            "dataset": "hotpotqa",
            "language": "en",
            "all_classes": None,
        },
        "Text.\n\nAnswer from the text above, as briefly as you can: Who?",
    ),
    (
        "livecodebench_0_shot_chat_v6",
        "code_generation_lite/test6.jsonl",
        {
            "question_id": "1",
            "question_title": "t",
            "question_content": "Sort.",
            "platform": "leetcode",
            "starter_code": "def f():",
            "difficulty": "easy",
            "contest_date": "2025",
            "private_test_cases": "x" * 100,
        },
        "Solve this problem in Python.\n\nSort.\n\ndef f():\n",
    ),
    (
        "openqa",
        "openqa/open_qa.jsonl",
        {"question": "\u4ec0\u4e48\uff1f", "human_answers": ["a"]},
        "\u4ec0\u4e48\uff1f",
    ),
    (
        "sharegpt_gen",
        "sharegpt/ShareGPT_V3_unfiltered_cleaned_split.json",
        [{"id": "1", "conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello"}]}],
        "user: Hi\nassistant: Hello",
    ),
    (
        "share_gpt_en",
        "sharegpt/common_en_70k.jsonl",
        {"conversation_id": "1", "conversation": [{"human": "Hi", "assistant": "Hello"}]},
        "user: Hi",
    ),
    ("longalpaca", "longalpaca/LongAlpaca-12k.json", [{"instruction": "Read this.", "output": "Done."}], "Read this."),
]


@pytest.mark.parametrize(("name", "file", "row", "beginning"), JSON_ROWS, ids=[row[0] for row in JSON_ROWS])
def test_rows_in_the_layout_of_a_home_become_requests(
    tmp_path: Path, name: str, file: str, row: Any, beginning: str
) -> None:
    path = tmp_path / file
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(row) + "\n", encoding="utf-8")
    (path.parent / "dev-labels.lst").write_text("1\n", encoding="utf-8")  # of piqa and siqa
    assert said(rows(name, tmp_path)[0]).startswith(beginning)


PARQUET: list[tuple[str, str, dict[str, Any], str, str]] = [
    (
        "arc",
        "arc/ARC-Challenge/test-00000-of-00001.parquet",
        {"id": "q1", "question": "Why?", "choices": {"text": ["x", "y"], "label": ["1", "2"]}, "answerKey": "2"},
        "Why?\n1. x\n2. y\n",
        "2",
    ),
    (
        "mmlu_pro",
        "mmlu_pro/test-00000-of-00001.parquet",
        {"question_id": 7, "question": "Why?", "options": ["x", "y", "z"], "answer": "C", "category": "law"},
        "Why?\nA. x\nB. y\nC. z\n",
        "C",
    ),
    (
        "dapo_math_gen",
        "dapo-math-17k/dapo-math-17k.parquet",
        {
            "data_source": "d",
            "prompt": [{"content": "Find x.", "role": "user"}],
            "reward_model": {"ground_truth": "7", "style": "rule"},
        },
        "Find x.",
        "7",
    ),
]


@pytest.mark.parametrize(("name", "file", "row", "beginning", "reference"), PARQUET, ids=[row[0] for row in PARQUET])
def test_rows_of_parquet_become_requests(
    tmp_path: Path, name: str, file: str, row: dict[str, Any], beginning: str, reference: str
) -> None:
    path = tmp_path / file
    path.parent.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist([row]), path)
    first = rows(name, tmp_path)[0]
    assert said(first).startswith(beginning)
    assert first.reference == reference


def table(path: Path, lines: Sequence[Sequence[object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(lines)


def test_mmlu_is_read_in_its_official_layout_without_names_of_columns(tmp_path: Path) -> None:
    table(tmp_path / "mmlu/test/anatomy_test.csv", [["Which, if any?", "a", "b", "c", "d", "C"]])
    table(
        tmp_path / "mmlu/dev/anatomy_dev.csv", [[f"Example {number}?", "1", "2", "3", "4", "A"] for number in range(6)]
    )
    row = rows("mmlu", tmp_path)[0]
    assert str(row.prompt).startswith("Which, if any?\nA. a\nB. b\nC. c\nD. d\n")
    assert (row.reference, row.subset, row.id) == ("C", "anatomy", "anatomy/1")
    text = str(rows("mmlu_gen_5_shot_str", tmp_path)[0].prompt)
    assert text.count("Answer: A") == 5 and text.endswith("D. d\nAnswer:")
    assert len(rows("mmlu_gen_5_shot_chat_prompt", tmp_path)[0].messages or []) == 11


def test_mmlu_with_names_of_columns_and_numbers_as_answers_is_read_too(tmp_path: Path) -> None:
    names = ["question", "choice0", "choice1", "choice2", "choice3", "answer"]
    table(tmp_path / "mmlu/test/anatomy_test.csv", [names, ["Which?", "a", "b", "c", "d", 2]])
    table(tmp_path / "mmlu/dev/anatomy_dev.csv", [names, *([f"Example {number}?", *"1234", 3] for number in range(5))])
    row = rows("mmlu_with_header_5_shot", tmp_path)[0]
    assert str(row.prompt).startswith("Example 0?\nA. 1\nB. 2\nC. 3\nD. 4\nAnswer: D\n\nExample 1?")
    assert (row.reference, row.subset) == ("C", "anatomy")


def test_ceval_and_cmmlu_take_their_examples_from_the_file_of_the_subject(tmp_path: Path) -> None:
    names = ["id", "question", "A", "B", "C", "D", "answer"]
    table(tmp_path / "ceval/formal_ceval/val/law_val.csv", [names, [0, "Q", *"abcd", "B"]])
    table(tmp_path / "ceval/formal_ceval/dev/law_dev.csv", [names, *([n, f"E{n}", *"abcd", "A"] for n in range(5))])
    assert str(rows("ceval_gen", tmp_path)[0].prompt).count("\u7b54\u6848\uff1aA") == 5
    names = ["", "Question", "A", "B", "C", "D", "Answer"]
    table(tmp_path / "cmmlu/test/law.csv", [names, [0, "Q", *"abcd", "B"]])
    table(tmp_path / "cmmlu/dev/law.csv", [names, *([n, f"E{n}", *"abcd", "A"] for n in range(5))])
    assert len(rows("cmmlu_gen_5_shot_cot_chat_prompt", tmp_path)[0].messages or []) == 11


def test_examples_of_bbh_are_the_text_of_their_task(tmp_path: Path) -> None:
    (tmp_path / "BBH/data").mkdir(parents=True)
    (tmp_path / "BBH/lib_prompt").mkdir()
    document = {"canary": "none", "examples": [{"input": "not True is", "target": "False"}]}
    (tmp_path / "BBH/data/boolean_expressions.json").write_text(json.dumps(document), encoding="utf-8")
    (tmp_path / "BBH/lib_prompt/boolean_expressions.txt").write_text("Q: True is\nA: True.\n", encoding="utf-8")
    row = rows("bbh_gen", tmp_path)[0]
    assert row.prompt == "Q: True is\nA: True.\n\nQ: not True is\nA: Step by step."
    assert (row.reference, row.subset) == ("False", "boolean_expressions")


def test_mbpp_asks_the_tasks_of_its_test_split_alone(tmp_path: Path) -> None:
    (tmp_path / "mbpp").mkdir()
    tasks = [
        {"task_id": number, "text": f"Task {number}.", "code": "c", "test_list": ["t"]}
        for number in (1, 2, 3, 4, 11, 510, 511)
    ]
    (tmp_path / "mbpp/mbpp.jsonl").write_text("\n".join(map(json.dumps, tasks)), encoding="utf-8")
    found = rows("mbpp_passk_gen_3_shot_chat_prompt", tmp_path, most=9)
    assert [row.id for row in found] == ["11", "510"]
    assert [message["role"] for message in found[0].messages or []] == ["user", "assistant"] * 3 + ["user"]


def test_a_data_set_of_one_s_own_works_as_the_page_says(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "presets.md").read_text(encoding="utf-8").partition("### A data set of your own")[2]
    (tmp_path / "datasets").mkdir()
    (tmp_path / "datasets/helpdesk.toml").write_text(page.split("```")[1].removeprefix("toml"), encoding="utf-8")
    table(tmp_path / "helpdesk/tickets-1.csv", [["ticket", "subject", "text", "reply", "category"], [*"tsxr", "mouse"]])
    table(
        tmp_path / "helpdesk/tickets-2.csv", [["ticket", "subject", "text", "reply", "category"], [*"TSXR", "printer"]]
    )
    for name, ids in (("helpdesk", ["t", "T"]), ("helpdesk_short", ["T"])):
        found = registry.open_dataset(registry.resolved(name, tmp_path), {}, Wanted(), (tmp_path,))
        assert not isinstance(found, Made)
        assert [row.id for row in found] == ids


def test_a_data_set_whose_files_are_missing_says_where_they_belong(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"gsm8k lacks test.jsonl in .*gsm8k; get them from https://github.com/openai"):
        rows("gsm8k", tmp_path)


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("gsm8k_gen_4_shot_cot_str", 1319),
        ("math500", 500),
        ("humaneval_gen_0_shot", 164),
        ("mbpp", 974),
        ("mbpp_passk_gen_3_shot_chat_prompt", 500),
        ("bbh", 6511),
        ("ifeval_0_shot_gen_str", 541),
        ("mgsm", 2750),
        ("mmlu_with_header_5_shot", 14042),
        ("mtbench_gen", 80),
    ],
)
def test_whole_data_sets_have_all_their_rows(name: str, count: int) -> None:
    if not LARGE.is_dir():
        pytest.skip(f"the data sets are not in {LARGE}")
    found = rows(name, LARGE, most=20_000)
    assert len(found) == count
    assert len({row.id for row in found}) == count
