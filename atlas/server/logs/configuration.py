"""Logging in uvicorn's format: ``INFO:     message``, on standard error, with colors on a terminal; or in JSON.

Only the logger ``atlas`` is configured, unless ``--log-config`` names a file; the loggers of the application are not
changed. Text from the wire is escaped: no client can forge a line or control the terminal.
"""

from __future__ import annotations

import logging
import os
import sys
from typing import Any, TextIO

from atlas.server.configuration.settings import Settings
from atlas.server.logs import open_logs
from atlas.server.logs.escaping import escape, escape_controls
from atlas.server.logs.json_format import JSONFormatter
from atlas.server.logs.output import LogFile, Output

__all__ = ["TRACE", "LevelFormatter", "configure", "enable_loggers", "escape", "level_number", "should_use_colors"]

TRACE = 5  # below DEBUG, as in uvicorn

_COLORS = {
    TRACE: "34",
    logging.DEBUG: "36",
    logging.INFO: "32",
    logging.WARNING: "33",
    logging.ERROR: "31",
    logging.CRITICAL: "91",
}
_DEFAULT_LEVEL = "info"
_INDENT = " " * 10  # of all lines of a message but the first, so that none of them starts where a level is expected


def configure(settings: Settings, stream: TextIO | None = None) -> None:
    """Configure the logger ``atlas``: its level, and a handler unless the application has added one.

    With ``log_config``, that file decides: there is a handler only if it gives none to ``atlas`` or the root logger,
    and the level is that of the file unless ``log_level`` is another one than the default.

    :param settings: those about logging are used.
    :param stream: where lines are written; the file of ``log_file`` or else standard error by default.
    :raises StartupError: if a file cannot be opened, or the one of ``log_config`` is wrong.
    """
    logging.addLevelName(TRACE, "TRACE")
    logger = logging.getLogger("atlas")
    for handler in logger.handlers[:]:
        if isinstance(handler, _Handler):
            logger.removeHandler(handler)
            handler.close()
    if settings.log_config is not None:
        _apply_file(logger, settings.log_config)
    if settings.log_config is None or settings.log_level != _DEFAULT_LEVEL or logger.level == logging.NOTSET:
        logger.setLevel(level_number(settings.log_level))
    if logger.handlers or (settings.log_config is not None and logger.hasHandlers()):
        return
    target = stream or (LogFile(settings.log_file, "--log-file") if settings.log_file is not None else sys.stderr)
    handler = _Handler(target)
    use_colors = should_use_colors(target, settings.use_colors)
    handler.setFormatter(JSONFormatter() if settings.log_format == "json" else LevelFormatter(use_colors))
    logger.addHandler(handler)
    logger.propagate = False  # else a handler of the root logger would write each record again


def _apply_file(logger: logging.Logger, path: str) -> None:
    from atlas.server.logs import config_file  # imported only with --log-config

    logger.propagate = True  # which an earlier call may have changed
    logger.setLevel(logging.NOTSET)
    config_file.apply(path)
    enable_loggers()


def enable_loggers() -> None:
    """Enable the loggers of Atlas again.

    ``logging.config.dictConfig()`` disables all loggers that it does not name, unless ``disable_existing_loggers`` is
    false. An application that wants fewer log lines sets the level of a logger.
    """
    for name, logger in logging.root.manager.loggerDict.items():
        if isinstance(logger, logging.Logger) and (name == "atlas" or name.startswith("atlas.")):
            logger.disabled = False


def level_number(name: str) -> int:
    """Return the number of a level of ``--log-level`` in :mod:`logging`."""
    return TRACE if name == "trace" else logging.getLevelNamesMapping()[name.upper()]


def should_use_colors(stream: TextIO | LogFile | None, setting: bool | None) -> bool:
    """Return whether lines on ``stream`` are colored.

    :param setting: the value of ``--use-colors``; for None, ``NO_COLOR``, ``FORCE_COLOR`` or the terminal decide.
    """
    if setting is not None:
        return setting
    if stream is None or os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or stream.isatty()


def _indent(text: str) -> str:
    return escape_controls(text).replace("\n", "\n  ")


class _Handler(logging.Handler):
    """The handler of :func:`configure`; a second call replaces it. It does not wait for a reader that stands still."""

    def __init__(self, stream: TextIO | LogFile | None) -> None:
        super().__init__()
        self.output = Output(stream)
        open_logs.register(self)

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self.output.write(self.format(record) + "\n")
        except Exception:
            self.handleError(record)

    def flush(self) -> None:
        self.output.flush()

    def write_rest(self) -> None:
        # Without the lock of the handler: the thread that has it may be the one that blocks the process.
        self.output.write_rest()

    def close(self) -> None:
        self.output.close()
        super().close()


class LevelFormatter(logging.Formatter):
    """Formats ``INFO:     message``, with the message in column ten, and a traceback below it.

    :param use_colors: color the level.
    """

    def __init__(self, use_colors: bool) -> None:
        super().__init__()
        self.use_colors = use_colors

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the name is logging's
        gap = " " * (9 - len(record.levelname))
        message = escape_controls(record.message).replace("\n", "\n" + _INDENT)
        return f"{self._level(record)}:{gap}{message}"

    def formatException(self, ei: Any) -> str:  # noqa: N802 - the name is logging's
        """Format a traceback, indented: a line with text from the wire must not look like a log record."""
        return _indent(super().formatException(ei))

    def formatStack(self, stack_info: str) -> str:  # noqa: N802 - the name is logging's
        return _indent(stack_info)

    def _level(self, record: logging.LogRecord) -> str:
        color = _COLORS.get(record.levelno)
        return f"\033[{color}m{record.levelname}\033[0m" if self.use_colors and color else record.levelname
