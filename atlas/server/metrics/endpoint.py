"""The endpoint of ``--metrics``: ``/metrics``, ``/healthz`` and ``/readyz``, served by Atlas on an address of its own.

It does not run on the event loop that calls the application, so that it answers while that is busy: a single process
serves it in a thread, with an event loop of its own; with worker processes the parent serves it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Protocol

from atlas.errors import StartupError
from atlas.server.configuration.settings import Settings
from atlas.server.metrics.exposition import negotiate, render
from atlas.server.metrics.families import Family
from atlas.server.server import Server
from atlas.server.sockets import listener
from atlas.types import Receive, Scope, Send

__all__ = ["Source", "serving", "serving_in_thread"]

_logger = logging.getLogger("atlas.server")
_STOP_TIMEOUT = 0.5  # seconds that a scrape has to end
_PLAIN = "text/plain; charset=utf-8"


class Source(Protocol):
    """What the endpoint shows. All methods may be called from a thread of the endpoint."""

    def is_ready(self) -> bool:
        """Return whether the application is served, and no stop has begun."""

    def is_alive(self) -> bool:
        """Return whether the event loop runs."""

    def families(self) -> Iterable[Family]:
        """Iterate over the metrics."""


class _Endpoint:
    """The ASGI application."""

    def __init__(self, source: Source) -> None:
        self._source = source

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        status, content_type, body = self._respond(scope)
        fields = [(b"content-type", content_type.encode()), (b"content-length", b"%d" % len(body))]
        fields += [(b"cache-control", b"no-store"), (b"vary", b"accept")]
        if status == 405:
            fields.append((b"allow", b"GET, HEAD"))
        await send({"type": "http.response.start", "status": status, "headers": fields})
        await send({"type": "http.response.body", "body": body})

    def _respond(self, scope: Scope) -> tuple[int, str, bytes]:
        if scope["method"] not in ("GET", "HEAD"):
            return 405, _PLAIN, b"Method not allowed\n"
        match scope["path"]:
            case "/metrics":
                accept = b",".join(value for name, value in scope["headers"] if name == b"accept")
                chosen = negotiate(accept.decode("latin-1"))
                return 200, chosen.content_type, render(self._source.families(), chosen)
            case "/healthz":
                return (200, _PLAIN, b"ok\n") if self._source.is_alive() else (503, _PLAIN, b"the loop is blocked\n")
            case "/readyz":
                return (200, _PLAIN, b"ok\n") if self._source.is_ready() else (503, _PLAIN, b"not ready\n")
        return 404, _PLAIN, b"Not found: expected /metrics, /healthz or /readyz\n"


def _server(address: str, source: Source) -> Server:
    settings = Settings(
        bind=(address,),
        loop="asyncio",
        lifespan="off",
        access_log=False,
        proxy_headers=False,
        limit_connections=64,
        timeout_drain=0,
        timeout_graceful_shutdown=_STOP_TIMEOUT,
    )
    server = Server(_Endpoint(source), settings)
    server.announces = False
    return server


@contextlib.contextmanager
def serving_in_thread(address: str, source: Source) -> Iterator[None]:
    """Serve the endpoint in a thread, for the length of the block.

    :param address: the value of ``--metrics``.
    :param source: what it shows.
    :raises StartupError: if the address cannot be used.
    """
    with contextlib.ExitStack() as stack:
        try:
            server = stack.enter_context(_server(address, source).run_in_thread(_STOP_TIMEOUT))
        except StartupError as error:
            raise _located(error) from None
        _logger.info("metrics on %s", server.addresses())
        yield


@contextlib.asynccontextmanager
async def serving(address: str, source: Source) -> AsyncIterator[None]:
    """Serve the endpoint on the running event loop, for the length of the block; see :func:`serving_in_thread`."""
    server = _server(address, source)
    try:
        sockets = listener.bind(server.settings)
    except StartupError as error:
        raise _located(error) from None
    serve = asyncio.ensure_future(server.serve(sockets))
    try:
        await server.wait_started()
        _logger.info("metrics on %s", server.addresses())
        yield
    finally:
        server.stop()
        await serve
        listener.close(sockets)


def _located(error: StartupError) -> StartupError:
    return StartupError(str(error).replace("--bind ", "--metrics ", 1))
