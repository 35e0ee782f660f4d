"""Another protocol on the same connection: an echo, and one that hands its connection over to it."""

import asyncio
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from tests.compiled.connections import now
from tests.compiled.echo import EchoProtocol, GreetingProtocol

from atlas._speedups.buffers.connection import Connection
from atlas._speedups.buffers.connection_set import ConnectionSet
from tests._speedups.fake_connection import FakeTransport, RecordedEvents


class Peer:
    """A client of one connection that speaks ``protocol``; its transport is in memory."""

    def __init__(self, loop: Any, protocol: Any) -> None:
        made = [protocol]  # the connection has the only reference once it is made
        del protocol
        self.connections = ConnectionSet(loop, RecordedEvents(), 0, 60.0)
        self.connection = Connection(self.connections, lambda _: made.pop())
        self.transport = FakeTransport()
        self.transport.protocol = self.connection
        self.connection.connection_made(self.transport)

    def feed(self, data: bytes) -> None:
        self.connection.get_buffer(-1)[: len(data)] = data
        self.connection.buffer_updated(len(data))


def test_bytes_come_back_in_one_write_per_turn(loop: Any) -> None:
    peer = Peer(loop, EchoProtocol())
    peer.feed(b"one")
    peer.feed(b"two")
    assert peer.transport.writes == [b"one", b"two"]


def test_a_client_that_does_not_read_is_not_read(loop: Any) -> None:
    peer = Peer(loop, EchoProtocol())
    peer.transport.full = True
    peer.feed(b"x" * 70_000)
    peer.feed(b"y")
    assert peer.transport.calls == ["pause_reading"]
    peer.transport.drain()
    loop.call_soon(loop.stop)
    loop.run_forever()
    assert peer.transport.sent == b"x" * 70_000 + b"y"
    assert peer.transport.calls == ["pause_reading", "resume_reading"]


def test_its_deadline_is_its_own(loop: Any) -> None:
    peer = Peer(loop, EchoProtocol(5.0))
    start = now()
    peer.connection.check_timeout(start + 4)
    assert peer.transport.calls == []
    peer.connection.check_timeout(start + 6)
    assert peer.transport.calls == ["close"]


def test_its_loss_is_reported_once_and_counted(loop: Any) -> None:
    protocol = EchoProtocol()
    peer = Peer(loop, protocol)
    assert peer.connections.open == 1
    peer.connection.connection_lost(None)
    assert protocol.is_lost
    assert (peer.connections.open, peer.connections.connections) == (0, set())


def test_a_stop_closes_it(loop: Any) -> None:
    peer = Peer(loop, EchoProtocol())
    peer.connections.stop()
    assert peer.transport.calls == ["close"]


def test_the_protocol_is_exchanged_with_bytes_in_the_same_packet(loop: Any) -> None:
    """The connection has the only reference to it, and keeps it until its method returns."""
    peer = Peer(loop, GreetingProtocol())
    peer.feed(b"you\nand more")
    assert peer.transport.sent == b"hello you\nand more"
    peer.feed(b"!")
    assert peer.transport.sent == b"hello you\nand more!"


@pytest.mark.parametrize("made", [None, object(), EchoProtocol])
def test_what_is_no_protocol_is_refused(loop: Any, made: Any) -> None:
    with pytest.raises(TypeError):
        Peer(loop, made)


@pytest.mark.parametrize("size", [-1, 262_145])
def test_a_size_that_the_buffer_has_not_is_refused(loop: Any, size: int) -> None:
    peer = Peer(loop, EchoProtocol())
    with pytest.raises(ValueError, match=f"0 to 262144 bytes, got {size}"):
        peer.connection.buffer_updated(size)


def test_the_read_buffer_outlives_the_set(loop: Any) -> None:
    connections = ConnectionSet(loop, RecordedEvents(), 0, 60.0)
    view = Connection(connections, EchoProtocol).get_buffer(-1)
    del connections
    view[:3] = b"abc"
    assert bytes(view[:3]) == b"abc"


def test_a_connection_that_is_dropped_without_a_handshake_is_not_counted(loop: Any) -> None:
    connections = ConnectionSet(loop, RecordedEvents(), 0, 60.0)
    connection = Connection(connections, EchoProtocol)
    assert connections.open == 1
    del connection
    assert connections.open == 0


@pytest.fixture(params=["asyncio", "uvloop"])
def real_loop(request: pytest.FixtureRequest) -> Iterator[asyncio.AbstractEventLoop]:
    if request.param == "uvloop":
        import uvloop

        loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    else:
        loop = asyncio.new_event_loop()
    yield loop
    loop.close()


def test_over_real_sockets(real_loop: asyncio.AbstractEventLoop) -> None:
    data = bytes(range(256)) * 4096

    async def run() -> bytes:
        connections = ConnectionSet(real_loop, RecordedEvents(), 0, 60.0)
        ours, theirs = socket.socketpair()
        await real_loop.connect_accepted_socket(lambda: Connection(connections, lambda _: EchoProtocol()), ours)
        reader, writer = await asyncio.open_connection(sock=theirs)
        writer.write(data)
        back = await reader.readexactly(len(data))
        writer.close()
        await writer.wait_closed()
        while connections.open:
            await asyncio.sleep(0)
        return back

    assert real_loop.run_until_complete(run()) == data
