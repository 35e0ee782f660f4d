"""What a server counts: requests by group, method and status, their durations, connections, bytes, time-outs.

The numbers are in memory that the caller provides. It may be shared with another process, which reads them while the
event loop of this one is busy. One thread writes: no number needs a lock, and each is read whole.
"""

cimport cython
from cpython.buffer cimport PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.dict cimport PyDict_GetItemWithError
from cpython.object cimport PyObject
from libc.string cimport memcpy

cdef extern from *:
    """
    #if defined(__GNUC__) || defined(__clang__)
    #define atlas_publish() __atomic_thread_fence(__ATOMIC_RELEASE)
    #else
    #define atlas_publish() ((void)0)
    #endif
    """
    void atlas_publish() noexcept nogil

BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
METHOD_NAMES = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY", "other")
CLASS_NAMES = ("1xx", "2xx", "3xx", "4xx", "5xx", "other")
TIMEOUT_NAMES = ("request_head", "request_body", "keep_alive", "write", "tls_handshake", "graceful_shutdown")

cdef tuple RESERVED = ("(server)", "(application)", "(unmatched)", "(others)")
cdef str OTHER_REASON = "other"
cdef dict METHOD_NUMBERS = {name: number for number, name in enumerate(METHOD_NAMES)}
cdef double[BUCKETS - 1] UPPER = BOUNDS


cdef int method_number(str method) except -1:
    cdef PyObject* number = PyDict_GetItemWithError(METHOD_NUMBERS, method)
    return METHODS - 1 if number is NULL else <int?><object>number


cdef bytes cut(str name, Py_ssize_t size):
    """The name in UTF-8, in less than ``size`` bytes."""
    return name.encode()[:size - 1].decode(errors="ignore").encode()


@cython.final
cdef class Counters:
    """The counters of one server.

    :param memory: a writable buffer of :attr:`size` zero bytes, or of the bytes of another ``Counters``, whose numbers
        then continue.
    :raises ValueError: for a buffer that is too small.
    """

    size = sizeof(Slot)

    def __cinit__(self, memory):
        PyObject_GetBuffer(memory, &self.view, PyBUF_WRITABLE)
        if self.view.len < <Py_ssize_t>sizeof(Slot):
            raise ValueError(f"expected a buffer of {sizeof(Slot)} bytes, got {self.view.len}")
        self.slot = <Slot*>self.view.buf
        self.groups = {}
        self.reasons = {}
        for index in range(self.slot.group_count):
            self.groups[self.slot.names[index].decode()] = index
        for index in range(self.slot.reason_count):
            self.reasons[self.slot.reasons[index].name.decode()] = index

    def __dealloc__(self):
        PyBuffer_Release(&self.view)

    # What the event loop's thread writes.

    def begin(self, long pid):
        """Begin to count, as the process ``pid``."""
        self.slot.pid = pid
        for name in RESERVED:
            self.group(name)

    cpdef int group(self, str name) except -1:
        """The number of a group of requests; a new one for a name that is not known, as long as there is room."""
        cdef Slot* slot = self.slot
        cdef PyObject* known = PyDict_GetItemWithError(self.groups, name)
        cdef Py_ssize_t number = slot.group_count
        cdef bytes text
        if known is not NULL:
            return <int?><object>known
        if number >= MAX_GROUPS:
            return OTHERS
        text = cut(name, NAME_SIZE)
        memcpy(slot.names[number], <const char*>text, len(text))
        atlas_publish()
        slot.group_count = number + 1
        self.groups[name] = number
        return <int>number

    cdef int add_response(self, int group, str method, int status) except -1:
        """Count a response."""
        cdef int kind = status // 100 - 1
        if not 0 <= group < MAX_GROUPS:
            raise ValueError(f"expected the number of a group, got {group}")
        self.slot.series[group][method_number(method)].responses[kind if 0 <= kind < CLASSES else CLASSES - 1] += 1
        return 0

    cdef int add_duration(self, int group, str method, double seconds) except -1:
        """Count how long a request has taken, from its head to the end of its response."""
        cdef Series* series
        cdef int bucket = 0
        if not 0 <= group < MAX_GROUPS:
            raise ValueError(f"expected the number of a group, got {group}")
        series = &self.slot.series[group][method_number(method)]
        while bucket < BUCKETS - 1 and seconds > UPPER[bucket]:
            bucket += 1
        series.durations[bucket] += 1
        series.seconds += seconds
        return 0

    def add_timeout(self, str kind not None):
        """Count a time-out: one of ``TIMEOUT_NAMES``."""
        self.slot.timeouts[<int>TIMEOUT_NAMES.index(kind)] += 1

    def add_refusal(self, str reason not None):
        """Count a request that was refused for this reason."""
        cdef Slot* slot = self.slot
        cdef Py_ssize_t number = slot.reason_count
        cdef bytes text
        if reason not in self.reasons:
            if number >= MAX_REASONS - 1:
                reason = OTHER_REASON
            if reason not in self.reasons:
                text = cut(reason, REASON_SIZE)
                memcpy(slot.reasons[number].name, <const char*>text, len(text))
                atlas_publish()
                slot.reason_count = number + 1
                self.reasons[reason] = number
        number = self.reasons[reason]
        slot.reasons[number].count += 1

    def set_loop(self, double due, double lag):
        """Set how late the event loop was (seconds), and when it is to run again (by ``time.monotonic()``)."""
        self.slot.lag = lag
        self.slot.due = due

    # What any thread or process reads.

    def read(self):
        """The numbers, as a dict: see ``server/metrics/snapshot``."""
        cdef Slot* slot = self.slot
        cdef int i
        cdef list timeouts = [slot.timeouts[i] for i in range(TIMEOUTS)]
        timeouts[<int>TIMEOUT_WRITE] += slot.traffic.stalled
        timeouts[<int>TIMEOUT_TLS_HANDSHAKE] += slot.traffic.overdue
        return {
            "pid": slot.pid,
            "due": slot.due,
            "lag": slot.lag,
            "open": slot.traffic.open,
            "accepted": slot.traffic.accepted,
            "unmade": slot.traffic.unmade,
            "received": slot.traffic.received,
            "sent": slot.traffic.sent,
            "active": slot.active,
            "in_work": slot.in_work,
            "timeouts": timeouts,
            "refused": {slot.reasons[i].name.decode(): slot.reasons[i].count for i in range(slot.reason_count)},
            "series": self.read_series(),
        }

    cdef list read_series(self):
        """A tuple of name, method, responses by class, durations by bucket and their sum, where there is a response."""
        cdef Series* series
        cdef list found = []
        cdef int group, method, i
        for group in range(min(self.slot.group_count, <long long>MAX_GROUPS)):
            for method in range(METHODS):
                series = &self.slot.series[group][method]
                responses = [series.responses[i] for i in range(CLASSES)]
                if any(responses):
                    durations = [series.durations[i] for i in range(BUCKETS)]
                    name = self.slot.names[group].decode()
                    found.append((name, METHOD_NAMES[method], responses, durations, series.seconds))
        return found
