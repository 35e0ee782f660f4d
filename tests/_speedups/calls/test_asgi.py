"""An application runs in a real task, in a context of its own, and most of the time is done at once; on both loops."""

import asyncio
import contextvars
import gc
import sys
import weakref
from collections.abc import Awaitable, Generator, Iterator
from functools import partial
from typing import Any

import pytest
import uvloop

from atlas._speedups.http.exchange import Exchange
from tests._speedups.asgi_server import ASGIServer, RecordingCaller, Serve, hello, respond, responses
from tests._speedups.fake_connection import GET, FakeServer, post


@pytest.fixture(params=["asyncio", "uvloop"])
def loop(request: pytest.FixtureRequest) -> Iterator[asyncio.AbstractEventLoop]:
    loop = uvloop.new_event_loop() if request.param == "uvloop" else asyncio.new_event_loop()
    yield loop
    for task in asyncio.all_tasks(loop):
        task.cancel()
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()


@pytest.fixture
def serve(loop: asyncio.AbstractEventLoop) -> Serve:
    """``serve(app)``"""
    return partial(ASGIServer, loop)


# ------------------------------------------------------------------------------------------------------------ the task


def test_an_application_that_does_not_wait_is_done_when_start_returns(serve: Serve) -> None:
    caller = serve(hello)
    assert caller.request() == [(200, b"/")]
    assert caller.caller.tasks == set()
    assert caller.server.state.in_work == 0


def test_it_is_in_a_real_task_from_its_first_step_on(serve: Serve) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        task = asyncio.current_task()
        assert asyncio.get_running_loop() is caller.loop
        await respond(send, (type(task) is asyncio.Task, task in asyncio.all_tasks(), task and task.get_name()))

    caller = serve(app)
    assert caller.request() == [(200, b"(True, True, 'atlas request')")]
    assert asyncio.current_task(caller.loop) is None, "and not any longer"


def test_the_task_stays_the_same_when_it_waits(serve: Serve) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        first = asyncio.current_task()
        await asyncio.sleep(0)
        await respond(send, asyncio.current_task() is first)

    caller = serve(app)
    assert caller.request() == []
    (task,) = caller.caller.tasks
    assert isinstance(task, asyncio.Task)
    caller.server.turn(3)
    assert caller.connection.sent.endswith(b"True")
    assert caller.caller.tasks == set()
    assert caller.caller.failures == []


def test_the_exchange_knows_its_task_while_it_runs(serve: Serve) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        exchanges.append(receive.__self__)
        await asyncio.sleep(0)
        tasks.append(exchanges[0].task)
        await respond(send, "x")

    exchanges: list[Exchange] = []
    tasks: list[Any] = []
    caller = serve(app)
    caller.request()
    caller.server.turn(3)
    assert isinstance(tasks[0], asyncio.Task)
    assert exchanges[0].task is None


def test_what_is_scheduled_while_a_task_is_made_is_not_lost(serve: Serve) -> None:
    class Chatty(asyncio.Task):  # type: ignore[type-arg]
        def __init__(self, coroutine: Any, **options: Any) -> None:
            options["loop"].call_soon(seen.append, "before")
            options["loop"].call_soon(partial(seen.append, "in a context"), context=contextvars.copy_context())
            super().__init__(coroutine, **options)
            options["loop"].call_soon(seen.append, "after")

    seen: list[str] = []
    caller = serve(hello, Chatty)
    assert caller.request() == [(200, b"/")]
    caller.server.turn()
    assert seen == ["before", "in a context", "after"]


def test_the_loop_is_as_before_afterwards(serve: Serve) -> None:
    caller = serve(hello)
    before = dict(vars(caller.loop))
    caller.request()
    assert vars(caller.loop).keys() == before.keys()
    assert "call_soon" not in vars(caller.loop)


def test_the_loop_is_as_before_when_a_task_could_not_be_made(serve: Serve) -> None:
    def broken(coroutine: Any, **_: Any) -> Any:
        coroutine.close()
        raise MemoryError

    caller = serve(hello, broken)
    reported: list[type[BaseException]] = []
    caller.loop.set_exception_handler(lambda _, context: reported.append(type(context["exception"])))
    caller.server.run(caller.connection.feed, GET)
    assert reported == [MemoryError]
    assert "call_soon" not in vars(caller.loop)


def test_within_another_task_it_is_the_current_one_too(serve: Serve) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await respond(send, asyncio.current_task() is not outer)

    async def drive() -> None:
        caller.connection.feed(GET)
        assert asyncio.current_task() is outer

    caller = serve(app)
    outer = caller.loop.create_task(drive())
    caller.server.turn(3)
    assert outer.exception() is None
    assert caller.connection.sent.endswith(b"True")


# ----------------------------------------------------------------------------------------------- kinds of applications


class Instance:
    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await hello(scope, receive, send)


class Awaited:
    """Awaitable, and no coroutine."""

    def __init__(self, *arguments: Any) -> None:
        self.arguments = arguments

    def __await__(self) -> Generator[Any, None, None]:
        return hello(*self.arguments).__await__()


def sync_app(scope: Any, receive: Any, send: Any) -> Awaitable[None]:
    assert isinstance(asyncio.current_task(), asyncio.Task), "it runs in the task as well"
    return hello(scope, receive, send)


async def with_more(extra: str, scope: Any, receive: Any, send: Any) -> None:
    await hello(scope, receive, send)


@pytest.mark.parametrize(
    "app",
    [
        hello,
        Instance(),
        sync_app,
        Awaited,
        partial(with_more, "x"),
        lambda *arguments: hello(*arguments),
        Instance().__call__,
    ],
    ids=["function", "instance", "sync_app", "awaitable", "partial", "lambda", "method"],
)
def test_any_kind_of_application(serve: Serve, app: Any) -> None:
    caller = serve(app)
    assert caller.request() == [(200, b"/")]
    assert caller.caller.failures == []


# ---------------------------------------------------------------------------------------------------------- how it ends


async def raising(scope: Any, receive: Any, send: Any) -> None:
    raise ZeroDivisionError


async def raising_later(scope: Any, receive: Any, send: Any) -> None:
    await asyncio.sleep(0)
    raise ZeroDivisionError


def raising_at_once(scope: Any, receive: Any, send: Any) -> Awaitable[None]:
    raise ZeroDivisionError


async def raising_runtime_error(scope: Any, receive: Any, send: Any) -> None:
    raise RuntimeError("mine")


async def cannot_be_called() -> None:
    """Takes no arguments."""


@pytest.mark.parametrize(
    ("app", "error"),
    [
        (raising, ZeroDivisionError),
        (raising_later, ZeroDivisionError),
        (raising_at_once, ZeroDivisionError),
        (raising_runtime_error, RuntimeError),
        (cannot_be_called, TypeError),
        (lambda *_: None, TypeError),
    ],
)
def test_an_exception_is_a_500_and_is_reported_once(serve: Serve, app: Any, error: type[Exception]) -> None:
    caller = serve(app)
    caller.request()
    caller.server.turn(3)
    assert responses(caller.connection.sent)[0][0] == 500
    assert [type(failure) for failure in caller.caller.failures] == [error]
    assert caller.caller.unfinished_exchanges == []
    assert caller.server.state.in_work == 0
    assert caller.caller.tasks == set()
    assert caller.connection.calls == [], "the connection goes on"


async def doing_nothing(scope: Any, receive: Any, send: Any) -> None:
    pass


def test_an_application_that_returns_too_early_is_reported(serve: Serve) -> None:
    caller = serve(doing_nothing)
    assert caller.request()[0][0] == 500
    assert (len(caller.caller.unfinished_exchanges), caller.caller.failures) == (1, [])


async def forever(scope: Any, receive: Any, send: Any) -> None:
    await asyncio.Event().wait()


def test_requests_that_the_server_cancels_are_not_reported(serve: Serve) -> None:
    caller = serve(forever)
    caller.request()
    (task,) = caller.caller.tasks
    caller.caller.cancel()
    caller.server.turn(3)
    assert task.cancelled()
    assert (caller.caller.failures, caller.caller.unfinished_exchanges, caller.caller.tasks) == ([], [], set())
    assert responses(caller.connection.sent)[0][0] == 500


def test_an_application_that_cancels_itself_has_not_finished(serve: Serve) -> None:
    caller = serve(forever)
    caller.request()
    (task,) = caller.caller.tasks
    task.cancel()
    caller.server.turn(3)
    assert (caller.caller.failures, len(caller.caller.unfinished_exchanges), caller.caller.tasks) == ([], 1, set())
    assert responses(caller.connection.sent)[0][0] == 500


def test_an_application_that_wants_to_exit_has_failed_and_the_server_goes_on(serve: Serve) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise SystemExit(3)

    caller = serve(app)
    assert caller.request()[0][0] == 500
    caller.server.turn(2)
    assert ["SystemExit" in repr(failure) for failure in caller.caller.failures] == [True]


@pytest.mark.parametrize("step", ["first", "later"])
def test_a_keyboard_interrupt_reaches_the_loop(serve: Serve, step: str) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if step == "later":
            await asyncio.sleep(0)
        if scope["path"] == "/end":
            raise KeyboardInterrupt
        await hello(scope, receive, send)

    caller = serve(app)
    with pytest.raises(KeyboardInterrupt):
        caller.request(b"GET /end HTTP/1.1\r\nHost: a\r\n\r\n")
        caller.server.turn(4)
    caller.server.turn(2)
    assert responses(caller.connection.sent)[0][0] == 500
    assert caller.caller.tasks == set()
    before = len(caller.connection.sent)
    caller.request()
    caller.server.turn(3)
    assert responses(caller.connection.sent[before:]) == [(200, b"/")]


def test_the_application_reads_its_body(serve: Serve) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        first, second = await receive(), await receive()
        await respond(send, first["body"] + second["body"])

    caller = serve(app)
    caller.request(post(4) + b"ab")
    caller.server.run(caller.connection.feed, b"cd")
    caller.server.turn(3)
    assert caller.connection.sent.endswith(b"b'abcd'")


def test_pipelined_requests_are_tasks_one_after_another(serve: Serve) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        order.append(scope["path"])
        if scope["path"] == "/0":
            await asyncio.sleep(0)
        order.append(scope["path"])
        await respond(send, scope["path"])

    order: list[str] = []
    caller = serve(app)
    caller.request(b"GET /0 HTTP/1.1\r\nHost: a\r\n\r\nGET /1 HTTP/1.1\r\nHost: a\r\n\r\n")
    caller.server.turn(5)
    assert order == ["/0", "/0", "/1", "/1"]


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="asyncio starts tasks eagerly itself")
def test_a_loop_without_attributes_of_its_own_takes_tasks_as_they_are(serve: Serve) -> None:
    class Bare:
        __slots__ = ("loop",)

        def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
            self.loop = loop

        def __getattr__(self, name: str) -> Any:
            return getattr(self.loop, name)

    caller = serve(hello)
    gateway = RecordingCaller(hello, Bare(caller.loop), contextvars.copy_context(), make_task)
    server = FakeServer(caller.loop, gateway=gateway)
    connection = server.connect()
    server.run(connection.feed, GET)
    server.turn(3)
    assert responses(connection.sent) == [(200, b"/")]


def make_task(coroutine: Any, *, loop: Any, **options: Any) -> Any:
    return asyncio.Task(coroutine, loop=loop.loop, **options)


def test_closing_breaks_its_reference_cycle(loop: asyncio.AbstractEventLoop) -> None:
    gc.collect()
    gc.disable()
    try:
        call = RecordingCaller(hello, loop, contextvars.copy_context(), asyncio.Task)
        gone = weakref.ref(call)
        call.close()
        del call
        assert gone() is None
    finally:
        gc.enable()
