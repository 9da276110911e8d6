"""`perfcore query`: rows of run folders in SQL, and nothing but these."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from perfcore.records.reading import read_requests
from perfcore.report.query_columns import TABLES
from perfcore_ext import frame
from tests.comparing import START, answer, failure, folder, run_of
from tests.endtoend import run_here
from tests.reference.records import MS

DOCS = Path(__file__).parents[1] / "docs"
WARMUP = frame.PHASES.index("warmup")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warm-up, two answers, a failure, and one that was tried twice."""
    frames = [
        answer(0, 100, phase=WARMUP),
        answer(1, 120),
        answer(2, 1500, gap_ms=20),
        failure(3),
        failure(4, attempt=0),
        answer(4, 130, attempt=1, due_ns=START + 230 * MS, sent_ns=START + 230 * MS),
    ]
    return folder(tmp_path_factory.mktemp("query") / "run", frames, [f"prompt {at}" for at in range(5)])


def rows(*arguments: object) -> list[dict[str, Any]]:
    done = run_here("query", *arguments, "--format", "json")
    assert done.exit_code == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def refusal(*arguments: object) -> str:
    done = run_here("query", *arguments)
    assert done.exit_code == 2
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") == 1
    return done.stderr


def test_question_of_the_documentation_is_answered(made: Path) -> None:
    found = rows(made, "--where", "ttft_ms > 1000 and error is null", "--columns", "request_id,ttft_ms")
    assert found == [{"request_id": 2, "ttft_ms": 1500.0}]


def test_derived_columns_are_those_of_the_metrics(made: Path) -> None:
    names = "ttft_ms,ttft_from_intended_ms,e2el_ms,tpot_ms,itl_mean_ms,slip_ms,status,output_tokens"
    (found,) = rows(made, "--where", "request_id = 2", "--columns", names)
    assert found == {
        "ttft_ms": 1500.0,
        "ttft_from_intended_ms": 1501.0,
        "e2el_ms": 1580.0,
        "tpot_ms": 20.0,
        "itl_mean_ms": 20.0,
        "slip_ms": 1.0,
        "status": "ok",
        "output_tokens": 5,
    }


def test_means_are_those_of_metrics_json(made: Path) -> None:
    names = ("ttft_ms", "e2el_ms", "tpot_ms", "ttft_from_intended_ms", "e2el_from_intended_ms")
    (found,) = rows(
        made, "--where", "status = 'ok'", "--columns", ", ".join(f"avg({name}) as {name}" for name in names)
    )
    kept = json.loads((made / "metrics.json").read_text())["latency"]
    assert found == pytest.approx({name: kept[name]["mean"] for name in names})


def test_every_attempt_has_a_status_and_warm_ups_are_left_out(made: Path) -> None:
    found = rows(made, "--columns", "request_id,attempt,status,error")
    assert [(row["request_id"], row["attempt"], row["status"]) for row in found] == [
        (1, 0, "ok"),
        (2, 0, "ok"),
        (3, 0, "failed"),
        (4, 0, "retried"),
        (4, 1, "ok"),
    ]
    assert found[2]["error"] == "connection reset"
    assert next(row["request_id"] for row in rows(made, "--all", "--columns", "request_id")) == 0


def test_groups_have_aggregates(made: Path) -> None:
    found = rows(made, "--group-by", "status", "--columns", "count(*) as n, p50(ttft_ms) as p50")
    assert found == [
        {"status": "failed", "n": 1, "p50": None},
        {"status": "ok", "n": 3, "p50": 120.0},  # of 120, 1500 and 100: the second attempt was sent at 230 ms
        {"status": "retried", "n": 1, "p50": None},
    ]


def test_wait_from_intended_begins_with_the_first_attempt(made: Path) -> None:
    names = "attempt,ttft_ms,ttft_from_intended_ms"
    found = rows(made, "--where", "request_id = 4 and status = 'ok'", "--columns", names)
    assert found == [{"attempt": 1, "ttft_ms": 100.0, "ttft_from_intended_ms": 130.0}]


def test_events_and_outputs_can_be_joined_to_requests(made: Path) -> None:
    sql = (
        "select r.request_id, o.prompt, max(gap_ms) as gap from requests r join outputs o using (request_id) "
        "join events e on e.request_id = r.request_id where r.request_id = 2 group by all"
    )
    assert rows(made, "--sql", sql) == [{"request_id": 2, "prompt": "prompt 2", "gap": 20.0}]


def test_several_runs_have_a_column_with_their_names(made: Path, tmp_path: Path) -> None:
    other = run_of(tmp_path / "other", [100.0, 110.0])
    found = rows(made, other, "--columns", "run,request_id", "--where", "ttft_ms < 115", "--order", "1, 2")
    assert found == [
        {"run": "other", "request_id": 0},
        {"run": "other", "request_id": 1},
        {"run": "run", "request_id": 4},
    ]


def test_csv_has_a_line_for_each_row_and_nothing_for_null(made: Path) -> None:
    done = run_here("query", made, "--columns", "request_id,ttft_ms", "--format", "csv", "--limit", 3)
    assert list(csv.reader(io.StringIO(done.stdout))) == [
        ["request_id", "ttft_ms"],
        ["1", "120.0"],
        ["2", "1500.0"],
        ["3", ""],
    ]


def test_table_says_where_it_was_cut(tmp_path: Path) -> None:
    done = run_here("query", run_of(tmp_path / "run", [100.0] * 101))
    assert "only the first 100 rows are shown" in done.stderr
    assert done.stdout.count(" ok ") == 100


def test_run_that_was_not_finished_is_finished_first(made: Path, tmp_path: Path) -> None:
    run = run_of(tmp_path / "run", [100.0])
    for name in ("metrics.json", "requests.parquet"):
        (run / name).unlink()
    assert len(rows(run)) == 1


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--columns", "ttft"), "there is no column 'ttft'; the nearest is 'ttft_ms'"),
        (("--where", "stat = 'ok'"), "there is no column 'stat'; the nearest is 'status'"),
        (("--table", "reqests"), "there is no table 'reqests'; the nearest is 'requests'"),
        (("--sql", "select * from evnts"), "there is no table 'evnts'; the nearest is 'events'"),
        (("--table", "server"), "none of these runs has the table server"),
        (("--where", "ttft_ms >"), "the query cannot be run: syntax error"),
        (("--sql", "select 1", "--where", "true"), "--sql is a whole query"),
    ],
)
def test_mistakes_are_told_in_one_sentence(made: Path, arguments: tuple[str, ...], sentence: str) -> None:
    assert sentence in refusal(made, *arguments)


@pytest.mark.parametrize(
    "sql",
    [
        "delete from requests",
        "create table x as select 1",
        "select 1; select 2",
        "copy requests to 'stolen.csv'",
        "attach 'x.db'",
        "set lock_configuration = false",
        "install httpfs",
        "pragma database_list",
    ],
)
def test_anything_but_one_select_is_refused(made: Path, sql: str) -> None:
    assert "a query is one SELECT" in refusal(made, "--sql", sql)


@pytest.mark.parametrize(
    "source", ["read_text('{run}/run.json')", "'{run}/requests.parquet'", "glob('*')", "read_csv('/etc/passwd')"]
)
def test_files_cannot_be_read_by_sql(made: Path, source: str) -> None:
    assert "disabled by configuration" in refusal(made, "--sql", f"select * from {source.format(run=made)}")


def test_conditions_cannot_smuggle_in_a_statement(made: Path) -> None:
    refusal(made, "--where", "true); drop view requests; select (1")
    assert rows(made, "--where", "request_id = 1 -- the first", "--columns", "request_id") == [{"request_id": 1}]


def test_columns_are_listed_with_their_meanings_and_documented() -> None:
    page = (DOCS / "query.md").read_text()
    for table, columns in TABLES.items():
        listed = run_here("query", "--columns", "help", "--table", table).stdout
        assert all(column.name in listed and column.meaning in listed for column in columns)
        assert all(f"| `{column.name}` | {column.meaning} |" in page for column in columns)


def test_every_column_that_a_run_records_can_be_asked_for(made: Path) -> None:
    recorded = {
        column for column in vars(read_requests(made)) if not isinstance(getattr(read_requests(made), column), tuple)
    }
    assert recorded <= {column.name for column in TABLES["requests"]}


def test_answers_cannot_act_on_the_terminal(tmp_path: Path) -> None:
    run = folder(tmp_path / "run", [answer(0, 100)], ["\x1b[2J<script>\u202e"])
    shown = run_here("query", run, "--table", "outputs", "--columns", "prompt").stdout
    assert "\x1b" not in shown and "\u202e" not in shown
    assert "\\x1b[2J<script>" in shown
