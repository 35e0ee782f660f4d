from typing import Any, TypeVar

from atlas.types import Receive, Scope

_V = TypeVar("_V", bound=RequestData)

class RequestData:
    app: Any
    route: Any
    _body: bytes | None
    _read: dict[str, Any] | None
    _jobs: list[Any] | None
    _over: bool
    _applications: list[Any] | None
    def __init__(
        self, app: Any, scope: Scope, receive: Receive, route: Any = None, values: tuple[Any, ...] = ()
    ) -> None: ...
    @property
    def _values(self) -> tuple[Any, ...]: ...
    def seen_as(self, kind: type[_V]) -> _V:
        """The same request as one of the other kind, for a handler of the other colour. What was read stays read."""

    @property
    def scope(self) -> Scope:
        """The ASGI scope."""

    @property
    def _notes(self) -> Scope: ...
    @property
    def _receive(self) -> Receive: ...
    @property
    def _state(self) -> dict[str, Any]: ...
    @property
    def method(self) -> str:
        """``GET``, ``POST`` ..."""

    @property
    def path(self) -> str:
        """The path, percent-decoded."""

    @property
    def raw_path(self) -> bytes:
        """The path as it came, percent-encoded."""

    @property
    def query_string(self) -> bytes:
        """The query, percent-encoded; empty where there is none."""

    @property
    def scheme(self) -> str:
        """``http`` or ``https``."""

    @property
    def http_version(self) -> str:
        """``1.0``, ``1.1``, ``2`` or ``3``."""

    @property
    def root_path(self) -> str:
        """The prefix under which a proxy shows the application, decoded; "" for none."""

    @property
    def client(self) -> tuple[str, int] | None:
        """Address and port of the client, where the server knows them."""

    @property
    def _server(self) -> tuple[str, int | None] | None: ...
    @property
    def _fields(self) -> list[tuple[bytes, bytes]]: ...
    @property
    def announces_body(self) -> bool:
        """Whether a body may come. One with GET or HEAD has to say so (RFC 9112 6); else there is no need to look."""

    def _whole_body(self, limit: int) -> bytes | None: ...
