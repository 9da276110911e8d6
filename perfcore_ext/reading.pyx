"""A dialect's [response], compiled for the transfers of one loop: see reading.pxd."""

from libc.stdint cimport uint8_t
from libc.stdlib cimport calloc, free

from perfcore_ext.paths cimport PathSet
from perfcore_ext.sse cimport FRAMING_JSON, FRAMING_NDJSON, FRAMING_SSE, Framing
from perfcore_ext.transfer cimport (
    COMPLETE_BY_DONE, COMPLETE_BY_END, COMPLETE_BY_FINISH, FIELD_CACHED_TOKENS, FIELD_CONTENT, FIELD_END, FIELD_ERROR,
    FIELD_FINISH, FIELD_INPUT_TOKENS, FIELD_OUTPUT_TOKENS, FIELD_REASONING, FIELD_REASONING_TOKENS, FIELD_RESULT,
    FIELD_ROLE, FIELD_TOOL, FIELD_TYPE, EventType, PathField,
)

_FIELDS = {
    "role": FIELD_ROLE, "content": FIELD_CONTENT, "reasoning": FIELD_REASONING, "tool_calls": FIELD_TOOL,
    "finish": FIELD_FINISH, "prompt_tokens": FIELD_INPUT_TOKENS, "output_tokens": FIELD_OUTPUT_TOKENS,
    "reasoning_tokens": FIELD_REASONING_TOKENS, "cached_tokens": FIELD_CACHED_TOKENS, "error": FIELD_ERROR,
    "type": FIELD_TYPE, "end": FIELD_END, "result": FIELD_RESULT,
}
_FRAMINGS = {"sse": FRAMING_SSE, "ndjson": FRAMING_NDJSON, "json": FRAMING_JSON}
_COMPLETE = {"finish": COMPLETE_BY_FINISH, "done": COMPLETE_BY_DONE, "end": COMPLETE_BY_END}

cdef enum:
    MOST_TYPES = 254


cdef class Answers:
    """How answers are read.

    stream_paths, full_paths: (field, path, type) in the order in which they are tried. A path with a type counts in
    events of that type only: the value of the path of the field "type", else the name of the SSE event.
    complete: what completes a streamed answer, any of "finish", "done", "end".
    cumulative: each event carries the whole text so far. keep_events: frames get the JSON of all events.
    """

    def __cinit__(self, stream_paths, full_paths, framing, bytes done, complete, bint stream, bint cumulative,
                  bint keep_events, size_t event_limit):
        cdef PathSet stream_set = PathSet([path for _, path, _ in stream_paths])
        cdef PathSet full_set = PathSet([path for _, path, _ in full_paths])
        types = list(dict.fromkeys(kind.encode() for _, _, kind in (*stream_paths, *full_paths) if kind))
        self.kept = (stream_set, full_set, done, types)
        self.reading.stream = &stream_set.matcher
        self.reading.stream_fields = path_fields(stream_paths, types)
        self.reading.full = &full_set.matcher
        self.reading.full_fields = path_fields(full_paths, types)
        self.reading.done = done
        self.reading.done_length = len(done)
        self.reading.framing = <Framing><int>_FRAMINGS[framing]
        self.reading.stream_asked = stream
        self.reading.cumulative = cumulative
        self.reading.keep_events = keep_events
        self.reading.event_limit = event_limit
        for name in complete:
            self.reading.complete |= <int>_COMPLETE[name]
        self.set_types(types)

    cdef set_types(self, list types):
        if len(types) > MOST_TYPES:
            raise ValueError(f"more than {MOST_TYPES} types of events")
        self.reading.types = <EventType*>calloc(len(types) + 1, sizeof(EventType))
        if self.reading.types == NULL:
            raise MemoryError
        for at, name in enumerate(types):
            self.reading.types[at].name = <const char*>name
            self.reading.types[at].length = len(name)
        self.reading.type_count = len(types)

    def __dealloc__(self):
        free(self.reading.stream_fields)
        free(self.reading.full_fields)
        free(self.reading.types)


cdef PathField* path_fields(paths, types) except NULL:
    """For each path the field it feeds, how many paths of that field come before it, and the type it is bound to."""
    cdef PathField* fields = <PathField*>calloc(len(paths) + 1, sizeof(PathField))
    if fields == NULL:
        raise MemoryError
    seen: dict[str, int] = {}
    for at, (name, _, kind) in enumerate(paths):
        fields[at].field = <uint8_t>_FIELDS[name]
        fields[at].type = <uint8_t>(types.index(kind.encode()) + 1 if kind else 0)
        fields[at].rank = <uint8_t>seen.get(name, 0)
        seen[name] = seen.get(name, 0) + 1
    return fields
