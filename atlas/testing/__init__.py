"""Test clients, which call an ASGI application without a socket, a thread or another process, and a pytest plugin.

:class:`~atlas.testing.client.TestClient` is for sync tests, :class:`~atlas.testing.async_client.AsyncTestClient` for
tests that are coroutines. The arguments of requests and the attributes of responses are those of httpx. The application
may be any ASGI 3 application.

The names are imported at first use, because pytest imports this package for its plugin.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from atlas.testing.async_client import AsyncTestClient
    from atlas.testing.client import TestClient
    from atlas.testing.response import AsyncStreamedResponse, HTTPStatusError, Response, StreamedResponse

__all__ = ["AsyncStreamedResponse", "AsyncTestClient", "HTTPStatusError", "Response", "StreamedResponse", "TestClient"]

_MODULES = {"AsyncTestClient": "async_client", "TestClient": "client"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'atlas.testing' has no attribute {name!r}")
    value = getattr(import_module(f"atlas.testing.{_MODULES.get(name, 'response')}"), name)
    globals()[name] = value
    return value
