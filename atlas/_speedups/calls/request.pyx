"""A request as an application sees it: over an exchange, or over an ASGI scope.

Most requests never ask for their scope. What they do ask for is read off the exchange then, and the scope is made for
the first one who wants it: everybody gets the same dict, with all that was noted about the request until then. Where
there is a scope, it is what counts: a middleware may have changed it.
"""

from urllib.parse import quote


cdef class RequestData:
    """Base of the requests of the web half.

    :param app: the application. :param scope: an ASGI scope of type "http". :param receive: ASGI's ``receive``.
    :param route: the route; None where none was found. :param values: the path parameters, converted.
    """

    def __init__(self, app, dict scope not None, receive, route=None, tuple values not None=()):
        self.app = app
        self.given_scope = scope
        self.given_receive = receive
        self.route = route
        self._values = values

    cdef int begin(self, object app, object route, tuple values, Exchange exchange) except -1:
        """Be a request of our own server's: takes the place of ``__init__``."""
        self.app = app
        self.route = route
        self._values = values
        self.exchange = exchange
        return 0

    def seen_as(self, kind):
        """The same request as one of the other kind, for a handler of the other colour. What was read stays read."""
        cdef RequestData other
        if type(self) is kind:
            return self
        if self._read is None:
            self._read = {}
        other = <RequestData?>kind.__new__(kind)
        other.app, other.route, other._values = self.app, self.route, self._values
        other.exchange, other.given_scope, other.given_receive = self.exchange, self.given_scope, self.given_receive
        other._body, other._read = self._body, self._read
        return other

    # The scope, and what is in it or would be.

    @property
    def scope(self):
        """The ASGI scope."""
        return self.given_scope if self.exchange is None else self.exchange.whole_scope()

    @property
    def _notes(self):
        """What is in the scope beside what the server has put there; or will be, if it is ever made."""
        return self.given_scope if self.exchange is None else self.exchange.get_notes()

    @property
    def _receive(self):
        return self.given_receive if self.exchange is None else self.exchange.receive

    @property
    def _state(self):
        """The dict behind ``state``."""
        cdef dict notes = self._notes
        state = notes.get("state")
        if state is None:
            state = {}
            if self.exchange is not None and self.exchange.state.state is not None:
                state.update(self.exchange.state.state)
            notes["state"] = state
        return state

    cdef dict looked_at(self):
        """The scope, where there is one; None where the exchange can be asked."""
        if self.exchange is None:
            return self.given_scope
        return self.exchange.scope_dict

    @property
    def method(self):
        """``GET``, ``POST`` ..."""
        cdef dict scope = self.looked_at()
        return self.exchange.head.method if scope is None else scope["method"]

    @property
    def path(self):
        """The path, percent-decoded."""
        cdef dict scope = self.looked_at()
        return self.exchange.state.full_path(self.exchange.head) if scope is None else scope["path"]

    @property
    def raw_path(self):
        """The path as it came, percent-encoded."""
        cdef dict scope = self.looked_at()
        if scope is None:
            return self.exchange.state.full_raw_path(self.exchange.head)
        raw = scope.get("raw_path")
        return bytes(raw).partition(b"?")[0] if raw is not None else quote(scope["path"]).encode("ascii")

    @property
    def query_string(self):
        """The query, percent-encoded, as bytes; empty where there is none."""
        cdef dict scope = self.looked_at()
        return self.exchange.head.query_string if scope is None else scope.get("query_string", b"")

    @property
    def scheme(self):
        """``http`` or ``https``."""
        cdef dict scope = self.looked_at()
        return self.exchange.get_scheme() if scope is None else scope.get("scheme", "http")

    @property
    def http_version(self):
        """``1.0``, ``1.1``, ``2`` or ``3``."""
        cdef dict scope = self.looked_at()
        return self.exchange.head.http_version if scope is None else scope.get("http_version", "1.1")

    @property
    def root_path(self):
        """The prefix under which a proxy shows the application, decoded; "" for none."""
        cdef dict scope = self.looked_at()
        if scope is None:
            return self.exchange.state.root_path or ""
        return scope.get("root_path", "")

    @property
    def client(self):
        """Address and port of the client, where the server knows them."""
        cdef dict scope = self.looked_at()
        cdef object client = self.exchange.client_address() if scope is None else scope.get("client")
        return (client[0], client[1]) if client else None

    @property
    def _server(self):
        cdef dict scope = self.looked_at()
        return self.exchange.server_address() if scope is None else scope.get("server")

    @property
    def _fields(self):
        """The header fields, as a list of pairs in bytes."""
        cdef dict scope = self.looked_at()
        return self.exchange.head.headers if scope is None else scope["headers"]

    # The body.

    @property
    def announces_body(self):
        """Whether a body may come. One with GET or HEAD has to say so (RFC 9112 6); else there is no need to look."""
        if self.exchange is not None:
            return self.exchange.head.has_body
        if self.given_scope["method"] not in ("GET", "HEAD"):
            return True
        for name, _ in self.given_scope["headers"]:
            if name in (b"content-length", b"transfer-encoding"):
                return True
        return False

    def _whole_body(self, long long limit):
        """The body, if it is there already, has at most ``limit`` bytes, and nobody has begun to read it; else None."""
        cdef bytes body
        if self._body is None and self.exchange is not None and self.exchange.body_waiting() <= limit:
            if self._read is None or ("body" not in self._read and "streamed" not in self._read):
                body = self.exchange.get_body().take_whole()
                if body is not None:
                    self._body = body
                    if self._read is not None:
                        self._read["body"] = body
        return self._body
