import asyncio
import gc
import traceback
import weakref
from collections.abc import Iterator
from contextvars import ContextVar, copy_context
from typing import Any

import pytest
from greenlet import getcurrent

from atlas import Application, Route, StreamingResponse, TextResponse, await_
from atlas.gateway.native import NativeGateway
from tests._speedups.fake_connection import GET, FakeConnection, FakeServer, post


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


def served(loop: asyncio.AbstractEventLoop, *routes: Route, **options: Any) -> FakeConnection:
    """A connection to an application; nothing has to be waited for but what its controllers wait for."""
    return FakeServer(loop, gateway=NativeGateway(Application(routes, **options), loop)).connect()


def feed(connection: FakeConnection, data: bytes) -> bytes:
    """Deliver bytes as the loop would, and what was answered by the time that returned."""
    before = len(connection.sent)
    seen: list[bytes] = []
    connection.server.run(lambda: (connection.feed(data), seen.append(connection.sent[before:])))
    return seen[0]


def sync(request: Any) -> str:
    return "x"


async def later(request: Any) -> str:
    return "x"


@pytest.mark.parametrize(
    "route", [Route("/", sync, run="inline"), Route("/", sync, run="greenlet"), Route("/", later)], ids=str
)
def test_what_need_not_wait_is_answered_at_once(loop: asyncio.AbstractEventLoop, route: Route) -> None:
    connection = served(loop, route)
    for _ in range(3):
        assert feed(connection, GET).endswith(b"content-length: 1\r\n\r\nx")
    assert not connection.server.gateway.tasks
    assert connection.server.state.in_work == 0


def test_pipelined_requests_are_answered_in_order(loop: asyncio.AbstractEventLoop) -> None:
    connection = served(loop, Route("/{n:int}", lambda request, n: str(n)))
    many = b"".join(b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % number for number in range(10))
    answer = feed(connection, many)
    assert [piece[:1] for piece in answer.split(b"\r\n\r\n")[1:]] == [b"%d" % number for number in range(10)]


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_what_waits_has_a_task(loop: asyncio.AbstractEventLoop, kind: str) -> None:
    gates: list[asyncio.Future[str]] = []
    tasks: list[Any] = []

    async def gate() -> str:
        gates.append(loop.create_future())
        tasks.append(asyncio.current_task())
        return await gates[-1]

    async def waits(request: Any) -> str:
        return await gate()

    connection = served(loop, Route("/", waits if kind == "async" else lambda request: await_(gate())))
    assert feed(connection, GET) == b""
    assert set(tasks) == connection.server.gateway.tasks
    assert connection.server.state.in_work == 1
    gates[0].set_result("waited")
    connection.server.turn()
    connection.server.turn()
    assert connection.sent.endswith(b"\r\n\r\nwaited")
    assert not connection.server.gateway.tasks


def test_a_greenlet_is_used_again_and_keeps_nothing(loop: asyncio.AbstractEventLoop) -> None:
    from greenlet import getcurrent

    class Thing:
        pass

    greenlets: list[Any] = []
    things: list[Any] = []

    def controller(request: Any) -> str:
        thing = Thing()
        things.append(weakref.ref(thing))
        request.state.thing = thing
        greenlets.append(getcurrent())
        return "x"

    connection = served(loop, Route("/", controller))
    for _ in range(3):
        feed(connection, GET)
    assert len(set(greenlets)) == 1
    assert [thing() for thing in things] == [None] * 3


def test_a_body_that_comes_late_is_waited_for(loop: asyncio.AbstractEventLoop) -> None:
    connection = served(loop, Route("/", lambda request: request.body().upper(), ["POST"]))
    assert feed(connection, post(4) + b"ab") == b""
    feed(connection, b"cd")
    for _ in range(3):
        connection.server.turn()
    assert connection.sent.endswith(b"\r\n\r\nABCD")


def test_a_body_that_is_there_is_not_waited_for(loop: asyncio.AbstractEventLoop) -> None:
    for run in ("inline", "greenlet"):
        connection = served(loop, Route("/", lambda request: request.body().upper(), ["POST"], run=run))  # type: ignore[arg-type]
        assert feed(connection, post(4) + b"abcd").endswith(b"\r\n\r\nABCD")


def test_the_server_cancels_unfinished_requests(loop: asyncio.AbstractEventLoop) -> None:
    ends: list[str] = []

    def controller(request: Any) -> None:
        try:
            await_(asyncio.Event().wait())
        finally:
            ends.append("ended")

    connection = served(loop, Route("/", controller))
    feed(connection, GET)
    connection.server.gateway.cancel()
    connection.server.turn()
    connection.server.turn()
    assert ends == ["ended"]
    assert not connection.server.gateway.tasks


def test_closing_drops_the_references(loop: asyncio.AbstractEventLoop) -> None:
    app = Application([Route("/", sync)])
    gateway = NativeGateway(app, loop)
    there = weakref.ref(app.route_table) if hasattr(app.route_table, "__weakref__") else None
    gateway.close()
    assert gateway.route_table is None
    assert there is None or there() is app.route_table


# ---------------------------------------------------------------------------- the context of what runs in a greenlet

name: ContextVar[str] = ContextVar("name", default="unset")


class Gates:
    """Futures that controllers wait for, by the path that was asked for."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.futures: dict[str, asyncio.Future[None]] = {}

    async def wait(self, path: str) -> None:
        self.futures[path] = self.loop.create_future()
        await self.futures[path]

    def open(self, connection: FakeConnection, path: str) -> None:
        self.futures[path].set_result(None)
        for _ in range(3):
            connection.server.turn()


def get(path: str) -> bytes:
    return b"GET %b HTTP/1.1\r\nHost: a\r\n\r\n" % path.encode()


def test_context_variables_stay_in_their_request(loop: asyncio.AbstractEventLoop) -> None:
    def controller(request: Any) -> str:
        before = name.get()
        name.set(request.path)
        return before + name.get()

    connection = served(loop, Route("/a", controller), Route("/b", controller))
    assert feed(connection, get("/a") + get("/b")).count(b"unset/") == 2
    assert name.get() == "unset"


def test_requests_that_wait_keep_their_context_apart(loop: asyncio.AbstractEventLoop) -> None:
    gates = Gates(loop)

    def controller(request: Any) -> str:
        name.set(request.path)
        await_(gates.wait(request.path))
        return f"{name.get()} {asyncio.current_task() is not None}"

    server = served(loop, Route("/first", controller), Route("/second", controller)).server
    first, second = server.connect(), server.connect()
    feed(first, get("/first"))
    feed(second, get("/second"))
    assert name.get() == "unset"
    gates.open(second, "/second")
    gates.open(first, "/first")
    assert first.sent.endswith(b"\r\n\r\n/first True")
    assert second.sent.endswith(b"\r\n\r\n/second True")


@pytest.mark.parametrize("waits", [True, False])
def test_what_follows_a_controller_sees_its_context(loop: asyncio.AbstractEventLoop, waits: bool) -> None:
    """A body that is streamed, and the response to an exception: both come after the call in the greenlet."""

    def body() -> Iterator[bytes]:
        yield name.get().encode()

    def prepare(request: Any) -> None:
        if waits:
            await_(asyncio.sleep(0))
        name.set(request.path)

    def stream(request: Any) -> StreamingResponse:
        prepare(request)
        return StreamingResponse(body())

    def fail(request: Any) -> None:
        prepare(request)
        raise KeyError

    routes = [Route("/stream", stream), Route("/fail", fail)]
    connection = served(loop, *routes, exception_handlers={KeyError: lambda request, error: name.get()})
    for path in (b"/stream", b"/fail"):
        feed(connection, get(path.decode()))
        for _ in range(5):
            connection.server.turn()
        assert path in connection.sent


def test_waiting_in_a_context_inside_of_the_context(loop: asyncio.AbstractEventLoop) -> None:
    gates = Gates(loop)

    def inner() -> str:
        name.set("inner")
        await_(gates.wait("/"))
        return name.get()

    def controller(request: Any) -> str:
        name.set("outer")
        seen = copy_context().run(inner)
        return f"{seen} {name.get()}"

    connection = served(loop, Route("/", controller))
    feed(connection, GET)
    gates.open(connection, "/")
    assert connection.sent.endswith(b"\r\n\r\ninner outer")
    assert feed(connection, GET) == b""
    gates.open(connection, "/")
    assert connection.sent.endswith(b"\r\n\r\ninner outer")


def test_an_exit_of_a_greenlet_is_a_failed_request(loop: asyncio.AbstractEventLoop) -> None:
    from greenlet import GreenletExit

    def controller(request: Any) -> None:
        name.set("left behind")
        raise GreenletExit

    connection = served(loop, Route("/", controller), Route("/next", lambda request: name.get()))
    feed(connection, GET)
    for _ in range(3):
        connection.server.turn()
    assert b"500" in connection.sent.split(b"\r\n")[0]
    assert feed(connection.server.connect(), get("/next")).endswith(b"unset")


@pytest.mark.parametrize("run", ["inline", "greenlet"])
def test_the_traceback_of_an_error_begins_with_the_controller(
    loop: asyncio.AbstractEventLoop, run: Any, caplog: pytest.LogCaptureFixture
) -> None:
    def controller(request: Any) -> None:
        raise KeyError("on purpose")

    connection = served(loop, Route("/", controller, run=run))
    assert b"500" in feed(connection, GET).split(b"\r\n")[0]
    (found,) = (record.exc_info for record in caplog.records if record.exc_info)
    assert [entry.name for entry in traceback.extract_tb(found[2])] == ["controller"]


def test_classes_of_responses_that_controllers_make_do_not_stay(loop: asyncio.AbstractEventLoop) -> None:
    made: list[Any] = []

    def controller(request: Any) -> TextResponse:
        class Own(TextResponse):
            pass

        made.append(weakref.ref(Own))
        return Own("own")

    connection = served(loop, Route("/", controller))
    for _ in range(600):
        assert feed(connection, GET).endswith(b"own")
    gc.collect()
    assert sum(each() is not None for each in made) <= 256


def in_a_task(connection: FakeConnection) -> None:
    """Feed the connection in a task, so that the task of the request starts later, and cancel that before it starts."""

    async def feed_and_cancel() -> None:
        connection.feed(GET)
        connection.server.gateway.cancel()

    connection.server.loop.run_until_complete(feed_and_cancel())


def with_a_task_factory(connection: FakeConnection) -> None:
    """Let a task factory start the task of the request later, and cancel it before it starts."""
    connection.server.loop.set_task_factory(
        lambda loop, coroutine, **options: asyncio.Task(coroutine, loop=loop, **options)
    )
    connection.server.run(lambda: (connection.feed(GET), connection.server.gateway.cancel()))


@pytest.mark.parametrize("start", [in_a_task, with_a_task_factory])
def test_sync_code_that_waits_ends_if_its_task_is_cancelled_before_the_first_step(
    loop: asyncio.AbstractEventLoop, start: Any
) -> None:
    ends: list[str] = []
    kept: list[Any] = []

    def controller(request: Any) -> str:
        request.state.mark = mark = type("Mark", (), {})()
        kept.extend([weakref.ref(mark), weakref.ref(getcurrent())])
        try:
            await_(loop.create_future())
        finally:
            ends.append("finally")
        return "x"

    connection = served(loop, Route("/", controller))
    gc.disable()
    try:
        start(connection)
        connection.server.turn(3)
        assert ends == ["finally"]
        connection.lose()
        assert [each() for each in kept] == [None, None]
    finally:
        gc.enable()
    assert not connection.server.gateway.tasks
