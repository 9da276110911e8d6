"""JSON paths matched against one document in a single validating walk over its bytes."""

from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t

cdef enum:
    JSON_OK = 0
    JSON_MALFORMED = -1
    JSON_TOO_DEEP = -2
    JSON_NO_MEMORY = -3

cdef enum:
    JSON_DEPTH = 128                  # containers inside each other; one more is JSON_TOO_DEEP

cdef enum ValueType:
    VALUE_STRING
    VALUE_NUMBER
    VALUE_TRUE
    VALUE_FALSE
    VALUE_NULL
    VALUE_OBJECT
    VALUE_ARRAY

cdef struct Match:
    int path                          # number of the path in the order given
    ValueType type
    const char* start                 # a string's inside, still escaped; of any other value its bytes
    size_t length

# The paths as an automaton: the value under the walk is in exactly one state, or in none (NULL) and only validated.
cdef struct State:
    uint64_t lengths                  # bit n: an edge has a key of n bytes (bit 63: of 63 or more)
    Edge* edge
    Edge* last                        # one past the last edge
    State* other                      # of a member that no edge names (`*`)
    const int32_t* leaf               # numbers of the paths that end here
    int32_t leaves

cdef struct Edge:
    uint64_t head                     # first eight bytes of the key, zero-padded
    uint64_t mask                     # all ones over the bytes of `head` that the key has
    const char* key
    uint32_t length
    int32_t index                     # the array index that the key spells, -1 if it is none
    State* next                       # of the member

# The last document, to tell at a glance that the next one differs from it in one string only: see paths.pyx.
cdef struct Memo:
    char* bytes
    size_t length                     # 0: none
    size_t hole                       # where that string starts, and where its closing quote is
    size_t hole_end
    Match* matches
    int count
    int capacity

cdef struct Matcher:
    State* states
    Edge* edges
    int32_t* leaves
    char* keys
    Match* matches                    # of the last document, in the order in which the values end: inner before outer
    int count
    int capacity
    const char* error_at              # where the last document went wrong, NULL if it did not
    Memo memo

cdef class PathSet:
    cdef Matcher matcher
    cdef readonly tuple paths

# Fills matches and count. After an error count holds what was complete before error_at. Never reads past data + n.
cdef int json_match(Matcher* m, const char* data, size_t n) noexcept nogil
# Code points of an escaped string body: an escape counts 1, that of a low surrogate 0, so a pair counts 1 wherever cut.
cdef uint32_t count_chars(const char* escaped, size_t n) noexcept nogil
# The non-negative integer that these bytes spell ("12", also "12.0"), else -1.
cdef int64_t parse_integer(const char* number, size_t n) noexcept nogil
