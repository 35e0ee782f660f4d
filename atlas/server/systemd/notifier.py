"""Tells systemd what the server does (sd_notify(3)): ready, reloading, stopping, and that its event loop runs.

``Type=notify`` or ``notify-reload`` of a unit set ``NOTIFY_SOCKET``, and ``WatchdogSec=`` sets ``WATCHDOG_USEC``.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
from collections.abc import Callable, Mapping

__all__ = ["Notifier"]

_logger = logging.getLogger("atlas.server")

_SEND_TIMEOUT = 1.0  # seconds that a full queue of systemd may keep the event loop
_MAX_STATUS = 512  # bytes, so that a message is one datagram


class Notifier:
    """Sends messages to the service manager. All methods are called on the event loop.

    :param address: the socket of the service manager: a path, or ``@`` and a name in the abstract namespace; None if
        there is no service manager: then nothing is sent.
    :param watchdog: seconds without a sign of life after which the service manager ends the service; None: never.
    """

    def __init__(self, address: str | None = None, watchdog: float | None = None) -> None:
        self._address = "\0" + address[1:] if address is not None and address.startswith("@") else address
        self._watchdog = watchdog
        self._status = ""
        self._timer: asyncio.TimerHandle | None = None
        self._warned = False

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Notifier:
        """Return a notifier as ``NOTIFY_SOCKET``, ``WATCHDOG_USEC`` and ``WATCHDOG_PID`` say."""
        address = environ.get("NOTIFY_SOCKET") or None
        if address is not None and address[0] not in "/@":
            _logger.warning("NOTIFY_SOCKET: expected a path or '@' and a name, got %r: nothing is sent there", address)
            address = None
        return cls(address, _watchdog(environ) if address is not None else None)

    @property
    def is_used(self) -> bool:
        """Whether there is a service manager."""
        return self._address is not None

    def ready(self, status: str | None = None) -> None:
        """Say that the server serves: after its start, and after a reload.

        :param status: a line for ``systemctl status``; by default that of the last time.
        """
        self._status = _one_line(status) if status is not None else self._status
        self._send(f"READY=1\nMAINPID={os.getpid()}\nSTATUS={self._status}")

    def reloading(self) -> None:
        """Say that a reload begins; :meth:`ready` says that it has ended."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}\nSTATUS=reloading")

    def stopping(self) -> None:
        """Say that the server stops."""
        self._send("STOPPING=1\nSTATUS=stopping: running requests finish")

    def start_watchdog(self, is_alive: Callable[[], bool] = lambda: True) -> None:
        """Give signs of life from now on, at half of the time that the service manager waits for one.

        :param is_alive: called each time; if it returns False, no sign is given.
        """
        if self._watchdog is not None:
            self._give_sign(asyncio.get_running_loop(), self._watchdog / 2, is_alive)

    def close(self) -> None:
        """Give no signs of life any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _give_sign(self, loop: asyncio.AbstractEventLoop, interval: float, is_alive: Callable[[], bool]) -> None:
        self._timer = loop.call_later(interval, self._give_sign, loop, interval, is_alive)
        alive = is_alive()
        if alive:
            self._send("WATCHDOG=1", timeout=0)
        elif not self._warned:
            _logger.error("no worker gives a sign of life: the watchdog of systemd is not fed (WatchdogSec=)")
        self._warned = not alive

    def _send(self, message: str, timeout: float = _SEND_TIMEOUT) -> None:
        if self._address is None:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
                sock.settimeout(timeout)
                sock.connect(self._address)
                sock.send(message.encode())
        except OSError as error:
            _logger.warning("systemd cannot be told %s: %s", message.partition("\n")[0], error.strerror or error)


def _watchdog(environ: Mapping[str, str]) -> float | None:
    """Return the seconds of ``WATCHDOG_USEC``, unless they are for another process."""
    text = environ.get("WATCHDOG_USEC", "")
    if not (text.isascii() and text.isdigit()) or int(text) == 0:
        return None
    if environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    return int(text) / 1e6


def _one_line(status: str) -> str:
    line = status.replace("\n", " ").encode()
    return line[:_MAX_STATUS].decode(errors="ignore")
