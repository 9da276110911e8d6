"""The simulator's model of time. All randomness is a function of the seed and of the request's number.

First token: start + base + per-token part (+ a uniform offset of up to one interval with phase "random"), where start
is the arrival or, with slots, the moment a slot was free. Between token events: interval * (1 + jitter * u), u
uniform in [-1, 1). In lockstep all streams emit at the ticks of one grid; tick k is at k intervals plus interval *
jitter / 2 * u_k, so that the gaps lie within the same bounds.
"""

from libc.stdint cimport int64_t, uint64_t

from perfcore_ext.simtypes cimport PHASE_LOCKSTEP, PHASE_RANDOM, Conn, Server

cdef inline uint64_t mix(uint64_t value) noexcept nogil:
    """The finalizer of splitmix64."""
    value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9ULL
    value = (value ^ (value >> 27)) * 0x94D049BB133111EBULL
    return value ^ (value >> 31)

cdef inline double uniform(uint64_t* state) noexcept nogil:
    """Splitmix64 as a number in [0, 1)."""
    state[0] += 0x9E3779B97F4A7C15ULL
    return <double>(mix(state[0]) >> 11) * (1.0 / 9007199254740992.0)

cdef inline uint64_t stream_seed(const Server* server, int64_t number) noexcept nogil:
    """Where the random numbers of the request of this number begin."""
    return mix(server.seed ^ mix(<uint64_t>number))

cdef inline bint in_lockstep(const Server* server) noexcept nogil:
    return server.phase == PHASE_LOCKSTEP and server.itl_ns > 0

cdef inline int64_t tick_ns(const Server* server, int64_t tick) noexcept nogil:
    cdef int64_t at = server.origin_ns + tick * server.itl_ns
    cdef uint64_t state = server.seed ^ mix(<uint64_t>tick)
    if server.itl_jitter > 0:
        at += <int64_t>(server.itl_ns * server.itl_jitter * (uniform(&state) - 0.5))
    return at

cdef inline int64_t tick_from(const Server* server, int64_t time_ns) noexcept nogil:
    """The first tick at or after the time."""
    cdef int64_t tick = (time_ns - server.origin_ns) // server.itl_ns
    while tick > 0 and tick_ns(server, tick - 1) >= time_ns:
        tick -= 1
    while tick_ns(server, tick) < time_ns:
        tick += 1
    return tick

cdef inline int64_t gaps_ns(const Server* server, Conn* conn, int64_t gaps) noexcept nogil:
    """The sum of so many successive intervals of one stream."""
    cdef double total = 0
    cdef int64_t i
    if server.itl_jitter <= 0:
        return gaps * server.itl_ns
    for i in range(gaps):
        total += 1 + server.itl_jitter * (2 * uniform(&conn.random) - 1)
    return <int64_t>(total * server.itl_ns)

cdef inline int64_t first_token_ns(const Server* server, Conn* conn, int64_t start_ns) noexcept nogil:
    cdef int64_t read = conn.prompt_tokens - max(conn.cached_tokens, <int64_t>0)
    cdef int64_t due = start_ns + server.ttft_base_ns + <int64_t>(server.ttft_per_token_ns * read)
    if server.phase == PHASE_RANDOM:
        due += <int64_t>(server.itl_ns * uniform(&conn.random))
    if in_lockstep(server):
        conn.tick = tick_from(server, due)
        due = tick_ns(server, conn.tick)
    return due

cdef inline int64_t later_ns(const Server* server, Conn* conn, int64_t due_ns, int64_t gaps) noexcept nogil:
    """The deadline that follows `due_ns` by so many intervals."""
    if in_lockstep(server):
        conn.tick += gaps
        return tick_ns(server, conn.tick)
    return due_ns + gaps_ns(server, conn, gaps)

cdef inline int64_t token_events(const Server* server, int64_t tokens) noexcept nogil:
    return (tokens + server.tokens_per_event - 1) // server.tokens_per_event

cdef inline int64_t drawn_tokens(const Server* server, Conn* conn) noexcept nogil:
    """The length of an answer whose request does not limit it."""
    return server.tokens_low + <int64_t>((server.tokens_high - server.tokens_low + 1) * uniform(&conn.random))
