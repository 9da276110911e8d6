"""JSON paths, compiled to an automaton, matched against a document in one validating walk over its bytes.

A path is parts with dots between them: `choices.0.delta.content`. A part names an object's member, a number also an
array's element of that index, `*` every member or element; `\\.`, `\\*` and `\\\\` stand for the character itself.
The walk keeps one level per open container and no recursion. A value that no path leads to has no state and is only
validated (RFC 8259; UTF-8 is taken as it comes).
"""

from libc.stdint cimport INT32_MAX, int32_t, int64_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memcmp, memcpy, memset

from perfcore_ext.jsontext cimport (
    decode_escape, escaped_end, fail, is_digit, is_space, number_end, plain_end, skip_space, string_end, unit_at,
    word_end,
)
from perfcore_ext.sse cimport (
    PARSER_OK, EventParser, parser_feed, parser_finish, parser_free, parser_init,
)

from collections.abc import Sequence

from perfcore_ext.automaton import array_index, compile_paths
from perfcore_ext.sse import FRAMINGS

cdef enum:
    MEMO_BYTES = 4096                 # longer documents are not remembered

cdef struct Level:                    # a container that the walk is in
    const char* start
    State* state
    int32_t index                     # of the array's element under the walk
    char closing                      # the bracket that ends it


# --- states ---

cdef inline uint64_t head_of(const char* key, size_t n, const char* end) noexcept nogil:
    """Eight bytes from `key` on, of which those past the key do not count; zeros where the document ends."""
    cdef uint64_t head = 0
    if end - key >= 8:
        memcpy(&head, key, 8)
    else:
        memcpy(&head, key, end - key)
    return head


cdef inline State* member_state(State* state, const char* key, size_t n, const char* end) noexcept nogil:
    cdef uint64_t head
    cdef Edge* edge
    if not state.lengths >> min(n, <size_t>63) & 1:
        return state.other
    head = head_of(key, n, end)
    edge = state.edge
    while edge != state.last:
        if edge.length == n and (edge.head ^ head) & edge.mask == 0:
            if n <= 8 or memcmp(edge.key + 8, key + 8, n - 8) == 0:
                return edge.next
        edge += 1
    return state.other


cdef State* escaped_member_state(State* state, const char* key, const char* end) noexcept nogil:
    cdef Edge* edge = state.edge
    while edge != state.last:
        if spells(key, end, edge.key, edge.key + edge.length):
            return edge.next
        edge += 1
    return state.other


cdef inline State* element_state(State* state, int32_t index) noexcept nogil:
    cdef Edge* edge
    if state == NULL:
        return NULL
    edge = state.edge
    while edge != state.last:
        if edge.index == index:
            return edge.next
        edge += 1
    return state.other


cdef bint spells(const char* escaped, const char* end, const char* key, const char* key_end) noexcept nogil:
    """Whether a valid escaped string body stands for the UTF-8 of `key`."""
    cdef char decoded[4]
    cdef size_t n
    while escaped < end:
        decoded[0] = escaped[0]
        n = 1
        if escaped[0] == c"\\":
            escaped = decode_escape(escaped, end, decoded, &n)
        else:
            escaped += 1
        if <size_t>(key_end - key) < n or n == 0 or memcmp(decoded, key, n) != 0:
            return False
        key += n
    return key == key_end


# --- the walk ---

cdef bint report(Matcher* m, State* state, ValueType type, const char* start, const char* end) noexcept nogil:
    """Note a match for each path that ends in `state`; false if there is no memory."""
    cdef Match* grown
    cdef int i, capacity
    if m.count + state.leaves > m.capacity:
        capacity = max(2 * m.capacity, m.count + state.leaves)
        grown = <Match*>realloc(m.matches, capacity * sizeof(Match))
        if grown == NULL:
            return False
        m.matches = grown
        m.capacity = capacity
    for i in range(state.leaves):
        m.matches[m.count] = Match(state.leaf[i], type, start, end - start)
        m.count += 1
    return True


cdef inline bint wanted(State* state) noexcept nogil:
    return state != NULL and state.leaves > 0


cdef inline const char* scalar(Matcher* m, const char* p, const char* end, State* state) noexcept nogil:
    """Read a value that is no container; NULL without error_at means that there was no memory to report it."""
    cdef const char* start = p
    cdef const char* stop
    cdef ValueType type
    if p == end:
        return fail(&m.error_at, p)
    if p[0] == c'"':
        type = VALUE_STRING
        start = p + 1
        stop = string_end(&m.error_at, start, end)
        p = stop + 1
    else:
        if p[0] == c"n":
            type = VALUE_NULL
            stop = word_end(&m.error_at, p, end, b"null", 4)
        elif p[0] == c"t":
            type = VALUE_TRUE
            stop = word_end(&m.error_at, p, end, b"true", 4)
        elif p[0] == c"f":
            type = VALUE_FALSE
            stop = word_end(&m.error_at, p, end, b"false", 5)
        else:
            type = VALUE_NUMBER
            stop = number_end(&m.error_at, p, end)
        p = stop
    if stop == NULL or (wanted(state) and not report(m, state, type, start, stop)):
        return NULL
    return p


cdef inline const char* member(Matcher* m, const char* p, const char* end, State* parent, State** state) noexcept nogil:
    """Read a key and its colon: returns where the value starts, whose state goes to `state`."""
    cdef const char* key = p + 1
    if p == end or p[0] != c'"':
        return fail(&m.error_at, p)
    p = plain_end(key, end)
    if p != end and p[0] == c'"':
        state[0] = member_state(parent, key, p - key, end) if parent != NULL else NULL
    else:
        p = escaped_end(&m.error_at, p, end)
        if p == NULL:
            return NULL
        state[0] = escaped_member_state(parent, key, p) if parent != NULL else NULL
    if end - p > 2 and p[1] == c":" and not is_space(p[2]):
        return p + 2
    p = skip_space(p + 1, end)
    if p == end or p[0] != c":":
        return fail(&m.error_at, p)
    return skip_space(p + 1, end)


cdef int json_match(Matcher* m, const char* data, size_t n) noexcept nogil:
    cdef int result
    if recall(m, data, n):
        return JSON_OK
    result = walk(m, data, n)
    m.memo.length = 0
    if result == JSON_OK and n <= MEMO_BYTES:
        remember(m, data, n)
    return result


cdef int walk(Matcher* m, const char* data, size_t n) noexcept nogil:
    cdef Level levels[JSON_DEPTH + 1]
    cdef Level* level = levels        # the innermost open container; levels[0] is around the document
    cdef const char* end = data + n
    cdef const char* p = skip_space(data, end)
    cdef State* state = m.states      # of the value at p
    m.count = 0
    m.error_at = NULL
    level.closing = 0
    while True:
        if level.closing == c"}":
            p = member(m, p, end, level.state, &state)
            if p == NULL:
                return JSON_MALFORMED
        if p < end and (p[0] == c"{" or p[0] == c"["):
            if level == levels + JSON_DEPTH:
                fail(&m.error_at, p)
                return JSON_TOO_DEEP
            level += 1
            level[0] = Level(p, state, 0, c"}" if p[0] == c"{" else c"]")
            p = skip_space(p + 1, end)
            if p == end or p[0] != level.closing:
                if level.closing == c"]":
                    state = element_state(level.state, 0)
                continue
        else:
            p = scalar(m, p, end, state)
            if p == NULL:
                return JSON_MALFORMED if m.error_at != NULL else JSON_NO_MEMORY
        # What stands at p comes after a value, or ends an empty container.
        if p == end or p[0] != c",":
            p = skip_space(p, end)
            while level != levels and p != end and p[0] == level.closing:
                p += 1
                if wanted(level.state):
                    if not report(m, level.state, container_type(level), level.start, p):
                        return JSON_NO_MEMORY
                level -= 1
                p = skip_space(p, end)
        if level == levels and p == end:
            return JSON_OK
        if level == levels or p == end or p[0] != c",":
            fail(&m.error_at, p)
            return JSON_MALFORMED
        p = skip_space(p + 1, end)
        if level.closing == c"]":
            level.index += level.index < INT32_MAX
            state = element_state(level.state, level.index)


# --- the memo ---
#
# The events of a stream differ in one string: the token. Where all bytes before and after it are those of the document
# before, and it is a string again, the document is valid for the same reason and has the same matches, moved by what
# the string has grown. That is told by two comparisons and a look at the string, several times faster than the walk.

cdef bint recall(Matcher* m, const char* data, size_t n) noexcept nogil:
    """Match a document that differs from the last one in one matched string at most; false if it does otherwise."""
    cdef Memo* memo = &m.memo
    cdef size_t rest = memo.length - memo.hole_end
    cdef const char* error_at
    cdef const char* stop
    cdef int i
    if memo.length == 0 or n < memo.hole + rest or memcmp(data, memo.bytes, memo.hole) != 0:
        return False
    stop = data + n - rest
    if memcmp(stop, memo.bytes + memo.hole_end, rest) != 0:
        return False
    if string_end(&error_at, data + memo.hole, data + n) != stop:
        return False
    m.error_at = NULL
    m.count = memo.count
    for i in range(memo.count):
        m.matches[i] = memo.matches[i]
        if memo.matches[i].start == memo.bytes + memo.hole:
            m.matches[i].start = data + memo.hole
            m.matches[i].length = stop - m.matches[i].start
        elif memo.matches[i].start < memo.bytes + memo.hole:
            m.matches[i].start = data + (memo.matches[i].start - memo.bytes)
        else:
            m.matches[i].start = stop + (memo.matches[i].start - (memo.bytes + memo.hole_end))
    return True


cdef void remember(Matcher* m, const char* data, size_t n) noexcept nogil:
    """Keep a document with a string to differ in: the last one matched, unless a match lies around it."""
    cdef Memo* memo = &m.memo
    cdef const Match* hole = NULL
    cdef Match* grown
    cdef int i
    for i in range(m.count):
        if m.matches[i].type == VALUE_STRING:
            hole = &m.matches[i]
    if hole == NULL:
        return
    for i in range(m.count):
        if m.matches[i].start < hole.start and m.matches[i].start + m.matches[i].length > hole.start:
            return
    if memo.bytes == NULL:
        memo.bytes = <char*>malloc(MEMO_BYTES)
    if memo.capacity < m.count:
        grown = <Match*>realloc(memo.matches, m.capacity * sizeof(Match))
        if grown == NULL:
            return
        memo.matches = grown
        memo.capacity = m.capacity
    if memo.bytes == NULL:
        return
    memcpy(memo.bytes, data, n)
    for i in range(m.count):
        memo.matches[i] = m.matches[i]
        memo.matches[i].start = memo.bytes + (m.matches[i].start - data)
    memo.count = m.count
    memo.hole = hole.start - data
    memo.hole_end = memo.hole + hole.length
    memo.length = n


cdef inline ValueType container_type(Level* level) noexcept nogil:
    return VALUE_OBJECT if level.closing == c"}" else VALUE_ARRAY


# --- what the values say ---

cdef uint32_t count_chars(const char* escaped, size_t n) noexcept nogil:
    cdef const char* p = escaped
    cdef const char* end = escaped + n
    cdef uint32_t chars = 0
    while p < end:
        if p[0] != c"\\":
            chars += (p[0] & 0xC0) != 0x80
            p += 1
        elif end - p >= 6 and p[1] == c"u":
            chars += not 0xDC00 <= unit_at(p, end) < 0xE000
            p += 6
        else:
            chars += 1
            p += 2
    return chars


cdef int64_t parse_integer(const char* number, size_t n) noexcept nogil:
    cdef int64_t value = 0
    cdef size_t i = 0
    while i < n and is_digit(number[i]):
        if value > (<int64_t>0x7FFFFFFFFFFFFFFF - (number[i] - c"0")) // 10:
            return -1
        value = 10 * value + (number[i] - c"0")
        i += 1
    if i == 0:
        return -1
    if i < n and number[i] == c"." and i + 1 < n:
        i += 1
        while i < n and number[i] == c"0":
            i += 1
    return value if i == n else -1


# --- the door for Python ---

TYPES = ("string", "number", "true", "false", "null", "object", "array")


class MalformedJSON(ValueError):
    """Not JSON by RFC 8259, or nested too deep; `position` is the byte, `matches` what was complete before it."""

    def __init__(self, reason: str, position: int, matches: list[tuple[int, str, bytes]]) -> None:
        super().__init__(f"{reason} at byte {position}")
        self.position = position
        self.matches = matches


cdef struct Scan:
    Matcher* matcher
    Py_ssize_t events
    Py_ssize_t matches
    Py_ssize_t malformed


cdef int scan_event(
    void* context, const char* data, size_t length, const char* name, size_t name_length
) noexcept nogil:
    cdef Scan* scan = <Scan*>context
    cdef int rc = json_match(scan.matcher, data, length)
    scan.events += 1
    scan.matches += scan.matcher.count
    scan.malformed += rc != JSON_OK
    return rc == JSON_NO_MEMORY


cdef class PathSet:
    """Paths to be found together in a document; one that is given twice, or meets another, is reported for each.

    Raises ValueError for a path with an empty part or an unknown escape.
    """

    def __cinit__(self, paths: Sequence[str]) -> None:
        self.paths = tuple(paths)
        fill(&self.matcher, compile_paths(self.paths))

    def __dealloc__(self) -> None:
        free(self.matcher.states)
        free(self.matcher.edges)
        free(self.matcher.leaves)
        free(self.matcher.keys)
        free(self.matcher.matches)
        free(self.matcher.memo.bytes)
        free(self.matcher.memo.matches)

    def match(self, data: bytes) -> list[tuple[int, str, bytes]]:
        """Return (number of the path, type, raw bytes) of each match, inner values before the ones around them.

        A string's bytes are those between its quotes, still escaped. Raises MalformedJSON.
        """
        cdef Matcher* m = &self.matcher
        cdef int rc = json_match(m, data, len(data))
        found = [(m.matches[i].path, TYPES[m.matches[i].type], m.matches[i].start[:m.matches[i].length])
                 for i in range(m.count)]
        if rc == JSON_NO_MEMORY:
            raise MemoryError
        if rc != JSON_OK:
            reason = "nested too deep" if rc == JSON_TOO_DEEP else "malformed JSON"
            raise MalformedJSON(reason, m.error_at - <const char*>data, found)
        return found

    def count(self, documents: Sequence[bytes]) -> int:
        """Match each document; return the number of matches in all, those before a document's error included."""
        cdef Py_ssize_t matches = 0
        cdef bytes document
        for document in documents:
            if json_match(&self.matcher, document, len(document)) == JSON_NO_MEMORY:
                raise MemoryError
            matches += self.matcher.count
        return matches

    def scan(self, body: bytes, framing: str = "sse") -> tuple[int, int, int]:
        """Match each event of a whole body; return the numbers of events, of matches and of malformed events."""
        cdef EventParser parser
        cdef Scan scan = Scan(&self.matcher, 0, 0, 0)
        cdef int rc
        parser_init(&parser, FRAMINGS[framing], max(len(body), 1))
        rc = parser_feed(&parser, body, len(body), scan_event, &scan)
        if rc == PARSER_OK:
            rc = parser_finish(&parser, scan_event, &scan)
        parser_free(&parser)
        if rc != PARSER_OK:
            raise MemoryError
        return scan.events, scan.matches, scan.malformed


def chars(escaped: bytes) -> int:
    """Code points of an escaped JSON string body; the escape of a low surrogate counts none."""
    return count_chars(escaped, len(escaped))


def integer(number: bytes) -> int:
    """The non-negative integer that a JSON number spells, else -1."""
    return parse_integer(number, len(number))


cdef State* state_of(Matcher* m, int number) noexcept:
    return m.states + number if number >= 0 else NULL


cdef int fill(Matcher* m, list automaton) except -1:
    """Lay the automaton out in the matcher's arrays."""
    cdef int state = 0, edge = 0, leaf = 0
    cdef size_t at = 0
    keys = b"".join(key for edges, _, _ in automaton for key, _ in edges)
    m.states = <State*>calloc(len(automaton), sizeof(State))
    m.edges = <Edge*>calloc(sum(len(edges) for edges, _, _ in automaton) + 1, sizeof(Edge))
    m.leaves = <int32_t*>calloc(sum(len(leaves) for _, _, leaves in automaton) + 1, sizeof(int32_t))
    m.keys = <char*>calloc(len(keys) + 1, 1)
    if m.states == NULL or m.edges == NULL or m.leaves == NULL or m.keys == NULL:
        raise MemoryError
    memcpy(m.keys, <const char*>keys, len(keys))
    for edges, other, leaves in automaton:
        m.states[state] = State(
            0, m.edges + edge, m.edges + edge + len(edges), state_of(m, other),
            m.leaves + leaf, len(leaves))
        for key, target in edges:
            m.states[state].lengths |= <uint64_t>1 << min(len(key), 63)
            m.edges[edge] = Edge(0, 0, m.keys + at, len(key), array_index(key), state_of(m, target))
            memcpy(&m.edges[edge].head, m.keys + at, min(len(key), 8))
            memset(&m.edges[edge].mask, 0xFF, min(len(key), 8))
            at += len(key)
            edge += 1
        for path in leaves:
            m.leaves[leaf] = path
            leaf += 1
        state += 1
    return 0
