"""Writes answers into the server's segment, and a truth record for each event of it."""

from libc.stddef cimport size_t
from libc.stdint cimport int32_t, int64_t
from libc.string cimport memcpy, strlen

from perfcore_ext.simbuffer cimport Buffer, Text, put, put_bytes, put_number, put_raw, put_text, reserve
from perfcore_ext.simtypes cimport (
    FAULT_COMMENTS,
    FAULT_CRLF,
    FAULT_EMPTY,
    FAULT_NO_DONE,
    FAULT_NO_FINISH,
    FAULT_NO_USAGE,
    FAULT_SPLIT_UTF8,
    TRUTH_BAD,
    TRUTH_BODY,
    TRUTH_DONE,
    TRUTH_ERROR,
    TRUTH_FINISH,
    TRUTH_HEAD,
    TRUTH_ROLE,
    TRUTH_TOKEN,
    TRUTH_USAGE,
    Conn,
    Dialect,
    Server,
    TruthRecord,
)

cdef inline Text as_text(const char* literal, size_t length) noexcept nogil:
    cdef Text text
    text.data = literal
    text.length = length
    return text

cdef inline void note(Server* server, Conn* conn, int kind, int event) noexcept nogil:
    """Adds a truth record; its time is set when its segment is sent."""
    cdef TruthRecord* record
    if server.truth_fd < 0:
        return
    reserve(&server.truth, sizeof(TruthRecord))
    record = <TruthRecord*>(server.truth.data + server.truth.used)
    record.request = conn.number
    record.client_request = conn.head.client_request
    record.event = event
    record.kind = kind
    record.time_ns = 0
    server.truth.used += sizeof(TruthRecord)

cdef inline void note_event(Server* server, Conn* conn, int kind) noexcept nogil:
    note(server, conn, kind, conn.event)
    conn.event += 1
    server.counters.events += 1

cdef inline void open_event(Server* server, Conn* conn, size_t length) noexcept nogil:
    """The chunk's size and the `data: ` of an event of `length` bytes of data, for which it makes room."""
    cdef Buffer* out = &server.segment
    cdef size_t line_end = 2 if conn.fault == FAULT_CRLF else 1
    cdef size_t comment = 6 + 2 * line_end if conn.fault == FAULT_COMMENTS else 0
    reserve(out, length + 64)
    if not conn.head.http_1_0:
        put_number(out, comment + 6 + length + 2 * line_end, 16)
        put_raw(out, b"\r\n", 2)
    if comment:
        put_raw(out, b": ping", 6)
        end_lines(out, line_end)
    put_raw(out, b"data: ", 6)

cdef inline void end_lines(Buffer* out, size_t line_end) noexcept nogil:
    if line_end == 1:
        put_raw(out, b"\n\n", 2)
    else:
        put_raw(out, b"\r\n\r\n", 4)

cdef inline void close_event(Server* server, Conn* conn) noexcept nogil:
    end_lines(&server.segment, 2 if conn.fault == FAULT_CRLF else 1)
    if not conn.head.http_1_0:
        put_raw(&server.segment, b"\r\n", 2)

cdef inline void put_event(Server* server, Conn* conn, Text before, Text text, Text after) noexcept nogil:
    cdef Buffer* out = &server.segment
    cdef Dialect* dialect = conn.dialect
    cdef char* start
    open_event(server, conn, dialect.event.length + before.length + text.length + after.length)
    start = out.data + out.used
    put_raw(out, dialect.event.data, dialect.event.length)
    memcpy(start + dialect.event_id, conn.id, 16)
    memcpy(start + dialect.event_created, conn.created, 10)
    put_raw(out, before.data, before.length)
    put_raw(out, text.data, text.length)
    put_raw(out, after.data, after.length)
    close_event(server, conn)

cdef inline void put_plain_event(Server* server, Conn* conn, Text data) noexcept nogil:
    open_event(server, conn, data.length)
    put_raw(&server.segment, data.data, data.length)
    close_event(server, conn)

cdef inline Text piece_at(Server* server, Conn* conn, int64_t at) noexcept nogil:
    if conn.answer != NULL:
        return conn.answer.pieces[at]
    if conn.fault == FAULT_SPLIT_UTF8:
        return server.wide_filler[at % server.wide_fillers]
    return server.filler[(conn.filler_at + at) % server.fillers]

cdef inline int64_t reasoning_of(Conn* conn) noexcept nogil:
    return 0 if conn.answer == NULL else min(conn.answer.reasoning, conn.tokens)

cdef inline Text pieces_between(Server* server, Conn* conn, int64_t first, int64_t end) noexcept nogil:
    """The text of several tokens; it lasts until the next call."""
    if end - first == 1:
        return piece_at(server, conn, first)
    server.joined.used = 0
    while first < end:
        put_text(&server.joined, piece_at(server, conn, first))
        first += 1
    return as_text(server.joined.data, server.joined.used)

cdef inline void put_tokens(Server* server, Conn* conn, Text before, Text after, int64_t end) noexcept nogil:
    put_event(server, conn, before, pieces_between(server, conn, conn.sent, end), after)
    note_event(server, conn, TRUTH_TOKEN)
    conn.sent = end

cdef inline void put_token_event(Server* server, Conn* conn) noexcept nogil:
    """One event of `tokens_per_event` tokens; it ends early where reasoning does."""
    cdef Dialect* dialect = conn.dialect
    cdef int64_t reasoning = reasoning_of(conn)
    cdef int64_t end = min(conn.sent + server.tokens_per_event, conn.tokens)
    if conn.sent < reasoning:
        put_tokens(server, conn, dialect.reasoning_open, dialect.reasoning_close, min(end, reasoning))
    else:
        put_tokens(server, conn, dialect.content_open, dialect.content_close, end)

cdef inline Text finish_reason(Conn* conn) noexcept nogil:
    return as_text(b"length", 6) if conn.limited else as_text(b"stop", 4)

cdef inline void put_usage(Buffer* out, Conn* conn) noexcept nogil:
    cdef int64_t reasoning = reasoning_of(conn)
    put(out, b'"usage":{"prompt_tokens":')
    put_number(out, conn.prompt_tokens, 10)
    put(out, b',"completion_tokens":')
    put_number(out, conn.tokens, 10)
    put(out, b',"total_tokens":')
    put_number(out, conn.prompt_tokens + conn.tokens, 10)
    if conn.cached_tokens >= 0:
        put(out, b',"prompt_tokens_details":{"cached_tokens":')
        put_number(out, conn.cached_tokens, 10)
        put(out, b"}")
    if reasoning > 0:
        put(out, b',"completion_tokens_details":{"reasoning_tokens":')
        put_number(out, reasoning, 10)
        put(out, b"}")
    put(out, b"}}")

cdef inline void put_stream_head(Server* server, Conn* conn) noexcept nogil:
    cdef Buffer* out = &server.segment
    put(out, b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n")
    if not conn.head.http_1_0:
        put(out, b"transfer-encoding: chunked\r\n")
    put(out, b"connection: close\r\n\r\n" if conn.head.close else b"\r\n")
    conn.head_sent = True
    note(server, conn, TRUTH_HEAD, -1)

cdef inline void put_role(Server* server, Conn* conn) noexcept nogil:
    conn.role_sent = True
    if conn.dialect.role.length > 0:
        put_event(server, conn, conn.dialect.role, as_text(b"", 0), as_text(b"", 0))
        note_event(server, conn, TRUTH_ROLE)

cdef inline void put_done(Server* server, Conn* conn) noexcept nogil:
    put_plain_event(server, conn, as_text(b"[DONE]", 6))
    note_event(server, conn, TRUTH_DONE)

cdef inline void end_body(Server* server, Conn* conn) noexcept nogil:
    if not conn.head.http_1_0:
        put(&server.segment, b"0\r\n\r\n")

cdef inline void put_tail(Server* server, Conn* conn) noexcept nogil:
    """What follows the last token: finish reason, usage, end marker, end of the body."""
    if conn.fault != FAULT_NO_FINISH:
        put_event(server, conn, conn.dialect.finish_open, finish_reason(conn), conn.dialect.finish_close)
        note_event(server, conn, TRUTH_FINISH)
    if conn.with_usage and conn.fault != FAULT_NO_USAGE and conn.fault != FAULT_NO_FINISH:
        server.joined.used = 0
        put_usage(&server.joined, conn)
        put_event(server, conn, as_text(b"],", 2), as_text(server.joined.data, server.joined.used), as_text(b"", 0))
        note_event(server, conn, TRUTH_USAGE)
    if conn.fault != FAULT_NO_DONE and conn.fault != FAULT_NO_FINISH:
        put_done(server, conn)
    end_body(server, conn)

cdef inline Text error_text() noexcept nogil:
    """The body of an error inside a 200."""
    cdef const char* error = b'{"error":{"message":"simulated error","type":"server_error","param":null,"code":500}}'
    return as_text(error, strlen(error))

cdef inline void put_error_event(Server* server, Conn* conn) noexcept nogil:
    """An error inside a 200, as a server sends it that notices too late; nothing but the end marker follows."""
    put_plain_event(server, conn, error_text())
    note_event(server, conn, TRUTH_ERROR)
    put_done(server, conn)
    end_body(server, conn)

cdef inline void put_bad_event(Server* server, Conn* conn) noexcept nogil:
    put_event(server, conn, conn.dialect.content_open, as_text(b' "broken', 8), as_text(b"}]", 2))
    note_event(server, conn, TRUTH_BAD)

cdef inline void put_fill(Buffer* out, size_t length) noexcept nogil:
    cdef size_t i
    reserve(out, length)
    for i in range(length):
        out.data[out.used + i] = 120
    out.used += length

cdef inline void put_huge_event(Server* server, Conn* conn, size_t length) noexcept nogil:
    server.joined.used = 0
    put_fill(&server.joined, length)
    put_event(
        server, conn, conn.dialect.content_open, as_text(server.joined.data, length), conn.dialect.content_close
    )
    note_event(server, conn, TRUTH_TOKEN)

cdef inline void put_full_body(Server* server, Conn* conn, Buffer* out, size_t extra) noexcept nogil:
    """The JSON of an answer that is not a stream, its text longer by `extra` letters."""
    cdef Dialect* dialect = conn.dialect
    cdef int64_t reasoning = reasoning_of(conn)
    cdef int64_t i
    out.used = 0
    put_text(out, dialect.full)
    memcpy(out.data + dialect.full_id, conn.id, 16)
    memcpy(out.data + dialect.full_created, conn.created, 10)
    put_text(out, dialect.full_open)
    if reasoning > 0 and dialect.full_reasoning_open.length > 0:
        put_text(out, dialect.full_reasoning_open)
        for i in range(reasoning):
            put_text(out, piece_at(server, conn, i))
        put_text(out, dialect.full_reasoning_close)
    put_text(out, dialect.full_content_open)
    for i in range(reasoning, conn.tokens):
        put_text(out, piece_at(server, conn, i))
    put_fill(out, extra)
    put_text(out, dialect.full_close)
    if conn.fault == FAULT_NO_FINISH:
        put(out, b"null}]")
    else:
        put(out, b'"')
        put_text(out, finish_reason(conn))
        put(out, b'"}]')
    if conn.fault != FAULT_NO_USAGE and conn.fault != FAULT_NO_FINISH:
        put(out, b",")
        put_usage(out, conn)
    else:
        put(out, b"}")

cdef inline void put_response(
    Server* server, Conn* conn, const char* status, const char* content_type, const char* headers, Text body
) noexcept nogil:
    """A whole response; `headers` are further lines, each with its end."""
    cdef Buffer* out = &server.segment
    put(out, b"HTTP/1.1 ")
    put(out, status)
    put(out, b"\r\ncontent-type: ")
    put(out, content_type)
    put(out, b"\r\ncontent-length: ")
    put_number(out, body.length, 10)
    put(out, b"\r\n")
    put(out, headers)
    put(out, b"connection: close\r\n\r\n" if conn.head.close else b"\r\n")
    put_text(out, body)
    conn.head_sent = True

cdef inline void put_error(
    Server* server, Conn* conn, const char* status, const char* kind, const char* message, const char* headers
) noexcept nogil:
    """A response of OpenAI's error shape; `message` must need no escapes."""
    cdef Buffer* out = &server.joined
    out.used = 0
    put(out, b'{"error":{"message":"')
    put(out, message)
    put(out, b'","type":"')
    put(out, kind)
    put(out, b'","param":null,"code":')
    put_bytes(out, status, 3)
    put(out, b"}}")
    put_response(server, conn, status, b"application/json", headers, as_text(out.data, out.used))
