"""``def`` controllers that wait, in a greenlet and in a thread, in the same process and over a socket."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any

import httpx
import pytest

from atlas import Application, AsyncTestClient, Request, Route, Server, StreamingResponse, await_, in_thread
from atlas.gateway.locals import Local
from atlas.gateway.locks import Lock
from atlas.gateway.threads import current_blocking_call

PATIENCE = 10.0
VARIABLE: ContextVar[str] = ContextVar("variable", default="default")

_WAITS = Route("/", lambda request: None).run == "greenlet"
RUNS = ["greenlet", "thread", pytest.param("auto", marks=pytest.mark.skipif(not _WAITS, reason="auto is inline here"))]
TRANSPORTS = ["in process", "over a socket", "over a socket, as ASGI"]

Connect = Callable[[Application], Any]


@pytest.fixture(params=RUNS)
def run(request: pytest.FixtureRequest) -> Any:
    """How the controllers of the test run."""
    return request.param


@pytest.fixture(params=TRANSPORTS)
def connect(request: pytest.FixtureRequest) -> Connect:
    """``async with connect(app) as client``: the application lives on the test's own loop."""
    if request.param == "in process":
        return AsyncTestClient

    @asynccontextmanager
    async def over_a_socket(app: Application) -> AsyncIterator[httpx.AsyncClient]:
        interface = "auto" if request.param == "over a socket" else "asgi"
        server = Server(app, port=0, interface=interface, access_log=False, timeout_graceful_shutdown=0)  # type: ignore[arg-type]
        serving = asyncio.ensure_future(server.serve())
        await server.wait_started()
        base_url = "http://{}:{}".format(*server.sockets[0].getsockname()[:2])
        limits = httpx.Limits(max_connections=None)
        try:
            async with httpx.AsyncClient(base_url=base_url, limits=limits, timeout=PATIENCE) as client:
                yield client
        finally:
            server.stop()
            await serving

    return over_a_socket


def answers(connect: Connect, run: Any, controller: Callable[..., Any], *, method: str = "GET", **options: Any) -> Any:
    """What a controller answers to one request."""
    return ask(connect, Application([Route("/", controller, [method], run=run)]), method=method, **options)


def ask(connect: Connect, app: Application, *, method: str = "GET", **options: Any) -> Any:
    async def go() -> Any:
        async with connect(app) as client:
            return await client.request(method, "/", **options)

    return asyncio.run(go())


# ---------------------------------------------------------------------------------------------------------- waiting


@pytest.mark.slow
def test_hundreds_wait_at_the_same_time_while_the_loop_ticks(connect: Connect, run: Any) -> None:
    many = 300 if run != "thread" or hasattr(Application(), "_threads") else 5

    async def go() -> tuple[set[str], int]:
        gate, here = asyncio.Event(), 0

        async def through() -> None:
            nonlocal here
            here += 1
            await gate.wait()

        def controller(request: Request) -> str:
            await_(through())
            return "through"

        ticks = 0
        async with connect(Application([Route("/", controller, run=run)])) as client:
            requests = [asyncio.ensure_future(client.get("/")) for _ in range(many)]
            async with asyncio.timeout(PATIENCE):
                while here < many:
                    await asyncio.sleep(0)
                    ticks += 1
            assert not any(request.done() for request in requests)
            gate.set()
            return {response.text for response in await asyncio.gather(*requests)}, ticks

    texts, ticks = asyncio.run(go())
    assert texts == {"through"}
    assert ticks > 0


def test_it_waits_as_often_as_it_likes_in_whatever_it_calls(connect: Connect, run: Any) -> None:
    async def double(number: int) -> int:
        await asyncio.sleep(0)
        return number * 2

    def helper(number: int) -> int:
        return await_(double(number))

    def controller(request: Request) -> dict[str, int]:
        return {"sum": sum(helper(number) for number in range(10))}

    assert answers(connect, run, controller).json() == {"sum": 90}


def test_a_function_in_a_thread(connect: Connect, run: Any) -> None:
    def controller(request: Request) -> dict[str, bool]:
        return {"elsewhere": await_(in_thread(threading.get_ident)) != threading.get_ident()}

    assert answers(connect, run, controller).json() == {"elsewhere": True}


def test_the_body_is_waited_for(connect: Connect, run: Any) -> None:
    def controller(request: Request) -> Any:
        return {"json": request.json(), "again": request.text()}

    response = answers(connect, run, controller, method="POST", content=b'{"a": 1}')
    assert response.json() == {"json": {"a": 1}, "again": '{"a": 1}'}


def test_a_form_is_waited_for(connect: Connect, run: Any) -> None:
    def controller(request: Request) -> Any:
        return {"name": request.form()["name"], "file": request.files()["file"].read().decode()}

    files = {"file": ("a.txt", b"contents")}
    response = answers(connect, run, controller, method="POST", data={"name": "ann"}, files=files)
    assert response.json() == {"name": "ann", "file": "contents"}


def test_a_body_in_chunks(connect: Connect, run: Any) -> None:
    def controller(request: Request) -> Any:
        return {"bytes": b"".join(request.stream()).decode()}

    response = answers(connect, run, controller, method="POST", content=b"x" * 200_000)
    assert len(response.json()["bytes"]) == 200_000


@pytest.mark.skipif(not _WAITS, reason="the body is read before the controller is called here")
@pytest.mark.parametrize("connect", TRANSPORTS[1:], indirect=True)
def test_chunks_are_received_as_they_are_sent(connect: Connect) -> None:
    """The second is sent when the controller has the first: to wait for the whole would be for ever."""

    async def go() -> str:
        got = asyncio.Event()

        async def pieces() -> AsyncIterator[bytes]:
            yield b"one "
            async with asyncio.timeout(PATIENCE):
                await got.wait()
            yield b"two"

        def controller(request: Request) -> str:
            text = ""
            for piece in request.stream():
                text += piece.decode()
                got.set()
            return text

        async with connect(Application([Route("/", controller, ["POST"], run="greenlet")])) as client:
            return (await client.post("/", content=pieces())).text

    assert asyncio.run(go()) == "one two"


# ------------------------------------------------------------------------------------------------ context variables


def test_context_variables_are_the_requests(connect: Connect, run: Any) -> None:
    """Set in a middleware, seen and set in the controller and in what it awaits, seen in the middleware afterwards."""

    async def awaited() -> str:
        seen = VARIABLE.get()
        VARIABLE.set("awaited")
        return seen

    def controller(request: Request) -> Any:
        seen = [VARIABLE.get()]
        VARIABLE.set("controller")
        seen += [await_(awaited()), VARIABLE.get()]
        VARIABLE.set("controller again")
        return seen

    async def around(request: Any, call_next: Any) -> Any:
        VARIABLE.set("middleware")
        response = await call_next(request)
        response.headers["x-variable"] = VARIABLE.get()
        return response

    app = Application([Route("/", controller, run=run)], middleware=[around])
    response = ask(connect, app)
    assert response.json() == ["middleware", "controller", "awaited"]
    assert response.headers["x-variable"] == "controller again"


def test_a_sync_middleware_runs_in_the_greenlet_too(connect: Connect, run: Any) -> None:
    def controller(request: Request) -> Any:
        seen = VARIABLE.get()
        await_(asyncio.sleep(0))
        VARIABLE.set("controller")
        return seen

    def around(request: Any, call_next: Any) -> Any:
        VARIABLE.set("middleware")
        response = call_next(request)
        response.headers["x-variable"] = VARIABLE.get()
        return response

    response = ask(connect, Application([Route("/", controller, run=run)], middleware=[around]))
    assert (response.text, response.headers["x-variable"]) == ("middleware", "controller")


def test_requests_share_no_state(connect: Connect, run: Any) -> None:
    local = Local(seen=())

    def controller(request: Request) -> Any:
        for word in ("a", "b", "c"):
            local.seen += (word + request.query["n"],)
            await_(asyncio.sleep(0))
        return list(local.seen)

    async def go() -> list[Any]:
        async with connect(Application([Route("/", controller, run=run)])) as client:
            responses = await asyncio.gather(*(client.get(f"/?n={number}") for number in range(20)))
            return [response.json() for response in responses]

    assert asyncio.run(go()) == [[f"{word}{number}" for word in "abc"] for number in range(20)]


def test_a_lock_lets_one_of_them_through_at_a_time(connect: Connect, run: Any) -> None:
    lock = Lock()
    inside = most = 0

    def controller(request: Request) -> str:
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
            await_(asyncio.sleep(0))
            inside -= 1
        return "ok"

    async def coroutine(request: Any) -> str:
        nonlocal inside, most
        async with lock:
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0)
            inside -= 1
        return "ok"

    async def go() -> set[int]:
        app = Application([Route("/sync", controller, run=run), Route("/async", coroutine)])
        async with connect(app) as client:
            paths = ["/sync", "/async"] * 20
            return {response.status_code for response in await asyncio.gather(*(client.get(path) for path in paths))}

    assert asyncio.run(go()) == {200}
    assert most == 1


# ------------------------------------------------------------------------------------- exceptions and cancellations


def test_an_exception_comes_with_its_whole_traceback(connect: Connect, run: Any) -> None:
    names: list[str] = []

    async def below() -> None:
        await asyncio.sleep(0)
        raise KeyError("below")

    def helper() -> None:
        await_(below())

    def controller(request: Request) -> None:
        helper()

    def handler(request: Any, error: Exception) -> str:
        trace = error.__traceback__
        while trace is not None:
            names.append(trace.tb_frame.f_code.co_name)
            trace = trace.tb_next
        return "handled"

    app = Application([Route("/", controller, run=run)], exception_handlers={KeyError: handler})
    assert ask(connect, app).text == "handled"
    order = [names.index(name) for name in ("controller", "helper", "below")]
    assert order == sorted(order)


def test_a_timeout_and_a_task_group_inside_of_what_it_awaits(connect: Connect, run: Any) -> None:
    async def slow() -> None:
        async with asyncio.timeout(0.001):
            await asyncio.Event().wait()

    async def group() -> list[int]:
        async with asyncio.TaskGroup() as tasks:
            children = [tasks.create_task(asyncio.sleep(0, number)) for number in range(3)]
        return [child.result() for child in children]

    def controller(request: Request) -> Any:
        try:
            await_(slow())
        except TimeoutError:
            return await_(group())

    assert answers(connect, run, controller).json() == [0, 1, 2]


def test_a_route_that_takes_too_long_is_cancelled_where_it_waits(connect: Connect, run: Any) -> None:
    seen: list[str] = []

    def controller(request: Request) -> None:
        try:
            await_(asyncio.Event().wait())
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise
        finally:
            await_(asyncio.sleep(0))
            seen.append("cleaned up")

    app = Application([Route("/", controller, run=run, timeout=0.25)])
    assert ask(connect, app).status_code == 503
    assert seen == ["cancelled", "cleaned up"]


@pytest.mark.parametrize("interface", ["auto", "asgi"])
def test_an_endless_wait_is_cancelled_at_shutdown(run: Any, interface: Any) -> None:
    seen: list[str] = []
    begun = threading.Semaphore(0)

    def controller(request: Request) -> None:
        try:
            begun.release()
            await_(asyncio.Event().wait())
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise
        finally:
            await_(asyncio.sleep(0))
            seen.append("cleaned up")

    app = Application([Route("/", controller, ["POST"], run=run)])
    server = Server(app, port=0, interface=interface, access_log=False, timeout_graceful_shutdown=0)
    clients = []
    with server.run_in_thread():
        address = "http://{}:{}/".format(*server.sockets[0].getsockname()[:2])

        def client() -> None:
            with pytest.raises(httpx.HTTPError):
                httpx.post(address, timeout=PATIENCE).raise_for_status()

        clients = [threading.Thread(target=client) for _ in range(3)]
        for thread in clients:
            thread.start()
        for _ in clients:
            assert begun.acquire(timeout=PATIENCE)
    for thread in clients:
        thread.join(PATIENCE)
    assert sorted(seen) == ["cancelled"] * 3 + ["cleaned up"] * 3


# -------------------------------------------------------------------------------------------------------- streaming


@pytest.mark.skipif(not _WAITS, reason="generators are iterated on the loop here")
def test_a_generator_that_is_streamed_may_wait(connect: Connect, run: Any) -> None:
    def pieces() -> Iterator[str]:
        for number in range(5):
            yield await_(asyncio.sleep(0, f"{number} "))

    def controller(request: Request) -> StreamingResponse:
        return StreamingResponse(pieces())

    assert answers(connect, run, controller).text == "0 1 2 3 4 "


# ------------------------------------------------------------------------------------------------ all of it in threads


def in_a_thread() -> bool:
    return current_blocking_call() is not None


def test_sync_controllers_run_in_threads_if_so_configured(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATLAS_SYNC_MODE", "thread")

    def sync(request: Request) -> Any:
        body = request.json() if request.method == "POST" else None
        return {"thread": in_a_thread(), "body": body, "waited": await_(asyncio.sleep(0, "waited"))}

    async def coroutine(request: Any) -> Any:
        return {"thread": in_a_thread()}

    def says_inline(request: Request) -> Any:
        return {"thread": in_a_thread()}

    app = Application(
        [
            Route("/sync", sync, ["GET", "POST"]),
            Route("/async", coroutine),
            Route("/inline", says_inline, run="inline"),
        ]
    )

    async def go() -> list[Any]:
        async with connect(app) as client:
            responses = [
                await client.get("/sync"),
                await client.post("/sync", json=[1]),
                await client.get("/async"),
                await client.get("/inline"),
            ]
            return [response.json() for response in responses]

    assert asyncio.run(go()) == [
        {"thread": True, "body": None, "waited": "waited"},
        {"thread": True, "body": [1], "waited": "waited"},
        {"thread": False},
        {"thread": False},
    ]


def test_sync_middleware_around_them_waits_for_them(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATLAS_SYNC_MODE", "thread")

    def sync(request: Request) -> str:
        return f"{in_a_thread()} {await_(asyncio.sleep(0, VARIABLE.get()))}"

    def outer(request: Any, call_next: Any) -> Any:
        VARIABLE.set("outer")
        response = call_next(request)
        response.headers["x-outer"] = await_(asyncio.sleep(0, "waited"))
        return response

    async def between(request: Any, call_next: Any) -> Any:
        return await call_next(request)

    def inner(request: Any, call_next: Any) -> Any:
        VARIABLE.set(VARIABLE.get() + " inner")
        return call_next(request)

    app = Application([Route("/", sync)], middleware=[outer, between, inner])
    response = ask(connect, app)
    assert (response.text, response.headers["x-outer"]) == ("True outer inner", "waited")


def test_blocking_in_threads_does_not_block_others(connect: Connect) -> None:
    """More than a pool has places for; each needs the next one to have begun."""

    async def go() -> set[int]:
        let_go = threading.Event()

        def blocks(request: Request) -> str:
            assert let_go.wait(PATIENCE)
            return "in the end"

        async def lets_go(request: Any) -> str:
            let_go.set()
            return "now"

        app = Application([Route("/blocks", blocks, run="thread"), Route("/now", lets_go)])
        async with connect(app) as client:
            blocked = [asyncio.ensure_future(client.get("/blocks")) for _ in range(60)]
            await asyncio.sleep(0)
            assert (await client.get("/now")).text == "now"
            return {response.status_code for response in await asyncio.gather(*blocked)}

    assert asyncio.run(go()) == {200}
