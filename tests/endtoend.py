"""What the end-to-end tests share: a simulator to load, `perfcore stress` run in this process or as a command."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
from click.testing import CliRunner

from perfcore.cli.main import cli, exit_code
from perfcore.errors import UserError
from perfcore.options import StressOptions
from perfcore.report.finish import finish
from perfcore.run.master import stress
from perfcore.run.simulator import TRUTH_KINDS, SimulatorSettings, read_truth, start_simulator

QUICK = SimulatorSettings(ttft_base_ms=5, itl_ms=1)


@dataclass(frozen=True)
class Finished:
    """A finished run folder, read back."""

    folder: Path
    exit_code: int
    metrics: dict[str, Any]

    def requests(self) -> dict[str, list[Any]]:
        return dict(pq.read_table(self.folder / "requests.parquet").to_pydict())

    def events(self) -> dict[str, list[Any]]:
        return dict(pq.read_table(self.folder / "events.parquet").to_pydict())

    def outputs(self) -> list[dict[str, Any]]:
        """Lines of outputs.jsonl, which come in the order of the answers' ends, in that of the requests."""
        lines = (self.folder / "outputs.jsonl").read_text().split("\n")[:-1]
        return sorted(map(json.loads, lines), key=lambda line: (line["repeat"], line["index"]))


def measure(folder: Path, url: str | tuple[str, ...], **options: Any) -> Finished:
    """`perfcore stress` in this process."""
    urls = (url,) if isinstance(url, str) else url
    if isinstance(options.get("dataset"), Path):
        options["dataset"] = (str(options["dataset"]),)
    outcome = stress(StressOptions(url=urls, out=folder, **options), lambda _: None, lambda _: None)
    return Finished(folder, outcome.exit_code, finish(folder, page=False))


def reopened(folder: Path, exit_code: int) -> Finished:
    """A run folder that another process has left behind."""
    return Finished(folder, exit_code, finish(folder, page=False))


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "perfcore", *map(str, arguments)]


def run_command(*arguments: object) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command(*arguments), capture_output=True, text=True, timeout=100, check=False)


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    exit_code: int
    stdout: str
    stderr: str


def run_here(*arguments: object) -> Done:
    """A command in this process, with exit code and messages as the command line has them."""
    done = CliRunner().invoke(cli, list(map(str, arguments)), standalone_mode=False)
    if isinstance(done.exception, UserError):
        return Done(2, done.stdout, f"{done.stderr}perfcore: {done.exception}\n")
    if done.exception is not None:
        raise done.exception
    return Done(exit_code(done.return_value), done.stdout, done.stderr)


@contextmanager
def started(*arguments: object) -> Iterator["subprocess.Popen[str]"]:
    """A running command; killed at the end if it still runs."""
    process = subprocess.Popen(command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def write_dataset(path: Path, prompts: list[str], **more: Any) -> Path:
    """JSON lines of these prompts."""
    lines = [json.dumps({"id": f"row-{at}", "prompt": prompt, **more}) for at, prompt in enumerate(prompts)]
    path.write_text("\n".join(lines) + "\n")
    return path


def truth_by_request(path: Path) -> dict[int, npt.NDArray[np.void]]:
    """The simulator's log cut by the client's number of the request."""
    truth = read_truth(path)
    return {int(number): truth[truth["client_request"] == number] for number in np.unique(truth["client_request"])}


__all__ = [
    "QUICK",
    "TRUTH_KINDS",
    "Finished",
    "SimulatorSettings",
    "measure",
    "reopened",
    "run_command",
    "run_here",
    "start_simulator",
    "started",
    "truth_by_request",
    "write_dataset",
]
