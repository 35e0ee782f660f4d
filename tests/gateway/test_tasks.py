"""Tasks of requests at real sockets: whatever an application does with them, the next request finds a fresh one."""

import asyncio
import contextvars
import socket
import weakref
from collections.abc import Callable
from typing import Any

import anyio
import pytest

from atlas import Application, Route

VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="default")

Serve = Callable[..., Any]


@pytest.fixture(params=["asyncio", "uvloop"])
def served(request: pytest.FixtureRequest, serve: Serve) -> Serve:
    """``served(app, **settings)`` on either event loop."""

    def start(app: Any, **settings: Any) -> Any:
        return serve(app, loop=request.param, **settings)

    return start


def ask(server: Any, paths: list[str]) -> list[str]:
    """The bodies of the answers to requests on one connection, one after another."""
    bodies = []
    with socket.create_connection(server.sockets[0].getsockname(), timeout=5) as peer, peer.makefile("rb") as stream:
        for path in paths:
            peer.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            length = 0
            while (line := stream.readline()) != b"\r\n":
                name, _, value = line.partition(b":")
                length = int(value) if name.lower() == b"content-length" else length
            bodies.append(stream.read(length).decode())
    return bodies


async def answer(send: Any, text: object) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(text).encode()})


KNOWN: "weakref.WeakKeyDictionary[Any, str]" = weakref.WeakKeyDictionary()


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Does with its task what the path says, and answers with what it finds before and afterwards."""
    path, task = scope["path"], asyncio.current_task()
    assert task is not None
    found = [KNOWN.get(task, "new"), VARIABLE.get(), task.get_name(), getattr(task, "path", ""), str(task.cancelling())]
    VARIABLE.set(path)
    if path == "/known":
        KNOWN[task] = path
    elif path == "/named":
        task.set_name(path)
        task.path = path  # type: ignore[attr-defined]
    elif path == "/waits":
        KNOWN[task] = path
        await asyncio.sleep(0)
        assert asyncio.current_task() is task
    elif path == "/scope":
        with anyio.move_on_after(0.001):
            await anyio.sleep_forever()
        async with asyncio.timeout(5), asyncio.TaskGroup() as group:
            group.create_task(asyncio.sleep(0))
    elif path == "/cancelled":
        task.cancel()
        try:
            await asyncio.sleep(10)
        except asyncio.CancelledError:
            pass
    assert VARIABLE.get() == path
    await answer(send, " ".join(found))


PATHS = [
    "/",
    "/known",
    "/",
    "/named",
    "/named",
    "/waits",
    "/",
    "/waits",
    "/scope",
    "/scope",
    "/cancelled",
    "/cancelled",
    "/",
]
FRESH = "new default atlas request  0"


def test_a_request_finds_nothing_of_another_in_its_task(served: Serve) -> None:
    assert ask(served(app), PATHS * 3) == [FRESH] * 3 * len(PATHS)


def test_nor_does_a_controller(served: Serve) -> None:
    async def controller(request: Any) -> str:
        sent: list[Any] = []

        async def send(event: Any) -> None:
            sent.append(event)

        await app(request.scope, None, send)
        return bytes(sent[1]["body"]).decode()

    routes = [Route(path, controller) for path in dict.fromkeys(PATHS)]
    assert ask(served(Application(routes)), PATHS * 3) == [FRESH] * 3 * len(PATHS)


class Recorder:
    """A task factory that an application sets while it starts."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def __call__(self, loop: Any, coroutine: Any, **options: Any) -> Any:
        task = asyncio.Task(coroutine, loop=loop, **options)
        self.names.append(coroutine.__name__)
        return task


def test_a_task_factory_of_the_lifespan_makes_the_tasks(served: Serve) -> None:
    async def hello(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await receive()
            asyncio.get_running_loop().set_task_factory(factory)
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
        else:
            await asyncio.sleep(0)
            await answer(send, VARIABLE.get())

    factory = Recorder()
    server = served(hello, lifespan="on")
    before = len(factory.names)
    assert ask(server, ["/", "/"]) == ["default", "default"]
    assert factory.names[before:].count("hello") == 2


def test_a_task_factory_makes_those_of_controllers(served: Serve) -> None:
    async def hello(request: Any) -> str:
        await asyncio.sleep(0)
        return VARIABLE.get()

    factory = Recorder()
    application = Application([Route("/", hello)])

    @application.on_startup
    async def begin() -> None:
        asyncio.get_running_loop().set_task_factory(factory)

    server = served(application, lifespan="on")
    assert ask(server, ["/", "/"]) == ["default", "default"]
    assert factory.names.count("hello") == 2
