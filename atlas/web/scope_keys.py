"""The keys under which the web half keeps its own values in an ASGI scope.

A scope is shared by every request object, middleware and mounted application of one request, so a value that all of
them need is kept there.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

__all__ = [
    "BODY",
    "MESSAGES",
    "ON_ERROR",
    "REQUEST",
    "REQUEST_ID",
    "SESSION",
    "STATE",
    "STREAM_HOOKS",
    "USER",
    "BodyState",
]

BODY: Final = "atlas.body"
"""A :class:`BodyState`: how far the body has been read; no key before reading begins."""

MESSAGES: Final = "atlas.messages"
"""The messages of a WebSocket, in the request of its handshake: :class:`atlas.web.websockets.websocket.Messages`."""

ON_ERROR: Final = "atlas.on_error"
"""A function that is called with each unhandled exception; the test client sets it."""

REQUEST: Final = "atlas.request"
"""The request object, while an ASGI middleware runs around a controller."""

REQUEST_ID: Final = "atlas.request_id"
"""The request ID, set by the ``RequestID`` middleware."""

SESSION: Final = "session"
"""The session, set by the ``Sessions`` middleware; Starlette uses the same key."""

STATE: Final = "state"
"""The dict behind ``request.state`` (ASGI lifespan 2.0, "Lifespan State")."""

STREAM_HOOKS: Final = "atlas.stream_hooks"
"""A list of :class:`atlas.web.responses.body_stream.StreamHook`, set by middleware."""

USER: Final = "user"
"""The authenticated user, set by the program; Starlette uses the same key."""


class BodyState(StrEnum):
    """How far the body of a request has been read.

    A :class:`str`, because other frameworks copy and log scopes.
    """

    READING = "reading"
    """A reader awaits ``receive``; no other code may."""

    READ = "read"
    """The body is complete: the next event from ``receive`` can only be ``http.disconnect``."""
