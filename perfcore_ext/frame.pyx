"""Frames seen from Python: their layout as a numpy dtype and two primitives to cut columns out of many at once."""

from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer, Py_buffer
from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memcpy

from perfcore_ext.frame cimport (
    CLASS_OTHER, FRAME_MAGIC, PHASE_FILLER, FrameHeader,
    KIND_BAD_JSON, KIND_CONTENT, KIND_DONE, KIND_ERROR, KIND_FINISH, KIND_GENERATED, KIND_REASONING, KIND_ROLE,
    KIND_TOOL, KIND_USAGE,
)

cdef enum:
    EVENT_BYTES = 22                  # of EVENT_FIELDS together

MAGIC = int(FRAME_MAGIC).to_bytes(4, "little")
HEADER_BYTES = sizeof(FrameHeader)

# (name, numpy format) in the order of FrameHeader, which is packed: numpy adds no padding of its own either.
HEADER_FIELDS = [
    ("magic", "<u4"), ("length", "<u4"), ("sequence", "<u8"),
    ("request_id", "<i8"), ("index", "<i8"), ("repeat", "<i8"),
    ("due_ns", "<i8"), ("sent_ns", "<i8"), ("uploaded_ns", "<i8"), ("first_byte_ns", "<i8"),
    ("first_token_ns", "<i8"), ("first_answer_ns", "<i8"), ("last_token_ns", "<i8"), ("last_output_ns", "<i8"),
    ("end_ns", "<i8"), ("bytes_received", "<i8"),
    ("input_tokens", "<i8"), ("output_tokens", "<i8"), ("reasoning_tokens", "<i8"), ("cached_tokens", "<i8"),
    ("retry_after_ns", "<i8"), ("dns_ns", "<i8"), ("tcp_ns", "<i8"), ("tls_ns", "<i8"),
    ("events", "<u4"), ("token_events", "<u4"), ("bad_json", "<u4"),
    ("content_length", "<u4"), ("reasoning_length", "<u4"), ("tool_length", "<u4"),
    ("finish_length", "<u4"), ("error_length", "<u4"), ("raw_length", "<u4"), ("turn", "<u4"),
    ("worker", "<u2"), ("attempt", "<u2"), ("http_status", "<u2"), ("curl_code", "<u2"),
    ("error_class", "u1"), ("phase", "u1"), ("new_connection", "u1"), ("saw_done", "u1"),
    ("after_stop", "u1"), ("streamed", "u1"), ("target", "u1"), ("reserved", "u1"),
]

# Per-event arrays in the order in which they follow the header.
EVENT_FIELDS = [
    ("wake_ns", "<i8"), ("read_delay_ns", "<u4"), ("read_seq", "<u4"), ("chars", "<u4"), ("kinds", "<u2"),
]

# Byte ranges in the order in which they follow the arrays; each one's length is the header field NAME_length.
RANGES = ("content", "reasoning", "tool", "finish", "error", "raw")

EVENT_KINDS = {
    "role": KIND_ROLE, "content": KIND_CONTENT, "reasoning": KIND_REASONING, "tool": KIND_TOOL,
    "finish": KIND_FINISH, "usage": KIND_USAGE, "done": KIND_DONE, "error": KIND_ERROR, "bad_json": KIND_BAD_JSON,
}
GENERATED = KIND_GENERATED

# Names of ErrorClass by number.
ERROR_CLASSES = (
    "ok", "refused", "dns", "tls", "connect_timeout", "first_byte_timeout", "idle_timeout", "total_timeout", "reset",
    "http_status", "rate_limited", "auth", "not_found", "bad_content_type", "error_in_band", "truncated_stream",
    "empty_answer", "bad_json", "too_large", "unexpected_non_stream", "cancelled", "lost_worker", "other",
)
PHASES = ("warmup", "measured", "filler")


class FrameError(ValueError):
    """The bytes at `offset` are not a frame."""

    def __init__(self, offset: int) -> None:
        super().__init__(f"no frame at byte {offset}")
        self.offset = offset


cdef bint is_frame(const FrameHeader* header) noexcept nogil:
    """Also what depends on it is in order: the ranges lie inside the frame, the numbers of class and phase have names."""
    cdef uint64_t size = sizeof(FrameHeader) + <uint64_t>header.events * EVENT_BYTES
    size += <uint64_t>header.content_length + header.reasoning_length + header.tool_length
    size += <uint64_t>header.finish_length + header.error_length + header.raw_length
    size = (size + 7) & ~<uint64_t>7
    return (
        header.magic == FRAME_MAGIC and header.length == size
        and header.error_class <= CLASS_OTHER and header.phase <= PHASE_FILLER
    )


def split(data: bytes | bytearray | memoryview, offsets: bytearray) -> int:
    """Append to `offsets` the int64 start of each whole frame in `data`; return the bytes that they take together.

    A last frame that is cut short is left for the next call. Raises FrameError where no frame starts.
    """
    cdef Py_buffer view
    cdef FrameHeader* header
    cdef int64_t at = 0
    PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
    try:
        while view.len - at >= <int64_t>sizeof(FrameHeader):
            header = <FrameHeader*>(<char*>view.buf + at)
            if not is_frame(header):
                raise FrameError(at)
            if at + header.length > view.len:
                break
            offsets.extend((<char*>&at)[:sizeof(at)])
            at += header.length
        return at
    finally:
        PyBuffer_Release(&view)


def gather(source: bytes | bytearray | memoryview, starts: memoryview, lengths: memoryview, target: bytearray) -> None:
    """Copy the ranges [starts[i], starts[i] + lengths[i]) of `source` one after the other into `target`.

    `starts` and `lengths` are C-contiguous int64. Raises ValueError when a range leaves `source` or the total is not len(target).
    """
    cdef const int64_t[::1] start = starts
    cdef const int64_t[::1] length = lengths
    cdef Py_buffer view, out
    cdef int64_t at = 0
    cdef Py_ssize_t i
    if start.shape[0] != length.shape[0]:
        raise ValueError("starts and lengths differ in length")
    PyObject_GetBuffer(source, &view, PyBUF_SIMPLE)
    try:
        PyObject_GetBuffer(target, &out, PyBUF_SIMPLE | PyBUF_WRITABLE)
        try:
            for i in range(start.shape[0]):
                if start[i] < 0 or length[i] < 0 or start[i] > view.len - length[i] or length[i] > out.len - at:
                    raise ValueError(f"range {i} leaves its buffer")
                memcpy(<char*>out.buf + at, <char*>view.buf + start[i], length[i])
                at += length[i]
            if at != out.len:
                raise ValueError("target is larger than the ranges together")
        finally:
            PyBuffer_Release(&out)
    finally:
        PyBuffer_Release(&view)


def slices(source: bytes | bytearray | memoryview, starts: memoryview, lengths: memoryview) -> list[bytes]:
    """The ranges [starts[i], starts[i] + lengths[i]) of `source`, each on its own.

    `starts` and `lengths` are C-contiguous int64. Raises ValueError when a range leaves `source`.
    """
    cdef const int64_t[::1] start = starts
    cdef const int64_t[::1] length = lengths
    cdef Py_buffer view
    cdef Py_ssize_t i
    cdef list found = []
    if start.shape[0] != length.shape[0]:
        raise ValueError("starts and lengths differ in length")
    PyObject_GetBuffer(source, &view, PyBUF_SIMPLE)
    try:
        for i in range(start.shape[0]):
            if start[i] < 0 or length[i] < 0 or start[i] > view.len - length[i]:
                raise ValueError(f"range {i} leaves its buffer")
            found.append((<char*>view.buf + start[i])[:length[i]])
        return found
    finally:
        PyBuffer_Release(&view)
