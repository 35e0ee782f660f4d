"""The load: connections that send a message, wait for its echo, and send again. The client is that of picows."""

from __future__ import annotations

import asyncio
import os
import time

import uvloop
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

__all__ = ["Count", "run_load"]


class Count:
    """The messages that have come back."""

    def __init__(self) -> None:
        self.messages = 0
        self.running = True


class _Client(WSListener):  # type: ignore[misc]
    def __init__(self, count: Count, kind: WSMsgType, payload: bytes) -> None:
        super().__init__()
        self._count = count
        self._kind = kind
        self._payload = payload

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type != self._kind:
            return
        self._count.messages += 1
        if self._count.running:
            transport.send(self._kind, self._payload)


async def _load(port: int, connections: int, seconds: float, payload: bytes, text: bool) -> tuple[int, float]:
    count = Count()
    kind = WSMsgType.TEXT if text else WSMsgType.BINARY
    transports = []
    for _ in range(connections):
        transport, _client = await ws_connect(lambda: _Client(count, kind, payload), f"ws://127.0.0.1:{port}/")
        transports.append(transport)
    for transport in transports:
        transport.send(kind, payload)
    start = time.perf_counter()
    await asyncio.sleep(seconds)
    elapsed, messages, count.running = time.perf_counter() - start, count.messages, False
    for transport in transports:
        transport.disconnect()
    return messages, elapsed


def run_load(port: int, *, connections: int, seconds: float, size: int, text: bool) -> tuple[int, float]:
    """Run the load.

    :param port: of the server.
    :param connections: how many.
    :param seconds: how long.
    :param size: of a message, in bytes.
    :param text: whether messages are text.
    :returns: the number of messages that came back, and the seconds that it took.
    """
    payload = b"x" * size if text else os.urandom(size)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_load(port, connections, seconds, payload, text))
