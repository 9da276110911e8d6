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
from libc.errno cimport ENOENT, ENOMEM
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdio cimport snprintf
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memcpy, strlen

from perfcore_ext.atomics cimport fetch_add, load_acquire, load_relaxed, store_relaxed, store_release
from perfcore_ext.book cimport Book, BookEntry, Splice
from perfcore_ext.clock cimport now_ns
from perfcore_ext.control cimport (
    CONTROL_MAGIC, ControlHeader, Segment, Slot, WorkerState, slot_table, worker_state,
)
from perfcore_ext.curl cimport (
    E_OK, INFO_PRIVATE, MOPT_MAXCONNECTS, MOPT_SOCKETDATA, MOPT_SOCKETFUNCTION, MOPT_TIMERDATA, MOPT_TIMERFUNCTION,
    MSG_DONE, OPT_ERRORBUFFER, OPT_HEADERDATA, OPT_HEADERFUNCTION, OPT_HTTPHEADER, OPT_NOSIGNAL, OPT_POST,
    OPT_POSTFIELDS, OPT_POSTFIELDSIZE_LARGE, OPT_PRIVATE, OPT_SHARE, OPT_URL, OPT_WRITEDATA, OPT_WRITEFUNCTION,
    SHARE_CONNECTIONS, SHARE_OPT_SHARE, SOCKET_TIMEOUT, CurlApi, CurlMessage, HeaderList, StringList, curl_api, set_multi_option, set_option,
)
from perfcore_ext.frame cimport (
    CLASS_CANCELLED, CLASS_CONNECT_TIMEOUT, CLASS_DNS, CLASS_FIRST_BYTE_TIMEOUT, CLASS_HTTP_STATUS, CLASS_IDLE_TIMEOUT,
    CLASS_OK, CLASS_RATE_LIMITED, CLASS_REFUSED, CLASS_RESET, CLASS_TLS, ErrorClass, FrameHeader,
)
from perfcore_ext.poller cimport (
    NEVER, Poller, is_readable, on_socket, on_timer, poller_close, poller_open, poller_wait, ready_socket,
)
from perfcore_ext.reading cimport Answers
from perfcore_ext.ring cimport RingWriter, writer_attach, writer_flush, writer_free
from perfcore_ext.transfer cimport (
    CURL_ERROR_SIZE, Bytes, Reading, Transfer, append, clear, on_body, on_header, release, transfer_begin,
    transfer_finish, transfer_free, transfer_init,
)

cdef extern from "<string.h>" nogil:
    void* memmem(const void* text, size_t length, const void* part, size_t part_length)

cdef extern from "<sys/prctl.h>" nogil:
    int prctl(int option, unsigned long value)
    int PR_SET_TIMERSLACK

cdef extern from * nogil:
    """
    #include <stdint.h>
    #include <time.h>
    static int64_t perfcore_cpu_ns(void) {
        struct timespec used;
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
        return (int64_t)used.tv_sec * 1000000000LL + used.tv_nsec;
    }
    """
    int64_t cpu_ns "perfcore_cpu_ns"()

cdef int64_t LONGEST_RETRY_NS = 10000000000

cdef enum:
    ROUND_ROBIN
    LEAST_IN_FLIGHT
    STICKY

cdef enum:
    LATE_NS = 50000000                # how late an open loop still sends what was due before its end
    LONGEST_WAIT_NS = 50000000        # how late a command of the master may be seen
    RING_RETRY_NS = 1000000
    FIRST_PAUSE_NS = 1000000          # after a request that reached no server; doubles up to the longest
    LONGEST_PAUSE_NS = 1000000000
    CPU_CLOCK_NS = 50000000           # between two looks at the processor time used
    SCAN_NS = 20000000                # between two looks for transfers that have been silent for too long
    FIRST_RETRY_NS = 100000000        # mean pause before the second attempt; doubles up to the longest
    PREPARED_SLOTS = 4096
    STARTS = 16                       # requests started between two looks at the sockets
    NAME_ROOM = 160                   # of the request id header

_BALANCES = {"round_robin": ROUND_ROBIN, "least_in_flight": LEAST_IN_FLIGHT, "sticky": STICKY}

# What a slot has beside its transfer: the handle's own first header line, which carries the request's id.
cdef struct Client:
    Transfer transfer
    void* share                       # its own connections, NULL if it takes any
    HeaderList id_header
    HeaderList* own_headers           # of the request in hand alone, in front of the others
    uint32_t own_count
    uint32_t own_room
    char id_text[NAME_ROOM]
    size_t id_prefix
    int64_t free_ns                   # since when the slot has been free
    int64_t sequence                  # of the request in hand
    int attempt                       # of that request, from 0
    int64_t retry_ns                  # when its next attempt, or its next turn, is due
    uint32_t turn                     # of its conversation
    bint turning                      # what waits is a turn, not a further attempt
    Bytes answers                     # of the turns before, one after the other
    Bytes ends                        # where each of them ends in there, as size_t
    Bytes body                        # with the answers in their places
    int target                        # URL that the handle is set to


cdef class Loop:
    """The load loop over one worker's share of the memory that the master set up.

    control, ring: writable buffers; book, due_offsets_ns (int64, open loop only): read-only ones.
    urls: where requests go, in turn ("round_robin"), to that with the fewest in flight ("least_in_flight"), or by
    row ("sticky"), as `balance` says.
    headers ("Name: value"), options (pycurl constant, int | str | list of str): sent and set for every request.
    multi_options (pycurl constant M_..., int): of the connections together.
    id_header: "Name: prefix" of a header that gets the request's number appended, or empty.
    stream_paths, full_paths, framing, done, complete, stream, cumulative, keep_events, event_limit: see reading.Answers.
    own_connections: each client, and so each conversation, keeps to connections that no other uses.
    first_byte_timeout_ns, idle_timeout_ns: 0 for none. retries: further attempts after a failure that may pass.
    Raises ValueError where a buffer is not what it should be, CurlError where libcurl refuses an option.
    """

    cdef Py_buffer control_view, ring_view, due_view
    cdef int views
    cdef const CurlApi* api
    cdef void* multi
    cdef void* template
    cdef Poller poller
    cdef ControlHeader* control
    cdef WorkerState* state
    cdef Slot* slots
    cdef int worker
    cdef RingWriter ring
    cdef Book book
    cdef const int64_t* due_offsets
    cdef int64_t due_count
    cdef Answers answers
    cdef Reading* reading
    cdef StringList headers
    cdef object kept                  # Python objects whose memory libcurl points to
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
    cdef int* waiting                 # slots whose request waits for its next attempt, in no order
    cdef int64_t waiting_count
    cdef int64_t next_retry_ns
    cdef int retries
    cdef bint own_connections
    cdef uint64_t random
    cdef int64_t first_byte_timeout_ns
    cdef int64_t idle_timeout_ns
    cdef int64_t next_scan_ns
    cdef const char** targets
    cdef int64_t* target_in_flight
    cdef int target_count
    cdef int balance
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

    def __cinit__(self, *, control, int worker, ring, book, due_offsets_ns=None, urls, balance="round_robin",
                  headers=(), options=(), multi_options=(), bytes id_header=b"", stream_paths, full_paths,
                  framing="sse", bytes done=b"", complete=("finish",), bint stream=True, bint cumulative=False, bint keep_events=False,
                  size_t event_limit=64 << 20, int64_t first_byte_timeout_ns=0, int64_t idle_timeout_ns=0,
                  int retries=0, uint64_t seed=0, bint own_connections=False,
                  bint use_timerfd=False):
        self.api = curl_api()
        if poller_open(&self.poller, use_timerfd) < 0:
            raise OSError(self.poller.failure, "cannot set up epoll")
        self.kept = []
        self.book = Book(book)
        self.answers = Answers(stream_paths, full_paths, framing, done, complete, stream, cumulative, keep_events,
                               event_limit)
        self.reading = &self.answers.reading
        self.attach(control, worker, ring, due_offsets_ns)
        self.first_byte_timeout_ns = first_byte_timeout_ns
        self.idle_timeout_ns = idle_timeout_ns
        self.retries = retries
        self.own_connections = own_connections
        self.random = seed + worker
        self.open_handles(headers, options, multi_options, id_header)
        self.set_targets(urls, balance)

    # ---- set-up

    cdef attach(self, control, int worker, ring, due_offsets_ns):
        PyObject_GetBuffer(control, &self.control_view, PyBUF_SIMPLE | PyBUF_WRITABLE)
        self.views = 1
        PyObject_GetBuffer(ring, &self.ring_view, PyBUF_SIMPLE | PyBUF_WRITABLE)
        self.views = 2
        self.control = <ControlHeader*>self.control_view.buf
        if self.control.magic != CONTROL_MAGIC or not 0 <= worker < self.control.workers:
            raise ValueError("not a control block with this worker")
        self.worker = worker
        self.state = worker_state(self.control, worker)
        self.slots = slot_table(self.state)
        if writer_attach(&self.ring, self.ring_view.buf, self.ring_view.len) < 0:
            raise ValueError("not a ring")
        self.reading.ttft = self.state.ttft
        if due_offsets_ns is not None:
            PyObject_GetBuffer(due_offsets_ns, &self.due_view, PyBUF_SIMPLE)
            self.views = 3
            self.due_offsets = <const int64_t*>self.due_view.buf
            self.due_count = self.due_view.len // 8

    cdef set_targets(self, urls, balance):
        cdef list kept = [url if isinstance(url, bytes) else url.encode() for url in urls]
        if not 1 <= len(kept) <= 255:
            raise ValueError("give from 1 to 255 URLs")
        self.balance = _BALANCES[balance]
        self.target_count = len(kept)
        self.targets = <const char**>calloc(len(kept), sizeof(char*))
        self.target_in_flight = <int64_t*>calloc(len(kept), sizeof(int64_t))
        if self.targets == NULL or self.target_in_flight == NULL:
            raise MemoryError
        for at, url in enumerate(kept):
            self.targets[at] = <const char*>url
        self.kept.append(kept)
        set_option(self.api, self.template, OPT_URL, kept[0])

    cdef open_handles(self, headers, options, multi_options, bytes id_header):
        cdef int64_t slots = self.control.slots
        self.multi = self.api.multi_init()
        self.template = self.api.easy_init()
        self.clients = <Client**>calloc(slots, sizeof(Client*))
        self.free_slots = <int*>malloc(slots * sizeof(int))
        self.waiting = <int*>malloc(slots * sizeof(int))
        if not (self.multi and self.template and self.clients and self.free_slots and self.waiting):
            raise MemoryError
        self.api.multi_setopt(self.multi, MOPT_SOCKETFUNCTION, on_socket)
        self.api.multi_setopt(self.multi, MOPT_SOCKETDATA, &self.poller)
        self.api.multi_setopt(self.multi, MOPT_TIMERFUNCTION, on_timer)
        self.api.multi_setopt(self.multi, MOPT_TIMERDATA, &self.poller)
        self.api.multi_setopt(self.multi, MOPT_MAXCONNECTS, <long>slots)
        self.api.easy_setopt(self.template, OPT_POST, <long>1)
        self.api.easy_setopt(self.template, OPT_NOSIGNAL, <long>1)
        self.api.easy_setopt(self.template, OPT_WRITEFUNCTION, on_body)
        self.api.easy_setopt(self.template, OPT_HEADERFUNCTION, on_header)
        for option, value in multi_options:
            set_multi_option(self.api, self.multi, option, value)
        for option, value in options:
            if isinstance(value, (list, tuple)):
                value = StringList(value)
                self.kept.append(value)
            set_option(self.api, self.template, option, value)
        self.set_headers(headers, id_header)

    cdef set_headers(self, headers, bytes id_header):
        if len(id_header) > NAME_ROOM - 24:
            raise ValueError("the request id header is too long")
        self.kept.append(id_header)
        self.id_name = id_header
        self.id_length = len(id_header)
        self.headers = StringList(headers)

    def __dealloc__(self):
        cdef int64_t slot
        if self.clients != NULL:
            for slot in range(self.control.slots):
                if self.clients[slot] != NULL:
                    self.api.easy_cleanup(self.clients[slot].transfer.easy)
                    if self.clients[slot].share != NULL:
                        self.api.share_cleanup(self.clients[slot].share)
                    transfer_free(&self.clients[slot].transfer)
                    release(&self.clients[slot].answers)
                    release(&self.clients[slot].ends)
                    release(&self.clients[slot].body)
                    free(self.clients[slot].own_headers)
                    free(self.clients[slot])
        if self.template != NULL:
            self.api.easy_cleanup(self.template)
        if self.multi != NULL:
            # Closing the pooled connections calls on_socket once more: the poller must still be there.
            self.api.multi_cleanup(self.multi)
        poller_close(&self.poller)
        free(self.clients)
        free(self.free_slots)
        free(self.targets)
        free(self.target_in_flight)
        free(self.waiting)
        writer_free(&self.ring)
        if self.views >= 3:
            PyBuffer_Release(&self.due_view)
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
        if self.poller.failure:
            store_release(&self.state.errno_of_loop, self.poller.failure)
            raise OSError(self.poller.failure, "the load loop stopped")

    # ---- the loop

    cdef void run_segment(self) noexcept nogil:
        cdef Segment* segment = &self.control.segment
        cdef int64_t number = load_acquire(&segment.number)
        cdef int64_t now = now_ns()
        self.begin_segment()
        while not self.poller.failure:
            if load_acquire(&self.control.abort):
                self.cancel_all()
            self.start_requests(segment, now)
            if self.exhausted and self.in_flight + self.waiting_count + self.ring.waiting_bytes == 0:
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
        self.waiting_count = 0
        self.next_retry_ns = NEVER

    cdef int64_t wait_and_read(self, Segment* segment, int64_t began_ns) noexcept nogil:
        """Sleep until something is to do, then let libcurl drain what is ready. Returns the time of the wake-up."""
        cdef int64_t now = now_ns()
        cdef int64_t until = min(now + LONGEST_WAIT_NS, self.poller.timer_ns)
        cdef int count, i, fd, mask = 0, running = 0
        until = min(until, self.next_start_ns(segment, now))
        if self.ring.waiting_bytes:
            until = min(until, now + RING_RETRY_NS)
        if self.first_byte_timeout_ns or self.idle_timeout_ns:
            until = min(until, self.next_scan_ns if self.in_flight else NEVER)
        self.busy_ns += now - began_ns
        count = poller_wait(&self.poller, now, until)
        now = now_ns()
        self.wake_ups += 1
        for i in range(count):
            fd = ready_socket(&self.poller, i, &mask)
            if fd < 0:
                continue
            # A socket that was ready for writing only may have bytes by the time libcurl tries: nothing announced them.
            self.reading.outside = not is_readable(&self.poller, i)
            self.reading.wake_ns = now
            self.reading.drain += 1
            self.reads += 1
            self.api.multi_socket_action(self.multi, fd, mask, &running)
        self.reading.outside = False
        self.collect(segment)
        if self.poller.timer_ns <= now:
            self.kick(segment)
        if self.next_scan_ns <= now and (self.first_byte_timeout_ns or self.idle_timeout_ns):
            self.cut_silent(segment, now)
        return now

    cdef void kick(self, Segment* segment) noexcept nogil:
        """Let libcurl do what its timer is for: start new transfers, time out old ones, hand over what it has buffered."""
        cdef int running = 0
        self.poller.timer_ns = NEVER
        self.reading.wake_ns = now_ns()
        self.reading.outside = True
        self.reading.drain += 1
        self.api.multi_socket_action(self.multi, SOCKET_TIMEOUT, 0, &running)
        self.reading.outside = False
        self.collect(segment)

    # ---- sending

    cdef void start_requests(self, Segment* segment, int64_t now) noexcept nogil:
        if load_acquire(&self.control.stop):
            self.stop_claiming()
        if self.next_retry_ns <= now:
            self.send_again(segment, now)
        if self.exhausted:
            return
        if segment.open_loop:
            self.start_due(segment)
        else:
            self.start_free(segment)

    cdef void stop_claiming(self) noexcept nogil:
        """Claim nothing more. A request claimed ahead is given back: marked as never sent. Attempts end with the last."""
        self.exhausted = True
        while self.waiting_count:
            self.waiting_count -= 1
            self.release_slot(self.clients[self.waiting[self.waiting_count]])
        self.next_retry_ns = NEVER
        if self.held >= 0:
            self.slots[self.held_slot].sent_ns = -2
            self.held = -1

    cdef void start_free(self, Segment* segment) noexcept nogil:
        """Closed loop: every free slot sends its next request."""
        cdef int64_t now = now_ns()
        cdef int64_t sequence, left
        cdef int slot
        self.open_slots(segment, now)
        # A few at a time: what is ready to be read, and above all connections that stand and wait for their request to
        # be written, must not wait until all have been started.
        left = min(self.free_count, <int64_t>STARTS)
        while left and now >= self.paused_until_ns and not self.poller.failure:
            left -= 1
            if now >= segment.stop_ns:
                self.stop_claiming()
                return
            if not self.claim(segment, &sequence):
                return
            slot = self.take_free_slot()
            self.send(segment, slot, sequence, 0, max(self.clients[slot].free_ns, self.paused_until_ns))
            now = now_ns()
        if now >= segment.stop_ns:
            self.stop_claiming()

    cdef void start_due(self, Segment* segment) noexcept nogil:
        """Open loop: send what is due; hold one request ahead if there is a slot for it."""
        cdef int64_t now = now_ns()
        cdef int64_t due_ns
        cdef int left = STARTS
        while left and not self.poller.failure:
            left -= 1
            # All are due before the end: what found no slot until then is given back, what is only a little late is sent.
            if now >= segment.stop_ns and now - segment.stop_ns >= LATE_NS:
                self.stop_claiming()
                return
            if self.held < 0:
                self.open_slots(segment, now)
                if self.free_count == 0 or not self.claim(segment, &self.held):
                    return
                if self.held >= self.due_count:
                    self.poller.failure = ENOENT
                    return
                self.held_slot = self.take_free_slot()
                due_ns = segment.start_ns + self.due_offsets[self.held]
                self.note_claim(segment, self.held_slot, self.held, due_ns)
            due_ns = segment.start_ns + self.due_offsets[self.held]
            if due_ns > now:
                return
            self.send(segment, self.held_slot, self.held, 0, due_ns)
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
                self.poller.failure = ENOMEM
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
        cdef int64_t at = self.next_retry_ns
        if self.exhausted:
            return at
        if not segment.open_loop and self.opened < load_relaxed(&self.state.slot_limit):
            at = self.client_start_ns(segment, self.opened)
        if self.held >= 0:
            at = min(at, segment.start_ns + self.due_offsets[self.held])
        elif segment.open_loop and (self.free_count or self.opened < load_relaxed(&self.state.slot_limit)):
            return now
        if segment.open_loop:
            at = min(at, segment.stop_ns if segment.stop_ns > NEVER - LATE_NS else segment.stop_ns + LATE_NS)
        else:
            at = min(at, segment.stop_ns)
            if self.free_count:
                at = min(at, max(now, self.paused_until_ns))
        return at

    cdef void note_claim(self, Segment* segment, int slot, int64_t sequence, int64_t due_ns) noexcept nogil:
        """Tell the master what this slot is about to do, so that it is known if this process dies."""
        cdef Slot* entry = &self.slots[slot]
        entry.sequence = sequence
        entry.turn = self.clients[slot].turn
        entry.due_ns = due_ns
        entry.sent_ns = -1
        store_release(&entry.request_id, segment.first_request_id + sequence)

    cdef void send(self, Segment* segment, int slot, int64_t sequence, int attempt, int64_t due_ns) noexcept nogil:
        cdef Client* client = self.clients[slot]
        cdef Transfer* transfer = &client.transfer
        cdef int64_t row = sequence % self.book.rows
        cdef const BookEntry* entry = &self.book.entries[self.book.firsts[row] + client.turn]
        transfer_begin(transfer)
        self.note_claim(segment, slot, sequence, due_ns)
        transfer.header.request_id = segment.first_request_id + sequence
        transfer.header.index = row
        transfer.header.repeat = sequence // self.book.rows
        transfer.header.phase = <uint8_t>segment.phase
        transfer.header.worker = <unsigned short>self.worker
        transfer.header.attempt = <unsigned short>attempt
        transfer.header.turn = client.turn
        client.sequence = sequence
        client.attempt = attempt
        transfer.header.due_ns = due_ns
        if client.id_prefix:
            write_number(client.id_text + client.id_prefix, transfer.header.request_id)
        if entry.headers or client.own_count:
            self.set_own_headers(client, entry)
        if entry.splices:
            self.splice(client, entry)
        else:
            self.api.easy_setopt(transfer.easy, OPT_POSTFIELDS, self.book.bodies + entry.offset + entry.header_bytes)
            self.api.easy_setopt(transfer.easy, OPT_POSTFIELDSIZE_LARGE, <int64_t>entry.length)
        self.aim(client, sequence, attempt, row)
        self.in_flight += 1
        self.peak_in_flight = max(self.peak_in_flight, self.in_flight)
        self.sent += 1
        store_relaxed(&self.state.in_flight, self.in_flight)
        transfer.header.sent_ns = now_ns()
        store_relaxed(&self.slots[slot].sent_ns, transfer.header.sent_ns)
        if self.api.multi_add_handle(self.multi, transfer.easy) != 0:
            self.poller.failure = ENOMEM
            return
        self.kick(segment)

    cdef void splice(self, Client* client, const BookEntry* entry) noexcept nogil:
        """Put the answers to earlier turns into the body: they are bodies of JSON strings, as the body needs them."""
        cdef const char* source = self.book.bodies + entry.offset
        cdef const char* text = source + entry.splices * sizeof(Splice) + entry.header_bytes
        cdef const size_t* ends = <const size_t*>client.ends.data
        cdef Splice place
        cdef size_t at = 0, start
        cdef uint32_t i
        cdef int failed = 0
        client.body.length = 0
        for i in range(entry.splices):
            memcpy(&place, source + i * sizeof(Splice), sizeof(Splice))
            start = ends[place.turn - 1] if place.turn else 0
            failed |= append(&client.body, text + at, place.position - at)
            failed |= append(&client.body, client.answers.data + start, ends[place.turn] - start)
            at = place.position
        failed |= append(&client.body, text + at, entry.length - at)
        if failed:
            self.poller.failure = ENOMEM
        self.api.easy_setopt(client.transfer.easy, OPT_POSTFIELDS, client.body.data)
        self.api.easy_setopt(client.transfer.easy, OPT_POSTFIELDSIZE_LARGE, <int64_t>client.body.length)

    cdef void set_own_headers(self, Client* client, const BookEntry* entry) noexcept nogil:
        """Put the header lines of one request, which lie in the book, in front of those of all."""
        cdef char* line = <char*>self.book.bodies + entry.offset + entry.splices * sizeof(Splice)
        cdef HeaderList* common = &client.id_header if client.id_prefix else self.headers.first
        cdef HeaderList* grown
        cdef uint32_t i
        if entry.headers > client.own_room:
            grown = <HeaderList*>realloc(client.own_headers, entry.headers * sizeof(HeaderList))
            if grown == NULL:
                self.poller.failure = ENOMEM
                return
            client.own_headers = grown
            client.own_room = entry.headers
        for i in range(entry.headers):
            client.own_headers[i].data = line
            client.own_headers[i].next = &client.own_headers[i + 1] if i + 1 < entry.headers else common
            line += strlen(line) + 1
        client.own_count = entry.headers
        self.api.easy_setopt(client.transfer.easy, OPT_HTTPHEADER, client.own_headers if entry.headers else common)

    cdef void aim(self, Client* client, int64_t sequence, int attempt, int64_t row) noexcept nogil:
        """Choose the URL of an attempt; a further one tries another."""
        cdef int target = <int>((sequence + attempt) % self.target_count)
        cdef int i
        if self.balance == STICKY:
            target = <int>((row + attempt) % self.target_count)
        elif self.balance == LEAST_IN_FLIGHT:
            for i in range(self.target_count):
                if self.target_in_flight[i] < self.target_in_flight[target]:
                    target = i
        if target != client.target:
            self.api.easy_setopt(client.transfer.easy, OPT_URL, self.targets[target])
            client.target = target
        client.transfer.header.target = <uint8_t>target
        self.target_in_flight[target] += 1

    cdef void send_again(self, Segment* segment, int64_t now) noexcept nogil:
        """Send the further attempts and the next turns that are due."""
        cdef int64_t i = 0
        cdef Client* client
        self.next_retry_ns = NEVER
        while i < self.waiting_count:
            client = self.clients[self.waiting[i]]
            if client.retry_ns <= now:
                self.waiting_count -= 1
                self.waiting[i] = self.waiting[self.waiting_count]
                self.send(segment, client.transfer.slot, client.sequence, 0 if client.turning else client.attempt + 1,
                          client.retry_ns)
            else:
                self.next_retry_ns = min(self.next_retry_ns, client.retry_ns)
                i += 1

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
            self.finish(client, result, CLASS_OK, segment.stop_ns)

    cdef void finish(self, Client* client, int result, ErrorClass cut, int64_t stop_ns) noexcept nogil:
        cdef Transfer* transfer = &client.transfer
        cdef bint after_stop = self.reading.wake_ns >= stop_ns or load_relaxed(&self.control.stop)
        transfer.header.sequence = self.sequence
        if transfer_finish(transfer, self.api, result, cut, after_stop, &self.ring) < 0:
            self.poller.failure = ENOMEM
            return
        self.sequence += 1
        self.in_flight -= 1
        self.target_in_flight[client.target] -= 1
        # In flight no more before the slot is given out again, so that the sum never shows one too many.
        store_relaxed(&self.state.in_flight, self.in_flight)
        if cut == CLASS_OK and not after_stop and client.attempt < self.retries and may_pass(&transfer.header):
            self.postpone(client)
            return
        self.completed += 1
        self.failed += transfer.header.error_class != CLASS_OK
        if transfer.header.error_class == CLASS_OK and not after_stop and self.has_next_turn(client):
            self.take_turn(client)
            return
        client.free_ns = transfer.header.end_ns
        self.release_slot(client)
        self.pause_after(transfer)

    cdef void release_slot(self, Client* client) noexcept nogil:
        client.turn = 0
        store_release(&self.slots[client.transfer.slot].request_id, -1)
        self.put_free_slot(client.transfer.slot)

    cdef void postpone(self, Client* client) noexcept nogil:
        """Keep the slot for another attempt: after as long as the server asked for, at least a pause that doubles with
        each attempt and varies by half of itself, so that clients that failed together do not come back together."""
        cdef int64_t pause = min(<int64_t>FIRST_RETRY_NS << min(client.attempt, 20), LONGEST_RETRY_NS)
        self.random = self.random * 6364136223846793005ULL + 1442695040888963407ULL
        pause = pause // 2 + <int64_t>((self.random >> 33) % <uint64_t>pause)
        self.keep_waiting(client, max(pause, client.transfer.header.retry_after_ns), False)

    cdef bint has_next_turn(self, const Client* client) noexcept nogil:
        cdef int64_t row = client.sequence % self.book.rows
        return self.book.firsts[row] + client.turn + 1 < self.book.firsts[row + 1]

    cdef void take_turn(self, Client* client) noexcept nogil:
        """Keep the answer for the bodies of later turns, and the slot until the user has thought."""
        cdef size_t start = start_of_answer(&client.transfer.content)
        cdef int64_t row = client.sequence % self.book.rows
        if client.turn == 0:
            clear(&client.answers)
            clear(&client.ends)
        if (append(&client.answers, client.transfer.content.data + start, client.transfer.content.length - start) < 0
                or append(&client.ends, <const char*>&client.answers.length, sizeof(size_t)) < 0):
            self.poller.failure = ENOMEM
            return
        client.turn += 1
        self.keep_waiting(client, self.book.entries[self.book.firsts[row] + client.turn].think_ns, True)

    cdef void keep_waiting(self, Client* client, int64_t pause_ns, bint turning) noexcept nogil:
        client.turning = turning
        client.retry_ns = client.transfer.header.end_ns + pause_ns
        store_relaxed(&self.slots[client.transfer.slot].sent_ns, -1)
        self.waiting[self.waiting_count] = client.transfer.slot
        self.waiting_count += 1
        self.next_retry_ns = min(self.next_retry_ns, client.retry_ns)

    cdef void cut_silent(self, Segment* segment, int64_t now) noexcept nogil:
        """End transfers that have been without a first byte, or without any further one, for too long."""
        cdef int64_t slot
        cdef Transfer* transfer
        self.next_scan_ns = now + SCAN_NS
        for slot in range(self.opened):
            if self.slots[slot].request_id < 0 or self.slots[slot].sent_ns < 0:
                continue
            transfer = &self.clients[slot].transfer
            if transfer.header.first_byte_ns < 0:
                if self.first_byte_timeout_ns and now - transfer.header.sent_ns >= self.first_byte_timeout_ns:
                    snprintf(transfer.curl_error, CURL_ERROR_SIZE, b"no first byte within %lld ms",
                             <long long>(self.first_byte_timeout_ns // 1000000))
                    self.cut(segment, self.clients[slot], CLASS_FIRST_BYTE_TIMEOUT)
            elif self.idle_timeout_ns and (
                    now - max(transfer.header.first_byte_ns, transfer.read_ns) >= self.idle_timeout_ns):
                snprintf(transfer.curl_error, CURL_ERROR_SIZE, b"nothing came for %lld ms",
                         <long long>(self.idle_timeout_ns // 1000000))
                self.cut(segment, self.clients[slot], CLASS_IDLE_TIMEOUT)

    cdef void cut(self, Segment* segment, Client* client, ErrorClass why) noexcept nogil:
        self.reading.wake_ns = now_ns()
        self.api.multi_remove_handle(self.multi, client.transfer.easy)
        self.finish(client, E_OK, why, segment.stop_ns)

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
                self.finish(client, E_OK, CLASS_CANCELLED, 0)

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
        transfer_init(&client.transfer, self.reading, easy, <int>slot)
        self.set_handle(client)
        self.clients[slot] = client
        return client

    cdef void set_handle(self, Client* client) noexcept nogil:
        cdef void* easy = client.transfer.easy
        cdef HeaderList* headers = self.headers.first
        self.api.easy_setopt(easy, OPT_PRIVATE, <void*>client)
        self.api.easy_setopt(easy, OPT_WRITEDATA, <void*>&client.transfer)
        self.api.easy_setopt(easy, OPT_HEADERDATA, <void*>&client.transfer)
        self.api.easy_setopt(easy, OPT_ERRORBUFFER, client.transfer.curl_error)
        if self.own_connections:
            client.share = self.api.share_init()
            self.api.share_setopt(client.share, SHARE_OPT_SHARE, <int>SHARE_CONNECTIONS)
            self.api.easy_setopt(easy, OPT_SHARE, client.share)
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


cdef size_t start_of_answer(const Bytes* content) noexcept nogil:
    """Where the answer begins in an escaped text that may open with thoughts: those stay out of the history."""
    cdef const char* end = content.data + content.length
    cdef const char* at = <const char*>memmem(content.data, content.length, b"</think>", 8) if content.length else NULL
    if at != NULL:
        at += 8
    elif content.length:
        at = <const char*>memmem(content.data, content.length, b"\\u003c/think\\u003e", 18)
        at = at + 18 if at != NULL else NULL
    if at == NULL:
        return 0
    while end - at >= 2 and at[0] == c"\\" and at[1] == c"n":
        at += 2
    return at - content.data


cdef bint may_pass(const FrameHeader* header) noexcept nogil:
    """A failure after which the same request may succeed: no connection, too much load, a server in trouble."""
    cdef int kind = header.error_class
    return (kind == CLASS_REFUSED or kind == CLASS_DNS or kind == CLASS_CONNECT_TIMEOUT or kind == CLASS_RESET
            or kind == CLASS_RATE_LIMITED or (kind == CLASS_HTTP_STATUS and header.http_status >= 500))


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
