"""LASGI applications: events, waiting, exceptions and cancellation."""

import asyncio
import gc
import weakref
from contextvars import ContextVar
from typing import Any

import pytest

from atlas.gateway.greenlets import await_
from atlas.gateway.lasgi import SyncToASGI
from atlas.gateway.threads import in_thread

VARIABLE: ContextVar[str] = ContextVar("variable", default="default")


class Peer:
    """The other side of ``receive`` and ``send``. Each ``receive`` waits a turn, and for ever when nothing is left."""

    def __init__(self, *events: dict[str, Any]) -> None:
        self.events = list(events)
        self.sent: list[Any] = []
        self.waiting = asyncio.Event()

    async def receive(self) -> Any:
        await asyncio.sleep(0)
        if not self.events:
            self.waiting.set()
            await asyncio.Event().wait()
        return self.events.pop(0)

    async def send(self, event: Any) -> None:
        await asyncio.sleep(0)
        self.sent.append(event)

    async def call(self, app: Any) -> None:
        await SyncToASGI(app)({"type": "http"}, self.receive, self.send)


def test_receive_returns_an_event_and_send_just_returns() -> None:
    def app(scope: Any, receive: Any, send: Any) -> None:
        assert send([scope["type"], receive(), receive()]) is None

    async def go() -> list[Any]:
        peer = Peer({"a": 1}, {"b": 2})
        await peer.call(app)
        return peer.sent

    assert asyncio.run(go()) == [["http", {"a": 1}, {"b": 2}]]


def test_hundreds_wait_at_the_same_time() -> None:
    async def go() -> int:
        gate, waiting = asyncio.Event(), 0

        def app(scope: Any, receive: Any, send: Any) -> None:
            nonlocal waiting
            waiting += 1
            await_(gate.wait())
            send("done")

        peer = Peer()
        adapter = SyncToASGI(app)
        calls = [asyncio.ensure_future(adapter({}, peer.receive, peer.send)) for _ in range(500)]
        await asyncio.sleep(0)
        assert waiting == 500
        gate.set()
        await asyncio.gather(*calls)
        return len(peer.sent)

    assert asyncio.run(go()) == 500


def test_it_is_in_the_task_and_the_context_of_its_call() -> None:
    def app(scope: Any, receive: Any, send: Any) -> None:
        receive()
        send((asyncio.current_task(), VARIABLE.get()))

    async def go() -> Any:
        VARIABLE.set("me")
        peer = Peer({})
        task = asyncio.ensure_future(peer.call(app))
        await task
        return peer.sent == [(task, "me")]

    assert asyncio.run(go())


def test_an_exception_keeps_its_traceback() -> None:
    def app(scope: Any, receive: Any, send: Any) -> None:
        receive()
        inner()

    def inner() -> None:
        raise ZeroDivisionError("mine")

    async def go() -> None:
        with pytest.raises(ZeroDivisionError, match="mine") as caught:
            await Peer({}).call(app)
        assert [entry.name for entry in caught.traceback][-2:] == ["app", "inner"]

    asyncio.run(go())


def test_an_error_of_send_is_raised_at_the_send() -> None:
    async def refuse(event: Any) -> None:
        raise OSError("gone")

    def app(scope: Any, receive: Any, send: Any) -> None:
        with pytest.raises(OSError, match="gone"):
            send({})
        seen.append("caught")

    seen: list[str] = []
    asyncio.run(SyncToASGI(app)({}, None, refuse))  # type: ignore[arg-type]
    assert seen == ["caught"]


def test_a_cancelled_one_cleans_up_and_may_wait_for_it() -> None:
    def app(scope: Any, receive: Any, send: Any) -> None:
        try:
            receive()
        finally:
            send("cleaned up")

    async def go() -> list[Any]:
        peer = Peer()
        task = asyncio.ensure_future(peer.call(app))
        await peer.waiting.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return peer.sent

    assert asyncio.run(go()) == ["cleaned up"]


def test_one_that_is_dropped_while_it_waits_is_ended() -> None:
    """An awaitable that is never done, as when the loop is closed."""
    seen: list[str] = []

    def app(scope: Any, receive: Any, send: Any) -> None:
        try:
            receive()
        finally:
            seen.append("ended")

    async def go() -> None:
        peer = Peer()
        call = peer.call(app)
        stepping = call.__await__()
        stepping.send(None)
        call.close()

    asyncio.run(go())
    assert seen == ["ended"]


def test_nothing_stays() -> None:
    class Thing:
        pass

    things: list[Any] = []

    def app(scope: Any, receive: Any, send: Any) -> None:
        thing = Thing()
        things.append(weakref.ref(thing))
        receive()
        send(thing)
        if scope["fail"]:
            raise ZeroDivisionError

    async def go() -> None:
        adapter = SyncToASGI(app)
        for fail in (False, True):
            peer = Peer({})
            try:
                await adapter({"fail": fail}, peer.receive, peer.send)
            except ZeroDivisionError:
                pass
            del peer

    gc.collect()
    gc.disable()
    try:
        asyncio.run(go())
        assert [thing() for thing in things] == [None, None]
    finally:
        gc.enable()


# ------------------------------------------------------------------------------------------- where async code is near


def test_a_def_that_returns_an_awaitable_is_asgi_after_all() -> None:
    async def inner(scope: Any, receive: Any, send: Any) -> None:
        await send(await receive())

    def app(scope: Any, receive: Any, send: Any) -> Any:
        return inner(scope, receive, send)

    async def go() -> list[Any]:
        peer = Peer({"a": 1})
        await peer.call(app)
        return peer.sent

    assert asyncio.run(go()) == [{"a": 1}]


def test_a_coroutine_that_sync_code_waits_for_awaits_them() -> None:
    async def echo(receive: Any, send: Any) -> None:
        await send(await receive())

    def app(scope: Any, receive: Any, send: Any) -> None:
        await_(echo(receive, send))

    async def go() -> list[Any]:
        peer = Peer({"a": 1})
        await peer.call(app)
        return peer.sent

    assert asyncio.run(go()) == [{"a": 1}]


def test_a_part_of_it_may_be_in_a_thread() -> None:
    """The events still go to the server on its loop."""

    async def go() -> list[Any]:
        peer = Peer({"a": 1})
        loop = asyncio.get_running_loop()

        def send_here(event: Any) -> Any:
            assert asyncio.get_running_loop() is loop
            return peer.send(event)

        def app(scope: Any, receive: Any, send: Any) -> None:
            await_(in_thread(lambda: send(receive())))

        await SyncToASGI(app)({}, peer.receive, send_here)
        return peer.sent

    assert asyncio.run(go()) == [{"a": 1}]
