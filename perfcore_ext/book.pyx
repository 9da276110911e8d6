"""The request book as the loop reads it: see book.pxd."""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer

cdef packed struct BookHeader:
    char magic[8]
    uint64_t count
    uint64_t index_offset
    uint64_t bytes


cdef class Book:
    """A view of a book in `memory` (read-only buffer). Raises ValueError where it is none, or empty, or cut short."""

    def __cinit__(self, memory):
        PyObject_GetBuffer(memory, &self.view, PyBUF_SIMPLE)
        self.held = True
        cdef const BookHeader* header = <const BookHeader*>self.view.buf
        cdef uint64_t size = self.view.len
        if size < sizeof(BookHeader) or header.magic[:8] != b"PFBOOK01" or header.count == 0:
            raise ValueError("not a request book, or an empty one")
        if header.index_offset > size or header.count > (size - header.index_offset) // sizeof(BookEntry):
            raise ValueError("the request book is cut short")
        self.bodies = <const char*>self.view.buf
        self.entries = <const BookEntry*>(self.bodies + header.index_offset)
        self.rows = header.count
        if any(self.entries[row].offset + self.entries[row].length > size for row in (0, self.rows - 1)):
            raise ValueError("the request book is cut short")

    def __dealloc__(self):
        if self.held:
            PyBuffer_Release(&self.view)

    def __len__(self) -> int:
        return self.rows
