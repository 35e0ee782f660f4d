"""Log lines as uvicorn's readers know them: ``INFO:     message``, on standard error, in colours on a terminal.

Only the logger ``atlas`` is set up; an application's own loggers stay as they are. What comes from the wire is escaped:
no client can forge a line or move a terminal's cursor.
"""

from __future__ import annotations

import logging
import os
import sys
from typing import Any, TextIO

from atlas.server.escapes import escaped, without_controls
from atlas.server.settings import Settings

__all__ = ["TRACE", "LevelFormatter", "colours_for", "configure", "escaped", "level_number"]

TRACE = 5  # below DEBUG: what arrives and leaves, event by event

_COLOURS = {
    TRACE: "34",
    logging.DEBUG: "36",
    logging.INFO: "32",
    logging.WARNING: "33",
    logging.ERROR: "31",
    logging.CRITICAL: "91",
}
_INDENT = " " * 10  # a message that has more lines goes on below itself, never where a level stands


def configure(settings: Settings, stream: TextIO | None = None) -> None:
    """Let the logger ``atlas`` write to ``stream`` (standard error), at the level that ``settings`` ask for.

    A logger that has handlers already was set up by the application, which knows better: it keeps them.
    """
    logging.addLevelName(TRACE, "TRACE")
    logger = logging.getLogger("atlas")
    logger.setLevel(level_number(settings.log_level))
    own = [handler for handler in logger.handlers if isinstance(handler, _Handler)]
    if len(own) < len(logger.handlers):
        return
    for handler in own:
        logger.removeHandler(handler)
    target = stream or sys.stderr
    handler = _Handler(target)
    handler.setFormatter(LevelFormatter(colours_for(target, settings.use_colors)))
    logger.addHandler(handler)
    logger.propagate = False  # else a root handler would say everything twice


def level_number(name: str) -> int:
    """The number that :mod:`logging` has for one of the levels of ``--log-level``."""
    return TRACE if name == "trace" else logging.getLevelNamesMapping()[name.upper()]


def colours_for(stream: TextIO, wanted: bool | None) -> bool:
    """Whether ``stream`` gets colours: as ``wanted``; else ``NO_COLOR``, ``FORCE_COLOR`` or the terminal decide."""
    if wanted is not None:
        return wanted
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or stream.isatty()


def _quoted(text: str) -> str:
    return without_controls(text).replace("\n", "\n  ")


class _Handler(logging.StreamHandler[TextIO]):
    """Ours: the kind that a second :func:`configure` replaces."""


class LevelFormatter(logging.Formatter):
    """``INFO:     message``, the message starting in column ten; a traceback follows as it is."""

    def __init__(self, colours: bool) -> None:
        super().__init__()
        self.colours = colours

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the name is logging's
        gap = " " * (9 - len(record.levelname))
        message = without_controls(record.message).replace("\n", "\n" + _INDENT)
        return f"{self._level(record)}:{gap}{message}"

    def formatException(self, ei: Any) -> str:  # noqa: N802 - the name is logging's
        """A traceback whose lines can't be taken for log lines: its last one holds what came from the wire."""
        return _quoted(super().formatException(ei))

    def formatStack(self, stack_info: str) -> str:  # noqa: N802 - the name is logging's
        return _quoted(stack_info)

    def _level(self, record: logging.LogRecord) -> str:
        colour = _COLOURS.get(record.levelno)
        return f"\033[{colour}m{record.levelname}\033[0m" if self.colours and colour else record.levelname
