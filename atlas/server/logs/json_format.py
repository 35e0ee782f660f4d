"""Log records as JSON, one object per line, for ``--log-format json``."""

from __future__ import annotations

import json
import logging
import time

__all__ = ["JSONFormatter", "utc_time"]


class JSONFormatter(logging.Formatter):
    """Formats a record as a JSON object: ``time``, ``level``, ``logger``, ``message``, and perhaps ``exception``.

    A file of ``--log-config`` may name it as the ``class`` or the factory ``()`` of a formatter.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the object on one line: ASCII only, with control characters as ``\\uNNNN``."""
        line = {
            "time": utc_time(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        if record.stack_info:
            line["stack"] = record.stack_info
        return json.dumps(line)


def utc_time(seconds: float) -> str:
    """Return a time as in RFC 3339, in UTC, with milliseconds.

    :param seconds: of the epoch.
    """
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{int(seconds * 1000) % 1000:03d}Z"
