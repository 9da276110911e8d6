"""`perfcore eval --predictions`: files of other tools and people's own, whole or not quite what they should be."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.answering import sums
from tests.test_eval import NUMBER, evaluate, result, score

ROWS = Path(__file__).parent / "data" / "datasets"
THINGS = ("apples", "rivers", "stars", "ships", "candles", "doors", "letters", "bridges")


def written(path: Path, rows: list[dict[str, Any]], end: str = "\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(json.dumps(row) for row in rows) + end)
    return path


def own(*numbers: int, **more: Any) -> list[dict[str, Any]]:
    """Right answers to these questions of `sums`."""
    return [{"id": f"sums.jsonl/{number + 1}", "prediction": f"#### {number + 7}", **more} for number in numbers]


def scored(tmp_path: Path, form: str, *files: Path, questions: int = 4, code: int = 0) -> str:
    data = sums(tmp_path / "sums.jsonl", questions)
    given = [argument for file in files for argument in ("--predictions", file)]
    return evaluate(*given, "--format", form, "--dataset", data, "--out", tmp_path / "out", *NUMBER, code=code)


def test_a_last_line_counts_also_without_its_end(tmp_path: Path) -> None:
    scored(tmp_path, "jsonl", written(tmp_path / "m/a.jsonl", own(0, 1, 2), end=""))
    assert result(tmp_path / "out", "m")["counts"]["answers"] == 3


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"id": "sums.jsonl/2", "predic', "line 2: Input data was truncated"),
        ('{"id": "sums.jsonl/2", "prediction": ["9"]}\n', "line 2: Expected `str | null`, got `array`"),
        ('{"prediction": "9"}\n', "line 2: Object missing required field `id`"),
        ('["sums.jsonl/2"]\n', "line 2: Expected `object`"),
    ],
)
def test_a_line_that_is_none_is_named(line: str, said: str, tmp_path: Path) -> None:
    file = written(tmp_path / "m/a.jsonl", own(0))
    file.write_text(file.read_text() + line)
    assert f"{file}, {said}" in scored(tmp_path, "jsonl", file, code=2)


def test_ids_that_are_numbers_are_taken_for_their_digits(tmp_path: Path) -> None:
    rows = [{"id": number + 1, "prediction": f"#### {number + 7}"} for number in range(4)]
    scored(tmp_path, "jsonl", written(tmp_path / "m/a.jsonl", rows))
    assert score(tmp_path / "out", "m") == 1.0


def test_an_id_that_comes_again_is_another_answer_to_its_question(tmp_path: Path) -> None:
    rows = [*own(0, 1), *own(0), {**own(1)[0], "prediction": "9999"}]
    scored(tmp_path, "jsonl", written(tmp_path / "m/a.jsonl", rows))
    named = {one["name"]: one["value"] for one in result(tmp_path / "out", "m")["measures"]}
    assert (named["accuracy (avg@2)"], named["pass@2"], named["pass^2"]) == (0.75, 1.0, 0.5)


def test_ids_of_no_row_are_told_beside_one_of_a_row(tmp_path: Path) -> None:
    rows = [*own(0), {"id": "what-is-1", "prediction": "8"}]
    said = scored(tmp_path, "jsonl", written(tmp_path / "m/a.jsonl", rows), code=2)
    assert "1 of 2 answers are to no row" in said
    assert "'what-is-1'" in said
    assert "sums.jsonl/1" in said


@pytest.mark.parametrize("form", ["jsonl", "aisbench"])
def test_files_of_two_models_have_a_column_each(form: str, tmp_path: Path) -> None:
    rows = {"good": [0, 1, 2, 3], "poor": [0, 0, 0, 0]}
    key = (lambda at: at) if form == "aisbench" else (lambda at: f"sums.jsonl/{at + 1}")
    files = [
        written(
            tmp_path / f"{name}/sums.jsonl",
            [{"id": key(at), "prediction": f"#### {7 + one}"} for at, one in enumerate(said)],
        )
        for name, said in rows.items()
    ]
    scored(tmp_path, form, *files)
    assert [score(tmp_path / "out", name) for name in ("good", "poor")] == [1.0, 0.25]


def test_questions_that_the_files_leave_out_are_told(tmp_path: Path) -> None:
    rows = [{"id": at, "prediction": f"#### {7 + at}"} for at in (0, 2)]
    said = scored(tmp_path, "aisbench", written(tmp_path / "m/sums.jsonl", rows))
    assert "2 of 4 questions have no answer in the files" in said
    assert "--resume" not in said


@pytest.mark.parametrize(("off", "code"), [(0, 0), (3, 2)])
def test_numbers_that_stand_for_other_questions_are_refused(off: int, code: int, tmp_path: Path) -> None:
    asked = [f"There are {at} {one} and 7 {one}. How many {one} are there?" for at, one in enumerate(THINGS)]
    data = written(tmp_path / "things.jsonl", [{"question": one, "answer": "7"} for one in asked])
    rows = [
        {"data_abbr": "things", "id": at, "origin_prompt": f"Think.\nQ: {asked[(at + off) % 8]}\nA:", "prediction": "7"}
        for at in range(8)
    ]
    file = written(tmp_path / "m/things.jsonl", rows)
    every = ("--predictions", file, "--format", "aisbench", "--dataset", data, "--out", tmp_path / "out", *NUMBER)
    said = evaluate(*every, code=code)
    assert ("prompts do not fit the rows" in said) == bool(code)


def test_figures_of_a_whole_data_set_read_the_rows_of_answers_that_have_an_id_alone(tmp_path: Path) -> None:
    file = written(tmp_path / "m/a.jsonl", [{"id": 1000, "prediction": "So it is"}, {"id": 1001, "prediction": ""}])
    given = ("--predictions", file, "--format", "jsonl", "--dataset", "ifeval", "--data-dir", ROWS)
    evaluate(*given, "--out", tmp_path / "out")
    found = result(tmp_path / "out", "m", "ifeval")
    # Three instructions, of which no commas is followed, and one with an empty answer.
    assert {one["name"]: one["value"] for one in found["measures"]}["inst_level_strict"] == 0.25
