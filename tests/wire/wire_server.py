"""A running server whose application each test sets, and ways to send bytes to it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from .raw_client import Address, RawClient, RawResponse

PIPELINED = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"


async def read_body(receive: Any) -> tuple[bytes, bool]:
    """The request's body and whether its end was reached (``False``: the client disconnected)."""
    pieces = []
    while True:
        event = await receive()
        if event["type"] == "http.disconnect":
            return b"".join(pieces), False
        pieces.append(event.get("body", b""))
        if not event.get("more_body", False):
            return b"".join(pieces), True


async def respond(send: Any, body: bytes = b"ok", status: int = 200, headers: Any = ()) -> None:
    await send({"type": "http.response.start", "status": status, "headers": list(headers)})
    await send({"type": "http.response.body", "body": body})


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Read the body, and respond with the request as JSON in latin-1."""
    body, complete = await read_body(receive)
    told = {
        "method": scope["method"],
        "http_version": scope["http_version"],
        "scheme": scope["scheme"],
        "path": scope["path"],
        "raw_path": scope["raw_path"].decode("latin-1"),
        "query_string": scope["query_string"].decode("latin-1"),
        "root_path": scope["root_path"],
        "headers": [[name.decode("latin-1"), value.decode("latin-1")] for name, value in scope["headers"]],
        "client": scope["client"],
        "server": scope["server"],
        "body": body.decode("latin-1"),
        "complete": complete,
    }
    await respond(send, json.dumps(told).encode(), headers=[(b"content-type", b"application/json")])


class SwappableApp:
    """Calls another ASGI application, which each test sets; by default :func:`echo`."""

    def __init__(self) -> None:
        self.calls = 0
        self._app: Any = echo

    def set_app(self, app: Any) -> None:
        self._app = app

    def clear(self) -> None:
        self._app = echo

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] in ("http", "websocket"), scope["type"]
        self.calls += 1
        await self._app(scope, receive, send)


@dataclass
class WireServer:
    """A running server, and ways to send bytes to it."""

    app: SwappableApp
    address: Address
    loop: str
    drip: bool = False
    server: Any = None

    def set_app(self, app: Any) -> None:
        self.app.set_app(app)

    def connect(self, **options: Any) -> RawClient:
        return RawClient(self.address, drip=self.drip, **options)

    def exchange(self, request: bytes, method: str = "GET") -> RawResponse:
        """One request on its own connection and its answer."""
        with self.connect() as client:
            client.send(request)
            return client.response(method)

    def refused(self, request: bytes, *, called: int = 0) -> int:
        """Send *request* and a good one behind it: one answer that closes, nothing parsed after it, no wrong call.

        :param called: how often the application may be called (1 where the fault comes after the head).
        :returns: the status of the answer.
        """
        before = self.app.calls
        with self.connect() as client:
            client.send(request + PIPELINED)
            answer = client.response()
            assert answer.closes, answer
            client.assert_closed()
        assert self.app.calls - before <= called, "the application was called"
        return answer.status


def request_bytes(
    *fields: bytes, line: bytes = b"GET / HTTP/1.1", host: bytes | None = b"a", body: bytes = b""
) -> bytes:
    """The bytes of a request: *line*, a ``Host`` unless ``None``, the raw *fields*, an empty line and *body*."""
    lines = [line, *([] if host is None else [b"Host: " + host]), *fields, b"", b""]
    return b"\r\n".join(lines) + body


def post(*fields: bytes, body: bytes = b"", line: bytes = b"POST / HTTP/1.1") -> bytes:
    return request_bytes(*fields, line=line, body=body)


def chunked(body: bytes, *fields: bytes) -> bytes:
    """A POST with ``Transfer-Encoding: chunked`` and *body* as the raw bytes behind the head."""
    return post(b"Transfer-Encoding: chunked", *fields, body=body)
