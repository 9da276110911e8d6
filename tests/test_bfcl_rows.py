"""The rows of BFCL, and `perfcore eval` of them against a service that calls functions."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from perfcore.errors import UserError
from perfcore.workload.row import Row
from tests.calling import DATA, LARGE, Caller, calling, needs_data, right_calls, right_text, rows
from tests.endtoend import run_here


@needs_data
def test_all_rows_are_read_and_their_functions_have_names_that_services_take() -> None:
    everything = rows("bfcl", LARGE)
    assert len(everything) == 3641
    tools = [tool["function"] for row in everything for tool in row.tools or []]
    assert all(set(tool["name"]) <= {*map(chr, range(48, 123)), "-"} for tool in tools)
    assert kinds([tool["parameters"] for tool in tools]) == {
        "object",
        "array",
        "string",
        "integer",
        "number",
        "boolean",
    }


def kinds(schemas: Sequence[Mapping[str, Any]]) -> set[str]:
    inside = [one for schema in schemas for one in schema.get("properties", {}).values()]
    items = [schema["items"] for schema in schemas if schema.get("items")]
    return {schema["type"] for schema in schemas} | (kinds([*inside, *items]) if inside or items else set())


def test_arguments_of_java_are_asked_for_as_texts() -> None:
    tool = rows("BFCL_gen_java", DATA)[0].tools
    assert tool is not None
    assert tool[0]["function"]["name"] == "GeometryPresentation_createPresentation"
    controller = tool[0]["function"]["parameters"]["properties"]["controller"]
    assert controller["type"] == "string"
    assert controller["description"].endswith("(As Java 8 source: any.)")


def test_functions_are_described_in_front_where_calls_come_in_the_text() -> None:
    row = rows("BFCL_gen_simple", DATA, calls="text")[0]
    assert row.tools is None and row.messages is not None
    assert [message["role"] for message in row.messages] == ["system", "user"]
    assert "calculate_triangle_area" in row.messages[0]["content"]


def test_rows_are_chosen_by_their_ids(tmp_path: Path) -> None:
    file = tmp_path / "ids.json"
    file.write_text(json.dumps({"simple_python": ["simple_python_1"]}))
    assert [row.id for row in rows("BFCL_gen_simple", DATA, ids=str(file))] == ["simple_python_1"]
    assert [row.id for row in rows("BFCL_gen_simple", DATA, ids=["simple_python_0"])] == ["simple_python_0"]
    with pytest.raises(UserError, match="no row is named 'simple_python_9'"):
        rows("BFCL_gen_simple", DATA, ids=["simple_python_9"])
    with pytest.raises(UserError, match="is there; write ids"):
        rows("BFCL_gen_simple", DATA, ids="nowhere.json")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"id": 1}, "line 1: has no text as id"),
        ({"id": "multi_turn_base_0"}, "several turns"),
        ({"id": "simple_python_77"}, "has no possible answer"),
        ({"question": [[], []]}, "question is no list with the messages of one turn"),
        ({"function": {"name": "f"}}, "function is no list of objects"),
    ],
)
def test_a_broken_row_is_named(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    line = (DATA / "bfcl/BFCL_v4_simple_python.json").read_text().splitlines()[0]
    folder = tmp_path / "bfcl" / "possible_answer"
    folder.mkdir(parents=True)
    name = "BFCL_v4_simple_python.json"
    (folder / name).write_bytes((DATA / "bfcl/possible_answer" / name).read_bytes())
    (tmp_path / "bfcl" / name).write_text(f"{json.dumps(json.loads(line) | change)}\n{line}\n")
    with pytest.raises(UserError, match=words):
        rows("BFCL_gen_simple", tmp_path)


def test_answers_that_are_not_beside_the_questions_are_asked_for(tmp_path: Path) -> None:
    (tmp_path / "bfcl").mkdir()
    name = "BFCL_v4_simple_python.json"
    (tmp_path / "bfcl" / name).write_bytes((DATA / "bfcl" / name).read_bytes())
    with pytest.raises(UserError, match=r"has no possible answers beside it; put them into .*possible_answer"):
        rows("BFCL_gen_simple", tmp_path)


def evaluated(name: str, caller: Caller, out: Path, *more: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The result of `perfcore eval`, and what it says of each answer."""
    with calling(caller) as service:
        asked = ("--url", service.url, "--no-check", "--data-dir", DATA, "--out", out, "--dump-details")
        done = run_here("eval", "--datasets", name, *asked, *more)
    assert done.exit_code == 0, done.stderr
    results = out / "results" / "caller"
    details = [json.loads(line) for line in (results / f"{name}.jsonl").read_text().splitlines()]
    return json.loads((results / f"{name}.json").read_bytes()), details


def said(row: Row) -> str:
    return str((row.messages or [])[-1]["content"])


@pytest.mark.parametrize(
    "name", ["BFCL_gen_simple", "BFCL_gen_java", "BFCL_gen_javascript", "BFCL_gen_parallel_multiple"]
)
def test_calls_that_a_service_streams_are_scored(name: str, tmp_path: Path) -> None:
    replies = {said(row): [(n.replace(".", "_"), given) for n, given in right_calls(row)] for row in rows(name, DATA)}
    caller = Caller(replies)
    result, details = evaluated(name, caller, tmp_path / "out")
    assert (result["measures"][0]["value"], result["counts"]["empty"]) == (1.0, 0)
    assert all(body["tools"] for body in caller.bodies)
    assert {line["rule"] for line in details} == {"tool_calls"}


def test_calls_in_a_text_are_scored(tmp_path: Path) -> None:
    right, wrong = rows("BFCL_gen_simple", DATA)
    caller = Caller({said(right): right_text(right), said(wrong): "math.factorial(number='5')"})
    _, details = evaluated("BFCL_gen_simple", caller, tmp_path / "out", "--dataset-args", "calls=text")
    assert {line["why"] for line in details} == {"", "number of math.factorial is '5', which is no integer"}
    assert all("tools" not in body for body in caller.bodies)


def test_an_answer_without_calls_is_right_where_no_function_helps(tmp_path: Path) -> None:
    replies = {said(row): "I have no function for that." for row in rows("BFCL_gen_irrelevance", DATA)}
    result, _ = evaluated("BFCL_gen_irrelevance", Caller(replies), tmp_path / "out")
    assert result["measures"][0]["value"] == 1.0
