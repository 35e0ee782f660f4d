"""Floor 4: clients that ask an application without a socket, a thread or another process between test and controller.

:class:`~atlas.testing.client.TestClient` is for plain tests, :class:`~atlas.testing.async_client.AsyncTestClient` for
tests that run in a loop already. Arguments and the names of the response are those of httpx. Any ASGI 3 application
can be asked, not only Atlas's.
"""

from __future__ import annotations

from atlas.testing.async_client import AsyncTestClient
from atlas.testing.client import TestClient
from atlas.testing.response import AsyncStreamedResponse, HTTPStatusError, Response, StreamedResponse

__all__ = ["AsyncStreamedResponse", "AsyncTestClient", "HTTPStatusError", "Response", "StreamedResponse", "TestClient"]
