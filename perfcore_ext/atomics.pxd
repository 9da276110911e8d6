"""Atomic access to 64-bit words in memory that several processes map."""

from libc.stdint cimport int64_t

cdef extern from * nogil:
    """
    #include <stdint.h>
    static inline int64_t perfcore_load(const int64_t *word) { return __atomic_load_n(word, __ATOMIC_ACQUIRE); }
    static inline int64_t perfcore_load_relaxed(const int64_t *word) { return __atomic_load_n(word, __ATOMIC_RELAXED); }
    static inline void perfcore_store(int64_t *word, int64_t value) { __atomic_store_n(word, value, __ATOMIC_RELEASE); }
    static inline void perfcore_store_relaxed(int64_t *word, int64_t value) { __atomic_store_n(word, value, __ATOMIC_RELAXED); }
    static inline int64_t perfcore_fetch_add(int64_t *word, int64_t delta) { return __atomic_fetch_add(word, delta, __ATOMIC_ACQ_REL); }
    """
    int64_t load_acquire "perfcore_load"(const int64_t* word) noexcept
    int64_t load_relaxed "perfcore_load_relaxed"(const int64_t* word) noexcept
    void store_release "perfcore_store"(int64_t* word, int64_t value) noexcept
    void store_relaxed "perfcore_store_relaxed"(int64_t* word, int64_t value) noexcept
    int64_t fetch_add "perfcore_fetch_add"(int64_t* word, int64_t delta) noexcept
