import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from atlas import Application, AsyncRequest, ClientDisconnected, Request, Response, TextResponse
from atlas._speedups.calls.handlers import Endpoint, Handler, Hooks, RunMode, call_handler, run_now
from atlas.gateway.greenlets import Greenlets, await_
from atlas.web.controllers import to_response


def request(kind: type[Any] = Request, *values: Any) -> Any:
    return kind(Application(), {"type": "http", "method": "GET", "path": "/", "headers": []}, None, None, values)


def failed(request: Any, error: Exception) -> Response:
    if isinstance(error, ClientDisconnected):
        raise error
    return TextResponse(f"{type(error).__name__}: {error}", 500)


async def failed_later(request: Any, error: Exception) -> Response:
    await asyncio.sleep(0)
    return failed(request, error)


def endpoint(controller: Callable[..., Any], run_mode: RunMode) -> Endpoint:
    on_error = failed_later if run_mode is RunMode.ASYNC else failed
    return Endpoint(controller, run_mode, to_response, on_error, await_)


def controller(kind: str, function: Callable[..., Any]) -> Callable[..., Any]:
    async def later(request: Any, *values: Any) -> Any:
        await asyncio.sleep(0)
        return function(request, *values)

    return later if kind == "ASYNC" else function


async def outcome(handler: Handler, request: Any) -> Response:
    answer = call_handler(handler, request, Greenlets())
    response = answer if isinstance(answer, Response) else await answer
    assert isinstance(response, Response)
    return response


def answered(kind: str, function: Callable[..., Any], *values: Any) -> Response:
    run_mode = RunMode[kind]
    call = endpoint(controller(kind, function), run_mode)
    handler = Handler(call.respond, run_mode, None, call)
    request_kind = AsyncRequest if kind == "ASYNC" else Request
    return asyncio.run(outcome(handler, request(request_kind, *values)))


KINDS = [mode.name for mode in RunMode]


def test_a_handler_says_what_it_is() -> None:
    handler = Handler(print, RunMode.GREENLET, False)
    assert (handler.call, handler.run_mode, handler.cancel) == (print, RunMode.GREENLET, False)
    assert handler.run_mode is RunMode.GREENLET
    assert Handler(print, RunMode.INLINE).cancel is None
    call = endpoint(print, RunMode.ASYNC)
    assert (call.controller, call.run_mode) == (print, RunMode.ASYNC)


@pytest.mark.parametrize("kind", KINDS)
def test_a_result_becomes_a_response(kind: str) -> None:
    assert answered(kind, lambda request, a, b: f"{a}{b}", "x", 1).body == b"x1"
    assert answered(kind, lambda request: {"a": 1}).body == b'{"a":1}'
    page = TextResponse("page")
    assert answered(kind, lambda request: page) is page


@pytest.mark.parametrize("kind", KINDS)
def test_an_exception_becomes_a_response(kind: str) -> None:
    def fail(request: Any) -> None:
        raise KeyError("x")

    assert answered(kind, fail).body == b"KeyError: 'x'"
    assert answered(kind, lambda request: 5).body.startswith(b"TypeError: the controller")


@pytest.mark.parametrize("kind", KINDS)
def test_a_disconnect_is_raised(kind: str) -> None:
    def leave(request: Any) -> None:
        raise ClientDisconnected("left")

    with pytest.raises(ClientDisconnected, match="left"):
        answered(kind, leave)


@pytest.mark.parametrize("kind", KINDS)
def test_a_base_exception_is_raised(kind: str) -> None:
    class Stop(BaseException):
        pass

    def stop(request: Any) -> None:
        raise Stop

    with pytest.raises(Stop):
        answered(kind, stop)


@pytest.mark.parametrize("kind", KINDS)
def test_the_traceback_begins_with_the_controller(kind: str) -> None:
    seen: list[Any] = []

    def fail(request: Any) -> None:
        raise KeyError("x")

    def note(request: Any, error: Exception) -> Response:
        seen.append(error.__traceback__)
        return TextResponse("")

    async def note_later(request: Any, error: Exception) -> Response:
        return note(request, error)

    run_mode = RunMode[kind]
    call = Endpoint(controller(kind, fail), run_mode, to_response, note_later if kind == "ASYNC" else note, await_)
    asyncio.run(outcome(Handler(call.respond, run_mode), request(AsyncRequest if kind == "ASYNC" else Request)))
    assert seen[0].tb_frame.f_code.co_name == ("later" if kind == "ASYNC" else "fail")


def test_in_a_greenlet_it_may_wait() -> None:
    async def value() -> str:
        await asyncio.sleep(0)
        return "waited"

    assert answered("GREENLET", lambda request: await_(value())).body == b"waited"

    def fail(request: Any) -> None:
        await_(asyncio.sleep(0))
        raise KeyError("x")

    assert answered("GREENLET", fail).body == b"KeyError: 'x'"


def test_a_greenlet_is_used_again() -> None:
    async def go() -> None:
        pool = Greenlets().pool
        handler = Handler(endpoint(lambda request: "x", RunMode.GREENLET).respond, RunMode.GREENLET)
        for _ in range(3):
            assert call_handler(handler, request(), None, pool).body == b"x"
            assert pool.idle_count == 1

    asyncio.run(go())


class Pending(TextResponse):
    async def complete(self, request: Any) -> Response:
        await asyncio.sleep(0)
        return TextResponse("complete")


@pytest.mark.parametrize("kind", ["GREENLET", "ASYNC"])
def test_a_response_that_is_pending_is_completed(kind: str) -> None:
    response = Pending("pending")
    response.pending = True
    assert answered(kind, lambda request: response).body == b"complete"


def hooks(log: list[str], *, waits: bool, fails: str = "", ends: str = "") -> Hooks:
    """Three middlewares around a step; one hook may fail, and one may answer."""

    def called(name: str, *given: Any) -> Any:
        log.append(name)
        if name == fails:
            raise KeyError(name)
        return TextResponse(name) if name == ends else None

    def hook(name: str) -> Callable[..., Any]:
        def now(*given: Any) -> Any:
            return called(name)

        async def later(*given: Any) -> Any:
            await asyncio.sleep(0)
            return called(name)

        return later if waits else now

    def inner(request: Any) -> Response:
        log.append("inner")
        return TextResponse("inner")

    async def inner_later(request: Any) -> Response:
        return inner(request)

    before = tuple((place, hook(f"before {place}"), waits) for place in (0, 2))
    after = tuple((place, hook(f"after {place}"), waits) for place in (2, 1, 0))
    return Hooks(before, after, 3, inner_later if waits else inner, failed_later if waits else failed, waits)


@pytest.mark.parametrize("waits", [False, True])
@pytest.mark.parametrize(
    ("fails", "ends", "order", "body"),
    [
        ("", "", "before 0, before 2, inner, after 2, after 1, after 0", b"inner"),
        ("before 2", "", "before 0, before 2, after 1, after 0", b"KeyError: 'before 2'"),
        ("before 0", "", "before 0", b"KeyError: 'before 0'"),
        ("", "before 0", "before 0, after 0", b"before 0"),
        ("", "before 2", "before 0, before 2, after 2, after 1, after 0", b"before 2"),
        ("after 1", "", "before 0, before 2, inner, after 2, after 1, after 0", b"KeyError: 'after 1'"),
        ("", "after 2", "before 0, before 2, inner, after 2, after 1, after 0", b"after 2"),
    ],
)
def test_the_order_of_hooks(waits: bool, fails: str, ends: str, order: str, body: bytes) -> None:
    log: list[str] = []
    step = hooks(log, waits=waits, fails=fails, ends=ends)
    handler = Handler(step.respond, RunMode.ASYNC if waits else RunMode.INLINE)
    response = asyncio.run(outcome(handler, request()))
    assert ", ".join(log) == order
    assert response.body == body


def test_a_coroutine_that_does_not_suspend_is_run_at_once() -> None:
    async def value(result: Any) -> Any:
        return result

    async def fail() -> None:
        raise KeyError("x")

    for result in (1, None, (1, 2), "x"):
        assert run_now(value(result)) == result
    with pytest.raises(KeyError):
        run_now(fail())


def test_a_coroutine_that_suspends_cannot_be_run_at_once() -> None:
    ended = []

    async def wait() -> None:
        try:
            await asyncio.sleep(0)
        finally:
            ended.append(True)

    with pytest.raises(RuntimeError, match="has suspended"):
        run_now(wait())
    assert ended == [True]


def test_a_controller_in_a_task_may_suspend_be_cancelled_and_go_on() -> None:
    seen: list[str] = []

    async def stubborn(request: Any) -> str:
        for _ in range(2):
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                seen.append("cancelled")
        await asyncio.sleep(0)
        return "returned"

    async def returning(request: Any) -> str:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return "at once"
        raise AssertionError

    async def go(controller: Any, times: int) -> Response:
        call = endpoint(controller, RunMode.ASYNC)
        task = asyncio.ensure_future(outcome(Handler(call.respond, RunMode.ASYNC, None, call), request(AsyncRequest)))
        for _ in range(times):
            await asyncio.sleep(0)
            task.cancel()
        return await task

    assert asyncio.run(go(stubborn, 2)).body == b"returned"
    assert seen == ["cancelled"] * 2
    assert asyncio.run(go(returning, 1)).body == b"at once"


def test_the_task_of_a_controller_is_that_of_the_caller() -> None:
    async def controller(request: Any) -> str:
        task = asyncio.current_task()
        async with asyncio.timeout(10):
            await asyncio.sleep(0)
        assert asyncio.current_task() is task
        return str(task is caller)

    async def go() -> Response:
        nonlocal caller
        caller = asyncio.current_task()
        call = endpoint(controller, RunMode.ASYNC)
        return await outcome(Handler(call.respond, RunMode.ASYNC, None, call), request(AsyncRequest))

    caller: Any = None
    assert asyncio.run(go()).body == b"True"


def test_closing_what_waits_closes_the_controller() -> None:
    seen: list[str] = []

    async def controller(request: Any) -> str:
        try:
            await asyncio.Event().wait()
        finally:
            seen.append("closed")
        return ""

    async def go() -> None:
        call = endpoint(controller, RunMode.ASYNC)
        waiting = call_handler(Handler(call.respond, RunMode.ASYNC, None, call), request(AsyncRequest), None)
        waiting.send(None)
        waiting.close()

    asyncio.run(go())
    assert seen == ["closed"]


def test_an_object_whose_call_gives_an_awaitable() -> None:
    class Awaitable:
        def __await__(self) -> Any:
            yield from asyncio.sleep(0).__await__()
            return "awaited"

    async def go() -> Response:
        call = endpoint(lambda request: Awaitable(), RunMode.ASYNC)
        return await outcome(Handler(call.respond, RunMode.ASYNC, None, call), request(AsyncRequest))

    assert asyncio.run(go()).body == b"awaited"


def test_the_response_of_an_async_controller_that_fails_after_a_wait() -> None:
    async def fail(request: Any) -> None:
        await asyncio.sleep(0)
        raise KeyError("late")

    async def go() -> Response:
        call = endpoint(fail, RunMode.ASYNC)
        return await outcome(Handler(call.respond, RunMode.ASYNC, None, call), request(AsyncRequest))

    assert asyncio.run(go()).body == b"KeyError: 'late'"
