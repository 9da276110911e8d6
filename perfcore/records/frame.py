"""Frames (perfcore_ext/frame.pxd) as columns: many at a time, never event by event."""

import json
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from perfcore.types import Events
from perfcore_ext import frame

HEADER = np.dtype(frame.HEADER_FIELDS)
EVENT_SIZES = {name: np.dtype(form).itemsize for name, form in frame.EVENT_FIELDS}
MAX_ERROR_BYTES = 1 << 16

_decode_string = msgspec.json.Decoder(str).decode


@dataclass(frozen=True)
class Frames:
    """Whole frames of one piece of a worker's stream."""

    data: bytes | bytearray
    offsets: NDArray[np.int64]  # where in `data` each frame starts
    headers: NDArray[np.void]  # of dtype HEADER

    def __len__(self) -> int:
        return len(self.offsets)


def cut(data: bytes | bytearray) -> tuple[Frames, int, int]:
    """The whole frames in `data`, the bytes used up, and how many of those belong to no frame.

    A frame that is cut short at the end is not used. Where no frame starts, bytes up to the next one are passed over.
    """
    offsets = bytearray()
    used, passed = 0, 0
    while True:
        try:
            used += _split_from(data, used, offsets)
            break
        except frame.FrameError as error:
            at = used + error.offset
            used = _next_frame(data, at + 1)
            passed += used - at
    starts = np.frombuffer(offsets, np.int64)
    return Frames(data, starts, _headers(data, starts)), used, passed


def _split_from(data: bytes | bytearray, start: int, offsets: bytearray) -> int:
    """frame.split of data[start:], with offsets in the whole of `data` even if it raises."""
    if start == 0:
        return frame.split(data, offsets)
    found = bytearray()
    try:
        return frame.split(memoryview(data)[start:], found)
    finally:
        offsets += (np.frombuffer(found, np.int64) + start).tobytes()


def _next_frame(data: bytes | bytearray, start: int) -> int:
    """Where the magic next stands, or where it may begin to stand at the very end."""
    found = data.find(frame.MAGIC, start)
    return found if found >= 0 else max(start, len(data) - len(frame.MAGIC) + 1)


def _headers(data: bytes | bytearray, offsets: NDArray[np.int64]) -> NDArray[np.void]:
    target = bytearray(len(offsets) * HEADER.itemsize)
    frame.gather(data, offsets.data, np.full(len(offsets), HEADER.itemsize).data, target)
    return np.frombuffer(target, HEADER)


def events(frames: Frames, rows: NDArray[np.int64]) -> Events:
    """The events of all frames, one frame after the other; `rows` are the rows of the frames in Requests."""
    counts = frames.headers["events"].astype(np.int64)
    starts = frames.offsets + HEADER.itemsize
    columns = {}
    for name, form in frame.EVENT_FIELDS:
        lengths = counts * EVENT_SIZES[name]
        target = bytearray(int(lengths.sum()))
        frame.gather(frames.data, starts.data, lengths.data, target)
        columns[name] = np.frombuffer(target, form)
        starts = starts + lengths
    return Events(
        row=np.repeat(rows, counts),
        request_id=np.repeat(frames.headers["request_id"], counts),
        t_ns=columns["wake_ns"],
        read_delay_ns=columns["read_delay_ns"],
        read_seq=columns["read_seq"],
        kinds=columns["kinds"],
        chars=columns["chars"],
    )


def ranges(frames: Frames, name: str) -> list[bytes]:
    """The bytes of one of frame.RANGES, frame by frame; empty where a frame has none."""
    lengths = frames.headers[f"{name}_length"].astype(np.int64)
    return frame.slices(frames.data, _range_start(frames, name).data, lengths.data)


def _range_start(frames: Frames, name: str) -> NDArray[np.int64]:
    starts = frames.offsets + HEADER.itemsize + frames.headers["events"].astype(np.int64) * sum(EVENT_SIZES.values())
    for earlier in frame.RANGES[: frame.RANGES.index(name)]:
        starts = starts + frames.headers[f"{earlier}_length"]
    return starts


def text(body: bytes) -> str:
    """The string that a JSON string body (still escaped, no quotes) stands for.

    Never raises: what is no valid Unicode becomes U+FFFD, and a body with a wrong escape is given as it stands.
    """
    try:
        return _decode_string(b'"' + body + b'"')
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _mended(body.decode("utf-8", "replace"))


def _mended(body: str) -> str:
    try:
        decoded = str(json.loads(f'"{body}"', strict=False))
    except ValueError:
        return body
    return decoded.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def error_text(raw: bytes) -> str:
    """The message in an error range: a JSON string's value, anything else as it came, cut to 64 KiB."""
    if len(raw) >= 2 and raw[:1] == raw[-1:] == b'"':
        return text(raw[1:-1])[:MAX_ERROR_BYTES]
    return raw[:MAX_ERROR_BYTES].decode("utf-8", "replace")
