"""``atlas serve``: serves an application. Its flags are the fields of :class:`~atlas.Settings`."""

from __future__ import annotations

import logging
import os
from functools import partial
from typing import Any

import click

from atlas.cli.settings_flags import SettingsCommand, given_flags, load, parameters
from atlas.server.configuration.load_settings import LoadedSettings

__all__ = ["command"]

_logger = logging.getLogger("atlas.server")

_HELP = """\
Serve an ASGI application.

\b
  atlas serve main:app              serve 'app' of main.py on http://127.0.0.1:8000
  atlas serve main:app --port 0     serve it on any free port, which is logged
  atlas serve                       serve 'app' of main.py or app/main.py
"""
_EPILOG = """\
Each flag is also an environment variable (--port: ATLAS_SERVE_PORT) and a key of atlas.toml \
(port = 8000) or of [tool.atlas] in pyproject.toml. A flag takes precedence over a variable, a variable over the \
file. A SIZE may have a unit: 64K, 100M.
"""


def command() -> click.Command:
    """Return the command, with a flag for each setting."""
    return SettingsCommand(
        "serve",
        callback=_serve,
        params=parameters(),
        help=_HELP,
        epilog=_EPILOG,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    )


def _serve(app: str | None, **values: Any) -> None:
    ctx = click.get_current_context()
    environ = dict(os.environ)
    load_again = partial(load, app, given_flags(ctx, values))
    loaded = load_again()
    if loaded.notes:
        _log_notes(loaded)

    # Imported here: --help and a wrong flag do not need the compiled modules.
    if loaded.settings.reloads:
        from atlas.server.reload.reloader import serve_and_reload

        serve_and_reload(load_again, environ)
        return
    from atlas.server.run import run

    run(loaded.app or "", loaded.settings)
    if callable(ctx.obj):
        ctx.obj(loaded.settings.timeout_graceful_shutdown)


def _log_notes(loaded: LoadedSettings) -> None:
    from atlas.server.logs import configuration as logs

    logs.configure(loaded.settings)
    for note in loaded.notes:
        _logger.info("%s", note)
