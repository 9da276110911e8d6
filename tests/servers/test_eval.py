"""Accuracy on a real model: of 90 sums tests/data/tiny-add gets 34 right, and `perfcore eval` has to find so."""

import json
from pathlib import Path

import pytest

from tests.servers.runs import perfcore, stress
from tests.servers.transformers_server import MAX_TOKENS, MODEL, QUESTIONS, RIGHT, Server

pytestmark = [pytest.mark.servers, pytest.mark.timeout(900)]

RIGHT_OF_90 = RIGHT / 90
NUMBER = ["--evaluation", "evaluator=number"]


@pytest.fixture(scope="module")
def collected(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An evaluation whose answers came from the server."""
    out = tmp_path_factory.mktemp("eval") / "out"
    options = ["--model", str(MODEL), "--max-tokens", MAX_TOKENS, "--concurrency", "4"]
    where = ["--url", server.url, "--dataset", str(QUESTIONS), "--out", str(out)]
    evaluate([*where, *options, *NUMBER], out.parent / "log")
    return out


def evaluate(arguments: list[str], log: Path) -> None:
    code, said = perfcore(["eval", *arguments], log)
    assert code == 0, said


def score(out: Path) -> float:
    """The one score in a folder."""
    (file,) = (out / "results").glob("*/*.json")
    value: float = json.loads(file.read_bytes())["measures"][0]["value"]
    return value


def answers(out: Path) -> list[dict[str, object]]:
    (file,) = (out / "predictions").glob("*/*.jsonl")
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_the_answers_of_a_real_server_have_the_known_score(collected: Path) -> None:
    assert score(collected) == pytest.approx(RIGHT_OF_90)
    assert len(answers(collected)) == 90


def test_scoring_the_saved_folder_again_gives_the_same(collected: Path, tmp_path: Path) -> None:
    evaluate(["--rescore", "--out", str(collected)], tmp_path / "log")
    assert score(collected) == pytest.approx(RIGHT_OF_90)


def test_another_evaluator_scores_the_same_answers(collected: Path, tmp_path: Path) -> None:
    evaluate([str(collected), "--evaluation", "evaluator=math"], tmp_path / "log")
    assert score(collected) == pytest.approx(RIGHT_OF_90)


def test_a_file_as_aisbench_writes_it_has_the_same_score(collected: Path, tmp_path: Path) -> None:
    file = tmp_path / "tiny_add.jsonl"
    rows = [
        {"data_abbr": "tiny_add", "id": one["index"], "success": True, "uuid": "x", "prediction": one["prediction"]}
        for one in answers(collected)
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    given = ["--predictions", str(file), "--format", "aisbench", "--dataset", str(QUESTIONS)]
    evaluate([*given, "--out", str(tmp_path / "out"), *NUMBER], tmp_path / "log")
    assert score(tmp_path / "out") == pytest.approx(RIGHT_OF_90)


def test_a_run_under_load_has_the_same_score(server: Server, tmp_path: Path) -> None:
    options = ["--model", str(MODEL), "--max-tokens", MAX_TOKENS, "--body", "temperature=0"]
    stress(server.url, QUESTIONS, tmp_path / "run", *options)
    evaluate([str(tmp_path / "run"), *NUMBER], tmp_path / "log")
    assert score(tmp_path / "run" / "eval") == pytest.approx(RIGHT_OF_90)
