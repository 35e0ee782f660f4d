"""A buffered response, and the encoding of its head.

Status lines and common content types are encoded once. A response object that is sent repeatedly, such as a constant
page, caches its encoded head.

A controller may return the same object for every request. What middleware adds belongs to one of them, so each step of a
chain passes its response through :func:`owned`, which copies an object that other code refers to.

Here is also :class:`Printer`, through which every value passes that a template prints.
"""

import copyreg

from cpython.bytes cimport PyBytes_GET_SIZE
from cpython.object cimport PyObject_Str
from cpython.ref cimport Py_REFCNT
from cpython.unicode cimport PyUnicode_AsUTF8String

from atlas._speedups.http.exchange cimport NO_RESPONSE, Exchange
from atlas._speedups.http.response_stream cimport FieldLine, HeadFacts, field_pairs, final_status, forbids_body


cdef extern from "Python.h":
    ctypedef struct PyAsyncMethods:
        void *am_await
        void *am_anext

    ctypedef struct PyTypeObject:
        PyAsyncMethods *tp_as_async

    PyTypeObject *Py_TYPE(object value) noexcept


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


cdef object own(object response):
    """Return a response that only the caller refers to, so that it may be changed: the response itself, or a copy if
    there are references beside that of the caller. A module, a cache or an attribute that has the object holds one.
    Any other object is returned as it is."""
    if Py_REFCNT(response) == 1 or not isinstance(response, BaseResponse):
        return response
    return response.__copy__()


def owned(response, /):
    """Return a response that only the caller refers to, so that it may be changed.

    :param response: the result of a call, and not a variable, which is a reference of its own.
    :returns: the response itself if there is no other reference to it, else a copy. Any other object is returned as it is.
    """
    return own(response)  # positional-only: an argument that may have a name is referred to once more


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
        """The header fields: a list of pairs (name, value) in bytes, which may be changed in place. A list that is set
        is copied: it may be a constant of a module."""
        self.mark_shared()
        return self.field_list()

    @raw_headers.setter
    def raw_headers(self, list fields not None):
        self.mark_shared()
        self.fields = fields.copy()

    cdef void mark_shared(self) noexcept:
        """Disable the cached head: other code has the list of fields, and may change it."""
        self.sent_count = -1
        self.cached_head = None
        self.original = None

    cdef list field_list(self):
        if self.fields is None:
            self.fields = [] if self.type_line is None else [self.type_line.pair]
        return self.fields

    cdef int send_to(self, Exchange exchange) except -1:
        """Send the response to an exchange. Raises what ``exchange.send`` raises."""
        cdef int status = final_status(self.status_code)
        cdef BaseResponse keeper = self if self.original is None else self.original
        cdef bytes body
        exchange.check_sendable("a response")
        if exchange.response_state != NO_RESPONSE:
            raise RuntimeError("expected one response, got a second one")
        body = self.sent_body()
        if (
            keeper.cached_head is not None and keeper.cached_status == status and keeper.cached_body is self.body
            and exchange.stream.keeps_heads
        ):
            exchange.hold_encoded(status, keeper.cached_head, &keeper.cached_facts)
        else:
            self.hold_head(exchange, status, body, keeper)
        if exchange.state.access_records is not None and exchange.state.access_records.line is None:
            exchange.response_headers = self.sent_fields(&exchange.facts)
        return exchange.send_whole(body)

    cdef int hold_head(self, Exchange exchange, int status, bytes body, BaseResponse keeper) except -1:
        """Encode the head; cache it in ``keeper`` if it is sent for the second time."""
        if self.fields is None:
            exchange.hold_head(status, self.type_line, None)
        else:
            exchange.hold_head(status, None, field_pairs(self.fields))
        if not exchange.facts.has_length and not forbids_body(status):
            exchange.stream.hold_length(&exchange.facts, PyBytes_GET_SIZE(body))
        if keeper.sent_count == 1 and exchange.stream.keeps_heads and type(self.body) is bytes:
            keeper.cached_head = exchange.stream.held_head()
            keeper.cached_status = status
            keeper.cached_body = self.body
            keeper.cached_facts = exchange.facts
        elif keeper.sent_count == 0:
            keeper.sent_count = 1
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

    def __copy__(self):
        """Copy the response for one answer. The body is shared; of the attributes of a subclass, lists, dicts and sets are
        copied. A subclass with other attributes that it changes in place overrides this."""
        cdef BaseResponse other = <BaseResponse?>BaseResponse.__new__(type(self))
        other.status_code, other.body, other.pending = self.status_code, self.body, self.pending
        other.type_line = self.type_line
        other.fields = None if self.fields is None else list(self.fields)
        other.sent_count = self.sent_count
        if self.sent_count >= 0:
            other.original = self if self.original is None else self.original
        for name, value in self.own_attributes().items():
            setattr(other, name, value.copy() if type(value) in (list, dict, set) else value)
        return other

    cdef dict own_attributes(self):
        """Return the attributes of a subclass, from its slots and its ``__dict__``."""
        cdef object kind = type(self)
        cdef dict found = {}
        for name in copyreg._slotnames(kind):
            if hasattr(self, name):
                found[name] = getattr(self, name)
        if kind.__dictoffset__:
            found.update((<object>self).__dict__)
        return found

    def __reduce_ex__(self, protocol):
        """Pickle or deep-copy the response without its cached head."""
        state = (self.status_code, self.body, list(self.field_list()), self.own_attributes())
        return copyreg.__newobj__, (type(self),), state

    def __setstate__(self, state):
        self.status_code, self.body, self.fields, attributes = state
        for name, value in attributes.items():
            setattr(self, name, value)

    cdef bytes sent_body(self):
        """Return the body in bytes; empty if the status forbids one (RFC 9110, section 6.4.1).

        :raises TypeError: if the body is not bytes-like.
        """
        cdef object body = self.body
        if type(body) is not bytes:
            if not isinstance(body, (bytes, bytearray, memoryview)):
                raise TypeError(f"expected the body of a response in bytes, got {type(body).__name__}")
            body = bytes(body)
        return b"" if forbids_body(final_status(self.status_code)) else <bytes>body


cdef class Printer:
    """Prepares the values that templates print.

    :param refuse: called with a value that has to be awaited, or iterated over by ``async for``; it raises.
    """

    def __init__(self, refuse not None):
        self.refuse = refuse

    def prepare(self, value, /):
        """Return a value as it is printed (``finalize`` of Jinja2).

        Numbers are converted here: what escapes the result asks other types than str for ``__html__`` first.
        """
        cdef PyAsyncMethods *slots
        if type(value) is int or type(value) is float:
            return PyObject_Str(value)
        slots = Py_TYPE(value).tp_as_async
        if slots is not NULL and (slots.am_await is not NULL or slots.am_anext is not NULL):
            self.refuse(value)
        return value
