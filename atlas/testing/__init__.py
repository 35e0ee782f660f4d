"""Floor 4: clients that ask an application without a socket, a thread or another process between test and controller.

:class:`~atlas.testing.client.TestClient` is for plain tests, :class:`~atlas.testing.async_client.AsyncTestClient` for
tests that run in a loop already. Arguments and the names of the response are those of httpx. Any ASGI 3 application
can be asked, not only Atlas's.

Each name is imported when it is first asked for: the plugin stands in this room, and every pytest loads it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from atlas.testing.async_client import AsyncTestClient
    from atlas.testing.client import TestClient
    from atlas.testing.response import AsyncStreamedResponse, HTTPStatusError, Response, StreamedResponse

__all__ = ["AsyncStreamedResponse", "AsyncTestClient", "HTTPStatusError", "Response", "StreamedResponse", "TestClient"]

_ROOM_OF = {"AsyncTestClient": "async_client", "TestClient": "client"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'atlas.testing' has no attribute {name!r}")
    value = getattr(import_module(f"atlas.testing.{_ROOM_OF.get(name, 'response')}"), name)
    globals()[name] = value
    return value
