"""The request book as the loop reads it: where each body lies in the mapped file. perfcore/run/book.py writes it."""

from cpython.buffer cimport Py_buffer
from libc.stdint cimport int64_t, uint64_t

cdef struct BookEntry:
    uint64_t offset
    uint64_t length

cdef class Book:
    cdef Py_buffer view
    cdef bint held
    cdef const char* bodies           # offsets count from here
    cdef const BookEntry* entries
    cdef int64_t rows
