"""Prometheus text and OpenMetrics, line by line."""

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfcore.records.prometheus import Known, samples
from tests.documented import metrics

TRITON = Path(__file__).parent / "data" / "metrics" / "triton.txt"


def read(text: str, known: Known | None = None) -> list[tuple[str, dict[str, str], float]]:
    known = known or Known()
    return [(known.names[code], known.labels[code], value) for code, value in samples(text, known)]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("up 1", ("up", {}, 1.0)),
        ("up{} 1", ("up", {}, 1.0)),
        ('vllm:x{a="b c",d="e"} 2.5', ("vllm:x", {"a": "b c", "d": "e"}, 2.5)),
        ('x{a="}",} 3', ("x", {"a": "}"}, 3.0)),
        (r'x{a="say \"hi\"\n\\"} 3', ("x", {"a": 'say "hi"\n\\'}, 3.0)),
        ("x 4 1700000000000", ("x", {}, 4.0)),
        ('x_bucket{le="1"} 5 # {trace_id="t"} 0.4 1.7e9', ("x_bucket", {"le": "1"}, 5.0)),
        ("x\t+Inf\r", ("x", {}, math.inf)),
        ("  x   6  ", ("x", {}, 6.0)),
        ("x 1e-3", ("x", {}, 0.001)),
    ],
)
def test_a_line_is_read_as_the_format_says(line: str, expected: tuple[str, dict[str, str], float]) -> None:
    assert read(line) == [expected]


@pytest.mark.parametrize("line", ["<html>", "x", 'x{a="b" 1', "x{a=b} 1", "x one", "9x 1", '{"detail":"Not Found"}'])
def test_what_is_no_sample_is_counted_and_the_rest_is_read(line: str) -> None:
    known = Known()
    assert read(f"a 1\n{line}\nb 2\n", known) == [("a", {}, 1.0), ("b", {}, 2.0)]
    assert known.unread == 1


def test_comments_blank_lines_and_the_end_mark_are_no_samples_and_no_faults() -> None:
    known = Known()
    assert read("# HELP x y\n# TYPE x counter\n\n  # odd\nx_total 1\n# EOF\n", known) == [("x_total", {}, 1.0)]
    assert known.unread == 0


def test_a_series_keeps_its_number_from_text_to_text() -> None:
    known = Known()
    first = list(samples('a{x="1"} 1\nb 2\n', known))
    assert list(samples('b 3\na{x="1"} 4\n', known)) == [(first[1][0], 3.0), (first[0][0], 4.0)]


def test_a_text_captured_from_triton_is_read_whole() -> None:
    found = read(TRITON.read_text())
    assert ("nv_inference_request_success", {"model": "tinydec", "version": "1"}, 11.0) in found
    assert len(found) == 31


@given(
    st.dictionaries(st.from_regex(r"[a-z_][a-z0-9_]{0,5}", fullmatch=True), st.text(max_size=8), max_size=3),
    st.floats(allow_nan=False),
)
def test_what_is_written_by_the_rules_is_read_back(labels: dict[str, str], value: float) -> None:
    def escaped(text: str) -> str:
        return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")

    inner = ",".join(f'{name}="{escaped(text)}"' for name, text in labels.items())
    assert read(f"x{{{inner}}} {value!r}\n") == [("x", labels, value)]


@given(st.text(max_size=200))
def test_no_text_is_too_odd_to_be_read(text: str) -> None:
    assert all(name for name, _, _ in read(text))


@pytest.mark.parametrize("text", [metrics.vllm(), TRITON.read_text(), metrics.DCGM.format(power=1.5, busy=3)])
def test_the_library_of_prometheus_reads_the_same(text: str) -> None:
    parser = pytest.importorskip("prometheus_client.parser")
    untyped = "\n".join(line for line in text.splitlines() if not line.startswith("#")) + "\n"
    theirs = [
        (s.name, s.labels, s.value) for family in parser.text_string_to_metric_families(untyped) for s in family.samples
    ]
    assert sorted(read(text), key=repr) == sorted(theirs, key=repr)
