"""The request book as the loop reads it: see book.pxd."""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer

cdef packed struct BookHeader:
    char magic[8]
    uint64_t count
    uint64_t index_offset
    uint64_t bytes
    uint64_t rows
    uint64_t rows_offset


cdef class Book:
    """A view of a book in `memory` (read-only buffer). Raises ValueError where it is none, or empty, or cut short."""

    def __cinit__(self, memory):
        PyObject_GetBuffer(memory, &self.view, PyBUF_SIMPLE)
        self.held = True
        cdef const BookHeader* header = <const BookHeader*>self.view.buf
        cdef uint64_t size = self.view.len
        if size < sizeof(BookHeader) or header.magic[:8] != b"PFBOOK03" or header.rows == 0:
            raise ValueError("not a request book, or an empty one")
        if not (fits(header.index_offset, header.count, sizeof(BookEntry), size)
                and fits(header.rows_offset, header.rows + 1, sizeof(uint64_t), size) and header.bytes == size):
            raise ValueError("the request book is cut short")
        self.bodies = <const char*>self.view.buf
        self.entries = <const BookEntry*>(self.bodies + header.index_offset)
        self.firsts = <const uint64_t*>(self.bodies + header.rows_offset)
        self.rows = header.rows
        if self.firsts[self.rows] != header.count:
            raise ValueError("the request book does not hold together")

    def __dealloc__(self):
        if self.held:
            PyBuffer_Release(&self.view)

    def __len__(self) -> int:
        return self.rows


cdef bint fits(uint64_t offset, uint64_t count, uint64_t width, uint64_t size) noexcept:
    """Whether so many things of that width lie within the file, at an offset that suits them."""
    return offset <= size and offset % 8 == 0 and count <= (size - offset) // width
