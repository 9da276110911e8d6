"""Recorded requests: bodies as they were, headers without the connection's and without secrets."""

import json
from pathlib import Path
from typing import Any

import pytest

from perfcore.errors import UserError
from perfcore.workload.row import Row
from perfcore.workload.source import Wanted
from perfcore.workload.sources.recorded import Recorded, WorkloadTrace, read_workload_trace

BODY = {"model": "big", "messages": [{"role": "user", "content": "hi"}], "stream": True, "max_tokens": 9, "stop": ["x"]}


def opened(folder: Path, *rows: Any, unit: str = "s", **settings: Any) -> Recorded:
    path = folder / "recorded.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return read_workload_trace([path], WorkloadTrace(**settings), Wanted(timestamp_unit=unit))


def one(folder: Path, row: Any, **settings: Any) -> Row:
    (found,) = opened(folder, row, **settings)
    return found


def test_a_body_is_sent_as_it_was_recorded(tmp_path: Path) -> None:
    row = one(tmp_path, {"body": BODY, "request_id": "r-1", "completion_tokens": 7, "timestamp": 2})
    assert (row.id, row.body, row.max_tokens, row.timestamp_ns) == ("r-1", BODY, 9, 2_000_000_000)
    assert row.meta == {"completion_tokens": 7}


@pytest.mark.parametrize(
    ("given", "unit", "expected_ns"),
    [(1500, "ms", 1_500_000_000), ("2026-01-01T00:00:00.25Z", "ms", 1_767_225_600_250_000_000), (None, "s", None)],
)
def test_a_time_is_a_number_in_the_unit_or_a_date_or_none(
    tmp_path: Path, given: Any, unit: str, expected_ns: int | None
) -> None:
    (row,) = opened(tmp_path, {"body": BODY, "timestamp": given}, unit=unit)
    assert row.timestamp_ns == expected_ns


def test_a_body_may_be_the_text_of_an_object(tmp_path: Path) -> None:
    assert one(tmp_path, {"body": json.dumps(BODY), "headers": '{"x-tenant": "a"}'}).body == BODY


@pytest.mark.parametrize(
    ("settings", "model"),
    [
        ({}, "big"),
        ({"model_mapping": {"big": "small"}}, "small"),
        ({"model_mapping": {"other": "small"}}, "big"),
        ({"model_override": "mine", "model_mapping": {"big": "small"}}, "mine"),
    ],
)
def test_models_are_mapped(tmp_path: Path, settings: dict[str, Any], model: str) -> None:
    body = one(tmp_path, {"body": BODY}, **settings).body
    assert body is not None and body["model"] == model


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({"max_tokens": 9}, {"max_tokens": 7}),
        ({"max_completion_tokens": 9}, {"max_completion_tokens": 7}),
        ({"max_output_tokens": 9, "max_tokens": None}, {"max_output_tokens": 7}),
        ({}, {"max_tokens": 7}),
        ({"stop": ["x"], "min_tokens": 8}, {"max_tokens": 7}),
    ],
)
def test_answers_can_be_asked_for_in_their_recorded_length(
    tmp_path: Path, limits: dict[str, Any], expected: dict[str, Any]
) -> None:
    given = {"body": {"prompt": "hi", **limits}, "completion_tokens": 7}
    row = one(tmp_path, given, match_output_length=True)
    assert row.body == {"prompt": "hi", "ignore_eos": True, **expected}
    assert row.max_tokens == 7


def test_headers_of_the_connection_and_of_the_client_are_left_out(tmp_path: Path) -> None:
    headers = {
        **{"Host": "a", "Content-Length": "3", "Connection": "keep-alive, X-Hop", "X-Hop": "1", "TE": "trailers"},
        **{":authority": "a", "Transfer-Encoding": "chunked", "Accept-Encoding": "br", "X-Request-Id": "5"},
        **{"X-Tenant": "a", "traceparent": "00-1", "X-Count": 3},
    }
    row = one(tmp_path, {"body": BODY, "headers": headers})
    assert row.headers == {"X-Tenant": "a", "traceparent": "00-1", "X-Count": "3"}
    assert row.meta == {}


def test_headers_that_look_like_secrets_are_left_out_and_that_is_said(tmp_path: Path) -> None:
    headers = [["Authorization", "Bearer s3cret"], ["X-Api-Key", "s3cret"], ["X-Tenant", "a"], ["X-Tenant", "b"]]
    rows = opened(tmp_path, {"body": BODY, "headers": headers}, {"body": BODY, "headers": headers[:1]})
    found = list(rows)
    assert found[0].headers == {"X-Tenant": "a, b"}
    assert "s3cret" not in str(found)
    assert [remark.partition(" looks")[0] for remark in rows.remarks] == [
        "the header Authorization of 2 requests",
        "the header X-Api-Key of 1 requests",
    ]


def test_a_secret_that_is_asked_for_is_kept(tmp_path: Path) -> None:
    row = one(tmp_path, {"body": BODY, "headers": {"Authorization": "Bearer x"}}, keep_headers=["authorization"])
    assert row.headers == {"Authorization": "Bearer x"}


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({}, "has no body"),
        ({"body": []}, "body is a JSON array; it has to be an object"),
        ({"body": {}}, "body is empty; it has to be an object"),
        ({"body": "{"}, "body is text that is not JSON"),
        ({"body": "[" * 100_000}, "body is text that is not JSON"),
        ({"body": BODY, "timestamp": [1]}, r"timestamp is \[1\], which is no time"),
        ({"body": BODY, "timestamp": 1.7e12}, "timestamp is .* in another unit"),
        ({"body": BODY, "completion_tokens": -1}, "completion_tokens is -1; it has to be"),
        ({"body": BODY, "completion_tokens": True}, "completion_tokens is True; it has to be"),
        ({"body": BODY, "request_id": {}}, "request_id is a JSON object"),
        ({"body": BODY, "headers": 5}, "headers is a JSON number; it has to be an object"),
        ({"body": BODY, "headers": ["x"]}, "headers is no object of names and values"),
        ({"body": BODY, "headers": {"x": {"y": 1}}}, "headers has 'x' with a JSON object"),
        ({"body": BODY, "headers": {"x": "a\r\nHost: b"}}, "headers has 'x', which no request can carry"),
        ({"body": BODY, "headers": {"a b": "c"}}, "headers has 'a b', which no request can carry"),
        ([1], "a JSON array, not an object"),
    ],
)
def test_a_broken_row_is_named(tmp_path: Path, row: Any, words: str) -> None:
    with pytest.raises(UserError, match=rf"recorded.jsonl, line 2: {words}"):
        list(opened(tmp_path, {"body": BODY}, row))


def test_a_length_that_was_not_recorded_cannot_be_matched(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"line 1: has no completion_tokens, which match_output_length needs"):
        one(tmp_path, {"body": BODY}, match_output_length=True)
