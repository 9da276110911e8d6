"""The master's side of the shared control block, and what it needs to know of its layout."""

from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer, Py_buffer
from libc.string cimport memset

from perfcore_ext.atomics cimport load_acquire, load_relaxed, store_relaxed, store_release

NO_LIMIT = 0x7FFFFFFFFFFFFFFF


def control_bytes(workers: int, slots: int) -> int:
    """Size of the block for `workers` workers with `slots` slots each."""
    return sizeof(ControlHeader) + workers * (sizeof(WorkerState) + slots * sizeof(Slot))


cdef class Control:
    """A view of the block in `memory` (writable buffer). With `workers` and `slots` it is formatted first."""

    cdef Py_buffer view
    cdef ControlHeader* header
    cdef object memory

    def __cinit__(self, memory, workers: int = 0, slots: int = 0):
        PyObject_GetBuffer(memory, &self.view, PyBUF_SIMPLE | PyBUF_WRITABLE)
        self.header = <ControlHeader*>self.view.buf
        self.memory = memory
        if workers:
            self.format(workers, slots)
        if self.view.len < <Py_ssize_t>sizeof(ControlHeader) or self.header.magic != CONTROL_MAGIC:
            raise ValueError("not a control block")

    def __dealloc__(self):
        PyBuffer_Release(&self.view)

    cdef format(self, int64_t workers, int64_t slots):
        cdef int64_t worker, slot
        if self.view.len < control_bytes(workers, slots):
            raise ValueError("memory is too small for the control block")
        memset(self.header, 0, control_bytes(workers, slots))
        self.header.bytes = control_bytes(workers, slots)
        self.header.workers = workers
        self.header.slots = slots
        for worker in range(workers):
            for slot in range(slots):
                slot_table(worker_state(self.header, worker))[slot].request_id = -1
        store_release(&self.header.magic, CONTROL_MAGIC)

    cdef WorkerState* state(self, int64_t worker) except NULL:
        if not 0 <= worker < self.header.workers:
            raise IndexError(f"no worker {worker}")
        return worker_state(self.header, worker)

    @property
    def workers(self) -> int:
        return self.header.workers

    @property
    def slots(self) -> int:
        return self.header.slots

    def start_segment(self, *, number: int, phase: int, start_ns: int, stop_ns: int, first_request_id: int,
                      total: int, ramp_interval_ns: int, open_loop: bool) -> None:
        """Describe a stretch of load and let the workers begin. All of them must have finished the one before."""
        cdef Segment* segment = &self.header.segment
        segment.phase = phase
        segment.start_ns = start_ns
        segment.stop_ns = stop_ns
        segment.first_request_id = first_request_id
        segment.total = total
        segment.ramp_interval_ns = ramp_interval_ns
        segment.open_loop = open_loop
        store_relaxed(&self.header.next_claim, 0)
        store_release(&segment.number, number)

    def end_workers(self) -> None:
        """Tell workers that wait for a segment that there is none."""
        store_release(&self.header.segment.number, -1)

    @property
    def segment_number(self) -> int:
        return load_acquire(&self.header.segment.number)

    @property
    def claimed(self) -> int:
        """Requests of the segment that workers have claimed so far."""
        return min(load_acquire(&self.header.next_claim), self.header.segment.total)

    def stop(self) -> None:
        """Send nothing new; what runs goes on to its end."""
        store_release(&self.header.stop, 1)

    def abort(self) -> None:
        """Cut off what runs."""
        store_release(&self.header.stop, 1)
        store_release(&self.header.abort, 1)

    def set_limit(self, worker: int, limit: int) -> None:
        """How many requests `worker` may have in flight from now on; limits only grow while a segment runs."""
        if limit > self.header.slots:
            raise ValueError("limit is larger than the slot table")
        store_release(&self.state(worker).slot_limit, limit)

    def set_ready(self, worker: int) -> None:
        store_release(&self.state(worker).ready, 1)

    def is_ready(self, worker: int) -> bool:
        return load_acquire(&self.state(worker).ready) != 0

    def finished_segment(self, worker: int) -> int:
        return load_acquire(&self.state(worker).finished_segment)

    def clear_in_flight(self, worker: int) -> None:
        """The worker is dead, and the kernel has closed its connections."""
        store_relaxed(&self.state(worker).in_flight, 0)

    def counters(self, worker: int) -> dict[str, int]:
        """What the worker has counted since its start."""
        cdef WorkerState* state = self.state(worker)
        return {
            "in_flight": load_relaxed(&state.in_flight),
            "peak_in_flight": load_relaxed(&state.peak_in_flight),
            "sent": load_relaxed(&state.sent),
            "completed": load_relaxed(&state.completed),
            "failed": load_relaxed(&state.failed),
            "token_events": load_relaxed(&state.token_events),
            "connections": load_relaxed(&state.connections),
            "bytes_received": load_relaxed(&state.bytes_received),
            "ring_full_waits": load_relaxed(&state.ring_full_waits),
            "ring_waiting_bytes": load_relaxed(&state.ring_waiting_bytes),
            "ring_peak_waiting_bytes": load_relaxed(&state.ring_peak_waiting_bytes),
            "cpu_ns": load_relaxed(&state.cpu_ns),
            "wake_ups": load_relaxed(&state.wake_ups),
            "reads": load_relaxed(&state.reads),
            "busy_ns": load_relaxed(&state.busy_ns),
            "errno_of_loop": load_relaxed(&state.errno_of_loop),
        }

    def claimed_slots(self, worker: int) -> list[tuple[int, int, int, int, int]]:
        """(request id, sequence in the segment, turn, due_ns, sent_ns) of each request the worker has not finished.

        sent_ns is -1 for one that waits to be sent, and -2 for one that was given back because sending had stopped.
        """
        cdef Slot* table = slot_table(self.state(worker))
        cdef int64_t slot
        return [
            (table[slot].request_id, table[slot].sequence, table[slot].turn, table[slot].due_ns, table[slot].sent_ns)
            for slot in range(self.header.slots)
            if load_acquire(&table[slot].request_id) >= 0
        ]

    def ttft_buffer(self, worker: int) -> memoryview:
        """The worker's live TTFT histogram, as shared memory."""
        cdef char* begin = <char*>self.state(worker).ttft
        at = begin - <char*>self.header
        return memoryview(self.memory)[at:at + sizeof(self.state(worker).ttft)]
