"""The request book as the loop reads it: where each body lies in the mapped file. perfcore/run/book.py writes it."""

from cpython.buffer cimport Py_buffer
from libc.stdint cimport int64_t, uint32_t, uint64_t

# One request. A row of the data set has one, or as many as its conversation has turns.
cdef struct BookEntry:
    uint64_t offset                   # of its splices, then its header lines, then its body
    uint64_t length                   # of the body
    int64_t think_ns                  # after the end of the turn before
    uint32_t splices
    uint32_t turn                     # of the conversation, from 0
    uint32_t headers                  # lines of its own, each "Name: value" and a NUL
    uint32_t header_bytes             # that they take together

# Where the answer to an earlier turn goes into the body.
cdef struct Splice:
    uint64_t position
    uint32_t turn
    uint32_t reserved

cdef class Book:
    cdef Py_buffer view
    cdef bint held
    cdef const char* bodies           # offsets count from here
    cdef const BookEntry* entries
    cdef const uint64_t* firsts       # first entry of each row, and the number of entries
    cdef int64_t rows
