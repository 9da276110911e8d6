"""AISBench's Python configurations of models: what is read of them, and that nothing in them is ever executed."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perfcore.aisbench import BACKENDS, PARAMETERS
from perfcore.config import Resolved, resolve
from perfcore.errors import UserError

STREAM_CHAT = '''"""The service on the second rack."""
from ais_bench.benchmark.models import VLLMCustomAPIChat
from ais_bench.benchmark.utils.postprocess.model_postprocessors import extract_non_reasoning_content

models = [
    dict(
        attr="service",
        type=VLLMCustomAPIChat,
        abbr="rack-two",
        path="/weights/tokenizer",
        model="tiny",
        stream=True,
        request_rate=12.5,
        traffic_cfg=dict(burstiness=0),
        use_timestamp=False,
        retry=3,
        api_key="",
        host_ip="10.0.0.7",
        host_port=8000,
        url="",
        max_out_len=256,
        batch_size=64,
        trust_remote_code=False,
        generation_kwargs=dict(temperature=0.6, top_p=0.95, seed=None, chat_template_kwargs={"thinking": True}),
        pred_postprocessor=dict(type=extract_non_reasoning_content),
    ),
]
'''


def written(folder: Path, text: str) -> Path:
    path = folder / "model.py"
    path.write_text(text, encoding="utf-8")
    return path


def read(folder: Path, text: str, **flags: Any) -> Resolved:
    return resolve(flags, written(folder, text), {})


def model(arguments: str) -> str:
    return f"models = [dict({arguments})]\n"


def refused(folder: Path, text: str, **flags: Any) -> str:
    with pytest.raises(UserError) as error:
        read(folder, text, **flags)
    return str(error.value).removeprefix(f"{folder}/")


def test_a_configuration_is_read_option_by_option(tmp_path: Path) -> None:
    options = read(tmp_path, STREAM_CHAT).options
    assert (options.dialect, options.stream, options.model) == ("openai-chat", True, "tiny")
    assert options.url == ("http://10.0.0.7:8000",)
    assert (options.concurrency, options.rate, options.retries, options.max_tokens) == (64, 12.5, 2, 256)
    assert options.body == {"temperature": 0.6, "top_p": 0.95, "chat_template_kwargs": {"thinking": True}}


def test_origins_name_the_line_and_notes_what_is_not_used(tmp_path: Path) -> None:
    got = read(tmp_path, STREAM_CHAT)
    assert got.origins["concurrency"] == f"{tmp_path}/model.py line 22"
    assert got.origins["dialect"] == f"{tmp_path}/model.py line 8"
    assert got.notes == (f"{tmp_path}/model.py: not used here: path, pred_postprocessor",)


def test_flags_go_before_a_configuration_and_it_before_a_preset(tmp_path: Path) -> None:
    options = read(tmp_path, STREAM_CHAT, preset="tgi_api_general", concurrency="5", url=("http://a:1",)).options
    assert (options.dialect, options.concurrency, options.url) == ("openai-chat", 5, ("http://a:1",))


def test_a_configuration_can_be_given_as_the_preset(tmp_path: Path) -> None:
    config = written(tmp_path, STREAM_CHAT)
    options = resolve({"preset": str(config), "rate": "1"}, None, {}).options
    assert (options.model, options.rate, options.concurrency) == ("tiny", 1.0, 64)


def test_what_a_service_s_configuration_leaves_out_is_as_in_aisbench(tmp_path: Path) -> None:
    got = read(tmp_path, model("type=VLLMCustomAPI"))
    assert got.options.url == ("http://localhost:8080",)
    assert (got.options.concurrency, got.options.max_tokens, got.options.retries) == (1, 4096, 0)
    assert got.origins["max_tokens"] == "AISBench's default"


@pytest.mark.parametrize(
    ("name", "dialect", "stream"),
    [
        ("VLLMCustomAPI", "openai-completions", False),
        ("VLLMCustomAPIStream", "openai-completions", True),
        ("VLLMCustomAPIOld", "vllm-generate", False),
        ("VLLMCustomAPIChat", "openai-chat", False),
        ("VLLMCustomAPIChatStream", "openai-chat", True),
        ("VllmMultiturnAPIChatStream", "openai-chat", True),
        ("VLLMFunctionCallAPIChat", "openai-chat", False),
        ("MindieStreamApi", "mindie-infer", True),
        ("TritonCustomAPI", "triton-generate", False),
        ("TritonCustomAPIStream", "triton-generate", True),
        ("TGICustomAPI", "tgi-generate", False),
        ("TGICustomAPIStream", "tgi-generate", True),
        ("'ais_bench.benchmark.models.TGICustomAPI'", "tgi-generate", False),
    ],
)
def test_a_class_is_a_dialect_and_a_way_of_answering(tmp_path: Path, name: str, dialect: str, stream: bool) -> None:
    options = read(tmp_path, model(f"type={name}")).options
    assert (options.dialect, options.stream) == (dialect, stream)


@pytest.mark.parametrize(
    ("arguments", "option", "value"),
    [
        ("type=TGICustomAPI, stream=True", "stream", True),
        ("type=TGICustomAPI, generation_kwargs={'top_k': 1}", "body", {"parameters": {"top_k": 1}}),
        ("type=MindieStreamApi, generation_kwargs=dict(a=None)", "body", {}),
        ("type=VLLMCustomAPIOld, generation_kwargs=dict(top_k=-1)", "body", {"top_k": -1}),
        ("type=TritonCustomAPI, model_name='ensemble'", "model", "ensemble"),
        ("type=TritonCustomAPI, model='a', model_name='a'", "model", "a"),
        ("type=VLLMCustomAPI, url='https://llm.example/base'", "url", ("https://llm.example/base",)),
        ("type=VLLMCustomAPI, url='llm:9', host_ip='10.0.0.1'", "url", ("llm:9",)),
        ("type=VLLMCustomAPI, host_ip='::1', host_port=9", "url", ("http://[::1]:9",)),
        ("type=VLLMCustomAPI, host_ip='node7', enable_ssl=True", "url", ("https://node7:8080",)),
        ("type=VLLMCustomAPI, request_rate=0", "rate", None),
        ("type=VLLMCustomAPI, request_rate=0.0005", "rate", None),
        ("type=VLLMCustomAPI, request_rate=0.05", "rate", 0.05),
        ("type=VLLMCustomAPI, query_per_second=4", "rate", 4.0),
        ("type=VLLMCustomAPI, retry=1", "retries", 0),
        ("type=VLLMCustomAPI, retry=0", "retries", 0),
        ("type=VLLMCustomAPI, traffic_cfg=dict(burstiness=0, ramp_up_strategy='')", "rate", None),
        ("type=VLLMCustomAPI, generation_kwargs=dict(num_return_sequences=1, n=2)", "body", {"n": 2}),
        ("type=VLLMFunctionCallAPIChat, returns_tool_calls=True, max_out_len=10240", "max_tokens", 10240),
    ],
)
def test_a_parameter_is_an_option(tmp_path: Path, arguments: str, option: str, value: object) -> None:
    assert getattr(read(tmp_path, model(arguments)).options, option) == value


def test_a_local_model_is_served_here(tmp_path: Path) -> None:
    arguments = """attr="local", type=HuggingFacewithChatTemplate, abbr="hf-chat-model", path="/weights/tiny",
    tokenizer_path="/weights/other", model_kwargs=dict(device_map="auto", torch_dtype="bfloat16"), max_out_len=100,
    tokenizer_kwargs=dict(padding_side="left"), run_cfg=dict(num_gpus=1), batch_size=4, trust_remote_code=True,
    generation_kwargs=dict(temperature=0.5, top_k=10, do_sample=True, seed=None)"""
    got = read(tmp_path, model(arguments))
    options = got.options
    assert (options.local, options.local_path, options.url) == ("hf", Path("/weights/tiny"), ())
    assert (options.dialect, options.stream, options.concurrency, options.max_tokens) == ("openai-chat", False, 4, 100)
    assert options.local_options == {
        "device_map": "auto",
        "dtype": "bfloat16",
        "tokenizer": "/weights/other",
        "trust_remote_code": True,
    }
    assert options.body.keys() == {"temperature", "generation_config"}
    assert json.loads(options.body["generation_config"]) == {"top_k": 10, "do_sample": True}
    assert got.notes[0].endswith("not used here: run_cfg, tokenizer_kwargs")


def test_vision_models_of_vllm_get_their_engine_and_pixels(tmp_path: Path) -> None:
    arguments = """attr="local", type=VLLMOfflineVLModel, path="/weights/vl", max_out_len=512,
    model_kwargs=dict(max_num_seqs=5, limit_mm_per_prompt={"image": 24}), sample_kwargs=dict(temperature=0.0),
    vision_kwargs=dict(min_pixels=1280 * 28 * 28, max_pixels=16384 * 28 * 28)"""
    options = read(tmp_path, model(arguments)).options
    assert (options.local, options.dialect, options.body) == ("vllm", "openai-chat", {"temperature": 0.0})
    assert options.local_options == {
        "max_num_seqs": 5,
        "limit_mm_per_prompt": {"image": 24},
        "mm_processor_kwargs": {"min_pixels": 1003520, "max_pixels": 12845056},
    }


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("type=TGICustomAPI, model_kwargs=dict(a=1), trust_remote_code=True", "model_kwargs, trust_remote_code"),
        ("type=HuggingFaceBaseModel, vision_kwargs=dict(min_pixels=1)", "vision_kwargs"),
        ("type=VLLMOfflineVLModel, vision_kwargs=dict(min_pixels=1, fps=2)", "vision_kwargs"),
        ("type=VLLMOfflineVLModel, sample_kwargs=dict(a=1), generation_kwargs=dict(b=1)", "generation_kwargs"),
    ],
)
def test_what_says_something_and_is_not_used_is_named(tmp_path: Path, arguments: str, words: str) -> None:
    assert read(tmp_path, model(arguments)).notes == (f"{tmp_path}/model.py: not used here: {words}",)


TWO = """models = [
    dict(type=TGICustomAPI, abbr="small", batch_size=1),
    dict(type=TGICustomAPI, abbr="large", batch_size=9),
]
"""


def test_one_of_several_models_is_chosen_by_its_abbr(tmp_path: Path) -> None:
    assert read(tmp_path, TWO, preset_model="large").options.concurrency == 9
    assert "has 2 models; choose one with --preset-model: small, large" in refused(tmp_path, TWO)
    assert "has no model 'huge'; its models are small, large" in refused(tmp_path, TWO, preset_model="huge")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("type=VLLMCustomAPI, batch_size=0", "batch_size 0 wants a value of at least 1 and at most 100,000"),
        ("type=VLLMCustomAPI, batch_size=2.5", "batch_size 2.5 wants a whole number"),
        ("type=VLLMCustomAPI, batch_size=True", "batch_size True wants a whole number"),
        ("type=VLLMCustomAPI, request_rate=64001", "request_rate 64001 wants a value of at least 0 and at most 64,000"),
        ("type=VLLMCustomAPI, request_rate=-1", "request_rate -1 wants a value of at least 0"),
        ("type=VLLMCustomAPI, retry=1001", "retry 1001 wants a value of at least 0 and at most 1,000"),
        ("type=VLLMCustomAPI, host_port=70000", "host_port 70000 wants a value of at least 1 and at most 65,535"),
        ("type=VLLMCustomAPI, host_ip='http://a'", "host_ip 'http://a' wants a host"),
        ("type=VLLMCustomAPI, max_out_len=0", "max_out_len 0 wants a value of at least 1"),
        ("type=VLLMCustomAPI, stream='perhaps'", "stream wants true or false"),
        ("type=MindieStreamApi, stream=False", "stream: wants True, as MindieStreamApi knows no other way"),
        ("type=VLLMCustomAPI, attr='local'", "attr: wants service, as VLLMCustomAPI is one"),
        ("type=HuggingFaceBaseModel, attr='service'", "attr: wants local"),
        ("type=VLLMCustomAPI, attr='both'", "attr wants one of service, local"),
        ("type=VLLMCustomAPI, traffic_cfg=dict(burstiness=-1)", "traffic_cfg has burstiness -1, which wants a value"),
        ("type=VLLMCustomAPI, traffic_cfg=dict(ramp_up_strategy='linear')", "a ramp_up_strategy and no ramp_up_start_"),
        ("type=VLLMCustomAPI, traffic_cfg=dict(ramp_up_strategy='steep')", "has ramp_up_strategy 'steep'; it wants"),
        ("type=VLLMCustomAPI, traffic_cfg=dict(burst=1)", "traffic_cfg has the unknown key 'burst', the nearest"),
        ("type=VLLMCustomAPI, use_timestamp='often'", "use_timestamp wants true or false"),
        ("type=VLLMCustomAPI, generation_kwargs=dict(num_return_sequences=-4)", "wants a value of at least 1"),
        ("type=VLLMCustomAPI, generation_kwargs=dict(a=TGICustomAPI)", "generation_kwargs wants a value, not a class"),
        ("type=VLLMCustomAPI, model='a', model_name='b'", "model_name: is another one than model"),
        ("type=VLLMCustomAPI, batchsize=4", "unknown parameter 'batchsize', the nearest one is 'batch_size'"),
        ("type='VLLMCustomApi'", "type 'VLLMCustomApi' wants a class of models, the nearest one is VLLMCustomAPI"),
        ("type=MindFormerModel", "type names MindFormerModel, which runs a model in AISBench's own process"),
    ],
)
def test_a_value_out_of_range_is_named_with_file_and_line(tmp_path: Path, arguments: str, words: str) -> None:
    said = refused(tmp_path, "# first\n# second\n" + model(arguments))
    assert said.startswith("model.py line 3: ")
    assert words in said


RAMP = "ramp_up_start_rps=1, ramp_up_end_rps=9"


@pytest.mark.parametrize(
    ("arguments", "asked"),
    [
        ("request_rate=2", ("constant", 2.0, None, None, None)),
        ("request_rate=2, traffic_cfg=dict(burstiness=0, ramp_up_strategy=None)", ("constant", 2.0, None, None, None)),
        ("request_rate=2, traffic_cfg=dict(burstiness=0.5)", ("gamma", 2.0, 0.5, None, None)),
        (f"request_rate=2, traffic_cfg=dict(ramp_up_strategy='', {RAMP})", ("constant", 2.0, None, None, None)),
        (
            f"request_rate=2, traffic_cfg=dict(ramp_up_strategy='linear', {RAMP})",
            ("constant", None, None, "linear", 9.0),
        ),
        (
            f"traffic_cfg=dict(burstiness=1, ramp_up_strategy='exponential', {RAMP})",
            ("gamma", None, 1.0, "exponential", 9),
        ),
        (
            "traffic_cfg=dict(ramp_up_strategy='exponential', ramp_up_start_rps=0, ramp_up_end_rps=9)",
            ("constant", 9.0, None, None, None),
        ),
        ("traffic_cfg=dict(ramp_up_strategy='linear', ramp_up_start_rps=5, ramp_up_end_rps=0)", (None,) * 5),
        ("request_rate=0, traffic_cfg=dict(burstiness=1)", (None,) * 5),
    ],
)
def test_traffic_becomes_arrivals(tmp_path: Path, arguments: str, asked: tuple[object, ...]) -> None:
    options = read(tmp_path, model(f"type=VLLMCustomAPI, {arguments}")).options
    found = (options.arrivals, options.rate, options.burstiness, options.ramp_up_strategy, options.ramp_up_end_rps)
    assert found == asked


def test_the_data_s_own_times_go_without_rate_and_concurrency(tmp_path: Path) -> None:
    arguments = "type=VLLMCustomAPI, use_timestamp=True, request_rate=3, batch_size=4"
    got = read(tmp_path, model(arguments), dataset="x.jsonl")
    assert (got.options.arrivals, got.options.rate, got.options.concurrency) == ("replay", None, None)
    assert got.notes == (f"{tmp_path}/model.py: not used here: batch_size, request_rate",)


def test_an_api_key_is_sent_and_neither_shown_nor_quoted(tmp_path: Path) -> None:
    got = read(tmp_path, model("type=VLLMCustomAPI, api_key='s3cret'"))
    assert got.options.header == ("Authorization: Bearer s3cret",)
    assert "s3cret" not in str((got.origins, got.notes))
    assert "s3cret" not in refused(tmp_path, model("type=VLLMCustomAPI, api_key='s3cret' + tail"))
    assert "s3cret" not in refused(tmp_path, "API_KEY = 's3cret'\n" + model("type=VLLMCustomAPI"))
    assert "s3cret" not in refused(tmp_path, model("type=VLLMCustomAPI, api_key=['s3cret']"))


VALUES = "the file is read, never executed: write text, a number, True, False, None, a list, a tuple or dict(...)"


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("import os", "the import of os"),
        ("import ais_bench.benchmark.models", "the import of ais_bench.benchmark.models"),
        ("from os import system", "the import of system from os"),
        ("from mmengine.config import read_base", "the import of read_base from mmengine.config"),
        ("from ais_bench.benchmark.models import *", "the import of * from ais_bench.benchmark.models"),
        ("from evil import Thing as TGICustomAPI", "the import of Thing from evil"),
        ("with read_base():\n    from ais_bench.benchmark.models import TGICustomAPI", "a with block"),
        ("__import__('os').system('touch {mark}')", "a call of ....system()"),
        ("open('{mark}', 'w')", "a call of open()"),
        ("mark = open('{mark}', 'w')", "the assignment to mark"),
        ("exec(\"open('{mark}', 'w')\")", "a call of exec()"),
        ("def run(mark=open('{mark}', 'w')): pass", "a function"),
        ("class Model(open('{mark}', 'w')): pass", "a class"),
        ("if open('{mark}', 'w'): pass", "an if"),
        ("for _ in [open('{mark}', 'w')]: pass", "a loop"),
        ("try: open('{mark}', 'w')\nfinally: pass", "a try block"),
        ("assert open('{mark}', 'w')", "this (Assert)"),
        ("models: list = []", "the assignment to models"),
        ("a = models = []", "the assignment to a"),
    ],
)
def test_a_file_that_holds_more_than_settings_is_refused_and_not_executed(tmp_path: Path, line: str, what: str) -> None:
    mark = tmp_path / "executed"
    said = refused(tmp_path, f"# first\n{line.format(mark=mark)}\n" + model("type=TGICustomAPI"))
    assert said.startswith(f"model.py line 2 has {what}; the file is read, never executed")
    assert not mark.exists()


@pytest.mark.parametrize(
    ("value", "what"),
    [
        ("__import__('os').system('touch {mark}')", "a call of ....system()"),
        ("os.environ['HOME']", "os.environ[...]"),
        ("[open(name, 'w') for name in ['{mark}']]", "a comprehension"),
        ("{{name: open(name, 'w') for name in ['{mark}']}}", "a comprehension"),
        ("f\"{{open('{mark}', 'w')}}\"", "an f-string"),
        ("(lambda: open('{mark}', 'w'))()", "a call of ...()"),
        ("lambda: 1", "a lambda"),
        ("[*open('{mark}', 'w')]", "an unpacking (*)"),
        ("dict(**open('{mark}', 'w'))", "an unpacking (**)"),
        ("{{**open('{mark}', 'w')}}", "an unpacking (**)"),
        ("1 if open('{mark}', 'w') else 2", "a condition"),
        ("(x := open('{mark}', 'w'))", "this (NamedExpr)"),
        ("'a' * 1000000000000", "a calculation"),
        ("2 ** 1000000000", "a calculation"),
        ("not 1", "a calculation"),
        ("b'text'", "a value of another kind"),
        ("{{1, 2}}", "a set"),
        ("HOST", "the name HOST"),
        ("torch.bfloat16", "the name torch.bfloat16"),
    ],
)
def test_a_value_that_would_have_to_be_computed_is_refused_and_not_executed(
    tmp_path: Path, value: str, what: str
) -> None:
    mark = tmp_path / "executed"
    text = "models = [\n  dict(\n    type=TGICustomAPI,\n    verbose=" + value.format(mark=mark) + ",\n  )\n]\n"
    assert refused(tmp_path, text) == f"model.py line 4 has {what}; {VALUES}"
    assert not mark.exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "has no `models = [...]`"),
        ("models = []", "has no model in `models`"),
        ("models = [dict(type=TGICustomAPI)]\nmodels = []", "line 2 has the assignment to models"),
        ("models = [dict(type=TGICustomAPI)]\nmodels += []", "line 2 has the assignment to models"),
        ("models = [dict(type=TGICustomAPI)]\nmodels[0]['url'] = 'a'", "line 2 has the assignment to ..."),
        ("models = dict(type=TGICustomAPI)", "line 1 has a call of dict(); write a list: [dict(...)]"),
        ("models = [TGICustomAPI]", "line 1 has the name TGICustomAPI; write dict(...) there"),
        ("models = [TGICustomAPI(batch_size=4)]", "line 1 has a call of TGICustomAPI(); write dict(...) there"),
        ("models = [dict([('type', 1)])]", "line 1 has a call of dict(); write dict(...) there"),
        ("models = [{1: 2}]", "line 1 has a value of another kind; use text as keys"),
        ("models = [dict(abbr='a',\nabbr='b')]", "line 2 has the key 'abbr' twice; leave one of them out"),
        ("models = [dict(batch_size=1e999)]", "line 1 has a number that is too large"),
        ("models = [dict(generation_kwargs={'a': '\\ud800'})]", "line 1 has text that is not UTF-8"),
        ("models = [dict(generation_kwargs={'\\udfff': 1})]", "line 1 has text that is not UTF-8"),
        ("models = [dict(abbr='a')]", "the model has no type"),
        ("models = [", "line 1 is not valid Python: "),
        ("models = [dict(batch_size=" + "-" * 5000 + "1)]", "is nested too deeply"),
        ("models = [dict(batch_size=1" + "+1" * 20000 + ")]", "is nested too deeply"),
        ("models = [dict(batch_size=" + "9" * 5000 + ")]", "is not valid Python: "),
        ("models = [\0]", "is not valid Python: "),
        ("#" * (1 << 20) + "\n", "larger than a file of settings can be"),
    ],
)
def test_a_file_that_is_no_configuration_is_said_to_be_none(tmp_path: Path, text: str, words: str) -> None:
    assert words in refused(tmp_path, text)


def test_the_command_refuses_it_in_one_sentence_and_executes_nothing(tmp_path: Path) -> None:
    mark = tmp_path / "executed"
    path = written(tmp_path, f"import os\nos.system('touch {mark}')\n" + model("type=TGICustomAPI"))
    command = [sys.executable, "-m", "perfcore", "stress", "--dry-run", "--config", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith(f"perfcore: {path} line 1 has the import of os; ")
    assert "Traceback" not in done.stderr
    assert not mark.exists()


def test_a_configuration_that_is_not_there_is_said_to_be_missing() -> None:
    with pytest.raises(UserError, match=r"cannot read nowhere\.py: No such file"):
        resolve({}, Path("nowhere.py"), {})


LITERALS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=9), below, max_size=3),
    max_leaves=6,
)
SENSIBLE = st.sampled_from(["", "a", 0, 1, 7, 0.5, True, False, {}, {"a": 1}, {"burstiness": 0}, {"min_pixels": 1}])


@settings(max_examples=300, deadline=None)
@given(
    st.dictionaries(st.sampled_from(sorted(PARAMETERS)), LITERALS | SENSIBLE, max_size=8),
    st.sampled_from(sorted(BACKENDS)),
)
def test_any_literals_are_read_or_refused_in_words(values: dict[str, Any], name: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = written(Path(folder), f"models = [{ {**values, 'type': name}!r}]\n")
        try:
            got = resolve({}, path, {})
        except UserError as error:
            assert str(path) in str(error)
        else:
            assert got.options.dialect == BACKENDS[name].dialect


def test_a_file_of_adapters_is_no_parameter_of_the_service(tmp_path: Path) -> None:
    arguments = "type=VLLMCustomAPIChat, generation_kwargs=dict(lora_data_map_file='map.json', temperature=0)"
    got = read(tmp_path, model(arguments), dataset="x.jsonl")
    assert (got.options.lora, got.options.body) == (Path("map.json"), {"temperature": 0})


def test_the_answers_to_each_question_are_the_repeats_of_an_evaluation(tmp_path: Path) -> None:
    text = model("type=VLLMCustomAPI, generation_kwargs=dict(num_return_sequences=4)")
    asked = resolve({"dataset": ("gsm8k",)}, written(tmp_path, text), {}, "eval").options
    assert (asked.repeats, asked.body) == (4, {})
