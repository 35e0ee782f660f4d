"""The end of a forked child process that returns from the code of the application to an event loop or a thread."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from typing import NoReturn

__all__ = ["end_child"]

_logger = logging.getLogger("atlas.server")


def end_child(error: BaseException | None = None) -> NoReturn:
    """End a forked process: where it would return to, its parent goes on.

    :param error: what the code of the application has raised. A SystemExit, of ``sys.exit()``, is what the child was
        to end by, and has the status.
    """
    status = 1
    if not isinstance(error, SystemExit):
        _logger.error("a forked process has returned to the server of its parent, and ends: end it with os._exit()")
    elif error.code is None or isinstance(error.code, int):
        status = error.code or 0
    else:
        _logger.error("a forked process ends: %s", error.code)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    os._exit(status & 0xFF)
