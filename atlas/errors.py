"""The errors that more than one floor of Atlas speaks of.

Errors have a side. The peer's fault is a :class:`ProtocolError` with the status that answers it; the client gone is a
:class:`ClientDisconnected`; a mistake found before the first request is a :class:`StartupError`. A caller's own fault
is a plain ``RuntimeError``, ``TypeError`` or ``ValueError`` that names what was expected and what came.
"""

from __future__ import annotations

__all__ = ["ClientDisconnected", "LifespanError", "ProtocolError", "StartupError"]


class ProtocolError(Exception):
    """The peer sent something that HTTP forbids, or that a limit refuses.

    :param status: the status code that answers it, 400 to 505.
    :param reason: one short sentence for the log and, where the status allows a body, for the peer.
    :param flag: the command line flag of the limit that refused it (``"--limit-request-head"``), if one did.
    """

    def __init__(self, status: int, reason: str, flag: str | None = None) -> None:
        super().__init__(status, reason)
        self.status = status
        self.reason = reason
        self.flag = flag

    def __str__(self) -> str:
        return f"{self.status}: {self.reason}"


class ClientDisconnected(OSError):
    """The client went away while a response was being sent (ASGI 3, HTTP text 2.4, "Disconnected Client")."""


class StartupError(Exception):
    """The server can't start; the message is one clear line for the person who started it."""


class LifespanError(StartupError):
    """The application refused to start, or failed in its lifespan start-up."""
