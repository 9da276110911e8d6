"""Live percentiles; how the buckets lie is told in histogram.pxd."""

from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer, Py_buffer
from libc.stdint cimport int64_t, uintptr_t

from perfcore_ext.atomics cimport load_relaxed, store_relaxed

cdef extern from * nogil:
    """
    #include <stdint.h>
    #define PERFCORE_LARGEST ((INT64_C(1) << 44) - 1)
    """
    const int64_t LARGEST "PERFCORE_LARGEST"
    int __builtin_clzll(unsigned long long value) noexcept

cdef enum:
    SUB_BITS = 9

BYTES = HISTOGRAM_BUCKETS * sizeof(int64_t)


cdef void add(int64_t* word, int64_t delta) noexcept nogil:
    store_relaxed(word, load_relaxed(word) + delta)


cdef int bucket_of(int64_t value) noexcept nogil:
    cdef int shift = 63 - SUB_BITS - __builtin_clzll(value | (1 << SUB_BITS))
    return (shift << SUB_BITS) + <int>(value >> shift)


cdef double middle(int bucket) noexcept nogil:
    cdef int shift = max(0, (bucket >> SUB_BITS) - 1)
    cdef int64_t lowest = <int64_t>(bucket - (shift << SUB_BITS)) << shift
    return lowest + ((<int64_t>1 << shift) - 1) / 2.0


cdef void histogram_record(int64_t* counts, int64_t value) noexcept nogil:
    if value < 0:
        value = 0
    elif value > LARGEST:
        value = LARGEST
        add(&counts[HISTOGRAM_CLAMPED], 1)
    add(&counts[bucket_of(value)], 1)
    add(&counts[HISTOGRAM_SUM], value)


cdef class Histogram:
    """A histogram in the first BYTES of `buffer`, as it stands there, or a new one. Values are ns.

    `buffer` is writable and aligned to 8 bytes; raises ValueError if it is too small.
    """

    cdef Py_buffer view
    cdef int64_t* counts

    def __cinit__(self, buffer: bytearray | memoryview | None = None) -> None:
        PyObject_GetBuffer(bytearray(BYTES) if buffer is None else buffer, &self.view, PyBUF_SIMPLE | PyBUF_WRITABLE)
        if self.view.len < <Py_ssize_t>BYTES or <uintptr_t>self.view.buf % sizeof(int64_t):
            raise ValueError(f"a histogram needs {BYTES} aligned bytes")
        self.counts = <int64_t*>self.view.buf

    def __dealloc__(self) -> None:
        PyBuffer_Release(&self.view)

    def record(self, value: int) -> None:
        """Count one value."""
        histogram_record(self.counts, value)

    def record_many(self, values) -> None:
        """Count each of a contiguous int64 array."""
        cdef const int64_t[::1] each = values
        cdef Py_ssize_t i
        with nogil:
            for i in range(each.shape[0]):
                histogram_record(self.counts, each[i])

    def merge(self, Histogram other not None) -> None:
        """Count all that `other` has counted."""
        cdef int i
        for i in range(HISTOGRAM_BUCKETS):
            add(&self.counts[i], load_relaxed(&other.counts[i]))

    @property
    def count(self) -> int:
        """Values counted."""
        cdef int64_t total = 0
        cdef int i
        for i in range(HISTOGRAM_SUM):
            total += load_relaxed(&self.counts[i])
        return total

    @property
    def clamped(self) -> int:
        """Values above the largest bucket, counted in it."""
        return load_relaxed(&self.counts[HISTOGRAM_CLAMPED])

    @property
    def mean(self) -> float | None:
        """Mean of the values, exact but for clamped ones; None without values."""
        cdef int64_t count = self.count
        return load_relaxed(&self.counts[HISTOGRAM_SUM]) / <double>count if count else None

    def percentile(self, q: float) -> float | None:
        """The q-th percentile (0 to 100), linearly interpolated between the two nearest values, to 0.1 %; None if empty."""
        cdef int64_t count = self.count
        cdef double rank, low, high
        if not 0 <= q <= 100:
            raise ValueError(f"a percentile lies between 0 and 100, not at {q}")
        if count == 0:
            return None
        rank = q / 100 * (count - 1)
        low = self.nth(<int64_t>rank)
        high = self.nth(min(<int64_t>rank + 1, count - 1))
        return low + (high - low) * (rank - <int64_t>rank)

    cdef double nth(self, int64_t rank) noexcept:
        """The value of this rank from 0 in ascending order: the middle of its bucket."""
        cdef int64_t below = 0
        cdef int i
        for i in range(HISTOGRAM_SUM):
            below += load_relaxed(&self.counts[i])
            if below > rank:
                return middle(i)
        return middle(HISTOGRAM_SUM - 1)
