"""The request object of an application, over an exchange or over an ASGI scope.

Most controllers do not use the scope of a request. Over an exchange, the attributes of a request are read from the
exchange, and the first access to ``scope`` creates the scope. Every access returns the same dict. Once the scope
exists, the attributes are read from it, because a middleware may have changed it.
"""

from urllib.parse import quote

cimport cython

from atlas._speedups.http cimport request_head


@cython.final
@cython.freelist(64)
cdef class RequestCache:
    """The body and the parsed values of one request, shared by the sync and the async form of the request.

    :ivar query: the parsed query string; None before the first access.
    :ivar cookies: the parsed cookies; None before the first access.
    :ivar form: the parsed form; None before the first access.
    :ivar body: the whole body; None before it was read, and if it was read in chunks.
    :ivar ahead: the reader of a body of which a part was read that can be read again; None if no part was.
    :ivar streamed: whether the body is read in chunks, so that ``body`` stays None.
    :ivar disconnected: whether the client is known to have disconnected.
    :ivar no_match: why no route matches; None if one does.
    """


cdef class RequestData:
    """Base of :class:`atlas.web.requests.request.Request` and :class:`~atlas.web.requests.request.AsyncRequest`.

    :param app: the application.
    :param scope: an ASGI scope of type ``http``.
    :param receive: ASGI's ``receive``.
    :param route: the route; None, the default, if no route matches.
    :param values: the values of the path parameters, default ``()``.
    """

    def __init__(self, app, dict scope not None, receive, route=None, tuple values not None=()):
        self.app = app
        self.given_scope = scope
        self.given_receive = receive
        self.route = route
        self._values = values

    cdef int init(self, object app, object route, tuple values, Exchange exchange) except -1:
        """Initialize a request over an exchange; called instead of ``__init__``."""
        self.app = app
        self.route = route
        self._values = values
        self.exchange = exchange
        return 0

    def as_type(self, kind):
        """Return the request as an object of another class, which shares the cache.

        :param kind: the class: ``Request`` or ``AsyncRequest``.
        """
        cdef RequestData other
        if type(self) is kind:
            return self
        other = <RequestData?>kind.__new__(kind)
        other.app, other.route, other._values = self.app, self.route, self._values
        other.exchange, other.given_scope, other.given_receive = self.exchange, self.given_scope, self.given_receive
        other.cache = self.get_cache()
        return other

    cdef RequestCache get_cache(self):
        if self.cache is None:
            self.cache = RequestCache.__new__(RequestCache)
        return self.cache

    @property
    def _cache(self):
        """The :class:`RequestCache`, created by the first access."""
        return self.get_cache()

    @_cache.setter
    def _cache(self, RequestCache cache not None):
        self.cache = cache

    @property
    def _body(self):
        """The whole body, if it was read and kept; else None."""
        return None if self.cache is None else self.cache.body

    # The scope, and its entries.

    @property
    def scope(self):
        """The ASGI scope. An encoded slash stays encoded in its path, as for the router."""
        cdef dict scope = self.existing_scope()
        if scope is None:
            scope = self.exchange.whole_scope()
            if self.exchange.head.escaped:
                scope["path"] = self.decoded_path()
        return scope

    @property
    def _notes(self):
        """The entries that middleware and Atlas have added to the scope. A dict; the scope itself if it exists."""
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

    cdef dict existing_scope(self):
        """Return the scope; None if it does not exist, and attributes are read from the exchange."""
        if self.exchange is None:
            return self.given_scope
        return self.exchange.scope_dict

    @property
    def method(self):
        """The HTTP method in upper case."""
        cdef dict scope = self.existing_scope()
        return self.exchange.head.method if scope is None else scope["method"]

    cdef str decoded_path(self):
        """Return the path of the exchange as the router sees it: decoded, except for encoded slashes."""
        if self.exchange.head.escaped:
            return request_head.decode_path(self.exchange.state.full_raw_path(self.exchange.head), True)
        return self.exchange.state.full_path(self.exchange.head)

    @property
    def path(self):
        """The path, percent-decoded. An encoded slash is no separator, and stays encoded: ``%2F``."""
        cdef dict scope = self.existing_scope()
        return self.decoded_path() if scope is None else scope["path"]

    @property
    def raw_path(self):
        """The path, percent-encoded."""
        cdef dict scope = self.existing_scope()
        if scope is None:
            return self.exchange.state.full_raw_path(self.exchange.head)
        raw = scope.get("raw_path")
        return bytes(raw).partition(b"?")[0] if raw is not None else quote(scope["path"]).encode("ascii")

    @property
    def query_string(self):
        """The query string, percent-encoded, as bytes; empty if there is none."""
        cdef dict scope = self.existing_scope()
        return self.exchange.head.query_string if scope is None else scope.get("query_string", b"")

    @property
    def scheme(self):
        """``http`` or ``https``."""
        cdef dict scope = self.existing_scope()
        return self.exchange.scheme if scope is None else scope.get("scheme", "http")

    @property
    def http_version(self):
        """``1.0``, ``1.1``, ``2`` or ``3``."""
        cdef dict scope = self.existing_scope()
        return self.exchange.head.http_version if scope is None else scope.get("http_version", "1.1")

    @property
    def root_path(self):
        """The prefix under which a proxy publishes the application, decoded; "" for none."""
        cdef dict scope = self.existing_scope()
        if scope is None:
            return self.exchange.state.root_path or ""
        return scope.get("root_path", "")

    @property
    def client(self):
        """IP address and port of the client; None if the server does not know them."""
        cdef dict scope = self.existing_scope()
        cdef object client = self.exchange.client if scope is None else scope.get("client")
        return (client[0], client[1]) if client else None

    @property
    def _server(self):
        cdef dict scope = self.existing_scope()
        return self.exchange.connection.server if scope is None else scope.get("server")

    @property
    def _fields(self):
        """The header fields, as a list of pairs in bytes."""
        cdef dict scope = self.existing_scope()
        return self.exchange.head.headers if scope is None else scope["headers"]

    @property
    def content_coding(self):
        """The ``content-encoding`` field; None if there is none, or only ``identity``, which changes nothing."""
        found = None
        if self.existing_scope() is None and not self.exchange.head.has_coding:
            return None
        for name, value in self._fields:
            if name == b"content-encoding":
                found = value.decode("latin-1") if found is None else f"{found}, {value.decode('latin-1')}"
        return None if found is None or found.strip().lower() in ("", "identity") else found

    def _expect_stream(self):
        """The response is a stream, whose first chunk is not there yet. Under the native gateway a client that
        disconnects meanwhile cancels it."""
        if self.exchange is not None:
            (<object>self.exchange.gateway).expect_stream(self.exchange)

    # The body.

    @property
    def may_have_body(self):
        """Whether the request may have a body. With GET and HEAD this needs ``content-length`` or
        ``transfer-encoding`` (RFC 9112, section 6)."""
        if self.exchange is not None:
            return self.exchange.head.has_body
        if self.given_scope["method"] not in ("GET", "HEAD") or (self.cache is not None and self.cache.ahead is not None):
            return True
        for name, _ in self.given_scope["headers"]:
            if name in (b"content-length", b"transfer-encoding"):
                return True
        return False

    def _whole_body(self, long long limit):
        """Return the whole body if it can be had without waiting: it was read before, or has been received completely.

        :param limit: maximum size in bytes of a body that was not read before.
        :returns: the body; else None.
        """
        cdef bytes body
        if self.cache is not None and (self.cache.body is not None or self.cache.streamed or self.cache.ahead is not None):
            return self.cache.body
        if self.exchange is None or self.exchange.body_waiting() > limit:
            return None
        body = self.exchange.get_body().take_whole()
        if body is not None:
            self.get_cache().body = body
        return body


def decode_path(bytes raw_path not None, bint keep_slashes):
    return request_head.decode_path(raw_path, keep_slashes)
