"""A server of simulated completions: one thread, one epoll, no GIL while it runs.

A connection reads a request (`receive`, `read_requests`), begins its answer (`begin_answer`, `start`), and from then
on has one deadline in the heap. `fire` writes what is due into the segment, `transmit` stamps its truth records and
sends it. A socket that does not take a segment whole keeps the rest and gets no further deadline until it is writable
again: a client that does not read delays its own stream only, and the truth log holds the times at which its events
really went. A closed connection is freed at the end of the round, as the round's events may still name it.
"""

import json
import os
import socket

from cpython.exc cimport PyErr_CheckSignals
from libc.errno cimport errno
from libc.signal cimport SIGTERM
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset

from perfcore_ext.clock cimport now_ns
from perfcore_ext.simanswer cimport as_text
from perfcore_ext.simbody cimport hash_bytes, read_body, tokens_of_prompt, unescape
from perfcore_ext.simbuffer cimport Buffer, Text, release
from perfcore_ext.simcache cimport BLOCK_TOKENS, WAYS
from perfcore_ext.simconn cimport accept_all, flush, free_closed, watch
from perfcore_ext.simfire cimport fire
from perfcore_ext.simlog cimport write_all, write_some
from perfcore_ext.simrequest cimport receive
from perfcore_ext.simsystem cimport *
from perfcore_ext.simtiming cimport first_token_ns, later_ns, mix, stream_seed
from perfcore_ext.simtypes cimport *

cdef enum:
    MOST_EVENTS = 1024                # of one wake-up
    UPKEEP_NS = 100000000
    CALM_NS = 1000000                 # before the next deadline: enough to write the log

TRUTH_FIELDS = [("request", "<i8"), ("client_request", "<i8"), ("event", "<i4"), ("kind", "<i4"), ("time_ns", "<i8")]
TRUTH_KINDS = {
    "arrival": TRUTH_ARRIVAL,
    "head": TRUTH_HEAD,
    "role": TRUTH_ROLE,
    "token": TRUTH_TOKEN,
    "finish": TRUTH_FINISH,
    "usage": TRUTH_USAGE,
    "done": TRUTH_DONE,
    "error": TRUTH_ERROR,
    "bad": TRUTH_BAD,
    "body": TRUTH_BODY,
}
FAULTS_BY_NAME = {
    "refuse": FAULT_REFUSE,
    "reset": FAULT_RESET,
    "cut": FAULT_CUT,
    "stall": FAULT_STALL,
    "429": FAULT_RATE_LIMIT,
    "500": FAULT_INTERNAL,
    "503": FAULT_UNAVAILABLE,
    "error": FAULT_ERROR,
    "html": FAULT_HTML,
    "no_done": FAULT_NO_DONE,
    "no_usage": FAULT_NO_USAGE,
    "no_finish": FAULT_NO_FINISH,
    "empty": FAULT_EMPTY,
    "crlf": FAULT_CRLF,
    "comments": FAULT_COMMENTS,
    "merged": FAULT_MERGED,
    "bytes": FAULT_BYTES,
    "huge": FAULT_HUGE,
    "malformed": FAULT_MALFORMED,
    "split_utf8": FAULT_SPLIT_UTF8,
    "non_stream": FAULT_NON_STREAM,
    "slow_head": FAULT_SLOW_HEAD,
}
FAULT_NAMES = tuple(FAULTS_BY_NAME)
FAULT_DEFAULTS = {"stall": 0.0, "429": 1.0, "503": 1.0, "huge": 2.0, "slow_head": 1.0}
PHASES = {"aligned": PHASE_ALIGNED, "lockstep": PHASE_LOCKSTEP, "random": PHASE_RANDOM}
FILLER = [
    word.encode()
    for word in (
        " the quick brown fox jumps over a lazy dog while seven wizards quietly measure how long every single token"
        " takes to travel from here to there"
    ).replace(" ", "\0 ").split("\0")[1:]
]
WIDE_FILLER = [" héllo".encode(), " 世界".encode(), " привет".encode(), " 😀".encode()]


# The loop


cdef int check_signals() except -1 with gil:
    PyErr_CheckSignals()
    return 0


cdef void fire_due(Server* server) noexcept nogil:
    """Every deadline up to now; those that pass meanwhile wait until the sockets have been looked at again."""
    cdef int64_t now = now_ns()
    while server.heap.used > 0 and server.heap.entries[0].due_ns <= now:
        fire(server, server.heap.entries[0].conn)


cdef int64_t rest_ns(Server* server) noexcept nogil:
    """Until the next deadline or upkeep, whichever is first."""
    cdef int64_t next_ns = server.upkeep_ns
    if server.heap.used > 0:
        next_ns = min(next_ns, server.heap.entries[0].due_ns)
    return max(<int64_t>0, next_ns - now_ns())


cdef void handle(Server* server, epoll_event* event) noexcept nogil:
    cdef Conn* conn
    cdef uint64_t count
    if event.data.ptr == &server.listener:
        accept_all(server)
    elif event.data.ptr == &server.wake:
        server.stopping = read(server.wake, &count, 8) == 8
    else:
        conn = <Conn*>event.data.ptr
        if conn.fd >= 0 and event.events & EPOLLOUT:
            flush(server, conn)
        if conn.fd >= 0 and event.events & ~<uint32_t>EPOLLOUT:
            receive(server, conn)


cdef int serve(Server* server) except -1 nogil:
    cdef epoll_event events[MOST_EVENTS]
    cdef int count, i
    cdef int64_t now
    server.upkeep_ns = now_ns() + UPKEEP_NS
    while not server.stopping:
        count = wait_ns(server.epoll, events, MOST_EVENTS, rest_ns(server), &server.no_pwait2)
        for i in range(count):
            handle(server, &events[i])
        fire_due(server)
        free_closed(server)
        write_some(server, rest_ns(server))
        now = now_ns()
        if count < 0 or now >= server.upkeep_ns:
            if now >= server.upkeep_ns:
                server.upkeep_ns = now + UPKEEP_NS
                if rest_ns(server) > CALM_NS:
                    write_all(server)
            check_signals()
    return 0


# The door


cdef Text kept(list keep, bytes data):
    """The bytes as a text, which lasts as long as the list."""
    keep.append(data)
    return as_text(data, len(data))


cdef class Simulator:
    """A simulated inference server; see the stub for its promises."""

    cdef Server* server
    cdef list keep
    cdef object log                   # the file stays open as long as this
    cdef readonly str host
    cdef readonly int port

    def __cinit__(self):
        self.keep = []
        self.server = <Server*>calloc(1, sizeof(Server))
        if self.server == NULL:
            raise MemoryError
        self.server.epoll = self.server.listener = self.server.wake = self.server.truth_fd = -1

    def __init__(self, str host, int port, settings, script=(), truth_log=None):
        cdef Server* server = self.server
        if server.epoll >= 0:
            raise ValueError("a Simulator is initialised once")
        configure(server, settings, self.keep)
        set_script(server, script, self.keep)
        listener = socket.create_server((host, port), family=family_of(host), backlog=65535)
        listener.setblocking(False)
        self.host = host
        self.port = listener.getsockname()[1]
        server.listener = listener.detach()
        server.origin_ns = now_ns()
        server.epoll = epoll_create1(EPOLL_CLOEXEC)
        server.wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)
        if server.epoll < 0 or server.wake < 0:
            raise OSError(errno, os.strerror(errno))
        if truth_log is not None:
            self.log = open(truth_log, "wb", buffering=0)
            server.truth_fd = self.log.fileno()
        watch(server, EPOLL_CTL_ADD, server.listener, &server.listener, EPOLLIN)
        watch(server, EPOLL_CTL_ADD, server.wake, &server.wake, EPOLLIN)
        server.accepts = True

    def run(self):
        """Serves until `stop`."""
        cdef int slack = prctl(PR_GET_TIMERSLACK, 0)
        if self.server.epoll < 0:
            raise ValueError("a Simulator runs once")
        prctl(PR_SET_TIMERSLACK, 1)
        try:
            with nogil:
                serve(self.server)
        finally:
            prctl(PR_SET_TIMERSLACK, slack)
            write_all(self.server)
            close_all(self.server)
        if self.server.truth_error:
            raise OSError(self.server.truth_error, os.strerror(self.server.truth_error))

    def stop(self):
        """Makes `run` return, from any thread or signal handler."""
        cdef uint64_t one = 1
        if self.server.wake >= 0:
            write(self.server.wake, &one, 8)

    def counters(self):
        """What has happened so far, by name."""
        return self.server.counters

    def __dealloc__(self):
        if self.server != NULL:
            close_all(self.server)
            free_all(self.server)


# Setting up


cdef int64_t nanoseconds(double milliseconds):
    return <int64_t>round(milliseconds * 1e6)


cdef set_timing(Server* server, settings):
    server.ttft_base_ns = nanoseconds(settings.ttft_base_ms)
    server.ttft_per_token_ns = settings.ttft_per_token_us * 1e3
    server.itl_ns = nanoseconds(settings.itl_ms)
    server.itl_jitter = settings.itl_jitter
    server.phase = PHASES[settings.phase]
    server.seed = mix(<uint64_t>settings.seed)


cdef configure(Server* server, settings, list keep):
    """Takes over the settings by name; the caller has checked their ranges."""
    set_timing(server, settings)
    server.slots = settings.slots
    set_cache(server, settings.prefix_cache_tokens)
    server.tokens_low, server.tokens_high = settings.output_tokens
    server.tokens_per_event = settings.tokens_per_event
    server.events_per_send = settings.events_per_send
    server.cut_bytes = settings.cut_bytes
    server.head_early = settings.head_early
    server.role_early = settings.role_early
    server.strict_model = settings.strict_model
    server.model = kept(keep, settings.model.encode())
    set_dialects(server, json.dumps({settings.model: 0}).removeprefix('{"').removesuffix('": 0}'), keep)
    server.fillers = len(FILLER)
    server.filler = kept_all(keep, FILLER)
    server.wide_fillers = len(WIDE_FILLER)
    server.wide_filler = kept_all(keep, WIDE_FILLER)
    set_faults(server, settings.faults, keep)


cdef set_cache(Server* server, int64_t tokens):
    """Room for so many tokens; 0 for no cache."""
    server.cache_sets = (tokens + WAYS * BLOCK_TOKENS - 1) // (WAYS * BLOCK_TOKENS)
    if server.cache_sets:
        server.cache = <CacheEntry*>calloc(server.cache_sets * WAYS, sizeof(CacheEntry))
        if server.cache == NULL:
            raise MemoryError


cdef set_faults(Server* server, faults, list keep):
    for name, kind in FAULTS_BY_NAME.items():
        server.fault_names[<int>kind] = kept(keep, name.encode()).data
        server.fault_arguments[<int>kind] = FAULT_DEFAULTS.get(name, 0.0)
    for name, rate, argument in faults:
        server.fault_rates[<int>FAULTS_BY_NAME[name]] = rate
        if argument is not None:
            server.fault_arguments[<int>FAULTS_BY_NAME[name]] = argument


cdef set_dialects(Server* server, str model, list keep):
    """The JSON of both dialects around id, time, text and finish reason."""
    models = f'{{"object":"list","data":[{{"id":"{model}","object":"model","created":0,"owned_by":"perfcore"}}]}}'
    server.models_body = kept(keep, models.encode())
    set_prefixes(&server.chat, "chatcmpl", "chat.completion.chunk", "chat.completion", model, keep)
    set_prefixes(&server.completions, "cmpl", "text_completion", "text_completion", model, keep)
    set_chat(&server.chat, keep)
    set_completions(&server.completions, keep)


cdef set_prefixes(Dialect* dialect, str name, str event_object, str full_object, str model, list keep):
    start = f'{{"id":"{name}-'
    for_event = f'{start}{"0" * 16}","object":"{event_object}","created":'
    for_full = f'{start}{"0" * 16}","object":"{full_object}","created":'
    rest = f'{"0" * 10},"model":"{model}","choices":['
    dialect.event = kept(keep, (for_event + rest).encode())
    dialect.full = kept(keep, (for_full + rest).encode())
    dialect.event_id = dialect.full_id = len(start)
    dialect.event_created = len(for_event)
    dialect.full_created = len(for_full)


cdef set_chat(Dialect* dialect, list keep):
    close = b'"},"logprobs":null,"finish_reason":null}]}'
    dialect.role = kept(keep, b'{"index":0,"delta":{"role":"assistant","content":"' + close)
    dialect.content_open = kept(keep, b'{"index":0,"delta":{"content":"')
    dialect.content_close = kept(keep, close)
    dialect.reasoning_open = kept(keep, b'{"index":0,"delta":{"reasoning_content":"')
    dialect.reasoning_close = dialect.content_close
    dialect.finish_open = kept(keep, b'{"index":0,"delta":{},"logprobs":null,"finish_reason":"')
    dialect.finish_close = kept(keep, b'"}]}')
    dialect.full_open = kept(keep, b'{"index":0,"message":{"role":"assistant",')
    dialect.full_reasoning_open = kept(keep, b'"reasoning_content":"')
    dialect.full_reasoning_close = kept(keep, b'",')
    dialect.full_content_open = kept(keep, b'"content":"')
    dialect.full_close = kept(keep, b'"},"logprobs":null,"finish_reason":')


cdef set_completions(Dialect* dialect, list keep):
    """A completion knows no roles and no reasoning: the latter is text like any other."""
    dialect.content_open = kept(keep, b'{"index":0,"text":"')
    dialect.content_close = kept(keep, b'","logprobs":null,"finish_reason":null}]}')
    dialect.reasoning_open = dialect.content_open
    dialect.reasoning_close = dialect.content_close
    dialect.finish_open = kept(keep, b'{"index":0,"text":"","logprobs":null,"finish_reason":"')
    dialect.finish_close = kept(keep, b'"}]}')
    dialect.full_open = kept(keep, b'{"index":0,')
    dialect.full_content_open = kept(keep, b'"text":"')
    dialect.full_close = kept(keep, b'","logprobs":null,"finish_reason":')


cdef Text* kept_all(list keep, pieces) except NULL:
    cdef Text* texts = <Text*>calloc(max(1, len(pieces)), sizeof(Text))
    cdef ssize_t i
    if texts == NULL:
        raise MemoryError
    for i in range(len(pieces)):
        texts[i] = kept(keep, pieces[i])
    return texts


cdef set_script(Server* server, script, list keep):
    """A hash table of the scripted answers; of two for one prompt the first counts."""
    cdef ssize_t size = 16
    cdef ssize_t i
    if not script:
        return
    while size < 2 * len(script):
        size *= 2
    server.answers = <Answer*>calloc(len(script), sizeof(Answer))
    server.table = <Answer**>calloc(size, sizeof(Answer*))
    if server.answers == NULL or server.table == NULL:
        raise MemoryError
    server.answers_used = len(script)
    server.table_mask = size - 1
    for i, (prompt, reasoning, answer) in enumerate(script):
        server.answers[i].prompt = kept(keep, prompt)
        server.answers[i].reasoning = len(reasoning)
        server.answers[i].total = len(reasoning) + len(answer)
        server.answers[i].pieces = kept_all(keep, [*reasoning, *answer])
        server.answers[i].hash = hash_bytes(server.answers[i].prompt.data, server.answers[i].prompt.length)
        insert(server, &server.answers[i])


cdef void insert(Server* server, Answer* answer) noexcept nogil:
    cdef uint64_t at = answer.hash & server.table_mask
    while server.table[at] != NULL:
        at = (at + 1) & server.table_mask
    server.table[at] = answer


cdef void close_all(Server* server) noexcept:
    cdef int64_t i
    for i in range(server.conns_used):
        if server.conns[i].fd >= 0:
            close(server.conns[i].fd)
            server.conns[i].fd = -1
    if server.listener >= 0:
        close(server.listener)
    if server.wake >= 0:
        close(server.wake)
    if server.epoll >= 0:
        close(server.epoll)
    server.listener = server.wake = server.epoll = -1


cdef void free_all(Server* server) noexcept:
    cdef int64_t i
    for i in range(server.conns_used):
        release(&server.conns[i].input)
        release(&server.conns[i].pending)
        release(&server.conns[i].carry)
        free(server.conns[i])
    for i in range(server.answers_used):
        free(server.answers[i].pieces)
    release(&server.segment)
    release(&server.joined)
    release(&server.truth)
    free(server.conns)
    free(server.heap.entries)
    free(server.answers)
    free(server.table)
    free(server.filler)
    free(server.wide_filler)
    free(server.cache)
    free(server)


def family_of(str host):
    """IPv6 for addresses with a colon."""
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def due_times(settings, int64_t number, int64_t origin_ns, int64_t start_ns, int64_t prompt_tokens, int64_t events):
    """The deadlines of the token events of one stream."""
    cdef Server* server = <Server*>calloc(1, sizeof(Server))
    cdef Conn conn
    if server == NULL:
        raise MemoryError
    memset(&conn, 0, sizeof(Conn))
    try:
        set_timing(server, settings)
        server.origin_ns = origin_ns
        conn.prompt_tokens = prompt_tokens
        conn.cached_tokens = -1
        conn.random = stream_seed(server, number)
        times = [first_token_ns(server, &conn, start_ns)]
        for _ in range(events - 1):
            times.append(later_ns(server, &conn, times[len(times) - 1], 1))
        return times
    finally:
        free(server)


def die_with_parent(int parent):
    """Has the kernel end this process when the one that started it ends, or ends it now where that is over already."""
    prctl(PR_SET_PDEATHSIG, SIGTERM)
    if getppid() != parent:
        raise SystemExit(1)


def body_facts(bytes body):
    """What the simulator reads from a request's JSON; None where it is not a JSON object."""
    cdef BodyFacts facts
    cdef Buffer plain
    if not read_body(&facts, body, len(body)):
        return None
    memset(&plain, 0, sizeof(Buffer))
    unescape(&plain, facts.text)
    text = plain.data[:plain.used]
    release(&plain)
    return {
        "prompt_tokens": tokens_of_prompt(&facts),
        "has_messages": facts.has_messages,
        "has_prompt": facts.has_prompt,
        "stream": facts.stream,
        "include_usage": facts.include_usage,
        "bad_limit": facts.bad_limit,
        "max_tokens": facts.max_tokens,
        "max_completion_tokens": facts.max_completion_tokens,
        "text": text,
    }
