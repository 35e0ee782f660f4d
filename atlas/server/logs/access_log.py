"""The access log: one line per response, written in batches and without :mod:`logging`.

A connection appends one record per response to :attr:`AccessLog.records` and calls :meth:`AccessLog.wake` for the first
one. The records are formatted (:mod:`atlas.server.logs.access_formats`) and written together, 50 ms later.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any, TextIO, TypeAlias

from atlas.server.configuration.settings import Settings
from atlas.server.logs import open_logs
from atlas.server.logs.access_formats import Record, fields_of, make_formatter
from atlas.server.logs.configuration import level_number, should_use_colors
from atlas.server.logs.output import LogFile, Output

__all__ = ["AccessLog", "is_enabled"]

_DELAY = 0.05  # seconds from the first record of a batch to the write
_RETRY_DELAY = 0.25  # seconds to the next attempt to write what there was no room for
_WARNING_INTERVAL = 60.0  # seconds between two log lines about lines that were dropped
_logger = logging.getLogger("atlas.server")
Formatter: TypeAlias = Callable[[Iterable[Record]], list[str]]


def is_enabled(settings: Settings) -> bool:
    """Return whether there is an access log. Its lines have level info, so ``--log-level warning`` disables it."""
    return settings.access_log and level_number(settings.log_level) <= logging.INFO


class AccessLog:
    """Collects the records of responses and writes their lines.

    If the logger ``atlas.access`` has handlers, each line goes to them as a log record instead, which has the fields of
    the JSON format as attributes (``client``, ``status`` ...) if the handlers were there when the log was made.

    :param loop: the event loop of the connections; all methods but :meth:`write_rest` are called on it.
    :param settings: those about logging are used.
    :param stream: where lines are written; the file of ``access_log_file`` or else standard output by default.
    :raises StartupError: if the file cannot be opened.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, settings: Settings, stream: TextIO | None = None) -> None:
        self.records: list[Any] = []
        self._loop = loop
        self._logger = logging.getLogger("atlas.access")
        path = settings.access_log_file
        self.output = Output(stream or (LogFile(path, "--access-log-file") if path is not None else sys.stdout))
        use_colors = should_use_colors(self.output.stream, settings.use_colors)
        pattern = settings.access_log_format
        if pattern is None and settings.log_format == "json":
            pattern = "json"
        self.takes_lines = pattern is None and not use_colors and not self._logger.handlers
        """Whether ``records`` takes lines as bytes (:mod:`atlas._speedups.http.server_state`) instead of tuples."""
        self._format = make_formatter(pattern, use_colors)
        self._format_without_colors = make_formatter(pattern, False)
        self._timer: asyncio.TimerHandle | None = None
        self._next_warning = 0.0
        self._closed = False
        open_logs.register(self)

    def wake(self) -> None:
        """Schedule a write. Called when ``records`` gets its first record."""
        if self._timer is None:
            self._timer = self._loop.call_later(_DELAY, self.flush)

    def flush(self) -> None:
        """Write all records, in order; those for which there is no room are written later."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self.records:
            self.output.flush()
            self._after_write()
            return
        records = self.records[:]
        self.records.clear()  # not replaced: the connections refer to this list
        if self._logger.handlers:
            self._log(records)
        elif type(records[0]) is bytes:  # then all of them are
            self.output.write_bytes(b"".join(records))
            self._after_write()
        elif not self.output.is_gone:
            self._write("".join(self._lines(records, self._format)))

    def _lines(self, records: list[Any], formatter: Formatter) -> list[str]:
        if type(records[0]) is bytes:  # then all of them are
            return b"".join(records).decode().splitlines(keepends=True)
        return formatter(records)

    def close(self) -> None:
        """Write the remaining records, cancel the timer and close the file."""
        self._closed = True
        self.flush()
        self.output.close()

    def write_rest(self) -> None:
        """Write the remaining records, because the process ends. May be called from any thread."""
        self._closed = True
        if self.records and not self._logger.handlers and not self.output.is_gone:
            records, self.records[:] = self.records[:], ()
            self.output.write("".join(self._lines(records, self._format)))
        self.output.write_rest()

    def _log(self, records: list[Any]) -> None:
        if not self._logger.isEnabledFor(logging.INFO):
            return
        are_lines = type(records[0]) is bytes
        for record, line in zip(records, self._lines(records, self._format_without_colors), strict=True):
            message = line.removeprefix("INFO:     ").removesuffix("\n")
            extra = None if are_lines else fields_of(record)
            made = self._logger.makeRecord("atlas.access", logging.INFO, "", 0, message, (), None, extra=extra)
            self._logger.handle(made)

    def _write(self, text: str) -> None:
        self.output.write(text)
        self._after_write()

    def _after_write(self) -> None:
        """Log what went wrong, at most once a minute, and write again later what there was no room for."""
        output = self.output
        if output.pending and self._timer is None and not self._closed:
            self._timer = self._loop.call_later(_RETRY_DELAY, self.flush)
        if output.is_gone:
            if output.error is not None:
                _logger.warning("the access log is disabled: %s: %s", output.name, _reason(output.error))
                output.error = None
            return
        now = time.monotonic()
        if (output.dropped or output.error is not None) and now >= self._next_warning:
            self._next_warning = now + _WARNING_INTERVAL
            reason = "its reader is too slow" if output.error is None else _reason(output.error)
            _logger.warning(
                "%s: %s: %d lines of the access log were dropped, %d bytes wait",
                output.name,
                reason,
                output.dropped,
                len(output.pending),
            )
            output.dropped = 0


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
