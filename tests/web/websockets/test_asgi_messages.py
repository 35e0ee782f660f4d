"""Messages over ASGI events, with a server that does as little as the specification allows."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from atlas import WebSocketDisconnected
from atlas.web.websockets.asgi_messages import ASGIMessages

CONNECT = {"type": "websocket.connect"}


class FakeServer:
    """Gives events, and records those that it gets; from the given one on, ``send`` raises."""

    def __init__(self, *events: dict[str, Any], lost_after: int | None = None) -> None:
        self.events = list(events)
        self.sent: list[dict[str, Any]] = []
        self._lost_after = lost_after

    async def receive(self) -> dict[str, Any]:
        return self.events.pop(0)

    async def send(self, event: Any) -> None:
        if self._lost_after is not None and len(self.sent) >= self._lost_after:
            raise ConnectionResetError
        self.sent.append(event)

    def messages(self, **scope: Any) -> ASGIMessages:
        return ASGIMessages({"type": "websocket", **scope}, self.receive, self.send)


def run(coroutine: Any) -> Any:
    return asyncio.run(coroutine)


def test_the_handshake_is_accepted_after_the_connect_event() -> None:
    server = FakeServer(CONNECT, {"type": "websocket.receive", "text": None, "bytes": b"x"})
    assert run(server.messages().receive()) == b"x"
    assert server.sent == [{"type": "websocket.accept", "subprotocol": None, "headers": []}]


def test_a_client_that_leaves_before_the_answer() -> None:
    messages = FakeServer({"type": "websocket.disconnect", "code": 1006}).messages()
    with pytest.raises(WebSocketDisconnected, match="1006"):
        run(messages.accept())
    assert messages.closed
    assert not messages.accepted


@pytest.mark.parametrize(
    ("event", "code", "reason"),
    [({}, 1005, ""), ({"code": None, "reason": None}, 1005, ""), ({"code": 4000, "reason": "x"}, 4000, "x")],
)
def test_a_disconnect_is_raised_again_by_every_call(event: Any, code: int, reason: str) -> None:
    async def use() -> None:
        messages = FakeServer(CONNECT, {"type": "websocket.disconnect", **event}).messages()
        for call in (messages.receive, messages.receive, lambda: messages.send("x")):
            with pytest.raises(WebSocketDisconnected) as caught:
                await call()
            assert (caught.value.code, caught.value.reason) == (code, reason)
        await messages.close()

    run(use())


def test_a_send_that_fails() -> None:
    async def use() -> None:
        messages = FakeServer(CONNECT, lost_after=1).messages()
        with pytest.raises(WebSocketDisconnected, match="1006"):
            await messages.send("x")
        assert messages.closed

    run(use())


def test_a_close_before_the_accept_denies() -> None:
    server = FakeServer(CONNECT)
    messages = server.messages()
    run(messages.close(4000))
    assert server.sent == [{"type": "websocket.close", "code": 4000}]
    with pytest.raises(WebSocketDisconnected, match="1006"):
        run(messages.receive())


def test_what_denies_a_handshake() -> None:
    assert FakeServer().messages().deny() is None
    assert FakeServer().messages(extensions={"websocket.http.response": {}}).deny() is not None


def test_the_iteration_ends_at_the_disconnect() -> None:
    async def use() -> list[str | bytes]:
        events = [{"type": "websocket.receive", "text": "a"}, {"type": "websocket.disconnect", "code": 1000}]
        return [message async for message in FakeServer(CONNECT, *events).messages()]

    assert run(use()) == ["a"]


def test_subprotocols() -> None:
    assert FakeServer().messages().subprotocols == []
    assert FakeServer().messages(subprotocols=["a"]).subprotocols == ["a"]
