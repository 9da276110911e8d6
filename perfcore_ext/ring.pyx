"""The ring between a worker and the aggregator; how it works is told in ring.pxd."""

from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer, Py_buffer
from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint8_t, uint64_t, uintptr_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

from perfcore_ext.atomics cimport load_acquire, store_release

cdef enum:
    CHUNK_BYTES = 65536


cdef bint is_ring(const void* memory, size_t size) noexcept nogil:
    cdef const RingMemory* ring = <const RingMemory*>memory
    if size < sizeof(RingMemory) or <uintptr_t>memory % sizeof(int64_t) or ring.magic != RING_MAGIC:
        return False
    if ring.capacity == 0 or ring.capacity & (ring.capacity - 1):
        return False
    return ring.capacity <= size - sizeof(RingMemory)


cdef int writer_attach(RingWriter* writer, void* memory, size_t size) noexcept nogil:
    memset(writer, 0, sizeof(RingWriter))
    if not is_ring(memory, size):
        return -1
    writer.memory = <RingMemory*>memory
    writer.staged = writer.published = <uint64_t>load_acquire(&writer.memory.head)
    writer.tail = <uint64_t>load_acquire(&writer.memory.tail)
    return 0


cdef size_t free_bytes(RingWriter* writer, size_t wanted) noexcept nogil:
    cdef uint64_t capacity = writer.memory.capacity
    cdef uint64_t room = capacity - (writer.staged - writer.tail)
    if room < wanted:
        writer.tail = <uint64_t>load_acquire(&writer.memory.tail)
        room = capacity - (writer.staged - writer.tail)
    return room


cdef void stage(RingWriter* writer, const uint8_t* data, size_t size) noexcept nogil:
    cdef uint64_t capacity = writer.memory.capacity
    cdef size_t at = writer.staged & (capacity - 1)
    cdef size_t straight = min(size, capacity - at)
    memcpy(writer.memory.data + at, data, straight)
    memcpy(writer.memory.data, data + straight, size - straight)
    writer.staged += size


cdef void publish(RingWriter* writer) noexcept nogil:
    writer.published = writer.staged
    store_release(&writer.memory.head, <int64_t>writer.staged)


cdef void drop_chunks_after(RingWriter* writer, RingChunk* keep) noexcept nogil:
    cdef RingChunk* chunk = writer.first if keep == NULL else keep.next
    cdef RingChunk* following
    while chunk != NULL:
        following = chunk.next
        free(chunk)
        chunk = following
    writer.last = keep
    if keep == NULL:
        writer.first = NULL
    else:
        keep.next = NULL


cdef void roll_back(RingWriter* writer) noexcept nogil:
    writer.staged = writer.published
    drop_chunks_after(writer, writer.mark)
    if writer.mark != NULL:
        writer.mark.end = writer.mark_end
    writer.waiting_bytes -= writer.uncommitted_bytes
    writer.uncommitted_bytes = 0


cdef RingChunk* new_chunk(RingWriter* writer, size_t size) noexcept nogil:
    cdef size_t room = max(size, <size_t>CHUNK_BYTES)
    cdef RingChunk* chunk = <RingChunk*>malloc(sizeof(RingChunk) + room)
    if chunk == NULL:
        return NULL
    chunk.next = NULL
    chunk.begin = chunk.end = 0
    chunk.room = room
    if writer.last == NULL:
        writer.first = chunk
    else:
        writer.last.next = chunk
    writer.last = chunk
    return chunk


cdef int keep_waiting(RingWriter* writer, const uint8_t* data, size_t size) noexcept nogil:
    cdef RingChunk* chunk = writer.last
    if chunk == NULL or chunk.room - chunk.end < size:
        chunk = new_chunk(writer, size)
    if chunk == NULL:
        roll_back(writer)
        return -1
    memcpy(chunk.data + chunk.end, data, size)
    chunk.end += size
    writer.waiting_bytes += size
    writer.uncommitted_bytes += size
    return 0


cdef int writer_put(RingWriter* writer, const void* data, size_t size) noexcept nogil:
    if size == 0:
        return 0
    if writer.waiting_bytes == 0 and size <= free_bytes(writer, size):
        stage(writer, <const uint8_t*>data, size)
        return 0
    return keep_waiting(writer, <const uint8_t*>data, size)


cdef void writer_commit(RingWriter* writer) noexcept nogil:
    writer.uncommitted_bytes = 0
    writer.mark = writer.last
    writer.mark_end = 0 if writer.last == NULL else writer.last.end
    if writer.staged != writer.published:
        publish(writer)
    if writer.waiting_bytes and writer_flush(writer):
        writer.full_waits += 1
        writer.peak_waiting_bytes = max(writer.peak_waiting_bytes, writer.waiting_bytes)


cdef size_t stage_chunk(RingWriter* writer, RingChunk* chunk, size_t limit) noexcept nogil:
    cdef size_t size = min(chunk.end - chunk.begin, limit)
    size = min(size, free_bytes(writer, size))
    stage(writer, chunk.data + chunk.begin, size)
    chunk.begin += size
    writer.waiting_bytes -= size
    return size


cdef uint64_t writer_flush(RingWriter* writer) noexcept nogil:
    cdef uint64_t committed = writer.waiting_bytes - writer.uncommitted_bytes
    cdef RingChunk* chunk = writer.first
    cdef size_t moved
    if committed == 0:
        return writer.waiting_bytes
    while committed:
        if chunk.begin == chunk.end:
            writer.first = chunk.next
            free(chunk)
            chunk = writer.first
            continue
        moved = stage_chunk(writer, chunk, committed)
        committed -= moved
        if moved == 0:
            break
    if committed == 0 and writer.uncommitted_bytes == 0:
        writer.mark = NULL
        drop_chunks_after(writer, NULL)
    publish(writer)
    return writer.waiting_bytes


cdef void writer_free(RingWriter* writer) noexcept nogil:
    drop_chunks_after(writer, NULL)
    memset(writer, 0, sizeof(RingWriter))


def ring_bytes(capacity: int) -> int:
    """Bytes of memory that a ring of `capacity` bytes takes. Raises ValueError unless it is a power of two."""
    if capacity <= 0 or capacity & (capacity - 1):
        raise ValueError(f"ring capacity must be a power of two, not {capacity}")
    return sizeof(RingMemory) + capacity


def create(buffer: bytearray | memoryview, capacity: int) -> None:
    """Make an empty ring of `capacity` bytes at the start of the writable `buffer`, which must be aligned to 8 bytes."""
    cdef Py_buffer view
    cdef RingMemory* ring
    cdef Py_ssize_t needed = ring_bytes(capacity)
    PyObject_GetBuffer(buffer, &view, PyBUF_SIMPLE | PyBUF_WRITABLE)
    try:
        if view.len < needed or <uintptr_t>view.buf % sizeof(int64_t):
            raise ValueError(f"a ring of {capacity} bytes needs {needed} aligned bytes")
        ring = <RingMemory*>view.buf
        memset(ring, 0, sizeof(RingMemory))
        ring.capacity = capacity
        ring.magic = RING_MAGIC
    finally:
        PyBuffer_Release(&view)


cdef class Writer:
    """The writing end in Python, for tests: the load loop uses the C functions. Raises ValueError if there is no ring."""

    cdef RingWriter writer
    cdef Py_buffer view

    def __cinit__(self, buffer: bytearray | memoryview) -> None:
        PyObject_GetBuffer(buffer, &self.view, PyBUF_SIMPLE | PyBUF_WRITABLE)
        if writer_attach(&self.writer, self.view.buf, self.view.len):
            raise ValueError("no ring in this memory")

    def __dealloc__(self) -> None:
        writer_free(&self.writer)
        PyBuffer_Release(&self.view)

    def put(self, data: bytes | bytearray | memoryview) -> None:
        """Add a part of a frame."""
        cdef Py_buffer part
        cdef int failed
        PyObject_GetBuffer(data, &part, PyBUF_SIMPLE)
        failed = writer_put(&self.writer, part.buf, part.len)
        PyBuffer_Release(&part)
        if failed:
            raise MemoryError

    def commit(self) -> None:
        """Show the reader what was put."""
        writer_commit(&self.writer)

    def flush(self) -> int:
        """Move waiting bytes into the ring; returns how many still wait."""
        return writer_flush(&self.writer)

    @property
    def waiting_bytes(self) -> int:
        return self.writer.waiting_bytes

    @property
    def full_waits(self) -> int:
        return self.writer.full_waits

    @property
    def peak_waiting_bytes(self) -> int:
        return self.writer.peak_waiting_bytes


cdef class Reader:
    """The reading end. Keeps `buffer` alive. Raises ValueError if it holds no ring."""

    cdef Py_buffer view
    cdef RingMemory* ring
    cdef object data

    def __cinit__(self, buffer: bytearray | memoryview) -> None:
        PyObject_GetBuffer(buffer, &self.view, PyBUF_SIMPLE | PyBUF_WRITABLE)
        if not is_ring(self.view.buf, self.view.len):
            raise ValueError("no ring in this memory")
        self.ring = <RingMemory*>self.view.buf
        self.data = memoryview(buffer).cast("B").toreadonly()[sizeof(RingMemory):sizeof(RingMemory) + self.ring.capacity]

    def __dealloc__(self) -> None:
        PyBuffer_Release(&self.view)

    @property
    def available(self) -> int:
        """Bytes that can be read now. Raises ValueError if the positions make no sense: memory was overwritten."""
        cdef uint64_t size = <uint64_t>load_acquire(&self.ring.head) - <uint64_t>self.ring.tail
        if size > self.ring.capacity:
            raise ValueError("ring is damaged: more bytes written than fit")
        return size

    def peek(self, limit: int = -1) -> tuple[memoryview, memoryview]:
        """The next readable bytes, at most `limit` if it is not negative, in one or two views (the second may be empty).

        The views show the shared memory itself and are valid until `consume` gives their bytes back to the writer.
        """
        cdef Py_ssize_t size = self.available
        cdef Py_ssize_t at = <uint64_t>self.ring.tail & (self.ring.capacity - 1)
        cdef Py_ssize_t straight
        if 0 <= limit < size:
            size = limit
        straight = min(size, <Py_ssize_t>self.ring.capacity - at)
        return self.data[at:at + straight], self.data[:size - straight]

    def consume(self, size: int) -> None:
        """Give the next `size` bytes back to the writer. Raises ValueError if there are fewer."""
        if not 0 <= size <= self.available:
            raise ValueError(f"cannot consume {size} of {self.available} bytes")
        store_release(&self.ring.tail, self.ring.tail + <int64_t>size)
