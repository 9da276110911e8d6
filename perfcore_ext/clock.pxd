"""The one clock: CLOCK_MONOTONIC in integer nanoseconds, shared by every process of the machine."""

from libc.stdint cimport int64_t

cdef extern from "<time.h>" nogil:
    """
    #include <stdint.h>
    static inline int64_t perfcore_monotonic_ns(void) {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        return (int64_t)now.tv_sec * 1000000000LL + now.tv_nsec;
    }
    """
    int64_t now_ns "perfcore_monotonic_ns"() noexcept
