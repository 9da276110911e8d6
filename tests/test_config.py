"""Options: one list, four places that give them, and what is refused."""

from pathlib import Path
from typing import Any

import pytest

from perfcore.cli.reference import options_page
from perfcore.config import Resolved, request_headers, resolve
from perfcore.errors import UserError
from perfcore.options import OPTIONS, StressOptions
from perfcore.redaction import redacted, redacted_command, redacted_url

ROOT = Path(__file__).parents[1]


def resolved(flags: dict[str, Any] | None = None, config: Path | None = None, **environment: str) -> Resolved:
    return resolve(flags or {}, config, environment)


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_flags_go_before_environment_before_file_before_default(tmp_path: Path) -> None:
    config = written(tmp_path, "x.toml", "rate = 1\nrequests = 1\nwarmups = 1\n")
    got = resolved({"rate": "3"}, config, PERFCORE_RATE="2", PERFCORE_REQUESTS="2")
    assert (got.options.rate, got.options.requests, got.options.warmups, got.options.seed) == (3.0, 2, 1, 0)
    origins = [got.origins[name] for name in ("rate", "requests", "warmups", "seed")]
    assert origins == ["--rate", "environment PERFCORE_REQUESTS", f"file {config}", "default"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("x.toml", 'duration = "2m"\nmax-tokens = 7\nprompt = "Hi"\nheader = ["A: b"]\n[body]\ntop_k = 1\n'),
        ("x.yaml", "duration: 2m\nmax_tokens: 7\nprompt: Hi\nheader: ['A: b']\nbody: {top_k: 1}\n"),
        ("x.json", '{"duration": 120, "max_tokens": 7, "prompt": ["Hi"], "header": "A: b", "body": {"top_k": 1}}'),
    ],
)
def test_a_file_gives_the_same_in_toml_yaml_and_json(tmp_path: Path, name: str, text: str) -> None:
    options = resolved(config=written(tmp_path, name, text)).options
    assert (options.duration_s, options.max_tokens, options.prompt) == (120.0, 7, ("Hi",))
    assert (options.header, options.body) == (("A: b",), {"top_k": 1})


@pytest.mark.parametrize(
    ("environment", "name", "value"),
    [
        ({"WORKERS_NUM": "3"}, "workers", 3),
        ({"WORKERS_NUM": "3", "PERFCORE_WORKERS": "4"}, "workers", 4),
        ({"PERFCORE_STREAM": "no"}, "stream", False),
        ({"PERFCORE_RATE": ""}, "rate", None),
        ({"PERFCORE_BODY": '{"a": {"b": 1}}'}, "body", {"a": {"b": 1}}),
        ({"PERFCORE_HEADER": '["A: b", "C: d"]'}, "header", ("A: b", "C: d")),
        ({"PERFCORE_PROMPT": "[1] is a footnote"}, "prompt", ("[1] is a footnote",)),
        ({"PERFCORE_MAX_EVENT_BYTES": "1MiB"}, "max_event_bytes", 2**20),
        ({"PERFCORE_OUT": "runs/a"}, "out", Path("runs/a")),
    ],
)
def test_the_environment_gives_every_kind_of_value(environment: dict[str, str], name: str, value: object) -> None:
    assert getattr(resolve({}, None, environment).options, name) == value


@pytest.mark.parametrize(
    ("given", "seconds"),
    [("500ms", 0.5), ("30s", 30.0), ("2m", 120.0), ("1h30m", 5400.0), ("1.5h", 5400.0), ("45", 45.0), (2, 2.0)],
)
def test_times_are_seconds_or_carry_their_units(given: object, seconds: float) -> None:
    assert resolved({"duration_s": given}).options.duration_s == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({"rate": "0"}, ["--rate '0'", "more than 0"]),
        ({"rate": "nan"}, ["--rate 'nan'", "wants a number"]),
        ({"rate": "fast"}, ["--rate 'fast'", "wants a number"]),
        ({"concurrency": "0"}, ["--concurrency '0'", "at least 1 and at most 1,000,000"]),
        ({"concurrency": "2.5"}, ["--concurrency '2.5'", "whole number"]),
        ({"duration_s": "30 parsecs"}, ["--duration", "30s, 2m"]),
        ({"timeout_s": "-1"}, ["--timeout", "at least 0"]),
        ({"seed": "-1"}, ["--seed", "at least 0"]),
        ({"body": ("temperature",)}, ["--body", "key=json"]),
        ({"body": ("a=1", "a.b=1")}, ["--body", "'a.b'"]),
        ({"prompt": ("",)}, ["--prompt", "wants text"]),
        ({"prompt": ("a\udcff",)}, ["--prompt", "not UTF-8"]),
        ({"body": ('a="\\ud800"',)}, ["--body", "not UTF-8"]),
        ({"dataset": ""}, ["--dataset", "not empty"]),
        ({"max_event_bytes": "1KiB"}, ["--max-event-bytes '1KiB'", "at least 4,096"]),
        ({"rate": "1", "ramp": "1"}, ["ramp (--ramp)", "rate (--rate)"]),
        ({"prompt": ("a",), "dataset": "b"}, ["prompt (--prompt)", "dataset (--dataset)", "exclude"]),
        ({"api_key_env": "NO_SUCH"}, ["api_key_env (--api-key-env)", "NO_SUCH", "not set"]),
    ],
)
def test_a_bad_value_is_named_with_its_origin_and_what_is_allowed(flags: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(UserError) as error:
        resolved(flags)
    assert all(word in str(error.value) for word in words), str(error.value)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("x.toml", "concurency = 4", ["'concurency'", "x.toml", "'concurrency'"]),
        ("x.toml", 'rate = "many"', ["rate 'many'", "x.toml", "a number"]),
        ("x.toml", "rate = true", ["rate True", "x.toml", "a number"]),
        ("x.toml", "rate = ", ["x.toml", "not valid TOML", "Invalid value"]),
        ("x.json", "[1]", ["x.json", "no table"]),
        ("x.json", "{", ["x.json", "not valid JSON"]),
        ("x.yaml", "a: [", ["x.yaml", "not valid YAML"]),
        ("x.txt", "rate = 1", ["x.txt", ".toml"]),
    ],
)
def test_a_bad_file_is_named_with_its_key(tmp_path: Path, name: str, text: str, words: list[str]) -> None:
    with pytest.raises(UserError) as error:
        resolved(config=written(tmp_path, name, text))
    assert all(word in str(error.value) for word in words), str(error.value)


def test_dates_and_numeric_keys_of_a_file_become_what_json_can_say(tmp_path: Path) -> None:
    config = written(tmp_path, "x.yaml", "body: {day: 2026-01-02, 1: {2: a}}")
    assert resolved(config=config).options.body == {"day": "2026-01-02", "1": {"2": "a"}}


def test_a_folder_of_presets_that_is_not_there_is_refused_also_where_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"--config-dir .*nowhere is no folder"):
        resolved({"config_dir": str(tmp_path / "nowhere")})


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(UserError, match=r"--config nowhere\.toml: No such file"):
        resolved(config=Path("nowhere.toml"))


def test_an_unknown_variable_names_the_nearest() -> None:
    with pytest.raises(UserError, match=r"PERFCORE_CONCURRANCY.*'PERFCORE_CONCURRENCY'"):
        resolved(PERFCORE_CONCURRANCY="4")


def test_an_error_in_the_environment_names_the_variable() -> None:
    with pytest.raises(UserError, match=r"workers 'all' \(environment WORKERS_NUM\): wants a whole number"):
        resolved(WORKERS_NUM="all")


def test_nothing_given_makes_a_lively_first_run() -> None:
    got = resolved()
    assert (got.options.concurrency, got.options.requests, len(got.options.prompt)) == (8, 100, 1)
    assert got.origins["concurrency"] == "default, as neither concurrency nor rate is given"


def test_a_data_set_is_passed_over_once_unless_told_otherwise() -> None:
    got = resolved({"dataset": "x.jsonl"})
    assert (got.options.requests, got.options.duration_s, got.options.prompt) == (None, None, ())
    assert got.origins["requests"] == "default: one pass over the data set"


def test_with_a_duration_requests_are_not_limited() -> None:
    assert resolved({"duration_s": "5s"}).options.requests is None


def test_a_rate_has_no_limit_of_requests_in_flight_unless_one_is_given() -> None:
    assert resolved({"rate": "5"}).options.concurrency is None
    assert resolved({"rate": "5", "concurrency": "3"}).options.concurrency == 3


def test_a_prompt_on_the_command_line_goes_before_a_data_set_in_the_file(tmp_path: Path) -> None:
    got = resolved({"prompt": ("Hi",)}, written(tmp_path, "x.toml", 'dataset = "a.jsonl"'))
    assert (got.options.prompt, got.options.dataset) == (("Hi",), ())
    assert got.origins["dataset"] == "left out for --prompt"


def test_body_flags_nest_at_dots_and_take_text_for_what_is_not_json() -> None:
    options = resolved({"body": ("a.b=1", "a.c=[true]", "d=hello", 'e="5"', "f=null", "g=x=y")}).options
    assert options.body == {"a": {"b": 1, "c": [True]}, "d": "hello", "e": "5", "f": None, "g": "x=y"}


def test_no_stream_is_its_own_origin() -> None:
    assert resolved({"stream": False}).origins["stream"] == "--no-stream"


def test_the_api_key_is_sent_and_a_header_of_the_same_name_goes_before_it() -> None:
    key = {"MY_KEY": "s3cret"}
    bare = resolve({"api_key_env": "MY_KEY"}, None, key).options
    assert request_headers(bare, key) == ("Content-Type: application/json", "Authorization: Bearer s3cret")
    own = resolve({"api_key_env": "MY_KEY", "header": ("authorization: Basic x",)}, None, key).options
    assert request_headers(own, key) == ("Content-Type: application/json", "authorization: Basic x")


@pytest.mark.parametrize(
    "name",
    ["Authorization", "api-key", "X-API-Key", "Cookie", "Proxy-Authorization", "X-Auth-Token", "Client-Secret"],
)
def test_headers_that_sound_like_secrets_are_redacted(name: str) -> None:
    assert redacted(StressOptions(header=(f"{name}: s3cret", "Accept: *")))["header"] == [f"{name}: ***", "Accept: *"]


def test_a_malformed_header_is_refused_without_being_shown() -> None:
    with pytest.raises(UserError) as error:
        resolved({"header": ("Authorization Bearer s3cret",)})
    assert "s3cret" not in str(error.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://me:s3cret@h:8000/v1", "http://***@h:8000/v1"),
        ("me:s3cret@h:8000", "***@h:8000"),
        ("https://h/v1?api-key=s3cret&api-version=1", "https://h/v1?api-key=***&api-version=1"),
        ("http://h:8000/v1", "http://h:8000/v1"),
    ],
)
def test_secrets_in_urls_are_redacted(url: str, shown: str) -> None:
    assert redacted_url(url) == shown


def test_secrets_in_the_body_are_redacted_and_token_counts_are_not() -> None:
    body = {"api_key": "s3cret", "max_tokens": 5, "a": [{"password": "s3cret"}], "stop_token_ids": [1]}
    shown = {"api_key": "***", "max_tokens": 5, "a": [{"password": "***"}], "stop_token_ids": [1]}
    assert redacted(StressOptions(body=body))["body"] == shown


def test_a_command_line_is_redacted_like_the_options() -> None:
    line = [
        "stress",
        "--header",
        "X-Key: s",
        "--header=Cookie: s",
        "--url",
        "http://u:s@h",
        "--body",
        "a.token=s",
        "-h",
    ]
    shown = [
        "stress",
        "--header",
        "X-Key: ***",
        "--header=Cookie: ***",
        "--url",
        "http://***@h",
        "--body",
        "a.token=***",
    ]
    assert redacted_command(line) == [*shown, "-h"]


def test_the_page_of_options_is_up_to_date() -> None:
    page = (ROOT / "docs" / "options.md").read_text(encoding="utf-8")
    assert page == options_page() + "\n", "run `make docs`"


def test_every_option_has_help_in_whole_sentences() -> None:
    assert [name for name, option in OPTIONS.items() if not option.help.endswith(".")] == []
