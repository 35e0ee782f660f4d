"""Streams of applications: how they begin, where their content runs, and how it ends."""

import asyncio
import gc
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextvars import ContextVar
from typing import Any

import httpx
import pytest

from atlas import (
    Application,
    AsyncRequest,
    Compress,
    ConditionalGet,
    EventSourceResponse,
    HTTPException,
    NotFound,
    Request,
    Response,
    Route,
    StreamingResponse,
    Timeout,
    await_,
)
from atlas.testing import AsyncTestClient, TestClient

Ask = Callable[..., httpx.Response]


class Busy(Exception):
    pass


class Content:
    """Generators of both kinds, which raise before their first chunk or yield chunks."""

    def __init__(
        self, error: Exception | None = None, waits: bool = False, chunks: tuple[Any, ...] = ("a", "b")
    ) -> None:
        self.error, self.waits, self.chunks = error, waits, chunks
        self.begun = False
        self.ended = threading.Event()

    def plain(self) -> Iterator[Any]:
        try:
            self.begun = True
            if self.waits:
                await_(asyncio.sleep(0))
            if self.error is not None:
                raise self.error
            yield from self.chunks
        finally:
            self.ended.set()

    async def coroutine(self) -> AsyncIterator[Any]:
        try:
            self.begun = True
            if self.waits:
                await asyncio.sleep(0)
            if self.error is not None:
                raise self.error
            for chunk in self.chunks:
                yield chunk
        finally:
            self.ended.set()


KINDS = pytest.mark.parametrize("kind", ["plain", "coroutine"])
RUNS = pytest.mark.parametrize("run", ["await", "greenlet", "thread", "inline"])
RESPONSES = pytest.mark.parametrize("response", [StreamingResponse, EventSourceResponse])


def streaming(content: Content, kind: str, run: str, response: Any = StreamingResponse) -> Route:
    def controller(request: Request) -> Response:
        return response(getattr(content, kind)())  # type: ignore[no-any-return]

    async def async_controller(request: AsyncRequest) -> Response:
        return controller(request)  # type: ignore[arg-type]

    return Route("/", async_controller) if run == "await" else Route("/", controller, run=run)


@KINDS
@RUNS
@RESPONSES
@pytest.mark.parametrize("waits", [False, True])
def test_an_error_before_the_first_chunk_is_an_error_page(
    ask: Ask, kind: str, run: str, response: Any, waits: bool
) -> None:
    content = Content(NotFound("no such stream"), waits and run != "inline")

    def label(request: Request, call_next: Any) -> Response:
        result: Response = call_next(request)
        result.headers["x-seen"] = str(result.status_code)
        return result

    app = Application([streaming(content, kind, run, response)], middleware=[label] if run != "inline" else [])
    found = ask(app, "GET", "/", headers={"accept": "application/problem+json"})
    assert (found.status_code, found.json()["detail"]) == (404, "no such stream")
    assert run == "inline" or found.headers["x-seen"] == "404"
    assert content.ended.wait(5)


@KINDS
@pytest.mark.parametrize("run", ["await", "greenlet", "thread"])
def test_an_exception_handler_answers_an_error_before_the_first_chunk(ask: Ask, kind: str, run: str) -> None:
    handlers: Any = {Busy: lambda request, error: ("busy", 503)}
    app = Application([streaming(Content(Busy()), kind, run)], exception_handlers=handlers)
    found = ask(app, "GET", "/")
    assert (found.status_code, found.text) == (503, "busy")


@KINDS
@RUNS
@pytest.mark.parametrize("chunks", [(), ("",), ("a", b"b", bytearray(b"c"), memoryview(b"d"))])
def test_the_chunks_of_a_stream(ask: Ask, kind: str, run: str, chunks: tuple[Any, ...]) -> None:
    content = Content(chunks=chunks)
    response = ask(Application([streaming(content, kind, run)]), "GET", "/")
    assert response.text == ("abcd" if len(chunks) > 1 else "")
    assert content.ended.wait(5)


@pytest.mark.parametrize("chunk", [None, 1, {"a": 1}, ["x"]])
@KINDS
def test_a_first_chunk_of_another_type_is_named(kind: str, chunk: Any) -> None:
    with pytest.raises(TypeError, match=f"StreamingResponse: expected bytes or str, got {type(chunk).__name__}"):
        TestClient(Application([streaming(Content(chunks=(chunk,)), kind, "await")])).get("/")


@KINDS
@RUNS
def test_head_does_not_run_the_content(ask: Ask, kind: str, run: str) -> None:
    content = Content(NotFound())
    assert ask(Application([streaming(content, kind, run)]), "HEAD", "/").status_code == 200
    assert not content.begun


@KINDS
def test_a_response_without_a_body_closes_its_content(ask: Ask, kind: str) -> None:
    content = Content()
    route = streaming(content, kind, "greenlet")

    def tagged(request: Request) -> Response:
        response: Response = route.controller(request)
        response.etag("v1")
        return response

    app = Application([Route("/", tagged)], middleware=[Compress(minimum=0), ConditionalGet()])
    response = ask(app, "GET", "/", headers={"if-none-match": 'W/"v1"', "accept-encoding": "gzip"})
    assert (response.status_code, response.content) == (304, b"")
    assert content.ended.wait(5)


@KINDS
def test_content_is_closed_if_another_response_is_sent(ask: Ask, kind: str) -> None:
    content = Content()

    async def replace(request: AsyncRequest, call_next: Any) -> Response:
        await call_next(request)
        return Response("other")

    app = Application([streaming(content, kind, "greenlet")], middleware=[replace])
    assert ask(app, "GET", "/").text == "other"
    assert content.ended.wait(5)


@KINDS
def test_a_middleware_may_put_an_iterable_around_the_content(ask: Ask, kind: str) -> None:
    def around(chunks: Any) -> Iterator[str]:
        for chunk in chunks:
            yield chunk.upper()

    async def async_around(chunks: Any) -> AsyncIterator[str]:
        async for chunk in chunks:
            yield chunk.upper()

    def middleware(request: Request, call_next: Any) -> Response:
        response: Any = call_next(request)
        response.body_iterator = (around if kind == "plain" else async_around)(response.body_iterator)
        return response  # type: ignore[no-any-return]

    content = Content()
    assert ask(Application([streaming(content, kind, "greenlet")], middleware=[middleware]), "GET", "/").text == "AB"
    assert content.ended.wait(5)


def test_a_middleware_may_put_an_iterable_of_the_other_kind_around_it(ask: Ask) -> None:
    async def around(chunks: Any) -> AsyncIterator[str]:
        for chunk in chunks:
            yield chunk.upper()

    def middleware(request: Request, call_next: Any) -> Response:
        response: Any = call_next(request)
        response.body_iterator = around(response.body_iterator)
        return response  # type: ignore[no-any-return]

    content = Content()
    app = Application([streaming(content, "plain", "greenlet")], middleware=[middleware])
    assert ask(app, "GET", "/").text == "AB"
    assert content.ended.wait(5)


def test_a_generator_runs_in_one_task() -> None:
    """A time-out or a task group around its chunks is bound to the task in which it began."""

    async def chunks() -> AsyncIterator[str]:
        async with asyncio.timeout(10), asyncio.TaskGroup() as group:
            task = asyncio.current_task()
            for number in range(3):
                yield f"{number}"
                await group.create_task(asyncio.sleep(0))
                assert asyncio.current_task() is task

    async def page(request: AsyncRequest) -> Response:
        return StreamingResponse(chunks())

    for over_socket in (False, True):
        with TestClient(Application([Route("/", page)]), over_socket=over_socket) as client:
            assert client.get("/").text == "012"


def test_content_of_a_controller_in_a_thread_runs_in_one_thread(ask: Ask) -> None:
    seen = []

    def chunks() -> Iterator[str]:
        try:
            for chunk in "abc":
                seen.append(threading.get_ident())
                yield chunk
        finally:
            seen.append(threading.get_ident())

    loop = []

    async def note(request: AsyncRequest, call_next: Any) -> Response:
        loop.append(threading.get_ident())
        return await call_next(request)  # type: ignore[no-any-return]

    for result in (StreamingResponse(chunks()), (StreamingResponse(chunks()), 200), EventSourceResponse(chunks())):
        seen.clear()
        app = Application(
            [Route("/", lambda request, result=result: result, run="thread", name="r")], middleware=[note]
        )
        assert "c" in ask(app, "GET", "/").text
        assert len(seen) == 4
        assert len(set(seen)) == 1
        assert seen[0] != loop[-1]


def test_a_blocking_generator_in_a_thread_does_not_hold_the_event_loop() -> None:
    blocked, free = threading.Event(), threading.Event()

    def chunks() -> Iterator[str]:
        yield "a"
        blocked.set()
        assert free.wait(10)
        yield "b"

    def freeing(request: Request) -> str:
        assert blocked.wait(10)
        free.set()
        return "freed"

    app = Application(
        [
            Route("/stream", lambda request: StreamingResponse(chunks()), run="thread", name="stream"),
            Route("/free", freeing, run="thread", name="free"),
        ]
    )

    async def both() -> list[str]:
        async with AsyncTestClient(app, over_socket=True) as client:
            return [response.text for response in await asyncio.gather(client.get("/stream"), client.get("/free"))]

    assert asyncio.run(both()) == ["ab", "freed"]


VALUE: ContextVar[str] = ContextVar("value", default="unset")


@KINDS
@pytest.mark.parametrize("run", ["await", "greenlet", "thread"])
def test_a_stream_sees_the_context_of_its_controller(ask: Ask, kind: str, run: str) -> None:
    def plain() -> Iterator[str]:
        yield VALUE.get()
        VALUE.set("changed")
        yield VALUE.get()

    async def coroutine() -> AsyncIterator[str]:
        for value in plain():
            yield value

    def controller(request: Request) -> Response:
        VALUE.set("inner ")
        return StreamingResponse({"plain": plain, "coroutine": coroutine}[kind]())

    async def async_controller(request: AsyncRequest) -> Response:
        return controller(request)  # type: ignore[arg-type]

    route = Route("/", async_controller) if run == "await" else Route("/", controller, run=run)
    assert ask(Application([route]), "GET", "/").text == "inner changed"


def test_the_time_of_the_first_chunk_counts_for_a_timeout(ask: Ask) -> None:
    ended = []

    def chunks() -> Iterator[str]:
        try:
            await_(asyncio.Event().wait())
            yield "never"
        finally:
            ended.append(True)

    app = Application([Route("/", lambda request: StreamingResponse(chunks()), name="r")], middleware=[Timeout(0.01)])
    assert ask(app, "GET", "/").status_code == 503
    assert ended == [True]


def test_the_head_of_an_event_stream_does_not_wait_long_for_an_event() -> None:
    first = threading.Event()

    async def events() -> AsyncIterator[str]:
        while not first.is_set():
            await asyncio.sleep(0.001)
        yield "late"

    app = Application([Route("/", lambda request: EventSourceResponse(events()), name="r")])
    with TestClient(app, over_socket=True) as client, client.stream("GET", "/") as response:
        assert response.status_code == 200
        first.set()
        assert "".join(response.iter_text()) == "data: late\n\n"


class Source:
    """An iterable whose iterators are generators."""

    def __init__(self) -> None:
        self.closed: list[str] = []

    def __iter__(self) -> Iterator[str]:
        try:
            yield "a"
            raise HTTPException(500)
        finally:
            self.closed.append("iterator")

    def close(self) -> None:
        self.closed.append("content")


def test_the_iterator_of_an_iterable_is_closed_too() -> None:
    source = Source()
    app = Application([Route("/", lambda request: StreamingResponse(source), name="r")])
    with pytest.raises(HTTPException):
        TestClient(app).get("/")
    assert source.closed == ["iterator", "content"]


@KINDS
@RESPONSES
def test_nothing_of_a_stream_stays(kind: str, response: Any) -> None:
    app = Application([streaming(Content(), kind, "greenlet", response)])
    with TestClient(app, over_socket=True) as client:
        client.get("/")
        gc.collect()
        gc.disable()
        try:
            gc.set_debug(gc.DEBUG_SAVEALL)
            assert client.get("/").status_code == 200
            gc.collect()
            assert not [each for each in gc.garbage if type(each).__name__ in ("BodyStream", "ApplicationTask")]
        finally:
            gc.set_debug(0)
            gc.garbage.clear()
            gc.enable()
