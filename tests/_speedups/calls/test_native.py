import asyncio
import gc
import weakref
from collections.abc import Iterator
from typing import Any

import pytest

from atlas import Application, Route, TextResponse, await_
from atlas.gateway.native import NativeGateway
from tests._speedups.line import GET, Line, Office, post


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


def served(loop: asyncio.AbstractEventLoop, *routes: Route, **options: Any) -> Line:
    """A connection to an application; nothing has to be waited for but what its controllers wait for."""
    return Office(loop, gateway=NativeGateway(Application(routes, **options), loop)).connect()


def feed(line: Line, data: bytes) -> bytes:
    """Deliver bytes as the loop would, and what was answered by the time that returned."""
    before = len(line.sent)
    seen: list[bytes] = []
    line.office.run(lambda: (line.feed(data), seen.append(line.sent[before:])))
    return seen[0]


def plain(request: Any) -> str:
    return "x"


async def later(request: Any) -> str:
    return "x"


@pytest.mark.parametrize(
    "route", [Route("/", plain, run="inline"), Route("/", plain, run="greenlet"), Route("/", later)], ids=str
)
def test_what_need_not_wait_is_answered_at_once(loop: asyncio.AbstractEventLoop, route: Route) -> None:
    line = served(loop, route)
    for _ in range(3):
        assert feed(line, GET).endswith(b"content-length: 1\r\n\r\nx")
    assert not line.office.gateway.tasks
    assert line.office.worker.in_work == 0


def test_pipelined_requests_are_answered_in_order(loop: asyncio.AbstractEventLoop) -> None:
    line = served(loop, Route("/{n:int}", lambda request, n: str(n)))
    many = b"".join(b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % number for number in range(10))
    answer = feed(line, many)
    assert [piece[:1] for piece in answer.split(b"\r\n\r\n")[1:]] == [b"%d" % number for number in range(10)]


@pytest.mark.parametrize("kind", ["plain", "async"])
def test_what_waits_has_a_task(loop: asyncio.AbstractEventLoop, kind: str) -> None:
    gates: list[asyncio.Future[str]] = []
    tasks: list[Any] = []

    async def gate() -> str:
        gates.append(loop.create_future())
        tasks.append(asyncio.current_task())
        return await gates[-1]

    async def waits(request: Any) -> str:
        return await gate()

    line = served(loop, Route("/", waits if kind == "async" else lambda request: await_(gate())))
    assert feed(line, GET) == b""
    assert set(tasks) == line.office.gateway.tasks
    assert line.office.worker.in_work == 1
    gates[0].set_result("waited")
    line.office.turn()
    line.office.turn()
    assert line.sent.endswith(b"\r\n\r\nwaited")
    assert not line.office.gateway.tasks


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

    line = served(loop, Route("/", controller))
    for _ in range(3):
        feed(line, GET)
    assert len(set(greenlets)) == 1
    assert [thing() for thing in things] == [None] * 3


def test_a_body_that_comes_late_is_waited_for(loop: asyncio.AbstractEventLoop) -> None:
    line = served(loop, Route("/", lambda request: request.body().upper(), ["POST"]))
    assert feed(line, post(4) + b"ab") == b""
    feed(line, b"cd")
    for _ in range(3):
        line.office.turn()
    assert line.sent.endswith(b"\r\n\r\nABCD")


def test_a_body_that_is_there_is_not_waited_for(loop: asyncio.AbstractEventLoop) -> None:
    for run in ("inline", "greenlet"):
        line = served(loop, Route("/", lambda request: request.body().upper(), ["POST"], run=run))  # type: ignore[arg-type]
        assert feed(line, post(4) + b"abcd").endswith(b"\r\n\r\nABCD")


def test_the_server_cancels_what_is_left(loop: asyncio.AbstractEventLoop) -> None:
    ends: list[str] = []

    def controller(request: Any) -> None:
        try:
            await_(asyncio.Event().wait())
        finally:
            ends.append("ended")

    line = served(loop, Route("/", controller))
    feed(line, GET)
    line.office.gateway.cancel()
    line.office.turn()
    line.office.turn()
    assert ends == ["ended"]
    assert not line.office.gateway.tasks


def test_closing_cuts_the_ties(loop: asyncio.AbstractEventLoop) -> None:
    app = Application([Route("/", plain)])
    gateway = NativeGateway(app, loop)
    there = weakref.ref(app.dispatch) if hasattr(app.dispatch, "__weakref__") else None
    gateway.close()
    assert gateway.dispatch is None
    assert there is None or there() is app.dispatch


def test_classes_of_responses_that_controllers_make_do_not_stay(loop: asyncio.AbstractEventLoop) -> None:
    made: list[Any] = []

    def controller(request: Any) -> TextResponse:
        class Own(TextResponse):
            pass

        made.append(weakref.ref(Own))
        return Own("own")

    line = served(loop, Route("/", controller))
    for _ in range(600):
        assert feed(line, GET).endswith(b"own")
    gc.collect()
    assert sum(each() is not None for each in made) <= 256
