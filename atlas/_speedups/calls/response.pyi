from collections.abc import Callable, Iterable, Mapping
from typing import Any, Self, TypeVar

from atlas.types import Event

_T = TypeVar("_T")

def owned(response: _T, /) -> _T:
    """Return a response that only the caller refers to: the response itself, or a copy if other code has it."""

class BaseResponse:
    content_type: str
    status_code: int
    body: bytes
    raw_headers: list[tuple[bytes, bytes]]
    pending: bool
    def __init__(
        self,
        content: Any = b"",
        status_code: int = 200,
        headers: Mapping[str, str] | Iterable[tuple[str, str]] | None = None,
        *,
        content_type: str | None = None,
    ) -> None: ...
    def events(self, method: str) -> tuple[Event, Event]:
        """Return the two ASGI events that send the response; without a body if ``method`` is HEAD."""

    def encode(self, content: Any) -> bytes:
        """Encode the content, a str or bytes. :raises TypeError: for any other type."""

    def __copy__(self) -> Self:
        """Copy the response for one answer."""

class Printer:
    def __init__(self, refuse: Callable[[Any], object]) -> None: ...
    def prepare(self, value: Any, /) -> Any:
        """Return a value as a template prints it."""
