"""A minimal ASGI application without a framework: ``atlas serve asgi_hello:app``."""

from __future__ import annotations

from typing import Any

BODY = b"Hello, world!\n"
HEADERS = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(BODY))]


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Answer every request with the same text. The application has no lifespan."""
    if scope["type"] != "http":
        raise RuntimeError(f"expected a scope of type 'http', got {scope['type']!r}")
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": BODY})
