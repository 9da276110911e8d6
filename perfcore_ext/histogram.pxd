"""Counts of durations in buckets whose width grows with the value: percentiles to 0.1 % from a fixed 147 KB.

Values below 1024 ns have a bucket each; above, each power of two is cut into 512 equal buckets, so the middle of a bucket
is never more than 1/1024 off the values in it. Values from 2**44 ns (4.9 hours) on go into the last bucket and are
counted as clamped, negative ones into the first.

A histogram is HISTOGRAM_BUCKETS words of int64 that start as zeros: the counts, then the sum and the number of clamped
values. One process writes, others may read meanwhile.
"""

from libc.stdint cimport int64_t

cdef enum:
    HISTOGRAM_SUM = 18432             # = 35 * 512 + 512 counts before it
    HISTOGRAM_CLAMPED = 18433
    HISTOGRAM_BUCKETS = 18434

cdef void histogram_record(int64_t* counts, int64_t value) noexcept nogil
