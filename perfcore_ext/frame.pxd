"""A frame is one finished attempt: this header, then per-event arrays, then byte ranges.

Order after the header (n = `events`), without padding between the parts:

    int64  wake_ns[n]         time at which epoll_wait returned with the event's socket readable, but at most 5 ms
                              before the read
    uint32 read_delay_ns[n]   from that return to the read (saturates at 2**32 - 1)
    uint32 read_seq[n]        number of the read that completed the event; equal numbers shared a read
    uint32 chars[n]           code points of generated text the event carried
    uint16 kinds[n]           bits of EventKind
    byte ranges               content, reasoning, tool, finish, error, raw (lengths in the header), zero-padded to 8

`content`, `reasoning`, `tool` and `finish` are concatenated JSON string bodies, still escaped, without quotes.
`error` is raw: the error's JSON value, or the first bytes of a body that could not be used.
`raw` is empty unless the run keeps events: then it is the JSON of each, a line an event.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

cdef enum:
    FRAME_MAGIC = 0x46434650          # "PFCF", little endian

cdef enum EventKind:
    KIND_ROLE = 1
    KIND_CONTENT = 2
    KIND_REASONING = 4
    KIND_TOOL = 8
    KIND_FINISH = 16
    KIND_USAGE = 32
    KIND_DONE = 64
    KIND_ERROR = 128
    KIND_BAD_JSON = 256
    KIND_GENERATED = 14               # content | reasoning | tool: a token event

cdef enum ErrorClass:
    CLASS_OK
    CLASS_REFUSED
    CLASS_DNS
    CLASS_TLS
    CLASS_CONNECT_TIMEOUT
    CLASS_FIRST_BYTE_TIMEOUT
    CLASS_IDLE_TIMEOUT
    CLASS_TOTAL_TIMEOUT
    CLASS_RESET
    CLASS_HTTP_STATUS                 # shown as http_<status>
    CLASS_RATE_LIMITED
    CLASS_AUTH
    CLASS_NOT_FOUND
    CLASS_BAD_CONTENT_TYPE
    CLASS_ERROR_IN_BAND
    CLASS_TRUNCATED_STREAM
    CLASS_EMPTY_ANSWER
    CLASS_BAD_JSON
    CLASS_TOO_LARGE
    CLASS_UNEXPECTED_NON_STREAM
    CLASS_CANCELLED
    CLASS_LOST_WORKER
    CLASS_OTHER

cdef enum Phase:
    PHASE_WARMUP
    PHASE_MEASURED
    PHASE_FILLER

cdef packed struct FrameHeader:
    uint32_t magic
    uint32_t length                   # of the whole frame, a multiple of 8
    uint64_t sequence                 # of the worker, from 0
    int64_t request_id                # position in the order in which the run claims requests, warm-ups first
    int64_t index                     # row of the request book
    int64_t repeat                    # how often the book had been used up before
    int64_t due_ns
    int64_t sent_ns                   # handed to libcurl
    int64_t uploaded_ns               # last body byte written; -1 where libcurl does not know
    int64_t first_byte_ns             # wake-up that brought the first byte of the head; -1 if none came
    int64_t first_token_ns            # first token event, -1 if none
    int64_t first_answer_ns           # first token event that is not reasoning, -1 if none
    int64_t last_token_ns             # last token event, -1 if none
    int64_t last_output_ns            # last event with generated text or a finish reason, -1 if none
    int64_t end_ns                    # transfer over
    int64_t bytes_received            # body bytes
    int64_t input_tokens              # the four as the server reported them, -1 if it did not
    int64_t output_tokens
    int64_t reasoning_tokens
    int64_t cached_tokens
    int64_t retry_after_ns            # from the Retry-After header, -1 if none
    int64_t dns_ns                    # name lookup, TCP and TLS of a new connection; 0 on a reused one
    int64_t tcp_ns
    int64_t tls_ns
    uint32_t events
    uint32_t token_events
    uint32_t bad_json                 # events that were not valid JSON
    uint32_t content_length
    uint32_t reasoning_length
    uint32_t tool_length
    uint32_t finish_length
    uint32_t error_length
    uint32_t raw_length
    uint32_t turn                     # of a conversation, from 0
    uint16_t worker
    uint16_t attempt                  # from 0
    uint16_t http_status              # 0 if no response came
    uint16_t curl_code                # libcurl's CURLcode
    uint8_t error_class               # ErrorClass
    uint8_t phase                     # Phase
    uint8_t new_connection
    uint8_t saw_done                  # the dialect's end marker came
    uint8_t after_stop                # ended after sending had stopped
    uint8_t streamed                  # the response was read as a stream of events
    uint8_t target                    # which of several URLs
    uint8_t reserved
