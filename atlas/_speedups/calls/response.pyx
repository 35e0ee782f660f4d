"""A buffered response, and the encoding of its head.

Status lines and common content types are encoded once. A response object that is sent repeatedly, such as a constant
page, caches its encoded head.
"""

import copyreg

cimport cython
from cpython.bytes cimport PyBytes_GET_SIZE
from cpython.unicode cimport PyUnicode_AsUTF8String

from atlas._speedups.http.exchange cimport NO_RESPONSE, Exchange
from atlas._speedups.http.response_stream cimport FieldLine, HeadFacts, field_pairs, final_status, forbids_body


cdef dict COMMON_CONTENT_TYPES = {
    kind: FieldLine("content-type", kind)
    for kind in (
        "text/html; charset=utf-8",
        "text/plain; charset=utf-8",
        "application/json",
        "application/problem+json",
        "application/octet-stream",
    )
}


cdef bint has_framing(list fields) except -1:
    """Whether the fields contain ``content-length`` or ``transfer-encoding``."""
    for name, _ in fields:
        if len(name) in (14, 17) and name.lower() in (b"content-length", b"transfer-encoding"):
            return True
    return False


cdef class BaseResponse:
    """Base of all responses: status, header fields and body.

    A subclass has ``content_type``, the default content type, and ``headers``, a mapping over ``raw_headers``. It may
    override ``encode(content)``.

    :param content: the body before ``encode``, default ``b""``.
    :param status_code: default 200.
    :param headers: header fields, a mapping; ``content-type`` replaces the content type. Default None.
    :param content_type: None, the default, for that of the class; "" for no content type.
    :raises TypeError: for content that ``encode`` does not support.
    :ivar pending: whether ``complete(request)`` has to be awaited before the response is sent.
    """

    content_type = ""

    def __init__(self, content=b"", status_code=200, headers=None, *, content_type=None):
        cdef int sent_count
        self.status_code = status_code
        self.set_content_type((<object>self).content_type if content_type is None else content_type)
        self.sent_count = 0  # no other code has the list of fields
        self.body = self.encode(content)  # may set fields, and keep the list
        if headers:
            times = self.sent_count
            (<object>self).headers.update(headers)
            self.sent_count = times

    def encode(self, content):
        """Encode the content.

        :param content: a str, encoded as UTF-8, or bytes.
        :raises TypeError: for any other type.
        """
        if type(content) is str:
            return PyUnicode_AsUTF8String(content)
        if isinstance(content, bytes):
            return content
        if isinstance(content, str):
            return content.encode()
        raise TypeError(f"{type(self).__name__}: expected bytes or str, got {type(content).__name__}")

    cdef int set_content_type(self, object kind) except -1:
        self.type_line = COMMON_CONTENT_TYPES.get(kind)
        if self.type_line is None:
            self.fields = []
            if kind:
                (<object>self).headers["content-type"] = kind
        return 0

    @property
    def raw_headers(self):
        """The header fields: a list of pairs (name, value) in bytes, which may be changed in place."""
        self.mark_shared()
        return self.field_list()

    @raw_headers.setter
    def raw_headers(self, list fields not None):
        self.mark_shared()
        self.fields = fields

    cdef void mark_shared(self) noexcept:
        """Disable the cached head: other code has the list of fields, and may change it."""
        self.sent_count = -1
        self.cached_head = None

    cdef list field_list(self):
        if self.fields is None:
            self.fields = [] if self.type_line is None else [self.type_line.pair]
        return self.fields

    cdef int send_to(self, Exchange exchange) except -1:
        """Send the response to an exchange. Raises what ``exchange.send`` raises."""
        cdef int status = final_status(self.status_code)
        cdef bytes body
        exchange.check_sendable("a response")
        if exchange.response_state != NO_RESPONSE:
            raise RuntimeError("expected one response, got a second one")
        body = self.sent_body()
        if (
            self.cached_head is not None and self.cached_status == status and self.cached_body is self.body
            and exchange.stream.keeps_heads
        ):
            exchange.hold_encoded(status, self.cached_head, &self.cached_facts)
        else:
            self.hold_head(exchange, status, body)
        if exchange.state.access_records is not None and exchange.state.access_records.line is None:
            exchange.response_headers = self.sent_fields(&exchange.facts)
        return exchange.send_whole(body)

    cdef int hold_head(self, Exchange exchange, int status, bytes body) except -1:
        """Encode the head; cache it if it is sent for the second time."""
        if self.fields is None:
            exchange.hold_head(status, self.type_line, None)
        else:
            exchange.hold_head(status, None, field_pairs(self.fields))
        if not exchange.facts.has_length and not forbids_body(status):
            exchange.stream.hold_length(&exchange.facts, PyBytes_GET_SIZE(body))
        if self.sent_count == 1 and exchange.stream.keeps_heads:
            self.cached_head = exchange.stream.held_head()
            self.cached_status = status
            self.cached_body = self.body
            self.cached_facts = exchange.facts
        elif self.sent_count == 0:
            self.sent_count = 1
        return 0

    cdef list sent_fields(self, HeadFacts* facts):
        """Return a copy of the fields as they were sent, for the access log."""
        cdef list fields = list(self.field_list())
        if facts.has_length and not any([name.lower() == b"content-length" for name, _ in fields]):
            fields.append((b"content-length", b"%d" % facts.length))
        return fields

    def events(self, method):
        """Return the two ASGI events that send the response.

        :param method: the method of the request. The response to HEAD has no body, but its length (RFC 9110, section
            9.3.2).
        """
        own = <object>self  # a subclass may override these three attributes with properties
        cdef list fields = list(own.raw_headers)
        status, body = own.status_code, own.body
        if status < 200 or status == 204 or status == 304:
            body = b""
        elif not has_framing(fields):
            fields.append((b"content-length", b"%d" % len(body)))
        start = {"type": "http.response.start", "status": status, "headers": fields}
        return start, {"type": "http.response.body", "body": b"" if method == "HEAD" else body}

    def __reduce_ex__(self, protocol):
        """Copy or pickle the response without its cached head."""
        slots = {name: getattr(self, name) for name in copyreg._slotnames(type(self)) if hasattr(self, name)}
        state = (self.status_code, self.body, list(self.field_list()), slots, getattr(self, "__dict__", {}))
        return copyreg.__newobj__, (type(self),), state

    def __setstate__(self, state):
        self.status_code, self.body, self.fields, slots, attributes = state
        for name, value in {**slots, **attributes}.items():
            setattr(self, name, value)

    cdef bytes sent_body(self):
        """Return the body in bytes; empty if the status forbids one (RFC 9110, section 6.4.1).

        :raises TypeError: if the body is not bytes-like.
        """
        if type(self.body) is not bytes:
            if not isinstance(self.body, (bytes, bytearray, memoryview)):
                raise TypeError(f"expected the body of a response in bytes, got {type(self.body).__name__}")
            self.body = bytes(self.body)
        return b"" if forbids_body(final_status(self.status_code)) else <bytes>self.body
