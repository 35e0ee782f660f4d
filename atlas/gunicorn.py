"""A worker class for gunicorn: ``gunicorn -k atlas.gunicorn.Worker main:app``.

gunicorn binds the sockets, starts the workers and watches them; Atlas serves in each. What gunicorn has settings for is
taken from there: log files, time-outs, limits of requests, trusted proxies, certificates. For all else there are the
variables ``ATLAS_SERVE_...``.
"""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import logging
import os
import signal
import sys
from collections.abc import Iterator
from typing import Any, ClassVar

from gunicorn.arbiter import Arbiter  # type: ignore[import-untyped]  # it has no type hints
from gunicorn.workers.base import Worker as BaseWorker  # type: ignore[import-untyped]  # as above

from atlas.errors import StartupError
from atlas.server.configuration.load_settings import load_settings
from atlas.server.configuration.settings import Settings, override
from atlas.server.event_loop import loop_factory, run_main
from atlas.server.run import serve_with_signals
from atlas.server.server import Server

__all__ = ["Worker"]

_logger = logging.getLogger("atlas.server")

_CERT_REQS = ("none", "optional", "required")  # ssl.CERT_NONE, CERT_OPTIONAL, CERT_REQUIRED
_CHECK_INTERVAL = 1.0  # seconds between two signs of life, or less where --timeout is short


class Worker(BaseWorker):  # type: ignore[misc]  # gunicorn has no type hints
    """Serves an ASGI or LASGI application below gunicorn.

    A class derived from it may have other ``settings``.
    """

    settings: ClassVar[dict[str, Any]] = {}
    """Fields of :class:`atlas.Settings`, which take precedence over the settings of gunicorn and over variables."""

    def init_signals(self) -> None:
        """Leave the signals to :meth:`run`; one that comes before ends the process."""
        for number in self.SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)  # until the server opens log files again for it

    def run(self) -> None:
        """Serve until gunicorn stops the worker, or the limit of requests is reached.

        :raises SystemExit: if the application cannot be served; gunicorn stops then.
        """
        faulthandler.enable()  # gunicorn ends a worker that gives no signs of life by SIGABRT: print its stacks
        self._use_logs()
        try:
            settings = self._make_settings()
            server = Server(self.wsgi, settings)
            run_main(self._serve(server), loop_factory(settings.loop))
        except (StartupError, TypeError, ValueError) as error:
            _logger.error("the application cannot be served: %s", error)
            sys.exit(Arbiter.WORKER_BOOT_ERROR)

    def _use_logs(self) -> None:
        """Write to the logs of gunicorn."""
        for name, log in (("atlas", self.log.error_log), ("atlas.access", self.log.access_log)):
            logger = logging.getLogger(name)
            logger.handlers = list(log.handlers)
            logger.setLevel(log.level)
            logger.propagate = False

    def _make_settings(self) -> Settings:
        loaded = load_settings(None, {}, os.environ).settings
        return override(loaded, self._gunicorn_settings() | type(self).settings)

    def _gunicorn_settings(self) -> dict[str, Any]:
        cfg = self.cfg
        found: dict[str, Any] = {
            "access_log": bool(self.log.access_log.handlers),
            "access_log_format": cfg.access_log_format,
            "timeout_keep_alive": cfg.keepalive,
            "timeout_graceful_shutdown": cfg.graceful_timeout,
            "forwarded_allow_ips": (*cfg.forwarded_allow_ips, "unix"),  # gunicorn trusts the peers of Unix sockets
            "proxy_protocol": cfg.proxy_protocol not in (False, "off"),
        }
        if self.max_requests < sys.maxsize:
            found["limit_max_requests"] = self.max_requests  # the jitter is part of it
        if cfg.is_ssl:
            found |= {
                "ssl_certfile": cfg.certfile,
                "ssl_keyfile": cfg.keyfile,
                "ssl_ca_certs": cfg.ca_certs,
                "ssl_cert_reqs": _CERT_REQS[int(cfg.cert_reqs)],
                "ssl_ciphers": cfg.ciphers,
            }
        return found

    async def _serve(self, server: Server) -> None:
        sockets = [each.sock for each in self.sockets]
        signs = asyncio.ensure_future(self._give_signs(server))
        try:
            with self._handle_quit(server):
                await serve_with_signals(server, sockets, is_forced=lambda: False)
        finally:
            signs.cancel()

    async def _give_signs(self, server: Server) -> None:
        """Tell gunicorn that the event loop runs, and stop when gunicorn has ended."""
        interval = min(_CHECK_INTERVAL, self.timeout / 2) if self.timeout else _CHECK_INTERVAL
        while self.ppid == os.getppid():
            self.notify()
            await asyncio.sleep(interval)
        _logger.info("the parent has ended: stopping")
        server.stop()

    @contextlib.contextmanager
    def _handle_quit(self, server: Server) -> Iterator[None]:
        """SIGQUIT is gunicorn's signal to end at once."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGQUIT, _end_at_once, server)
        try:
            yield
        finally:
            loop.remove_signal_handler(signal.SIGQUIT)


def _end_at_once(server: Server) -> None:
    server.stop()
    server.stop()
