"""The load loop of one worker: claims requests, sends them through libcurl, and reads what comes.

One epoll set, one libcurl multi handle, one easy handle a slot. An iteration is: send what is due, wait until a socket
is ready or something falls due, let libcurl drain the ready sockets, collect what has ended. Nothing in it touches
Python or takes a lock.

Stamps. `reading.wake_ns` is read once after each epoll_wait and given to all events that the ready sockets bring: their
bytes had arrived by then, and the time that draining the others takes is not charged to them. What libcurl hands over
outside a wake-up of its socket gets the time of the call.

Claims. The next request is an atomic add on a counter that all workers share. In a closed loop a worker claims when one
of its slots is free. In an open loop a worker with a free slot claims one request ahead and holds it until it is due:
no two workers wake for the same request, and order is kept. The limits of the workers add up to the asked concurrency,
so the sum in flight never exceeds it.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer, Py_buffer
from libc.errno cimport EINTR, ENOENT, ENOMEM, ENOSYS, errno
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memcpy, memset

from perfcore_ext.atomics cimport fetch_add, load_acquire, load_relaxed, store_relaxed, store_release
from perfcore_ext.clock cimport now_ns
from perfcore_ext.control cimport (
    CONTROL_MAGIC, ControlHeader, Segment, Slot, WorkerState, slot_table, worker_state,
)
from perfcore_ext.curl cimport (
    E_OK, INFO_PRIVATE, MOPT_MAXCONNECTS, MOPT_SOCKETDATA, MOPT_SOCKETFUNCTION, MOPT_TIMERDATA, MOPT_TIMERFUNCTION,
    MSG_DONE, OPT_ERRORBUFFER, OPT_HEADERDATA, OPT_HEADERFUNCTION, OPT_HTTPHEADER, OPT_NOSIGNAL, OPT_POST,
    OPT_POSTFIELDS, OPT_POSTFIELDSIZE_LARGE, OPT_PRIVATE, OPT_URL, OPT_WRITEDATA, OPT_WRITEFUNCTION, POLL_IN, POLL_OUT,
    POLL_REMOVE, SELECT_ERR, SELECT_IN, SELECT_OUT, SOCKET_TIMEOUT, CurlApi, CurlMessage, HeaderList, curl_api,
    set_option,
)
from perfcore_ext.frame cimport CLASS_CONNECT_TIMEOUT, CLASS_DNS, CLASS_OK, CLASS_REFUSED, CLASS_RESET, CLASS_TLS
from perfcore_ext.paths cimport PathSet
from perfcore_ext.ring cimport RingWriter, writer_attach, writer_flush, writer_free
from perfcore_ext.sse cimport FRAMING_JSON, FRAMING_NDJSON, FRAMING_SSE, Framing
from perfcore_ext.transfer cimport (
    COMPLETE_BY_DONE, COMPLETE_BY_END, COMPLETE_BY_FINISH, FIELD_CACHED_TOKENS, FIELD_CONTENT, FIELD_ERROR,
    FIELD_FINISH, FIELD_INPUT_TOKENS, FIELD_OUTPUT_TOKENS, FIELD_REASONING, FIELD_REASONING_TOKENS, FIELD_ROLE,
    FIELD_TOOL, PathField, Reading, Transfer, on_body, on_header, transfer_begin, transfer_finish, transfer_free,
    transfer_init,
)

cdef extern from "<sys/epoll.h>" nogil:
    ctypedef union epoll_data_t:
        int fd
    struct epoll_event:
        uint32_t events
        epoll_data_t data
    int epoll_create1(int flags)
    int epoll_ctl(int epoll, int operation, int fd, epoll_event* event)
    int epoll_wait(int epoll, epoll_event* events, int room, int timeout_ms)
    int EPOLL_CLOEXEC, EPOLLIN, EPOLLOUT, EPOLLERR, EPOLLHUP, EPOLL_CTL_ADD, EPOLL_CTL_MOD, EPOLL_CTL_DEL

cdef extern from "<sys/timerfd.h>" nogil:
    struct timespec:
        long tv_sec
        long tv_nsec
    struct itimerspec:
        timespec it_interval
        timespec it_value
    int timerfd_create(int clock, int flags)
    int timerfd_settime(int fd, int flags, const itimerspec* when, itimerspec* before)
    int TFD_CLOEXEC, TFD_NONBLOCK, TFD_TIMER_ABSTIME

cdef extern from "<sys/prctl.h>" nogil:
    int prctl(int option, unsigned long value)
    int PR_SET_TIMERSLACK

cdef extern from "<unistd.h>" nogil:
    int close(int fd)

cdef extern from * nogil:
    """
    #include <stdint.h>
    #include <sys/syscall.h>
    #include <time.h>
    #include <unistd.h>
    #ifndef SYS_epoll_pwait2
    #define SYS_epoll_pwait2 441          /* the same on every architecture */
    #endif
    static int perfcore_epoll_pwait2(int epoll, struct epoll_event *events, int room, int64_t timeout_ns) {
        struct timespec timeout = { timeout_ns / 1000000000, timeout_ns % 1000000000 };
        return (int)syscall(SYS_epoll_pwait2, epoll, events, room, &timeout, NULL, 0);
    }
    static int64_t perfcore_cpu_ns(void) {
        struct timespec used;
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
        return (int64_t)used.tv_sec * 1000000000LL + used.tv_nsec;
    }
    """
    int epoll_pwait2 "perfcore_epoll_pwait2"(int epoll, epoll_event* events, int room, int64_t timeout_ns)
    int64_t cpu_ns "perfcore_cpu_ns"()
    int CLOCK_MONOTONIC

cdef enum:
    EVENTS_ROOM = 4096                # sockets that one wake-up can bring
    LONGEST_WAIT_NS = 50000000        # how late a command of the master may be seen
    RING_RETRY_NS = 1000000
    FIRST_PAUSE_NS = 1000000          # after a request that reached no server; doubles up to the longest
    LONGEST_PAUSE_NS = 1000000000
    CPU_CLOCK_NS = 50000000           # between two looks at the processor time used
    PREPARED_SLOTS = 4096
    NAME_ROOM = 160                   # of the request id header

cdef int64_t NEVER = 0x7FFFFFFFFFFFFFFF

_FIELDS = {
    "role": FIELD_ROLE, "content": FIELD_CONTENT, "reasoning": FIELD_REASONING, "tool_calls": FIELD_TOOL,
    "finish": FIELD_FINISH, "prompt_tokens": FIELD_INPUT_TOKENS, "output_tokens": FIELD_OUTPUT_TOKENS,
    "reasoning_tokens": FIELD_REASONING_TOKENS, "cached_tokens": FIELD_CACHED_TOKENS, "error": FIELD_ERROR,
}
_FRAMINGS = {"sse": FRAMING_SSE, "ndjson": FRAMING_NDJSON, "json": FRAMING_JSON}
_COMPLETE = {"finish": COMPLETE_BY_FINISH, "done": COMPLETE_BY_DONE, "end": COMPLETE_BY_END}


# The book's header: see perfcore/run/book.py, which writes it.
cdef packed struct BookHeader:
    char magic[8]
    uint64_t count
    uint64_t index_offset
    uint64_t bytes

cdef struct BookEntry:
    uint64_t offset
    uint64_t length

# What libcurl's socket and timer callbacks write down.
cdef struct Sockets:
    int epoll
    uint32_t* watched                 # by descriptor: the events it is registered for
    int room
    int64_t timer_ns                  # when libcurl wants to be called; NEVER if it does not
    int failure                       # errno

# What a slot has beside its transfer: the handle's own first header line, which carries the request's id.
cdef struct Client:
    Transfer transfer
    HeaderList id_header
    char id_text[NAME_ROOM]
    size_t id_prefix
    int64_t free_ns                   # since when the slot has been free


cdef class Loop:
    """The load loop over one worker's share of the memory that the master set up.

    control, ring: writable buffers; book, due_offsets_ns (int64, open loop only): read-only ones.
    url, headers ("Name: value"), options (pycurl constant, int | bytes): sent and set for every request.
    id_header: "Name: prefix" of a header that gets the request's number appended, or empty.
    stream_paths, full_paths: (field, path) in the order in which they are tried; a dialect's [response].
    complete: what completes a streamed answer, any of "finish", "done", "end".
    Raises ValueError where a buffer is not what it should be, CurlError where libcurl refuses an option.
    """

    cdef Py_buffer control_view, ring_view, book_view, due_view
    cdef int views
    cdef const CurlApi* api
    cdef void* multi
    cdef void* template
    cdef int timer_fd
    cdef bint has_pwait2
    cdef epoll_event* ready
    cdef Sockets sockets
    cdef ControlHeader* control
    cdef WorkerState* state
    cdef Slot* slots
    cdef int worker
    cdef RingWriter ring
    cdef const char* book
    cdef const BookEntry* entries
    cdef int64_t rows
    cdef const int64_t* due_offsets
    cdef int64_t due_count
    cdef Reading reading
    cdef HeaderList* headers
    cdef object kept                  # Python objects whose memory libcurl and the reading point to
    cdef const char* id_name
    cdef size_t id_length
    cdef Client** clients
    cdef int* free_slots              # circular queue of slot numbers, first freed first used
    cdef int64_t free_first
    cdef int64_t free_count
    cdef int64_t opened               # slots in use or in the queue
    cdef int64_t in_flight
    cdef int64_t peak_in_flight
    cdef int64_t held                 # open loop: number of the request claimed ahead, -1 if none
    cdef int held_slot
    cdef bint exhausted
    cdef int64_t pause_ns
    cdef int64_t paused_until_ns
    cdef int64_t sent
    cdef int64_t completed
    cdef int64_t failed
    cdef int64_t sequence
    cdef int64_t wake_ups
    cdef int64_t reads
    cdef int64_t busy_ns
    cdef int64_t cpu_clock_ns

    def __cinit__(self, *, control, int worker, ring, book, due_offsets_ns=None, bytes url, headers=(), options=(),
                  bytes id_header=b"", stream_paths, full_paths, framing="sse", bytes done=b"", complete=("finish",),
                  bint stream=True, size_t event_limit=64 << 20, bint use_timerfd=False):
        self.sockets.epoll = self.timer_fd = -1
        self.sockets.timer_ns = NEVER
        self.api = curl_api()
        self.has_pwait2 = not use_timerfd
        self.attach(control, worker, ring, book, due_offsets_ns)
        self.set_reading(stream_paths, full_paths, framing, done, complete, stream, event_limit)
        self.open_handles(url, headers, options, id_header)

    # ---- set-up

    cdef attach(self, control, int worker, ring, book, due_offsets_ns):
        PyObject_GetBuffer(control, &self.control_view, PyBUF_SIMPLE | PyBUF_WRITABLE)
        self.views = 1
        PyObject_GetBuffer(ring, &self.ring_view, PyBUF_SIMPLE | PyBUF_WRITABLE)
        self.views = 2
        PyObject_GetBuffer(book, &self.book_view, PyBUF_SIMPLE)
        self.views = 3
        self.control = <ControlHeader*>self.control_view.buf
        if self.control.magic != CONTROL_MAGIC or not 0 <= worker < self.control.workers:
            raise ValueError("not a control block with this worker")
        self.worker = worker
        self.state = worker_state(self.control, worker)
        self.slots = slot_table(self.state)
        if writer_attach(&self.ring, self.ring_view.buf, self.ring_view.len) < 0:
            raise ValueError("not a ring")
        self.attach_book()
        if due_offsets_ns is not None:
            PyObject_GetBuffer(due_offsets_ns, &self.due_view, PyBUF_SIMPLE)
            self.views = 4
            self.due_offsets = <const int64_t*>self.due_view.buf
            self.due_count = self.due_view.len // 8

    cdef attach_book(self):
        cdef const BookHeader* header = <const BookHeader*>self.book_view.buf
        cdef uint64_t size = self.book_view.len
        if size < sizeof(BookHeader) or header.magic[:8] != b"PFBOOK01" or header.count == 0:
            raise ValueError("not a request book, or an empty one")
        if header.index_offset > size or header.count > (size - header.index_offset) // sizeof(BookEntry):
            raise ValueError("the request book is cut short")
        self.book = <const char*>self.book_view.buf
        self.entries = <const BookEntry*>(self.book + header.index_offset)
        self.rows = header.count
        if any(self.entries[row].offset + self.entries[row].length > size for row in (0, self.rows - 1)):
            raise ValueError("the request book is cut short")

    cdef set_reading(self, stream_paths, full_paths, framing, bytes done, complete, bint stream, size_t event_limit):
        cdef PathSet stream_set = PathSet([path for _, path in stream_paths])
        cdef PathSet full_set = PathSet([path for _, path in full_paths])
        self.reading.stream = &stream_set.matcher
        self.reading.stream_fields = path_fields(stream_paths)
        self.reading.full = &full_set.matcher
        self.reading.full_fields = path_fields(full_paths)
        self.reading.done = done
        self.reading.done_length = len(done)
        self.reading.framing = <Framing><int>_FRAMINGS[framing]
        self.reading.stream_asked = stream
        self.reading.event_limit = event_limit
        self.reading.ttft = self.state.ttft
        for name in complete:
            self.reading.complete |= <int>_COMPLETE[name]
        self.kept = [stream_set, full_set, done]

    cdef open_handles(self, bytes url, headers, options, bytes id_header):
        cdef int64_t slots = self.control.slots
        self.multi = self.api.multi_init()
        self.template = self.api.easy_init()
        self.sockets.epoll = epoll_create1(EPOLL_CLOEXEC)
        self.ready = <epoll_event*>malloc(EVENTS_ROOM * sizeof(epoll_event))
        self.clients = <Client**>calloc(slots, sizeof(Client*))
        self.free_slots = <int*>malloc(slots * sizeof(int))
        if (self.multi == NULL or self.template == NULL or self.sockets.epoll < 0 or self.ready == NULL
                or self.clients == NULL or self.free_slots == NULL):
            raise MemoryError
        self.api.multi_setopt(self.multi, MOPT_SOCKETFUNCTION, on_socket)
        self.api.multi_setopt(self.multi, MOPT_SOCKETDATA, &self.sockets)
        self.api.multi_setopt(self.multi, MOPT_TIMERFUNCTION, on_timer)
        self.api.multi_setopt(self.multi, MOPT_TIMERDATA, &self.sockets)
        self.api.multi_setopt(self.multi, MOPT_MAXCONNECTS, <long>slots)
        self.api.easy_setopt(self.template, OPT_POST, <long>1)
        self.api.easy_setopt(self.template, OPT_NOSIGNAL, <long>1)
        self.api.easy_setopt(self.template, OPT_WRITEFUNCTION, on_body)
        self.api.easy_setopt(self.template, OPT_HEADERFUNCTION, on_header)
        set_option(self.api, self.template, OPT_URL, url)
        for option, value in options:
            set_option(self.api, self.template, option, value)
        self.set_headers(headers, id_header)

    cdef set_headers(self, headers, bytes id_header):
        lines = [line if isinstance(line, bytes) else line.encode() for line in headers]
        if len(id_header) > NAME_ROOM - 24:
            raise ValueError("the request id header is too long")
        self.kept.extend((lines, id_header))
        self.id_name = id_header
        self.id_length = len(id_header)
        self.headers = <HeaderList*>calloc(len(lines) + 1, sizeof(HeaderList))
        for at, line in enumerate(lines):
            self.headers[at].data = <char*><const char*>line
            self.headers[at].next = &self.headers[at + 1] if at + 1 < len(lines) else NULL
        if not lines:
            free(self.headers)
            self.headers = NULL

    def __dealloc__(self):
        cdef int64_t slot
        if self.clients != NULL:
            for slot in range(self.control.slots):
                if self.clients[slot] != NULL:
                    self.api.easy_cleanup(self.clients[slot].transfer.easy)
                    transfer_free(&self.clients[slot].transfer)
                    free(self.clients[slot])
        if self.template != NULL:
            self.api.easy_cleanup(self.template)
        if self.multi != NULL:
            # Closing the pooled connections calls on_socket once more: it must still find its table.
            self.api.multi_cleanup(self.multi)
        free(self.sockets.watched)
        free(self.ready)
        free(self.clients)
        free(self.free_slots)
        free(self.headers)
        free(self.reading.stream_fields)
        free(self.reading.full_fields)
        writer_free(&self.ring)
        if self.sockets.epoll >= 0:
            close(self.sockets.epoll)
        if self.timer_fd >= 0:
            close(self.timer_fd)
        if self.views >= 4:
            PyBuffer_Release(&self.due_view)
        if self.views >= 3:
            PyBuffer_Release(&self.book_view)
        if self.views >= 2:
            PyBuffer_Release(&self.ring_view)
        if self.views >= 1:
            PyBuffer_Release(&self.control_view)

    # ---- doors

    def prepare(self) -> None:
        """Create the handles that the load will need before it runs, up to a number that takes no noticeable time."""
        cdef int64_t slot
        for slot in range(min(load_acquire(&self.state.slot_limit), <int64_t>PREPARED_SLOTS)):
            if self.client(slot) == NULL:
                raise MemoryError
        self.publish(NEVER)

    def run(self) -> None:
        """Work through the segment that the control block describes; returns when its last request has ended.

        Raises OSError when the loop cannot go on (its frames up to then are in the ring).
        """
        prctl(PR_SET_TIMERSLACK, 1)
        with nogil:
            self.run_segment()
        if self.sockets.failure:
            store_release(&self.state.errno_of_loop, self.sockets.failure)
            raise OSError(self.sockets.failure, "the load loop stopped")

    # ---- the loop

    cdef void run_segment(self) noexcept nogil:
        cdef Segment* segment = &self.control.segment
        cdef int64_t number = load_acquire(&segment.number)
        cdef int64_t now = now_ns()
        self.begin_segment()
        while not self.sockets.failure:
            if load_acquire(&self.control.abort):
                self.cancel_all()
            self.start_requests(segment, now)
            if self.exhausted and self.in_flight == 0 and self.ring.waiting_bytes == 0:
                break
            now = self.wait_and_read(segment, now)
            if self.ring.waiting_bytes:
                writer_flush(&self.ring)
            self.publish(now)
        self.publish(NEVER)
        store_release(&self.state.finished_segment, number)

    cdef void begin_segment(self) noexcept nogil:
        self.opened = self.free_first = self.free_count = 0
        self.held = -1
        self.exhausted = False
        self.pause_ns = self.paused_until_ns = 0

    cdef int64_t wait_and_read(self, Segment* segment, int64_t began_ns) noexcept nogil:
        """Sleep until something is to do, then let libcurl drain what is ready. Returns the time of the wake-up."""
        cdef int64_t now = now_ns()
        cdef int64_t until = min(now + LONGEST_WAIT_NS, self.sockets.timer_ns)
        cdef int count, i, mask, running = 0
        until = min(until, self.next_start_ns(segment, now))
        if self.ring.waiting_bytes:
            until = min(until, now + RING_RETRY_NS)
        self.busy_ns += now - began_ns
        count = self.wait(max(until - now, 0), until)
        now = now_ns()
        self.reading.wake_ns = now
        self.wake_ups += 1
        for i in range(count):
            if self.ready[i].data.fd == self.timer_fd:
                continue
            mask = ((SELECT_IN if self.ready[i].events & EPOLLIN else 0)
                    | (SELECT_OUT if self.ready[i].events & EPOLLOUT else 0)
                    | (SELECT_ERR if self.ready[i].events & (EPOLLERR | EPOLLHUP) else 0))
            self.reading.drain += 1
            # A socket that was ready for writing only may have bytes by the time libcurl tries: nothing announced them.
            self.reading.outside = not self.ready[i].events & EPOLLIN
            if not self.reading.outside:
                self.reading.wake_ns = now
            self.reads += 1
            self.api.multi_socket_action(self.multi, self.ready[i].data.fd, mask, &running)
        self.reading.outside = False
        self.collect(segment)
        if self.sockets.timer_ns <= now:
            self.kick(segment)
        return now

    cdef void kick(self, Segment* segment) noexcept nogil:
        """Let libcurl do what its timer is for: start new transfers, time out old ones, hand over what it has buffered."""
        cdef int running = 0
        self.sockets.timer_ns = NEVER
        self.reading.wake_ns = now_ns()
        self.reading.outside = True
        self.reading.drain += 1
        self.api.multi_socket_action(self.multi, SOCKET_TIMEOUT, 0, &running)
        self.reading.outside = False
        self.collect(segment)

    cdef int wait(self, int64_t timeout_ns, int64_t until_ns) noexcept nogil:
        cdef int count
        if self.has_pwait2:
            count = epoll_pwait2(self.sockets.epoll, self.ready, EVENTS_ROOM, timeout_ns)
            if count >= 0 or errno == EINTR:
                return max(count, 0)
            if errno != ENOSYS:
                self.sockets.failure = errno
                return 0
            self.has_pwait2 = False
        # Kernels before 5.11: a timer descriptor in the set keeps the nanoseconds that epoll_wait has no room for.
        if timeout_ns > 0 and self.arm_timer(until_ns) < 0:
            self.sockets.failure = errno
            return 0
        count = epoll_wait(self.sockets.epoll, self.ready, EVENTS_ROOM, -1 if timeout_ns > 0 else 0)
        if count < 0 and errno != EINTR:
            self.sockets.failure = errno
        return max(count, 0)

    cdef int arm_timer(self, int64_t until_ns) noexcept nogil:
        cdef itimerspec when
        cdef epoll_event event
        if self.timer_fd < 0:
            self.timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)
            event.events = EPOLLIN
            event.data.fd = self.timer_fd
            if self.timer_fd < 0 or epoll_ctl(self.sockets.epoll, EPOLL_CTL_ADD, self.timer_fd, &event) < 0:
                return -1
        # Setting the time also takes back an expiry that has not been read.
        memset(&when, 0, sizeof(when))
        when.it_value.tv_sec = until_ns // 1000000000
        when.it_value.tv_nsec = until_ns % 1000000000
        return timerfd_settime(self.timer_fd, TFD_TIMER_ABSTIME, &when, NULL)

    # ---- sending

    cdef void start_requests(self, Segment* segment, int64_t now) noexcept nogil:
        if self.exhausted:
            return
        if load_acquire(&self.control.stop):
            self.stop_claiming()
        elif segment.open_loop:
            self.start_due(segment)
        else:
            self.start_free(segment)

    cdef void stop_claiming(self) noexcept nogil:
        """Claim nothing more. A request claimed ahead is given back: marked as never sent."""
        self.exhausted = True
        if self.held >= 0:
            self.slots[self.held_slot].sent_ns = -2
            self.held = -1

    cdef void start_free(self, Segment* segment) noexcept nogil:
        """Closed loop: every free slot sends its next request."""
        cdef int64_t now = now_ns()
        cdef int64_t sequence, left
        cdef int slot
        self.open_slots(segment, now)
        # Slots that are freed meanwhile wait for the next turn: sockets must not starve behind a fast server.
        left = self.free_count
        while left and now >= self.paused_until_ns and not self.sockets.failure:
            left -= 1
            if now >= segment.stop_ns:
                self.stop_claiming()
                return
            if not self.claim(segment, &sequence):
                return
            slot = self.take_free_slot()
            self.send(segment, slot, sequence, max(self.clients[slot].free_ns, self.paused_until_ns))
            now = now_ns()
        if now >= segment.stop_ns:
            self.stop_claiming()

    cdef void start_due(self, Segment* segment) noexcept nogil:
        """Open loop: send what is due; hold one request ahead if there is a slot for it."""
        cdef int64_t now = now_ns()
        cdef int64_t due_ns
        while not self.sockets.failure:
            if self.held < 0:
                self.open_slots(segment, now)
                if self.free_count == 0 or not self.claim(segment, &self.held):
                    return
                if self.held >= self.due_count:
                    self.sockets.failure = ENOENT
                    return
                self.held_slot = self.take_free_slot()
                due_ns = segment.start_ns + self.due_offsets[self.held]
                self.note_claim(segment, self.held_slot, self.held, due_ns)
            due_ns = segment.start_ns + self.due_offsets[self.held]
            if due_ns > now:
                return
            self.send(segment, self.held_slot, self.held, due_ns)
            self.held = -1
            now = now_ns()

    cdef bint claim(self, Segment* segment, int64_t* sequence) noexcept nogil:
        sequence[0] = fetch_add(&self.control.next_claim, 1)
        if sequence[0] < segment.total:
            return True
        sequence[0] = -1
        self.exhausted = True
        return False

    cdef void open_slots(self, Segment* segment, int64_t now) noexcept nogil:
        """Bring in the clients whose time has come, up to the limit that the master has set for this worker.

        In an open loop a slot is no client: one more is opened when all others are in use.
        """
        cdef int64_t limit = load_acquire(&self.state.slot_limit)
        cdef int64_t start_ns
        cdef Client* client
        if segment.open_loop:
            limit = min(limit, self.opened + (self.free_count == 0))
        while self.opened < limit:
            start_ns = self.client_start_ns(segment, self.opened)
            if start_ns > now:
                return
            client = self.client(self.opened)
            if client == NULL:
                self.sockets.failure = ENOMEM
                return
            # A slot taken over from a dead worker begins when it is handed over, not back at the start.
            client.free_ns = start_ns if now - start_ns < LONGEST_WAIT_NS else now
            self.slots[self.opened].request_id = -1
            self.put_free_slot(<int>self.opened)
            self.opened += 1

    cdef int64_t client_start_ns(self, Segment* segment, int64_t slot) noexcept nogil:
        """Clients start one ramp interval after the other, dealt out over the workers in turn."""
        return segment.start_ns + (slot * self.control.workers + self.worker) * segment.ramp_interval_ns

    cdef int64_t next_start_ns(self, Segment* segment, int64_t now) noexcept nogil:
        """When the loop has something to send again, as far as it knows now; NEVER if it depends on an answer."""
        cdef int64_t at = NEVER
        if self.exhausted:
            return NEVER
        if not segment.open_loop and self.opened < load_relaxed(&self.state.slot_limit):
            at = self.client_start_ns(segment, self.opened)
        if self.held >= 0:
            at = min(at, segment.start_ns + self.due_offsets[self.held])
        if not segment.open_loop:
            at = min(at, segment.stop_ns)
            if self.free_count:
                at = min(at, max(now, self.paused_until_ns))
        return at

    cdef void note_claim(self, Segment* segment, int slot, int64_t sequence, int64_t due_ns) noexcept nogil:
        """Tell the master what this slot is about to do, so that it is known if this process dies."""
        cdef Slot* entry = &self.slots[slot]
        entry.sequence = sequence
        entry.due_ns = due_ns
        entry.sent_ns = -1
        store_release(&entry.request_id, segment.first_request_id + sequence)

    cdef void send(self, Segment* segment, int slot, int64_t sequence, int64_t due_ns) noexcept nogil:
        cdef Client* client = self.clients[slot]
        cdef Transfer* transfer = &client.transfer
        cdef int64_t row = sequence % self.rows
        transfer_begin(transfer)
        self.note_claim(segment, slot, sequence, due_ns)
        transfer.header.request_id = segment.first_request_id + sequence
        transfer.header.index = row
        transfer.header.repeat = sequence // self.rows
        transfer.header.phase = <uint8_t>segment.phase
        transfer.header.worker = <unsigned short>self.worker
        transfer.header.due_ns = due_ns
        if client.id_prefix:
            write_number(client.id_text + client.id_prefix, transfer.header.request_id)
        self.api.easy_setopt(transfer.easy, OPT_POSTFIELDS, self.book + self.entries[row].offset)
        self.api.easy_setopt(transfer.easy, OPT_POSTFIELDSIZE_LARGE, <int64_t>self.entries[row].length)
        self.in_flight += 1
        self.peak_in_flight = max(self.peak_in_flight, self.in_flight)
        self.sent += 1
        store_relaxed(&self.state.in_flight, self.in_flight)
        transfer.header.sent_ns = now_ns()
        store_relaxed(&self.slots[slot].sent_ns, transfer.header.sent_ns)
        if self.api.multi_add_handle(self.multi, transfer.easy) != 0:
            self.sockets.failure = ENOMEM
            return
        self.kick(segment)

    # ---- ends

    cdef void collect(self, Segment* segment) noexcept nogil:
        """Turn what libcurl has finished into frames and free the slots."""
        cdef CurlMessage* message
        cdef Client* client
        cdef int left, result
        while True:
            message = self.api.multi_info_read(self.multi, &left)
            if message == NULL:
                return
            if message.msg != MSG_DONE:
                continue
            result = message.result
            self.api.easy_getinfo(message.easy, INFO_PRIVATE, <void**>&client)
            self.api.multi_remove_handle(self.multi, client.transfer.easy)
            self.finish(client, result, False, segment.stop_ns)

    cdef void finish(self, Client* client, int result, bint cancelled, int64_t stop_ns) noexcept nogil:
        cdef Transfer* transfer = &client.transfer
        cdef int slot = transfer.slot
        cdef bint after_stop = self.reading.wake_ns >= stop_ns or load_relaxed(&self.control.stop)
        transfer.header.sequence = self.sequence
        if transfer_finish(transfer, self.api, result, cancelled, after_stop, &self.ring) < 0:
            self.sockets.failure = ENOMEM
            return
        self.sequence += 1
        self.completed += 1
        self.failed += transfer.header.error_class != CLASS_OK
        self.in_flight -= 1
        # In flight no more before the slot is given out again, so that the sum never shows one too many.
        store_relaxed(&self.state.in_flight, self.in_flight)
        store_release(&self.slots[slot].request_id, -1)
        client.free_ns = transfer.header.end_ns
        self.put_free_slot(slot)
        self.pause_after(transfer)

    cdef void pause_after(self, const Transfer* transfer) noexcept nogil:
        """A closed loop must not spin on a server that is not there: each failure in a row doubles a pause."""
        cdef int kind = transfer.header.error_class
        if transfer.header.first_byte_ns >= 0 or not (
                kind == CLASS_REFUSED or kind == CLASS_DNS or kind == CLASS_TLS or kind == CLASS_RESET
                or kind == CLASS_CONNECT_TIMEOUT):
            self.pause_ns = 0
            return
        if self.paused_until_ns <= transfer.header.end_ns:
            self.pause_ns = min(max(self.pause_ns * 2, FIRST_PAUSE_NS), LONGEST_PAUSE_NS)
            self.paused_until_ns = transfer.header.end_ns + self.pause_ns

    cdef void cancel_all(self) noexcept nogil:
        cdef int64_t slot
        cdef Client* client
        self.reading.wake_ns = now_ns()
        for slot in range(self.opened):
            client = self.clients[slot]
            if self.slots[slot].request_id >= 0 and self.slots[slot].sent_ns >= 0:
                self.api.multi_remove_handle(self.multi, client.transfer.easy)
                self.finish(client, E_OK, True, 0)

    cdef void publish(self, int64_t now) noexcept nogil:
        """Counters for the live line and the certificate."""
        cdef WorkerState* state = self.state
        store_relaxed(&state.peak_in_flight, self.peak_in_flight)
        store_relaxed(&state.sent, self.sent)
        store_relaxed(&state.completed, self.completed)
        store_relaxed(&state.failed, self.failed)
        store_relaxed(&state.token_events, self.reading.token_events)
        store_relaxed(&state.bytes_received, self.reading.bytes_received)
        store_relaxed(&state.connections, self.reading.connections)
        store_relaxed(&state.wake_ups, self.wake_ups)
        store_relaxed(&state.reads, self.reads)
        store_relaxed(&state.busy_ns, self.busy_ns)
        store_relaxed(&state.ring_full_waits, <int64_t>self.ring.full_waits)
        store_relaxed(&state.ring_waiting_bytes, <int64_t>self.ring.waiting_bytes)
        store_relaxed(&state.ring_peak_waiting_bytes, <int64_t>self.ring.peak_waiting_bytes)
        if now >= self.cpu_clock_ns:
            store_relaxed(&state.cpu_ns, cpu_ns())
            self.cpu_clock_ns = now + CPU_CLOCK_NS if now != NEVER else 0

    # ---- slots

    cdef Client* client(self, int64_t slot) noexcept nogil:
        """The slot's handle, made on first use; NULL when out of memory."""
        cdef Client* client = self.clients[slot]
        cdef void* easy
        if client != NULL:
            return client
        client = <Client*>calloc(1, sizeof(Client))
        easy = self.api.easy_duphandle(self.template)
        if client == NULL or easy == NULL:
            free(client)
            return NULL
        transfer_init(&client.transfer, &self.reading, easy, <int>slot)
        self.set_handle(client)
        self.clients[slot] = client
        return client

    cdef void set_handle(self, Client* client) noexcept nogil:
        cdef void* easy = client.transfer.easy
        cdef HeaderList* headers = self.headers
        self.api.easy_setopt(easy, OPT_PRIVATE, <void*>client)
        self.api.easy_setopt(easy, OPT_WRITEDATA, <void*>&client.transfer)
        self.api.easy_setopt(easy, OPT_HEADERDATA, <void*>&client.transfer)
        self.api.easy_setopt(easy, OPT_ERRORBUFFER, client.transfer.curl_error)
        client.id_prefix = self.id_length
        if client.id_prefix:
            memcpy(client.id_text, self.id_name, client.id_prefix)
            client.id_header.data = client.id_text
            client.id_header.next = headers
            headers = &client.id_header
        self.api.easy_setopt(easy, OPT_HTTPHEADER, headers)

    cdef inline void put_free_slot(self, int slot) noexcept nogil:
        self.free_slots[(self.free_first + self.free_count) % self.control.slots] = slot
        self.free_count += 1

    cdef inline int take_free_slot(self) noexcept nogil:
        cdef int slot = self.free_slots[self.free_first]
        self.free_first = (self.free_first + 1) % self.control.slots
        self.free_count -= 1
        return slot


# ---- libcurl's sockets and timer


cdef int on_socket(void* easy, int fd, int what, void* user, void* socket_user) noexcept nogil:
    cdef Sockets* sockets = <Sockets*>user
    cdef epoll_event event
    cdef uint32_t events = ((<uint32_t>EPOLLIN if what & POLL_IN else 0)
                            | (<uint32_t>EPOLLOUT if what & POLL_OUT else 0))
    if fd >= sockets.room and grow_watched(sockets, fd) < 0:
        return -1
    event.events = events
    event.data.fd = fd
    if what == POLL_REMOVE:
        epoll_ctl(sockets.epoll, EPOLL_CTL_DEL, fd, &event)
        sockets.watched[fd] = 0
    elif events != sockets.watched[fd]:
        if epoll_ctl(sockets.epoll, EPOLL_CTL_MOD if sockets.watched[fd] else EPOLL_CTL_ADD, fd, &event) < 0:
            sockets.failure = errno
        sockets.watched[fd] = events
    return 0


cdef int on_timer(void* multi, long timeout_ms, void* user) noexcept nogil:
    (<Sockets*>user).timer_ns = NEVER if timeout_ms < 0 else now_ns() + timeout_ms * 1000000
    return 0


cdef int grow_watched(Sockets* sockets, int fd) noexcept nogil:
    cdef int room = max(2 * sockets.room, fd + 1024)
    cdef uint32_t* grown = <uint32_t*>realloc(sockets.watched, room * sizeof(uint32_t))
    if grown == NULL:
        sockets.failure = ENOMEM
        return -1
    memset(grown + sockets.room, 0, (room - sockets.room) * sizeof(uint32_t))
    sockets.watched = grown
    sockets.room = room
    return 0


cdef PathField* path_fields(paths) except NULL:
    """For each path the field it feeds and how many paths of that field come before it."""
    cdef PathField* fields = <PathField*>calloc(len(paths) + 1, sizeof(PathField))
    if fields == NULL:
        raise MemoryError
    seen: dict[str, int] = {}
    for at, (name, _) in enumerate(paths):
        fields[at].field = <uint8_t>_FIELDS[name]
        fields[at].rank = <uint8_t>seen.get(name, 0)
        seen[name] = seen.get(name, 0) + 1
    return fields


cdef void write_number(char* target, int64_t number) noexcept nogil:
    """Decimal digits and the NUL that ends the header line."""
    cdef char digits[24]
    cdef int count = 0
    while count == 0 or number:
        digits[count] = <char>(c"0" + number % 10)
        number //= 10
        count += 1
    while count:
        count -= 1
        target[0] = digits[count]
        target += 1
    target[0] = 0
