import asyncio
import gc
import logging
import weakref
from contextlib import suppress
from contextvars import ContextVar
from typing import Any

import pytest

from atlas import ClientDisconnected
from atlas.gateway.application_task import ApplicationTask

START = {"type": "http.response.start", "status": 200, "headers": []}
VARIABLE: ContextVar[str] = ContextVar("variable", default="fresh")
OWN: ContextVar[str] = ContextVar("own", default="fresh")


async def never() -> Any:
    await asyncio.Event().wait()


def task(app: Any, receive: Any = never, **options: Any) -> ApplicationTask:
    return ApplicationTask(app, {"type": "http"}, receive, **options)


class Sent:
    def __init__(self) -> None:
        self.events: list[Any] = []

    async def __call__(self, event: Any) -> None:
        self.events.append(event)


async def body(send: Any, *pieces: bytes) -> None:
    await send(START)
    for piece in pieces:
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


def test_it_waits_at_the_start_of_its_response() -> None:
    passed = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        passed.append("start")
        await send({"type": "http.response.body", "body": b"x"})

    async def go() -> None:
        running, sent = task(app), Sent()
        assert await running.start() == START
        assert passed == []
        await running.respond({**START, "status": 201}, sent)
        assert [event.get("status", event.get("body")) for event in sent.events] == [201, b"x"]
        await running.close()  # nothing is left to do
        with pytest.raises(RuntimeError, match="can be sent once"):
            await running.respond(START, sent)

    asyncio.run(go())


def test_each_send_waits_until_the_event_is_taken() -> None:
    async def go() -> None:
        gate, inside = asyncio.Event(), []

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await send(START)
            for number in range(3):
                await send({"type": "http.response.body", "body": b"x", "more_body": True})
                inside.append(number)

        async def slow(event: Any) -> None:
            if event["type"] == "http.response.body":
                await gate.wait()

        running = task(app)
        await running.start()
        responding = asyncio.ensure_future(running.respond(START, slow))
        for _ in range(5):
            await asyncio.sleep(0)
        assert inside == []
        gate.set()
        await responding
        assert inside == [0, 1, 2]

    asyncio.run(go())


def test_a_child_task_may_send() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(body(send, b"a", b"b"))

    async def go() -> list[Any]:
        running, sent = task(app), Sent()
        await running.start()
        await running.respond(START, sent)
        return sent.events

    assert [event.get("body") for event in asyncio.run(go())] == [None, b"a", b"b", b""]


async def started_twice(scope: Any, receive: Any, send: Any) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(send(START))
        group.create_task(send(START))


async def silent(scope: Any, receive: Any, send: Any) -> None: ...


async def hasty(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.body"})


async def failing(scope: Any, receive: Any, send: Any) -> None:
    raise KeyError("app")


async def exiting(scope: Any, receive: Any, send: Any) -> None:
    await asyncio.sleep(0)
    raise SystemExit(3)


async def cancelled(scope: Any, receive: Any, send: Any) -> None:
    raise asyncio.CancelledError


@pytest.mark.parametrize(
    ("app", "error", "message"),
    [
        (silent, RuntimeError, "returned without a response"),
        (hasty, RuntimeError, r"expected http\.response\.start, got http\.response\.body"),
        (failing, KeyError, "app"),
        (exiting, RuntimeError, "raised SystemExit"),
        (cancelled, RuntimeError, "was cancelled"),
    ],
)
def test_what_happens_before_the_start_is_raised(app: Any, error: Any, message: str) -> None:
    async def go() -> None:
        with pytest.raises(error, match=message):
            await task(app).start()

    asyncio.run(go())


def test_a_second_start_fails() -> None:
    async def go() -> None:
        running = task(started_twice)
        await running.start()
        with pytest.raises(ExceptionGroup) as caught:
            await running.respond(START, Sent())
        assert "got a second one" in str(caught.value.exceptions[0])

    asyncio.run(go())


def test_what_it_raises_after_the_start_is_raised_where_it_is_sent() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        raise KeyError("late")

    async def go() -> None:
        running = task(app)
        await running.start()
        with pytest.raises(KeyError, match="late"):
            await running.respond(START, Sent())

    asyncio.run(go())


def test_one_that_is_not_sent_is_closed_and_its_finally_blocks_run() -> None:
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        listening = asyncio.ensure_future(receive())
        await asyncio.sleep(0)
        try:
            await body(send)
        except ClientDisconnected:
            seen.append("send")
            raise
        finally:
            seen.append((await listening)["type"])
            seen.append((await receive())["type"])
            await asyncio.sleep(0.01)
            seen.append("finally")
            with pytest.raises(ClientDisconnected):
                await send(START)

    async def go() -> None:
        running = task(app)
        await running.start()
        await running.close()
        await running.close()
        with pytest.raises(RuntimeError, match="can be sent once"):
            await running.respond(START, Sent())

    asyncio.run(go())
    assert seen == ["send", "http.disconnect", "http.disconnect", "finally"]


def test_one_that_does_not_end_by_itself_is_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        try:
            await body(send)
        except ClientDisconnected:
            try:
                await never()
            finally:
                await asyncio.sleep(0)
                seen.append("cancelled")

    async def go() -> None:
        monkeypatch.setattr("atlas.gateway.application_task._CLOSE_TIMEOUT", 0.01)
        running = task(app)
        await running.start()
        await running.close()

    asyncio.run(go())
    assert seen == ["cancelled"]


def test_a_failure_while_it_is_closed_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        with suppress(ClientDisconnected):
            await send(START)
        raise KeyError("in the end")

    async def go() -> None:
        running = task(app)
        await running.start()
        await running.close()

    with caplog.at_level(logging.ERROR):
        asyncio.run(go())
    assert "failed while it was closed" in caplog.text
    assert "KeyError: 'in the end'" in caplog.text


@pytest.mark.parametrize("started", [False, True])
def test_a_cancellation_reaches_it_and_is_waited_for(started: bool) -> None:
    seen: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        try:
            if started:
                await send(START)
            await never()
        finally:
            await asyncio.sleep(0.01)
            seen.append("ended")

    async def work() -> None:
        running = task(app)
        await running.start()
        await running.respond(START, Sent())

    async def go() -> None:
        working = asyncio.ensure_future(work())
        for _ in range(5):
            await asyncio.sleep(0)
        working.cancel()
        await asyncio.sleep(0)
        working.cancel()  # a second time, as anyio does at each turn of the loop
        with pytest.raises(asyncio.CancelledError):
            await working
        assert seen == ["ended"]

    asyncio.run(go())


def test_context_variables() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert VARIABLE.get() == "of the caller"
        VARIABLE.set("of the application")
        OWN.set("of the application")
        await body(send)

    async def go() -> None:
        VARIABLE.set("of the caller")
        running = task(app, own=[OWN])
        await running.start()
        assert VARIABLE.get() == "of the application"
        assert OWN.get() == "fresh"
        await running.respond(START, Sent())

    asyncio.run(go())


def test_a_time_out_of_the_application_s_own_receive_is_its_own() -> None:
    async def late() -> Any:
        raise TimeoutError("of the server")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()

    async def go() -> None:
        with pytest.raises(TimeoutError, match="of the server"):
            await task(app, late).start()

    asyncio.run(go())


def test_nothing_of_it_stays() -> None:
    class App:
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            await send(START)
            raise KeyError("late")

    async def go() -> None:
        running = task(App())
        await running.start()
        try:
            await running.respond(START, Sent())
        except KeyError:
            pass
        gone.append(weakref.ref(running._app))

    gone: list[Any] = []
    gc.collect()
    gc.disable()
    try:
        asyncio.run(go())
        assert gone[0]() is None
    finally:
        gc.enable()


def test_informational_events_are_held_back_with_the_start() -> None:
    hint = {"type": "http.response.early_hint", "links": [b"</a.css>; rel=preload"]}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(hint)
        await body(send, b"x")

    async def go() -> None:
        running, sent = task(app), Sent()
        await running.respond(await running.start(), sent)
        assert sent.events[:2] == [hint, START]
        replaced = task(app)
        await replaced.start()
        await replaced.close()

    asyncio.run(go())
