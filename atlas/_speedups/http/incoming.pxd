"""The request's side of an exchange: what was asked, and the body as it comes."""

from atlas._speedups.http1.carrier cimport Carrier
from atlas._speedups.http.request_head cimport RequestHead
from atlas._speedups.http.server_state cimport ServerState

cdef enum RequestState:
    BODY_COMING         # more of it is expected
    BODY_THERE          # all of it has come
    BODY_GIVEN          # all of it has been received by the application
    BODY_LOST           # the client left, or is no longer listened to: the rest will not come


cdef class Incoming:
    # Who carries it (None when that is over), and what was asked.
    cdef Carrier carrier
    cdef ServerState worker
    cdef readonly RequestHead head

    # The body: where it stands, and the pieces that the application didn't take yet.
    cdef RequestState request_state
    cdef list pieces
    cdef Py_ssize_t piece_bytes
    cdef bint partly_taken          # the application has received some of it, and not the rest
    cdef bint client_left           # it will send nothing more
    cdef bint answered              # the response is over: nobody listens to the rest
    cdef bint continue_due          # the client waits for 100 Continue
    cdef list receivers             # futures of those who wait in receive()

    # The scope, or what will be added to it when it is made: what was found out about the request so far.
    cdef dict notes
    cdef bint scope_made

    # Who was at the two ends, of one that its connection has let go of.
    cdef object past_client
    cdef object past_server
    cdef str past_scheme

    # Methods.
    cdef dict make_scope(self)
    cdef dict whole_scope(self)
    cdef dict get_notes(self)
    cdef int keep_ends(self, Carrier carrier) except -1
    cdef object client_address(self)
    cdef object server_address(self)
    cdef str get_scheme(self)
    cdef str full_path(self)
    cdef bytes full_raw_path(self)
    cdef bytes whole_body(self)
    cdef int body_came(self, list pieces, Py_ssize_t size, bint complete) except -1
    cdef int body_lost(self) except -1
    cdef int wake_receivers(self) except -1
    cdef dict receive_now(self)
    cdef int forget_receiver(self, object future) except -1
    cdef dict give_body(self)
