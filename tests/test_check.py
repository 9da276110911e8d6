"""`perfcore check`, the way to a service: what is said of those that are reached, and of those that are not."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from perfcore.cli.check import command
from perfcore.errors import UserError
from perfcore.run.check_connection import days_left
from perfcore.run.check_finding import Finding
from perfcore.run.simulator import start_simulator
from tests.certificates import Pair, authority, server_context, signed
from tests.checking import PACED, checked, mannered, replayed, reported, simulated, stream_of
from tests.endtoend import run_command
from tests.obliging import PARAMETERS, Manners, obliging
from tests.relay import relay
from tests.replay import replay

FIRST_STEPS = {"dns", "tcp", "tls", "path", "model", "context"}


@pytest.fixture(scope="module")
def polite() -> Iterator[dict[str, Finding]]:
    """Findings about a service that does everything right."""
    with obliging(Manners(entry={"id": "m", "max_model_len": 4096}, pause_s=0.003)) as url:
        yield checked(url)


# ---- a service without fault


@pytest.mark.parametrize("name", [*sorted(FIRST_STEPS), "streaming", "usage", "end", "keep_alive", *sorted(PARAMETERS)])
def test_a_service_that_does_everything_right_is_found_right(polite: dict[str, Finding], name: str) -> None:
    assert polite[name].level == "ok", polite[name]


def test_a_service_without_fault_has_no_finding_of_another_kind(polite: dict[str, Finding]) -> None:
    assert {finding.level for finding in polite.values()} == {"ok"}


# ---- the way


def test_a_host_that_nobody_knows_is_a_problem_of_dns() -> None:
    found = checked("http://no-such-host.invalid:8000")
    assert (found["dns"].level, found["tcp"].level) == ("problem", "unchecked")
    assert "dns" in found["streaming"].seen


def test_a_port_where_nothing_listens_is_a_problem_of_tcp() -> None:
    found = checked("http://127.0.0.1:9")
    assert (found["dns"].level, found["tcp"].level, found["path"].level) == ("ok", "problem", "unchecked")


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return authority(tmp_path_factory.mktemp("certificates"))


def over_tls(shown: Pair, trusted: Pair | None) -> dict[str, Finding]:
    with start_simulator(PACED) as running, relay(running.port, server_context(shown)) as secure:
        return checked(f"https://localhost:{secure.port}", cacert=trusted.certificate if trusted else None)


def test_the_certificate_is_named_with_the_end_of_its_life(ours: Pair) -> None:
    tls = over_tls(signed(ours, "good", days=30), ours)["tls"]
    assert (tls.level, tls.data["subject"], tls.data["issuer"]) == ("ok", "CN = good", "CN = authority")
    assert 29 <= tls.data["days_left"] <= 30
    assert tls.data["tls_ms"] > 0


def test_a_certificate_that_ends_soon_is_noted(ours: Pair) -> None:
    assert over_tls(signed(ours, "late", days=3), ours)["tls"].level == "note"


def test_a_certificate_that_nobody_trusts_is_a_problem(ours: Pair) -> None:
    found = over_tls(signed(ours, "stranger"), None)
    assert found["tls"].level == "problem"
    assert "--cacert" in found["tls"].change
    assert found["streaming"].level == "unchecked"


def test_the_date_of_a_certificate_is_read_as_libcurl_writes_it() -> None:
    assert days_left("Jan  1 00:00:00 2000 GMT") == pytest.approx(days_left("Jan  2 00:00:00 2000 GMT") or 0, abs=1.2)
    assert days_left("soon") is None


def test_a_port_without_tls_is_told_from_one_that_is_not_trusted() -> None:
    with replay([b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n"], close=True) as url:
        found = checked(url.replace("http:", "https:"), within_s=2)
    assert (found["tcp"].level, found["tls"].level) == ("ok", "problem")
    assert "http://" in found["tls"].change


# ---- the path


@pytest.mark.parametrize(
    ("manners", "words"),
    [
        ({"status": 404}, "--url"),
        ({"status": 401}, "--api-key-env"),
        ({"status": 403}, "--api-key-env"),
        ({"status": 429}, "wait"),
        ({"status": 503}, "log"),
        ({"status": 308, "location": "http://elsewhere.example/v1"}, "http://elsewhere.example/v1"),
        ({"refused": frozenset({"stream_options"})}, "--body stream_options=null"),
        ({"refused": frozenset({"stream"})}, "--no-stream"),
        ({"refused": frozenset({"messages"})}, "--dialect"),
    ],
)
def test_each_way_of_refusing_requests_has_its_remedy(manners: dict[str, Any], words: str) -> None:
    found = mannered(**manners)
    assert found["path"].level == "problem"
    assert words in found["path"].change
    assert found["seed"].level == "unchecked"


def test_a_web_page_is_a_problem() -> None:
    found = simulated(faults=(("html", 1.0, None),))
    assert found["path"].level == "problem"
    assert "web page" in found["path"].seen


def test_a_path_below_the_wrong_one_is_a_problem() -> None:
    with start_simulator(PACED) as running:
        found = checked(f"{running.url}/api", model="simulated")
    assert (found["path"].level, found["path"].data["status"]) == ("problem", 404)


def test_a_version_of_http_that_the_service_does_not_speak_is_a_problem(ours: Pair) -> None:
    with start_simulator(PACED) as running, relay(running.port, server_context(signed(ours, "old"))) as secure:
        found = checked(f"https://localhost:{secure.port}", cacert=ours.certificate, http="2")
    assert found["path"].level == "problem"
    assert "HTTP/1.1" in found["path"].seen


def test_a_key_that_a_service_repeats_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", "sk-secret-123")
    with obliging(Manners(status=401, repeat_key=True)) as url:
        found = checked(url, api_key_env="MY_KEY")
    assert "***" in found["path"].seen
    assert "sk-secret-123" not in str(found)


@pytest.mark.parametrize("model", ["m", None])
def test_a_service_that_hangs_up_without_an_answer_is_a_problem(model: str | None) -> None:
    with replay([], close=True) as url:
        found = checked(url, model=model)
    assert (found["tcp"].level, found["path"].level) == ("ok", "problem")


def test_a_unix_socket_is_no_name_to_look_up(tmp_path: Path) -> None:
    with start_simulator(PACED) as running, relay(running.port, path=tmp_path / "socket"):
        found = reported(unix_socket=tmp_path / "socket").services[0].findings
    assert [finding.level for finding in found[:4]] == ["ok"] * 4
    assert "Unix socket" in found[0].seen


# ---- the model


def test_a_model_that_the_service_refuses_is_told_its_nearest_name() -> None:
    with start_simulator(replace(PACED, strict_model=True)) as running:
        found = checked(running.url, model="simulatd")
    assert found["model"].level == "problem"
    assert found["model"].data["near"] == ["simulated"]


def test_a_model_that_is_answered_without_being_listed_is_noted() -> None:
    with start_simulator(PACED) as running:
        found = checked(running.url, model="other")
    assert (found["model"].level, found["path"].level) == ("note", "ok")


def test_no_list_and_no_name_is_a_problem() -> None:
    found = replayed(stream_of("[DONE]"), model=None)
    assert found["model"].level == "problem"
    assert "--model" in found["model"].change


@pytest.mark.parametrize(
    "entry",
    [
        {"id": "m", "max_model_len": 2048},
        {"id": "m", "meta": {"n_ctx": 2048}},
        {"id": "m", "max_input_tokens": 2048},
    ],
)
def test_the_context_is_found_where_servers_tell_it(entry: dict[str, Any]) -> None:
    assert mannered(entry=entry)["context"].data == {"context_tokens": 2048}


def test_a_context_that_nobody_tells_is_unknown() -> None:
    assert mannered(entry={"id": "m"})["context"].level == "unchecked"


# ---- time, several services, the command


def test_a_service_that_never_answers_is_given_up_in_time() -> None:
    with start_simulator(replace(PACED, faults=(("stall", 1.0, None),))) as running:
        report = reported(running.url, within_s=0.6)
    assert not report.ok
    assert {finding.name for finding in report.services[0].findings} > FIRST_STEPS


def test_what_there_was_no_time_for_is_said() -> None:
    with start_simulator(replace(PACED, itl_ms=10)) as running:
        found = checked(running.url, within_s=1.5)
    assert found["path"].level == "ok"
    assert "--timeout" in found["n"].seen


def test_of_several_services_each_is_reached() -> None:
    with start_simulator(PACED) as running:
        report = reported(running.url, "http://127.0.0.1:9")
    first, second = report.services
    assert len(first.findings) > len(second.findings) == len(FIRST_STEPS)
    assert [finding.name for finding in second.findings if finding.level == "problem"] == ["tcp"]
    assert not report.ok


def test_the_command_prints_a_table_and_ends_with_success() -> None:
    with start_simulator(PACED) as running:
        done = run_command("check", "--url", running.url)
    assert done.returncode == 0, done.stderr
    assert "Nothing prevents a measurement" in done.stdout
    assert "keep_alive" in done.stdout


def test_the_command_ends_with_1_where_a_measurement_would_fail() -> None:
    done = run_command("check", "--url", "http://127.0.0.1:9", "--json")
    document = json.loads(done.stdout)
    assert (done.returncode, document["schema"], document["ok"]) == (1, "perfcore.check/1", False)
    assert document["services"][0]["findings"][1]["name"] == "tcp"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--timeout", "never"], "--timeout"),
        (["--timeout", "0"], "above 0"),
        (["--dialect", "opnai-chat"], "openai-chat"),
        (["--url", "ftp://host"], "scheme"),
        (["--api-key-env", "NOT_SET_ANYWHERE"], "NOT_SET_ANYWHERE"),
    ],
)
def test_mistakes_of_the_user_are_named(arguments: list[str], words: str) -> None:
    with pytest.raises(UserError, match=words):
        command.main(arguments, standalone_mode=False)


def test_options_of_a_load_are_none_of_the_check() -> None:
    done = run_command("check", "--concurrency", "4")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
