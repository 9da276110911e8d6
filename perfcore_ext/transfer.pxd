"""One request's life as libcurl tells it: head, body, end. What comes in is stamped, read and becomes a frame.

Nothing here sends, waits or claims: the loop owns the sockets and calls in.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from perfcore_ext.curl cimport CurlApi
from perfcore_ext.frame cimport ErrorClass, FrameHeader
from perfcore_ext.paths cimport Matcher
from perfcore_ext.ring cimport RingWriter
from perfcore_ext.sse cimport EventParser, Framing

cdef enum:
    SAMPLE_BYTES = 65536              # what is kept of a body or event that could not be used
    CURL_ERROR_SIZE = 256

# What a dialect looks for in an event.
cdef enum Field:
    FIELD_ROLE
    FIELD_CONTENT
    FIELD_REASONING
    FIELD_TOOL
    FIELD_FINISH
    FIELD_INPUT_TOKENS
    FIELD_OUTPUT_TOKENS
    FIELD_REASONING_TOKENS
    FIELD_CACHED_TOKENS
    FIELD_ERROR
    FIELD_TYPE                        # what kind of event it is: some paths hold for some types only
    FIELD_END                         # true in the event that ends the answer
    FIELD_RESULT                      # an answer that is no text: an embedding, scores
    FIELD_COUNT

# What tells that an answer is complete (a set).
cdef enum:
    COMPLETE_BY_FINISH = 1
    COMPLETE_BY_DONE = 2
    COMPLETE_BY_END = 4

# Which field a path of a matcher feeds; of several paths of one field, the lowest rank that has a value counts.
cdef struct PathField:
    uint8_t field
    uint8_t rank
    uint8_t type                      # 0: any event; else one more than the place in `types` of the only one it holds for

cdef struct EventType:
    const char* name
    size_t length

# How answers are read, and what is counted over all transfers of a loop.
cdef struct Reading:
    Matcher* stream
    PathField* stream_fields
    Matcher* full
    PathField* full_fields
    const char* done
    size_t done_length
    Framing framing
    bint stream_asked
    int complete
    EventType* types
    int type_count
    bint cumulative                   # each event has the whole text so far
    bint keep_events
    size_t event_limit
    int64_t wake_ns                   # when the wake-up came that is being worked on
    bint outside                      # nothing woke us for what libcurl hands over now: it gets the time of the call
    uint64_t drain                    # number of the socket action that is under way
    int64_t token_events
    int64_t bytes_received
    int64_t connections
    int64_t* ttft                     # live histogram, in shared memory

cdef struct Bytes:
    char* data
    size_t length
    size_t room

cdef struct EventColumns:
    int64_t* wake_ns
    uint32_t* read_delay_ns
    uint32_t* read_seq
    uint32_t* chars
    uint16_t* kinds
    uint32_t room

cdef enum ReadAs:
    READ_UNDECIDED
    READ_EVENTS
    READ_DOCUMENT
    READ_SAMPLE                       # not an answer: keep its beginning as evidence

cdef enum Failure:
    FAILURE_NONE
    FAILURE_TOO_LARGE
    FAILURE_NO_MEMORY

cdef enum ContentType:
    CONTENT_UNKNOWN
    CONTENT_EVENT_STREAM
    CONTENT_JSON
    CONTENT_NDJSON
    CONTENT_HTML

cdef struct Transfer:
    void* easy
    Reading* reading
    int slot
    FrameHeader header
    EventParser parser
    EventColumns events
    Bytes content
    Bytes reasoning
    Bytes tool
    Bytes finish
    Bytes error
    Bytes raw
    uint32_t content_chars            # of all of the content
    bint has_result
    bint ended                        # the dialect's end flag came
    ReadAs read_as
    Failure failure
    ContentType content_type
    bint error_in_band
    uint64_t drain                    # of the last write callback
    uint32_t read_seq
    int64_t read_ns                   # clock of the write callback under way, or of the last one
    int64_t stamp_ns                  # what its events get
    char curl_error[CURL_ERROR_SIZE]

# Growing bytes: -1 when out of memory.
cdef int append(Bytes* bytes, const char* data, size_t n) noexcept nogil
cdef void clear(Bytes* bytes) noexcept nogil
cdef void release(Bytes* bytes) noexcept nogil

cdef void transfer_init(Transfer* transfer, Reading* reading, void* easy, int slot) noexcept nogil
cdef void transfer_free(Transfer* transfer) noexcept nogil

# Forget the request before; the caller fills in request_id, index, repeat, phase, due_ns and sent_ns of the header.
cdef void transfer_begin(Transfer* transfer) noexcept nogil

# libcurl's write and header callbacks; `user` is the Transfer.
cdef size_t on_body(char* data, size_t size, size_t count, void* user) noexcept nogil
cdef size_t on_header(char* data, size_t size, size_t count, void* user) noexcept nogil

# The transfer is over: classify it and put its frame into the ring. -1 when out of memory. `cut` is CLASS_OK if libcurl
# ended it, else why the loop did.
cdef int transfer_finish(Transfer* transfer, const CurlApi* api, int curl_code, ErrorClass cut, bint after_stop,
                         RingWriter* ring) noexcept nogil
