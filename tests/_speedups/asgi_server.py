"""Calls one application on one loop, without a socket, and tells what was answered."""

import asyncio
import contextvars
from collections.abc import Callable
from typing import Any

from atlas._speedups.calls.asgi import ASGICaller
from atlas._speedups.http.exchange import Exchange
from tests._speedups.fake_connection import GET, FakeServer


class Call(ASGICaller):
    """Keeps how applications ended."""

    def __init__(self, *_: Any) -> None:
        self.failures: list[BaseException] = []
        self.unfinished_ones: list[Exchange] = []

    def failed(self, exchange: Exchange, error: BaseException) -> None:
        self.failures.append(error)

    def unfinished(self, exchange: Exchange) -> None:
        self.unfinished_ones.append(exchange)

    def disconnect(self, exchange: Exchange) -> None:
        pass

    half_close = disconnect


class Caller:
    """Serves one application on one loop, without a socket."""

    def __init__(self, loop: asyncio.AbstractEventLoop, app: Any, task_type: Any = asyncio.Task) -> None:
        self.call = Call(app, loop, contextvars.copy_context(), task_type)
        self.server = FakeServer(loop, gateway=self.call)
        self.connection = self.server.connect()
        self.loop = loop

    def request(self, data: bytes = GET) -> list[tuple[int, bytes]]:
        """Deliver a request in one turn of the loop; (status, body) of what was answered when that returned."""
        seen: list[list[tuple[int, bytes]]] = []

        def deliver() -> None:
            before = len(self.connection.sent)
            self.connection.feed(data)
            seen.append(answers(self.connection.sent[before:]))

        self.server.run(deliver)
        return seen[0]


def answers(sent: bytes) -> list[tuple[int, bytes]]:
    if not sent:
        return []
    head, _, body = sent.partition(b"\r\n\r\n")
    return [(int(head.split(b" ")[1]), body)]


Serve = Callable[..., Caller]


async def answer(send: Any, text: object) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(text).encode()})


async def hello(scope: Any, receive: Any, send: Any) -> None:
    await answer(send, scope["path"])
