"""AISBench's Python configurations of data sets: what is read of them, and that nothing in them is ever executed."""

import itertools
import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perfcore.aisbench_data import KINDS
from perfcore.config import Resolved, resolve
from perfcore.errors import UserError
from perfcore.workload import registry
from perfcore.workload.row import Row
from perfcore.workload.source import Made, Wanted

SYNTHETIC = """
synthetic_config = {
    "Type": "string",
    "RequestCount": 50,
    "TrustRemoteCode": False,
    "VocabSize": 32000,
    "StringConfig": {
        "Input": {"Method": "gaussian", "Params": {"Mean": 256, "Var": 100, "MinValue": 64, "MaxValue": 512}},
        "Output": {"Method": "zipf", "Params": {"Alpha": 1.5, "MinValue": 2, "MaxValue": 60}},
    },
    "TokenIdConfig": {"RequestSize": 96, "PrefixLen": 32},
}
"""
# The form that configurations of a task have: parts in variables of their own, classes by their names.
TASK = """from ais_bench.benchmark.openicl.icl_prompt_template import PromptTemplate
from ais_bench.benchmark.openicl.icl_retriever import ZeroRetriever
from ais_bench.benchmark.openicl.icl_inferencer import GenInferencer
from ais_bench.benchmark.datasets import QuizDataset, QuizEvaluator, quiz_postprocess

quiz_reader_cfg = dict(input_columns=["question", "hint"], output_column="answer"{reader})
quiz_infer_cfg = dict(
    prompt_template=dict(type=PromptTemplate, template={template}),
    retriever=dict(type=ZeroRetriever),
    inferencer=dict(type=GenInferencer{inferencer}),
)
quiz_eval_cfg = dict(evaluator=dict(type=QuizEvaluator), pred_postprocessor=dict(type=quiz_postprocess))
quiz_datasets = [
    dict(
        abbr="quiz", type=QuizDataset, path="{path}",
        reader_cfg=quiz_reader_cfg, infer_cfg=quiz_infer_cfg, eval_cfg=quiz_eval_cfg,
    )
]
"""
QUIZ = {"question": "What is 2 + 3?", "hint": "a {digit}", "answer": "5"}


def written(folder: Path, text: str) -> Path:
    path = folder / "data.py"
    path.write_text(text, encoding="utf-8")
    return path


def read(folder: Path, text: str, **flags: Any) -> Resolved:
    return resolve(flags, written(folder, text), {})


def refused(folder: Path, text: str) -> str:
    with pytest.raises(UserError) as error:
        read(folder, text)
    return str(error.value).replace(f"{folder}/", "")


def task(folder: Path, template: str, reader: str = "", inferencer: str = "") -> str:
    (folder / "quiz.jsonl").write_text(json.dumps(QUIZ) + "\n", encoding="utf-8")
    path = folder / "quiz.jsonl"
    return TASK.format(template=template, path=path, reader=reader, inferencer=inferencer)


def entry(arguments: str, folder: Path, file: str = "rows.jsonl", row: Any = QUIZ) -> str:
    """A configuration of one data set, whose file is there."""
    (folder / file).write_text(json.dumps(row) + "\n", encoding="utf-8")
    return f'some_datasets = [dict(path="{folder / file}", {arguments})]\n'


def rows(got: Resolved) -> list[Row]:
    """The rows that a configuration leads to."""
    found = registry.resolved(got.options.dataset[0], None)
    there = registry.open_dataset(found, got.options.dataset_args, Wanted(limit=3), ())
    return there.part(0, 3) if isinstance(there, Made) else list(itertools.islice(there, 3))


def test_a_synthetic_config_of_strings_is_a_synthetic_data_set(tmp_path: Path) -> None:
    got = read(tmp_path, SYNTHETIC)
    options = got.options
    assert (options.dataset, options.dataset_args, options.num_prompts) == (("synthetic",), {"kind": "string"}, 50)
    assert (options.input_tokens, options.output_tokens) == ("gaussian:256:10:64:512", "zipf:1.5:2:60")
    assert options.trust_remote_code is False
    assert got.origins["num_prompts"] == f"{tmp_path}/data.py line 4"
    registry.settings_of(registry.resolved("synthetic", None), options.dataset_args)


def test_a_synthetic_config_of_token_ids_has_a_length_and_a_shared_prefix(tmp_path: Path) -> None:
    options = read(tmp_path, SYNTHETIC.replace('"string"', '"tokenid"')).options
    assert options.dataset_args == {"kind": "tokenid", "prefix_tokens": 32}
    assert (options.input_tokens, options.output_tokens) == ("96", None)


@pytest.mark.parametrize(
    ("params", "law"),
    [
        ('{"Method": "uniform", "Params": {"MinValue": 5, "MaxValue": 9}}', "uniform:5:9"),
        ('{"Method": "uniform", "Params": {"MinValue": 9, "MaxValue": 9}}', "9"),
        (
            '{"Method": "gaussian", "Params": {"Mean": 9, "Var": 4, "MinValue": 1, "MaxValue": 99}}',
            "gaussian:9:2:1:99",
        ),
    ],
)
def test_a_distribution_is_a_law_of_lengths(tmp_path: Path, params: str, law: str) -> None:
    text = f'synthetic_config = dict(Type="string", StringConfig=dict(Input={params}))'
    assert read(tmp_path, text).options.input_tokens == law


def test_a_synthetic_data_set_takes_the_config_that_it_names(tmp_path: Path) -> None:
    tail = (
        "from ais_bench.benchmark.datasets import SyntheticDataset\n"
        "synthetic_datasets = [dict(abbr='s', type=SyntheticDataset, config=synthetic_config)]\n"
    )
    assert read(tmp_path, SYNTHETIC + tail).options.num_prompts == 50


def test_the_parts_of_a_task_may_stand_in_variables(tmp_path: Path) -> None:
    got = read(tmp_path, task(tmp_path, "'Q: {question}\\nAnswer {answer}in \\\\boxed{}, not {x}:'"))
    assert got.options.dataset == (f"table:{tmp_path}/quiz.jsonl",)
    assert [row.prompt for row in rows(got)] == ["Q: What is 2 + 3?\nAnswer in \\boxed{}, not {x}:"]
    assert got.notes == ()


def test_rounds_are_messages_and_the_answer_s_place_is_left_off(tmp_path: Path) -> None:
    template = """dict(
        begin=[dict(role="SYSTEM", fallback_role="HUMAN", prompt="Be brief."), "</E>"],
        round=[
            dict(role="HUMAN", prompt="1 + 1?"), dict(role="BOT", prompt="2"),
            dict(role="HUMAN", prompt="{question}"), dict(role="BOT", prompt="{answer}"),
        ],
    )"""
    messages = rows(read(tmp_path, task(tmp_path, template)))[0].messages
    assert messages == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "1 + 1?"},
        {"role": "assistant", "content": "2"},
        {"role": "user", "content": "What is 2 + 3?"},
    ]


def test_one_round_of_a_person_is_a_prompt(tmp_path: Path) -> None:
    got = read(tmp_path, task(tmp_path, 'dict(round=[dict(role="HUMAN", prompt="{question}\\n{hint}")])'))
    assert rows(got)[0].prompt == "What is 2 + 3?\na {digit}"


def test_a_range_of_rows_and_a_length_of_answers_are_options(tmp_path: Path) -> None:
    text = task(tmp_path, "'{question}'", reader=", test_range='[2:10]'", inferencer=", max_out_len=64")
    options = read(tmp_path, text).options
    assert (options.offset, options.num_prompts, options.max_tokens) == (2, 8, 64)


def test_texts_may_be_joined_and_stripped_and_lists_appended_to(tmp_path: Path) -> None:
    text = (
        'HEAD = "Think. "\nBODY = """\n{question}\n""".strip()\n'
        "own_datasets = []\n"
        "own_infer_cfg = dict(prompt_template=dict(template=dict(round=[dict(role='HUMAN', prompt=HEAD + BODY)])))\n"
        f"own_datasets.append(dict(type='CustomDataset', path='{tmp_path}/own.csv',\n"
        "    reader_cfg=dict(input_columns='question', output_column='answer'), infer_cfg=own_infer_cfg))\n"
    )
    (tmp_path / "own.csv").write_text("question,answer\n2 + 3?,5\n", encoding="utf-8")
    row = rows(read(tmp_path, text))[0]
    assert (row.prompt, row.reference) == ("Think. 2 + 3?", "5")


def test_a_custom_data_set_takes_its_meta_file_along(tmp_path: Path) -> None:
    meta = {"request_count": 3, "output_config": {"method": "uniform", "params": {"min_value": 4, "max_value": 4}}}
    (tmp_path / "meta.json").write_text(json.dumps(meta), encoding="utf-8")
    got = read(tmp_path, entry(f"type='CustomDataset', meta_path='{tmp_path}/meta.json'", tmp_path))
    assert [row.max_tokens for row in rows(got)] == [4, 4, 4]


CONVERSATION = [
    {
        "id": "c1",
        "conversations": [
            {"from": "human", "value": "Hi"},
            {"from": "gpt", "value": "Hello"},
            {"from": "human", "value": "Bye"},
            {"from": "gpt", "value": "Goodbye"},
        ],
    }
]


@pytest.mark.parametrize(
    ("mode", "history", "args"),
    [("every", "own", {}), ("every_with_gt", "data", {}), ("last", "own", {"mode": "last"})],
)
def test_the_way_of_asking_conversations_is_kept(tmp_path: Path, mode: str, history: str, args: dict[str, Any]) -> None:
    arguments = f"type='ShareGPTDataset', disable_shuffle=False, infer_cfg=dict(inferencer=dict(infer_mode='{mode}'))"
    got = read(tmp_path, entry(arguments, tmp_path, row=CONVERSATION))
    assert got.options.dataset == (f"sharegpt:{tmp_path}/rows.jsonl",)
    assert (got.options.history, got.options.dataset_args, got.options.shuffle) == (history, args, True)


def test_a_trace_keeps_its_seed_its_tokenizer_and_its_part(tmp_path: Path) -> None:
    line = {"timestamp": 0, "input_length": 5, "output_length": 2, "hash_ids": [1]}
    arguments = """type="MooncakeTraceDataset", model_path="/weights/tiny", random_seed=7, generated_prompts_path="x",
    fixed_schedule_auto_offset=True, fixed_schedule_start_offset=1500, fixed_schedule_end_offset=60000"""
    got = read(tmp_path, entry(arguments, tmp_path, row=line), arrivals="replay")
    options = got.options
    assert (options.tokenizer, options.dataset_args) == ("/weights/tiny", {"seed": 7})
    assert (options.replay_start_s, options.replay_end_s) == (1.5, 60.0)
    assert got.notes == (f"{tmp_path}/data.py: not used here: generated_prompts_path",)
    assert len(rows(read(tmp_path, entry("type='MooncakeTraceDataset'", tmp_path, row=line)))) == 1


def test_a_known_data_set_whose_path_is_not_there_is_looked_for_in_the_data_folders(tmp_path: Path) -> None:
    got = read(tmp_path, "gsm8k_datasets = [dict(type='GSM8KDataset', path='ais_bench/datasets/gsm8k')]")
    assert got.options.dataset == ("gsm8k",)
    assert got.notes[0].endswith("ais_bench/datasets/gsm8k is not there; the files are looked for in the data folders")


def test_a_template_of_its_own_goes_before_that_of_a_known_data_set(tmp_path: Path) -> None:
    (tmp_path / "gsm8k").mkdir()
    (tmp_path / "gsm8k/test.jsonl").write_text(json.dumps(QUIZ), encoding="utf-8")
    for template, said in (("'Say: {question}'", "Say: What is 2 + 3?"), ("dict(round=[" + ROUND * 2 + "])", None)):
        infer = f"infer_cfg=dict(prompt_template=dict(template={template}))"
        text = f"gsm8k_datasets = [dict(type='GSM8KDataset', path='{tmp_path}/gsm8k', {infer})]"
        assert rows(read(tmp_path, text))[0].prompt == said


ROUND = "dict(role='HUMAN', prompt='{question}'), "


def test_models_may_stand_in_the_same_file(tmp_path: Path) -> None:
    models = (
        "from ais_bench.benchmark.models import VLLMCustomAPIChat\n"
        "models = [dict(type=VLLMCustomAPIChat, abbr='m', host_ip='10.0.0.7', host_port=8000, batch_size=64)]\n"
        "work_dir = 'outputs'\n"
    )
    options = read(tmp_path, models + SYNTHETIC).options
    assert (options.dataset, options.concurrency, options.url) == (("synthetic",), 64, ("http://10.0.0.7:8000",))


def test_flags_go_before_the_file(tmp_path: Path) -> None:
    assert read(tmp_path, SYNTHETIC, num_prompts=3).options.num_prompts == 3


@pytest.mark.parametrize("name", sorted(KINDS))
def test_every_class_that_is_known_has_its_data_set_here(name: str) -> None:
    found = registry.resolved(KINDS[name].dataset, None)
    settings_of = {to.partition(".")[2] for to in KINDS[name].keys.values() if "." in to} | {KINDS[name].asks} - {""}
    assert settings_of <= {*found.reader.settings.__struct_fields__}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("synthetic_config = dict()", "data.py: Type wants 'string' or 'tokenid'"),
        ("synthetic_config = dict(\nType='words')", "data.py line 2: Type wants 'string' or 'tokenid'"),
        ("synthetic_config = dict(Type='string')", "line 1: Type 'string' wants a StringConfig with Input and Output"),
        ("synthetic_config = dict(Type='tokenid')", "line 1: Type 'tokenid' wants a TokenIdConfig with RequestSize"),
        ("synthetic_config = dict(Type='tokenid', TokenIdConfig={})", "TokenIdConfig lacks RequestSize"),
        (
            "synthetic_config = dict(Type='tokenid', TokenIdConfig=dict(RequestSize=4,\nPrefixLen=5))",
            "line 2: PrefixLen 5 wants a whole number from 0 to 4",
        ),
        (
            "synthetic_config = dict(Type='string',\nRequestCount=0)",
            "line 2: RequestCount 0 wants a whole number from 1",
        ),
        (
            "synthetic_config = dict(Type='string',\nRequestCount=True)",
            "line 2: RequestCount True wants a whole number",
        ),
        ("synthetic_config = dict(Type='string', TrustRemoteCode=1)", "TrustRemoteCode wants True or False"),
        ("synthetic_config = dict(type='string')", "unknown key 'type' of synthetic_config, the nearest one is 'Type'"),
        ("synthetic_config = [1]", "line 1: synthetic_config wants dict(...)"),
        (
            "synthetic_config = dict(Type='string', StringConfig=dict(Input=dict(Method='normal')))",
            "Method wants one of uniform, gaussian, zipf",
        ),
        (
            "synthetic_config = dict(Type='string', StringConfig=dict(Input=dict(Method='uniform',\n"
            "Params=dict(MinValue=2))))",
            "line 2: Params of uniform lack MaxValue",
        ),
        (
            "synthetic_config = dict(Type='string', StringConfig=dict(Input=dict(Method='uniform',\n"
            "Params=dict(MinValue=3, MaxValue=2))))",
            "line 2: MinValue 3 is more than MaxValue 2",
        ),
        (
            "synthetic_config = dict(Type='string', StringConfig=dict(Input=dict(Method='zipf',\n"
            "Params=dict(Alpha=11, MinValue=1, MaxValue=2))))",
            "line 2: Alpha 11 wants a number from 1 to 10",
        ),
        ("a_datasets = []", "line 1: has no data set"),
        ("a_datasets = dict()", "line 1: a_datasets wants a list"),
        ("a_datasets = [1]", "line 1: an entry of a_datasets wants dict(...)"),
        ("a_datasets = [dict(abbr='a')]", "line 1: the data set has no type"),
        (
            "a_datasets = [dict(abbr='a', type='A'), dict(abbr='b', type='A')]",
            "line 1: has 2 data sets (a, b); leave one in it",
        ),
        (
            "a_datasets = [dict(type='A',\nabbreviation='a')]",
            "line 2: unknown key 'abbreviation' of A, the nearest one",
        ),
        ("a_datasets = [dict(type='A')]", "line 1: A is not known here, and has no path of a file"),
        ("a_datasets = [dict(type='A',\npath='nowhere.jsonl')]", "line 2: path 'nowhere.jsonl' is not there"),
        ("a_datasets = [dict(type='A', path='~nobody_at_all/x')]", "path '~nobody_at_all/x' is not there"),
        ("a_datasets = [dict(type='A', path='" + "x" * 5000 + "')]", "is not there"),
        ("a_datasets = [dict(type='A', path='/')]", "has no infer_cfg with a prompt_template, so there is no prompt"),
        ("a_datasets = [dict(type='MTBenchDataset', reader_cfg=dict(test_range='[4:4]'))]", "has no row in it"),
        ("a_datasets = [dict(type='MTBenchDataset', reader_cfg=dict(test_range=4))]", "wants text such as '[0:8]'"),
        (
            "a_datasets = [dict(type='GSM8KDataset', infer_cfg=dict(\nretriever=dict(type='FixKRetriever')))]",
            "line 2: infer_cfg takes examples from a train split",
        ),
        (
            "a_datasets = [dict(type='GSM8KDataset', infer_cfg=dict(inferencer=dict(infer_mode=[])))]",
            "infer_mode [] wants one of every, every_with_gt, last",
        ),
        (
            "a_datasets = [dict(type='GSM8KDataset', infer_cfg=dict(prompt_template=dict(template=dict(round=[\n"
            "dict(role='ROBOT', prompt='a')]))))]",
            "line 2: a round wants role, one of HUMAN, BOT, SYSTEM, and prompt",
        ),
        (
            "a_datasets = [dict(type='GSM8KDataset', infer_cfg=dict(prompt_template=dict(template=dict(round=[]))))]",
            "has no round of role HUMAN",
        ),
        (
            "a_datasets = [dict(type='GSM8KDataset', reader_cfg=dict(input_columns=[1]),\n"
            "infer_cfg=dict(prompt_template=dict(template='a')))]",
            "line 1: input_columns wants names of columns",
        ),
    ],
)
def test_what_is_wrong_is_named_with_file_line_and_remedy(tmp_path: Path, text: str, words: str) -> None:
    said = refused(tmp_path, text)
    assert said.startswith("data.py")
    assert words in said


NEVER = "the file is read, never executed"


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("import os", "the import of os"),
        ("from mmengine.config import read_base", "the import of read_base from mmengine.config"),
        ("from ais_bench.benchmark.datasets import *", "the import of * from ais_bench.benchmark.datasets"),
        ("from .gsm8k_gen import gsm8k_datasets", "the import of gsm8k_datasets from gsm8k_gen"),
        ("with read_base():\n    pass", "a with block"),
        ("open('{mark}', 'w')", "a call of open()"),
        ("mark = open('{mark}', 'w')", "a call of open()"),
        ("mark = [open(name, 'w') for name in ['{mark}']]", "a comprehension"),
        ("mark = f\"{{open('{mark}', 'w')}}\"", "an f-string"),
        ("mark = 'a'.join(open('{mark}', 'w'))", "a call of ....join()"),
        ("mark = 'a'.strip(open('{mark}', 'w'))", "a call of ....strip()"),
        ("mark = other", "the name other"),
        ("mark = dict(**other)", "an unpacking (**)"),
        ("synthetic_config.append(open('{mark}', 'w'))", "a call of synthetic_config.append()"),
        ("for name in ['a']: open('{mark}', 'w')", "a loop"),
        ("a = b = 1", "the assignment to a"),
        ("a += 1", "the assignment to a"),
        ("a, b = 1, 2", "the assignment to ..."),
    ],
)
def test_a_file_that_would_have_to_be_executed_is_refused(tmp_path: Path, line: str, what: str) -> None:
    mark = tmp_path / "executed"
    said = refused(tmp_path, SYNTHETIC + line.format(mark=mark))
    assert said.startswith(f"data.py line 13 has {what}")
    assert not mark.exists()


@pytest.mark.parametrize(
    "text",
    [
        "a0 = ['x']\n" + "".join(f"a{n + 1} = [a{n}, a{n}]\n" for n in range(60)) + "a_datasets = a60\n",
        "a0 = 'x'\n" + "".join(f"a{n + 1} = a{n} + a{n}\n" for n in range(60)) + "a_datasets = a60\n",
        "a_datasets = ['x']\n" + "a_datasets.append(a_datasets)\n" * 60,
        "a_datasets = []\n" + "a_datasets.append(1)\n" * 5000,
        "a_datasets = " + "[" * 5000 + "]" * 5000,
        "a_datasets = 'a'" + " + 'a'" * 20000,
    ],
)
def test_a_file_that_means_more_than_it_says_is_refused_soon(tmp_path: Path, text: str) -> None:
    assert any(words in refused(tmp_path, text) for words in ("more values", "too long", "more statements", "nested"))


LITERALS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=9), below, max_size=3),
    max_leaves=6,
)
CLASSES = st.sampled_from([*sorted(KINDS), "Other"])
PARTS = st.sampled_from(["path", "reader_cfg", "infer_cfg", "meta_path", "model_path", "config", "disable_shuffle"])


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(PARTS, LITERALS, max_size=4), CLASSES)
def test_any_literals_are_read_or_refused_in_words(values: dict[str, Any], name: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = written(Path(folder), f"a_datasets = [{ {**values, 'type': name}!r}]\n")
        try:
            got = resolve({}, path, {})
        except UserError as error:
            assert str(path) in str(error)
        else:
            assert got.options.dataset


@settings(max_examples=100, deadline=None)
@given(
    st.dictionaries(st.sampled_from(["Type", "RequestCount", "StringConfig", "TokenIdConfig"]), LITERALS, max_size=4)
)
def test_any_synthetic_config_is_read_or_refused_in_words(values: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = written(Path(folder), f"synthetic_config = {values!r}\n")
        with pytest.raises(UserError, match=r"data\.py"):
            resolve({}, path, {})
