"""The command line: what is imported when, and what errors look like."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

DIALECTS = Path(__file__).parents[1] / "configs" / "dialects"
HEAVY = ("numpy", "pyarrow", "rich", "pycurl", "matplotlib", "msgspec", "yaml")


def perfcore(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith(("PERFCORE_", "WORKERS_NUM"))}
    return subprocess.run(
        [sys.executable, "-m", "perfcore", *arguments],
        capture_output=True,
        text=True,
        env=own | environment,
        timeout=60,
        check=False,
    )


def test_help_names_every_command() -> None:
    done = perfcore("--help")
    assert done.returncode == 0
    assert all(name in done.stdout for name in ("stress", "report", "simulate", "list"))


def test_help_imports_nothing_heavy() -> None:
    program = f"import sys, perfcore.cli.main; print(*[name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == ""


def test_version_names_all_that_takes_part() -> None:
    done = perfcore("--version")
    assert done.returncode == 0
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["perfcore", "libcurl", "TLS", "Python"]


def test_list_dialects_names_the_built_in_ones() -> None:
    names = [line.split()[0] for line in perfcore("list", "dialects").stdout.splitlines()]
    assert set(names) == {path.stem for path in DIALECTS.glob("*.toml")} >= {"openai-chat"}


def test_dry_run_shows_values_and_origins_and_no_secrets() -> None:
    done = perfcore("stress", "--dry-run", "--json", "--rate", "5", "--header", "X-Key: s3cret", WORKERS_NUM="2")
    rows = json.loads(done.stdout)
    assert rows["rate"] == {"value": 5.0, "origin": "--rate"}
    assert rows["workers"] == {"value": 2, "origin": "environment WORKERS_NUM"}
    assert "s3cret" not in done.stdout


def test_dry_run_is_a_table_for_people() -> None:
    lines = perfcore("stress", "--dry-run").stdout.splitlines()
    assert lines[0].split() == ["key", "value", "origin"]
    assert any(line.split()[:2] == ["concurrency", "8"] for line in lines)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["stress", "--dry-run", "--rate", "0"], "perfcore: --rate '0': wants a value of more than 0"),
        (["stress", "--dry-run", "--config", "nowhere.toml"], "perfcore: cannot read --config nowhere.toml"),
        (["stress", "--dry-run", "--no-such-flag"], "No such option"),
        (["stres"], "perfcore: there is no command 'stres'; the nearest one is 'stress'"),
    ],
)
def test_what_the_user_can_mend_is_said_in_one_sentence_and_exits_with_2(arguments: list[str], sentence: str) -> None:
    done = perfcore(*arguments)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


def test_flags_are_told_by_help_with_default_and_variable() -> None:
    text = " ".join(perfcore("stress", "--help").stdout.split())
    assert "--stream / --no-stream" in text
    assert "[default: 600s; PERFCORE_TIMEOUT]" in text


def test_output_into_a_closed_pipe_is_no_traceback(tmp_path: Path) -> None:
    command = f"{sys.executable} -m perfcore list options 2>{tmp_path / 'errors'} | true"
    subprocess.run(["bash", "-c", command], timeout=60, check=True)
    assert (tmp_path / "errors").read_text() == ""
