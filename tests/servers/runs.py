"""`perfcore stress` as a user runs it, and the run folder that it leaves."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from tests.servers.process import end, start

RUN_TIMEOUT_S = 400.0


@dataclass(frozen=True)
class Run:
    """A finished run; rows of the data set are keys of `outputs` and `requests`, request_ids those of `events`.

    `attempts` are all that were made, `requests` the last ones.
    """

    metrics: dict[str, Any]
    outputs: dict[int, dict[str, Any]]
    requests: dict[int, dict[str, Any]]
    attempts: list[dict[str, Any]]
    events: dict[int, list[dict[str, Any]]]


def perfcore(arguments: Sequence[str], log: Path) -> tuple[int, str]:
    """Exit code of a perfcore command, and what it printed."""
    environment = {name: "" for name in os.environ if name.startswith("PERFCORE_")}
    with log.open("wb") as said:
        process = start([sys.executable, "-m", "perfcore", *arguments], said.fileno(), environment)
    try:
        code = process.wait(RUN_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        code = -1
    finally:
        end(process)
    return code, log.read_text(errors="replace")


def stress(url: str | None, dataset: Path, folder: Path, *more: str) -> Run:
    """One pass over a data set at concurrency 4, which has to end well; its run folder is `folder`."""
    where = [] if url is None else ["--url", url]
    arguments = ["stress", *where, "--dataset", str(dataset), "--concurrency", "4", "--out", str(folder), *more]
    code, said = perfcore(arguments, folder.with_name(f"{folder.name}.txt"))
    assert code == 0, said
    return read_run(folder)


def read_run(folder: Path) -> Run:
    outputs = [json.loads(line) for line in (folder / "outputs.jsonl").read_text().splitlines()]
    attempts = sorted(pq.read_table(folder / "requests.parquet").to_pylist(), key=lambda row: int(row["attempt"]))
    events: dict[int, list[dict[str, Any]]] = {}
    for event in pq.read_table(folder / "events.parquet").to_pylist():
        events.setdefault(event["request_id"], []).append(event)
    assert len(outputs) == len({request["request_id"] for request in attempts})
    return Run(
        metrics=json.loads((folder / "metrics.json").read_text()),
        outputs={output["index"]: output for output in outputs},
        requests={request["index"]: request for request in attempts},
        attempts=attempts,
        events=events,
    )
