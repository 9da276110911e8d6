"""A prefix cache as inference servers have one: blocks of prompts that were seen, each known by all that is before it."""

from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint64_t

from perfcore_ext.simtypes cimport *

cdef enum:
    BLOCK_TOKENS = 16
    BLOCK_BYTES = 64                  # of a prompt's JSON: a token is four characters
    WAYS = 8                          # blocks that compete for a place; the one that was unused for longest goes

cdef inline bint seen_before(Server* server, uint64_t hash) noexcept nogil:
    """Whether a block is in the cache; it is afterwards."""
    cdef CacheEntry* entry = server.cache + (hash >> 24) % server.cache_sets * WAYS
    cdef CacheEntry* oldest = entry
    cdef int i
    server.cache_clock += 1
    for i in range(WAYS):
        if entry[i].used and entry[i].hash == hash:
            entry[i].used = server.cache_clock
            return True
        if entry[i].used < oldest.used:
            oldest = &entry[i]
    oldest.hash = hash
    oldest.used = server.cache_clock
    return False

cdef inline int64_t cached_tokens(Server* server, const char* prompt, size_t length, int64_t tokens) noexcept nogil:
    """How many of a prompt's tokens are in the cache: those of its leading blocks that are, never its last token.

    The prompt's blocks are in the cache afterwards.
    """
    cdef uint64_t hash = 0xCBF29CE484222325ULL
    cdef size_t block, i
    cdef int64_t hits = 0
    cdef bint leading = True
    for block in range(length // BLOCK_BYTES):
        for i in range(BLOCK_BYTES):
            hash = (hash ^ <unsigned char>prompt[block * BLOCK_BYTES + i]) * 0x100000001B3ULL
        leading = seen_before(server, hash) and leading
        hits += leading
    if hits == 0 or tokens < 2:
        return 0
    hits = <int64_t>(<double>hits * BLOCK_BYTES / length * tokens)
    return min(hits, tokens - 1) // BLOCK_TOKENS * BLOCK_TOKENS
