"""Bodies cut into events while they arrive: server-sent events, lines of JSON, or one JSON document."""

from libc.stdint cimport uint8_t

cdef enum Framing:
    FRAMING_SSE
    FRAMING_NDJSON
    FRAMING_JSON

cdef enum:
    PARSER_OK = 0
    PARSER_TOO_LARGE = -1
    PARSER_NO_MEMORY = -2

# Called for each event. `data` is valid during the call only, and not NUL-terminated; `name` is the SSE `event:` field
# (name_length 0 if there is none). 0 goes on; anything else stops the parser and is returned by parser_feed: use
# positive numbers, so that they cannot be taken for PARSER_*.
ctypedef int (*EventHandler)(
    void* context, const char* data, size_t length, const char* name, size_t name_length) noexcept nogil

# Bytes that lie in what is being fed (start != buffer) or, once they must outlive it, in a buffer of their own.
cdef struct Piece:
    const char* start
    size_t length
    char* buffer
    size_t capacity

cdef struct EventParser:
    Framing framing
    size_t limit                      # of one line, and of the data and name of one event together
    size_t unfinished                 # after parser_finish: bytes of an SSE event that the end of the body cut off
    Piece data                        # of the event that is being read
    Piece name
    size_t pending                    # bytes of the lines of that event that are complete, comments aside
    size_t line                       # bytes seen of a line that began in an earlier feed
    int stopped                       # what ended the parsing before the body's end
    uint8_t field                     # of the line that began in an earlier feed
    uint8_t held                      # bytes of `prefix`
    uint8_t has_data                  # a data field came, if only an empty one
    uint8_t after_cr                  # the last byte fed was a CR: a LF that follows belongs to it
    uint8_t mark                      # bytes of the byte order mark seen at the start
    char prefix[8]                    # start of a cut line, until it is long enough to tell its field

# No allocation. `limit` is in bytes, at least 1.
cdef void parser_init(EventParser* p, Framing framing, size_t limit) noexcept nogil
# Ready for the next body; buffers are kept unless they grew past 1 MiB.
cdef void parser_reset(EventParser* p, Framing framing) noexcept nogil
cdef void parser_free(EventParser* p) noexcept nogil
# Both return PARSER_OK, PARSER_TOO_LARGE, PARSER_NO_MEMORY or what on_event returned; once that is not PARSER_OK the
# parser returns it until it is reset.
cdef int parser_feed(EventParser* p, const char* bytes, size_t n, EventHandler on_event, void* context) noexcept nogil
# The end of the body: the last line of NDJSON, the whole document of JSON; an unfinished SSE event is dropped.
cdef int parser_finish(EventParser* p, EventHandler on_event, void* context) noexcept nogil
