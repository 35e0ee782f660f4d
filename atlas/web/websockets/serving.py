"""Serves a WebSocket: calls the handler of its route, and ends it as the response of the handler says."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from atlas._speedups.calls.handlers import Handler, call_handler
from atlas.errors import ClientDisconnected
from atlas.gateway.greenlets import Greenlets
from atlas.types import Event, Scope, Send
from atlas.web.background import CURRENT
from atlas.web.requests.request_head import RequestHead
from atlas.web.responses.response import Response
from atlas.web.scope_keys import MESSAGES
from atlas.web.websockets.route import Ended
from atlas.web.websockets.websocket import Messages

__all__ = ["end_websocket", "handshake_scope", "run_handler"]

_SERVER_ERROR = 1011
_POLICY_VIOLATION = 1008


def handshake_scope(scope: Scope) -> Scope:
    """Return the scope of a WebSocket as that of the request of its handshake, which middleware takes.

    :param scope: an ASGI scope of type ``websocket``.
    """
    scheme = "https" if scope.get("scheme") == "wss" else "http"
    return {**scope, "type": "http", "method": "GET", "scheme": scheme}


async def run_handler(request: RequestHead, handler: Handler, greenlets: Greenlets) -> None:
    """Call the handler of a WebSocket, and end the WebSocket as its response says.

    :param request: the request of the handshake, with the messages among its notes.
    :param handler: the handler of the route.
    :param greenlets: the greenlets of the application.
    """
    CURRENT.set(request)
    try:
        response = call_handler(handler, request, greenlets)
        if not isinstance(response, Response):
            response = await response
        await end_websocket(request, request._notes[MESSAGES], response)
    except ClientDisconnected:
        return  # not an error of the application


async def end_websocket(request: RequestHead, messages: Messages, response: Response) -> None:
    """End a WebSocket whose handler has returned: close it, or deny the handshake if it was not accepted.

    :param request: the request of the handshake.
    :param messages: the messages of the WebSocket.
    :param response: what the handler has returned. An error closes a WebSocket that was accepted with 1011, or 1008 if
        it is an error of the client.
    """
    if messages.closed:
        return
    if messages.accepted:
        await messages.close(*_close_code(response))
        return
    send = messages.deny()
    if send is None:
        await messages.close()
        return
    await response({**request.scope, "extensions": {}}, _receive_nothing, _denial(send))


def _close_code(response: Response) -> tuple[int, str]:
    status = response.status_code
    if isinstance(response, Ended) or status < 400:
        return 1000, ""
    return (_SERVER_ERROR if status >= 500 else _POLICY_VIOLATION), _phrase(status)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return str(status)


def _denial(send: Send) -> Send:
    """Return an ASGI ``send`` for a response, whose events deny a handshake."""

    async def deny(event: Event) -> None:
        if event["type"] in ("http.response.start", "http.response.body"):
            await send({**event, "type": f"websocket.{event['type']}"})

    return deny


async def _receive_nothing() -> Any:
    return {"type": "http.disconnect"}
