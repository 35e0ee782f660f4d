from typing import Any, TypeVar, final

from atlas.types import Receive, Scope

_V = TypeVar("_V", bound=RequestData)

@final
class RequestCache:
    query: Any
    cookies: Any
    form: Any
    body: bytes | None
    ahead: Any
    streamed: bool
    disconnected: bool
    no_match: Any

class RequestData:
    app: Any
    route: Any
    _cache: RequestCache
    _background_tasks: list[Any] | None
    _finished: bool
    _application_tasks: list[Any] | None
    def __init__(
        self, app: Any, scope: Scope, receive: Receive, route: Any = None, values: tuple[Any, ...] = ()
    ) -> None: ...
    @property
    def _body(self) -> bytes | None: ...
    @property
    def _values(self) -> tuple[Any, ...]: ...
    def as_type(self, kind: type[_V]) -> _V:
        """Return the request as an object of another class, which shares the cache."""

    @property
    def scope(self) -> Scope:
        """The ASGI scope. An encoded slash stays encoded in its path, as for the router."""

    @property
    def _notes(self) -> Scope: ...
    @property
    def _receive(self) -> Receive: ...
    @property
    def _state(self) -> dict[str, Any]: ...
    @property
    def method(self) -> str:
        """The HTTP method in upper case."""

    @property
    def path(self) -> str:
        """The path, percent-decoded. An encoded slash is no separator, and stays encoded: ``%2F``."""

    @property
    def raw_path(self) -> bytes:
        """The path, percent-encoded."""

    @property
    def query_string(self) -> bytes:
        """The query string, percent-encoded; empty if there is none."""

    @property
    def scheme(self) -> str:
        """``http`` or ``https``."""

    @property
    def http_version(self) -> str:
        """``1.0``, ``1.1``, ``2`` or ``3``."""

    @property
    def root_path(self) -> str:
        """The prefix under which a proxy publishes the application, decoded; "" for none."""

    @property
    def client(self) -> tuple[str, int] | None:
        """IP address and port of the client; None if the server does not know them."""

    @property
    def _server(self) -> tuple[str, int | None] | None: ...
    @property
    def _fields(self) -> list[tuple[bytes, bytes]]: ...
    @property
    def content_coding(self) -> str | None:
        """The ``content-encoding`` field; None if there is none, or only ``identity``, which changes nothing."""

    def _expect_stream(self) -> None: ...
    @property
    def may_have_body(self) -> bool:
        """Whether the request may have a body. With GET and HEAD this needs a field that announces it."""

    def _whole_body(self, limit: int) -> bytes | None: ...

def decode_path(raw_path: bytes, keep_slashes: bool) -> str:
    """Decode a path: percent-decoded, then read as UTF-8; what is not UTF-8 becomes U+FFFD.

    :param raw_path: percent-encoded.
    :param keep_slashes: whether an encoded slash stays encoded, as ``%2F``.
    """
