"""Notices a client that disconnects while a response streams."""

from __future__ import annotations

from atlas.gateway.disconnects import wait_for_disconnect
from atlas.gateway.task_scope import TaskScope
from atlas.types import Receive, Scope
from atlas.web.scope_keys import BODY, BodyState

__all__ = ["DisconnectWatcher"]


class DisconnectWatcher:
    """Notices a client that disconnects while a response streams.

    With the ASGI HTTP text 2.4 or later ``send`` raises then. There ``http.disconnect`` may mean only that the client
    has closed its sending side, and still reads (RFC 9112 9.6). With older texts ``http.disconnect`` is the only sign.
    The request body arrives by ``receive`` too, so the watcher waits until the body is not being read.

    :param tasks: runs the task that awaits ``receive``, and cancels the response when that task fails.
    :param scope: the ASGI scope of the request.
    :param receive: ASGI's ``receive``.
    :param always: whether a client that closes its sending side counts as disconnected, as with server-sent events.
    """

    __slots__ = ("_done", "_receive", "_scope", "_tasks")

    def __init__(self, tasks: TaskScope, scope: Scope, receive: Receive, *, always: bool) -> None:
        self._tasks = tasks
        self._scope = scope
        self._receive = receive
        self._done = not always and _send_raises(scope)

    def begin(self, sent: bool = False) -> None:
        """Begin to await ``receive``, unless this is not needed, has begun already, or would take a chunk of the body.

        :param sent: whether a chunk of the response was sent. A controller that has not read the body by then will not.
        """
        if not self._done and self._may_receive(sent):
            self._done = True
            self._tasks.start(wait_for_disconnect(self._receive))

    def _may_receive(self, sent: bool) -> bool:
        state = self._scope.get(BODY)
        if state is not None:
            return bool(state == BodyState.READ)
        return sent or self._scope["method"] in ("GET", "HEAD")


def _send_raises(scope: Scope) -> bool:
    """Return whether ``send`` raises after a disconnect (ASGI HTTP text 2.4, "Disconnected Client")."""
    version = scope.get("asgi", {}).get("spec_version", "2.0").split(".")
    return [int(part) for part in version if part.isdigit()] >= [2, 4]
