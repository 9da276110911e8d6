"""Deadlines: a heap of four children per node, which a paced stream leaves with one short sift per event."""

from libc.stdint cimport int64_t
from libc.stdlib cimport abort, realloc

from perfcore_ext.simtypes cimport Conn, Entry, Heap

cdef inline void place(Heap* heap, int64_t at, Entry entry) noexcept nogil:
    heap.entries[at] = entry
    entry.conn.heap_index = <int>at

cdef inline int64_t sift_up(Heap* heap, int64_t at, Entry entry) noexcept nogil:
    cdef int64_t parent
    while at > 0:
        parent = (at - 1) >> 2
        if heap.entries[parent].due_ns <= entry.due_ns:
            break
        place(heap, at, heap.entries[parent])
        at = parent
    place(heap, at, entry)
    return at

cdef inline void sift_down(Heap* heap, int64_t at, Entry entry) noexcept nogil:
    cdef int64_t child, least, end
    while True:
        child = 4 * at + 1
        if child >= heap.used:
            break
        least = child
        end = min(child + 4, heap.used)
        child += 1
        while child < end:
            if heap.entries[child].due_ns < heap.entries[least].due_ns:
                least = child
            child += 1
        if heap.entries[least].due_ns >= entry.due_ns:
            break
        place(heap, at, heap.entries[least])
        at = least
    place(heap, at, entry)

cdef inline void schedule(Heap* heap, Conn* conn) noexcept nogil:
    """Gives the connection its one deadline, `conn.due_ns`, new or moved."""
    cdef Entry entry
    cdef int64_t at = conn.heap_index
    entry.due_ns = conn.due_ns
    entry.conn = conn
    if at < 0:
        if heap.used == heap.room:
            heap.room = 2 * heap.room + 1024
            heap.entries = <Entry*>realloc(heap.entries, heap.room * sizeof(Entry))
            if heap.entries == NULL:
                abort()
        at = heap.used
        heap.used += 1
    if sift_up(heap, at, entry) == at:
        sift_down(heap, at, entry)

cdef inline void unschedule(Heap* heap, Conn* conn) noexcept nogil:
    cdef int64_t at = conn.heap_index
    cdef Entry last
    if at < 0:
        return
    conn.heap_index = -1
    heap.used -= 1
    if at == heap.used:
        return
    last = heap.entries[heap.used]
    if sift_up(heap, at, last) == at:
        sift_down(heap, at, last)
