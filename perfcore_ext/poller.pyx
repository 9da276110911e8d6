"""Waiting for sockets and for a point in time: see poller.pxd."""

from libc.errno cimport EINTR, ENOMEM, ENOSYS, errno
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memset

from perfcore_ext.clock cimport now_ns
from perfcore_ext.curl cimport POLL_IN, POLL_OUT, POLL_REMOVE, SELECT_ERR, SELECT_IN, SELECT_OUT

cdef extern from "<sys/epoll.h>" nogil:
    int epoll_create1(int flags)
    int epoll_ctl(int epoll, int operation, int fd, epoll_event* event)
    int epoll_wait(int epoll, epoll_event* events, int room, int timeout_ms)
    int EPOLL_CLOEXEC, EPOLLIN, EPOLLOUT, EPOLLERR, EPOLLHUP, EPOLL_CTL_ADD, EPOLL_CTL_MOD, EPOLL_CTL_DEL

cdef extern from "<sys/timerfd.h>" nogil:
    struct timespec:
        long tv_sec
        long tv_nsec
    struct itimerspec:
        timespec it_interval
        timespec it_value
    int timerfd_create(int clock, int flags)
    int timerfd_settime(int fd, int flags, const itimerspec* when, itimerspec* before)
    int TFD_CLOEXEC, TFD_NONBLOCK, TFD_TIMER_ABSTIME

cdef extern from "<unistd.h>" nogil:
    int close(int fd)

cdef extern from * nogil:
    """
    #include <stdint.h>
    #include <sys/syscall.h>
    #include <time.h>
    #include <unistd.h>
    #ifndef SYS_epoll_pwait2
    #define SYS_epoll_pwait2 441          /* the same on every architecture */
    #endif
    static int perfcore_epoll_pwait2(int epoll, struct epoll_event *events, int room, int64_t timeout_ns) {
        struct timespec timeout = { timeout_ns / 1000000000, timeout_ns % 1000000000 };
        return (int)syscall(SYS_epoll_pwait2, epoll, events, room, &timeout, NULL, 0);
    }
    """
    int epoll_pwait2 "perfcore_epoll_pwait2"(int epoll, epoll_event* events, int room, int64_t timeout_ns)
    int CLOCK_MONOTONIC


cdef int poller_open(Poller* poller, bint use_timerfd) noexcept nogil:
    memset(poller, 0, sizeof(Poller))
    poller.timer_file = -1
    poller.timer_ns = NEVER
    poller.has_pwait2 = not use_timerfd
    poller.ready = <epoll_event*>malloc(POLLER_ROOM * sizeof(epoll_event))
    poller.epoll = epoll_create1(EPOLL_CLOEXEC)
    if poller.epoll < 0 or poller.ready == NULL:
        poller.failure = errno if poller.epoll < 0 else ENOMEM
        return -1
    return 0


cdef void poller_close(Poller* poller) noexcept nogil:
    free(poller.ready)
    free(poller.watched)
    if poller.epoll > 0:
        close(poller.epoll)
    if poller.timer_file > 0:
        close(poller.timer_file)


cdef int poller_wait(Poller* poller, int64_t now_ns, int64_t until_ns) noexcept nogil:
    cdef int64_t timeout_ns = max(until_ns - now_ns, 0)
    cdef int count
    if poller.has_pwait2:
        count = epoll_pwait2(poller.epoll, poller.ready, POLLER_ROOM, timeout_ns)
        if count >= 0 or errno == EINTR:
            return max(count, 0)
        if errno != ENOSYS:
            poller.failure = errno
            return 0
        poller.has_pwait2 = False
    # Kernels before 5.11: a timer descriptor in the set keeps the nanoseconds that epoll_wait has no room for.
    if timeout_ns > 0 and arm_timer(poller, until_ns) < 0:
        poller.failure = errno
        return 0
    count = epoll_wait(poller.epoll, poller.ready, POLLER_ROOM, -1 if timeout_ns > 0 else 0)
    if count < 0 and errno != EINTR:
        poller.failure = errno
    return max(count, 0)


cdef int arm_timer(Poller* poller, int64_t until_ns) noexcept nogil:
    cdef itimerspec when
    cdef epoll_event event
    if poller.timer_file < 0:
        poller.timer_file = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)
        event.events = EPOLLIN
        event.data.fd = poller.timer_file
        if poller.timer_file < 0 or epoll_ctl(poller.epoll, EPOLL_CTL_ADD, poller.timer_file, &event) < 0:
            return -1
    # Setting the time also takes back an expiry that has not been read.
    memset(&when, 0, sizeof(when))
    when.it_value.tv_sec = until_ns // 1000000000
    when.it_value.tv_nsec = until_ns % 1000000000
    return timerfd_settime(poller.timer_file, TFD_TIMER_ABSTIME, &when, NULL)


cdef int ready_socket(const Poller* poller, int i, int* mask) noexcept nogil:
    cdef uint32_t events = poller.ready[i].events
    if poller.ready[i].data.fd == poller.timer_file:
        return -1
    mask[0] = ((SELECT_IN if events & EPOLLIN else 0) | (SELECT_OUT if events & EPOLLOUT else 0)
               | (SELECT_ERR if events & (EPOLLERR | EPOLLHUP) else 0))
    return poller.ready[i].data.fd


cdef bint is_readable(const Poller* poller, int i) noexcept nogil:
    return poller.ready[i].events & EPOLLIN


cdef int on_socket(void* easy, int fd, int what, void* user, void* socket_user) noexcept nogil:
    cdef Poller* poller = <Poller*>user
    cdef epoll_event event
    cdef uint32_t events = ((<uint32_t>EPOLLIN if what & POLL_IN else 0)
                            | (<uint32_t>EPOLLOUT if what & POLL_OUT else 0))
    if fd >= poller.room and grow_watched(poller, fd) < 0:
        return -1
    event.events = events
    event.data.fd = fd
    if what == POLL_REMOVE:
        epoll_ctl(poller.epoll, EPOLL_CTL_DEL, fd, &event)
        poller.watched[fd] = 0
    elif events != poller.watched[fd]:
        if epoll_ctl(poller.epoll, EPOLL_CTL_MOD if poller.watched[fd] else EPOLL_CTL_ADD, fd, &event) < 0:
            poller.failure = errno
        poller.watched[fd] = events
    return 0


cdef int on_timer(void* multi, long timeout_ms, void* user) noexcept nogil:
    (<Poller*>user).timer_ns = NEVER if timeout_ms < 0 else now_ns() + timeout_ms * 1000000
    return 0


cdef int grow_watched(Poller* poller, int fd) noexcept nogil:
    cdef int room = max(2 * poller.room, fd + 1024)
    cdef uint32_t* grown = <uint32_t*>realloc(poller.watched, room * sizeof(uint32_t))
    if grown == NULL:
        poller.failure = ENOMEM
        return -1
    memset(grown + poller.room, 0, (room - poller.room) * sizeof(uint32_t))
    poller.watched = grown
    poller.room = room
    return 0
