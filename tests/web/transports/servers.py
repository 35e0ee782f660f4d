"""The servers that an application is asked through, each in a fixed state: no date, no name, room for large heads.

All of them run on one loop, in a thread that lives as long as the run, so that a server costs a test a millisecond: a
new one for each question. When it has stopped, the application has ended its work on that question.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import hypercorn.asyncio
import hypercorn.config
import uvicorn
import uvloop

from atlas import Application, Server, Settings, StartupError

__all__ = ["CERTIFICATE", "PATIENCE", "SERVERS", "Asked", "LoopThread", "Start"]

CERTIFICATE = Path(__file__).with_name("site.test.pem")
"""A certificate and its key for ``site.test``, a name that leads nowhere."""

PATIENCE = 10.0
T = TypeVar("T")


@dataclass(frozen=True)
class Asked:
    """What is to be served, and how."""

    app: Any
    listener: socket.socket
    root_path: str = ""
    tls: bool = False

    @property
    def address(self) -> tuple[str, int]:
        """Where it can be asked."""
        host, port = self.listener.getsockname()
        return host, port

    @property
    def lifespan(self) -> Any:
        """Only an application has a life of its own; a response that is served alone would take it for a request."""
        return "on" if isinstance(self.app, Application) else "off"


Start = Callable[[Asked], AbstractAsyncContextManager[None]]


class _Loop(uvloop.Loop):
    """A loop whose listening sockets can be told to speak TLS, since Atlas's server has no setting for it."""

    tls: ssl.SSLContext | None = None

    async def create_server(self, *args: Any, **options: Any) -> Any:
        return await super().create_server(*args, **options, **({"ssl": self.tls} if self.tls else {}))


class LoopThread:
    """A loop in a thread, until the process ends."""

    def __init__(self) -> None:
        self._loop = _Loop()
        threading.Thread(target=self._run, name="ways", daemon=True).start()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of ``work`` on the loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE)

    @contextmanager
    def serving(self, start: Start, asked: Asked) -> Iterator[Callable[[], None]]:
        """Serve for the length of the block; what it is given stops the server earlier."""
        serving = AsyncExitStack()
        self.run(serving.enter_async_context(start(asked)))

        def stop() -> None:
            self.run(serving.aclose())

        try:
            yield stop
        finally:
            stop()


@cache
def _server_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    return context


def _by_atlas(interface: str) -> Start:
    @asynccontextmanager
    async def serve(asked: Asked) -> AsyncIterator[None]:
        settings = Settings(
            interface=interface,  # type: ignore[arg-type]
            lifespan=asked.lifespan,
            root_path=asked.root_path,
            access_log=False,
            date_header=False,
            server_header=False,
            limit_request_line=1 << 16,
            limit_request_head=1 << 17,
            limit_request_field=1 << 16,
            timeout_graceful_shutdown=PATIENCE,
        )
        server = Server(asked.app, settings)
        loop: Any = asyncio.get_running_loop()
        loop.tls = _server_context() if asked.tls else None
        async with _beside(server.serve([asked.listener]), server.stop, server.wait_started()):
            loop.tls = None
            yield

    return serve


@asynccontextmanager
async def _beside(serving: Coroutine[Any, Any, None], stop: Callable[[], None], up: Any) -> AsyncIterator[None]:
    """Serve while the block runs; if the start fails, its error comes out."""
    task, started = asyncio.ensure_future(serving), asyncio.ensure_future(up)
    await asyncio.wait({task, started}, return_when=asyncio.FIRST_COMPLETED)
    started.cancel()
    if task.done():
        await task
    try:
        yield
    finally:
        stop()
        await task


@asynccontextmanager
async def _by_uvicorn(asked: Asked) -> AsyncIterator[None]:
    """uvicorn without the ticks of its main loop: a stop would wait for the next one."""
    tls = {"ssl_certfile": str(CERTIFICATE)} if asked.tls else {}
    config = uvicorn.Config(
        asked.app,
        lifespan=asked.lifespan,
        root_path=asked.root_path,
        log_config=None,
        access_log=False,
        date_header=False,
        server_header=False,
        **tls,  # type: ignore[arg-type]
    )
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    try:
        await server.startup([asked.listener])
    except SystemExit:
        raise StartupError("uvicorn: the application did not start") from None
    try:
        yield
    finally:
        for each in server.servers:
            each.close()
        for connection in list(server.server_state.connections):
            connection.shutdown()
        while server.server_state.tasks:
            await asyncio.wait(server.server_state.tasks)
        await server.lifespan.shutdown()


@asynccontextmanager
async def _by_hypercorn(asked: Asked) -> AsyncIterator[None]:
    config = hypercorn.config.Config()
    config.bind = [f"fd://{os.dup(asked.listener.fileno())}"]  # it closes its own
    config.root_path = asked.root_path
    config.include_date_header = config.include_server_header = False
    config.accesslog, config.errorlog = None, logging.getLogger("hypercorn.error")
    config.h11_max_incomplete_size = 1 << 17
    if asked.tls:
        config.certfile = config.keyfile = str(CERTIFICATE)
    over = asyncio.Event()
    up = asyncio.sleep(0)  # the socket listens: whoever connects before hypercorn accepts waits for it
    app = asked.app if asked.lifespan == "on" else _for_requests_alone(asked.app)
    serving = hypercorn.asyncio.serve(app, config, shutdown_trigger=over.wait)
    async with _beside(serving, over.set, up):
        yield


def _for_requests_alone(app: Any) -> Any:
    """hypercorn has no setting for the lifespan."""

    async def refuse_others(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            raise RuntimeError("expected a request")
        await app(scope, receive, send)

    return refuse_others


SERVERS: dict[str, Start] = {
    "native": _by_atlas("auto"),
    "asgi": _by_atlas("asgi"),
    "uvicorn": _by_uvicorn,
    "hypercorn": _by_hypercorn,
}
"""The ways over a socket: Atlas's server with the application inside of it, Atlas's server calling it as any ASGI
application, and other people's servers."""
