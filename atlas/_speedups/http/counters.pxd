"""What a server counts, as numbers in memory that another process may read at any time."""

from cpython.buffer cimport Py_buffer

from atlas._speedups.buffers.connection_set cimport Traffic

cdef enum:
    CLASSES = 6                 # 1xx to 5xx, and statuses above
    BUCKETS = 14                # of durations; the last one has no bound
    METHODS = 10                # those that are counted apart, and all others
    MAX_GROUPS = 1024           # names of groups of requests; those beyond count as one
    NAME_SIZE = 192             # bytes of such a name, with the zero at its end
    MAX_REASONS = 64            # for which requests are refused
    REASON_SIZE = 48

# The groups of requests that have no name of their own.
cdef enum:
    BY_SERVER                   # answered by the server itself
    BY_APPLICATION              # an application that does not tell what it does with a request
    UNMATCHED                   # the application has nothing of that name
    OTHERS                      # more groups than there is room for

cdef enum Timeout:
    TIMEOUT_HEAD
    TIMEOUT_BODY
    TIMEOUT_KEEP_ALIVE
    TIMEOUT_WRITE
    TIMEOUT_TLS_HANDSHAKE
    TIMEOUT_SHUTDOWN
    TIMEOUTS                    # how many there are


cdef struct Series:
    long long responses[CLASSES]
    long long durations[BUCKETS]
    double seconds

cdef struct Reason:
    char name[REASON_SIZE]
    long long count

cdef struct Slot:
    long long pid
    double due                  # when the event loop was to run again; 0: not yet known
    double lag                  # seconds that it was late the last time
    Traffic traffic
    long long active            # connections with a request
    long long in_work           # requests that an application works on
    long long timeouts[TIMEOUTS]
    long long reason_count
    Reason reasons[MAX_REASONS]
    long long group_count
    char names[MAX_GROUPS][NAME_SIZE]
    Series series[MAX_GROUPS][METHODS]


cdef class Counters:
    # The memory, which is the caller's, and its view as numbers.
    cdef Py_buffer view
    cdef Slot* slot

    # The numbers of groups and reasons by name.
    cdef dict groups
    cdef dict reasons

    # Writing, on one thread; reading, on any.
    cpdef int group(self, str name) except -1
    cdef int add_response(self, int group, str method, int status) except -1
    cdef int add_duration(self, int group, str method, double seconds) except -1
    cdef list read_series(self)
