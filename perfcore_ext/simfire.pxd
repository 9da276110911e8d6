"""What happens at a deadline: the segment that is due, the fault that strikes, the next deadline."""

from libc.stddef cimport size_t
from libc.stdint cimport int64_t

from perfcore_ext.clock cimport now_ns
from perfcore_ext.simanswer cimport *
from perfcore_ext.simbuffer cimport Buffer, put_bytes
from perfcore_ext.simconn cimport *
from perfcore_ext.simrequest cimport read_requests
from perfcore_ext.simtiming cimport in_lockstep, later_ns, tick_from, tick_ns
from perfcore_ext.simtypes cimport *

cdef enum:
    SEGMENT_BYTES = 65536

cdef inline void fire(Server* server, Conn* conn) noexcept nogil:
    """Sends what is due and sets the next deadline."""
    if conn.carry.used > 0:
        put_carry(server, conn)
    if conn.stream:
        fire_stream(server, conn)
    else:
        fire_full(server, conn)
    if conn.fd >= 0 and conn.state == READING_HEAD and conn.input.used > 0:
        read_requests(server, conn)

cdef inline void put_carry(Server* server, Conn* conn) noexcept nogil:
    """Bytes held back, and the record of the event that they complete."""
    put_bytes(&server.segment, conn.carry.data, conn.carry.used)
    conn.carry.used = 0
    if conn.holds_record:
        note(server, conn, conn.held.kind, conn.held.event)
        conn.holds_record = False

cdef inline void fire_stream(Server* server, Conn* conn) noexcept nogil:
    cdef int64_t events
    if not conn.head_sent:
        put_stream_head(server, conn)
    if not conn.role_sent:
        put_role(server, conn)
    if 0 <= conn.fault_at <= conn.sent:
        conn.fault_at = -1
        if struck(server, conn):
            return
    events = put_due_tokens(server, conn)
    if conn.sent >= conn.tokens:
        put_tail(server, conn)
        send_whole(server, conn)
        return
    transmit(server, conn)
    if conn.fd >= 0:
        go_on_at(server, conn, later_ns(server, conn, conn.due_ns, events) if server.itl_ns > 0 else now_ns())

cdef inline int64_t put_due_tokens(Server* server, Conn* conn) noexcept nogil:
    """Token events for one segment; how many."""
    cdef int64_t stop = conn.fault_at if conn.fault_at >= 0 else conn.tokens
    cdef int64_t most = server.events_per_send
    cdef int64_t count = 0
    cdef size_t last = 0
    if conn.fault == FAULT_MERGED:
        most = conn.tokens
    while conn.sent < stop:
        last = server.segment.used
        put_token_event(server, conn)
        count += 1
        if count == most or (most == 0 and 2 * server.segment.used - last > SEGMENT_BYTES):
            break
    if conn.fault == FAULT_SPLIT_UTF8 and count > 0 and conn.sent < conn.tokens:
        hold_back(server, conn, last)
    return count

cdef inline void hold_back(Server* server, Conn* conn, size_t event_at) noexcept nogil:
    """Cuts the last event of the segment within its last multi-byte character; the rest goes with the next segment."""
    cdef Buffer* segment = &server.segment
    cdef size_t at = segment.used - 1
    while at > event_at and (segment.data[at] & 0xC0) != 0xC0:
        at -= 1
    if at == event_at:
        return
    put_bytes(&conn.carry, segment.data + at + 1, segment.used - at - 1)
    segment.used = at + 1
    if server.truth_fd >= 0:
        server.truth.used -= sizeof(TruthRecord)
        conn.held = (<TruthRecord*>(server.truth.data + server.truth.used))[0]
        conn.holds_record = True

cdef inline bint struck(Server* server, Conn* conn) noexcept nogil:
    """Lets the fault of mid-stream happen; False where tokens go on in the same segment."""
    if conn.fault == FAULT_MALFORMED:
        put_bad_event(server, conn)
        return False
    if conn.fault == FAULT_HUGE:
        put_huge_event(server, conn, <size_t>(max(conn.fault_argument, 0.0) * 1048576))
        return False
    if conn.fault == FAULT_ERROR:
        put_error_event(server, conn)
        send_whole(server, conn)
    else:
        break_off(server, conn)
    return True

cdef inline void break_off(Server* server, Conn* conn) noexcept nogil:
    """Sends the segment, then resets, closes or stalls."""
    cdef int64_t due = NEVER
    transmit(server, conn)
    if conn.fd < 0:
        return
    if conn.fault == FAULT_RESET:
        drop_with_reset(server, conn)
    elif conn.fault == FAULT_CUT:
        drop(server, conn)
    else:
        if conn.fault_argument > 0:
            due = now_ns() + <int64_t>(conn.fault_argument * 1e9)
            if in_lockstep(server):
                conn.tick = tick_from(server, due)
                due = tick_ns(server, conn.tick)
        go_on_at(server, conn, due)

cdef inline void fire_full(Server* server, Conn* conn) noexcept nogil:
    cdef Buffer* body = &server.joined
    if conn.head_sent:                # what a stall had held back
        send_whole(server, conn)
        return
    if conn.fault == FAULT_ERROR:
        put_response(server, conn, b"200 OK", b"application/json", b"", error_text())
    else:
        put_full_body(
            server, conn, body, <size_t>(max(conn.fault_argument, 0.0) * 1048576) if conn.fault == FAULT_HUGE else 0
        )
        if conn.fault == FAULT_MALFORMED:
            body.used //= 2
        put_response(server, conn, b"200 OK", b"application/json", b"", as_text(body.data, body.used))
    note(server, conn, TRUTH_HEAD, -1)
    note_event(server, conn, TRUTH_BODY)
    if conn.fault == FAULT_RESET or conn.fault == FAULT_CUT or conn.fault == FAULT_STALL:
        body.used //= 2
        put_bytes(&conn.carry, server.segment.data + server.segment.used - body.used, body.used)
        server.segment.used -= body.used
        break_off(server, conn)
    else:
        send_whole(server, conn)
