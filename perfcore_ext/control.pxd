"""What the master and its workers share while a run lasts: one block of memory, laid out here.

The block is a ControlHeader, then for each worker a WorkerState and its table of slots. Words that different processes
write lie on lines of their own. Every field is written by one side only, but for `next_claim`, which all workers
add to.
"""

from libc.stdint cimport int64_t, uint8_t

from perfcore_ext.histogram cimport HISTOGRAM_BUCKETS

cdef enum:
    CONTROL_MAGIC = 0x4C544350        # "PCTL", little endian
    LINE_WORDS = 16                   # 128 bytes: processors fetch lines in pairs

# A segment is one stretch of load: the warm-up, the measurement. Written by the master before `segment` is raised.
cdef struct Segment:
    int64_t number                    # raised last: workers start the segment when they see it; -1 ends the worker
    int64_t phase                     # Phase
    int64_t start_ns
    int64_t stop_ns                   # no request is sent from then on; INT64_MAX without end
    int64_t first_request_id
    int64_t total                     # requests in the segment; INT64_MAX without end
    int64_t ramp_interval_ns          # closed loop: between the starts of two clients
    int64_t open_loop                 # 1: due times come from the schedule

cdef struct ControlHeader:
    int64_t magic
    int64_t bytes
    int64_t workers
    int64_t slots                     # length of each worker's slot table
    int64_t header_reserved[12]
    Segment segment
    int64_t segment_reserved[8]
    int64_t next_claim                # next request of the segment, all workers add to it
    int64_t claim_reserved[15]
    int64_t stop                      # 1: send nothing new
    int64_t abort                     # 1: cut off what runs
    int64_t command_reserved[14]

cdef struct Slot:
    int64_t request_id                # -1: free
    int64_t sequence                  # of the request in its segment
    int64_t due_ns
    int64_t sent_ns                   # -1: claimed but not yet sent; -2: given back, never to be sent
    int64_t turn                      # of a conversation

cdef struct WorkerState:
    int64_t slot_limit                # written by the master: how many requests this worker may have in flight
    int64_t limit_reserved[15]
    int64_t ready                     # 1: set up, waits for a segment
    int64_t finished_segment          # number of the last segment that it has brought to its end
    int64_t in_flight
    int64_t peak_in_flight
    int64_t sent
    int64_t completed
    int64_t failed                    # of the completed
    int64_t token_events
    int64_t connections               # opened
    int64_t bytes_received
    int64_t ring_full_waits
    int64_t ring_waiting_bytes
    int64_t ring_peak_waiting_bytes
    int64_t cpu_ns                    # of the worker's process, since its start
    int64_t wake_ups
    int64_t reads                     # sockets drained
    int64_t busy_ns                   # time between wake-up and the next wait
    int64_t errno_of_loop             # not 0: the loop ended by itself with this errno
    int64_t counter_reserved[14]
    int64_t ttft[HISTOGRAM_BUCKETS]

cdef inline WorkerState* worker_state(ControlHeader* control, int64_t worker) noexcept nogil:
    return <WorkerState*>(<char*>control + sizeof(ControlHeader)
                          + worker * (sizeof(WorkerState) + control.slots * <int64_t>sizeof(Slot)))

cdef inline Slot* slot_table(WorkerState* state) noexcept nogil:
    return <Slot*>(<char*>state + sizeof(WorkerState))
