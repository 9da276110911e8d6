"""Mistakes that a user makes about the service: one sentence, exit code 2, nothing left behind."""

import http.server
import json
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from perfcore.run.simulator import RunningSimulator
from tests.endtoend import QUICK, SimulatorSettings, command, run_command, start_simulator, write_dataset


class WebPage(http.server.BaseHTTPRequestHandler):
    """A proxy that answers everything with a page."""

    def do_GET(self) -> None:
        body = b"<html><body>Sign in</body></html>"
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@pytest.fixture(scope="module")
def simulator() -> Iterator[RunningSimulator]:
    with start_simulator(SimulatorSettings(strict_model=True, ttft_base_ms=1, itl_ms=0)) as running:
        yield running


@pytest.fixture
def web_page() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), WebPage)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def refused(folder: Path, *arguments: object) -> str:
    """What the command says, which is one line, and that it leaves no folder."""
    done = run_command("stress", "--out", folder, "--requests", "2", *arguments)
    lines = done.stderr.strip().splitlines()
    assert done.returncode == 2, done.stderr
    assert not folder.exists() or not any(folder.iterdir())
    assert "Traceback" not in done.stderr
    assert lines[-1].startswith("perfcore: ")
    return lines[-1]


def test_a_wrong_port_is_named(tmp_path: Path) -> None:
    said = refused(tmp_path / "run", "--url", "http://127.0.0.1:9")
    assert "http://127.0.0.1:9" in said
    assert "running" in said


def test_a_host_that_does_not_exist_is_named(tmp_path: Path) -> None:
    assert "host name" in refused(tmp_path / "run", "--url", "http://no-such-host.invalid:8000")


def test_a_wrong_path_is_named(tmp_path: Path, simulator: RunningSimulator) -> None:
    said = refused(tmp_path / "run", "--url", f"{simulator.url}/api", "--model", "simulated")
    assert "404" in said
    assert "/api" in said


def test_a_web_page_is_recognised(tmp_path: Path, web_page: str) -> None:
    assert "web page" in refused(tmp_path / "run", "--url", web_page, "--model", "m")


def test_an_unknown_model_is_told_the_nearest_one(tmp_path: Path, simulator: RunningSimulator) -> None:
    said = refused(tmp_path / "run", "--url", simulator.url, "--model", "simulatd")
    assert "'simulatd'" in said
    assert "'simulated'" in said


def test_a_line_that_is_not_json_is_named(tmp_path: Path, simulator: RunningSimulator) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"prompt": "a"}\n{"prompt": \n')
    said = refused(tmp_path / "run", "--url", simulator.url, "--dataset", rows)
    assert "rows.jsonl" in said
    assert "line 2" in said


def test_an_empty_data_set_is_named(tmp_path: Path, simulator: RunningSimulator) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text("")
    assert "rows.jsonl" in refused(tmp_path / "run", "--url", simulator.url, "--dataset", rows)


def test_a_folder_that_is_not_empty_is_left_alone(tmp_path: Path, simulator: RunningSimulator) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "mine.txt").write_text("keep")
    done = run_command("stress", "--url", simulator.url, "--out", tmp_path / "run", "--requests", "2")
    assert done.returncode == 2
    assert "not empty" in done.stderr
    assert (tmp_path / "run" / "mine.txt").read_text() == "keep"


def test_more_clients_than_local_ports_are_refused_before_the_first_request(
    tmp_path: Path, simulator: RunningSimulator
) -> None:
    assert "ip_local_port_range" in refused(tmp_path / "run", "--url", simulator.url, "--concurrency", "900000")


def test_more_clients_than_open_files_are_refused_before_the_first_request(
    tmp_path: Path, simulator: RunningSimulator
) -> None:
    load = ["--url", simulator.url, "--out", tmp_path / "run", "--concurrency", "4000", "--workers", "1"]
    limited = ["sh", "-c", 'ulimit -n 300 && exec "$@"', "sh", *command("stress", *load)]
    done = subprocess.run(limited, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 2
    assert "open files" in done.stderr.splitlines()[-1]
    assert "ulimit" in done.stderr.splitlines()[-1]


def test_a_key_reaches_the_service_and_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    class Guarded(WebPage):
        def do_GET(self) -> None:
            seen.append(self.headers["Authorization"])
            body = json.dumps({"data": [{"id": "m"}]}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Guarded)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("MY_KEY", "sk-secret-123")
    url = f"http://127.0.0.1:{server.server_port}"
    done = run_command(
        "stress",
        "--url",
        url,
        "--api-key-env",
        "MY_KEY",
        "--out",
        tmp_path / "run",
        "--requests",
        "3",
        "--concurrency",
        "1",
    )
    server.shutdown()
    thread.join()
    server.server_close()
    assert len(seen) == 6  # the list of models, the trial, the metrics, three requests
    assert set(seen) == {"Bearer sk-secret-123"}
    written = b"".join(path.read_bytes() for path in (tmp_path / "run").iterdir())
    assert b"sk-secret-123" not in written
    assert "sk-secret-123" not in done.stdout + done.stderr


def test_the_simulator_is_started_where_no_url_is_given(tmp_path: Path) -> None:
    done = run_command("stress", "--out", tmp_path / "run", "--requests", "4", "--max-tokens", "3")
    assert done.returncode == 0, done.stderr
    assert "simulator" in done.stderr
    assert "TTFT" in done.stdout


def test_rows_may_bring_their_own_limits(tmp_path: Path) -> None:
    rows = write_dataset(tmp_path / "rows.jsonl", ["a"], max_tokens=7)
    with start_simulator(QUICK) as running:
        done = run_command("stress", "--url", running.url, "--dataset", rows, "--out", tmp_path / "run", "--json")
    assert json.loads(done.stdout)["tokens"]["output"] == 7
