"""Which fault strikes a request: the one its prompt names, else one drawn by the rates."""

from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint64_t
from libc.stdlib cimport strtod
from libc.string cimport memcpy, strlen

from perfcore_ext.simbody cimport is_word
from perfcore_ext.simbuffer cimport Text
from perfcore_ext.simhttp cimport memmem
from perfcore_ext.simtiming cimport mix, uniform
from perfcore_ext.simtypes cimport (
    FAULT_ERROR,
    FAULT_CUT,
    FAULT_HUGE,
    FAULT_MALFORMED,
    FAULT_NONE,
    FAULT_RESET,
    FAULT_STALL,
    FAULTS,
    Conn,
    Server,
)

cdef inline bint fault_in_prompt(Server* server, Conn* conn, Text text) noexcept nogil:
    """Reads `[[fault:KIND]]` or `[[fault:KIND=ARGUMENT]]`; False where there is none that is known."""
    cdef const char* mark = <const char*>memmem(text.data, text.length, b"[[fault:", 8)
    cdef const char* stop
    cdef const char* equals
    cdef char number[32]
    cdef size_t length
    cdef int kind
    if mark == NULL:
        return False
    mark += 8
    stop = <const char*>memmem(mark, text.data + text.length - mark, b"]]", 2)
    if stop == NULL:
        return False
    equals = <const char*>memmem(mark, stop - mark, b"=", 1)
    for kind in range(1, FAULTS):
        if is_word(mark, (stop if equals == NULL else equals) - mark, server.fault_names[kind]):
            conn.fault = kind
            conn.fault_argument = server.fault_arguments[kind]
            if equals != NULL:
                length = min(<size_t>(stop - equals - 1), 31)
                memcpy(number, equals + 1, length)
                number[length] = 0
                conn.fault_argument = strtod(number, NULL)
            return True
    return False

cdef inline void draw_fault(Server* server, Conn* conn) noexcept nogil:
    cdef uint64_t state = server.seed ^ mix(<uint64_t>conn.number + 0xFA017)
    cdef double rest = uniform(&state)
    cdef int kind
    for kind in range(1, FAULTS):
        rest -= server.fault_rates[kind]
        if rest < 0:
            conn.fault = kind
            conn.fault_argument = server.fault_arguments[kind]
            return

cdef inline void choose_fault(Server* server, Conn* conn, Text text) noexcept nogil:
    conn.fault = FAULT_NONE
    conn.fault_argument = 0
    if text.data == NULL or not fault_in_prompt(server, conn, text):
        draw_fault(server, conn)
    if conn.fault != FAULT_NONE:
        server.counters.faults += 1

cdef inline int64_t strikes_at(const Conn* conn) noexcept nogil:
    """After how many tokens, half of them, a fault of mid-stream strikes; -1 for the other faults."""
    if (
        conn.fault == FAULT_RESET
        or conn.fault == FAULT_CUT
        or conn.fault == FAULT_STALL
        or conn.fault == FAULT_ERROR
        or conn.fault == FAULT_MALFORMED
        or conn.fault == FAULT_HUGE
    ):
        return conn.tokens // 2
    return -1
