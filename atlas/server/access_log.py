"""The access log: one line per response, gathered and written in one go, without :mod:`logging` on the way.

The connection appends one :class:`tuple` per response to :attr:`AccessLog.records` and calls :meth:`AccessLog.wake` for
the first one; everything else happens a moment later, for all of them at once. :mod:`atlas.server.access_formats` makes
the lines.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Callable, Iterable
from typing import Any, TextIO, TypeAlias

from atlas.server.access_formats import Record, formatter
from atlas.server.logs import colours_for, level_number
from atlas.server.settings import Settings

__all__ = ["AccessLog", "wanted"]

_DELAY = 0.05  # seconds that a line may wait for company
_logger = logging.getLogger("atlas.server")
Formatter: TypeAlias = Callable[[Iterable[Record]], list[str]]


def wanted(settings: Settings) -> bool:
    """Whether there is an access log at all: its lines are of level info, so ``--log-level warning`` is silent."""
    return settings.access_log and level_number(settings.log_level) <= logging.INFO


class AccessLog:
    """Gathers the records of responses and writes their lines.

    :param loop: the event loop that the connections run on; every method is called on it.
    :param settings: ``access_log_format`` and ``use_colors`` are read.
    :param stream: where lines go, standard output unless given.

    If the logger ``atlas.access`` has handlers, each line goes to them as one record instead.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, settings: Settings, stream: TextIO | None = None) -> None:
        self.records: list[Any] = []
        self._loop = loop
        self._stream = stream or sys.stdout
        colours = colours_for(self._stream, settings.use_colors)
        self.takes_lines = settings.access_log_format is None and not colours
        """Whether ``records`` should get finished lines, bytes as :mod:`atlas._speedups.http.server_state` makes them."""
        self._format = formatter(settings.access_log_format, colours)
        self._plain = formatter(settings.access_log_format, False)
        self._logger = logging.getLogger("atlas.access")
        self._timer: asyncio.TimerHandle | None = None
        self._lost = 0
        self._broken = False

    def wake(self) -> None:
        """The list has its first record: see to it that it is written soon."""
        if self._timer is None:
            self._timer = self._loop.call_later(_DELAY, self.flush)

    def flush(self) -> None:
        """Write all records there are, in their order."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self.records:
            return
        records = self.records[:]
        self.records.clear()  # the connections hold this very list
        if self._logger.handlers:
            self._hand_over(self._lines(records, self._plain))
        elif not self._broken:
            self._write("".join(self._lines(records, self._format)))

    def _lines(self, records: list[Any], formatted: Formatter) -> list[str]:
        if type(records[0]) is bytes:  # all of a batch are
            return b"".join(records).decode().splitlines(keepends=True)
        return formatted(records)

    def close(self) -> None:
        """Write what is left; nothing is armed afterwards."""
        self.flush()

    def _hand_over(self, lines: Iterable[str]) -> None:
        if not self._logger.isEnabledFor(logging.INFO):
            return
        for line in lines:
            message = line.removeprefix("INFO:     ").removesuffix("\n")
            self._logger.handle(self._logger.makeRecord("atlas.access", logging.INFO, "", 0, message, (), None))

    def _write(self, text: str) -> None:
        try:
            descriptor = self._stream.fileno()
        except (OSError, ValueError, AttributeError):  # a test's capture or a notebook: there is no descriptor
            self._write_captured(text)
            return
        try:
            _write_all(descriptor, text.encode("utf-8", "backslashreplace"))
        except BlockingIOError:  # a non-blocking pipe is full: waiting would stop every request
            self._lost += text.count("\n")
            _logger.warning("standard output takes no more: %d lines of the access log are lost", self._lost)
        except OSError as error:
            self._broken = True
            _logger.warning("the access log ends here: standard output: %s", error.strerror or error)

    def _write_captured(self, text: str) -> None:
        try:
            self._stream.write(text)
        except (OSError, ValueError) as error:  # closed under us
            self._broken = True
            _logger.warning("the access log ends here: standard output: %s", error)


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
