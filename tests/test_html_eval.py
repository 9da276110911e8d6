"""The page of an evaluation: scores, single answers, speed, and how runs and sweeps show their scores."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evaluators.statistics.result import COUNTS, VIEWS
from perfcore.report import figures, html_eval, html_samples, html_series
from tests.answering import Service, answering, right_if_even, sums
from tests.browser import browser
from tests.endtoend import run_here
from tests.pages import EVIL, block, evaluated, held, sweep

NUMBER = ("--evaluation", "evaluator=number")


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with answering(Service(right_if_even)) as running:
        yield running


@pytest.fixture(scope="module")
def folder(service: Service, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("evaluation")
    asked = ("--url", service.url, "--no-check", "--dataset", sums(place / "sums.jsonl", 10))
    done = run_here("eval", *asked, *NUMBER, "--dump-details", "--out", place / "out")
    assert done.exit_code == 0, done.stderr
    return place / "out"


def names(page: Path) -> list[str]:
    return [section["name"] for section in held(page)["sections"]]


def tables(page: Path, name: str) -> list[dict[str, Any]]:
    found = next(section for section in held(page)["sections"] if section["name"] == name)
    return [one for one in found["blocks"] if one["kind"] == "table"]


def test_the_page_counts_answers_as_the_summary_does() -> None:
    views = {name: {"value": value} for name, value in (("lenient", 0.75), ("strict", 0.5), ("completed", 1.0))}
    one = {"dataset": "d", "model": "m", "views": views, "counts": {"answers": 4, "failed": 1, "truncated": 1}}
    block = html_samples.count_table([one])
    assert block is not None
    assert block["heads"][2:] == [*COUNTS.values(), *VIEWS.values()]
    assert block["rows"][0][-3:] == ["75.0 %", "50.0 %", "100.0 %"]


def test_an_evaluation_has_a_page_with_scores_answers_and_speed(folder: Path) -> None:
    page = folder / "report.html"
    assert names(page) == ["accuracy", "samples", "speed", "setup"]
    assert tables(page, "accuracy")[0]["rows"][0][:5] == ["sums", "adder", "accuracy", "10", "50.0 %"]
    assert tables(page, "speed")[0]["rows"][0][:3] == ["adder / sums-1", "10", "0"]
    assert held(page)["heading"] == "adder"


def test_its_answers_can_be_filtered_by_what_is_wrong(folder: Path) -> None:
    answers = block(folder / "report.html", "answers")
    assert answers["states"] == ["wrong", "right"]
    assert [item["state"] for item in answers["items"]].count("wrong") == 5


def test_scores_by_finish_reason_and_length_are_behind_a_click(folder: Path) -> None:
    parts = [one for one in held(folder / "report.html")["sections"][0]["blocks"] if one["kind"] == "folded"]
    assert [table["title"] for table in parts[0]["blocks"]][:2] == ["By finish reason", "By length"]


def test_the_page_of_a_run_has_its_scores_also_where_it_had_no_page(service: Service, tmp_path: Path) -> None:
    run = tmp_path / "run"
    data = sums(tmp_path / "sums.jsonl", 6)
    asked = ("--url", service.url, "--no-check", "--quiet", "--dataset", data, "--concurrency", 2)
    assert run_here("stress", *asked, "--out", run).exit_code == 0
    (run / "report.html").unlink()
    assert run_here("eval", run, *NUMBER).exit_code == 0
    assert "accuracy" in names(run / "report.html")


def test_the_page_of_a_sweep_has_the_scores_of_its_runs(tmp_path: Path) -> None:
    sweep(tmp_path)
    evaluated(tmp_path)
    page = html_series.write_page({"points": [], "knees": [], "remarks": []}, tmp_path)
    assert "accuracy" in names(page)


def test_models_are_compared_in_points_with_what_is_sure() -> None:
    one = {"a": "x", "b": "y", "dataset": "d", "difference": 0.1, "low": 0.02, "high": 0.18, "p": 0.01, "items": 50}
    rest = [one | {"p_adjusted": 0.2}, one | {"difference": None, "why": "nothing in common"}]
    found = html_samples.comparison_table([one, *rest])
    assert found is not None
    assert found["rows"][0] == ["y", "x", "d", "+10.0", "+2.0 to +18.0", "0.010", "50", "better"]
    assert [row[-1] for row in found["rows"][1:]] == ["not significantly different", "not compared: nothing in common"]
    assert found["looks"] == ["better", "", ""]


@pytest.mark.parametrize(("count", "line"), [(1, "look"), (2, "d, m: look")])
def test_notes_of_several_results_say_what_they_are_of(count: int, line: str) -> None:
    result = {"dataset": "d", "model": "m", "notes": ["look"]}
    assert list(html_samples.notes([result] * count)) == [line] * count


def test_a_hostile_evaluation_has_a_page_that_does_nothing(tmp_path: Path) -> None:
    evaluated(tmp_path)
    page = html_eval.write_page(tmp_path / "eval")
    with browser() as opened:
        opened.open(page)
        assert (opened.errors, opened.asked) == ([], [page.resolve().as_uri()])
        assert opened.value("typeof window.hacked") == "undefined"
        assert opened.value("document.querySelectorAll('.answers li').length") == 4


def test_an_evaluation_whose_files_are_broken_has_a_page(tmp_path: Path) -> None:
    (tmp_path / "eval.json").write_text(json.dumps({"command": EVIL, "options": [1]}))
    page = html_eval.write_page(tmp_path)
    assert "Nothing has been scored." in json.dumps(figures.content(page))
