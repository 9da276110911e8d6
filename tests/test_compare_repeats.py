"""`perfcore compare` of sides that were run several times: each run is one value."""

import json
from pathlib import Path
from typing import Any

import pytest

from perfcore.analysis import repeats
from perfcore.analysis.repeats import of_runs
from tests.comparing import failure, folder, run_of
from tests.endtoend import run_here
from tests.pages import held
from tests.test_compare import compared, refusal, row, values

T_OF_2 = 4.30265  # Student's t with two degrees of freedom, 97.5 %, of printed tables


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A, A2, B, B2: every second run is 5 ms slower than the one before it, and B 50 ms slower than A."""
    place = tmp_path_factory.mktemp("repeats")
    shifts = {"a": 0, "a2": 5, "b": 50, "b2": 55}
    return [run_of(place / name, [shift + one for one in values(1, 30)]) for name, shift in shifts.items()]


def asked(runs: list[Path]) -> list[object]:
    a, a2, b, b2 = runs
    return [a, b, "--with", f"A={a2}", "--with", f"b={b2}"]


def swept(parent: Path, means: list[float]) -> Path:
    """A sweep that asks for the same load once for each of these mean TTFTs."""
    parent.mkdir()
    names = [f"concurrency-0008-{at}" for at in range(len(means))]
    point: dict[str, Any] = {"model": None, "dataset": None, "load": "concurrency", "concurrency": 8, "rate": None}
    points = [point | {"name": name} for name in names]
    content = {"schema": "perfcore.series/1", "command": ["perfcore", "stress"], "points": points}
    (parent / "series.json").write_text(json.dumps(content))
    for at, (name, mean) in enumerate(zip(names, means, strict=True)):
        run_of(parent / name, values(at, 20, mean))
    return parent


def test_interval_is_that_of_welch() -> None:
    found = of_runs([9.0, 11.0], [19.0, 21.0])
    reach = T_OF_2 * 2**0.5
    assert (found.a, found.b, found.absolute) == (10.0, 20.0, 10.0)
    assert found.absolute_ci95 == pytest.approx((10 - reach, 10 + reach), rel=1e-5)
    assert found.relative_ci95 is not None and found.relative_ci95[0] < 1.0 < found.relative_ci95[1]


@pytest.mark.parametrize(("b", "difference"), [([5.0, 5.0], 0.0), ([6.0, 6.0], 1.0)])
def test_runs_that_are_all_alike_do_not_say_how_much_runs_differ(b: list[float], difference: float) -> None:
    found = of_runs([5.0, 5.0, 5.0], b)
    assert (found.absolute, found.absolute_ci95, found.why) == (difference, None, repeats.ALIKE)


def test_each_run_is_one_value_of_its_side(runs: list[Path]) -> None:
    found = compared(*asked(runs))
    kept = [json.loads((run / "metrics.json").read_text())["latency"]["ttft_ms"]["mean"] for run in runs]
    one = row(found, "ttft_mean")
    assert (one["a"], one["b"]) == pytest.approx((sum(kept[:2]) / 2, sum(kept[2:]) / 2))
    assert one["difference_ci95"] == pytest.approx([50 - T_OF_2 * 12.5**0.5, 50 + T_OF_2 * 12.5**0.5], rel=1e-4)
    assert found["comparisons"][0]["repeats"] == {"a": 2, "b": 2} and found["note"] is None
    assert [one["letter"] for run in found["runs"] for one in (run, *run["repeats"])] == ["A", "A2", "B", "B2"]


def test_what_differs_between_runs_is_not_taken_for_a_difference(runs: list[Path]) -> None:
    a, a2, b, b2 = runs
    assert row(compared(a, a2), "ttft_mean")["significant"]
    crossed = compared(a, a2, "--with", f"A={b2}", "--with", f"B={b}")
    assert row(crossed, "ttft_mean")["significant"] is False


@pytest.mark.parametrize(("limit", "code"), [("ttft_mean>+10%", 1), ("ttft_mean>+40%", 0), ("errors>+0", 0)])
def test_limits_are_of_the_runs_together(runs: list[Path], limit: str, code: int) -> None:
    compared(*asked(runs), "--fail-if", limit, "--significant", code=code)


def test_table_and_page_say_of_how_many_runs_they_are(runs: list[Path], tmp_path: Path) -> None:
    done = run_here("compare", *asked(runs), "--html", tmp_path / "page.html", "--png", tmp_path)
    assert "B against A, means of 2 and 2 runs (Welch's t)" in done.stdout
    assert "single runs" not in done.stdout
    sections = {one["name"]: one["blocks"] for one in held(tmp_path / "page.html")["sections"]}
    assert [cells[0] for cells in sections["runs"][0]["rows"]] == ["A", "A2", "B", "B2"]
    assert sections["numbers"][0]["title"] == "B against A, means of 2 and 2 runs (Welch's t)"


def test_single_runs_say_what_their_intervals_do_not_know(runs: list[Path], tmp_path: Path) -> None:
    done = run_here("compare", *runs[:2], "--html", tmp_path / "page.html")
    assert "Intervals are of the requests of single runs" in done.stdout
    assert "Intervals are of the requests of single runs" in (tmp_path / "page.html").read_text()


def test_metric_that_one_repeat_lacks_is_not_compared(runs: list[Path], tmp_path: Path) -> None:
    failing = folder(tmp_path / "failing", [failure(at) for at in range(30)], [f"prompt {at}" for at in range(30)])
    found = compared(*asked([*runs[:3], failing]), "--fail-if", "ttft_mean>+5%", code=3)
    assert row(found, "ttft_mean")["difference"] is None
    assert row(found, "ttft_mean")["why"] == "B2 has none (no measured request succeeded)"
    assert row(found, "errors")["b"] == 15


def test_run_of_another_kind_is_no_repeat(runs: list[Path], tmp_path: Path) -> None:
    options: dict[str, Any] = {"concurrency": 4, "out": "here", "seed": 7}
    other = run_of(tmp_path / "other", values(2, 30), options=options)
    warnings = compared(*asked([*runs[:3], other]))["setup"]["warnings"]
    assert "B2 is no repeat of B: they differ in concurrency." in warnings


def test_load_that_sweeps_ask_for_again_is_repeated(tmp_path: Path) -> None:
    sweeps = swept(tmp_path / "x", [100, 104, 102]), swept(tmp_path / "y", [150, 154])
    found = compared(*sweeps)
    one = found["points"][0]["comparisons"][0]
    assert one["repeats"] == {"a": 3, "b": 2}
    assert next(kept for kept in one["rows"] if kept["name"] == "ttft_mean")["a"] == pytest.approx(102, abs=2)
    assert [run["command"] for run in found["runs"]] == ["stress, 3 runs", "stress, 2 runs"]


def test_load_that_one_sweep_alone_repeats_is_told(tmp_path: Path) -> None:
    found = compared(swept(tmp_path / "x", [100, 104]), swept(tmp_path / "y", [150]))
    point = found["points"][0]
    assert point["comparisons"][0]["repeats"] is None
    assert any("A has 2 runs and B one" in text for text in point["setup"]["warnings"])


def test_repeats_that_say_nothing_are_refused(runs: list[Path], tmp_path: Path) -> None:
    a, a2, b, b2 = runs
    assert "B has one run only" in refusal(a, b, "--with", f"A={a2}")
    assert "names no side" in refusal(a, b, "--with", f"C={a2}")
    assert "names no side" in refusal(a, b, "--with", "A")
    assert "is given twice" in refusal(a, b, "--with", f"A={a}", "--with", f"B={b2}")
    assert "a sweep repeats its own" in refusal(*[swept(tmp_path / name, [100]) for name in "xy"], "--with", f"A={a2}")
