"""The raw ASGI applications behind the scenarios: no framework, as little Python as the scenario allows.

They answer HTTP only. Every server is started with its lifespan protocol switched off.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

HELLO = b"Hello, World!"
PIECE = b"<li>one of a hundred small pieces of a page that is streamed</li>\n"
PIECES = 100
MEBIBYTE = b"\x5a" * (1024 * 1024)

HEADERS = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(HELLO))]
HEADERS_STREAM = [(b"content-type", b"text/html; charset=utf-8")]
HEADERS_MEBIBYTE = [(b"content-type", b"application/octet-stream"), (b"content-length", b"%d" % len(MEBIBYTE))]


async def hello(scope: Message, receive: Receive, send: Send) -> None:
    """The smallest complete answer: the cost of the server and nothing else."""
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": HELLO})


async def suspend(scope: Message, receive: Receive, send: Send) -> None:
    """As hello, but the task really gives up control once, as any app that asks a database does."""
    await asyncio.sleep(0)
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": HELLO})


async def count(scope: Message, receive: Receive, send: Send) -> None:
    """Read the request's body to its end and answer with its length."""
    length = 0
    more = True
    while more:
        message = await receive()
        length += len(message.get("body", b""))
        more = message.get("more_body", False)
    body = b"%d" % length
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def stream(scope: Message, receive: Receive, send: Send) -> None:
    """A hundred small pieces, one event each, of a length that is not told beforehand."""
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS_STREAM})
    for _ in range(PIECES):
        await send({"type": "http.response.body", "body": PIECE, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def download(scope: Message, receive: Receive, send: Send) -> None:
    """One mebibyte in one event."""
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS_MEBIBYTE})
    await send({"type": "http.response.body", "body": MEBIBYTE})
