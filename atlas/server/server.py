"""The server: binds sockets, runs the lifespan, accepts connections, and shuts down."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import random
import socket
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any

from atlas._speedups.buffers.connection import Connection, Protocol
from atlas._speedups.http.counters import Counters
from atlas._speedups.http.server_state import ServerState
from atlas._speedups.http1.protocol import Http1Protocol
from atlas.gateway.interface_detection import detect_interface
from atlas.gateway.lasgi import LASGIApp
from atlas.gateway.page_refresh import PageRefresh
from atlas.gateway.threads import set_thread_limits
from atlas.server.configuration.settings import Settings, override
from atlas.server.event_loop import loop_factory
from atlas.server.forks import Address, ForkGuard, address_of, release_sockets, runs_in_child
from atlas.server.inherited_loops import leave_loop
from atlas.server.lifespan import Lifespan
from atlas.server.logs import configuration as logs
from atlas.server.logs.access_log import AccessLog, is_enabled
from atlas.server.proxy_headers import make_proxy_headers
from atlas.server.server_events import ServerEvents
from atlas.server.server_thread import ServerThread
from atlas.server.shutdown import CANCEL_TIMEOUT, Shutdown
from atlas.server.signals import StartupInterrupted
from atlas.server.sockets import listener
from atlas.server.sockets.acceptor import Acceptor
from atlas.server.sockets.descriptors import connection_limit, log_connection_limit
from atlas.server.sockets.proxy_reader import ProxyHeadReader, make_proxy_head_reader
from atlas.server.timeout_timer import TimeoutTimer
from atlas.server.tls.contexts import CertificateWatch, TLSContext, make_context
from atlas.server.tls.extension import TLSExtension
from atlas.server.workers.worker_table import WorkerEntry
from atlas.types import ASGIApp

__all__ = ["Server"]

_logger = logging.getLogger("atlas.server")


class Server:
    """Serves one application on one event loop. A server is used once.

    :param app: the application: ASGI 3, or a sync function (LASGI).
    :param settings: the settings; the defaults if None.
    :param overrides: fields of :class:`Settings` that take precedence over ``settings``.
    :raises TypeError, ValueError: for an unknown or a wrong setting, or an application that is not callable.
    :raises StartupError: for an application whose interface is unknown, or not the one of the setting ``interface``.
    """

    def __init__(self, app: ASGIApp | LASGIApp, settings: Settings | None = None, **overrides: Any) -> None:
        if not callable(app):
            raise TypeError(f"expected an ASGI application (a callable), got {app!r}")
        self.app = app
        self.settings = override(settings, overrides)
        self._application = detect_interface(app, self.settings.interface)
        self.started = False
        """Whether the lifespan startup is complete and the sockets accept connections."""
        self.sockets: list[socket.socket] = []
        """The listening sockets; ``getsockname()`` returns the address."""
        self.graceful_timeout = self.settings.timeout_graceful_shutdown
        """Seconds that running requests have to finish when the server stops."""
        self.drain_timeout = min(self.settings.timeout_drain, self.graceful_timeout)
        """Seconds of these in which idle connections may still send a request."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tls: TLSContext | None = None
        self._certificates: CertificateWatch | None = None
        self._proxy_heads: ProxyHeadReader | None = None
        self.entry: WorkerEntry | None = None
        """The entry of this process in the table of worker processes; None if there is one process only."""
        self.shutdown_delay = self.settings.shutdown_delay
        """Seconds from the beginning of a stop, which ``/readyz`` shows, until accepting ends."""
        self.counters: Counters | None = None
        """What counts requests, connections and bytes. The setting ``metrics`` makes one where there is none."""
        self.announces = True
        """Whether its start, its address and its stop are log lines."""
        self.on_reloaded: Callable[[], None] | None = None
        """Called when the certificates were read again, as :meth:`reload_certificates` asked for."""
        self.on_max_requests: Callable[[], None] = self.stop
        """Called when as many requests were begun as the setting ``limit_max_requests`` and its jitter allow."""
        self._lifespan: Lifespan | None = None
        self._pages: PageRefresh | None = None
        self._should_exit = asyncio.Event()
        self._force_exit = asyncio.Event()
        self._started = asyncio.Event()

    async def serve(self, sockets: Sequence[socket.socket] | None = None) -> None:
        """Serve until :meth:`stop` is called. Return after the last response and the lifespan shutdown.

        Neither signal handlers nor logging are installed. If the caller is cancelled, the server stops immediately.

        :param sockets: bound and listening sockets to use instead of those of the settings; the caller closes them.
        :raises StartupError: if the address cannot be used, or the application failed to start.
        :raises RuntimeError: if the server was used before.
        """
        if self._loop is not None:
            raise RuntimeError("expected a server that was not used before: make a new Server for each serve()")
        self._loop = asyncio.get_running_loop()
        own = sockets is None
        self._tls = make_context(self.settings)
        self._proxy_heads = make_proxy_head_reader(self.settings)
        self.sockets = list(sockets) if sockets is not None else listener.bind(self.settings)
        for sock in self.sockets:
            listener.set_options(sock, self.settings)
        lifespan = self._lifespan = Lifespan(self._application.asgi_app, self.settings.lifespan)
        guard = ForkGuard(partial(self._leave_to_parent, [address_of(sock) for sock in self.sockets]))
        endpoint = contextlib.ExitStack()
        try:
            self._open_endpoint(endpoint)
            if not await self._start_application(lifespan):
                return
            try:
                await self._serve(lifespan.state, own)
            finally:
                if own:
                    listener.close(self.sockets)
                await self._unless(self._force_exit, lifespan.shutdown(max(self.graceful_timeout, CANCEL_TIMEOUT)))
        finally:
            guard.close()
            endpoint.close()
            if self.started and self.announces:
                _logger.info("stopped")
            self.started = False
            if own:
                listener.close(self.sockets)

    async def wait_started(self) -> None:
        """Wait until ``started`` is true."""
        await self._started.wait()

    def refresh_pages(self) -> PageRefresh:
        """Have the pages of the application load again when the caller says so; called before the start.

        :returns: the open pages.
        """
        self._pages = PageRefresh()
        self._application = self._application.with_page_refresh(self._pages)
        return self._pages

    async def wait_stopping(self) -> None:
        """Wait until the server begins to stop, by :meth:`stop` or by itself."""
        await self._should_exit.wait()

    def stop(self) -> None:
        """Stop the server gracefully: running requests have ``graceful_timeout`` seconds to finish.

        A second call stops it immediately. May be called from any thread, and from a signal handler of the loop.
        """
        loop = self._loop
        if loop is None:
            self._handle_stop()
        elif not loop.is_closed():
            with contextlib.suppress(RuntimeError):  # another thread closed the loop since the check
                loop.call_soon_threadsafe(self._handle_stop)

    def reload_certificates(self) -> None:
        """Read the certificates again; called on SIGHUP. Open connections keep theirs. Without TLS nothing happens.

        May be called from any thread. A file that is wrong is named in the log, and the certificates stay as they were.
        """
        if self._loop is not None and self._certificates is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(self._certificates.reload)

    def run_in_thread(self, graceful_timeout: float = 2.0) -> ServerThread:
        """Return a context manager that serves in a thread with an event loop of its own; for tests.

        The block is entered when the server has started, and left after the lifespan shutdown, with the port free.

        :param graceful_timeout: seconds that running requests have to finish at the end of the block, unless the
            settings say less.
        :raises StartupError: on entering the block, if the server failed to start.
        """
        self.graceful_timeout = min(self.graceful_timeout, graceful_timeout)
        self.drain_timeout = 0.0
        return ServerThread(self, loop_factory(self.settings.loop))

    def in_thread(self, grace: float = 2.0) -> ServerThread:
        """Call :meth:`run_in_thread`, of which this is an alias, with ``grace`` as ``graceful_timeout``."""
        return self.run_in_thread(grace)

    def addresses(self) -> str:
        """Return the addresses of the listening sockets as text: ``http://127.0.0.1:8000, unix:/run/atlas.sock``."""
        return listener.describe_all(self.sockets, "http" if self._tls is None else "https")

    def blocks_in_startup(self) -> bool:
        """Whether the startup of the application runs at this moment, and keeps the event loop from running."""
        return self._lifespan is not None and self._lifespan.is_running_code()

    def _leave_to_parent(self, addresses: Sequence[Address]) -> None:
        """In a forked child: leave the sockets, the file of a Unix socket and the event loop to the parent."""
        listener.keep_files(self.sockets)
        release_sockets(addresses)
        if self._loop is not None:
            leave_loop(self._loop, running=runs_in_child(self._loop))

    async def _start_application(self, lifespan: Lifespan) -> bool:
        """Run the startup of the application; return False if the server is stopped meanwhile.

        There are no requests to finish, so the first :meth:`stop` cancels the startup.
        """
        try:
            if await self._unless(self._should_exit, lifespan.startup()):
                return True
        except StartupInterrupted:
            pass
        _logger.info("stopped before the startup of the application was complete")
        return False

    async def _serve(self, lifespan_state: dict[str, Any] | None, own: bool) -> None:
        loop = asyncio.get_running_loop()
        settings = self.settings
        access_log = AccessLog(loop, settings) if is_enabled(settings) else None
        set_thread_limits(
            loop,
            calls=settings.limit_threads,
            background=settings.limit_threads_background,
            files=settings.limit_threads_files,
        )
        events = ServerEvents()
        events.counters = self.counters
        monitors = self._start_monitors(loop)
        gateway = self._application.new_gateway(loop)
        state = self._new_state(events, access_log, lifespan_state)
        connections = state.connections

        def new_protocol(connection: Connection) -> Protocol:
            return Http1Protocol(state, gateway)

        timer = TimeoutTimer(loop, settings)
        timer.watch(connections)
        new_connection = partial(Connection, connections, new_protocol)
        acceptor = Acceptor(
            self.sockets,
            connections,
            new_connection,
            self._tls,
            settings.timeout_tls_handshake,
            self._proxy_heads,
            self.entry,
        )
        shutdown = Shutdown(state, gateway, self._force_exit)
        events.on_first_connection = timer.start
        events.on_below_connection_limit = acceptor.resume
        events.on_max_requests, events.on_all_connections_closed = self.on_max_requests, shutdown.all_closed.set
        try:
            acceptor.open()
            if self._tls is not None:
                self._certificates = CertificateWatch(settings, acceptor.use_tls, self.on_reloaded)
            self._set_started()
            await self._should_exit.wait()
            await self._wait_forced(self.shutdown_delay)
            await acceptor.finish()
            if own:
                listener.close(self.sockets)
            await shutdown.run(self.drain_timeout, self.graceful_timeout)
        finally:
            acceptor.close()
            if self._certificates is not None:
                self._certificates.close()
            timer.close()
            connections.abort()
            gateway.cancel()
            await asyncio.sleep(0)  # the loop calls connection_lost in its next turn
            if access_log is not None:
                access_log.close()
            monitors.close()
            state.close()

    def _start_monitors(self, loop: asyncio.AbstractEventLoop) -> contextlib.ExitStack:
        """Start what watches the event loop, as ``--dev`` and ``--metrics`` ask for."""
        monitors = contextlib.ExitStack()
        if self.settings.dev:
            from atlas.server.loop_monitor import LoopMonitor  # imported only with --dev

            monitor = LoopMonitor(loop)
            monitor.start()
            monitors.callback(monitor.close)
        if self.counters is not None:
            from atlas.server.metrics.loop_probe import LoopProbe  # imported only with --metrics

            monitors.callback(LoopProbe(loop, self.counters).close)
        return monitors

    def _new_state(
        self, events: ServerEvents, access_log: AccessLog | None, lifespan_state: dict[str, Any] | None
    ) -> ServerState:
        settings = self.settings
        limit = connection_limit(settings.limit_connections)
        log_connection_limit(settings.limit_connections, limit)
        return ServerState(
            asyncio.get_running_loop(),
            _with_jitter(settings),
            events,
            limit,
            access_log,
            lifespan_state,
            make_proxy_headers(settings),
            TLSExtension() if self._tls is not None else None,
            self.counters,
        )

    def _open_endpoint(self, stack: contextlib.ExitStack) -> None:
        """Open the endpoint of the setting ``metrics``; that of worker processes is their parent's."""
        if self.settings.metrics is not None and self.entry is None:
            from atlas.server.metrics import endpoint, shared_counters, single_process  # imported only with --metrics

            self.counters = self.counters or shared_counters.private_counters()
            patience = self.settings.timeout_worker_heartbeat
            source = single_process.SingleProcess(self.counters, self._is_ready, patience)
            stack.enter_context(endpoint.serving_in_thread(self.settings.metrics, source))
        if self.counters is not None:
            self.counters.begin(os.getpid())

    def _is_ready(self) -> bool:
        return self.started and not self._should_exit.is_set()

    async def _wait_forced(self, seconds: float) -> None:
        """Wait, but not after a second stop."""
        if seconds:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._force_exit.wait(), seconds)

    def _set_started(self) -> None:
        logs.enable_loggers()
        self.started = True
        self._started.set()
        if not self.announces:
            return
        if self.entry is not None:
            _logger.info("worker %d is ready", os.getpid())
            return
        _logger.info("serving on %s (press Ctrl+C to stop)", self.addresses())

    async def _unless(self, event: asyncio.Event, coroutine: Coroutine[Any, Any, None]) -> bool:
        """Run ``coroutine``; when ``event`` is set, cancel it and return False, at the latest after a second stop."""
        task = asyncio.ensure_future(coroutine)
        stopped = asyncio.ensure_future(event.wait())
        try:
            await asyncio.wait({task, stopped}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopped.cancel()
            if not task.done():
                task.cancel()
        if not task.done():
            forced = asyncio.ensure_future(self._force_exit.wait())
            await asyncio.wait({task, forced}, return_when=asyncio.FIRST_COMPLETED)
            forced.cancel()
            return False
        await task
        return True

    def _handle_stop(self) -> None:
        if self._should_exit.is_set():
            self._force_exit.set()
        else:
            if self.announces:
                _logger.info("stopping")
            if self._pages is not None:
                self._pages.close()
            self._should_exit.set()


def _with_jitter(settings: Settings) -> Settings:
    """Return the settings with another ``limit_max_requests`` in each process: not all of them reach it at once."""
    if settings.limit_max_requests is None or settings.limit_max_requests_jitter == 0:
        return settings
    more = random.randint(0, settings.limit_max_requests_jitter)
    return override(settings, {"limit_max_requests": settings.limit_max_requests + more})
