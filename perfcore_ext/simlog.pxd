"""The truth log: records wait in memory and go to the file in slices, when no deadline is near."""

from libc.errno cimport EINTR, errno
from libc.stddef cimport size_t
from libc.stdint cimport int64_t

from perfcore_ext.simbuffer cimport drop_front
from perfcore_ext.simsystem cimport write
from perfcore_ext.simtypes cimport Server, TruthRecord

cdef enum:
    SLICE_BYTES = 65536               # about 20 us to write
    CROWDED_BYTES = 33554432          # from here on slices are written even where a deadline is near
    QUIET_NS = 60000

cdef inline void stamp_records(Server* server, int64_t time_ns) noexcept nogil:
    """Gives the segment under construction its time."""
    while server.truth_from < server.truth.used:
        (<TruthRecord*>(server.truth.data + server.truth_from)).time_ns = time_ns
        server.truth_from += sizeof(TruthRecord)

cdef inline bint write_slice(Server* server, size_t most) noexcept nogil:
    """Writes up to `most` bytes; False where nothing was left or the file takes no more."""
    cdef size_t left = server.truth.used - server.truth_written
    cdef ssize_t count
    if left == 0 or server.truth_fd < 0:
        return False
    count = write(server.truth_fd, server.truth.data + server.truth_written, min(left, most))
    if count < 0:
        if errno != EINTR:
            server.truth_error = errno
            server.truth_fd = -1
        return errno == EINTR
    server.truth_written += count
    if server.truth_written == server.truth.used:
        server.truth_written = server.truth.used = server.truth_from = 0
    elif server.truth_written > SLICE_BYTES and 2 * server.truth_written > server.truth.used:
        drop_front(&server.truth, server.truth_written)
        server.truth_from -= server.truth_written
        server.truth_written = 0
    return True

cdef inline void write_some(Server* server, int64_t quiet_ns) noexcept nogil:
    cdef size_t left = server.truth.used - server.truth_written
    if left >= SLICE_BYTES and (quiet_ns >= QUIET_NS or left >= CROWDED_BYTES):
        write_slice(server, SLICE_BYTES)

cdef inline void write_all(Server* server) noexcept nogil:
    while write_slice(server, SLICE_BYTES):
        pass
