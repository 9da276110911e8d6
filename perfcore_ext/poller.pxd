"""Waiting for sockets and for a point in time, to the nanosecond: epoll under libcurl's multi handle."""

from libc.stdint cimport int64_t, uint32_t

cdef extern from "<sys/epoll.h>" nogil:
    ctypedef union epoll_data_t:
        int fd
    struct epoll_event:
        uint32_t events
        epoll_data_t data

cdef enum:
    POLLER_ROOM = 4096                # sockets that one wake-up can bring

cdef extern from * nogil:
    """
    #include <stdint.h>
    #define PERFCORE_NEVER INT64_MAX
    """
    const int64_t NEVER "PERFCORE_NEVER"

cdef struct Poller:
    int epoll
    int timer_file                    # -1 unless the kernel has no epoll_pwait2
    bint has_pwait2
    epoll_event* ready
    uint32_t* watched                 # by descriptor: the events it is registered for
    int room
    int64_t timer_ns                  # when libcurl wants to be called; NEVER if it does not
    int failure                       # errno

# -1 with `failure` set if the system refuses.
cdef int poller_open(Poller* poller, bint use_timerfd) noexcept nogil
cdef void poller_close(Poller* poller) noexcept nogil

# Sleep until a watched socket is ready or `until_ns` has come; fills `ready` and returns how many, 0 on a failure.
cdef int poller_wait(Poller* poller, int64_t now_ns, int64_t until_ns) noexcept nogil

# What is ready at position i: its descriptor, libcurl's mask, and whether bytes are announced. -1: nothing of libcurl's.
cdef int ready_socket(const Poller* poller, int i, int* mask) noexcept nogil
cdef bint is_readable(const Poller* poller, int i) noexcept nogil

# libcurl's socket and timer callbacks; `user` is the Poller.
cdef int on_socket(void* easy, int fd, int what, void* user, void* socket_user) noexcept nogil
cdef int on_timer(void* multi, long timeout_ms, void* user) noexcept nogil
