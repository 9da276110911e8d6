"""From bytes to requests, and from a request to its answer's first deadline."""

from libc.errno cimport EAGAIN, EINTR, errno
from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memcmp
from libc.time cimport time

from perfcore_ext.clock cimport now_ns
from perfcore_ext.simanswer cimport *
from perfcore_ext.simbody cimport hash_bytes, read_body, tokens_of_prompt, unescape
from perfcore_ext.simcache cimport cached_tokens
from perfcore_ext.simbuffer cimport Buffer, Text, drop_front, put, put_bytes, put_number, put_padded, reserve
from perfcore_ext.simconn cimport *
from perfcore_ext.simfault cimport choose_fault, strikes_at
from perfcore_ext.simhttp cimport MAX_BODY, MAX_HEAD, join_chunks, memmem, read_head
from perfcore_ext.simlog cimport stamp_records
from perfcore_ext.simsystem cimport recv
from perfcore_ext.simtiming cimport drawn_tokens, stream_seed
from perfcore_ext.simtypes cimport *

cdef enum:
    RECEIVE_BYTES = 4194304           # of one connection in one round

cdef inline void receive(Server* server, Conn* conn) noexcept nogil:
    cdef Buffer* input = &conn.input
    cdef ssize_t count
    cdef size_t room
    cdef size_t total = 0
    while total < RECEIVE_BYTES:
        reserve(input, 2048)
        room = input.room - input.used
        count = recv(conn.fd, input.data + input.used, room, 0)
        if count == 0 or (count < 0 and errno != EAGAIN and errno != EINTR):
            drop(server, conn)
            return
        if count > 0:
            input.used += count
            total += count
        if count < <ssize_t>room:
            break
    if conn.state < ANSWERING:
        read_requests(server, conn)
    elif input.used > MAX_BODY:
        drop(server, conn)

cdef inline void read_requests(Server* server, Conn* conn) noexcept nogil:
    """Takes request after request from the input, until one is incomplete or its answer has to wait."""
    cdef int complete = 1
    while conn.fd >= 0 and conn.state < ANSWERING:
        if conn.state == READING_HEAD and not take_head(server, conn):
            return
        if conn.state == READING_CHUNKS:
            complete = join_chunks(conn)
            if complete < 0:
                refuse(server, conn, b"400 Bad Request", b"the chunks of the body are malformed or too large")
                return
        elif conn.state == READING_BODY:
            complete = conn.input.used >= conn.body_end
        if conn.state < ANSWERING:
            if not complete:
                return
            begin_answer(server, conn)

cdef inline bint take_head(Server* server, Conn* conn) noexcept nogil:
    """Reads a request's head when it is there; False where there is nothing more to do."""
    cdef Buffer* input = &conn.input
    cdef const char* end
    while input.used > 0 and (input.data[0] == 13 or input.data[0] == 10):
        drop_front(input, 1)
    end = <const char*>memmem(input.data + conn.scanned, input.used - conn.scanned, b"\r\n\r\n", 4)
    if end == NULL:
        conn.scanned = input.used - 3 if input.used > 3 else 0
        if input.used > MAX_HEAD:
            refuse(server, conn, b"431 Request Header Fields Too Large", b"the head is larger than 64 KiB")
        return False
    conn.body_at = conn.body_end = conn.raw_at = end + 4 - input.data
    if not read_head(&conn.head, input.data, end - input.data):
        refuse(server, conn, b"400 Bad Request", b"this is not HTTP/1.1")
        return False
    if conn.head.body_length > MAX_BODY:
        refuse(server, conn, b"413 Content Too Large", b"the body is larger than 256 MiB")
        return False
    expect_body(server, conn)
    return True

cdef inline void expect_body(Server* server, Conn* conn) noexcept nogil:
    if conn.head.chunked:
        conn.state = READING_CHUNKS
    else:
        conn.state = READING_BODY
        conn.body_end += max(conn.head.body_length, 0)
        conn.raw_at = conn.body_end
        if conn.body_end > conn.input.used:
            reserve(&conn.input, conn.body_end - conn.input.used + 1)
    if conn.head.expects_continue and conn.input.used == conn.body_at:
        put(&server.segment, b"HTTP/1.1 100 Continue\r\n\r\n")
        transmit(server, conn)

cdef inline void refuse(Server* server, Conn* conn, const char* status, const char* message) noexcept nogil:
    """Answers what could not be read, and closes, as the end of the request is not known."""
    conn.head.close = True
    put_error(server, conn, status, b"invalid_request_error", message, b"")
    transmit(server, conn)
    if conn.fd >= 0:
        end_answer(server, conn)

cdef inline void begin_answer(Server* server, Conn* conn) noexcept nogil:
    """The request has been read completely: answers it, or sets its first deadline."""
    cdef int64_t now = now_ns()
    conn.state = ANSWERING
    conn.head_sent = conn.role_sent = False
    conn.fault = FAULT_NONE
    conn.due_ns = NEVER
    if conn.head.route == ROUTE_CHAT or conn.head.route == ROUTE_COMPLETIONS:
        conn.number = server.counters.requests
        server.counters.requests += 1
        note(server, conn, TRUTH_ARRIVAL, -1)
        stamp_records(server, now)
        if not conn.head.post:
            answer_at_once(server, conn, b"405 Method Not Allowed", b"use POST", b"allow: POST\r\n")
        else:
            generate(server, conn, now)
    else:
        answer_fixed(server, conn)
    if conn.fd >= 0:
        consume(conn)

cdef inline void answer_at_once(
    Server* server, Conn* conn, const char* status, const char* message, const char* headers
) noexcept nogil:
    cdef const char* kind = b"server_error" if status[0] == 53 else b"invalid_request_error"
    put_error(server, conn, status, kind, message, headers)
    if conn.head.route == ROUTE_CHAT or conn.head.route == ROUTE_COMPLETIONS:
        note(server, conn, TRUTH_HEAD, -1)
    send_whole(server, conn)

cdef inline void answer_fixed(Server* server, Conn* conn) noexcept nogil:
    if conn.head.route == ROUTE_UNKNOWN:
        answer_at_once(server, conn, b"404 Not Found", b"no such path", b"")
    elif not conn.head.get:
        answer_at_once(server, conn, b"405 Method Not Allowed", b"use GET", b"allow: GET\r\n")
    else:
        if conn.head.route == ROUTE_MODELS:
            put_response(server, conn, b"200 OK", b"application/json", b"", server.models_body)
        else:
            put_response(server, conn, b"200 OK", b"application/json", b"", as_text(b'{"status":"ok"}', 15))
        send_whole(server, conn)

cdef inline void generate(Server* server, Conn* conn, int64_t now) noexcept nogil:
    cdef BodyFacts facts
    if not read_body(&facts, conn.input.data + conn.body_at, conn.body_end - conn.body_at):
        answer_at_once(server, conn, b"400 Bad Request", b"the body is not a JSON object", b"")
    elif conn.head.route == ROUTE_CHAT and not facts.has_messages:
        answer_at_once(server, conn, b"400 Bad Request", b"messages is missing", b"")
    elif conn.head.route == ROUTE_COMPLETIONS and not facts.has_prompt:
        answer_at_once(server, conn, b"400 Bad Request", b"prompt is missing", b"")
    elif facts.bad_limit:
        answer_at_once(server, conn, b"400 Bad Request", b"max_tokens must be an integer of at least 1", b"")
    elif server.strict_model and not is_model(server, facts.model):
        answer_at_once(server, conn, b"404 Not Found", b"the model does not exist", b"")
    else:
        choose_fault(server, conn, facts.text)
        if not answered_by_fault(server, conn):
            prepare(server, conn, &facts)
            admit(server, conn, now)

cdef inline bint is_model(Server* server, Text name) noexcept nogil:
    unescape(&server.joined, name)
    return server.joined.used == server.model.length and (
        memcmp(server.joined.data, server.model.data, server.model.length) == 0
    )

cdef inline bint answered_by_fault(Server* server, Conn* conn) noexcept nogil:
    """Whether the fault leaves nothing to generate."""
    cdef char headers[64]
    cdef Buffer line
    cdef const char* page = b"<!DOCTYPE html><html><body>It works!</body></html>\n"
    if conn.fault == FAULT_REFUSE:
        drop(server, conn)
    elif conn.fault == FAULT_RATE_LIMIT or conn.fault == FAULT_UNAVAILABLE:
        line.data, line.used, line.room = headers, 0, 64
        put(&line, b"retry-after: ")
        put_number(&line, max(<int64_t>0, <int64_t>min(conn.fault_argument, 1e9)), 10)
        put_bytes(&line, b"\r\n\0", 3)
        if conn.fault == FAULT_RATE_LIMIT:
            answer_at_once(server, conn, b"429 Too Many Requests", b"simulated rate limit", headers)
        else:
            answer_at_once(server, conn, b"503 Service Unavailable", b"simulated overload", headers)
    elif conn.fault == FAULT_INTERNAL:
        answer_at_once(server, conn, b"500 Internal Server Error", b"simulated failure", b"")
    elif conn.fault == FAULT_HTML:
        put_response(server, conn, b"200 OK", b"text/html", b"", as_text(page, 51))
        note(server, conn, TRUTH_HEAD, -1)
        send_whole(server, conn)
    else:
        return False
    return True

cdef inline Answer* scripted(Server* server, Text text) noexcept nogil:
    """The answer whose prompt is equal to the text, or NULL."""
    cdef uint64_t hash
    cdef uint64_t at
    cdef Answer* answer
    if server.table == NULL or text.data == NULL:
        return NULL
    unescape(&server.joined, text)
    hash = hash_bytes(server.joined.data, server.joined.used)
    at = hash & server.table_mask
    while server.table[at] != NULL:
        answer = server.table[at]
        if answer.hash == hash and answer.prompt.length == server.joined.used:
            if memcmp(answer.prompt.data, server.joined.data, server.joined.used) == 0:
                return answer
        at = (at + 1) & server.table_mask
    return NULL

cdef inline void prepare(Server* server, Conn* conn, const BodyFacts* facts) noexcept nogil:
    """Settles what the answer will be."""
    cdef int64_t limit = facts.max_tokens if facts.max_completion_tokens < 0 else facts.max_completion_tokens
    conn.dialect = &server.chat if conn.head.route == ROUTE_CHAT else &server.completions
    conn.stream = facts.stream and conn.fault != FAULT_NON_STREAM
    conn.with_usage = facts.include_usage or not conn.stream
    conn.prompt_tokens = tokens_of_prompt(facts)
    conn.cached_tokens = -1
    if server.cache_sets:
        conn.cached_tokens = cached_tokens(server, facts.prompt.data, facts.prompt.length, conn.prompt_tokens)
    conn.random = stream_seed(server, conn.number)
    conn.answer = scripted(server, facts.text)
    if conn.fault == FAULT_EMPTY:
        conn.tokens, conn.limited = 0, False
    elif conn.answer != NULL:
        conn.limited = 0 <= limit < conn.answer.total
        conn.tokens = limit if conn.limited else conn.answer.total
    else:
        conn.limited = limit >= 0
        conn.tokens = limit if conn.limited else drawn_tokens(server, conn)
    conn.sent = conn.event = 0
    conn.filler_at = conn.number % server.fillers
    conn.holds_record = False
    conn.carry.used = 0
    conn.fault_at = strikes_at(conn)
    put_padded(conn.id, conn.number, 16, 16)
    put_padded(conn.created, time(NULL), 10, 10)

cdef inline void admit(Server* server, Conn* conn, int64_t now) noexcept nogil:
    if server.slots > 0 and server.busy >= server.slots:
        join_queue(server, conn)
    else:
        take_slot(server, conn, now)
    if conn.stream and server.head_early and conn.fault != FAULT_SLOW_HEAD and (conn.waits or conn.due_ns > now):
        put_stream_head(server, conn)
        if server.role_early and conn.fault != FAULT_MERGED:
            put_role(server, conn)
        transmit(server, conn)
