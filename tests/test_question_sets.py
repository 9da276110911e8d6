"""DROP with its authors' figures, and sets of questions whose files have a layout of their own."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evaluators.drop import EVALUATORS, Drop
from evaluators.registry import evaluator
from evaluators.sample import Sample, Verdict
from perfcore.errors import UserError
from perfcore.workload import registry
from perfcore.workload.row import Row
from perfcore.workload.source import Made, Wanted


def rows(name: str, folder: Path, **args: Any) -> list[Row]:
    found = registry.open_dataset(registry.resolved(name, None), args, Wanted(), (folder,))
    assert not isinstance(found, Made)
    return list(found)


def drop(answer: str, reference: str, **args: Any) -> Verdict:
    return EVALUATORS["drop"].score(answer, Sample(id="1", reference=reference), Drop(**args))


# Words in common, each once, over the words of both: {field, goal} and {field, goal, 40.0}: 2 * 2 / 5.
@pytest.mark.parametrize(
    ("answer", "reference", "match", "em", "f1"),
    [
        ("Answer: 40 yards", "40-yard|40 yards", 1, 1, 1),
        ("They ran.\n**Answer:** the Forty", "Forty", 1, 1, 1),
        ("Answer: 40.0", "40", 1, 1, 1),
        ("Answer: 3.5", "3", 0, 0, 0),
        ("Answer: 1.3", "3", 0, 0, 0),
        ("Answer: 3.", "3", 1, 1, 1),
        ("Answer: 135 yards", "35 yards", 0, 0, 0),
        ("Answer: $1,234", "1234", 1, 1, 1),
        ("Answer: \\boxed{40}", "40", 1, 1, 1),
        ("Answer: $\\boxed{\\text{Ann Hill}}$", "Ann Hill", 1, 1, 1),
        ("Answer: field goal", "field goal of 3", 1, 0, 0),  # none of the reference's numbers
        ("Answer: a field goal of 3", "3 goals", 0, 0, 0.333333),
        ("Answer: goal goal", "goal", 1, 0, 1),
        ("Answer: Hill, Ann", "Ann Hill", 0, 0, 1),
        ("Answer: 13", "3|4 13", 1, 0, 0.666667),
        ("Answer: 13", "3", 0, 0, 0),
        ("Rome", "Paris", 0, 0, 0),
    ],
)
def test_drop_has_the_figures_of_its_authors(answer: str, reference: str, match: int, em: int, f1: float) -> None:
    found = drop(answer, reference)
    assert (found.score, found.parts) == (match, {"em": em, "f1": f1})
    assert [drop(answer, reference, measure=name).score for name in ("em", "f1")] == [em, f1]


def test_drop_may_be_scored_by_f1_under_a_name_of_its_own() -> None:
    found = registry.resolved("drop_f1", None).preset.evaluation
    assert (found["evaluator"], found["metric"], found["args"]) == ("drop", "f1", {"measure": "f1"})


@pytest.mark.parametrize("answers", ["['Ann Hill', \"O'Neil\"]", "[['Ann Hill', \"O'Neil\"]]"])
def test_triviaqa_reads_the_lists_of_both_its_files(tmp_path: Path, answers: str) -> None:
    (tmp_path / "triviaqa").mkdir()
    (tmp_path / "triviaqa/trivia-test.qa.csv").write_text(f"Who wrote it?\t{answers}\n")
    (row,) = rows("triviaqa_test", tmp_path)
    assert row.reference == ["Ann Hill", "O'Neil"]


def problems(folder: Path, texts: list[str]) -> None:
    (folder / "dapo-math-17k").mkdir()
    lines = [{"prompt": [{"content": text, "role": "user"}], "reward_model": {"ground_truth": "7"}} for text in texts]
    pq.write_table(
        pa.Table.from_pylist([{"data_source": "d", **line} for line in lines]),
        folder / "dapo-math-17k/dapo-math-17k.parquet",
    )


def test_problems_that_a_file_repeats_are_asked_once(tmp_path: Path) -> None:
    problems(tmp_path, ["Find x.", "Find y.", "Find x."])
    assert [(row.prompt, row.id) for row in rows("dapo_math_gen", tmp_path)] == [("Find x.", "1"), ("Find y.", "2")]
    assert len(rows("dapo_math_gen", tmp_path, once="")) == 3


def test_a_column_to_be_taken_once_that_is_not_there_is_an_error_that_names_it(tmp_path: Path) -> None:
    problems(tmp_path, ["Find x."])
    with pytest.raises(UserError, match=r"row 1: has no column 'number'.*`once` asks for it"):
        rows("dapo_math_gen", tmp_path, once="number")


def test_a_line_with_the_answer_counts_before_a_box_of_the_way_there() -> None:
    math = evaluator("math")
    text = "Were it so, x would be \\boxed{99}, which is wrong.\n\nAnswer: 1,234 ways"
    assert math.score(text, Sample(id="1", reference="1234"), math.settings()).score == 1
