"""A client of WebSockets, under every server of the web tests."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.web.transports.servers import PATIENCE, SERVERS, LoopThread, Served

Connect = Callable[..., ClientConnection]


@pytest.fixture(params=list(SERVERS))
def server_name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def open_websocket(server_name: str, loop_thread: LoopThread) -> Iterator[Connect]:
    """``open_websocket(app, path, **options)`` serves an application, and opens a WebSocket.

    In the option ``origin``, ``{host}`` is the host of the server.
    """
    with ExitStack() as stack:
        ports: dict[int, int] = {}

        def open_one(app: Any, path: str, **options: Any) -> ClientConnection:
            if id(app) not in ports:
                listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
                stack.enter_context(loop_thread.serving(SERVERS[server_name], Served(app, listener)))
                ports[id(app)] = listener.getsockname()[1]
            url = f"ws://127.0.0.1:{ports[id(app)]}{path}"
            if "origin" in options:
                options["origin"] = options["origin"].format(host=f"127.0.0.1:{ports[id(app)]}")
            options = {"close_timeout": PATIENCE, "open_timeout": PATIENCE, "compression": None} | options
            return stack.enter_context(connect(url, proxy=None, **options))

        yield open_one


@pytest.fixture
def refuse(open_websocket: Connect) -> Callable[..., tuple[int, bytes]]:
    """``refuse(app, path, **options)`` returns status and body of the response that denies a handshake."""

    def denied(app: Any, path: str, **options: Any) -> tuple[int, bytes]:
        with pytest.raises(InvalidStatus) as caught:
            open_websocket(app, path, **options)
        response = caught.value.response
        return response.status_code, bytes(response.body or b"")

    return denied
