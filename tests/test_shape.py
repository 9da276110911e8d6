"""Shapes of a rate as they are written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfcore.shape import Shape, parse_shape


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("steps:5@30s,10@1m", Shape("steps", (30.0, 60.0), (5.0, 10.0))),
        (" steps: 5@500ms , 0@2 , 1.5@1h ", Shape("steps", (0.5, 2.0, 3600.0), (5.0, 0.0, 1.5))),
        ("spikes:30s,5s,4", Shape("spikes", (25.0, 5.0), (1.0, 4.0))),
        ("onoff:10s,5s", Shape("onoff", (10.0, 5.0), (1.0, 0.0))),
        ("sine:1m,0.5", Shape("sine", (60.0,), (0.5,))),
    ],
)
def test_each_shape_is_read(text: str, shape: Shape) -> None:
    assert parse_shape(text) == shape


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "wants steps:5@30s,10@30s or spikes"),
        ("stairs:5@30s", "wants steps:5@30s,10@30s or spikes"),
        ("steps", "wants steps of RATE@TIME"),
        ("steps:5@30s,", "wants steps of RATE@TIME"),
        ("steps:5@@30s", "wants steps of RATE@TIME"),
        ("steps:x@30s", "wants a number"),
        ("steps:nan@30s", "wants a number"),
        ("steps:5@soon", "wants seconds or a time"),
        ("steps:5@0s", "wants times above 0 and of at most a year, which 0s is not"),
        ("steps:5@-1", "wants times above 0"),
        ("steps:0@5s,5@5s", "above 0 in the first and the last"),
        ("steps:5@5s,0@5s", "above 0 in the first and the last"),
        ("steps:5@5s,-1@5s,5@5s", "rates from 0 to 10,000,000"),
        ("steps:1e9@5s", "rates from 0 to 10,000,000"),
        ("steps:5@1e300", "of at most a year"),
        ("spikes:30s,5s", "wants spikes:EVERY,FOR,TIMES"),
        ("spikes:5s,5s,2", "wants spikes shorter than"),
        ("spikes:5s,1s,0", "more than 0 and at most 1,000 times"),
        ("onoff:5s", "wants onoff:ON,OFF"),
        ("onoff:5s,0", "wants times above 0"),
        ("sine:60s", "wants sine:PERIOD,DEPTH"),
        ("sine:60s,2", "wants a depth above 0 and at most 1"),
    ],
)
def test_what_is_no_shape_is_refused_in_words(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_shape(text)


@given(st.text(max_size=30) | st.from_regex(r"(steps|spikes|onoff|sine):[-0-9.eE@,smh]{0,20}", fullmatch=True))
def test_any_text_is_a_shape_or_refused(text: str) -> None:
    try:
        shape = parse_shape(text)
    except ValueError as error:
        assert str(error).startswith("wants")
    else:
        assert min(shape.lengths_s) > 0
