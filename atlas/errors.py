"""The exceptions that more than one layer of Atlas uses.

A :class:`ProtocolError` is a fault of the client, with the status of the response. A :class:`ClientDisconnected` is a
client that closed its connection. A :class:`StartupError` is a mistake found before the first request. A fault of the
caller is a ``RuntimeError``, ``TypeError`` or ``ValueError`` that names what was expected and what was given.
"""

from __future__ import annotations

__all__ = ["ClientDisconnected", "LifespanError", "ProtocolError", "StartupError", "WebSocketDisconnected"]


class ProtocolError(Exception):
    """The client violated the protocol, or exceeded a limit.

    :param status: the status code of the response, 400 to 505; the close code of a WebSocket.
    :param reason: one short sentence for the log and, where the status allows a body, for the client.
    :param flag: the command line flag of the limit that was exceeded, such as ``"--limit-request-head"``; or None.
    """

    def __init__(self, status: int, reason: str, flag: str | None = None) -> None:
        super().__init__(status, reason)
        self.status = status
        self.reason = reason
        self.flag = flag

    def __str__(self) -> str:
        return f"{self.status}: {self.reason}"


class ClientDisconnected(OSError):
    """The client closed the connection before the response was complete (ASGI HTTP 2.4, "Disconnected Client")."""


class WebSocketDisconnected(ClientDisconnected):
    """The WebSocket is closed, by the client or because the connection was lost.

    :param code: the close code; 1005 if the client sent none, 1006 if it left without closing.
    :param reason: the reason that the client gave; "" if it gave none.
    """

    def __init__(self, code: int, reason: str = "") -> None:
        super().__init__(f"the WebSocket is closed: {code} {reason}".rstrip())
        self.code = code
        self.reason = reason


class StartupError(Exception):
    """The server or the application cannot start; the message is one line for the user of the command line."""


class LifespanError(StartupError):
    """The lifespan startup of the application failed."""
