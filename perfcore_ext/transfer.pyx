"""One request's life: see transfer.pxd. All of it runs without the GIL, between libcurl and the ring."""

from libc.errno cimport ETIMEDOUT
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcmp, memcpy, memset, strlen, strstr

from perfcore_ext.clock cimport now_ns
from perfcore_ext.curl cimport (
    E_COULDNT_CONNECT, E_COULDNT_RESOLVE_HOST, E_COULDNT_RESOLVE_PROXY, E_GOT_NOTHING, E_HTTP2, E_HTTP2_STREAM,
    E_HTTP3, E_OK, E_OPERATION_TIMEDOUT, E_PARTIAL_FILE, E_PEER_FAILED_VERIFICATION, E_PROXY, E_QUIC_CONNECT,
    E_RECV_ERROR, E_SEND_ERROR,
    E_SSL_CACERT_BADFILE, E_SSL_CERTPROBLEM, E_SSL_CIPHER, E_SSL_CONNECT_ERROR, E_SSL_ENGINE_NOTFOUND,
    E_SSL_ISSUER_ERROR, CurlApi, INFO_APPCONNECT_TIME_T, INFO_CONNECT_TIME_T, INFO_NAMELOOKUP_TIME_T,
    INFO_NUM_CONNECTS, INFO_OS_ERRNO, INFO_POSTTRANSFER_TIME_T, INFO_REQUEST_SIZE,
)
from perfcore_ext.frame cimport (
    CLASS_AUTH, CLASS_BAD_CONTENT_TYPE, CLASS_BAD_JSON, CLASS_CONNECT_TIMEOUT, CLASS_DNS,
    CLASS_EMPTY_ANSWER, CLASS_ERROR_IN_BAND, CLASS_HTTP_STATUS, CLASS_NOT_FOUND, CLASS_OK, CLASS_OTHER,
    CLASS_RATE_LIMITED, CLASS_REFUSED, CLASS_RESET, CLASS_TLS, CLASS_TOO_LARGE, CLASS_TOTAL_TIMEOUT,
    CLASS_TRUNCATED_STREAM, CLASS_UNEXPECTED_NON_STREAM, FRAME_MAGIC, KIND_BAD_JSON, KIND_CONTENT, KIND_DONE,
    KIND_ERROR, KIND_FINISH, KIND_GENERATED, KIND_REASONING, KIND_ROLE, KIND_TOOL, KIND_USAGE, ErrorClass, FrameHeader,
)
from perfcore_ext.histogram cimport histogram_record
from perfcore_ext.paths cimport (
    JSON_NO_MEMORY, JSON_OK, VALUE_FALSE, VALUE_NULL, VALUE_NUMBER, VALUE_STRING, Match, Matcher, count_chars,
    json_match, parse_integer,
)
from perfcore_ext.ring cimport RingWriter, writer_commit, writer_put
from perfcore_ext.sse cimport (
    FRAMING_JSON, FRAMING_NDJSON, FRAMING_SSE, PARSER_NO_MEMORY, PARSER_OK, PARSER_TOO_LARGE, Framing, parser_feed,
    parser_finish, parser_free, parser_init, parser_reset,
)

cdef extern from "<strings.h>" nogil:
    int strncasecmp(const char* a, const char* b, size_t n)

cdef enum:
    KEPT_BYTES = 1 << 20              # buffers that grew past it are given back after the request
    FIRST_ROOM = 256
    ANSWER_BYTES = 1 << 30            # generated text of one request; more fails as too large
    NO_RANK = 255
    BEGINNING_BYTES = 1024            # kept of a body until its first event: evidence if none ever comes

cdef uint32_t MOST = 0xFFFFFFFF

# How far before its read an event may be stamped. Bytes that are read within it of the wake-up had arrived by then, but
# for a few; later than that, others may have come while the loop drained its sockets, and the wake-up's time would make
# a server that was never measured look fast. Runs whose reads are this late are judged client limited.
cdef int64_t STALE_NS = 5000000


cdef inline int64_t stamp(const Reading* reading, int64_t read_ns) noexcept nogil:
    return max(reading.wake_ns, read_ns - STALE_NS)


# ---- growing buffers


cdef int append(Bytes* bytes, const char* data, size_t n) noexcept nogil:
    cdef size_t room = bytes.room or FIRST_ROOM
    cdef char* grown
    if bytes.length + n > bytes.room:
        while room < bytes.length + n:
            room *= 2
        grown = <char*>realloc(bytes.data, room)
        if grown == NULL:
            return -1
        bytes.data = grown
        bytes.room = room
    memcpy(bytes.data + bytes.length, data, n)
    bytes.length += n
    return 0


cdef void replace_sample(Bytes* bytes, const char* data, size_t n) noexcept nogil:
    """Keep the beginning of evidence; a sample that finds no memory is left out."""
    bytes.length = 0
    append(bytes, data, min(n, <size_t>SAMPLE_BYTES))


cdef void clear(Bytes* bytes) noexcept nogil:
    bytes.length = 0
    if bytes.room > KEPT_BYTES:
        release(bytes)


cdef void release(Bytes* bytes) noexcept nogil:
    free(bytes.data)
    memset(bytes, 0, sizeof(Bytes))


cdef int grow_events(EventColumns* events) noexcept nogil:
    """Twice the room. One block holds all columns, widest first, so that each is aligned."""
    cdef uint32_t room = events.room * 2 if events.room else FIRST_ROOM
    cdef size_t used = events.room
    cdef char* block = <char*>malloc(<size_t>room * (8 + 4 + 4 + 4 + 2))
    cdef EventColumns grown
    if block == NULL:
        return -1
    set_columns(&grown, block, room)
    if used:
        memcpy(grown.wake_ns, events.wake_ns, used * 8)
        memcpy(grown.read_delay_ns, events.read_delay_ns, used * 4)
        memcpy(grown.read_seq, events.read_seq, used * 4)
        memcpy(grown.chars, events.chars, used * 4)
        memcpy(grown.kinds, events.kinds, used * 2)
        free(events.wake_ns)
    events[0] = grown
    return 0


cdef void set_columns(EventColumns* events, char* block, uint32_t room) noexcept nogil:
    events.wake_ns = <int64_t*>block
    events.read_delay_ns = <uint32_t*>(block + <size_t>room * 8)
    events.read_seq = events.read_delay_ns + room
    events.chars = events.read_seq + room
    events.kinds = <uint16_t*>(events.chars + room)
    events.room = room


# ---- life


cdef void transfer_init(Transfer* transfer, Reading* reading, void* easy, int slot) noexcept nogil:
    memset(transfer, 0, sizeof(Transfer))
    transfer.reading = reading
    transfer.easy = easy
    transfer.slot = slot
    parser_init(&transfer.parser, reading.framing, reading.event_limit)


cdef void transfer_free(Transfer* transfer) noexcept nogil:
    parser_free(&transfer.parser)
    free(transfer.events.wake_ns)
    release(&transfer.content)
    release(&transfer.reasoning)
    release(&transfer.tool)
    release(&transfer.finish)
    release(&transfer.error)
    release(&transfer.raw)


cdef void transfer_begin(Transfer* transfer) noexcept nogil:
    cdef FrameHeader* header = &transfer.header
    memset(header, 0, sizeof(FrameHeader))
    header.magic = FRAME_MAGIC
    header.uploaded_ns = header.first_byte_ns = header.first_token_ns = header.first_answer_ns = -1
    header.last_token_ns = header.last_output_ns = header.retry_after_ns = -1
    header.input_tokens = header.output_tokens = header.reasoning_tokens = header.cached_tokens = -1
    clear(&transfer.content)
    clear(&transfer.reasoning)
    clear(&transfer.tool)
    clear(&transfer.finish)
    clear(&transfer.error)
    clear(&transfer.raw)
    if <size_t>transfer.events.room * 22 > KEPT_BYTES:
        free(transfer.events.wake_ns)
        memset(&transfer.events, 0, sizeof(EventColumns))
    transfer.read_as = READ_UNDECIDED
    transfer.failure = FAILURE_NONE
    transfer.content_type = CONTENT_UNKNOWN
    transfer.error_in_band = transfer.has_result = transfer.ended = False
    transfer.content_chars = 0
    transfer.read_ns = transfer.stamp_ns = 0
    transfer.drain = 0
    transfer.read_seq = 0
    transfer.curl_error[0] = 0


# ---- head


cdef inline bint starts_with(const char* line, size_t n, const char* name) noexcept nogil:
    cdef size_t length = strlen(name)
    return n >= length and strncasecmp(line, name, length) == 0


cdef int64_t leading_integer(const char* text, size_t n) noexcept nogil:
    """The digits after any spaces; -1 if there are none or too many."""
    cdef int64_t value = 0
    cdef size_t i = 0, first
    while i < n and text[i] == c" ":
        i += 1
    first = i
    while i < n and c"0" <= text[i] <= c"9" and i - first < 12:
        value = value * 10 + (text[i] - c"0")
        i += 1
    return value if i > first else -1


cdef ContentType content_type_of(const char* value, size_t n) noexcept nogil:
    while n and value[0] == c" ":
        value += 1
        n -= 1
    if starts_with(value, n, b"text/event-stream"):
        return CONTENT_EVENT_STREAM
    if starts_with(value, n, b"application/json"):
        return CONTENT_JSON
    if starts_with(value, n, b"application/x-ndjson") or starts_with(value, n, b"application/jsonl"):
        return CONTENT_NDJSON
    if starts_with(value, n, b"text/html") or starts_with(value, n, b"application/xhtml"):
        return CONTENT_HTML
    return CONTENT_UNKNOWN


cdef size_t on_header(char* data, size_t size, size_t count, void* user) noexcept nogil:
    cdef Transfer* transfer = <Transfer*>user
    cdef size_t n = size * count
    cdef int64_t number
    if transfer.header.first_byte_ns < 0:
        if transfer.reading.outside:
            transfer.reading.wake_ns = now_ns()
        transfer.header.first_byte_ns = stamp(transfer.reading, now_ns())
    if data[0] == c"H" and n > 9 and memcmp(data, b"HTTP/", 5) == 0:
        number = leading_integer(data + 9, n - 9) if data[6] == c"." else leading_integer(data + 7, n - 7)
        transfer.header.http_status = <uint16_t>max(number, 0)
    elif (data[0] | 0x20) == c"c" and starts_with(data, n, b"content-type:"):
        transfer.content_type = content_type_of(data + 13, n - 13)
    elif (data[0] | 0x20) == c"r" and starts_with(data, n, b"retry-after:"):
        number = leading_integer(data + 12, n - 12)
        if number >= 0:
            transfer.header.retry_after_ns = number * 1000000000
    return n


# ---- body


cdef void decide(Transfer* transfer) noexcept nogil:
    """How the body is read: as the head says it is, else as the dialect expects it."""
    cdef Reading* reading = transfer.reading
    cdef Framing framing = reading.framing if reading.stream_asked else FRAMING_JSON
    if not 200 <= transfer.header.http_status < 300 or transfer.content_type == CONTENT_HTML:
        transfer.read_as = READ_SAMPLE
        return
    if transfer.content_type == CONTENT_EVENT_STREAM:
        framing = FRAMING_SSE
    elif transfer.content_type == CONTENT_NDJSON:
        framing = FRAMING_NDJSON
    elif transfer.content_type == CONTENT_JSON and framing == FRAMING_SSE:
        framing = FRAMING_JSON
    transfer.read_as = READ_DOCUMENT if framing == FRAMING_JSON else READ_EVENTS
    transfer.header.streamed = transfer.read_as == READ_EVENTS
    parser_reset(&transfer.parser, framing)


cdef size_t on_body(char* data, size_t size, size_t count, void* user) noexcept nogil:
    cdef Transfer* transfer = <Transfer*>user
    cdef size_t n = size * count
    cdef int result
    transfer.read_ns = now_ns()
    if transfer.reading.outside:
        transfer.reading.wake_ns = transfer.read_ns
    transfer.stamp_ns = stamp(transfer.reading, transfer.read_ns)
    if transfer.drain != transfer.reading.drain:
        transfer.drain = transfer.reading.drain
        transfer.read_seq += 1
    transfer.header.bytes_received += n
    transfer.reading.bytes_received += n
    if transfer.read_as == READ_UNDECIDED:
        decide(transfer)
    if transfer.read_as == READ_SAMPLE:
        if transfer.error.length < SAMPLE_BYTES:
            append(&transfer.error, data, min(n, SAMPLE_BYTES - transfer.error.length))
        return n
    result = parser_feed(&transfer.parser, data, n, on_event, transfer)
    if transfer.header.events == 0 and transfer.error.length < BEGINNING_BYTES:
        append(&transfer.error, data, min(n, BEGINNING_BYTES - transfer.error.length))
    if result == PARSER_OK:
        return n
    note_failure(transfer, result)
    return 0                          # anything but n makes libcurl end the transfer


cdef void note_failure(Transfer* transfer, int result) noexcept nogil:
    if result == PARSER_TOO_LARGE:
        transfer.failure = FAILURE_TOO_LARGE
    elif result == PARSER_NO_MEMORY:
        transfer.failure = FAILURE_NO_MEMORY


# ---- events


cdef int on_event(void* context, const char* data, size_t n, const char* name, size_t name_length) noexcept nogil:
    """Store the event's stamp and take from it what the dialect wants. Positive: the transfer must end."""
    cdef Transfer* transfer = <Transfer*>context
    cdef Reading* reading = transfer.reading
    cdef EventColumns* events = &transfer.events
    cdef uint32_t at = transfer.header.events
    cdef uint32_t chars = 0
    cdef int64_t delay = transfer.read_ns - reading.wake_ns
    cdef int kinds
    if n == 0:                        # `data:` alone keeps a connection alive and says nothing
        return 0
    if at == events.room and grow_events(events) < 0:
        transfer.failure = FAILURE_NO_MEMORY
        return 1
    if reading.done_length and n == reading.done_length and memcmp(data, reading.done, n) == 0:
        kinds = KIND_DONE
        transfer.header.saw_done = 1
    elif transfer.read_as == READ_DOCUMENT:
        kinds = read_json(transfer, reading.full, reading.full_fields, data, n, 0, &chars)
    else:
        kinds = read_json(transfer, reading.stream, reading.stream_fields, data, n,
                          type_number(reading, name, name_length), &chars)
    if reading.keep_events:
        keep_event(transfer, data, n)
    events.wake_ns[at] = transfer.stamp_ns
    events.read_delay_ns[at] = <uint32_t>min(max(delay, 0), <int64_t>MOST)
    events.read_seq[at] = transfer.read_seq
    events.chars[at] = chars
    events.kinds[at] = <uint16_t>kinds
    transfer.header.events = at + 1
    note_times(transfer, kinds)
    return 1 if transfer.failure else 0


cdef void note_times(Transfer* transfer, int kinds) noexcept nogil:
    cdef FrameHeader* header = &transfer.header
    cdef int64_t stamp_ns = transfer.stamp_ns
    if kinds & (KIND_GENERATED | KIND_FINISH):
        header.last_output_ns = stamp_ns
    if not kinds & KIND_GENERATED:
        return
    header.token_events += 1
    if not header.streamed:
        return
    transfer.reading.token_events += 1
    header.last_token_ns = stamp_ns
    if header.first_token_ns < 0:
        header.first_token_ns = stamp_ns
        histogram_record(transfer.reading.ttft, stamp_ns - header.sent_ns)
    if header.first_answer_ns < 0 and kinds & (KIND_CONTENT | KIND_TOOL):
        header.first_answer_ns = stamp_ns


cdef int type_number(const Reading* reading, const char* name, size_t length) noexcept nogil:
    """One more than the place of a type of event that some path wants; 0 for any other."""
    cdef int i
    for i in range(reading.type_count):
        if reading.types[i].length == length and memcmp(reading.types[i].name, name, length) == 0:
            return i + 1
    return 0


cdef void keep_event(Transfer* transfer, const char* data, size_t n) noexcept nogil:
    """A line of JSON: the line ends that it may have are blanks to JSON, for none may stand in a string."""
    cdef size_t at = transfer.raw.length
    if at + n >= ANSWER_BYTES:
        transfer.failure = FAILURE_TOO_LARGE
        return
    if append(&transfer.raw, data, n) < 0 or append(&transfer.raw, b"\n", 1) < 0:
        transfer.failure = FAILURE_NO_MEMORY
        return
    for at in range(at, at + n):
        if transfer.raw.data[at] == c"\n":
            transfer.raw.data[at] = c" "


cdef int read_json(Transfer* transfer, Matcher* matcher, PathField* fields, const char* data, size_t n, int type,
                   uint32_t* chars) noexcept nogil:
    """Match the paths and take what they found; returns the bits of EventKind. `type` is the event's by its name."""
    cdef uint8_t rank[FIELD_COUNT]
    cdef int kinds = 0
    cdef int i
    cdef Match* match
    cdef PathField field
    cdef int result = json_match(matcher, data, n)
    if result == JSON_NO_MEMORY:
        transfer.failure = FAILURE_NO_MEMORY
        return 0
    if result != JSON_OK:
        transfer.header.bad_json += 1
        if transfer.header.bad_json == 1 and not transfer.error_in_band:
            replace_sample(&transfer.error, data, n)
        return KIND_BAD_JSON
    memset(rank, NO_RANK, sizeof(rank))
    for i in range(matcher.count):
        match = &matcher.matches[i]
        if transfer.reading.type_count and fields[match.path].field == FIELD_TYPE:
            type = type_number(transfer.reading, match.start, match.length)
    for i in range(matcher.count):
        match = &matcher.matches[i]
        field = fields[match.path]
        if field.rank < rank[field.field] and has_value(match) and (field.type == 0 or field.type == type):
            rank[field.field] = field.rank
    for i in range(matcher.count):
        match = &matcher.matches[i]
        field = fields[match.path]
        if field.rank == rank[field.field] and has_value(match) and (field.type == 0 or field.type == type):
            kinds |= take(transfer, field.field, match, chars)
    return kinds


cdef inline bint has_value(const Match* match) noexcept nogil:
    return match.type != VALUE_NULL and match.type != VALUE_FALSE and match.length > 0


cdef int take(Transfer* transfer, int field, const Match* match, uint32_t* chars) noexcept nogil:
    """Store one value; returns its EventKind, 0 where it is of a type that the field cannot have."""
    if field == FIELD_CONTENT or field == FIELD_REASONING or field == FIELD_TOOL:
        return take_text(transfer, field, match, chars)
    if field == FIELD_ROLE:
        return KIND_ROLE
    if field == FIELD_FINISH:
        if match.type != VALUE_STRING:
            return 0
        transfer.finish.length = 0
        append(&transfer.finish, match.start, min(match.length, <size_t>FIRST_ROOM))
        return KIND_FINISH
    if field == FIELD_ERROR:
        transfer.error_in_band = True
        replace_sample(&transfer.error, match.start, match.length)
        return KIND_ERROR
    if field == FIELD_END:
        transfer.ended = True
        return KIND_FINISH
    if field == FIELD_RESULT:
        transfer.has_result = True
        return 0
    if field == FIELD_TYPE:
        return 0
    return take_count(&transfer.header, field, match)


cdef int take_text(Transfer* transfer, int field, const Match* match, uint32_t* chars) noexcept nogil:
    cdef Bytes* target
    cdef int kind
    if match.type != VALUE_STRING:
        return 0
    if field == FIELD_CONTENT and transfer.reading.cumulative and transfer.read_as == READ_EVENTS:
        return take_whole(transfer, match, chars)
    if field == FIELD_CONTENT:
        target = &transfer.content
        kind = KIND_CONTENT
    elif field == FIELD_REASONING:
        target = &transfer.reasoning
        kind = KIND_REASONING
    else:
        target = &transfer.tool
        kind = KIND_TOOL
    if target.length + match.length > ANSWER_BYTES:
        transfer.failure = FAILURE_TOO_LARGE
    elif append(target, match.start, match.length) < 0:
        transfer.failure = FAILURE_NO_MEMORY
    chars[0] += count_chars(match.start, match.length)
    return kind


cdef int take_whole(Transfer* transfer, const Match* match, uint32_t* chars) noexcept nogil:
    """The text so far: what it has grown by is what the event brought."""
    cdef uint32_t length = count_chars(match.start, match.length)
    transfer.content.length = 0
    if match.length > ANSWER_BYTES:
        transfer.failure = FAILURE_TOO_LARGE
    elif append(&transfer.content, match.start, match.length) < 0:
        transfer.failure = FAILURE_NO_MEMORY
    if length <= transfer.content_chars:
        return 0
    chars[0] += length - transfer.content_chars
    transfer.content_chars = length
    return KIND_CONTENT


cdef int take_count(FrameHeader* header, int field, const Match* match) noexcept nogil:
    cdef int64_t count = parse_integer(match.start, match.length) if match.type == VALUE_NUMBER else -1
    if count < 0:
        return 0
    if field == FIELD_INPUT_TOKENS:
        header.input_tokens = count
    elif field == FIELD_OUTPUT_TOKENS:
        header.output_tokens = count
    elif field == FIELD_REASONING_TOKENS:
        header.reasoning_tokens = count
    else:
        header.cached_tokens = count
    return KIND_USAGE


# ---- end


cdef ErrorClass class_of_transport(const CurlApi* api, void* easy, int code, const char* said) noexcept nogil:
    """What libcurl's result means for a transfer that it did not bring to a clean end."""
    cdef long os_errno = 0
    if code == E_COULDNT_CONNECT:
        api.easy_getinfo(easy, INFO_OS_ERRNO, &os_errno)
        return CLASS_CONNECT_TIMEOUT if os_errno == ETIMEDOUT else CLASS_REFUSED
    if code == E_COULDNT_RESOLVE_HOST or code == E_COULDNT_RESOLVE_PROXY:
        return CLASS_DNS
    if code == E_OPERATION_TIMEDOUT:
        # Its times are set even for what never happened; only its words tell the phases apart: "Operation timed out"
        # is the request's, "Connection", "Resolving" and "SSL connection" are those before it.
        return CLASS_TOTAL_TIMEOUT if memcmp(said, b"Operation", 9) == 0 else CLASS_CONNECT_TIMEOUT
    if strstr(said, b"alert") != NULL and strstr(said, b"SSL") != NULL:
        return CLASS_TLS              # under TLS 1.3 a client certificate is refused when the first byte is read
    if (code == E_SSL_CONNECT_ERROR or code == E_PEER_FAILED_VERIFICATION or code == E_SSL_CERTPROBLEM
            or code == E_SSL_CIPHER or code == E_SSL_CACERT_BADFILE or code == E_SSL_ISSUER_ERROR
            or code == E_SSL_ENGINE_NOTFOUND):
        return CLASS_TLS
    if code == E_PARTIAL_FILE:
        return CLASS_TRUNCATED_STREAM
    if (code == E_GOT_NOTHING or code == E_RECV_ERROR or code == E_SEND_ERROR or code == E_HTTP2
            or code == E_HTTP2_STREAM or code == E_HTTP3):
        return CLASS_RESET
    if code == E_QUIC_CONNECT or code == E_PROXY:
        return CLASS_REFUSED
    return CLASS_OTHER


cdef ErrorClass class_of_status(int status) noexcept nogil:
    if status == 429:
        return CLASS_RATE_LIMITED
    if status == 401 or status == 403:
        return CLASS_AUTH
    if status == 404:
        return CLASS_NOT_FOUND
    return CLASS_HTTP_STATUS


cdef bint is_complete(const Transfer* transfer) noexcept nogil:
    """The answer says by itself that it is whole, whatever became of the connection afterwards."""
    cdef int complete = transfer.reading.complete
    if complete & COMPLETE_BY_FINISH and (transfer.finish.length or transfer.ended):
        return True
    return complete & COMPLETE_BY_DONE and transfer.header.saw_done


cdef ErrorClass class_of(const Transfer* transfer, const CurlApi* api, int code, ErrorClass cut) noexcept nogil:
    """The first of these that is true names what became of the request."""
    cdef const FrameHeader* header = &transfer.header
    if cut != CLASS_OK:
        return cut
    if transfer.failure == FAILURE_TOO_LARGE:
        return CLASS_TOO_LARGE
    if transfer.failure:
        return CLASS_OTHER
    if header.http_status and not 200 <= header.http_status < 300:
        return class_of_status(header.http_status)
    if transfer.content_type == CONTENT_HTML and transfer.read_as == READ_SAMPLE:
        return CLASS_BAD_CONTENT_TYPE
    if transfer.error_in_band:
        return CLASS_ERROR_IN_BAND
    if code != E_OK and not is_complete(transfer):
        return class_of_transport(api, transfer.easy, code, transfer.curl_error)
    if header.bad_json:
        return CLASS_BAD_JSON
    if transfer.read_as == READ_EVENTS:
        if not is_complete(transfer) and not transfer.reading.complete & COMPLETE_BY_END:
            return CLASS_TRUNCATED_STREAM
    elif transfer.reading.stream_asked and header.bytes_received:
        return CLASS_UNEXPECTED_NON_STREAM
    if not header.token_events and not transfer.has_result:
        return CLASS_EMPTY_ANSWER
    return CLASS_OK


cdef void ask_curl(Transfer* transfer, const CurlApi* api) noexcept nogil:
    """The times that only libcurl knows; it counts microseconds from its own start of the transfer."""
    cdef FrameHeader* header = &transfer.header
    cdef long connects = 0, request_bytes = 0
    cdef int64_t dns_us = 0, tcp_us = 0, tls_us = 0, upload_us = 0
    api.easy_getinfo(transfer.easy, INFO_NUM_CONNECTS, &connects)
    api.easy_getinfo(transfer.easy, INFO_POSTTRANSFER_TIME_T, &upload_us)
    api.easy_getinfo(transfer.easy, INFO_REQUEST_SIZE, &request_bytes)
    if upload_us > 0 and request_bytes > 0:
        header.uploaded_ns = min(header.sent_ns + upload_us * 1000, header.end_ns)
    if connects <= 0:
        return
    header.new_connection = 1
    transfer.reading.connections += connects
    api.easy_getinfo(transfer.easy, INFO_NAMELOOKUP_TIME_T, &dns_us)
    api.easy_getinfo(transfer.easy, INFO_CONNECT_TIME_T, &tcp_us)
    api.easy_getinfo(transfer.easy, INFO_APPCONNECT_TIME_T, &tls_us)
    header.dns_ns = dns_us * 1000
    header.tcp_ns = max(tcp_us - dns_us, 0) * 1000
    header.tls_ns = max(tls_us - tcp_us, 0) * 1000 if tls_us else 0


cdef int transfer_finish(Transfer* transfer, const CurlApi* api, int curl_code, ErrorClass cut, bint after_stop,
                         RingWriter* ring) noexcept nogil:
    cdef FrameHeader* header = &transfer.header
    header.end_ns = max(transfer.reading.wake_ns, transfer.stamp_ns)
    if curl_code == E_OK and not transfer.failure and cut == CLASS_OK:
        if transfer.read_as == READ_EVENTS or transfer.read_as == READ_DOCUMENT:
            transfer.read_ns = now_ns()
            transfer.stamp_ns = stamp(transfer.reading, transfer.read_ns)
            header.end_ns = max(header.end_ns, transfer.stamp_ns)
            note_failure(transfer, parser_finish(&transfer.parser, on_event, transfer))
    ask_curl(transfer, api)
    header.curl_code = <uint16_t>curl_code
    header.after_stop = after_stop
    header.error_class = <uint8_t>class_of(transfer, api, curl_code, cut)
    if header.error_class == CLASS_OK:
        transfer.error.length = 0
    elif transfer.error.length == 0:
        replace_sample(&transfer.error, transfer.curl_error, strlen(transfer.curl_error))
    return put_frame(transfer, ring)


cdef int put_frame(Transfer* transfer, RingWriter* ring) noexcept nogil:
    cdef FrameHeader* header = &transfer.header
    cdef EventColumns* events = &transfer.events
    cdef size_t n = header.events
    cdef uint64_t nothing = 0
    cdef size_t length
    header.content_length = <uint32_t>transfer.content.length
    header.reasoning_length = <uint32_t>transfer.reasoning.length
    header.tool_length = <uint32_t>transfer.tool.length
    header.finish_length = <uint32_t>transfer.finish.length
    header.error_length = <uint32_t>transfer.error.length
    header.raw_length = <uint32_t>transfer.raw.length
    length = (sizeof(FrameHeader) + n * 22 + transfer.content.length + transfer.reasoning.length
              + transfer.tool.length + transfer.finish.length + transfer.error.length + transfer.raw.length)
    if length + 8 > MOST:
        header.error_class = CLASS_TOO_LARGE
        header.content_length = header.reasoning_length = header.tool_length = header.raw_length = 0
        transfer.content.length = transfer.reasoning.length = transfer.tool.length = transfer.raw.length = 0
        length = sizeof(FrameHeader) + n * 22 + transfer.finish.length + transfer.error.length
    header.length = <uint32_t>((length + 7) & ~<size_t>7)
    if (writer_put(ring, header, sizeof(FrameHeader)) < 0
            or writer_put(ring, events.wake_ns, n * 8) < 0 or writer_put(ring, events.read_delay_ns, n * 4) < 0
            or writer_put(ring, events.read_seq, n * 4) < 0 or writer_put(ring, events.chars, n * 4) < 0
            or writer_put(ring, events.kinds, n * 2) < 0
            or writer_put(ring, transfer.content.data, transfer.content.length) < 0
            or writer_put(ring, transfer.reasoning.data, transfer.reasoning.length) < 0
            or writer_put(ring, transfer.tool.data, transfer.tool.length) < 0
            or writer_put(ring, transfer.finish.data, transfer.finish.length) < 0
            or writer_put(ring, transfer.error.data, transfer.error.length) < 0
            or writer_put(ring, transfer.raw.data, transfer.raw.length) < 0
            or writer_put(ring, &nothing, header.length - length) < 0):
        return -1
    writer_commit(ring)
    return 0
