"""The server from Python: what it takes, when it counts as started, and every way to stop it."""

import asyncio
import gc
import signal
import socket
from functools import partial
from http.client import HTTPConnection
from typing import Any

import pytest

from atlas.errors import LifespanError
from atlas.server.configuration.settings import Settings
from atlas.server.server import Server
from atlas.server.sockets import listener

PATIENCE = 10.0


async def hello(scope: Any, receive: Any, send: Any) -> None:
    assert scope["type"] == "http"
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})


class Lively:
    """An application with a lifespan; ``events`` is what happened to it."""

    def __init__(self, *, fail: bool = False) -> None:
        self.fail = fail
        self.events: list[str] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "lifespan":
            self.events.append(scope["path"])
            await hello(scope, receive, send)
            return
        self.events.append((await receive())["type"])
        if self.fail:
            await send({"type": "lifespan.startup.failed", "message": "not today"})
            return
        await send({"type": "lifespan.startup.complete"})
        self.events.append((await receive())["type"])
        await send({"type": "lifespan.shutdown.complete"})


def get(address: tuple[str, int], path: str = "/") -> bytes:
    connection = HTTPConnection(*address[:2], timeout=PATIENCE)
    try:
        connection.request("GET", path)
        return connection.getresponse().read()
    finally:
        connection.close()


def test_inside_a_running_loop() -> None:
    app = Lively()

    async def main() -> None:
        server = Server(app, port=0)
        assert not server.started
        serving = asyncio.create_task(server.serve())
        await asyncio.wait_for(server.wait_started(), PATIENCE)
        assert server.started
        address = server.sockets[0].getsockname()
        assert await asyncio.to_thread(get, address, "/one") == b"hello"
        server.stop()
        await asyncio.wait_for(serving, PATIENCE)
        assert not server.started
        with socket.socket() as client:
            assert client.connect_ex(address) != 0

    asyncio.run(main())
    assert app.events == ["lifespan.startup", "/one", "lifespan.shutdown"]


def test_signals_are_left_alone_inside_a_running_loop() -> None:
    async def main() -> None:
        before = signal.getsignal(signal.SIGTERM)
        server = Server(hello, port=0)
        serving = asyncio.create_task(server.serve())
        await asyncio.wait_for(server.wait_started(), PATIENCE)
        assert signal.getsignal(signal.SIGTERM) is before
        server.stop()
        await asyncio.wait_for(serving, PATIENCE)

    asyncio.run(main())


def test_cancelled_it_still_cleans_up() -> None:
    app = Lively()

    async def main() -> None:
        server = Server(app, port=0)
        serving = asyncio.create_task(server.serve())
        await asyncio.wait_for(server.wait_started(), PATIENCE)
        address = server.sockets[0].getsockname()
        serving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await serving
        with socket.socket() as client:
            assert client.connect_ex(address) != 0

    asyncio.run(main())
    assert app.events == ["lifespan.startup", "lifespan.shutdown"]


def test_given_sockets_are_used() -> None:
    async def main() -> None:
        sockets = listener.bind(Settings(port=0))
        address = sockets[0].getsockname()
        server = Server(hello)
        serving = asyncio.create_task(server.serve(sockets))
        await asyncio.wait_for(server.wait_started(), PATIENCE)
        assert server.sockets == sockets
        assert await asyncio.to_thread(get, address) == b"hello"
        server.stop()
        await asyncio.wait_for(serving, PATIENCE)
        listener.close(sockets)

    asyncio.run(main())


def test_a_stop_before_the_start_is_heeded() -> None:
    async def main() -> None:
        server = Server(hello, port=0)
        server.stop()
        await asyncio.wait_for(server.serve(), PATIENCE)

    asyncio.run(main())


def test_a_stop_after_the_end_is_harmless() -> None:
    server = Server(hello, port=0)
    with server.run_in_thread():
        pass
    server.stop()


def test_a_server_is_used_once() -> None:
    server = Server(hello, port=0)
    with server.run_in_thread():
        pass
    with pytest.raises(RuntimeError, match="make a new Server for each"):
        asyncio.run(server.serve())


def test_a_refused_start_leaves_no_port_behind() -> None:
    async def main() -> None:
        server = Server(Lively(fail=True), port=0)
        with pytest.raises(LifespanError, match="^not today$"):
            await server.serve()
        assert all(sock.fileno() == -1 for sock in server.sockets)

    asyncio.run(main())


@pytest.mark.parametrize(
    ("app", "values", "error", "message"),
    [
        ("main:app", {}, TypeError, "expected an ASGI application"),
        (hello, {"prot": 1}, TypeError, "unknown setting 'prot': did you mean 'port'"),
        (hello, {"port": -1}, ValueError, "port: expected an integer"),
        (hello, {"settings": {"port": 0}}, TypeError, "expected settings as a Settings"),
    ],
)
def test_what_it_does_not_take(app: Any, values: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Server(app, **values)


def test_overrides_weigh_more_than_settings() -> None:
    server = Server(hello, Settings(port=1, backlog=7), port=0)
    assert server.settings == Settings(port=0, backlog=7)


def test_the_request_limit_ends_it() -> None:
    async def main() -> None:
        server = Server(hello, port=0, limit_max_requests=2)
        serving = asyncio.create_task(server.serve())
        await asyncio.wait_for(server.wait_started(), PATIENCE)
        address = server.sockets[0].getsockname()
        for _ in range(2):
            assert await asyncio.to_thread(get, address) == b"hello"
        await asyncio.wait_for(serving, PATIENCE)

    asyncio.run(main())


def test_small_pieces_leave_at_once_on_every_loop() -> None:
    """Where each waits for the acknowledgement of the one before, a client that delays those gets 25 a second."""
    for loop in ("asyncio", "uvloop"):
        with socket.socket() as given:  # its proto is 0, so that asyncio doesn't know it for TCP
            given.bind(("127.0.0.1", 0))
            given.listen()
            server = Server(hello, loop=loop, lifespan="off", access_log=False)  # type: ignore[arg-type]
            server.serve = partial(server.serve, [given])  # type: ignore[method-assign]
            with server.run_in_thread(), socket.create_connection(given.getsockname()) as client:
                client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                assert client.recv(65536)
                assert given.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
                for accepted in accepted_from(client):
                    assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def accepted_from(client: socket.socket) -> list[socket.socket]:
    """The server's end of a connection, where it is an object of Python: uvloop has its own."""
    # Not isinstance: it would wake lazy objects of others.
    found = [each for each in gc.get_objects() if issubclass(type(each), socket.socket) and each.fileno() != -1]
    ends = [each for each in found if peer_of(each) == client.getsockname()]
    assert len(ends) <= 1
    return ends


def peer_of(each: socket.socket) -> Any:
    try:
        return each.getpeername()
    except OSError:
        return None
