from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perfcore_ext.sse import EventReader, TooLarge
from tests.reference import sse as reference

WIRE = Path(__file__).parent / "data" / "wire"
untimed = settings(deadline=None)  # the machine may be busy

# Bodies made of the pieces that the rules are about, so that most of them say something.
PIECES = [
    b"\n", b"\r", b"\r\n", b"\n\n", b"data", b"data:", b"data: ", b"event:", b"event: ", b"event", b"id: 7",
    b"retry: 3", b": comment", b":", b" ", b"dat", b"even", b"dataa", b"x", b'{"a":1}', b"[DONE]",
    b"\xef\xbb\xbf", b"\xef\xbb", b"\0",
]  # fmt: skip
bodies = st.lists(st.sampled_from(PIECES) | st.binary(max_size=3), max_size=40).map(b"".join)


def cut(body: bytes, places: Iterable[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(body) + 1) for place in places), len(body)]
    return [body[a:b] for a, b in pairwise(edges)]


def read(portions: Iterable[bytes], framing: str = "sse", limit: int = 1 << 20) -> tuple[list[reference.Event], int]:
    reader = EventReader(framing, limit)
    events = [event for portion in portions for event in reader.feed(portion)]
    return events + reader.finish(), reader.unfinished


def read_until_too_large(portions: Iterable[bytes], framing: str, limit: int) -> tuple[list[bytes], bool]:
    reader = EventReader(framing, limit)
    events: list[bytes] = []
    try:
        for portion in portions:
            for at in range(len(portion)):
                events += [data for data, _ in reader.feed(portion[at : at + 1])]
        return events + [data for data, _ in reader.finish()], False
    except TooLarge:
        return events, True


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_every_line_end_ends_an_event(end: bytes) -> None:
    assert read([end.join([b"data: a", b"", b"data:b", b"", b""])]) == ([(b"a", b""), (b"b", b"")], 0)


@pytest.mark.parametrize(
    ("body", "events"),
    [
        (b"data:  two spaces\n\n", [(b" two spaces", b"")]),
        (b"data: a\ndata\ndata: b\n\n", [(b"a\n\nb", b"")]),
        (b"data\n\n", [(b"", b"")]),
        (b"data\ndata\n\n", [(b"\n", b"")]),
        (b"event: only a name\n\n", []),
        (b"event: e\ndata: a\n\ndata: b\n\n", [(b"a", b"e"), (b"b", b"")]),
        (b"event: e\nevent: f\ndata: a\n\n", [(b"a", b"f")]),
        (b"data: a\nevent\n\n", [(b"a", b"")]),
        (b": comment\ndata: a\n:\n\n", [(b"a", b"")]),
        (b"id: 1\nretry: 2\ndatax: 3\nother\n\n", []),
        (b"\xef\xbb\xbfdata: a\n\n", [(b"a", b"")]),
        (b"\xef\xbbdata: a\n\ndata: b\n\n", [(b"b", b"")]),
        (b"data: a\n\n\xef\xbb\xbfdata: b\n\n", [(b"a", b"")]),
        (b"\n\n\r\n", []),
    ],
)
def test_body_gives_the_events_of_the_whatwg_rules(body: bytes, events: list[reference.Event]) -> None:
    assert read([body])[0] == events
    assert read([bytes([byte]) for byte in body])[0] == events


def test_event_comes_with_its_last_byte_even_where_a_line_feed_may_follow() -> None:
    reader = EventReader()
    assert reader.feed(b"data: a\r\n\r") == [(b"a", b"")]
    assert reader.feed(b"\ndata: b\r\n\r\n") == [(b"b", b"")]


@pytest.mark.parametrize(
    ("body", "unfinished"),
    [
        (b"", 0),
        (b"data: a\n\n", 0),
        (b"data: a\n", 7),
        (b"data: a\n\ndata: b", 7),
        (b"data: a\n\n: ping", 0),
        (b"data: a\n\n: a longer comment", 0),
        (b"data: a\n\ndat", 3),
        (b"event: e\r\ndata: b\r\n\r", 0),
    ],
)
def test_bytes_of_an_unfinished_event_are_told(body: bytes, unfinished: int) -> None:
    assert read([body])[1] == unfinished


@untimed
@given(bodies, st.lists(st.integers(0, 1 << 16), max_size=12))
def test_sse_cut_anywhere_gives_the_events_of_the_reference(body: bytes, places: list[int]) -> None:
    assert read(cut(body, places)) == reference.decode_sse(body)


@untimed
@given(bodies, st.sampled_from(["ndjson", "json"]), st.lists(st.integers(0, 1 << 16), max_size=12))
def test_json_cut_anywhere_gives_the_events_of_the_reference(body: bytes, framing: str, places: list[int]) -> None:
    assert read(cut(body, places), framing)[0] == reference.decode(body, framing)


@untimed
@given(bodies, st.lists(st.integers(0, 1 << 16), max_size=6), st.integers(4, 24), st.sampled_from(["sse", "ndjson"]))
def test_limit_bites_at_the_same_event_wherever_the_body_is_cut(
    body: bytes, places: list[int], limit: int, framing: str
) -> None:
    def outcome(portions: list[bytes]) -> tuple[int, bool]:
        reader = EventReader(framing, limit)
        count = 0
        try:
            for portion in portions:
                count += reader.count(portion)
            return count + len(reader.finish()), False
        except TooLarge:
            return -1, True

    assert outcome(cut(body, places)) == outcome([body]) == outcome([bytes([byte]) for byte in body])


@untimed
@given(bodies, st.integers(4, 24))
def test_body_within_the_limit_is_read_and_one_past_it_is_not(body: bytes, limit: int) -> None:
    events, too_large = read_until_too_large([body], "ndjson", limit)
    expected = reference.decode(body, "ndjson")
    assert too_large == any(len(line) > limit for line in body.split(b"\n"))
    assert events == [data for data, _ in expected][: len(events)]


@pytest.mark.parametrize("start", [b"data: ", b"event: ", b": ", b"id: ", b""])
def test_endless_line_is_too_large_and_stays_so(start: bytes) -> None:
    reader = EventReader(limit=1000)
    assert reader.feed(b"data: a\n\n" + start) == [(b"a", b"")]
    with pytest.raises(TooLarge):
        for _ in range(11):
            reader.feed(b"x" * 100)
    with pytest.raises(TooLarge):
        reader.feed(b"\n\ndata: b\n\n")


def test_endless_event_of_short_lines_is_too_large() -> None:
    reader = EventReader(limit=1000)
    with pytest.raises(TooLarge):
        reader.feed(b"data: 0123456789\n" * 100)


def test_endless_comments_between_events_are_no_event() -> None:
    reader = EventReader(limit=100)
    assert reader.feed(b": ping\n" * 1000) == []
    assert reader.feed(b"data: a\n\n") == [(b"a", b"")]


@pytest.mark.parametrize("framing", ["sse", "ndjson", "json"])
def test_event_of_two_million_bytes_arrives_whole(framing: str) -> None:
    value = bytes(range(32, 127)) * 20_000
    body = b"data: " + value + b"\n\n" if framing == "sse" else value
    portions = [body[at : at + 16_000] for at in range(0, len(body), 16_000)]
    assert read(portions, framing, 2_000_000)[0] == [(value, b"")]
    with pytest.raises(TooLarge):
        read(portions, framing, 1_800_000)


@pytest.mark.parametrize("name", ["transformers-serve.sse", "llama-cpp-python.sse", "litellm-proxy.sse"])
def test_body_of_a_real_server_reads_as_in_the_reference(name: str) -> None:
    body = (WIRE / name).read_bytes()
    events, unfinished = reference.decode_sse(body)
    assert len(events) > 5
    for size in (1, 7, 100, len(body)):
        assert read([body[at : at + size] for at in range(0, len(body), size)]) == (events, unfinished)


def test_count_feeds_without_building_the_events() -> None:
    reader = EventReader()
    assert reader.count(b"data: a\n\ndata: b\n\ndata: c") == 2
    assert reader.feed(b"\n\n") == [(b"c", b"")]


@pytest.mark.parametrize(("framing", "limit"), [("xml", 10), ("sse", 0), ("sse", -1)])
def test_unknown_framing_or_limit_is_refused(framing: str, limit: int) -> None:
    with pytest.raises(ValueError, match="framing"):
        EventReader(framing, limit)
