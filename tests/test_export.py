"""`perfcore export`: a run in the forms of other tools, read by what reads those."""

import base64
import csv
import io
import json
import os
import pickle
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from perfcore.cli.export import command
from perfcore.errors import UserError
from perfcore.report import explain, sinks
from perfcore.report.export import FORMATS, export
from perfcore.report.export_openmetrics import exposition
from perfcore.report.export_tables import flat, unit
from perfcore.report.view import metrics
from tests.exported import SECRET_ANSWER, SECRET_ERROR, SECRET_PROMPT, made_run


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_run(tmp_path_factory.mktemp("exported"))


def invoked(*words: str | Path) -> Any:
    return CliRunner().invoke(command, [str(word) for word in words])


def told(folder: Path, tool: str) -> dict[str, Any]:
    """What `perfcore explain` says that a tool would have reported."""
    return {line["name"]: line["value"] for line in explain.as_json(folder, tool)["lines"]}


# ---- tables


def table(folder: Path, out: Path, **more: Any) -> list[dict[str, Any]]:
    export(folder, "parquet", out, **more)
    rows: list[dict[str, Any]] = pq.read_table(out / "requests.parquet").to_pylist()
    return sorted(rows, key=lambda row: (row["request_id"], row["turn"], row["attempt"]))


def test_a_row_has_latencies_in_ms_and_says_whether_it_is_the_last_attempt(folder: Path, tmp_path: Path) -> None:
    rows = table(folder, tmp_path)
    assert [(row["request_id"], row["attempt"], row["turn"], row["last"]) for row in rows] == [
        (0, 0, 0, True), (1, 0, 0, False), (1, 1, 0, True), (2, 0, 0, True), (2, 0, 1, True), (3, 0, 0, True),
    ]  # fmt: skip
    tried = rows[2]
    assert (tried["ttft_ms"], tried["slip_ms"]) == (100, 2)
    assert tried["ttft_from_intended_ms"] == 152  # due at 10, its second attempt sent at 62, first token at 162 ms
    assert (rows[0]["tpot_ms"], rows[0]["itl_mean_ms"]) == (20.5, 20)  # (141 - 100) / 2: finish 1 ms after the text


def test_what_is_not_known_is_empty_and_never_nan(folder: Path, tmp_path: Path) -> None:
    rows = table(folder, tmp_path)
    assert rows[3]["tpot_ms"] is None and rows[3]["itl_mean_ms"] is None  # one token
    assert all(value == value for row in rows for value in row.values())


def test_csv_has_the_same_rows_as_parquet(folder: Path, tmp_path: Path) -> None:
    export(folder, "csv", tmp_path)
    found = list(csv.DictReader(io.StringIO((tmp_path / "requests.csv").read_text())))
    assert sorted(row["ttft_ms"] for row in found) == sorted(
        "" if row["ttft_ms"] is None else f"{row['ttft_ms']:g}" for row in table(folder, tmp_path)
    )
    numbers = {row["key"]: row for row in csv.DictReader(io.StringIO((tmp_path / "metrics.csv").read_text()))}
    assert float(numbers["latency.ttft_ms.mean"]["value"]) == metrics(folder)["latency"]["ttft_ms"]["mean"]
    assert numbers["latency.ttft_ms.mean"]["unit"] == "ms"


def test_json_is_one_object_with_numbers_and_rows(folder: Path, tmp_path: Path) -> None:
    (file,) = export(folder, "json", tmp_path / "deep" / "one.json")
    found = json.loads(file.read_text())
    assert found["metrics"]["requests.ok"] == 4 and len(found["requests"]) == 6


def test_numbers_are_flat_by_their_key() -> None:
    tree = {"a": {"b": 1, "c": None, "d": "word", "e": True}, "f": [2.5], "ci95": {"x": [1, 2]}, "absent": {"y": 3}}
    assert flat(tree) == {"a.b": 1, "f.0": 2.5, "ci95.x.low": 1, "ci95.x.high": 2}
    assert (unit("latency.tpot_ms.p99"), unit("latency.tpot_ms.n"), unit("requests.ok")) == ("ms", "", "requests")


# ---- what is in the files, and what is not


def content(file: Path) -> str:
    """All that a file says, Parquet unpacked."""
    if file.suffix == ".parquet":
        return str(pq.read_table(file).to_pylist())
    return file.read_bytes().decode("latin-1")


@pytest.mark.parametrize("form", FORMATS)
def test_no_file_has_texts_unasked(folder: Path, tmp_path: Path, form: str) -> None:
    said = "".join(content(file) for file in export(folder, form, tmp_path / "out"))
    assert not [word for word in ("lighthouse", "papaya", "quagmire") if word in said]


def test_no_text_hides_in_a_pickle(folder: Path, tmp_path: Path) -> None:
    export(folder, "evalscope", tmp_path)
    with sqlite3.connect(tmp_path / "benchmark_data.db") as store:
        kept = {row[0] for row in store.execute("SELECT response_messages FROM result")}
    store.close()
    assert [pickle.loads(base64.b64decode(one)) for one in kept] == [[]]


@pytest.mark.parametrize("form", [form for form in FORMATS if form not in ("openmetrics", "evalscope")])
def test_files_have_texts_on_demand(folder: Path, tmp_path: Path, form: str) -> None:
    said = "".join(content(file) for file in export(folder, form, tmp_path / "out", with_texts=True))
    assert "papaya" in said and "quagmire" in said


def test_texts_come_along_where_they_are_asked_for(folder: Path, tmp_path: Path) -> None:
    rows = table(folder, tmp_path, with_texts=True)
    assert (rows[0]["prompt"], rows[0]["prediction"]) == (SECRET_PROMPT, SECRET_ANSWER)
    assert rows[-1]["error"] == SECRET_ERROR
    assert rows[1]["prediction"] is None  # of a request that was tried again only the last attempt
    export(folder, "vllm", tmp_path / "vllm.json", with_texts=True)
    assert SECRET_ANSWER in json.loads((tmp_path / "vllm.json").read_text())["generated_texts"]


# ---- forms of other tools


def test_vllms_file_has_the_numbers_that_explain_gives(folder: Path, tmp_path: Path) -> None:
    (file,) = export(folder, "vllm", tmp_path / "vllm.json")
    found, known = json.loads(file.read_text()), told(folder, "vllm")
    assert (found["mean_ttft_ms"], found["p99_itl_ms"]) == (known["Mean TTFT"], known["P99 ITL"])
    assert (found["completed"], found["failed"], found["request_rate"], found["max_concurrency"]) == (4, 1, "inf", 2)
    assert found["generated_texts"] == [""] * 5
    assert (found["ttfts"][0], found["output_lens"]) == (0.1, [3, 2, 1, 4, 0])
    assert found["itls"][0] == pytest.approx([0.02, 0.02])


def test_aisbenchs_table_has_units_in_its_cells(folder: Path, tmp_path: Path) -> None:
    export(folder, "aisbench", tmp_path)
    rows = list(csv.DictReader((tmp_path / "org-tiny-model" / "gsm8k.csv").read_text().splitlines()))
    assert list(rows[0]) == [
        "Performance Parameters", "Stage", "Average", "Min", "Max", "Median", "P75", "P90", "P99", "N",
    ]  # fmt: skip
    assert [row["Performance Parameters"] for row in rows] == [
        "E2EL", "TTFT", "TPOT", "ITL", "InputTokens", "OutputTokens", "OutputTokenThroughput", "PrefillTokenThroughput",
    ]  # fmt: skip
    assert (rows[1]["Average"], rows[1]["N"], rows[2]["Min"], rows[2]["N"]) == ("10.0 ms", "4", "0.0 ms", "3")
    summary = json.loads((tmp_path / "org-tiny-model" / "gsm8k.json").read_text())
    assert summary["Benchmark Duration"]["total"].endswith(" ms") and summary["Success Requests"] == {"total": 4}


def test_aisbenchs_details_refer_to_time_points_in_the_database(folder: Path, tmp_path: Path) -> None:
    export(folder, "aisbench", tmp_path)
    inner = tmp_path / "org-tiny-model"
    rows = [json.loads(line) for line in (inner / "gsm8k_details.jsonl").read_text().splitlines()]
    assert [(row["success"], row["error_info"]) for row in rows] == [(True, "")] * 4 + [(False, "reset")]
    with sqlite3.connect(inner / "db_data" / rows[0]["db_name"]) as store:
        ((blob,),) = store.execute(
            "SELECT arr_blob FROM numpy_store WHERE id = ?", [rows[0]["time_points"]["__db_ref__"]]
        )
    store.close()
    points = np.load(io.BytesIO(blob), allow_pickle=False)
    assert points == pytest.approx([0.002, 0.012, 0.102, 0.122, 0.142, 0.143, 0.147])  # sent, events without [DONE]


def test_evalscopes_database_has_its_table(folder: Path, tmp_path: Path) -> None:
    export(folder, "evalscope", tmp_path)
    with sqlite3.connect(tmp_path / "benchmark_data.db") as store:
        columns = [row[1] for row in store.execute("PRAGMA table_info(result)")]
        rows = list(store.execute("SELECT success, latency, first_chunk_latency, completion_tokens FROM result"))
    store.close()
    assert len(columns) == 14 and columns[0] == "request" and columns[-1] == "is_stream"
    assert rows[0] == pytest.approx((1, 0.145, 0.1, 3))
    assert rows[-1] == (0, None, None, None)


def test_evalscopes_summary_has_its_keys_and_no_sentinels(folder: Path, tmp_path: Path) -> None:
    export(folder, "evalscope", tmp_path)
    summary = json.loads((tmp_path / "benchmark_summary.json").read_text())
    assert (summary["Avg TTFT (ms)"], summary["Success Requests"], summary["Failed Requests"]) == (100.0, 4, 1)
    assert not [key for key, value in summary.items() if value == -1 and key != "Request Rate (req/s)"]
    rows = json.loads((tmp_path / "benchmark_percentile.json").read_text())
    assert [row["Percentiles"] for row in rows] == [
        "min",
        "1%",
        "5%",
        "10%",
        "25%",
        "50%",
        "75%",
        "90%",
        "95%",
        "99%",
        "max",
    ]


PEER = Path(__file__).parents[1] / ".cache" / "peers" / "evalscope" / "bin" / "python"
EVALSCOPE = """
import json, sqlite3, sys
from evalscope.perf.utils.benchmark_util import BenchmarkData, MetricsAccumulator
from evalscope.perf.utils.db_util import get_percentile_results
total = MetricsAccumulator(concurrency=2, rate=-1)
store = sqlite3.connect(sys.argv[1])
store.row_factory = sqlite3.Row
for row in store.execute("SELECT * FROM result"):
    one = BenchmarkData(start_time=row["start_time"], completed_time=row["completed_time"],
                        success=bool(row["success"]), is_stream=bool(row["is_stream"]),
                        prompt_tokens=row["prompt_tokens"], completion_tokens=row["completion_tokens"])
    if one.success:
        one.query_latency, one.first_chunk_latency = row["latency"], row["first_chunk_latency"]
        one.inter_chunk_latency = json.loads(row["inter_token_latencies"])
    total.update(one, None)
summary = total.to_result().create_message()
print(json.dumps([summary, get_percentile_results(sys.argv[1]).to_list()]))
"""


@pytest.mark.skipif(not PEER.exists(), reason="EvalScope is not there: make peers")
def test_evalscope_itself_finds_the_same_in_the_database(folder: Path, tmp_path: Path) -> None:
    export(folder, "evalscope", tmp_path)
    words = [str(PEER), "-c", EVALSCOPE, str(tmp_path / "benchmark_data.db")]
    done = subprocess.run(words, capture_output=True, text=True, check=True, cwd=tmp_path)
    summary, percentiles = json.loads(done.stdout.strip().splitlines()[-1])
    ours = json.loads((tmp_path / "benchmark_summary.json").read_text())
    # Its own number of tokens per chunk needs the chunks, which are not in its database.
    assert {name: ours[name] for name in summary if name in ours} == {
        name: value for name, value in summary.items() if name in ours
    }
    assert set(summary) - set(ours) <= {"Avg Decoded Tok/Iter", "Spec. Accept Rate"}
    assert percentiles == json.loads((tmp_path / "benchmark_percentile.json").read_text())


# ---- OpenMetrics


def parsed(text: str) -> dict[str, Any]:
    """Families by name, as Prometheus' own parser reads them."""
    return {one.name: one for one in text_string_to_metric_families(text)}  # type: ignore[no-untyped-call]


def families(folder: Path, tmp_path: Path) -> dict[str, Any]:
    (file,) = export(folder, "openmetrics", tmp_path / "metrics.txt")
    return parsed(file.read_text())


def test_the_exposition_is_read_by_prometheus_own_parser(folder: Path, tmp_path: Path) -> None:
    found = families(folder, tmp_path)
    ttft = found["perfcore_ttft_seconds"]
    assert (ttft.type, ttft.unit) == ("summary", "seconds")
    assert {sample.labels.get("quantile"): sample.value for sample in ttft.samples}["0.5"] == pytest.approx(0.1)
    assert found["perfcore_requests_ok"].samples[0].labels["model"] == "org/tiny model"
    assert found["perfcore_errors"].samples[0].labels["class"] == "reset"


def test_it_ends_in_its_mark_and_hostile_words_stay_in_their_labels() -> None:
    hostile = 'a"} 1\n# EOF\nevil{b="\\'
    text = exposition({"errors": {hostile: 1}, "requests": {"ok": 2}}, {"run": hostile}).decode()
    assert text.endswith("\n# EOF\n") and text.count("\n# EOF") == 1
    assert parsed(text)["perfcore_errors"].samples[0].labels == {"run": hostile, "class": hostile}


# ---- the command


def test_files_go_into_the_folder_of_the_run_unless_told_otherwise(tmp_path: Path) -> None:
    run = made_run(tmp_path)
    assert invoked(run, "--format", "openmetrics").output.strip() == str(run / "export" / "openmetrics" / "metrics.txt")
    out = tmp_path / "other.json"
    assert invoked(run, "--format", "vllm", "--out", out).exit_code == 0 and out.is_file()
    assert invoked(run, "--format", "vllm", "--out", out).exit_code == 0  # again: the file is replaced


def test_an_unfinished_run_is_finished_first(tmp_path: Path) -> None:
    run = made_run(tmp_path)
    (run / "metrics.json").unlink()
    assert invoked(run, "--format", "csv").exit_code == 0 and (run / "metrics.json").is_file()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "one of --format and --to"),
        (("--format", "csv", "--to", "mlflow"), "one of --format and --to"),
        (("--to", "mlflow", "--out", "x"), "--to mlflow writes none"),
        (("--format", "csv", "--out", "/proc/nothing/x"), "choose another --out"),
    ],
)
def test_mistakes_are_told_in_a_sentence(folder: Path, words: tuple[str, ...], said: str) -> None:
    error = invoked(folder, *words).exception
    assert isinstance(error, UserError) and said in str(error)


# ---- trackers


@pytest.mark.parametrize("sink", sinks.SINKS)
def test_a_tracker_that_is_not_installed_says_how_to_get_it(
    folder: Path, sink: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, sink, None)
    error = invoked(folder, "--to", sink).exception
    assert isinstance(error, UserError) and f"pip install 'perfcore[{sink}]'" in str(error)


def test_files_that_quote_a_failure_or_an_answer_stay_here_unless_asked_for(tmp_path: Path) -> None:
    run = made_run(tmp_path)
    sent, left = ({file.name for file in files} for files in sinks.artifacts(run, metrics(run), False))
    assert {"ttft.png", "timeline.png"} < sent and all(name.endswith(".png") for name in sent)
    assert left == {"metrics.json", "report.txt", "report.html"}
    assert sinks.artifacts(run, metrics(run), True)[1] == []


def test_settings_hold_no_text_of_a_prompt_and_no_address() -> None:
    described: dict[str, Any] = {
        "model": "m",
        "url": "http://u",
        "options": {"prompt": ["text"], "seed": 1, "header": ["K: v"]},
    }
    described["datasets"] = [{"name": "quiz", "settings": {"path": "/home/me/quiz.jsonl"}}, "gsm8k"]
    assert sinks.settings(described) == {"model": "m", "seed": 1, "datasets": "quiz,gsm8k"}


def sent(folder: Path, sink: str, place: Path, **environment: str) -> None:
    """`perfcore export` to a tracker that writes to this machine only."""
    words = [sys.executable, "-m", "perfcore", "export", str(folder), "--to", sink, "--project", "tests"]
    path = os.pathsep.join([str(Path(__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])])
    known = {**os.environ, "PYTHONPATH": path, **environment}
    done = subprocess.run(words, env=known, cwd=place, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_mlflow_keeps_numbers_settings_and_plots(folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("mlflow", reason="mlflow is not installed: pip install 'perfcore[mlflow]'")
    place = {"MLFLOW_TRACKING_URI": f"file://{tmp_path}/runs", "MLFLOW_ALLOW_FILE_STORE": "true"}
    sent(folder, "mlflow", tmp_path, **place)
    names = {file.name for file in (tmp_path / "runs").rglob("*")}
    assert {"latency.ttft_ms.mean", "requests.ok", "model", "ttft.png"} <= names


def test_wandb_keeps_a_run_without_a_network(folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("wandb", reason="wandb is not installed: pip install 'perfcore[wandb]'")
    sent(folder, "wandb", tmp_path, WANDB_MODE="offline", WANDB_DIR=str(tmp_path))
    (file,) = tmp_path.rglob("*.wandb")
    assert b"latency.ttft_ms.mean" in file.read_bytes()
