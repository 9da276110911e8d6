"""How requests travel: TLS, sockets, proxies, several services, connections and their limits."""

import http.server
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from perfcore.errors import UserError
from perfcore.options import OPTIONS, StressOptions
from perfcore.run import ports
from perfcore.run.simulator import RunningSimulator
from perfcore.run.transport import check_http, transport
from tests.certificates import Pair, authority, server_context, signed
from tests.endtoend import QUICK, SimulatorSettings, measure, run_command, start_simulator
from tests.harness import Answer, send
from tests.relay import relay

FEW: dict[str, Any] = {"prompt": ("hi",), "requests": 6, "concurrency": 2, "max_tokens": 2}
ANSWER = b'data: {"choices":[{"delta":{"content":"hi"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'


@pytest.fixture(scope="module")
def simulator() -> Iterator[RunningSimulator]:
    with start_simulator(QUICK) as running:
        yield running


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Pair]:
    """An authority, and what servers show: a good certificate, and each kind of bad one."""
    folder = tmp_path_factory.mktemp("certificates")
    ours = authority(folder)
    return {
        "authority": ours,
        "good": signed(ours, "good"),
        "expired": signed(ours, "expired", days=-1),
        "other": signed(ours, "other", "DNS:elsewhere.example"),
        "self": authority(folder, "localhost"),
        "client": signed(ours, "client"),
    }


def through(url: str, **given: Any) -> list[Answer]:
    """Three requests of the load loop, as the options say."""
    way = transport(StressOptions(url=(url,), **given), [url], {}, "perfcore-test")
    return send(f"{url}/v1/chat/completions", total=3, options=way.curl, multi_options=way.multi)


def refusal(folder: Path, url: str, **given: Any) -> str:
    """What a user is told before the run."""
    with pytest.raises(UserError) as error:
        measure(folder / "run", url, **FEW, **given)
    return str(error.value)


# ---- TLS


def test_a_service_whose_authority_is_given_is_measured(
    simulator: RunningSimulator, pairs: dict[str, Pair], tmp_path: Path
) -> None:
    with relay(simulator.port, server_context(pairs["good"])) as secure:
        url = f"https://localhost:{secure.port}"
        done = measure(tmp_path / "run", url, cacert=pairs["authority"].certificate, **FEW)
    assert (done.metrics["requests"]["ok"], done.metrics["requests"]["failed"]) == (6, 0)


def test_the_time_of_tls_belongs_to_new_connections_only(simulator: RunningSimulator, pairs: dict[str, Pair]) -> None:
    with relay(simulator.port, server_context(pairs["good"])) as secure:
        answers = through(f"https://127.0.0.1:{secure.port}", cacert=pairs["authority"].certificate)
    times = [(answer.header["new_connection"], answer.header["tls_ns"] > 0) for answer in answers]
    assert times == [(1, True), (0, False), (0, False)]


BAD = [
    ("expired", "certificate has expired", "renew it"),
    ("other", "no alternative certificate subject name", "--resolve"),
    ("self", "self-signed certificate", "--cacert"),
]


@pytest.mark.parametrize(("shown", "words", "_remedy"), BAD)
def test_a_certificate_that_is_not_good_fails_with_the_class_tls(
    simulator: RunningSimulator, pairs: dict[str, Pair], shown: str, words: str, _remedy: str
) -> None:
    with relay(simulator.port, server_context(pairs[shown])) as secure:
        answers = through(f"https://localhost:{secure.port}", cacert=pairs["authority"].certificate)
    assert {answer.error_class for answer in answers} == {"tls"}
    assert words in answers[0].error


@pytest.mark.parametrize(("shown", "words", "remedy"), BAD)
def test_a_certificate_that_is_not_good_is_explained_before_the_run(
    simulator: RunningSimulator, pairs: dict[str, Pair], tmp_path: Path, shown: str, words: str, remedy: str
) -> None:
    with relay(simulator.port, server_context(pairs[shown])) as secure:
        said = refusal(tmp_path, f"https://localhost:{secure.port}", cacert=pairs["authority"].certificate)
    assert words in said
    assert remedy in said


def test_verification_is_on_unless_it_is_switched_off(simulator: RunningSimulator, pairs: dict[str, Pair]) -> None:
    with relay(simulator.port, server_context(pairs["good"])) as secure:
        url = f"https://localhost:{secure.port}"
        assert {answer.error_class for answer in through(url)} == {"tls"}
        assert {answer.error_class for answer in through(url, insecure=True)} == {"ok"}


def test_insecure_is_said_before_the_run_and_in_its_report(
    simulator: RunningSimulator, pairs: dict[str, Pair], tmp_path: Path
) -> None:
    with relay(simulator.port, server_context(pairs["expired"])) as secure:
        url = f"https://localhost:{secure.port}"
        done = run_command("stress", "--url", url, "--insecure", "--requests", 2, "--out", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    assert "Warning: --insecure" in done.stderr
    assert "not verified" in " ".join((tmp_path / "run" / "report.txt").read_text().split())


def test_a_service_that_wants_a_certificate_gets_the_one_that_is_given(
    simulator: RunningSimulator, pairs: dict[str, Pair], tmp_path: Path
) -> None:
    trusted, shown = pairs["authority"].certificate, pairs["client"]
    with relay(simulator.port, server_context(pairs["good"], pairs["authority"])) as secure:
        url = f"https://localhost:{secure.port}"
        answers = through(url, cacert=trusted, cert=shown.certificate, key=shown.key)
        assert {answer.error_class for answer in answers} == {"ok"}
        assert "give one with --cert and --key" in refusal(tmp_path, url, cacert=trusted)


def test_a_key_that_belongs_to_another_certificate_is_named(
    simulator: RunningSimulator, pairs: dict[str, Pair], tmp_path: Path
) -> None:
    with relay(simulator.port, server_context(pairs["good"], pairs["authority"])) as secure:
        files = {"cert": pairs["client"].certificate, "key": pairs["good"].key}
        said = refusal(tmp_path, f"https://localhost:{secure.port}", cacert=pairs["authority"].certificate, **files)
    assert "--cert and --key belong together" in said


def test_https_to_a_port_without_tls_is_explained(proxy: str, tmp_path: Path) -> None:
    assert "else write http://" in refusal(tmp_path, f"https://{proxy}")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"cacert": Path("nowhere.pem")}, "--cacert nowhere.pem is no file"),
        ({"cert": Path("nowhere.pem")}, "--cert nowhere.pem is no file"),
        ({"key": Path(__file__)}, "give that with --cert"),
        ({"unix_socket": Path("nowhere.sock")}, "--unix-socket nowhere.sock is no socket"),
        ({"http": "2"}, "--http 2 needs TLS"),
        ({"http": "3"}, "--http 3"),
        ({"proxy": "ftp://h"}, "--proxy 'ftp://h' is no proxy"),
    ],
)
def test_what_cannot_work_is_refused_at_once(given: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError) as error:
        transport(StressOptions(**given), ["http://127.0.0.1:1"], {}, "perfcore-test")
    assert words in str(error.value)


def test_a_version_of_http_that_libcurl_lacks_is_named() -> None:
    with pytest.raises(UserError, match=r"--http 3: libcurl/\S+ of this pycurl lacks it"):
        check_http("3", ["https://h"], features=1)


def test_a_service_without_http_2_is_told_from_one_that_is_not_there(
    simulator: RunningSimulator, tmp_path: Path
) -> None:
    assert "HTTP/2" in refusal(tmp_path, simulator.url, http="2-prior-knowledge")


# ---- where connections go


def test_a_unix_socket_is_connected_to(simulator: RunningSimulator, tmp_path: Path) -> None:
    path = tmp_path / "s"
    with relay(simulator.port, path=path):
        done = run_command("stress", "--unix-socket", path, "--requests", 3, "--out", tmp_path / "run", "--json")
    assert done.returncode == 0, done.stderr
    assert "simulator" not in done.stderr


def test_a_host_that_nobody_knows_is_looked_up_where_the_user_says(simulator: RunningSimulator, tmp_path: Path) -> None:
    given = (f"model.example:{simulator.port}:127.0.0.1",)
    done = measure(tmp_path / "run", f"http://model.example:{simulator.port}", resolve=given, **FEW)
    assert done.metrics["requests"]["ok"] == 6


def test_an_ipv6_literal_is_an_address() -> None:
    if not socket.has_ipv6:
        pytest.skip("there is no IPv6 here")
    with start_simulator(SimulatorSettings(host="::1", ttft_base_ms=1, itl_ms=0)) as running:
        assert running.url.startswith("http://[::1]:")
        assert {answer.error_class for answer in through(running.url)} == {"ok"}


# ---- proxies


class Proxying(http.server.BaseHTTPRequestHandler):
    """A proxy that answers by itself, and keeps what it was asked for."""

    asked: list[str] = []  # noqa: RUF012
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.asked.append(self.path)
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Content-Length", str(len(ANSWER)))
        self.end_headers()
        self.wfile.write(ANSWER)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@pytest.fixture
def proxy() -> Iterator[str]:
    Proxying.asked.clear()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxying)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_proxy_that_is_given_gets_the_requests_even_to_a_host_that_it_alone_knows(proxy: str) -> None:
    answers = through("http://model.invalid", proxy=proxy)
    assert {answer.error_class for answer in answers} == {"ok"}
    assert set(Proxying.asked) == {"http://model.invalid/v1/chat/completions"}


def test_tls_goes_through_a_proxy_as_a_tunnel(simulator: RunningSimulator, pairs: dict[str, Pair]) -> None:
    with relay(simulator.port, server_context(pairs["good"])) as secure, relay(None) as tunnel:
        given = {"cacert": pairs["authority"].certificate, "proxy": f"http://127.0.0.1:{tunnel.port}"}
        answers = through(f"https://localhost:{secure.port}", **given)
        assert tunnel.asked == [f"CONNECT localhost:{secure.port} HTTP/1.1"]
    assert {answer.error_class for answer in answers} == {"ok"}
    # The head with which the proxy opens the tunnel comes before TLS and is no first byte.
    assert answers[0].header["first_byte_ns"] - answers[0].header["sent_ns"] >= answers[0].header["tls_ns"] > 0


def test_what_a_proxy_refuses_is_not_taken_for_an_answer(simulator: RunningSimulator, tmp_path: Path) -> None:
    given = {"proxy": f"http://127.0.0.1:{simulator.port}", "insecure": True}
    (answer, *_) = through("https://model.invalid", **given)
    assert (answer.status, answer.error) == (0, "CONNECT tunnel failed, response 404")
    assert "check --proxy" in refusal(tmp_path, "https://model.invalid", **given)


def test_a_proxy_of_the_environment_is_not_asked_for_without_need(
    simulator: RunningSimulator, proxy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "all_proxy"):
        monkeypatch.setenv(name, f"http://{proxy}")
    monkeypatch.delenv("no_proxy", raising=False)
    for given in (None, "env"):
        done = measure(tmp_path / str(given), simulator.url, proxy=given, **FEW)
        assert done.metrics["requests"]["ok"] == 6
    assert Proxying.asked == []


# ---- several services


def test_requests_are_dealt_out_over_all_urls_in_turn(tmp_path: Path) -> None:
    with start_simulator(QUICK) as first, start_simulator(QUICK) as second:
        done = measure(tmp_path / "run", (first.url, second.url), **FEW)
    assert [(entry["url"], entry["requests"], entry["ok"]) for entry in done.metrics["targets"]] == [
        (f"{first.url}/v1/chat/completions", 3, 3),
        (f"{second.url}/v1/chat/completions", 3, 3),
    ]


def test_a_url_that_does_not_answer_is_named_before_the_run(simulator: RunningSimulator, tmp_path: Path) -> None:
    arguments = ["--url", simulator.url, "--url", "http://127.0.0.1:9", "--out", tmp_path / "run"]
    done = run_command("stress", *arguments)
    assert done.returncode == 2
    assert "127.0.0.1:9" in done.stderr.splitlines()[-1]


# ---- connections and time


def test_each_request_opens_a_connection_of_its_own_if_asked_to(simulator: RunningSimulator) -> None:
    assert [answer.header["new_connection"] for answer in through(simulator.url)] == [1, 0, 0]
    assert [answer.header["new_connection"] for answer in through(simulator.url, connections="new")] == [1, 1, 1]


def test_a_connection_that_does_not_come_about_is_a_connect_timeout() -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        port = listening.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):  # fills the queue, so that the kernel drops what follows
            (answer, *_) = through(f"http://127.0.0.1:{port}", connect_timeout_s=0.2)
    assert answer.error_class == "connect_timeout"


def test_silence_before_the_first_byte_and_after_it_have_limits_of_their_own(tmp_path: Path) -> None:
    for number, (given, found) in enumerate(
        [({"first_byte_timeout_s": 0.1}, "first_byte_timeout"), ({"idle_timeout_s": 0.1}, "idle_timeout")]
    ):
        with start_simulator(SimulatorSettings(ttft_base_ms=1000, head_early="idle" in found)) as running:
            done = measure(
                tmp_path / str(number), running.url, check=False, **{**FEW, "model": "m", "requests": 2}, **given
            )
        assert done.metrics["errors"] == {found: 2}


@pytest.mark.parametrize("given", ["1.1", 1.1, "2", 2, "2-prior-knowledge"])
def test_a_version_of_http_may_be_a_number_in_a_file(given: object) -> None:
    assert OPTIONS["http"].check(given) == str(given)


@pytest.mark.parametrize("line", ["a:443", "a:b:127.0.0.1", ":443:127.0.0.1", "a:443:b", "a:443:127.0.0.1.5"])
def test_an_address_to_take_has_three_parts(line: str) -> None:
    assert OPTIONS["resolve"].check(["a:443:[::1]", "a:443:127.0.0.1"]) == ("a:443:[::1]", "a:443:127.0.0.1")
    with pytest.raises(ValueError, match="HOST:PORT:ADDRESS"):
        OPTIONS["resolve"].check([line])


# ---- ports


def test_more_connections_than_local_ports_are_refused() -> None:
    with pytest.raises(UserError, match=r"needs 101 connections .*ip_local_port_range 1 100 allows 100"):
        ports.check_ports(101, ["http://a"], (1, 100))


@pytest.mark.parametrize("urls", [["http://a", "http://b"], ["http://a:1", "http://a:2"], ["http://a", "https://a"]])
def test_ports_are_counted_for_each_place_that_is_connected_to(urls: list[str]) -> None:
    ports.check_ports(200, urls, (1, 100))


def test_a_place_that_is_named_twice_has_its_ports_once() -> None:
    with pytest.raises(UserError, match="needs 101"):
        ports.check_ports(101, ["http://a/v1", "http://a:80/v2"], (1, 100))


def test_ports_that_are_used_up_by_new_connections_are_warned_of() -> None:
    assert ports.new_connections_warning(10, 5, ["http://a"], (1, 100)) is None
    assert "600 local ports" in (ports.new_connections_warning(10, 1e9, ["http://a"], (1, 100)) or "")
