"""The scope of a request: what the application is told."""

from __future__ import annotations

import asyncio
import contextvars
import socket
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import pytest

from .raw_client import TIMEOUT, RawClient
from .wire_server import WireServer, request_bytes, respond


def keeping(kept: list[Any]) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        kept.append(scope)
        await respond(send)

    return app


def test_scope_of_a_plain_request(wire: WireServer) -> None:
    kept: list[Any] = []
    wire.set_app(keeping(kept))
    with wire.connect() as client:
        client.send(
            request_bytes(
                b"X-Twice: 1", b"ACCEPT: */*", b"x-twice: 2", line=b"GET /a%20b?c=%20d HTTP/1.1", host=b"example"
            )
        )
        client.response()
        client = client.socket.getsockname()
    (scope,) = kept
    assert type(scope) is dict
    assert set(scope) - {"state"} == {
        "type", "asgi", "http_version", "method", "scheme", "path", "raw_path", "query_string", "root_path", "headers",
        "client", "server", "extensions",
    }  # fmt: skip
    assert scope["type"] == "http"
    assert scope["asgi"] == {"version": "3.0", "spec_version": "2.5"}
    assert (scope["http_version"], scope["method"], scope["scheme"]) == ("1.1", "GET", "http")
    assert (scope["path"], scope["raw_path"], scope["query_string"]) == ("/a b", b"/a%20b", b"c=%20d")
    assert scope["root_path"] == ""
    headers = [tuple(pair) for pair in scope["headers"]]
    assert headers == [(b"host", b"example"), (b"x-twice", b"1"), (b"accept", b"*/*"), (b"x-twice", b"2")]
    assert (tuple(scope["client"]), tuple(scope["server"])) == (client, wire.address)


def test_values_are_plain_types(wire: WireServer) -> None:
    kept: list[Any] = []
    wire.set_app(keeping(kept))
    wire.exchange(request_bytes(b"X: y", line=b"GET /a?b HTTP/1.1"))
    (scope,) = kept
    assert {type(scope[name]) for name in ("http_version", "method", "scheme", "path", "root_path")} == {str}
    assert {type(scope[name]) for name in ("raw_path", "query_string")} == {bytes}
    assert {type(part) for pair in scope["headers"] for part in pair} == {bytes}
    assert type(scope["client"][0]) is str
    assert type(scope["client"][1]) is int


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_http_version(wire: WireServer, version: str) -> None:
    kept: list[Any] = []
    wire.set_app(keeping(kept))
    wire.exchange(request_bytes(line=b"GET / HTTP/" + version.encode()))
    assert kept[0]["http_version"] == version


def test_scopes_share_nothing_that_can_change(wire: WireServer) -> None:
    kept: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        kept.append(scope)
        scope["extensions"]["mine"] = {}
        scope["asgi"]["mine"] = 1
        scope["headers"].append((b"mine", b"1"))
        await respond(send)

    wire.set_app(app)
    with wire.connect() as client:
        for _ in range(2):
            client.send(request_bytes())
            client.response()
    first, second = kept
    assert first is not second
    assert first["headers"] is not second["headers"]
    assert second["headers"].count((b"mine", b"1")) == 1
    assert first["asgi"] is not second["asgi"] or first["asgi"] == {"version": "3.0", "spec_version": "2.5", "mine": 1}


def test_root_path(own: Callable[..., WireServer]) -> None:
    told = own(root_path="/api").exchange(request_bytes(line=b"GET /a HTTP/1.1")).json()
    assert told["root_path"] == "/api"
    assert told["raw_path"].endswith("/a")


def test_unix_socket(wires: Callable[[str], WireServer]) -> None:
    wire = wires("uvloop-bytes")
    kept: list[Any] = []
    wire.set_app(keeping(kept))
    try:
        assert wire.exchange(request_bytes()).status == 200
    finally:
        wire.app.clear()
    (scope,) = kept
    assert scope["client"] is None or tuple(scope["client"])[1] in (0, None)
    assert scope["server"] is None or tuple(scope["server"]) == (wire.address, None)


def test_ipv6(serve: Callable[..., Any]) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
    kept: list[Any] = []
    server = serve(keeping(kept), host="::1")
    address = server.sockets[0].getsockname()[:2]
    with RawClient(address) as client:
        client.send(request_bytes(host=b"[::1]"))
        assert client.response().status == 200
        assert tuple(kept[0]["client"]) == client.socket.getsockname()[:2]
    assert tuple(kept[0]["server"]) == address


def lifespan_app(kept: list[Any], state: dict[str, Any]) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            kept.append(scope)
            await receive()
            scope["state"].update(state)
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        kept.append(dict(scope["state"]))
        scope["state"]["seen"] = True
        await respond(send)

    return app


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
@pytest.mark.parametrize("lifespan", ["auto", "on"])
def test_state_is_a_copy_per_request(serve: Callable[..., Any], loop: str, lifespan: str) -> None:
    kept: list[Any] = []
    shared = object()
    server = serve(lifespan_app(kept, {"pool": shared}), loop=loop, lifespan=lifespan)
    with RawClient(server.sockets[0].getsockname()[:2]) as client:
        for _ in range(2):
            client.send(request_bytes())
            assert client.response().status == 200
    lifespan_scope, first, second = kept
    assert lifespan_scope["asgi"]["version"] == "3.0"
    assert first == second == {"pool": shared}


def test_no_state_without_a_lifespan(own: Callable[..., WireServer]) -> None:
    kept: list[Any] = []
    own(keeping(kept), lifespan="off").exchange(request_bytes())
    assert "state" not in kept[0]


def test_current_task_and_timeouts_are_right(wire: WireServer) -> None:
    """One real task a request, in a context of its own."""
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="clean")
    told: Future[Any] = Future()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        kept = [variable.get(), asyncio.current_task() is not None]
        variable.set("dirty")
        try:
            async with asyncio.timeout(0.01):
                await asyncio.Event().wait()
        except TimeoutError:
            kept.append("timed out")
        if scope["path"] == "/second":
            told.set_result(kept)
        await respond(send)

    wire.set_app(app)
    with wire.connect() as client:
        client.send(request_bytes() + request_bytes(line=b"GET /second HTTP/1.1"))
        assert client.response().status == client.response().status == 200
    assert told.result(TIMEOUT) == ["clean", True, "timed out"]


def test_anyio_works_inside(wire: WireServer) -> None:
    anyio = pytest.importorskip("anyio")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(anyio.sleep, 0)
        with anyio.move_on_after(0.01):
            await anyio.sleep_forever()
        await respond(send, await anyio.to_thread.run_sync(lambda: b"from a thread"))

    wire.set_app(app)
    assert wire.exchange(request_bytes()).body == b"from a thread"
