"""A byte stream from one writer to one reader through shared memory; neither ever waits for the other.

The writer owns `head`, the reader `tail`: bytes ever written and ever read, which only grow, so `head - tail` is what
can be read and there is no difference between a full and an empty ring to get wrong. Bytes are copied first, then
`head` is stored with release; the reader loads it with acquire, so it never sees a byte before it is there. `tail`
goes the other way round. The two lie on lines of their own (128 bytes: processors fetch lines in pairs).

What does not fit waits in chunks on the writer's heap, in order: as long as anything waits, new bytes queue behind it.
The ring knows nothing of frames, except that `writer_commit` shows the reader a frame only when it is whole. Only a
frame that meets a full ring is shown in pieces.
"""

from libc.stdint cimport int64_t, uint8_t, uint64_t

cdef enum:
    RING_MAGIC = 0x474E5246           # "FRNG", little endian
    RING_LINE = 128

cdef struct RingMemory:
    uint64_t magic
    uint64_t capacity                 # bytes of data, a power of two
    uint8_t reserved[112]             # RING_LINE - 2 * 8
    int64_t head
    uint8_t writer_line[120]
    int64_t tail
    uint8_t reader_line[120]
    uint8_t data[0]

cdef struct RingChunk:
    RingChunk* next
    size_t begin                      # bytes before it are in the ring already
    size_t end
    size_t room
    uint8_t data[0]

cdef struct RingWriter:
    RingMemory* memory
    uint64_t staged                   # head, with what commit has not published yet
    uint64_t published                # head, as the reader sees it
    uint64_t tail                     # as last seen: loaded again only when it says full
    RingChunk* first                  # waiting bytes, oldest first
    RingChunk* last
    RingChunk* mark                   # last chunk and its end at the last commit: where a failed put returns to
    size_t mark_end
    uint64_t waiting_bytes
    uint64_t uncommitted_bytes        # of those, put since the last commit
    uint64_t full_waits               # commits that left bytes waiting
    uint64_t peak_waiting_bytes

# -1 if `memory` is not a ring of at most `size` bytes.
cdef int writer_attach(RingWriter* writer, void* memory, size_t size) noexcept nogil

# Add a part of a frame. -1 when out of memory: all that was put since the last commit is dropped again.
cdef int writer_put(RingWriter* writer, const void* data, size_t size) noexcept nogil

# The frame is whole: let the reader see it, or as much of it as there is room for.
cdef void writer_commit(RingWriter* writer) noexcept nogil

# Move waiting bytes of committed frames into the ring as far as there is room; returns the bytes that still wait.
cdef uint64_t writer_flush(RingWriter* writer) noexcept nogil

cdef void writer_free(RingWriter* writer) noexcept nogil
