"""Events cut from a body while it arrives, by the WHATWG rules for server-sent events, or from lines of JSON.

An event that lies whole in one feed, with a single line of data, is handed over where it lies. Only what a feed cuts,
or what several data lines make up, is copied. Comments and unknown fields are never kept.
"""

from libc.stdint cimport uint8_t
from libc.stdlib cimport free, realloc
from libc.string cimport memchr, memcmp, memcpy

cdef enum:
    FIRST_BUFFER = 1024
    KEPT_BUFFER = 1 << 20
    LONGEST_PREFIX = 7                # "event: "; enough of a line to tell its field and where its value starts

cdef enum Field:
    FIELD_FRESH                       # the line has not begun
    FIELD_HELD                        # too short to tell, held in `prefix`
    FIELD_DATA
    FIELD_NAME
    FIELD_COMMENT
    FIELD_IGNORED

cdef const char* BYTE_ORDER_MARK = "\xef\xbb\xbf"


cdef void parser_init(EventParser* p, Framing framing, size_t limit) noexcept nogil:
    p.limit = limit
    p.data.buffer = p.name.buffer = NULL
    p.data.capacity = p.name.capacity = 0
    parser_reset(p, framing)


cdef void parser_reset(EventParser* p, Framing framing) noexcept nogil:
    p.framing = framing
    p.unfinished = 0
    p.stopped = PARSER_OK
    p.field = FIELD_FRESH
    p.held = p.after_cr = p.mark = 0
    p.line = 0
    clear_event(p)
    if p.data.capacity > KEPT_BUFFER:
        release(&p.data)
    if p.name.capacity > KEPT_BUFFER:
        release(&p.name)


cdef void parser_free(EventParser* p) noexcept nogil:
    release(&p.data)
    release(&p.name)


cdef int parser_feed(EventParser* p, const char* bytes, size_t n, EventHandler on_event, void* context) noexcept nogil:
    if p.stopped == PARSER_OK and n:
        if p.framing == FRAMING_SSE:
            p.stopped = feed_sse(p, bytes, bytes + n, on_event, context)
        elif p.framing == FRAMING_NDJSON:
            p.stopped = feed_lines(p, bytes, bytes + n, on_event, context)
        else:
            p.stopped = add(p, &p.data, bytes, n)
    return p.stopped


cdef int parser_finish(EventParser* p, EventHandler on_event, void* context) noexcept nogil:
    if p.stopped != PARSER_OK:
        return p.stopped
    if p.framing == FRAMING_SSE:
        p.unfinished = p.pending + p.mark % 3    # a byte order mark cut short is a line, too
        if p.field != FIELD_COMMENT and not (p.field == FIELD_HELD and p.prefix[0] == c":"):
            p.unfinished += p.line
    elif p.framing == FRAMING_NDJSON:
        p.stopped = emit_line(p, p.data.start, p.data.length, on_event, context)
    elif p.data.length:
        p.stopped = emit(p, on_event, context)
    return p.stopped


# --- pieces ---

cdef inline void clear_event(EventParser* p) noexcept nogil:
    p.data.start = p.data.buffer
    p.name.start = p.name.buffer
    p.data.length = p.name.length = 0
    p.pending = 0
    p.has_data = False


cdef void release(Piece* piece) noexcept nogil:
    free(piece.buffer)
    piece.start = piece.buffer = NULL
    piece.length = piece.capacity = 0


cdef int reserve(Piece* piece, size_t length, size_t limit) noexcept nogil:
    """Make room for `length` bytes, which the caller has found to be within `limit`."""
    cdef size_t capacity = max(<size_t>FIRST_BUFFER, 2 * piece.capacity)
    cdef char* buffer
    if length <= piece.capacity:
        return PARSER_OK
    capacity = min(max(capacity, length), limit)
    buffer = <char*>realloc(piece.buffer, capacity)
    if buffer == NULL:
        return PARSER_NO_MEMORY
    if piece.start == piece.buffer:
        piece.start = buffer
    piece.buffer = buffer
    piece.capacity = capacity
    return PARSER_OK


cdef int keep(EventParser* p, Piece* piece) noexcept nogil:
    """Move a piece that lies in the bytes being fed into its own buffer."""
    cdef int rc
    if piece.start == piece.buffer or piece.length == 0:
        piece.start = piece.buffer
        return PARSER_OK
    rc = reserve(piece, piece.length, p.limit)
    if rc == PARSER_OK:
        memcpy(piece.buffer, piece.start, piece.length)
        piece.start = piece.buffer
    return rc


cdef int add(EventParser* p, Piece* piece, const char* bytes, size_t n) noexcept nogil:
    cdef int rc = keep(p, piece)
    if rc != PARSER_OK or n == 0:
        return rc
    if n > p.limit or p.data.length + p.name.length > p.limit - n:
        return PARSER_TOO_LARGE
    rc = reserve(piece, piece.length + n, p.limit)
    if rc == PARSER_OK:
        memcpy(piece.buffer + piece.length, bytes, n)
        piece.length += n
    return rc


cdef inline int emit(EventParser* p, EventHandler on_event, void* context) noexcept nogil:
    cdef int rc = on_event(context, p.data.start, p.data.length, p.name.start, p.name.length)
    clear_event(p)
    return rc


# --- server-sent events ---

cdef int feed_sse(
    EventParser* p, const char* at, const char* end, EventHandler on_event, void* context
) noexcept nogil:
    # Every byte is searched once for each line end: a next one that was found stays good until it is passed.
    cdef const char* lf = NULL
    cdef const char* cr = find(at, end, c"\r")
    cdef const char* stop
    cdef int rc
    if p.mark < 3:
        at = skip_mark(p, at, end)
    while at < end:
        if p.after_cr:
            p.after_cr = False
            if at[0] == c"\n":
                at += 1
                continue
        if cr < at:
            cr = find(at, end, c"\r")
        if lf < at:
            lf = find(at, end, c"\n")
        stop = min(lf, cr)
        if p.field != FIELD_FRESH or stop == end:
            rc = add_to_line(p, at, stop - at)
            if rc == PARSER_OK and stop != end:
                rc = end_line(p, on_event, context)
        elif stop == at:
            rc = end_event(p, on_event, context)
        else:
            rc = take_line(p, at, stop - at)
        if rc != PARSER_OK:
            return rc
        p.after_cr = stop == cr and stop != end
        at = stop + 1
    rc = keep(p, &p.data)
    return keep(p, &p.name) if rc == PARSER_OK else rc


cdef inline const char* find(const char* at, const char* end, char wanted) noexcept nogil:
    cdef const char* found = <const char*>memchr(at, wanted, end - at)
    return end if found == NULL else found


cdef const char* skip_mark(EventParser* p, const char* at, const char* end) noexcept nogil:
    cdef uint8_t seen
    while at < end and p.mark < 3:
        if at[0] != BYTE_ORDER_MARK[p.mark]:
            seen = p.mark
            p.mark = 3
            add_to_line(p, BYTE_ORDER_MARK, seen)
            break
        p.mark += 1
        at += 1
    return at


cdef inline Field field_of(const char* line, size_t n, size_t* value) noexcept nogil:
    """The field of a line that is not empty; `value` gets the offset at which its value starts."""
    cdef size_t name
    cdef Field field
    if n >= 4 and memcmp(line, b"data", 4) == 0:
        name, field = 4, FIELD_DATA
    elif n >= 5 and memcmp(line, b"event", 5) == 0:
        name, field = 5, FIELD_NAME
    else:
        return FIELD_COMMENT if line[0] == c":" else FIELD_IGNORED
    if n == name:
        value[0] = name
    elif line[name] == c":":
        value[0] = name + 2 if n > name + 1 and line[name + 1] == c" " else name + 1
    else:
        return FIELD_IGNORED
    return field


cdef inline int take_line(EventParser* p, const char* line, size_t n) noexcept nogil:
    """A whole line inside one feed."""
    cdef size_t value = 0
    cdef Field field = field_of(line, n, &value)
    if n > p.limit:
        return PARSER_TOO_LARGE
    if field == FIELD_COMMENT:
        return PARSER_OK
    p.pending += n
    if field == FIELD_DATA:
        if p.has_data:
            return add_data_line(p, line + value, n - value)
        p.has_data = True
        p.data.start = line + value
        p.data.length = n - value
    elif field == FIELD_NAME:
        p.name.start = line + value
        p.name.length = n - value
    return PARSER_OK if p.data.length + p.name.length <= p.limit else PARSER_TOO_LARGE


cdef int add_data_line(EventParser* p, const char* value, size_t n) noexcept nogil:
    cdef int rc = PARSER_OK
    if p.has_data:
        rc = add(p, &p.data, b"\n", 1)
    p.has_data = True
    return add(p, &p.data, value, n) if rc == PARSER_OK else rc


cdef int add_to_line(EventParser* p, const char* bytes, size_t n) noexcept nogil:
    """More of a line that does not lie whole in one feed."""
    cdef size_t taken
    cdef int rc = PARSER_OK
    if n > p.limit - p.line:
        return PARSER_TOO_LARGE
    p.line += n
    if n and p.field <= FIELD_HELD:
        taken = min(n, <size_t>(LONGEST_PREFIX - p.held))
        memcpy(p.prefix + p.held, bytes, taken)
        p.held += taken
        bytes += taken
        n -= taken
        p.field = FIELD_HELD
        if p.held == LONGEST_PREFIX:
            rc = begin_value(p)
    if rc == PARSER_OK and p.field == FIELD_DATA:
        rc = add(p, &p.data, bytes, n)
    elif rc == PARSER_OK and p.field == FIELD_NAME:
        rc = add(p, &p.name, bytes, n)
    return rc


cdef int begin_value(EventParser* p) noexcept nogil:
    """Tell the field from what is held of the line, and pass on what its value has so far."""
    cdef size_t value = 0
    cdef size_t held = p.held
    p.held = 0
    p.field = field_of(p.prefix, held, &value)
    if p.field == FIELD_DATA:
        return add_data_line(p, p.prefix + value, held - value)
    if p.field == FIELD_NAME:
        p.name.start = p.name.buffer
        p.name.length = 0
        return add(p, &p.name, p.prefix + value, held - value)
    return PARSER_OK


cdef int end_line(EventParser* p, EventHandler on_event, void* context) noexcept nogil:
    cdef int rc = PARSER_OK
    if p.field == FIELD_HELD:
        rc = begin_value(p)
    if p.field != FIELD_COMMENT:
        p.pending += p.line
    p.line = 0
    p.field = FIELD_FRESH
    return rc


cdef inline int end_event(EventParser* p, EventHandler on_event, void* context) noexcept nogil:
    if p.has_data:
        return emit(p, on_event, context)
    clear_event(p)
    return PARSER_OK


# --- lines of JSON ---

cdef int feed_lines(
    EventParser* p, const char* at, const char* end, EventHandler on_event, void* context
) noexcept nogil:
    cdef const char* stop
    cdef int rc
    while at < end:
        stop = <const char*>memchr(at, c"\n", end - at)
        if stop == NULL:
            return add(p, &p.data, at, end - at)
        if p.data.length:
            rc = add(p, &p.data, at, stop - at)
            if rc == PARSER_OK:
                rc = emit_line(p, p.data.start, p.data.length, on_event, context)
        else:
            rc = emit_line(p, at, stop - at, on_event, context)
        if rc != PARSER_OK:
            return rc
        at = stop + 1
    return PARSER_OK


cdef int emit_line(
    EventParser* p, const char* line, size_t n, EventHandler on_event, void* context
) noexcept nogil:
    cdef size_t blank = 0
    if n > p.limit:
        return PARSER_TOO_LARGE
    if n and line[n - 1] == c"\r":
        n -= 1
    while blank < n and (line[blank] == c" " or line[blank] == c"\t" or line[blank] == c"\r"):
        blank += 1
    p.data.start = line
    p.data.length = n
    if blank < n:
        return emit(p, on_event, context)
    clear_event(p)
    return PARSER_OK


# --- the door for Python ---

FRAMINGS = {"sse": FRAMING_SSE, "ndjson": FRAMING_NDJSON, "json": FRAMING_JSON}


class TooLarge(ValueError):
    """A line or an event is larger than the reader's limit."""


cdef int tally(void* context, const char* data, size_t length, const char* name, size_t name_length) noexcept nogil:
    (<Py_ssize_t*>context)[0] += 1
    return 0


cdef int collect(
    void* context, const char* data, size_t length, const char* name, size_t name_length
) noexcept with gil:
    try:
        (<list>context).append((data[:length], name[:name_length] if name_length else b""))
    except MemoryError:
        return 1
    return 0


cdef class EventReader:
    """Cuts a body, fed in any portions, into events.

    `framing` is "sse", "ndjson" or "json"; `limit` is in bytes, of a line and of the data and name of an event.
    Every method that takes bytes raises TooLarge past the limit, and again until the end of the reader's life.
    """
    cdef EventParser parser

    def __cinit__(self, framing: str = "sse", limit: int = 64 << 20) -> None:
        if framing not in FRAMINGS or limit < 1:
            raise ValueError(f"framing {framing!r} is none of {', '.join(FRAMINGS)}, or limit {limit} is below 1")
        parser_init(&self.parser, FRAMINGS[framing], limit)

    def __dealloc__(self) -> None:
        parser_free(&self.parser)

    def feed(self, data: bytes) -> list[tuple[bytes, bytes]]:
        """Return (data, event name) of each event that `data` completes."""
        events = []
        check(parser_feed(&self.parser, data, len(data), <EventHandler>collect, <void*>events))
        return events

    def finish(self) -> list[tuple[bytes, bytes]]:
        """End the body; return the event that only its end completes, if there is one."""
        events = []
        check(parser_finish(&self.parser, <EventHandler>collect, <void*>events))
        return events

    def count(self, data: bytes) -> int:
        """Feed `data`; return the number of events that it completes, without building them."""
        cdef Py_ssize_t events = 0
        check(parser_feed(&self.parser, data, len(data), tally, &events))
        return events

    @property
    def unfinished(self) -> int:
        """After finish(): bytes of an SSE event that the end of the body cut off, comments aside."""
        return self.parser.unfinished


cdef int check(int rc) except -1:
    if rc == PARSER_TOO_LARGE:
        raise TooLarge("an event or a line of the body is larger than the limit")
    if rc != PARSER_OK:
        raise MemoryError
    return 0
