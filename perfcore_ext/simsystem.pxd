"""The system calls of the simulator's loop."""

from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint32_t, uint64_t

cdef extern from "<sys/epoll.h>" nogil:
    ctypedef union epoll_data_t:
        void* ptr
    struct epoll_event:
        uint32_t events
        epoll_data_t data
    int epoll_create1(int flags) noexcept
    int epoll_ctl(int epoll, int operation, int fd, epoll_event* event) noexcept
    int epoll_wait(int epoll, epoll_event* events, int most, int timeout_ms) noexcept
    enum:
        EPOLL_CLOEXEC
        EPOLL_CTL_ADD
        EPOLL_CTL_DEL
        EPOLL_CTL_MOD
        EPOLLIN
        EPOLLOUT
        EPOLLRDHUP

cdef extern from "<sys/eventfd.h>" nogil:
    int eventfd(unsigned int value, int flags) noexcept
    enum:
        EFD_CLOEXEC
        EFD_NONBLOCK

cdef extern from "<sys/socket.h>" nogil:
    struct linger:
        int l_onoff
        int l_linger
    int accept4(int fd, void* address, void* length, int flags) noexcept
    int setsockopt(int fd, int level, int option, const void* value, uint32_t length) noexcept
    ssize_t send(int fd, const void* data, size_t length, int flags) noexcept
    ssize_t recv(int fd, void* data, size_t length, int flags) noexcept
    enum:
        MSG_NOSIGNAL
        SOCK_CLOEXEC
        SOCK_NONBLOCK
        SOL_SOCKET
        SO_LINGER

cdef extern from "<netinet/tcp.h>" nogil:
    enum:
        IPPROTO_TCP
        TCP_NODELAY

cdef extern from "<netinet/in.h>" nogil:
    pass

cdef extern from "<sys/prctl.h>" nogil:
    int prctl(int option, unsigned long argument) noexcept
    enum:
        PR_GET_TIMERSLACK
        PR_SET_PDEATHSIG
        PR_SET_TIMERSLACK

cdef extern from "<unistd.h>" nogil:
    int close(int fd) noexcept
    int getppid() noexcept
    ssize_t read(int fd, void* data, size_t length) noexcept
    ssize_t write(int fd, const void* data, size_t length) noexcept

cdef extern from * nogil:
    """
    #include <errno.h>
    #include <poll.h>
    #include <sys/syscall.h>
    #include <time.h>
    #include <unistd.h>
    #ifndef SYS_epoll_pwait2
    #define SYS_epoll_pwait2 441
    #endif
    /* Kernels before 5.11 have no epoll_pwait2; ppoll on the epoll descriptor waits as finely, for one call more. */
    static int perfcore_wait_ns(int epoll, struct epoll_event *events, int most, int64_t timeout_ns, int *no_pwait2) {
        struct timespec timeout = {timeout_ns / 1000000000, timeout_ns % 1000000000};
        if (!*no_pwait2) {
            int count = (int)syscall(SYS_epoll_pwait2, epoll, events, most, &timeout, NULL, 0);
            if (count >= 0 || errno != ENOSYS) return count;
            *no_pwait2 = 1;
        }
        struct pollfd readable = {epoll, POLLIN, 0};
        int ready = ppoll(&readable, 1, &timeout, NULL);
        return ready <= 0 ? ready : epoll_wait(epoll, events, most, 0);
    }
    """
    int wait_ns "perfcore_wait_ns"(
        int epoll, epoll_event* events, int most, int64_t timeout_ns, int* no_pwait2
    ) noexcept
