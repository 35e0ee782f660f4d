"""A response whose body is there at once, and how its head becomes bytes.

What is the same in most responses is encoded once: status lines and the usual content types. A response that is sent
again as it was, such as a constant page, keeps its whole head in bytes.
"""

import copyreg

cimport cython
from cpython.bytes cimport PyBytes_GET_SIZE
from cpython.unicode cimport PyUnicode_AsUTF8String

from atlas._speedups.http.exchange cimport NO_RESPONSE, Exchange
from atlas._speedups.http.response_stream cimport FieldLine, HeadFacts, field_pairs, final_status, forbids_body


cdef dict USUAL = {
    kind: FieldLine("content-type", kind)
    for kind in (
        "text/html; charset=utf-8",
        "text/plain; charset=utf-8",
        "application/json",
        "application/problem+json",
        "application/octet-stream",
    )
}


cdef bint frames(list fields) except -1:
    """Do the fields say how long the body is?"""
    for name, _ in fields:
        if len(name) in (14, 17) and name.lower() in (b"content-length", b"transfer-encoding"):
            return True
    return False


cdef class BaseResponse:
    """Base of every response: status, body and header fields.

    A subclass has ``content_type``, which counts where none is given; ``headers``, a mapping over ``raw_headers``; and
    may override ``encode(content)``.

    :param content: what ``encode`` makes bytes of.
    :param headers: fields beside the content type; one of the same name takes its place.
    :param content_type: "" for none at all.
    :ivar pending: whether ``complete(request)`` has to be awaited before status, fields and body are there.
    """

    content_type = ""

    def __init__(self, content=b"", status_code=200, headers=None, *, content_type=None):
        cdef int times
        self.status_code = status_code
        self.set_kind((<object>self).content_type if content_type is None else content_type)
        self.times = 0  # only this method has seen the fields
        self.body = self.encode(content)  # which may set fields, and keep their list
        if headers:
            times = self.times
            (<object>self).headers.update(headers)
            self.times = times

    def encode(self, content):
        """The bytes of the content. :raises TypeError: for what is neither bytes nor str."""
        if type(content) is str:
            return PyUnicode_AsUTF8String(content)
        if isinstance(content, bytes):
            return content
        if isinstance(content, str):
            return content.encode()
        raise TypeError(f"{type(self).__name__}: expected bytes or str, got {type(content).__name__}")

    cdef int set_kind(self, object kind) except -1:
        self.kind = USUAL.get(kind)
        if self.kind is None:
            self.fields = []
            if kind:
                (<object>self).headers["content-type"] = kind
        return 0

    @property
    def raw_headers(self):
        """The header fields as a list of (name, value) in bytes, to be changed in place."""
        self.expose()
        return self.pairs()

    @raw_headers.setter
    def raw_headers(self, list fields not None):
        self.expose()
        self.fields = fields

    cdef void expose(self) noexcept:
        """From now on somebody else may change the fields."""
        self.times = -1
        self.prepared = None

    cdef list pairs(self):
        if self.fields is None:
            self.fields = [] if self.kind is None else [self.kind.pair]
        return self.fields

    cdef int send_to(self, Exchange exchange) except -1:
        """Send it as the whole response of an exchange. Raises as ``exchange.send`` does."""
        cdef int status = final_status(self.status_code)
        cdef bytes body
        exchange.check_sendable("a response")
        if exchange.response_state != NO_RESPONSE:
            raise RuntimeError("expected one response, got a second one")
        body = self.sent_body()
        if (
            self.prepared is not None and self.prepared_status == status and self.prepared_body is self.body
            and exchange.stream.keeps_heads
        ):
            exchange.hold_encoded(status, self.prepared, &self.prepared_facts)
        else:
            self.hold_head(exchange, status, body)
        if exchange.state.access_records is not None and exchange.state.access_records.line is None:
            exchange.response_headers = self.sent_fields(&exchange.facts)
        return exchange.send_whole(body)

    cdef int hold_head(self, Exchange exchange, int status, bytes body) except -1:
        """Encode the head; one that is sent a second time keeps its bytes."""
        if self.fields is None:
            exchange.hold_head(status, self.kind, None)
        else:
            exchange.hold_head(status, None, field_pairs(self.fields))
        if not exchange.facts.has_length and not forbids_body(status):
            exchange.stream.hold_length(&exchange.facts, PyBytes_GET_SIZE(body))
        if self.times == 1 and exchange.stream.keeps_heads:
            self.prepared = exchange.stream.held_head()
            self.prepared_status = status
            self.prepared_body = self.body
            self.prepared_facts = exchange.facts
        elif self.times == 0:
            self.times = 1
        return 0

    cdef list sent_fields(self, HeadFacts* facts):
        """The fields as they were sent, in a list of their own: the response may be sent again, with others."""
        cdef list fields = list(self.pairs())
        if facts.has_length and not any([name.lower() == b"content-length" for name, _ in fields]):
            fields.append((b"content-length", b"%d" % facts.length))
        return fields

    def events(self, method):
        """The two ASGI events that send it in answer to ``method``.

        The body of a HEAD stays here, its length does not (RFC 9110, section 9.3.2).
        """
        own = <object>self  # a subclass may have properties in the place of these three
        cdef list fields = list(own.raw_headers)
        status, body = own.status_code, own.body
        if status < 200 or status == 204 or status == 304:
            body = b""
        elif not frames(fields):
            fields.append((b"content-length", b"%d" % len(body)))
        start = {"type": "http.response.start", "status": status, "headers": fields}
        return start, {"type": "http.response.body", "body": b"" if method == "HEAD" else body}

    def __reduce_ex__(self, protocol):
        """Copied and pickled as what it is, without what was prepared for sending."""
        slots = {name: getattr(self, name) for name in copyreg._slotnames(type(self)) if hasattr(self, name)}
        state = (self.status_code, self.body, list(self.pairs()), slots, getattr(self, "__dict__", {}))
        return copyreg.__newobj__, (type(self),), state

    def __setstate__(self, state):
        self.status_code, self.body, self.fields, slots, attributes = state
        for name, value in {**slots, **attributes}.items():
            setattr(self, name, value)

    cdef bytes sent_body(self):
        """The body, checked; one that must not be sent is empty (RFC 9110, section 6.4.1)."""
        if type(self.body) is not bytes:
            if not isinstance(self.body, (bytes, bytearray, memoryview)):
                raise TypeError(f"expected the body of a response in bytes, got {type(self.body).__name__}")
            self.body = bytes(self.body)
        return b"" if forbids_body(final_status(self.status_code)) else <bytes>self.body
