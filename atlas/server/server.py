"""A server's life: sockets, lifespan, connections, stop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from atlas._speedups.buffers.connection import Connection, Protocol
from atlas._speedups.http.exchange import Gateway
from atlas._speedups.http.server_state import ServerState
from atlas._speedups.http1.protocol import Http1Protocol
from atlas.gateway.choice import choose
from atlas.gateway.lasgi import LASGIApp
from atlas.server import env_file, importer, listener, logs, loops
from atlas.server.acceptor import Acceptor, connection_limit
from atlas.server.access_log import AccessLog, wanted
from atlas.server.events import Events
from atlas.server.lifespan import Lifespan
from atlas.server.settings import Settings
from atlas.server.sweeper import Sweeper
from atlas.server.thread import ServerThread
from atlas.types import ASGIApp

if TYPE_CHECKING:
    from atlas.server.watchdog import Watchdog

__all__ = ["Server", "run"]

_logger = logging.getLogger("atlas.server")

_LAST_WORDS = 0.25  # seconds that requests have to end by themselves once they know that the grace is over
_CANCELLING = 2.0  # seconds that cancelled requests have to clean up


class Server:
    """Serves one application on one event loop.

    :param app: the application, live: ASGI 3, or plain code (LASGI).
    :param settings: the configuration; its defaults if None.
    :param overrides: fields of :class:`Settings` that differ from ``settings``.
    :raises TypeError, ValueError: for an unknown or impossible setting, or an app that can't be called.
    :raises StartupError: for an app that is called in another way than the setting ``interface`` says, or in none.

    A server is used once: :meth:`serve` in a running loop, or :meth:`in_thread` from plain code.
    """

    def __init__(self, app: ASGIApp | LASGIApp, settings: Settings | None = None, **overrides: Any) -> None:
        if not callable(app):
            raise TypeError(f"expected an ASGI application (something that can be called), got {app!r}")
        self.app = app
        self.settings = _with(settings, overrides)
        self._choice = choose(app, self.settings.interface)
        self.started = False
        """Does the port accept, and is the lifespan up?"""
        self.sockets: list[socket.socket] = []
        """The sockets that it listens on; ``getsockname()`` tells the address."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop_wanted = asyncio.Event()
        self._hurry = asyncio.Event()
        self._started = asyncio.Event()
        self._stops = 0
        self.grace = self.settings.timeout_graceful_shutdown
        """Seconds that requests in work are given when the server stops."""

    async def serve(self, sockets: Sequence[socket.socket] | None = None) -> None:
        """Serve until :meth:`stop`; returns when the last response is out and the lifespan is down.

        Installs no signal handlers and no logging. Cancelling it stops the server at once.

        :param sockets: bound and listening sockets to use instead of those that the settings name; they stay the
            caller's to close.
        :raises StartupError: the address can't be listened on, or the application refused to start.
        """
        if self._loop is not None:
            raise RuntimeError("expected a server that was not used before: make a new Server for each serve()")
        self._loop = asyncio.get_running_loop()
        own = sockets is None
        self.sockets = list(sockets) if sockets is not None else listener.bind(self.settings)
        for sock in self.sockets:
            _send_at_once(sock)
        lifespan = Lifespan(self._choice.asgi, self.settings.lifespan)
        try:
            if not await self._unless_hurried(lifespan.startup()):
                return
            try:
                await self._serve(lifespan.state, own)
            finally:
                if own:
                    listener.close(self.sockets)
                await self._unless_hurried(lifespan.shutdown(max(self.grace, _CANCELLING)))
        finally:
            if self.started:
                _logger.info("stopped")
            self.started = False
            if own:
                listener.close(self.sockets)

    async def wait_started(self) -> None:
        """Wait until ``started``."""
        await self._started.wait()

    def stop(self) -> None:
        """Stop: requests in work are finished first, for as long as the settings allow. A second call: stop at once.

        May be called from any thread, and from a signal handler of the loop.
        """
        loop = self._loop
        if loop is None:
            self._stopped()
        elif not loop.is_closed():
            with contextlib.suppress(RuntimeError):  # the loop was closed in between
                loop.call_soon_threadsafe(self._stopped)

    def in_thread(self, grace: float = 2.0) -> ServerThread:
        """Serve in a thread with a loop of its own, for the length of a ``with`` block; the form for tests.

        Entered once the port accepts and the lifespan is up; left after lifespan shutdown, with the port free.

        :param grace: seconds that requests in work are given on leaving, if the settings don't allow less.
        :raises StartupError: on entering, if the start failed.
        """
        self.grace = min(self.grace, grace)
        return ServerThread(self, loops.factory(self.settings.loop))

    # One start to one stop.

    async def _serve(self, state: dict[str, Any] | None, own: bool) -> None:
        loop = asyncio.get_running_loop()
        settings = self.settings
        access_log = AccessLog(loop, settings) if wanted(settings) else None
        watchdog = _watchdog(loop) if settings.dev else None
        events = Events()
        gateway = self._choice.gateway(loop)

        def new_protocol(connection: Connection) -> Protocol:
            return Http1Protocol(server_state, gateway)

        limit = connection_limit(settings.limit_connections)
        server_state = ServerState(loop, settings, events, limit, access_log, state)
        connections = server_state.connections
        sweeper = Sweeper(loop, settings)
        sweeper.watch(connections)
        acceptor = Acceptor(self.sockets, partial(Connection, connections, new_protocol), settings.backlog)
        drained = asyncio.Event()
        events.on_first_connection = sweeper.wake
        events.on_connection_limit, events.on_below_connection_limit = acceptor.pause, acceptor.resume
        events.on_max_requests, events.on_all_connections_closed = self.stop, drained.set
        try:
            await acceptor.open()
            self._announce()
            await self._stop_wanted.wait()
            await acceptor.finish()
            if own:
                listener.close(self.sockets)
            await self._wind_down(server_state, gateway, drained)
        finally:
            acceptor.close()
            sweeper.close()
            connections.abort()
            gateway.cancel()
            await asyncio.sleep(0)  # the connections are told of their end in the loop's next turn
            if access_log is not None:
                access_log.close()
            if watchdog is not None:
                watchdog.close()
            server_state.close()

    def _announce(self) -> None:
        self.started = True
        self._started.set()
        for sock in self.sockets:
            _logger.info("serving on %s (press Ctrl+C to stop)", listener.describe(sock))

    async def _wind_down(self, server_state: ServerState, gateway: Gateway, drained: asyncio.Event) -> None:
        """WIRE.md, Stop: idle connections close, busy ones finish, long ones are told and then cut."""
        server_state.connections.stop()
        if await self._quiet(server_state, gateway, drained, self.grace) or self._hurry.is_set():
            return
        _logger.warning("%d requests are still in work after %g seconds: they are ended", server_state.in_work, self.grace)
        server_state.connections.end()
        if await self._quiet(server_state, gateway, drained, _LAST_WORDS) or self._hurry.is_set():
            return
        gateway.cancel()
        if not await self._quiet(server_state, gateway, drained, _CANCELLING):
            _logger.error("%d requests took no notice of being cancelled: they are left behind", len(gateway.tasks))

    async def _quiet(self, server_state: ServerState, gateway: Gateway, drained: asyncio.Event, seconds: float) -> bool:
        """Wait until no connection is open and no request in work; False if that took too long, or is cut short."""
        if server_state.connections.open == 0:
            drained.set()
        waiting = asyncio.ensure_future(_all_done(gateway, drained))
        hurried = asyncio.ensure_future(self._hurry.wait())
        try:
            await asyncio.wait({waiting, hurried}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            return waiting.done()
        finally:
            waiting.cancel()
            hurried.cancel()

    async def _unless_hurried(self, work: Coroutine[Any, Any, None]) -> bool:
        """Wait for ``work``; False if a second :meth:`stop` came first, and it was given up."""
        working = asyncio.ensure_future(work)
        hurried = asyncio.ensure_future(self._hurry.wait())
        try:
            await asyncio.wait({working, hurried}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            hurried.cancel()
            if not working.done():
                working.cancel()
        if not working.done():
            return False
        await working
        return True

    def _stopped(self) -> None:
        self._stops += 1
        if self._stops == 1:
            _logger.info("stopping")
        else:
            self._hurry.set()
        self._stop_wanted.set()


def _watchdog(loop: asyncio.AbstractEventLoop) -> Watchdog:
    from atlas.server.watchdog import Watchdog  # only development pays for it

    watchdog = Watchdog(loop)
    watchdog.start()
    return watchdog


async def _all_done(gateway: Gateway, drained: asyncio.Event) -> None:
    await drained.wait()
    while gateway.tasks:
        await asyncio.wait(gateway.tasks)
        await asyncio.sleep(0)  # their callbacks take them out of the set


def _send_at_once(sock: socket.socket) -> None:
    """Let no small piece wait for the acknowledgement of the one before (RFC 1122 4.2.3.4): connections inherit it.

    asyncio's own loop sees to it only where a socket's ``proto`` says TCP, which is 0 for most.
    """
    if sock.family in (socket.AF_INET, socket.AF_INET6):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _with(settings: Settings | None, overrides: dict[str, Any]) -> Settings:
    if settings is None:
        return Settings(**overrides)
    if not isinstance(settings, Settings):
        raise TypeError(f"expected settings as a Settings, got {settings!r}")
    if not overrides:
        return settings
    names = Settings.__dataclass_fields__
    return Settings(**{name: getattr(settings, name) for name in names} | overrides)


def run(app: ASGIApp | LASGIApp | str, settings: Settings | None = None, **overrides: Any) -> None:
    """Serve ``app`` until SIGINT or SIGTERM, and return; sets up logging and signal handlers.

    :param app: the application, or ``"module:attr"``.
    :param settings: the configuration; its defaults if None.
    :param overrides: fields of :class:`Settings` that differ from ``settings``.
    :raises StartupError: the application can't be imported, is none, or refused to start, or the address can't be
        listened on.
    """
    settings = _with(settings, overrides)
    logs.configure(settings)
    if settings.env_file is not None:
        env_file.load(settings.env_file, os.environ)
    if isinstance(app, str):
        if settings.dev:
            # Before the application is there, so that it reads it; one that says itself whether it debugs, does.
            os.environ.setdefault("ATLAS_DEBUG", "1")
        app = importer.load(app, app_dir=settings.app_dir, factory=settings.factory)
    elif settings.factory:
        app = app()  # type: ignore[call-arg, assignment]
    server = Server(app, settings)
    loops.run_to_end(_serve_with_signals(server), loops.factory(settings.loop))


async def _serve_with_signals(server: Server) -> None:
    with _signals(asyncio.get_running_loop(), server.stop):
        await server.serve()


@contextlib.contextmanager
def _signals(loop: asyncio.AbstractEventLoop, stop: Callable[[], None]) -> Iterator[None]:
    """SIGINT and SIGTERM call ``stop``; as before afterwards. Outside the main thread signals are somebody else's."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handled = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.getsignal(number) for number in handled}
    for number in handled:
        loop.add_signal_handler(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            loop.remove_signal_handler(number)
            if handler is not None:  # one that was not installed from Python can't be put back
                signal.signal(number, handler)
