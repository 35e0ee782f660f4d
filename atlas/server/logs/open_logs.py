"""The logs that this process writes: opened again on SIGUSR1, and written to their end when the process ends.

A signal and the end of a process belong to the process, not to a server: so does the set of its logs.
"""

from __future__ import annotations

import atexit
import logging
from collections.abc import Iterator
from typing import Protocol
from weakref import WeakSet

from atlas.server.logs.output import Output

__all__ = ["register", "reopen", "write_rest"]

_logger = logging.getLogger("atlas.server")


class Log(Protocol):
    """What is registered."""

    output: Output
    """Where the lines go."""

    def write_rest(self) -> None:
        """Write all lines; the process ends. May be called from any thread."""


_open: WeakSet[Log] = WeakSet()


def register(log: Log) -> None:
    """Add a log, for as long as there is a reference to it."""
    _open.add(log)


def reopen() -> None:
    """Open the files of all logs again: those of Atlas, and those of the handlers of :mod:`logging`.

    Called on SIGUSR1, after a tool such as logrotate has renamed the files. A file that cannot be opened is named in
    the log; its lines go to the renamed file.
    """
    for log in tuple(_open):
        try:
            log.output.reopen()
        except OSError as error:
            _logger.error("%s: cannot be opened again: %s", log.output.name, error.strerror)
    for handler in set(_file_handlers()):
        try:
            _reopen_handler(handler)
        except OSError as error:
            _logger.error("%s: cannot be opened again: %s", handler.baseFilename, error.strerror)
    _logger.info("the log files are opened again (SIGUSR1)")


def write_rest() -> None:
    """Write what the logs of this process still hold. Called when the process ends, on any thread."""
    for log in tuple(_open):
        log.write_rest()


def _file_handlers() -> Iterator[logging.FileHandler]:
    for logger in (logging.root, *logging.root.manager.loggerDict.values()):
        if isinstance(logger, logging.Logger):
            yield from (handler for handler in logger.handlers if isinstance(handler, logging.FileHandler))


def _reopen_handler(handler: logging.FileHandler) -> None:
    handler.acquire()
    try:
        if (old := handler.stream) is not None:  # else it opens its file with the next record
            handler.stream = handler._open()
            old.close()
    finally:
        handler.release()


atexit.register(write_rest)
