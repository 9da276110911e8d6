"""Which questions of an evaluation are asked, where rows and questions are not the same."""

import pytest

from perfcore.run.asking import numbered, of_each_subset
from perfcore.workload.row import Row

LABELS = [Row(f"{item}{label}", meta={"item": item, "label": label}, dataset="d") for item in "xyz" for label in "ABCD"]
PLAIN = [Row(f"{at}", dataset=dataset) for at in range(3) for dataset in ("d", "e")]


def ids(rows: list[Row]) -> str:
    return " ".join(row.id for row in rows)


@pytest.mark.parametrize(
    ("rows", "offset", "count", "kept"),
    [
        (PLAIN, 0, 1, "0 0"),  # of each data set
        (PLAIN, 1, None, "1 1 2 2"),
        (LABELS, 1, 1, "yA yB yC yD"),  # a question with the requests of all its labels
        (LABELS[::-1], 0, 1, "zD zC zB zA"),
        ([LABELS[0], LABELS[4], LABELS[1], LABELS[5]], 0, 1, "xA xB"),  # shuffled
    ],
)
def test_questions_are_counted_and_not_rows(rows: list[Row], offset: int, count: int | None, kept: str) -> None:
    wanted = numbered(offset, count)
    assert ids([row for row in rows if wanted(row)]) == kept


@pytest.mark.parametrize(("limit", "kept"), [(1, "xA xB xC xD"), (0.34, "xA xB xC xD"), (1.0, "xA xB xC xD")])
def test_a_limit_counts_questions_too(limit: float, kept: str) -> None:
    assert ids(list(of_each_subset(LABELS, limit))) == kept
