"""`perfcore compare --html`: one page with the tables and the curves of all runs."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from perfcore.commands.compare import compared
from perfcore.report import compare_curves, compare_html
from tests.browser import Page, browser
from tests.comparing import START, failure, folder, run_of
from tests.endtoend import run_here
from tests.pages import EVIL, block, held
from tests.reference.records import MS
from tests.test_compare import sweep


def ttfts(number: int, factor: float = 1.0) -> list[float]:
    return [factor * (100.0 + (17 * at) % 40) for at in range(number)]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The same 60 requests, the second time twice as slow to the first token, from a hostile model."""
    place = tmp_path_factory.mktemp("compare")
    return run_of(place / "a", ttfts(60)), run_of(place / "b", ttfts(60, 2.0), model=EVIL)


@pytest.fixture(scope="module")
def page(pair: tuple[Path, Path]) -> Path:
    path = pair[0].parent / "page.html"
    limits = ("--fail-if", "ttft_p50>+5%", "--fail-if", "errors>+0")
    done = run_here("compare", *pair, pair[0], "--html", path, *limits)
    assert done.exit_code == 1, done.stderr
    return path


def blocks(page: Path, name: str) -> list[dict[str, Any]]:
    """What a section has."""
    return next([*section["blocks"]] for section in held(page)["sections"] if section["name"] == name)


def row(block: dict[str, Any], title: str) -> list[str]:
    return next(list(cells) for cells in block["rows"] if cells[0] == title)


def test_the_table_has_the_numbers_of_both_runs_and_what_they_come_to(page: Path, pair: tuple[Path, Path]) -> None:
    found = next(one for one in blocks(page, "numbers") if one.get("title") == "B against A")
    kept = [json.loads((run / "metrics.json").read_text())["latency"]["ttft_ms"]["mean"] for run in pair]
    cells = row(found, "TTFT mean (ms)")
    assert cells[1:3] == [f"{value:.1f}" for value in kept]
    assert cells[4:] == ["+100", "+100 to +100 %", "worse", "slower by 100 % (100 to 100 %)"]
    assert found["terms"][found["rows"].index(cells)] == "latency.ttft_ms.mean"
    assert found["looks"][found["rows"].index(cells)] == cells[found["marked"]] == "worse"


def test_how_many_metrics_are_better_and_worse_is_said_in_short() -> None:
    row = {"significant": True, "better": "lower", "difference": -1.0}
    rows = [row, row | {"difference": 2.0}, row | {"significant": False}, row | {"better": "neither"}]
    said = "B is surely better in 1 of 3 of these metrics, and surely worse in 1. Of the other 1 nothing is sure."
    assert compare_html.in_short("B", rows) == said


def test_limits_stand_first_and_the_worst_of_them_is_the_verdict(page: Path) -> None:
    assert held(page)["sections"][0]["name"] == "limits"
    verdict, table = blocks(page, "limits")
    assert (verdict["word"], verdict["look"], verdict["means"]) == ("fail", "bad", "Limits that are broken: 1 of 4.")
    assert [cells[0] for cells in table["rows"]] == ["fail", "pass", "pass", "pass"]


def test_what_differs_is_told_with_its_warnings(page: Path) -> None:
    warnings, table = blocks(page, "setup")
    assert any("The configurations differ in model" in reason[1] for reason in warnings["reasons"])
    assert row(table, "model")[0::4] == ["model", "yes"]


def test_every_run_has_its_exact_share_at_each_point_of_a_distribution(page: Path) -> None:
    found = block(page, "ttft")
    expected = [np.sort(ttfts(60)), np.sort(ttfts(60, 2.0)), np.sort(ttfts(60))]
    for series, values in zip(found["series"], expected, strict=True):
        shares = np.searchsorted(values, np.array(found["x"]) + 1e-6, side="right") / 60
        assert series["values"] == pytest.approx(shares, abs=1e-5)
    assert len({(series["colour"], series["dash"]) for series in found["series"]}) == 3


@pytest.mark.parametrize(("name", "amount"), [("tokens", 300.0), ("in-flight", None)])
def test_area_under_a_curve_over_time_is_all_that_the_run_did(page: Path, name: str, amount: float | None) -> None:
    found = block(page, name)
    lengths = np.diff(found["x"])
    for series, factor in zip(found["series"], (1.0, 2.0, 1.0), strict=True):
        known = np.array([0.0 if value is None else value for value in series["values"]])
        # In flight, each request counts with its duration: to the first token, and 40 ms on.
        expected = amount or sum(ttft + 40.0 for ttft in ttfts(60, factor)) / 1000
        assert float(known @ lengths) == pytest.approx(expected, rel=0.005)


def test_a_shorter_run_is_not_drawn_after_its_end(pair: tuple[Path, Path], tmp_path: Path) -> None:
    found, sides = compared([pair[0], run_of(tmp_path / "short", ttfts(20))])
    path = compare_html.write_page(found | {"gates": []}, sides, tmp_path)
    whole, short = (series["values"] for series in block(path, "in-flight")["series"])
    assert None not in whole
    assert 0.3 < sum(value is None for value in short) / len(short) < 0.8
    assert short[short.index(None) :] == [None] * (len(short) - short.index(None))


def test_windows_of_steady_runs_are_told(pair: tuple[Path, Path]) -> None:
    _, (side, _) = compared(list(pair))
    started = START - 1 * MS
    window = {"start_ns": started + 500 * MS, "end_ns": started + 2500 * MS}
    timed = [(0, side._replace(metrics={"window": window}), (started, started + 3000 * MS)), (1, side, (started, 0))]
    assert compare_curves.windows(timed) == " Measured windows: A 0.500 to 2.500 s."


def test_a_run_without_an_answer_is_told_to_have_none(pair: tuple[Path, Path], tmp_path: Path) -> None:
    failing = folder(tmp_path / "failing", [failure(at) for at in range(30)], [f"prompt {at}" for at in range(30)])
    found, sides = compared([pair[0], failing])
    path = compare_html.write_page(found | {"gates": []}, sides, tmp_path)
    assert block(path, "ttft")["note"] == "Values: 60 in A. None in B."
    assert block(path, "tokens")["note"].endswith("No times of tokens in B.")
    assert "NaN" not in path.read_text()


def test_nothing_timed_is_told_and_not_drawn(tmp_path: Path) -> None:
    unsent = [failure(0, due_ns=START, sent_ns=START, end_ns=START)]
    runs = [folder(tmp_path / name, unsent, ["prompt"]) for name in ("a", "b")]
    found, sides = compared(runs)
    path = compare_html.write_page(found | {"gates": []}, sides, tmp_path)
    assert [one["kind"] for one in blocks(path, "load")] == ["lines"]


def test_many_runs_make_a_small_page_that_keeps_both_ends(tmp_path: Path) -> None:
    runs = [run_of(tmp_path / f"{at}", ttfts(30, 1 + at / 7)) for at in range(2)]
    _, sides = compared(runs)
    rng = np.random.default_rng(1)
    wide = [
        one._replace(taken=one.taken._replace(latency={"ttft_ms": rng.lognormal(4, 1, one.taken.measured.last.size)}))
        for one in sides * 200
    ]
    found = compare_curves.distribution("ttft", "TTFT", wide)
    assert found is not None
    assert len(found["x"]) <= compare_curves.MOST_POINTS + 2 * len(wide)
    assert all(series["values"][-1] == 1 for series in found["series"])
    assert found["x"][-1] == pytest.approx(max(one.taken.latency["ttft_ms"].max() for one in wide), rel=1e-6)


def test_sweeps_have_their_metrics_over_the_load_and_a_section_for_each_point(tmp_path: Path) -> None:
    sweeps = sweep(tmp_path / "x", {1: 100, 2: 110, 4: 120}), sweep(tmp_path / "y", {1: 90, 4: 150})
    assert run_here("compare", *sweeps, "--html", tmp_path / "there").exit_code == 0
    path = tmp_path / "there" / "compare.html"
    found = block(path, "ttft_p50-over-load")
    assert found["x"] == [1, 4]
    assert [series["values"] for series in found["series"]] == [
        pytest.approx([100, 120], rel=0.1),
        pytest.approx([90, 150], rel=0.1),
    ]
    titles = [section["title"] for section in held(path)["sections"] if section["name"].startswith("point-")]
    assert titles == ["concurrency 1", "concurrency 4"]
    assert blocks(path, "left")[0]["lines"] == ["Only in A (x): concurrency 2"]


@pytest.mark.parametrize(
    ("point", "parts"),
    [
        ("concurrency 1,000", ("", "concurrency", 1000.0)),
        ("a, b, rate 0.5", ("a, b", "rate", 0.5)),
        ("the run", ("", "the", None)),
    ],
)
def test_the_load_of_a_point_is_read_from_its_title(point: str, parts: tuple[str, str, float | None]) -> None:
    assert compare_html.split(point) == parts


def test_warnings_of_sweeps_name_their_points_unless_they_are_of_all() -> None:
    points = [{"point": name, "setup": {"warnings": warnings}} for name, warnings in (("1", ["x", "y"]), ("2", ["x"]))]
    assert list(compare_html.sweep_warnings(points)) == ["x", "y (1)"]


def test_links_lead_to_the_pages_of_the_runs_that_have_one(tmp_path: Path) -> None:
    run = tmp_path / "javascript:1"
    run.mkdir()
    assert compare_html.link(run, tmp_path) == ""
    (run / "report.html").touch()
    assert compare_html.link(run, tmp_path) == "./javascript:1/report.html"
    assert compare_html.link(run, tmp_path / "elsewhere") == "./../javascript:1/report.html"


def test_what_cannot_be_written_is_told(pair: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = run_here("compare", *pair, "--html", tmp_path / "file" / "page.html")
    assert done.exit_code == 2
    assert "--html: cannot create" in done.stderr


@pytest.fixture(scope="module")
def opened(page: Path) -> Iterator[Page]:
    """The page in a browser, opened from disk with the network off."""
    with browser() as found:
        found.open(page)
        yield found


def test_a_browser_shows_all_of_it_without_a_complaint_and_asks_for_nothing(opened: Page, page: Path) -> None:
    assert opened.errors == []
    assert opened.asked == [page.resolve().as_uri()]
    assert opened.value("typeof window.hacked") == "undefined"
    assert opened.value("plots.length") == 6
    colours = (
        "plots.map((plot) => {const c = plot.box.querySelector('canvas'); return new Set(new Uint32Array("
        "c.getContext('2d').getImageData(0, 0, c.width, c.height).data.buffer)).size})"
    )
    assert min(opened.value(colours)) >= 5


def test_a_drag_zooms_both_plots_over_time(opened: Page) -> None:
    box = opened.middle("[data-plot=tokens] .u-over")
    opened.drag((box["left"] + box["width"] * 0.25, box["y"]), (box["left"] + box["width"] * 0.5, box["y"]))
    assert opened.value("plots.filter((plot) => plot.block.time && plot.range).length") == 2


@pytest.mark.parametrize("width", [1440, 390])
def test_no_width_needs_scrolling_sideways(opened: Page, width: int) -> None:
    opened.resize(width, dark=width == 390)
    assert opened.value("document.documentElement.scrollWidth") <= width
    assert opened.errors == []
