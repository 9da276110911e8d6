"""The HTTP/1.1 that a server of completions needs: request heads, and uploads in chunks."""

from libc.stddef cimport size_t
from libc.stdint cimport int64_t
from libc.string cimport memchr, memmove, memset, strlen

from perfcore_ext.simbuffer cimport Buffer, Text
from perfcore_ext.simtypes cimport (
    ROUTE_CHAT,
    ROUTE_COMPLETIONS,
    ROUTE_HEALTH,
    ROUTE_MODELS,
    ROUTE_UNKNOWN,
    Conn,
    Head,
)

cdef extern from "<string.h>" nogil:
    void* memmem(const void* haystack, size_t length, const void* needle, size_t needle_length) noexcept

cdef extern from "<strings.h>" nogil:
    int strncasecmp(const char* a, const char* b, size_t length) noexcept

cdef enum:
    MAX_HEAD = 65536
    MAX_BODY = 268435456

cdef inline bint is_name(const char* data, size_t length, const char* name) noexcept nogil:
    return length == strlen(name) and strncasecmp(data, name, length) == 0

cdef inline bint has_token(Text value, const char* token) noexcept nogil:
    """Whether a header's value contains the token, in any case."""
    cdef size_t length = strlen(token)
    cdef size_t i = 0
    while i + length <= value.length:
        if strncasecmp(value.data + i, token, length) == 0:
            return True
        i += 1
    return False

cdef inline int64_t integer_or(Text value, int64_t otherwise) noexcept nogil:
    """The value where it is nothing but an integer of up to 18 digits, with or without a sign."""
    cdef int64_t number = 0
    cdef size_t i = 1 if value.length > 1 and value.data[0] == 45 else 0
    cdef bint negative = i == 1
    if value.length == 0 or value.length - i > 18:
        return otherwise
    while i < value.length:
        if not 48 <= value.data[i] <= 57:
            return otherwise
        number = number * 10 + (value.data[i] - 48)
        i += 1
    return -number if negative else number

cdef inline Text after_dash(Text value) noexcept nogil:
    """What follows the last dash: clients put a name of the run before a request's number."""
    cdef size_t i = value.length
    while i > 1 and value.data[i - 1] != 45:
        i -= 1
    if i > 1:
        value.data += i
        value.length -= i
    return value

cdef inline void read_header(Head* head, const char* name, size_t length, Text value) noexcept nogil:
    if is_name(name, length, b"content-length"):
        head.body_length = integer_or(value, -2)
    elif is_name(name, length, b"x-request-id"):
        head.client_request = integer_or(after_dash(value), -1)
    elif is_name(name, length, b"transfer-encoding"):
        head.chunked = has_token(value, b"chunked")
    elif is_name(name, length, b"connection"):
        head.close = head.close or has_token(value, b"close")
    elif is_name(name, length, b"expect"):
        head.expects_continue = has_token(value, b"100-continue")

cdef inline int route_of(const char* path, size_t length) noexcept nogil:
    if is_name(path, length, b"/v1/chat/completions"): return ROUTE_CHAT
    if is_name(path, length, b"/v1/completions"): return ROUTE_COMPLETIONS
    if is_name(path, length, b"/v1/models"): return ROUTE_MODELS
    if is_name(path, length, b"/health"): return ROUTE_HEALTH
    return ROUTE_UNKNOWN

cdef inline bint read_request_line(Head* head, const char* line, const char* end) noexcept nogil:
    cdef const char* space = <const char*>memchr(line, 32, end - line)
    cdef const char* stop
    cdef const char* query
    if space == NULL:
        return False
    head.get = is_name(line, space - line, b"GET")
    head.post = is_name(line, space - line, b"POST")
    stop = <const char*>memchr(space + 1, 32, end - space - 1)
    if stop == NULL or end - stop != 9 or strncasecmp(stop + 1, b"HTTP/1.", 7) != 0:
        return False
    head.http_1_0 = stop[8] == 48
    head.close = head.http_1_0 or not (head.get or head.post)     # a HEAD must not be answered with a body
    query = <const char*>memchr(space + 1, 63, stop - space - 1)
    head.route = route_of(space + 1, (stop if query == NULL else query) - space - 1)
    return True

cdef inline bint read_head(Head* head, const char* data, size_t length) noexcept nogil:
    """Reads a head without its empty line; False where it is not HTTP."""
    cdef const char* end = data + length
    cdef const char* line = data
    cdef const char* stop
    cdef const char* colon
    cdef Text value
    memset(head, 0, sizeof(Head))
    head.body_length = -1
    head.client_request = -1
    while line < end:
        stop = <const char*>memmem(line, end - line, b"\r\n", 2)
        if stop == NULL:
            stop = end
        if line == data:
            if not read_request_line(head, line, stop):
                return False
        else:
            colon = <const char*>memchr(line, 58, stop - line)
            if colon == NULL:
                return False
            value.data = colon + 1
            value.length = stop - colon - 1
            while value.length > 0 and (value.data[0] == 32 or value.data[0] == 9):
                value.data += 1
                value.length -= 1
            while value.length > 0 and (value.data[value.length - 1] == 32 or value.data[value.length - 1] == 9):
                value.length -= 1
            read_header(head, line, colon - line, value)
        line = stop + 2
    return line > data and head.body_length != -2

cdef inline int64_t hex_number(const char* data, const char* end) noexcept nogil:
    """The size of a chunk; -1 where it is none."""
    cdef int64_t number = 0
    cdef const char* at = data
    cdef int digit
    while at < end and at[0] != 59 and at[0] != 32:
        if 48 <= at[0] <= 57: digit = at[0] - 48
        elif 97 <= (at[0] | 32) <= 102: digit = (at[0] | 32) - 87
        else: return -1
        number = number * 16 + digit
        if number > MAX_BODY:
            return -1
        at += 1
    return number if at > data else -1

cdef inline int join_chunks(Conn* conn) noexcept nogil:
    """Joins uploaded chunks behind `body_at`: 1 when the last has come, 0 until then, -1 where they are malformed."""
    cdef Buffer* input = &conn.input
    cdef const char* line
    cdef const char* stop
    cdef int64_t size
    while True:
        line = input.data + conn.raw_at
        stop = <const char*>memmem(line, input.used - conn.raw_at, b"\r\n", 2)
        if stop == NULL:
            return -1 if input.used - conn.raw_at > 4096 else 0
        size = hex_number(line, stop)
        if size < 0 or conn.body_end + size - conn.body_at > MAX_BODY:
            return -1
        if size == 0:
            return end_of_trailers(conn, stop + 2)
        if stop + 2 + size + 2 > input.data + input.used:
            return 0
        memmove(input.data + conn.body_end, stop + 2, size)
        conn.body_end += size
        conn.raw_at = stop + 2 + size + 2 - input.data

cdef inline int end_of_trailers(Conn* conn, const char* line) noexcept nogil:
    """Trailers are skipped; 1 when their empty line has come, and `raw_at` is behind it."""
    cdef const char* end = conn.input.data + conn.input.used
    cdef const char* stop
    while True:
        stop = <const char*>memmem(line, end - line, b"\r\n", 2)
        if stop == NULL:
            return 0
        if stop == line:
            conn.raw_at = stop + 2 - conn.input.data
            return 1
        line = stop + 2
