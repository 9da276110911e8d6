"""From what was given to the points of a series."""

from pathlib import Path
from typing import Any

import pytest

from perfcore.cli.flags import spread
from perfcore.commands.points import Wanted, padded, rows_there, rows_wanted, start, wanted
from perfcore.errors import UserError
from perfcore.options import StressOptions
from perfcore.records.series import Ran


def planned(models: tuple[str, ...] = (), datasets: tuple[str, ...] = (), **given: Any) -> Wanted:
    return wanted(given, None, {}, models, datasets)


def ran(offset: int, used: int, rows: int | None = None, to_the_end: bool = False) -> Ran:
    rows = used if rows is None else rows
    return Ran(Path("x"), "", 0, offset, rows, used, simulated=False, to_the_end=to_the_end)


def test_one_value_is_one_run() -> None:
    plan = planned(concurrency="4")
    assert (plan.alone, plan.points[0].options.concurrency) == (True, 4)


def test_several_values_of_the_load_are_points_in_their_order_with_names_that_sort() -> None:
    points = planned(concurrency="8,1,16").points
    assert [point.name for point in points] == ["concurrency-0008", "concurrency-0001", "concurrency-0016"]
    assert [point.options.concurrency for point in points] == [8, 1, 16]


@pytest.mark.parametrize(("given", "requests"), [("30", [30, 30]), ("10,20", [10, 20]), (None, [100, 100])])
def test_points_have_one_number_of_requests_or_one_each(given: str | None, requests: list[int]) -> None:
    assert [point.options.requests for point in planned(rate="1,2", requests=given).points] == requests


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"concurrency": "1,2", "rate": "1,2"}, "sweep one of them at a time"),
        ({"concurrency": "1,2", "requests": "1,2,3"}, r"requests \(--requests\) has 3 values and concurrency"),
        ({"requests": "1,2"}, "which is for sweeps"),
        ({"concurrency": "1,x"}, "--concurrency '1,x': wants a whole number"),
        ({"concurrency": "1,,2"}, "one comma between them"),
        ({"rate": "0,1"}, "wants a value of more than 0"),
    ],
)
def test_lists_that_make_no_sweep_are_refused(given: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        planned(**given)


def test_lists_come_from_files_and_the_environment_too(tmp_path: Path) -> None:
    file = tmp_path / "x.toml"
    file.write_text("concurrency = [1, 2]\nrequests = [5]\n")
    assert [point.options.requests for point in wanted({}, file, {}, (), ()).points] == [5, 5]
    for text in ("1,2.5", "[1, 2.5]"):
        points = wanted({}, None, {"PERFCORE_RATE": text}, (), ()).points
        assert [point.options.rate for point in points] == [1.0, 2.5]


def test_a_flag_with_one_value_goes_before_a_list_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    file.write_text('{"concurrency": [1, 2]}')
    assert wanted({"concurrency": "3"}, file, {}, (), ()).alone


def test_all_pairs_of_models_and_data_sets_are_points_within_which_loads_are() -> None:
    models, datasets = ("vllm_api_general", "tgi_api_general"), ("a.jsonl,b.jsonl",)
    points = planned(models, datasets, concurrency="1,2").points
    assert [point.name for point in points[:3]] == [
        "vllm_api_general--a--concurrency-0001",
        "vllm_api_general--a--concurrency-0002",
        "vllm_api_general--b--concurrency-0001",
    ]
    assert len(points) == 8
    assert {point.options.dialect for point in points} == {"openai-completions", "tgi-generate"}
    assert {point.options.dataset for point in points} == {("a.jsonl",), ("b.jsonl",)}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"models": ("vllm_api_general",), "preset": "tgi_api_general"}, "--preset and --models"),
        ({"datasets": ("a",), "dataset": ("b",)}, "--dataset and --datasets"),
        ({"datasets": ("a",), "prompt": ("b",)}, "--prompt and --datasets"),
        ({"models": ("vllm_api_generall",)}, "unknown preset 'vllm_api_generall'"),
        ({"datasets": ("a,,b",)}, "--datasets 'a,,b': wants text"),
    ],
)
def test_pairs_that_cannot_be_are_refused(given: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        planned(**given)


def test_equal_names_get_a_number() -> None:
    assert [point.name for point in planned(concurrency="4,4").points] == ["concurrency-0004", "concurrency-0004-2"]
    names = [point.name for point in planned((), ("x/rows.jsonl", "y/rows.jsonl", "/../..")).points]
    assert names == ["rows", "rows-2", "run"]


@pytest.mark.parametrize(
    ("value", "name"), [(1, "0001"), (0.5, "0000.5"), (1.0, "0001"), (1e6, "1000000"), (1e-7, "0000.0000001")]
)
def test_numbers_in_names_are_plain_and_sort(value: float, name: str) -> None:
    assert padded(value) == name


@pytest.mark.parametrize(
    ("line", "expanded"),
    [
        ("--models a b --datasets c --", "--models a --models b --datasets c --"),
        ("--models a --quiet", "--models a --quiet"),
        ("--models=a b --rate 1,2", "--models=a --models b --rate 1,2"),
        ("--quiet --models a,b --models c", "--quiet --models a,b --models c"),
        ("--prompt --models --rate 5", "--prompt --models --rate 5"),
        ("--rate=5 -- --models a", "--rate=5 -- --models a"),
    ],
)
def test_names_after_one_flag_are_spread(line: str, expanded: str) -> None:
    assert spread(line.split(), ("--models", "--datasets"), ("--prompt", "--rate", "--models")) == expanded.split()


@pytest.mark.parametrize("line", ["--models", "--models --quiet", "--datasets -- x"])
def test_a_flag_without_names_is_refused(line: str) -> None:
    with pytest.raises(UserError, match="names nothing"):
        spread(line.split(), ("--models", "--datasets"), ())


@pytest.mark.parametrize(
    ("options", "rows"),
    [
        ({"requests": 20}, 20),
        ({"requests": 20, "num_prompts": 5}, 5),
        ({"requests": 20, "warmups": 30}, 30),
        ({"duration_s": 5.0}, None),
        ({"duration_s": 5.0, "num_prompts": 7}, 7),
        ({}, None),
    ],
)
def test_rows_that_a_point_needs(options: dict[str, Any], rows: int | None) -> None:
    assert rows_wanted(StressOptions(**options)) == rows


@pytest.mark.parametrize(
    ("needed", "earlier", "available", "found"),
    [
        (10, [], 100, (3, False)),
        (10, [ran(3, 10)], 100, (13, False)),
        (10, [ran(3, 10), ran(13, 80)], 100, (93, False)),
        (11, [ran(3, 10), ran(13, 80)], 100, (3, True)),
        (10, [ran(3, 10), ran(13, 80)], None, (93, False)),
        (None, [ran(3, 40)], 100, (43, False)),
        (None, [ran(3, 60)], 100, (3, True)),
        (10, [ran(3, 0)], 100, (3, False)),
    ],
)
def test_a_point_begins_behind_the_rows_already_sent(
    needed: int | None, earlier: list[Ran], available: int | None, found: tuple[int, bool]
) -> None:
    assert start(3, needed, earlier, available) == found


def test_a_run_that_came_to_the_end_tells_how_many_rows_there_are() -> None:
    assert rows_there(5, [ran(5, 10)]) is None
    assert rows_there(5, [ran(5, 10), ran(15, 10, rows=60, to_the_end=True)]) == 70
