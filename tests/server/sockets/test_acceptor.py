"""Accepting in bursts, pausing while there is no room, and accepting what waits at the end; on both loops."""

import asyncio
import errno
import logging
import os
import socket
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from atlas._speedups.buffers.connection_set import accept_connection
from atlas.server.configuration.settings import Settings
from atlas.server.event_loop import loop_factory
from atlas.server.sockets import listener
from atlas.server.sockets.acceptor import Acceptor

PATIENCE = 10.0
CERTIFICATE = Path(__file__).parents[2] / "web" / "transports" / "site.test.pem"


class Places:
    """A number of places for connections; :meth:`make_room` is called when there is none."""

    def __init__(self, limit: int = 1000) -> None:
        self.limit = limit
        self.open: list[Greeting] = []
        self.asked_for_room = 0

    @property
    def full(self) -> bool:
        return len(self.open) >= self.limit

    def make_room(self) -> int:
        self.asked_for_room += 1
        return 0

    def new_protocol(self) -> "Greeting":
        self.open.append(Greeting(self))
        return self.open[-1]


class Greeting(asyncio.Protocol):
    """Says hello, and leaves the connection open."""

    transport: Any = None

    def __init__(self, places: Places) -> None:
        self.places = places

    def handshake_failed(self, timed_out: bool = False) -> None:
        self.places.open.remove(self)

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        transport.write(b"hello")


class Setting:
    """An acceptor with its places and its socket, on a running loop."""

    def __init__(self, limit: int = 1000) -> None:
        self.places = Places(limit)
        self.sockets = listener.bind(Settings(port=0))
        self.acceptor = Acceptor(self.sockets, self.places, self.places.new_protocol)

    def connect(self) -> socket.socket:
        client = socket.create_connection(self.sockets[0].getsockname())
        client.setblocking(False)
        return client

    def close(self) -> None:
        self.acceptor.close()
        listener.close(self.sockets)
        for protocol in self.places.open:
            if protocol.transport is not None:
                protocol.transport.close()


async def greeted(client: socket.socket) -> bytes:
    return await asyncio.get_running_loop().sock_recv(client, 100)


async def turns(number: int = 5) -> None:
    for _ in range(number):
        await asyncio.sleep(0)


def run(main: Callable[[Setting], Awaitable[None]], loop: str, limit: int = 1000) -> None:
    async def within() -> None:
        setting = Setting(limit)
        try:
            await asyncio.wait_for(main(setting), PATIENCE)
        finally:
            setting.close()
            await turns()

    with asyncio.Runner(loop_factory=loop_factory(loop)) as runner:
        runner.run(within())


both_loops = pytest.mark.parametrize("loop", ["asyncio", "uvloop"])


@both_loops
def test_all_that_wait_are_accepted_in_one_turn(loop: str) -> None:
    async def main(setting: Setting) -> None:
        clients = [setting.connect() for _ in range(20)]
        seen = []
        accept = setting.places.new_protocol
        running = asyncio.get_running_loop()

        def new_protocol() -> Greeting:
            if not seen:
                running.call_soon(lambda: seen.append(len(setting.places.open)))
            return accept()

        setting.acceptor = Acceptor(setting.sockets, setting.places, new_protocol)
        setting.acceptor.open()
        assert [await greeted(client) for client in clients] == [b"hello"] * 20
        assert seen[0] == 20
        for client in clients:
            client.close()

    run(main, loop)


@both_loops
def test_no_more_are_accepted_than_there_are_places(loop: str) -> None:
    async def main(setting: Setting) -> None:
        clients = [setting.connect() for _ in range(5)]
        setting.acceptor.open()
        assert [await greeted(client) for client in clients[:3]] == [b"hello"] * 3
        assert (len(setting.places.open), setting.places.asked_for_room) == (3, 1)
        fourth = asyncio.ensure_future(greeted(clients[3]))
        await turns()
        assert not fourth.done()
        setting.places.open.pop().transport.close()
        setting.acceptor.resume()
        assert await fourth == b"hello"
        assert setting.places.asked_for_room == 2
        for client in clients:
            client.close()

    run(main, loop, limit=3)


@both_loops
def test_tls_handshakes_that_stand_still_are_given_up_for_others(loop: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("atlas.server.sockets.acceptor._SPARED_SECONDS", 0.0)
    monkeypatch.setattr("atlas.server.sockets.acceptor._RETRY_SECONDS", 0.01)

    async def main(setting: Setting) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(CERTIFICATE)
        setting.acceptor.use_tls(context)
        setting.acceptor.open()
        silent = [setting.connect() for _ in range(3)]
        client = ssl.create_default_context(cafile=CERTIFICATE)
        reader, writer = await asyncio.open_connection(
            *setting.sockets[0].getsockname(), ssl=client, server_hostname="site.test"
        )
        assert await reader.read(5) == b"hello"
        assert await greeted(silent[0]) == b"", "the one that has waited for longest"
        writer.transport.abort()
        for sock in silent:
            sock.close()

    run(main, loop, limit=3)


@both_loops
def test_a_socket_that_only_fails_does_not_hold_up_the_end(loop: str) -> None:
    async def main(setting: Setting) -> None:
        setting.acceptor.open()
        setting.sockets[0].shutdown(socket.SHUT_RDWR)  # accept(2) fails from now on (EINVAL)
        await setting.acceptor.finish()

    run(main, loop)


@both_loops
def test_a_finish_accepts_what_waits_and_nothing_later(loop: str) -> None:
    async def main(setting: Setting) -> None:
        setting.acceptor.open()
        clients = [setting.connect() for _ in range(100)]
        await setting.acceptor.finish()
        assert [await greeted(client) for client in clients] == [b"hello"] * 100
        late = setting.connect()
        await turns()
        assert len(setting.places.open) == 100
        for client in [*clients, late]:
            client.close()

    run(main, loop)


@both_loops
def test_closed_it_leaves_the_sockets_to_their_owner(loop: str) -> None:
    async def main(setting: Setting) -> None:
        setting.acceptor.open()
        setting.acceptor.close()
        setting.acceptor.close()
        setting.acceptor.resume()
        client = setting.connect()
        await turns()
        assert setting.places.open == []
        setting.acceptor.open()
        assert await greeted(client) == b"hello"
        client.close()

    run(main, loop)


@both_loops
def test_a_client_that_is_gone_before_it_is_accepted(loop: str) -> None:
    async def main(setting: Setting) -> None:
        gone, client = setting.connect(), setting.connect()
        gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        gone.close()
        setting.acceptor.open()
        assert await greeted(client) == b"hello"
        client.close()

    run(main, loop)


@both_loops
def test_what_is_accepted(loop: str) -> None:
    """Non-blocking, not inherited, and with the addresses, family and type that the transport tells."""

    async def main(setting: Setting) -> None:
        setting.acceptor.open()
        client = setting.connect()
        assert await greeted(client) == b"hello"
        transport = setting.places.open[0].transport
        assert transport.get_extra_info("peername") == client.getsockname()
        assert transport.get_extra_info("sockname") == client.getpeername()
        sock = transport.get_extra_info("socket")
        assert (sock.family, sock.type, sock.gettimeout()) == (socket.AF_INET, socket.SOCK_STREAM, 0.0)
        assert not os.get_inheritable(sock.fileno())
        assert not os.get_blocking(sock.fileno())
        client.close()

    run(main, loop)


@both_loops
def test_without_descriptors_it_waits_and_tries_again(
    loop: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("atlas.server.sockets.acceptor._RETRY_SECONDS", 0.01)

    async def main(setting: Setting) -> None:
        monkeypatch.setattr("atlas.server.sockets.acceptor.accept_connection", lambda listening: -errno.EMFILE)
        client = setting.connect()
        setting.acceptor.open()
        while not setting.places.asked_for_room:
            await asyncio.sleep(0)
        assert setting.places.open == []
        monkeypatch.setattr("atlas.server.sockets.acceptor.accept_connection", accept_connection)
        assert await greeted(client) == b"hello"
        client.close()

    with caplog.at_level(logging.WARNING, "atlas.server"):
        run(main, loop)
    assert [record.getMessage() for record in caplog.records] == [
        "cannot accept connections: Too many open files: new connections wait"
    ]
