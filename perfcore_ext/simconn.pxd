"""A connection's life: sockets, sending, slots, deadlines."""

from libc.errno cimport EAGAIN, EINTR, EMFILE, ENFILE, errno
from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint32_t
from libc.stdlib cimport abort, calloc, realloc
from libc.string cimport memset

from perfcore_ext.clock cimport now_ns
from perfcore_ext.simbuffer cimport Buffer, drop_front, put_bytes, release
from perfcore_ext.simheap cimport schedule, unschedule
from perfcore_ext.simlog cimport stamp_records
from perfcore_ext.simsystem cimport *
from perfcore_ext.simtiming cimport first_token_ns, later_ns, token_events
from perfcore_ext.simtypes cimport *

cdef enum:
    NEVER = -1
    KEPT_BYTES = 262144               # larger buffers are given back between requests

cdef inline Conn* make_conn(Server* server) noexcept nogil:
    cdef Conn* conn = server.free
    if conn != NULL:
        server.free = conn.next_free
        return conn
    conn = <Conn*>calloc(1, sizeof(Conn))
    if server.conns_used == server.conns_room:
        server.conns_room = 2 * server.conns_room + 256
        server.conns = <Conn**>realloc(server.conns, server.conns_room * sizeof(Conn*))
    if conn == NULL or server.conns == NULL:
        abort()
    server.conns[server.conns_used] = conn
    server.conns_used += 1
    return conn

cdef inline void reset_conn(Conn* conn, int fd) noexcept nogil:
    """Makes it that of a new socket; its buffers stay, unless they are large."""
    cdef Buffer input = conn.input
    cdef Buffer pending = conn.pending
    cdef Buffer carry = conn.carry
    if input.room > KEPT_BYTES:
        release(&input)
    if pending.room > KEPT_BYTES:
        release(&pending)
    memset(conn, 0, sizeof(Conn))
    conn.input, conn.pending, conn.carry = input, pending, carry
    conn.input.used = conn.pending.used = conn.carry.used = 0
    conn.fd = fd
    conn.heap_index = -1
    conn.due_ns = NEVER

cdef inline void watch(Server* server, int operation, int fd, void* tag, uint32_t events) noexcept nogil:
    cdef epoll_event event
    event.events = events
    event.data.ptr = tag
    epoll_ctl(server.epoll, operation, fd, &event)

cdef inline void accept_all(Server* server) noexcept nogil:
    cdef int one = 1
    cdef int fd
    cdef Conn* conn
    while True:
        fd = accept4(server.listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)
        if fd < 0:
            if errno == EMFILE or errno == ENFILE:
                watch(server, EPOLL_CTL_DEL, server.listener, NULL, 0)
                server.accepts = False
            return
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one))
        conn = make_conn(server)
        reset_conn(conn, fd)
        server.counters.connections += 1
        watch(server, EPOLL_CTL_ADD, fd, conn, EPOLLIN | EPOLLRDHUP)

cdef inline void drop(Server* server, Conn* conn) noexcept nogil:
    """Closes the socket and gives back what the connection held."""
    unschedule(&server.heap, conn)
    leave_queue(server, conn)
    close(conn.fd)
    conn.fd = -1
    conn.next_free = server.closed
    server.closed = conn
    release_slot(server, conn)
    if not server.accepts:
        watch(server, EPOLL_CTL_ADD, server.listener, &server.listener, EPOLLIN)
        server.accepts = True

cdef inline void drop_with_reset(Server* server, Conn* conn) noexcept nogil:
    cdef linger at_once
    at_once.l_onoff = 1
    at_once.l_linger = 0
    setsockopt(conn.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once))
    drop(server, conn)

cdef inline void free_closed(Server* server) noexcept nogil:
    cdef Conn* conn
    while server.closed != NULL:
        conn = server.closed
        server.closed = conn.next_free
        conn.next_free = server.free
        server.free = conn

cdef inline ssize_t send_pieces(Server* server, Conn* conn, const char* data, size_t length) noexcept nogil:
    """Bytes that the socket took; -1 where it is dead."""
    cdef size_t most = length
    cdef size_t sent = 0
    cdef ssize_t count
    if conn.fault == FAULT_BYTES:
        most = 1
    elif server.cut_bytes > 0:
        most = server.cut_bytes
    while sent < length:
        count = send(conn.fd, data + sent, min(most, length - sent), MSG_NOSIGNAL)
        if count >= 0:
            sent += count
        elif errno == EAGAIN:
            server.counters.blocked += 1
            break
        elif errno != EINTR:
            return -1
    server.counters.bytes += sent
    return sent

cdef inline void transmit(Server* server, Conn* conn) noexcept nogil:
    """Sends the segment; the socket may be gone afterwards (`conn.fd` is -1)."""
    cdef Buffer* segment = &server.segment
    cdef ssize_t sent = 0
    server.counters.segments += 1
    stamp_records(server, now_ns())
    if not conn.wants_write:
        sent = send_pieces(server, conn, segment.data, segment.used)
    if sent < 0:
        drop(server, conn)
    elif <size_t>sent < segment.used:
        put_bytes(&conn.pending, segment.data + sent, segment.used - sent)
        if not conn.wants_write:
            conn.wants_write = True
            watch(server, EPOLL_CTL_MOD, conn.fd, conn, EPOLLIN | EPOLLRDHUP | EPOLLOUT)
    segment.used = 0

cdef inline void flush(Server* server, Conn* conn) noexcept nogil:
    """Goes on where the socket had not taken all."""
    cdef size_t left = conn.pending.used - conn.pending_sent
    cdef ssize_t sent = send_pieces(server, conn, conn.pending.data + conn.pending_sent, left)
    if sent < 0:
        drop(server, conn)
        return
    conn.pending_sent += sent
    if <size_t>sent < left:
        return
    conn.pending.used = conn.pending_sent = 0
    if conn.pending.room > KEPT_BYTES:
        release(&conn.pending)
    conn.wants_write = False
    watch(server, EPOLL_CTL_MOD, conn.fd, conn, EPOLLIN | EPOLLRDHUP)
    if conn.state == CLOSING:
        drop(server, conn)
    elif conn.state == ANSWERING and conn.due_ns != NEVER:
        schedule(&server.heap, conn)

cdef inline void go_on_at(Server* server, Conn* conn, int64_t due_ns) noexcept nogil:
    """Sets the deadline; a socket that is full gets it when it has been emptied."""
    conn.due_ns = due_ns
    if due_ns == NEVER or conn.wants_write:
        unschedule(&server.heap, conn)
    else:
        schedule(&server.heap, conn)

cdef inline void leave_queue(Server* server, Conn* conn) noexcept nogil:
    if not conn.waits:
        return
    conn.waits = False
    if conn.before != NULL:
        conn.before.after = conn.after
    else:
        server.first_waiting = conn.after
    if conn.after != NULL:
        conn.after.before = conn.before
    else:
        server.last_waiting = conn.before

cdef inline void join_queue(Server* server, Conn* conn) noexcept nogil:
    conn.waits = True
    conn.after = NULL
    conn.before = server.last_waiting
    if conn.before != NULL:
        conn.before.after = conn
    else:
        server.first_waiting = conn
    server.last_waiting = conn

cdef inline void take_slot(Server* server, Conn* conn, int64_t now) noexcept nogil:
    conn.has_slot = True
    server.busy += 1
    start(server, conn, now)

cdef inline void release_slot(Server* server, Conn* conn) noexcept nogil:
    cdef Conn* other = server.first_waiting
    if not conn.has_slot:
        return
    conn.has_slot = False
    server.busy -= 1
    if other != NULL:
        leave_queue(server, other)
        take_slot(server, other, now_ns())

cdef inline void start(Server* server, Conn* conn, int64_t now) noexcept nogil:
    """Sets the deadline of the first token; of the last one where the answer comes in one piece."""
    cdef int64_t due
    if conn.fault == FAULT_SLOW_HEAD:
        now += <int64_t>(conn.fault_argument * 1e9)
    due = first_token_ns(server, conn, now)
    if not conn.stream or conn.fault == FAULT_MERGED:
        due = later_ns(server, conn, due, max(<int64_t>0, token_events(server, conn.tokens) - 1))
    conn.due_ns = due
    schedule(&server.heap, conn)

cdef inline void consume(Conn* conn) noexcept nogil:
    """Forgets the request's bytes; what follows them is the next request's."""
    drop_front(&conn.input, conn.raw_at)
    conn.scanned = 0
    conn.raw_at = 0
    if conn.input.used == 0 and conn.input.room > KEPT_BYTES:
        release(&conn.input)

cdef inline void end_answer(Server* server, Conn* conn) noexcept nogil:
    """The last byte of the answer has been handed over."""
    conn.due_ns = NEVER
    unschedule(&server.heap, conn)
    release_slot(server, conn)
    conn.state = CLOSING if conn.head.close else READING_HEAD
    if conn.state == CLOSING and not conn.wants_write:
        drop(server, conn)

cdef inline void send_whole(Server* server, Conn* conn) noexcept nogil:
    transmit(server, conn)
    if conn.fd >= 0:
        end_answer(server, conn)
