"""Accepting, pausing and accepting again, on both loops."""

import asyncio
import resource
import socket
from typing import Any

import pytest

from atlas.server import listener
from atlas.server.acceptor import Acceptor, connection_limit
from atlas.server.event_loop import loop_factory
from atlas.server.settings import Settings

PATIENCE = 10.0


class Greeting(asyncio.Protocol):
    """Says hello and hangs up."""

    def connection_made(self, transport: Any) -> None:
        transport.write(b"hello")
        transport.close()


async def greeted(sock: socket.socket) -> bytes:
    reader, writer = await asyncio.open_connection(*sock.getsockname())
    try:
        return await reader.read()
    finally:
        writer.close()


async def turn() -> None:
    """Let the loop do what it was asked for with call_soon."""
    for _ in range(3):
        await asyncio.sleep(0)


def run(main: Any, loop: str) -> None:
    async def within() -> None:
        sockets = listener.bind(Settings(port=0))
        acceptor = Acceptor(sockets, Greeting, 16)
        try:
            await asyncio.wait_for(main(acceptor, sockets[0]), PATIENCE)
        finally:
            acceptor.close()
            listener.close(sockets)

    with asyncio.Runner(loop_factory=loop_factory(loop)) as runner:
        runner.run(within())


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_a_connection_waits_while_it_pauses(loop: str) -> None:
    async def main(acceptor: Acceptor, sock: socket.socket) -> None:
        await acceptor.open()
        assert await greeted(sock) == b"hello"
        acceptor.pause()
        await turn()
        waiting = asyncio.create_task(greeted(sock))
        done, _ = await asyncio.wait({waiting}, timeout=0.05)
        assert not done
        acceptor.resume()
        assert await waiting == b"hello"

    run(main, loop)


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_a_pause_that_is_over_at_once_changes_nothing(loop: str) -> None:
    async def main(acceptor: Acceptor, sock: socket.socket) -> None:
        await acceptor.open()
        acceptor.pause()
        acceptor.resume()
        await turn()
        assert await greeted(sock) == b"hello"

    run(main, loop)


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_closed_it_leaves_the_sockets_to_their_owner(loop: str) -> None:
    async def main(acceptor: Acceptor, sock: socket.socket) -> None:
        await acceptor.open()
        acceptor.close()
        acceptor.close()
        await turn()
        assert sock.getsockname()[1] > 0
        await acceptor.open()
        assert await greeted(sock) == b"hello"

    run(main, loop)


@pytest.mark.parametrize(
    ("soft", "wanted", "limit"),
    [
        (1024, None, 896),
        (1024, 100, 100),
        (1024, 5000, 896),
        (10, None, 1),
        (resource.RLIM_INFINITY, 100, 100),
    ],
)
def test_the_limit_stays_below_that_of_descriptors(
    monkeypatch: pytest.MonkeyPatch, soft: int, wanted: int | None, limit: int
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda which: (soft, soft))
    assert connection_limit(wanted) == limit


def test_without_a_descriptor_limit_there_is_hardly_any(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda which: (resource.RLIM_INFINITY,) * 2)
    assert connection_limit(None) >= 1_000_000
