"""What the simulator keeps: per connection, per request, per server."""

from libc.stddef cimport size_t
from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t

from perfcore_ext.simbuffer cimport Buffer, Text

cdef enum TruthKind:
    TRUTH_ARRIVAL                     # the request had been read completely
    TRUTH_HEAD                        # response head
    TRUTH_ROLE
    TRUTH_TOKEN
    TRUTH_FINISH
    TRUTH_USAGE
    TRUTH_DONE
    TRUTH_ERROR                       # an error inside a 200
    TRUTH_BAD                         # an event of broken JSON
    TRUTH_BODY                        # the body of an answer that is not a stream

cdef packed struct TruthRecord:
    int64_t request
    int64_t client_request
    int32_t event
    int32_t kind
    int64_t time_ns

cdef enum Fault:
    FAULT_NONE
    FAULT_REFUSE
    FAULT_RESET
    FAULT_CUT
    FAULT_STALL
    FAULT_RATE_LIMIT
    FAULT_INTERNAL
    FAULT_UNAVAILABLE
    FAULT_ERROR
    FAULT_HTML
    FAULT_NO_DONE
    FAULT_NO_USAGE
    FAULT_NO_FINISH
    FAULT_EMPTY
    FAULT_CRLF
    FAULT_COMMENTS
    FAULT_MERGED
    FAULT_BYTES
    FAULT_HUGE
    FAULT_MALFORMED
    FAULT_SPLIT_UTF8
    FAULT_NON_STREAM
    FAULT_SLOW_HEAD
    FAULTS                            # how many

cdef enum ArrivalPhase:
    PHASE_ALIGNED
    PHASE_LOCKSTEP
    PHASE_RANDOM

cdef enum ConnState:
    READING_HEAD
    READING_BODY
    READING_CHUNKS
    ANSWERING                         # includes waiting for a slot
    CLOSING                           # closes when its last bytes have gone

cdef enum Route:
    ROUTE_UNKNOWN
    ROUTE_CHAT
    ROUTE_COMPLETIONS
    ROUTE_MODELS
    ROUTE_HEALTH

cdef struct Answer:                   # a scripted one
    Text prompt
    Text* pieces                      # JSON-escaped; reasoning first
    int64_t reasoning
    int64_t total
    uint64_t hash

cdef struct Dialect:                  # pieces of its JSON
    Text event                        # of a stream: up to `"choices":[`, with room for id and time of creation
    Text full                         # the same of an answer that is not a stream
    size_t event_id
    size_t event_created
    size_t full_id
    size_t full_created
    Text role                         # empty: this dialect has no such event
    Text content_open
    Text content_close
    Text reasoning_open
    Text reasoning_close
    Text finish_open
    Text finish_close
    Text full_open
    Text full_reasoning_open
    Text full_reasoning_close
    Text full_content_open
    Text full_close

cdef struct Head:                     # of a request
    bint get
    bint post
    int route
    bint close
    bint http_1_0
    bint chunked
    bint expects_continue
    int64_t body_length               # -1 if not said
    int64_t client_request

cdef struct BodyFacts:                # what the simulator wants to know of a request's JSON
    int64_t prompt_chars
    int64_t prompt_ids
    bint has_prompt
    bint has_messages
    bint stream
    bint include_usage
    bint bad_limit                    # max_tokens is there and no positive integer
    int64_t max_tokens                # -1 if not said
    int64_t max_completion_tokens
    Text model
    bint from_user
    Text text                         # last user message or prompt, still escaped
    Text message_text
    Text message_role
    Text prompt                       # its JSON

cdef struct Conn:
    int fd                            # -1: closed, to be freed at the end of the round
    int state
    int32_t heap_index                # -1: no deadline
    int64_t due_ns
    # input
    Buffer input
    size_t scanned                    # no end of the head before here
    size_t body_at
    size_t body_end                   # of what has been decoded, with chunked uploads
    size_t raw_at                     # next byte to decode, with chunked uploads
    Head head
    # output
    Buffer pending                    # what the socket did not take
    size_t pending_sent
    bint wants_write
    Buffer carry                      # bytes of a cut event, due at the front of the next segment
    bint holds_record
    TruthRecord held
    # the answer
    Dialect* dialect
    Answer* answer                    # NULL: filler
    int64_t number
    int64_t prompt_tokens
    int64_t cached_tokens             # of these
    int64_t tokens
    int64_t sent
    int64_t filler_at
    int64_t tick
    int32_t event
    uint64_t random
    char id[16]
    char created[10]
    bint stream
    bint with_usage
    bint limited                      # ends because of max_tokens
    bint head_sent
    bint role_sent
    bint has_slot
    bint waits
    int fault
    double fault_argument
    int64_t fault_at                  # tokens sent before it strikes; -1: not in mid-stream, or struck
    Conn* before                      # in the queue for a slot
    Conn* after
    Conn* next_free                   # closed, or free for the next connection

cdef struct Entry:
    int64_t due_ns
    Conn* conn

cdef struct Heap:
    Entry* entries
    int64_t used
    int64_t room

cdef struct CacheEntry:
    uint64_t hash
    int64_t used                      # when, on the cache's own clock; 0: free

cdef struct Counters:
    int64_t connections
    int64_t requests
    int64_t events
    int64_t segments
    int64_t bytes
    int64_t faults
    int64_t blocked                   # sends that the socket did not take whole

cdef struct Server:
    int epoll
    int listener
    int wake
    bint accepts
    bint stopping
    int no_pwait2
    int64_t origin_ns
    # the model of time
    int64_t ttft_base_ns
    double ttft_per_token_ns
    int64_t itl_ns
    double itl_jitter
    int phase
    int64_t slots
    int64_t tokens_low
    int64_t tokens_high
    uint64_t seed
    # the shape of the answer
    int64_t tokens_per_event
    int64_t events_per_send
    int64_t cut_bytes
    bint head_early
    bint role_early
    bint strict_model
    Text model
    Text models_body
    Dialect chat
    Dialect completions
    Text* filler
    int64_t fillers
    Text* wide_filler
    int64_t wide_fillers
    Answer* answers
    int64_t answers_used
    Answer** table
    uint64_t table_mask
    double fault_rates[32]
    double fault_arguments[32]
    const char* fault_names[32]
    # state
    Heap heap
    Buffer segment
    Buffer joined
    Buffer truth
    int truth_fd                      # -1: no log
    int truth_error                   # errno of the write that failed
    size_t truth_from                 # first record of the segment under construction
    size_t truth_written
    int64_t upkeep_ns
    int64_t busy                      # slots
    CacheEntry* cache                 # of prefixes
    uint64_t cache_sets               # 0: there is none
    int64_t cache_clock
    Conn* first_waiting
    Conn* last_waiting
    Conn* closed
    Conn* free
    Conn** conns                      # every one ever made
    int64_t conns_used
    int64_t conns_room
    Counters counters
