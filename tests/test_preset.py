"""Presets: what each built-in one says, files of one's own, and what goes before what."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from perfcore.aisbench import BACKENDS, PARAMETERS
from perfcore.config import Resolved, request_headers, resolve
from perfcore.errors import UserError
from perfcore.preset import builtin, listing, read_preset
from perfcore.redaction import redacted
from perfcore.workload.address import request_url
from perfcore.workload.dialect import body, load_dialect
from perfcore.workload.dialect import builtin as dialects
from perfcore.workload.row import Row

ROOT = Path(__file__).parents[1]


def resolved(flags: dict[str, Any], config: Path | None = None, **environment: str) -> Resolved:
    return resolve(flags, config, environment)


def written(folder: Path, text: str, name: str = "own.toml") -> str:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return str(path)


USAGE = {"stream_options": {"include_usage": True}}
HI = [{"role": "user", "content": "Hi"}]
SERVICES = {
    "vllm_api_general": ("openai-completions", False),
    "vllm_api_general_stream": ("openai-completions", True),
    "vllm_api_general_chat": ("openai-chat", False),
    "vllm_api_stream_chat": ("openai-chat", True),
    "vllm_api_stream_chat_multiturn": ("openai-chat", True),
    "vllm_api_function_call_chat": ("openai-chat", False),
    "vllm_api_old": ("vllm-generate", False),
    "mindie_stream_api_general": ("mindie-infer", True),
    "triton_api_general": ("triton-generate", False),
    "triton_stream_api_general": ("triton-generate", True),
    "tgi_api_general": ("tgi-generate", False),
    "tgi_stream_api_general": ("tgi-generate", True),
}
LOCAL = {
    "hf_base_model": ("openai-completions", "hf"),
    "hf_chat_model": ("openai-chat", "hf"),
    "hf_qwenvl_model": ("openai-chat", "hf"),
    "vllm_offline_vl_model": ("openai-chat", "vllm"),
}


def test_every_model_task_of_aisbench_has_its_preset() -> None:
    assert set(builtin()) == {*SERVICES, *LOCAL}


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_at_aisbench_s_address_and_spoken_to_in_its_dialect(name: str) -> None:
    got = resolved({"preset": name})
    assert (got.options.dialect, got.options.stream) == SERVICES[name]
    assert got.options.url == ("http://localhost:8080",)
    assert got.options.max_tokens == (10240 if "function_call" in name else 512)
    assert got.options.body.get("parameters", got.options.body)["temperature"] == 0.01
    assert got.origins["dialect"] == f"preset {name}"


SENT: dict[str, tuple[str, dict[str, Any]]] = {
    "vllm_api_general": ("/v1/completions", {"model": "m", "prompt": "Hi", "stream": False}),
    "vllm_api_general_stream": ("/v1/completions", {"model": "m", "prompt": "Hi", "stream": True} | USAGE),
    "vllm_api_general_chat": ("/v1/chat/completions", {"model": "m", "messages": HI, "stream": False}),
    "vllm_api_stream_chat": ("/v1/chat/completions", {"model": "m", "messages": HI, "stream": True} | USAGE),
    "vllm_api_stream_chat_multiturn": ("/v1/chat/completions", {"model": "m", "messages": HI, "stream": True} | USAGE),
    "vllm_api_old": ("/generate", {"prompt": "Hi", "stream": False}),
    "mindie_stream_api_general": ("/infer", {"inputs": "Hi", "stream": True}),
    "triton_api_general": ("/v2/models/m/generate", {"text_input": "Hi"}),
    "triton_stream_api_general": ("/v2/models/m/generate_stream", {"text_input": "Hi"}),
    "tgi_api_general": ("/generate", {"inputs": "Hi"}),
    "tgi_stream_api_general": ("/generate_stream", {"inputs": "Hi"}),
}


@pytest.mark.parametrize("name", SENT)
def test_a_service_is_sent_what_aisbench_sends_it(name: str) -> None:
    options = resolved({"preset": name}).options
    dialect = load_dialect(options.dialect)
    row = Row(id="1", prompt="Hi")
    encoded = body(dialect, row, model="m", max_tokens=512, stream=options.stream, extra=options.body)
    path, fields = SENT[name]
    sent = msgspec.json.decode(encoded)
    inner = sent.pop("parameters", sent)
    assert request_url(options.url[0], dialect, options.stream, "m") == "http://localhost:8080" + path
    assert fields.items() <= sent.items()
    assert {"temperature": 0.01, "ignore_eos": False}.items() <= inner.items()
    assert 512 in (inner.get("max_tokens"), inner.get("max_new_tokens"))


@pytest.mark.parametrize("name", LOCAL)
def test_a_local_model_is_served_here_and_has_no_address(name: str) -> None:
    options = resolved({"preset": name, "local_path": "models/x"}).options
    assert (options.dialect, options.local) == LOCAL[name]
    assert (options.url, options.stream, options.local_path) == ((), False, Path("models/x"))
    assert options.local_options


def test_every_dialect_of_a_preset_or_of_a_class_is_built_in() -> None:
    named = {dialect for dialect, _ in (*SERVICES.values(), *LOCAL.values())}
    assert {*named, *(backend.dialect for backend in BACKENDS.values())} <= set(dialects())


def test_the_list_has_a_line_for_each_preset() -> None:
    lines = listing().splitlines()
    assert [line.split()[0] for line in lines] == sorted({*SERVICES, *LOCAL})
    assert "hf_chat_model                    openai-chat          whole      local hf" in lines


def test_defaults_yield_to_the_preset_to_the_file_to_the_environment_to_flags(tmp_path: Path) -> None:
    preset = written(tmp_path, "seed = 1\nwarmups = 1\nrequests = 1\nrate = 1\n", "preset.toml")
    config = Path(written(tmp_path, "warmups = 2\nrequests = 2\nrate = 2\n"))
    got = resolved({"preset": preset, "rate": "4"}, config, PERFCORE_REQUESTS="3", PERFCORE_RATE="3")
    assert (got.options.seed, got.options.warmups, got.options.requests, got.options.rate) == (1, 2, 3, 4.0)
    origins = [got.origins[name] for name in ("seed", "warmups", "requests", "rate", "timeout_s")]
    assert origins == [f"preset {preset}", f"file {config}", "environment PERFCORE_REQUESTS", "--rate", "default"]


def test_a_preset_can_be_named_in_the_file_and_in_the_environment(tmp_path: Path) -> None:
    config = Path(written(tmp_path, 'preset = "tgi_api_general"'))
    assert resolved({}, config).options.dialect == "tgi-generate"
    assert resolved({}, config, PERFCORE_PRESET="mindie_stream_api_general").options.dialect == "mindie-infer"


def test_a_body_is_merged_over_that_of_the_preset_and_null_removes(tmp_path: Path) -> None:
    got = resolved({"preset": "tgi_api_general", "body": ("parameters.top_p=0.5", "parameters.ignore_eos=null", "a=1")})
    assert got.options.body == {"parameters": {"temperature": 0.01, "ignore_eos": None, "top_p": 0.5}, "a": 1}
    assert got.origins["body"] == "--body over preset tgi_api_general"


def test_a_body_of_the_command_line_replaces_that_of_a_file(tmp_path: Path) -> None:
    config = Path(written(tmp_path, "body = {top_k = 1}"))
    assert resolved({"body": ("a=1",)}, config).options.body == {"a": 1}


def test_options_and_parameters_of_aisbench_stand_side_by_side_in_a_preset(tmp_path: Path) -> None:
    text = """
    dialect = "tgi-generate"
    duration = "2m"
    host_ip = "::1"
    host_port = 9000
    batch-size = 16
    max_out_len = 64
    model = ""
    [generation_kwargs]
    top_k = 3
    """
    options = resolved({"preset": written(tmp_path, text)}).options
    assert (options.url, options.model, options.duration_s) == (("http://[::1]:9000",), None, 120.0)
    assert (options.concurrency, options.max_tokens, options.body) == (16, 64, {"parameters": {"top_k": 3}})


def test_parameters_beside_a_local_server_are_those_of_local_models(tmp_path: Path) -> None:
    text = 'local = "hf"\npath = "models/x"\nmodel_kwargs = {device_map = "cpu"}\ngeneration_kwargs = {top_k = 3}'
    options = resolved({"preset": written(tmp_path, text)}).options
    assert (options.local, options.local_path, options.local_options) == ("hf", Path("models/x"), {"device_map": "cpu"})
    assert options.body == {"generation_config": '{"top_k": 3}'}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("own.yaml", "url: [http://a:1, http://b:1]\nconcurrency: 2"),
        ("own.json", '{"url": ["http://a:1", "http://b:1"], "concurrency": 2}'),
    ],
)
def test_a_preset_may_be_any_file_of_options(tmp_path: Path, name: str, text: str) -> None:
    options = resolved({"preset": written(tmp_path, text, name)}).options
    assert (options.url, options.concurrency) == (("http://a:1", "http://b:1"), 2)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("batch_sise = 4", ["'batch_sise'", "own.toml", "'batch_size'"]),
        ("concurency = 4", ["'concurency'", "'concurrency'"]),
        ('preset = "tgi_api_general"', ["unknown key 'preset'"]),
        ("batch_size = 4\nconcurrency = 4", ["own.toml", "concurrency and batch_size", "leave one out"]),
        ('type = "TGICustomAPI"\ndialect = "openai-chat"', ["dialect and type"]),
        ("batch_size = 0", ["own.toml: batch_size 0 wants", "at least 1 and at most 100,000"]),
        ("concurrency = 0", ["concurrency 0 (preset", "at least 1"]),
        ('host_ip = "http://a"', ["host_ip 'http://a' wants a host", "key url"]),
        ("rate = ", ["--preset", "not valid TOML"]),
        ('preset_model = "a"', ["unknown key 'preset_model'"]),
    ],
)
def test_a_wrong_preset_is_named_with_its_key(tmp_path: Path, text: str, words: list[str]) -> None:
    with pytest.raises(UserError) as error:
        resolved({"preset": written(tmp_path, text)})
    assert all(word in str(error.value) for word in words), str(error.value)


def test_an_unknown_preset_names_the_nearest() -> None:
    with pytest.raises(UserError, match=r"'vllm_stream_chat'.*'vllm_api_stream_chat'.*perfcore list presets"):
        resolved({"preset": "vllm_stream_chat"})


def test_a_preset_that_is_not_there_is_said_to_be_missing() -> None:
    with pytest.raises(UserError, match=r"cannot read --preset nowhere\.toml"):
        resolved({"preset": "nowhere.toml"})


def test_a_model_is_chosen_only_where_there_are_models() -> None:
    with pytest.raises(UserError, match=r"preset_model \(--preset-model\) chooses a model of an AISBench file"):
        resolved({"preset": "tgi_api_general", "preset_model": "a"})


def test_an_api_key_in_a_file_is_sent_and_shown_nowhere(tmp_path: Path) -> None:
    got = resolved({"preset": written(tmp_path, 'api_key = "s3cret"')})
    assert "Authorization: Bearer s3cret" in request_headers(got.options, {})
    assert "s3cret" not in str((redacted(got.options), got.origins, got.notes))
    assert "--api-key-env" in got.notes[0]


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ({}, ["Authorization: Bearer s3cret"]),
        ({"header": ("X-A: b",)}, ["X-A: b", "Authorization: Bearer s3cret"]),
        ({"header": ("authorization: Basic x",)}, ["authorization: Basic x"]),
        ({"api_key_env": "MY_KEY"}, ["Authorization: Bearer nearer"]),
    ],
)
def test_an_api_key_in_a_file_yields_to_one_that_is_given_nearer(
    tmp_path: Path, flags: dict[str, Any], expected: list[str]
) -> None:
    preset = written(tmp_path, 'api_key = "s3cret"')
    environment = {"MY_KEY": "nearer"}
    options = resolve({"preset": preset, **flags}, None, environment).options
    assert [line for line in request_headers(options, environment) if not line.startswith("Content-")] == expected


def test_what_is_not_used_is_said() -> None:
    assert resolved({"preset": "vllm_api_stream_chat"}).notes == ()


def test_a_tokenizer_of_a_service_is_said_to_be_unused(tmp_path: Path) -> None:
    got = resolved({"preset": written(tmp_path, 'path = "tokenizers/x"\nverbose = true\nmeta_template = ""')})
    assert got.notes == (f"{tmp_path}/own.toml: not used here: path, verbose",)


def test_every_preset_stands_in_the_docs() -> None:
    page = (ROOT / "docs" / "presets.md").read_text(encoding="utf-8")
    assert [name for name in builtin() if f"`{name}`" not in page] == []


def test_every_parameter_and_class_of_aisbench_stands_in_the_docs() -> None:
    page = (ROOT / "docs" / "from-aisbench.md").read_text(encoding="utf-8")
    assert [name for name in (*PARAMETERS, *BACKENDS) if f"`{name}`" not in page] == []


@pytest.mark.parametrize("name", [*SERVICES, *LOCAL])
def test_a_built_in_preset_gives_nothing_that_needs_a_remark(name: str) -> None:
    assert read_preset(name, None).notes == ()


def test_presets_of_a_folder_of_one_s_own_go_before_the_built_in_ones(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models/tgi_api_general.toml").write_text("concurrency = 3\n", encoding="utf-8")
    (tmp_path / "models/rack.py").write_text("models = [dict(type='TGICustomAPI', batch_size=5)]\n", encoding="utf-8")
    assert resolved({"preset": "tgi_api_general", "config_dir": str(tmp_path)}).options.concurrency == 3
    assert resolved({"preset": "rack", "config_dir": str(tmp_path)}).options.concurrency == 5
    assert resolved({"preset": "vllm_api_old", "config_dir": str(tmp_path)}).options.dialect == "vllm-generate"
    assert resolved({"preset": "rack"}, PERFCORE_CONFIG_DIR=str(tmp_path)).options.concurrency == 5


def test_presets_of_one_s_own_are_listed_with_their_files_and_what_is_wrong_with_them(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models/mine.toml").write_text("concurrency = 3\n", encoding="utf-8")
    (tmp_path / "models/broken.toml").write_text("concurency = 3\n", encoding="utf-8")
    lines = {line.split()[0]: line for line in listing(tmp_path).splitlines()}
    assert lines["mine"].endswith(str(tmp_path / "models/mine.toml"))
    assert "unknown key 'concurency'" in lines["broken"]
    assert "openai-chat" in lines["vllm_api_general_chat"]


def test_a_folder_of_presets_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"--config-dir .*nowhere is no folder"):
        resolved({"preset": "vllm_api_old", "config_dir": str(tmp_path / "nowhere")})
