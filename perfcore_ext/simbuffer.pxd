"""Growable bytes, and the few ways in which the simulator writes into them."""

from libc.stddef cimport size_t
from libc.stdint cimport int64_t
from libc.stdlib cimport abort, free, realloc
from libc.string cimport memcpy, memmove, strlen

cdef struct Text:                     # bytes owned by somebody else
    const char* data
    size_t length

cdef struct Buffer:
    char* data
    size_t used
    size_t room

cdef inline void reserve(Buffer* buffer, size_t more) noexcept nogil:
    cdef size_t room = buffer.used + more
    if room <= buffer.room:
        return
    if room < 2 * buffer.room:
        room = 2 * buffer.room
    buffer.data = <char*>realloc(buffer.data, room)
    if buffer.data == NULL:
        abort()
    buffer.room = room

cdef inline void put_raw(Buffer* buffer, const char* data, size_t length) noexcept nogil:
    """Appends where room has been reserved."""
    memcpy(buffer.data + buffer.used, data, length)
    buffer.used += length

cdef inline void put_bytes(Buffer* buffer, const char* data, size_t length) noexcept nogil:
    reserve(buffer, length)
    put_raw(buffer, data, length)

cdef inline void put_text(Buffer* buffer, Text text) noexcept nogil:
    put_bytes(buffer, text.data, text.length)

cdef inline void put(Buffer* buffer, const char* literal) noexcept nogil:
    put_bytes(buffer, literal, strlen(literal))

cdef inline void put_number(Buffer* buffer, int64_t number, int base) noexcept nogil:
    """Appends a number that is not negative, in base 10 or 16."""
    cdef const char* alphabet = b"0123456789abcdef"
    cdef char digits[24]
    cdef int at = 24
    while True:
        at -= 1
        digits[at] = alphabet[number % base]
        number //= base
        if number == 0:
            break
    put_bytes(buffer, digits + at, 24 - at)

cdef inline void put_padded(char* target, int64_t number, int base, int width) noexcept nogil:
    """Writes exactly `width` digits at `target`."""
    cdef const char* alphabet = b"0123456789abcdef"
    cdef int at = width - 1
    while at >= 0:
        target[at] = alphabet[number % base]
        number //= base
        at -= 1

cdef inline void drop_front(Buffer* buffer, size_t length) noexcept nogil:
    buffer.used -= length
    if buffer.used > 0:
        memmove(buffer.data, buffer.data + length, buffer.used)

cdef inline void release(Buffer* buffer) noexcept nogil:
    free(buffer.data)
    buffer.data = NULL
    buffer.used = 0
    buffer.room = 0
