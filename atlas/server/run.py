"""How a process serves: ``run()`` installs logging and signal handlers, and serves in this process or in workers."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from atlas.errors import StartupError
from atlas.gateway.lasgi import LASGIApp
from atlas.server import importer
from atlas.server.configuration import env_file
from atlas.server.configuration.load_settings import LoadedSettings
from atlas.server.configuration.settings import Settings, override
from atlas.server.event_loop import loop_factory, run_main
from atlas.server.logs import configuration as logs
from atlas.server.logs import open_logs
from atlas.server.logs.output import open_standard_streams
from atlas.server.server import Server
from atlas.server.signals import handle_signal, handle_signals
from atlas.server.sockets.descriptors import raise_soft_limit
from atlas.server.systemd.notifier import Notifier
from atlas.server.systemd.socket_activation import use_passed_sockets
from atlas.server.tls.contexts import uses_tls
from atlas.types import ASGIApp

__all__ = ["load_application", "prepare_process", "run", "serve_with_signals"]

_logger = logging.getLogger("atlas.server")


def run(app: ASGIApp | LASGIApp | str, settings: Settings | None = None, **overrides: Any) -> None:
    """Serve ``app`` until SIGINT or SIGTERM. Logging and signal handlers are installed.

    :param app: the application, or ``"module:attr"``.
    :param settings: the settings; the defaults if None.
    :param overrides: fields of :class:`Settings` that take precedence over ``settings``.
    :raises StartupError: if the application cannot be imported or failed to start, or the address cannot be used; or
        if a module calls this function while it is imported to be served, or by a child process.
    :raises RuntimeError: inside a running event loop.
    """
    if asyncio._get_running_loop() is not None:
        raise RuntimeError(
            "atlas.run() was called inside a running event loop, as that of a notebook: write "
            "'await atlas.Server(app, ...).serve()' there, or 'with atlas.Server(app, ...).run_in_thread():'"
        )
    importer.check_not_imported(sys._getframe(1).f_globals.get("__name__"))
    settings = override(settings, overrides)
    if not isinstance(app, str):
        _check_one_process(app, settings)
    if isinstance(app, str) and settings.reloads:
        from atlas.server.reload.reloader import serve_and_reload  # imported only with --reload

        serve_and_reload(partial(_with_env_file, LoadedSettings(app, settings)), dict(os.environ))
        return
    prepare_process(settings)
    if settings.env_file is not None:
        env_file.load(settings.env_file, os.environ)
    settings = use_passed_sockets(settings, os.environ)
    if isinstance(app, str) and _has_workers(settings):
        from atlas.server.workers.supervisor import supervise  # imported only with workers

        supervise(app, settings)
        return
    if isinstance(app, str):
        app = load_application(app, settings)
    elif settings.factory:
        app = app()  # type: ignore[call-arg, assignment]
    logs.enable_loggers()
    server = Server(app, settings)
    run_main(_serve_and_notify(server), loop_factory(settings.loop))


def prepare_process(settings: Settings) -> None:
    """Configure what belongs to the whole process: standard streams, logging, the limit of descriptors."""
    open_standard_streams()
    logs.configure(settings)
    raise_soft_limit()


def _check_one_process(app: object, settings: Settings) -> None:
    """Raise if an application that is not named has to be imported by another process."""
    for name, needed in (("workers", _has_workers(settings)), ("reload", bool(settings.reload))):
        if needed:
            raise StartupError(
                f"{name}: worker processes import the application themselves: expected it as 'module:attr', got "
                f"{type(app).__name__}"
            )


def _has_workers(settings: Settings) -> bool:
    """Return whether a supervisor is needed: for several workers, or to replace the only one."""
    return settings.workers > 1 or settings.workers_lifetime is not None or settings.workers_max_rss is not None


def _with_env_file(loaded: LoadedSettings) -> LoadedSettings:
    if loaded.settings.env_file is not None:
        env_file.load(loaded.settings.env_file, os.environ)
    return loaded


def load_application(target: str, settings: Settings) -> Callable[..., Any]:
    """Import the application ``module:attr`` as the settings say; raises what :func:`importer.load` raises."""
    if settings.dev:
        # Before the import, because the application reads it; its own debug=... takes precedence.
        os.environ.setdefault("ATLAS_DEBUG", "1")
    return importer.load(target, app_dir=settings.app_dir, factory=settings.factory)


async def serve_with_signals(
    server: Server,
    sockets: Sequence[socket.socket] | None = None,
    on_reload: Callable[[], None] | None = None,
    *,
    interruptible: bool = True,
    is_forced: Callable[[], bool] | None = None,
) -> None:
    """Call ``server.serve(sockets)`` with the handlers of signals.

    :param on_reload: called before the certificates are read again. With it, SIGHUP does not end a server without TLS.
    :param interruptible: whether SIGINT stops it, as SIGTERM does.
    :param is_forced: see :func:`~atlas.server.signals.handle_signals`.
    """
    numbers = (signal.SIGINT, signal.SIGTERM) if interruptible else (signal.SIGTERM,)
    loop = asyncio.get_running_loop()
    has_certificates = uses_tls(server.settings)

    def reload() -> None:
        if on_reload is not None and server.started:
            on_reload()
        if has_certificates:
            server.reload_certificates()
        else:
            _logger.warning("SIGHUP has no effect: a single process without TLS has nothing to reload")
            if server.on_reloaded is not None and server.started:
                server.on_reloaded()

    with (
        handle_signals(loop, server, numbers, is_forced=is_forced),
        handle_signal(loop, signal.SIGHUP, reload if has_certificates or on_reload is not None else None),
        handle_signal(loop, signal.SIGUSR1, open_logs.reopen),
    ):
        await server.serve(sockets)


async def _serve_and_notify(server: Server) -> None:
    """Call :func:`serve_with_signals`, and tell the service manager what the server does."""
    notifier = Notifier.from_environment(os.environ)
    server.on_reloaded = notifier.ready
    notifying = asyncio.ensure_future(_notify(server, notifier))
    try:
        # "systemctl reload" must not end the service: systemd would not start it again after SIGHUP.
        await serve_with_signals(server, on_reload=notifier.reloading if notifier.is_used else None)
    finally:
        notifying.cancel()
        notifier.close()


async def _notify(server: Server, notifier: Notifier) -> None:
    await server.wait_started()
    notifier.ready(f"serving on {server.addresses()}")
    notifier.start_watchdog()
    await server.wait_stopping()
    notifier.stopping()
