"""The request's side of an exchange: what was asked, and the body as it comes.

``receive`` and the scope are ASGI 3's (HTTP message format 2.5).
"""

from cpython.dict cimport PyDict_Copy

from atlas._speedups.http.awaitables cimport receipt
from atlas._speedups.http1.framing cimport NO_BODY
from atlas._speedups.buffers.socket_io cimport atlas_socket_hung_up

cdef dict EXTENSIONS = {
    "http.response.pathsend": {},
    "http.response.zerocopysend": {},
    "http.response.trailers": {},
    "http.response.early_hint": {},
}


cdef class Incoming:
    """Base of :class:`Exchange`: everything that goes from the client to the application."""

    def __cinit__(self, Carrier carrier not None, RequestHead head not None):
        self.carrier = carrier
        self.worker = carrier.worker
        self.head = head
        self.request_state = BODY_THERE if head.framing == NO_BODY else BODY_COMING
        self.continue_due = head.expects_continue and self.request_state == BODY_COMING

    # What was asked.

    def scope(self):
        """A new ASGI scope of type "http" for this request: a dict that belongs to the caller."""
        return self.make_scope()

    cdef dict make_scope(self):
        cdef RequestHead head = self.head
        cdef dict scope = PyDict_Copy(self.worker.scope_template)
        scope["asgi"] = {"version": "3.0", "spec_version": "2.5"}
        if head.http_10:
            scope["http_version"] = "1.0"
        scope["server"] = self.server_address()
        scope["client"] = self.client_address()
        scope["scheme"] = self.get_scheme()
        scope["method"] = head.method
        scope["path"] = self.full_path()
        scope["raw_path"] = self.full_raw_path()
        scope["query_string"] = head.query_string
        scope["headers"] = head.headers
        scope["extensions"] = PyDict_Copy(EXTENSIONS)
        if self.worker.state is not None:
            scope["state"] = PyDict_Copy(self.worker.state)
        return scope

    cdef dict whole_scope(self):
        """The one scope of this request, for everybody who asks for it; made when the first one does."""
        cdef dict scope
        if not self.scope_made:
            scope = self.make_scope()
            if self.notes is not None:
                scope.update(self.notes)
            self.notes = scope
            self.scope_made = True
        return self.notes

    cdef dict get_notes(self):
        """Where to write down what shall be in the scope, if it is ever asked for."""
        if self.notes is None:
            self.notes = {}
        return self.notes

    cdef str full_path(self):
        """The path, decoded. A prefix is part of it (ASGI, HTTP connection scope): the proxy in front has cut it off."""
        if self.worker.root_path is None:
            return self.head.path()
        return self.worker.root_path + self.head.path()

    cdef bytes full_raw_path(self):
        """The path as it came, with the prefix."""
        if self.worker.root_path is None:
            return self.head.raw_path
        return self.worker.raw_root_path + self.head.raw_path

    # Who is at the two ends. An application may ask after the connection is gone.

    cdef int keep_ends(self, Carrier carrier) except -1:
        self.past_client, self.past_server, self.past_scheme = carrier.client, carrier.server, carrier.scheme
        return 0

    cdef object client_address(self):
        return self.past_client if self.carrier is None else self.carrier.client

    cdef object server_address(self):
        return self.past_server if self.carrier is None else self.carrier.server

    cdef str get_scheme(self):
        return self.past_scheme if self.carrier is None else self.carrier.scheme

    @property
    def client(self):
        """The peer's (host, port), or None."""
        return self.client_address()

    # Receiving.

    def receive(self):
        """ASGI's ``receive``: an awaitable of the next event, ``http.request`` or ``http.disconnect`` (a dict).

        The event is taken when it is awaited: a wait that is cancelled before it began has lost nothing.
        """
        return receipt(self)

    def take_event(self):
        """The next event, or None if there is none yet."""
        return self.receive_now()

    async def receive_later(self):
        """Wait for an event."""
        cdef dict event = self.receive_now()
        while event is None:
            future = self.worker.loop.create_future()
            if self.receivers is None:
                self.receivers = [future]
            else:
                self.receivers.append(future)
            try:
                self.carrier.body_wanted(self)
                await future
            finally:
                self.forget_receiver(future)
            event = self.receive_now()
        return event

    cdef int forget_receiver(self, object future) except -1:
        """Whoever waited doesn't any more."""
        if self.receivers is not None and future in self.receivers:
            self.receivers.remove(future)
            if not self.receivers:
                self.receivers = None
        return 0

    cdef dict receive_now(self):
        """The next event, or None if there is none yet."""
        if self.answered or self.carrier is None or self.carrier.lost:
            return {"type": "http.disconnect"}
        if self.request_state == BODY_COMING:
            return self.give_body() if self.pieces is not None else None
        if self.request_state == BODY_THERE:
            return self.give_body()
        return {"type": "http.disconnect"} if self.request_state == BODY_LOST or self.client_left else None

    cdef dict give_body(self):
        """What has come of the body, as one event."""
        cdef list pieces = self.pieces
        cdef bint more = self.request_state == BODY_COMING
        self.pieces = None
        self.piece_bytes = 0
        if not more:
            self.request_state = BODY_GIVEN
        if pieces is None:
            return {"type": "http.request", "body": b"", "more_body": more}
        if more:
            self.partly_taken = True
            self.carrier.body_wanted(self)
        body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        return {"type": "http.request", "body": body, "more_body": more}

    cdef bytes whole_body(self):
        """The body, if all of it is there and nobody has received any of it; else None."""
        if self.request_state != BODY_THERE or self.answered or self.partly_taken:
            return None
        cdef list pieces = self.pieces
        self.pieces = None
        self.piece_bytes = 0
        self.request_state = BODY_GIVEN
        if pieces is None:
            return b""
        return <bytes>pieces[0] if len(pieces) == 1 else b"".join(pieces)

    cdef int body_came(self, list pieces, Py_ssize_t size, bint complete) except -1:
        """The connection read some of the body, perhaps the last of it."""
        self.continue_due = False
        if pieces is not None:
            if self.pieces is None:
                self.pieces = pieces
            else:
                self.pieces.extend(pieces)
            self.piece_bytes += size
        if complete:
            self.request_state = BODY_THERE
        return self.wake_receivers()

    cdef int body_lost(self) except -1:
        """The client left, or the rest of the body won't be read: from now on ``receive`` tells of a disconnect.

        A body that has come whole can still be received first.
        """
        self.client_left = True
        if self.request_state == BODY_COMING:
            self.request_state = BODY_LOST
            self.pieces = None
        return self.wake_receivers()

    cdef int wake_receivers(self) except -1:
        cdef list receivers = self.receivers
        self.receivers = None
        if receivers is not None:
            for future in receivers:
                if not future.done():
                    future.set_result(None)
        return 0

    # The loss of the client.

    @property
    def hung_up(self):
        """Has the client closed its end altogether? Known once something was sent to it afterwards."""
        return self.carrier is None or self.carrier.lost or atlas_socket_hung_up(self.carrier.fd)

    def watch_loss(self, future):
        """Have ``future`` (an asyncio.Future) done when the client is lost."""
        if self.carrier is None or self.carrier.lost:
            future.set_result(None)
        elif self.carrier.waiters is None:
            self.carrier.waiters = [future]
        else:
            self.carrier.waiters.append(future)

    def unwatch_loss(self, future):
        """Undo :meth:`watch_loss`."""
        if self.carrier is not None and self.carrier.waiters is not None and future in self.carrier.waiters:
            self.carrier.waiters.remove(future)

    def abort(self):
        """Give the client up: the connection is reset."""
        if self.carrier is not None and not self.carrier.lost:
            self.carrier.lost = True
            self.carrier.transport.abort()
