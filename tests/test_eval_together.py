"""Several evaluations put together, and the summary of one printed again: models evaluated on different days."""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from perfcore.records import evaluation
from tests.answering import Service, answering, right, right_if_even, sums
from tests.endtoend import run_here
from tests.test_eval import NUMBER, ask, collect, evaluate


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Folders: monday and tuesday of two models, again of the first with other answers."""
    place = tmp_path_factory.mktemp("days")
    data = sums(place / "sums.jsonl", 40)
    with answering(Service(right_if_even)) as half, answering(Service(right, name="whole")) as whole:
        collect(half, data, place / "monday", "--dump-details")
        collect(whole, data, place / "tuesday")
        half.reply = right
        collect(half, data, place / "again")
    yield place


def models(folder: Path) -> list[str]:
    found: list[str] = json.loads((folder / "summary/summary.json").read_bytes())["models"]
    return found


def test_models_of_different_days_are_compared_on_the_same_questions(days: Path, tmp_path: Path) -> None:
    evaluate(days / "monday", days / "tuesday", "--out", tmp_path / "both")
    found = json.loads((tmp_path / "both/summary/summary.json").read_bytes())
    (compared,) = found["comparisons"]
    assert (compared["items"], compared["difference"]) == (40, 0.5)
    assert compared["p"] < 0.001
    assert any("monday, evaluated 20" in note for note in found["results"][0]["notes"])
    assert (tmp_path / "both/results/adder/sums.jsonl").is_file()
    assert (tmp_path / "both/report.html").is_file()


def test_one_model_with_different_answers_is_told_apart_by_the_folders(days: Path, tmp_path: Path) -> None:
    evaluate(days / "monday", days / "again", days / "tuesday", "--out", tmp_path / "all")
    assert models(tmp_path / "all") == ["adder@again", "adder@monday", "whole"]


def test_the_same_answers_twice_count_once(days: Path, tmp_path: Path) -> None:
    shutil.copytree(days / "monday", tmp_path / "copy")
    evaluate(days / "monday", tmp_path / "copy", days / "tuesday", "--out", tmp_path / "all")
    assert models(tmp_path / "all") == ["adder", "whole"]


def test_what_was_put_together_can_be_put_to_others(days: Path, tmp_path: Path) -> None:
    evaluate(days / "monday", days / "tuesday", "--out", tmp_path / "both")
    evaluate(tmp_path / "both", days / "again", "--out", tmp_path / "all")
    assert models(tmp_path / "all") == ["adder@again", "adder@both", "whole"]


def test_folders_of_one_name_with_different_answers_of_one_model_are_refused(days: Path, tmp_path: Path) -> None:
    shutil.copytree(days / "again", tmp_path / "monday")
    said = evaluate(days / "monday", tmp_path / "monday", "--out", tmp_path / "all", code=2)
    assert "different answers of adder to sums" in said
    assert not (tmp_path / "all").exists()


def test_two_questions_of_one_name_are_refused(days: Path, tmp_path: Path) -> None:
    data = sums(tmp_path / "sums.jsonl", 40)
    data.write_text(data.read_text().replace("What is 3 plus 7?", "What is 3 and 7?"))
    with answering(Service(right, name="third")) as service:
        collect(service, data, tmp_path / "out")
    said = evaluate(days / "monday", tmp_path / "out", "--out", tmp_path / "all", code=2)
    assert "'sums.jsonl/4' of sums was sent in other words" in said


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--evaluation", "evaluator=exact"), "put together as they are"),
        (("NOWHERE",), "is not a folder"),
        (("RUN",), "score that first"),
    ],
)
def test_what_cannot_be_put_together_is_said(more: tuple[str, ...], said: str, days: Path, tmp_path: Path) -> None:
    (run,) = (days / "monday/runs/adder").glob("*/run.json")
    named = {"NOWHERE": tmp_path / "nowhere", "RUN": run.parent}
    given = [named.get(word, word) for word in more]
    assert said in evaluate(days / "monday", days / "tuesday", "--out", tmp_path / "all", *given, code=2)


def test_an_evaluation_without_results_is_told_so(days: Path, tmp_path: Path) -> None:
    shutil.copytree(days / "tuesday", tmp_path / "unscored")
    shutil.rmtree(tmp_path / "unscored/results")
    assert "has no results yet" in evaluate(days / "monday", tmp_path / "unscored", code=2)
    assert "has no results yet" in run_here("report", tmp_path / "unscored").stderr


def test_the_report_of_an_evaluation_is_its_summary(days: Path) -> None:
    said = run_here("report", days / "monday")
    assert said.exit_code == 0, said.stderr
    assert "50.0" in said.stdout
    assert json.loads(run_here("report", days / "monday", "--json").stdout)["models"] == ["adder"]


def test_its_page_is_made_again_and_has_no_plots(days: Path, tmp_path: Path) -> None:
    shutil.copytree(days / "monday", tmp_path / "copy")
    (tmp_path / "copy/report.html").unlink()
    assert run_here("report", tmp_path / "copy", "--html").stdout.strip() == str(tmp_path / "copy/report.html")
    assert (tmp_path / "copy/report.html").is_file()
    assert "no plots" in run_here("report", tmp_path / "copy", "--png").stderr


def test_reuse_latest_passes_over_what_asked_nothing(
    days: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluation, "OUTPUTS", tmp_path)
    shutil.copytree(days / "monday", tmp_path / "20260101-000000-eval")
    evaluate(days / "monday", days / "tuesday", "--out", tmp_path / "20260102-000000-eval")
    os.utime(tmp_path / "20260101-000000-eval/eval.json", (1, 1))
    assert evaluation.latest().name == "20260101-000000-eval"


SPEED = ("--rate 3", "--weights 1", "--model-weights a=1", "--book FILE", "--prompt hi", "--cooldown 3", "--speed 2")


@pytest.mark.parametrize("flag", SPEED)
def test_flags_of_measuring_speed_are_refused_and_not_shown(flag: str, tmp_path: Path) -> None:
    data = sums(tmp_path / "sums.jsonl", 2)
    asked = ("--url", "http://127.0.0.1:1", "--dataset", data, "--out", tmp_path / "out", *NUMBER)
    assert "is for measuring speed" in evaluate(*asked, *flag.split(), code=2)
    assert f"{flag.split()[0]} " not in run_here("eval", "--help").stdout


def test_what_a_file_says_of_other_commands_stops_no_evaluation(tmp_path: Path) -> None:
    (tmp_path / "shared.toml").write_text('cooldown = "1s"\nspeed = 2.0\n')
    with answering(Service(right)) as service:
        shared = ("--config", tmp_path / "shared.toml", "--dataset", sums(tmp_path / "sums.jsonl", 2))
        evaluate(*ask(service), *shared, "--out", tmp_path / "out", *NUMBER)
    assert len(service.asked) == 2
