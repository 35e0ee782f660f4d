"""The servers of the socket transports, without date and server fields, and with limits for large heads.

All of them run on one event loop in a thread of the test session, so that starting a server takes a millisecond: there
is a new one for each request. After it has stopped, the application has finished the request.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar
from unittest.mock import patch

import hypercorn.asyncio
import hypercorn.config
import uvicorn
import uvloop

import atlas.server.server
from atlas import Application, Server, Settings, StartupError
from atlas.server.tls.contexts import make_context

__all__ = ["CERTIFICATE", "PATIENCE", "SERVERS", "LoopThread", "Served", "Start"]

CERTIFICATE = Path(__file__).with_name("site.test.pem")
"""A certificate and its key for ``site.test``."""

PATIENCE = 10.0
T = TypeVar("T")


@dataclass(frozen=True)
class Served:
    """An application to serve, and its settings."""

    app: Any
    listener: socket.socket
    root_path: str = ""
    tls: bool = False

    @property
    def address(self) -> tuple[str, int]:
        """The address of the listener."""
        host, port = self.listener.getsockname()
        return host, port

    @property
    def lifespan(self) -> Any:
        """``off`` for a response that is served as an ASGI application, which does not know the lifespan."""
        return "on" if isinstance(self.app, Application) else "off"


Start = Callable[[Served], AbstractAsyncContextManager[None]]


class LoopThread:
    """An event loop in a daemon thread."""

    def __init__(self) -> None:
        self._loop = uvloop.new_event_loop()
        threading.Thread(target=self._run, name="test servers", daemon=True).start()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run ``work`` on the loop, and return its result."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE)

    @contextmanager
    def serving(self, start: Start, target: Served) -> Iterator[Callable[[], None]]:
        """Serve during the block; yield a function that stops the server before its end."""
        serving = AsyncExitStack()
        self.run(serving.enter_async_context(start(target)))

        def stop() -> None:
            self.run(serving.aclose())

        try:
            yield stop
        finally:
            stop()


def _by_atlas(interface: str) -> Start:
    @asynccontextmanager
    async def serve(target: Served) -> AsyncIterator[None]:
        settings = Settings(
            interface=interface,  # type: ignore[arg-type]
            lifespan=target.lifespan,
            root_path=target.root_path,
            access_log=False,
            date_header=False,
            server_header=False,
            limit_request_line=1 << 16,
            limit_request_head=1 << 17,
            limit_request_field=1 << 16,
            timeout_graceful_shutdown=PATIENCE,
            ssl_certfile=CERTIFICATE if target.tls else None,  # type: ignore[arg-type]  # paths are taken as well
        )
        server = Server(target.app, settings)
        with patch.object(atlas.server.server, "make_context", _context_of):
            serving = _beside(server.serve([target.listener]), server.stop, server.wait_started())
            await serving.__aenter__()
        async with AsyncExitStack() as stack:
            stack.push_async_exit(serving)
            yield

    return serve


@cache
def _context_of(settings: Settings) -> Any:
    """Make a TLS context once: reading the certificate takes longer than a server."""
    return make_context(settings)


@asynccontextmanager
async def _beside(serving: Coroutine[Any, Any, None], stop: Callable[[], None], up: Any) -> AsyncIterator[None]:
    """Serve during the block; raise the error of a start that fails."""
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
async def _by_uvicorn(target: Served) -> AsyncIterator[None]:
    """Run uvicorn without its main loop, which checks for a stop at intervals."""
    tls = {"ssl_certfile": str(CERTIFICATE)} if target.tls else {}
    config = uvicorn.Config(
        target.app,
        lifespan=target.lifespan,
        root_path=target.root_path,
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
        await server.startup([target.listener])
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
async def _by_hypercorn(target: Served) -> AsyncIterator[None]:
    config = hypercorn.config.Config()
    config.bind = [f"fd://{os.dup(target.listener.fileno())}"]  # it closes its own
    config.root_path = target.root_path
    config.include_date_header = config.include_server_header = False
    config.accesslog, config.errorlog = None, logging.getLogger("hypercorn.error")
    config.h11_max_incomplete_size = 1 << 17
    if target.tls:
        config.certfile = config.keyfile = str(CERTIFICATE)
    over = asyncio.Event()
    up = asyncio.sleep(0)  # the socket listens: a client that connects before hypercorn accepts waits
    app = target.app if target.lifespan == "on" else _for_requests_alone(target.app)
    serving = hypercorn.asyncio.serve(app, config, shutdown_trigger=over.wait)
    async with _beside(serving, over.set, up):
        yield


def _for_requests_alone(app: Any) -> Any:
    """Wrap an application without a lifespan: hypercorn has no setting for it."""

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
"""The socket transports: Atlas's server with the native and the ASGI gateway, and other servers."""
