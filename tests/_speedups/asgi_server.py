"""Serves an ASGI application on an event loop without a socket."""

import asyncio
import contextvars
from collections.abc import Callable
from typing import Any

from atlas._speedups.calls.gateways import ASGICaller
from atlas._speedups.http.exchange import Exchange
from atlas._speedups.websocket.session import WebSocketSession
from tests._speedups.fake_connection import GET, FakeServer


class RecordingCaller(ASGICaller):
    """Records failures and unfinished responses."""

    def __init__(self, *_: Any) -> None:
        self.failures: list[BaseException] = []
        self.unfinished_exchanges: list[Exchange] = []

    def failed(self, exchange: Exchange, error: BaseException) -> None:
        self.failures.append(error)

    def unfinished(self, exchange: Exchange) -> None:
        self.unfinished_exchanges.append(exchange)

    def session_failed(self, session: WebSocketSession, error: BaseException) -> None:
        self.failures.append(error)

    def session_unanswered(self, session: WebSocketSession) -> None:
        self.unfinished_exchanges.append(session.exchange)

    def disconnect(self, exchange: Exchange) -> None:
        pass

    half_close = disconnect


class ASGIServer:
    """Serves one application on one loop, without a socket."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, app: Any, task_type: Any = asyncio.Task, **settings: Any
    ) -> None:
        self.caller = RecordingCaller(app, loop, contextvars.copy_context(), task_type)
        self.server = FakeServer(loop, gateway=self.caller, **settings)
        self.connection = self.server.connect()
        self.loop = loop

    def request(self, data: bytes = GET) -> list[tuple[int, bytes]]:
        """Receive a request in a callback; return (status, body) of the responses that were sent before it returned."""
        sent: list[list[tuple[int, bytes]]] = []

        def receive() -> None:
            before = len(self.connection.sent)
            self.connection.feed(data)
            sent.append(responses(self.connection.sent[before:]))

        self.server.run(receive)
        return sent[0]


def responses(sent: bytes) -> list[tuple[int, bytes]]:
    if not sent:
        return []
    head, _, body = sent.partition(b"\r\n\r\n")
    return [(int(head.split(b" ")[1]), body)]


Serve = Callable[..., ASGIServer]


async def respond(send: Any, text: object) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(text).encode()})


async def hello(scope: Any, receive: Any, send: Any) -> None:
    await respond(send, scope["path"])
