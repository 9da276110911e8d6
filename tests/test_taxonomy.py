"""Classes of failure: told by the server's words, explained in one table, which the page of documentation equals."""

import json
import re
from pathlib import Path

import pytest

from perfcore.analysis import metrics
from perfcore.options import OPTIONS, flag_of
from perfcore.records.taxonomy import CLASSES, NAMED, explained, refined, table
from perfcore.report import terminal
from perfcore_ext import frame
from tests.captures import load
from tests.reference.records import run

DATA = Path(__file__).parent / "data"
PAGE = Path(__file__).parents[1] / "docs" / "failures.md"

# What services say, in the form in which it arrives (a body, or the message of an error inside an answer), with the
# class that the loop gives it and the one that the words name.
SAID = [json.loads(line) for line in (DATA / "failures.jsonl").read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("case", SAID, ids=lambda case: f"{case['service']}: {case['said'][:40]}")
def test_words_of_a_service_name_the_class(case: dict[str, str]) -> None:
    assert refined(case["loop"], case["said"]) == case["named"]


@pytest.mark.parametrize(
    ("capture", "name", "wanted"),
    [
        ("litellm-proxy/err_toolong", "http_400", "context_too_long"),
        ("litellm-proxy/err_badmodel", "http_400", "unknown_model"),
        ("transformers-serve/err_badmodel", "http_400", "unknown_model"),
        ("triton/err_badmodel", "not_found", "unknown_model"),
        ("triton/err_badpath", "not_found", "not_found"),
        ("litellm-proxy/err_badpath", "not_found", "not_found"),
        ("litellm-proxy/err_badjson", "http_400", "http_400"),
        ("litellm-proxy/err_badtype", "http_400", "http_400"),
        ("transformers-serve/err_unknownfield", "http_422", "http_422"),
        ("transformers-serve/err_nomessages", "http_500", "http_500"),
        ("triton/err_generate_fail", "http_400", "http_400"),
    ],
)
def test_captured_errors_get_their_class(capture: str, name: str, wanted: str) -> None:
    assert refined(name, load(capture).body.decode()) == wanted


def test_long_evidence_is_looked_at_from_its_beginning() -> None:
    assert refined("http_400", "x" * 5000 + "prompt is too long") == "http_400"


def test_every_class_is_explained() -> None:
    named = set(frame.ERROR_CLASSES) - {"ok", "http_status"} | set(NAMED)
    assert named | {"http_3xx", "http_4xx", "http_5xx"} == CLASSES.keys()
    assert all(words.endswith(".") for told in CLASSES.values() for words in told)


@pytest.mark.parametrize(
    ("name", "family"), [("http_503", "http_5xx"), ("http_418", "http_4xx"), ("http_000", "other")]
)
def test_status_is_explained_by_its_family(name: str, family: str) -> None:
    assert explained(name) == CLASSES[family]


def test_remedies_name_only_flags_that_there_are() -> None:
    flags = {flag_of(name) for name in OPTIONS} | {"--no-stream"}
    told = " ".join(words for explanation in CLASSES.values() for words in explanation)
    assert set(re.findall(r"--[a-z][a-z-]*", told)) <= flags


def test_page_of_failures_has_the_table() -> None:
    assert table() in PAGE.read_text(encoding="utf-8")


def test_report_says_what_to_do() -> None:
    shown = terminal.render(metrics.compute(run({"error_class": "refused"}, {"error_class": "http_500"})), None)
    words = " ".join(shown.split())
    assert f"refused: {CLASSES['refused'].cause} {CLASSES['refused'].remedy}" in words
    assert f"http_500: {CLASSES['http_5xx'].cause}" in words
