"""The application that reads the requests of a suite: a response means that the whole request was accepted."""

from __future__ import annotations

from typing import Any


async def read(scope: Any, receive: Any, send: Any) -> None:
    """Read the body to its end, and respond. Return without a response if the client disconnects before."""
    if scope["type"] != "http":
        raise RuntimeError(f"expected a request, got {scope['type']}")
    more = True
    while more:
        event = await receive()
        if event["type"] != "http.request":
            return
        more = event.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})
