import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perfcore.records import frame as frames
from perfcore_ext import frame
from tests.reference import frame as twin
from tests.reference.frame import Event, pack

EVENTS = st.builds(
    Event,
    t_ns=st.integers(0, 2**62),
    kind=st.integers(0, 511),
    chars=st.integers(0, 2**32 - 1),
    read_seq=st.integers(0, 2**32 - 1),
    read_delay_ns=st.integers(0, 2**32 - 1),
)
FRAMES = st.builds(
    pack,
    st.lists(EVENTS, max_size=5),
    request_id=st.integers(0, 2**62),
    worker=st.integers(0, 65535),
    content=st.binary(max_size=9),
    reasoning=st.binary(max_size=9),
    tool=st.binary(max_size=9),
    finish=st.binary(max_size=9),
    error=st.binary(max_size=9),
    raw=st.binary(max_size=9),
    turn=st.integers(0, 2**32 - 1),
    target=st.integers(0, 255),
)


def unpacked(data: bytes) -> list[dict[str, Any]]:
    """What twin.unpack gives, from the columns."""
    cut, _, _ = frames.cut(data)
    events = frames.events(cut, np.arange(len(cut)))
    found = []
    for row, header in enumerate(cut.headers):
        fields = {name: header[name].item() for name in twin.NAMES}
        mine = np.flatnonzero(events.row == row)
        columns = (events.t_ns, events.kinds, events.chars, events.read_seq, events.read_delay_ns)
        fields["events"] = [Event(*(int(column[at]) for column in columns)) for at in mine]
        assert (events.request_id[mine] == fields["request_id"]).all()
        found.append(fields | {name: frames.ranges(cut, name)[row] for name in frame.RANGES})
    return found


@settings(deadline=None)
@given(st.lists(FRAMES, max_size=5), st.integers(0, 400))
def test_columns_hold_what_the_twin_unpacks(packed: list[bytes], cut: int) -> None:
    data = b"".join(packed)
    data = data[: max(0, len(data) - cut)]
    assert unpacked(data) == twin.unpack(data)


@settings(deadline=None)
@given(st.lists(FRAMES, min_size=1, max_size=4), st.binary(max_size=300), st.integers(0, 3))
def test_frames_are_found_again_behind_other_bytes(packed: list[bytes], junk: bytes, at: int) -> None:
    at %= len(packed)
    stream = b"".join(packed[:at]) + junk + b"".join(packed[at:])
    cut, used, passed = frames.cut(stream)
    assert (len(cut), used, passed) == (len(packed), len(stream), len(junk))


def test_stream_that_starts_inside_a_frame_is_read_from_the_next_one() -> None:
    first, second = pack([Event(1)], content=b"abc"), pack([Event(2)], content=b"def")
    cut, used, passed = frames.cut((first + second)[100:])
    assert frames.ranges(cut, "content") == [b"def"]
    assert (used, passed) == (len(first + second) - 100, len(first) - 100)


def test_magic_that_is_cut_at_the_end_is_left_for_the_next_call() -> None:
    cut, used, passed = frames.cut(bytes(300) + frame.MAGIC[:2])
    assert (len(cut), used, passed) == (0, 299, 299)


@pytest.mark.parametrize(
    "fields",
    [
        {"error_class": len(frame.ERROR_CLASSES)},
        {"phase": len(frame.PHASES)},
        {"magic": 1},
        {"events": 2},
        {"length": 8},
    ],
)
def test_header_that_makes_no_sense_is_no_frame(fields: dict[str, int]) -> None:
    header = np.frombuffer(bytearray(pack([Event(1)])[: frames.HEADER.itemsize]), frames.HEADER).copy()
    for name, value in fields.items():
        header[name] = value
    with pytest.raises(frame.FrameError):
        frame.split(header.tobytes() + bytes(64), bytearray())


def test_no_bytes_are_no_frames() -> None:
    cut, used, passed = frames.cut(b"")
    assert (len(cut), used, passed) == (0, 0, 0)
    assert len(frames.events(cut, np.arange(0)).t_ns) == 0


@settings(deadline=None)
@given(st.text())
def test_text_is_decoded_as_json_would_be(value: str) -> None:
    for ascii_only in (False, True):
        body = json.dumps(value, ensure_ascii=ascii_only)[1:-1].encode()
        assert frames.text(body) == twin.text(body) == value


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (rb"\ud83d\ude00", "\U0001f600"),
        (rb"\ud83d", "\ufffd"),
        (rb"a\ude00b", "a\ufffdb"),
        (rb"\ud83dA\u00e9", "\ufffdA\u00e9"),
        (b"caf\xc3", "caf\ufffd"),
        (b"line\nbreak", "line\nbreak"),
        (rb"no \x escape", r"no \x escape"),
        (b"open \\", "open \\"),
        (b'quote " inside', 'quote " inside'),
    ],
)
def test_broken_text_is_mended_and_never_raises(body: bytes, value: str) -> None:
    assert frames.text(body) == value


@settings(deadline=None)
@given(st.binary())
def test_any_bytes_give_text_that_can_be_encoded(body: bytes) -> None:
    frames.text(body).encode()
    frames.error_text(body).encode()


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b'"model \\"x\\" not found"', 'model "x" not found'),
        (b'{"code": 1}', '{"code": 1}'),
        (b"<html>\xff", "<html>\ufffd"),
        (b'"', '"'),
        (b"x" * 70_000, "x" * 65_536),
        (b"", ""),
    ],
)
def test_error_is_shown_as_it_came(raw: bytes, value: str) -> None:
    assert frames.error_text(raw) == value
