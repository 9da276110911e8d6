"""A real nginx in front of the simulator: TLS, mTLS, HTTP/2 with and without multiplexing, a Unix socket, a proxy."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from perfcore.errors import UserError
from tests.certificates import Pair, authority, signed
from tests.endtoend import Finished, SimulatorSettings, measure, start_simulator
from tests.servers.installation import CACHE
from tests.servers.process import end, free_port, start

pytestmark = [pytest.mark.servers, pytest.mark.timeout(300)]

WAIT_S = 20.0
DOWNLOAD_S = 120
WORDS = 40
ANSWER = " ".join(f"wörd-{number}" for number in range(WORDS))
LOAD: dict[str, Any] = {"prompt": ("hi",), "requests": 48, "concurrency": 8, "max_tokens": WORDS}
HTTP = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
events {{ worker_connections 1024; }}
http {{
    log_format seen '$server_port|$server_protocol|$connection|$ssl_client_verify|$request_uri';
    access_log {folder}/access.txt seen;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    keepalive_requests 100000;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_buffering off;
    upstream simulator {{ server 127.0.0.1:{backend}; keepalive 64; }}
    ssl_certificate {good.certificate};
    ssl_certificate_key {good.key};
    server {{
        listen 127.0.0.1:{tls} ssl http2;
        listen [::1]:{tls} ssl http2;
        location / {{ proxy_pass http://simulator; }}
    }}
    server {{
        listen 127.0.0.1:{mutual} ssl;
        ssl_client_certificate {authority.certificate};
        ssl_verify_client on;
        location / {{ proxy_pass http://simulator; }}
    }}
    server {{
        listen 127.0.0.1:{plain} http2;
        listen unix:{folder}/socket;
        location / {{ proxy_pass http://simulator; }}
    }}
    server {{
        listen 127.0.0.1:{proxy};
        location / {{ proxy_pass http://$http_host$request_uri; }}
    }}
}}
"""


@dataclass(frozen=True)
class Nginx:
    """A running nginx: its ports by name, its certificates, and the simulator behind it."""

    folder: Path
    ports: dict[str, int]
    pairs: dict[str, Pair]
    simulator: str

    @property
    def trusted(self) -> Path:
        return self.pairs["authority"].certificate

    def seen(self) -> list[list[str]]:
        """Port, version of HTTP, connection, verification of the client, and path of each measured request since."""
        log = self.folder / "access.txt"
        lines = [line.split("|") for line in log.read_text().splitlines()]
        log.write_text("")
        return [line for line in lines if line[4].endswith("/chat/completions")]


def program() -> str:
    """nginx of this machine, or Debian's, unpacked beside the other servers; skips the test where there is neither."""
    unpacked = CACHE / "nginx" / "usr" / "sbin" / "nginx"
    found = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin") or shutil.which(str(unpacked))
    if found:
        return found
    if not shutil.which("apt-get"):
        pytest.skip("nginx is not installed here, and there is no apt-get to have it from")
    folder = CACHE / "nginx"
    folder.mkdir(parents=True, exist_ok=True)
    step = "apt-get download nginx && dpkg-deb -x nginx_*.deb . && usr/sbin/nginx -v"
    done = subprocess.run(
        ["sh", "-c", step], cwd=folder, capture_output=True, text=True, timeout=DOWNLOAD_S, check=False
    )
    if done.returncode:
        shutil.rmtree(folder)
        pytest.skip(f"nginx is not installed here (apt-get install nginx-light), nor to be had: {done.stderr[-300:]}")
    return str(unpacked)


@pytest.fixture(scope="module")
def nginx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    binary, folder = program(), tmp_path_factory.mktemp("nginx")
    ours = authority(folder)
    pairs = {"authority": ours, "good": signed(ours, "good"), "client": signed(ours, "client")}
    ports = {name: free_port() for name in ("tls", "mutual", "plain", "proxy")}
    script = folder / "script.jsonl"
    script.write_text(json.dumps({"prompt": "hi", "answer": ANSWER}) + "\n")
    with start_simulator(SimulatorSettings(ttft_base_ms=30, itl_ms=2, script=str(script))) as simulator:
        text = HTTP.format(folder=folder, backend=simulator.port, good=pairs["good"], authority=ours, **ports)
        (folder / "nginx.conf").write_text(text)
        with running([binary, "-p", str(folder), "-c", "nginx.conf", "-e", "error.txt"], ports["tls"], folder):
            yield Nginx(folder, ports, pairs, simulator.url)


@contextlib.contextmanager
def running(command: list[str], port: int, folder: Path) -> Iterator[None]:
    """The server from when it listens; runs as this user, root's files stay readable to it."""
    user = ["-g", "user root;"] if os.geteuid() == 0 else []
    with (folder / "said.txt").open("wb") as said:
        process = start([*command, *user], said.fileno(), {})
    try:
        deadline = time.monotonic() + WAIT_S
        while not listens(port):
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail((folder / "said.txt").read_text()[-2000:], pytrace=False)
            time.sleep(0.05)
        yield
    finally:
        end(process)


def listens(port: int) -> bool:
    with socket.socket() as trying:
        return trying.connect_ex(("127.0.0.1", port)) == 0


def check_answers(done: Finished) -> None:
    """All succeeded, with the text that the simulator was told to say."""
    assert (done.exit_code, done.metrics["requests"]["failed"]) == (0, 0)
    assert {line["prediction"] for line in done.outputs()} == {ANSWER}


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
def test_https_is_measured_with_the_authority_that_is_given(nginx: Nginx, tmp_path: Path, host: str) -> None:
    done = measure(tmp_path / "run", f"https://{host}:{nginx.ports['tls']}", cacert=nginx.trusted, **LOAD)
    rows = done.requests()
    check_answers(done)
    assert all((tls > 0) == new for tls, new in zip(rows["tls_ns"], rows["new_connection"], strict=True))
    assert done.metrics["connections"]["opened"] <= 8
    assert {line[1] for line in nginx.seen()} == {"HTTP/1.1"}


@pytest.mark.parametrize("given", [{"http": "2"}, {"http": "2-prior-knowledge"}])
def test_http_2_sends_all_requests_over_one_connection(nginx: Nginx, tmp_path: Path, given: dict[str, Any]) -> None:
    nginx.seen()
    done = measure(tmp_path / "run", http_2_url(nginx, given), cacert=nginx.trusted, **given, **LOAD)
    check_answers(done)
    seen = nginx.seen()[1:]  # less the trial
    assert {line[1] for line in seen} == {"HTTP/2.0"}
    assert len({line[2] for line in seen}) == 1
    assert done.metrics["concurrency"]["max"] == 8


@pytest.mark.parametrize("given", [{"http": "2"}, {"http": "2-prior-knowledge"}])
def test_http_2_without_multiplexing_has_a_connection_for_each_client(
    nginx: Nginx, tmp_path: Path, given: dict[str, Any]
) -> None:
    nginx.seen()
    url = http_2_url(nginx, given)
    done = measure(tmp_path / "run", url, cacert=nginx.trusted, multiplex=False, **given, **LOAD)
    check_answers(done)
    seen = nginx.seen()[1:]
    assert {line[1] for line in seen} == {"HTTP/2.0"}
    assert len({line[2] for line in seen}) == 8


def http_2_url(nginx: Nginx, given: dict[str, Any]) -> str:
    secure = given["http"] == "2"
    return f"https://localhost:{nginx.ports['tls']}" if secure else f"http://localhost:{nginx.ports['plain']}"


def test_more_requests_than_streams_of_a_connection_open_another(nginx: Nginx, tmp_path: Path) -> None:
    load = {**LOAD, "concurrency": 150, "requests": 300}
    done = measure(tmp_path / "run", f"https://localhost:{nginx.ports['tls']}", cacert=nginx.trusted, http="2", **load)
    check_answers(done)
    assert 2 <= len({line[2] for line in nginx.seen()[1:]}) <= 4


def test_a_unix_socket_needs_no_port(nginx: Nginx, tmp_path: Path) -> None:
    nginx.seen()
    done = measure(tmp_path / "run", "http://localhost", unix_socket=nginx.folder / "socket", **LOAD)
    check_answers(done)
    assert {line[0] for line in nginx.seen()} == {""}


def test_a_proxy_is_used_and_the_report_says_so(nginx: Nginx, tmp_path: Path) -> None:
    nginx.seen()
    proxy = f"http://127.0.0.1:{nginx.ports['proxy']}"
    done = measure(tmp_path / "run", nginx.simulator, proxy=proxy, **LOAD)
    check_answers(done)
    assert {line[0] for line in nginx.seen()} == {str(nginx.ports["proxy"])}
    assert any(proxy in reason["what"] for reason in done.metrics["validity"]["reasons"])


def test_a_certificate_is_shown_where_the_service_asks_for_one(nginx: Nginx, tmp_path: Path) -> None:
    nginx.seen()
    url, client = f"https://localhost:{nginx.ports['mutual']}", nginx.pairs["client"]
    done = measure(tmp_path / "run", url, cacert=nginx.trusted, cert=client.certificate, key=client.key, **LOAD)
    check_answers(done)
    assert {line[3] for line in nginx.seen()} == {"SUCCESS"}


def test_a_missing_certificate_is_named_before_the_run(nginx: Nginx, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--cert and --key"):
        measure(tmp_path / "run", f"https://localhost:{nginx.ports['mutual']}", cacert=nginx.trusted, **LOAD)


def test_http_2_over_a_server_that_has_only_1_1_is_refused(nginx: Nginx, tmp_path: Path) -> None:
    client = nginx.pairs["client"]
    shown = {"cert": client.certificate, "key": client.key, "cacert": nginx.trusted}
    with pytest.raises(UserError, match=r"asked for HTTP/2 and answered in HTTP/1\.1"):
        measure(tmp_path / "run", f"https://localhost:{nginx.ports['mutual']}", http="2", **shown, **LOAD)
