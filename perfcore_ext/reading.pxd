"""A dialect's [response], compiled for the transfers of one loop."""

from perfcore_ext.transfer cimport Reading

cdef class Answers:
    cdef Reading reading
    cdef object kept                  # Python objects whose memory the reading points to
    cdef set_types(self, list types)
