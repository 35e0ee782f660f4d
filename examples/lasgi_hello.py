"""Sync code that waits: LASGI, which is ASGI without ``async`` and ``await``.

Serve it by ``atlas serve lasgi_hello:app``. ``curl -d "0.5" http://127.0.0.1:8000/`` is answered after half a second.
Other requests are served meanwhile.
"""

from __future__ import annotations

import asyncio
from typing import Any

from atlas import await_

HEADERS = [(b"content-type", b"text/plain; charset=utf-8")]


def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Answer after the number of seconds in the request body."""
    if scope["type"] == "lifespan":
        lifespan(receive, send)
        return
    try:
        seconds = float(read(receive) or 0)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= 60:
        answer(send, 400, b"Send a number of seconds, 60 at most.\n")
        return
    await_(asyncio.sleep(seconds))
    answer(send, 200, b"Hello, after %g seconds!\n" % seconds)


def lifespan(receive: Any, send: Any) -> None:
    """Complete startup and shutdown."""
    receive()
    send({"type": "lifespan.startup.complete"})
    receive()
    send({"type": "lifespan.shutdown.complete"})


def read(receive: Any) -> bytes:
    """Return the request body, which may arrive in several events."""
    body, more = b"", True
    while more:
        event = receive()
        body += event.get("body", b"")
        more = event.get("more_body", False)
    return body


def answer(send: Any, status: int, text: bytes) -> None:
    send({"type": "http.response.start", "status": status, "headers": HEADERS})
    send({"type": "http.response.body", "body": text})
