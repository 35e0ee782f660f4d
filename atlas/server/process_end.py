"""The end of the process after a server has stopped: functions that still run in threads do not keep it.

Python waits at its exit for every thread that is not a daemon thread, such as those of ``asyncio.to_thread()``, of
anyio and of a ``ThreadPoolExecutor`` of the application, and for the processes of :mod:`multiprocessing`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
import threading
import time
from collections.abc import Iterator

from atlas.gateway.threads import running_in_threads
from atlas.server.blocking import describe_thread
from atlas.server.logs import open_logs

__all__ = ["end_now", "end_process_after", "log_running_threads"]

_logger = logging.getLogger("atlas.server")


def log_running_threads(loop: asyncio.AbstractEventLoop) -> None:
    """Log each function that still runs in a thread for an event loop that has ended. It is not waited for."""
    for name, thread in running_in_threads(loop):
        where = describe_thread(thread) if thread is not None else None
        _logger.warning("%s still runs in a thread: it is not waited for", where or name)


def end_process_after(seconds: float, status: int = 0) -> None:
    """End the process, with a log line, if Python's exit takes longer.

    :param seconds: from now on.
    :param status: the exit status.
    """

    def end() -> None:
        time.sleep(seconds)
        what = ", ".join(_blocking_threads()) or "a child process or a function of atexit"
        _logger.warning("%s keeps the process from ending: it ends after %g seconds", what, seconds)
        end_now(status)

    threading.Thread(target=end, name="atlas process end", daemon=True).start()


def end_now(status: int) -> None:
    """End the process without Python's exit, which would wait. What the logs hold is written."""
    open_logs.write_rest()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    os._exit(status)


def _blocking_threads() -> Iterator[str]:
    for thread in threading.enumerate():
        if not thread.daemon and thread is not threading.main_thread() and thread.ident is not None:
            yield describe_thread(thread.ident) or f"the thread {thread.name!r}"
