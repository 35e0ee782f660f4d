"""TLS handshakes that fail: the connection counts from accept, and no longer once it is closed (WIRE.md, TLS)."""

from __future__ import annotations

import asyncio
import gc
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from atlas import Settings
from atlas._speedups.buffers.connection import Connection
from atlas._speedups.http.server_state import ServerState
from atlas._speedups.http1.protocol import Http1Protocol
from atlas.gateway.asgi import ASGIGateway
from atlas.server.event_loop import loop_factory, run_main
from atlas.server.server_events import ServerEvents

from .wire_server import echo

BOUND = 10.0  # seconds in which the count has to be right; it takes a few turns of the loop, and the collector
CERTIFICATE = Path(__file__).parents[1] / "web" / "transports" / "site.test.pem"

Address = tuple[str, int]
Attempt = Callable[[Address], Awaitable[None]]


async def send_http(address: Address) -> None:
    """Send bytes that are not TLS, and wait until the server has closed the connection."""
    reader, writer = await asyncio.open_connection(*address)
    writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    await reader.read()
    writer.close()


async def close_at_once(address: Address) -> None:
    """Close the connection without sending a byte."""
    _, writer = await asyncio.open_connection(*address)
    writer.close()
    await writer.wait_closed()


async def reset_in_the_handshake(address: Address) -> None:
    """Send a ClientHello, and reset the connection when the server has answered it."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = _client_context().wrap_bio(incoming, outgoing)
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    loop = asyncio.get_running_loop()
    with socket.socket() as client:
        client.setblocking(False)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        await loop.sock_connect(client, address)
        await loop.sock_sendall(client, outgoing.read())
        assert await loop.sock_recv(client, 1)


def _client_context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
@pytest.mark.parametrize("attempt", [send_http, close_at_once, reset_in_the_handshake])
def test_a_failed_handshake_is_no_open_connection(attempt: Attempt, loop: str) -> None:
    run_main(_check(attempt), loop_factory(loop))


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_a_connection_with_tls_counts_while_it_is_open(loop: str) -> None:
    run_main(_check(None), loop_factory(loop))


async def _check(attempt: Attempt | None) -> None:
    loop = asyncio.get_running_loop()
    loop.set_debug(False)  # it logs the failure with a traceback, which pytest keeps, and with it the connection
    gateway = ASGIGateway(echo, loop)
    state = ServerState(loop, Settings(access_log=False), ServerEvents())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    make = partial(Connection, state.connections, lambda _: Http1Protocol(state, gateway))
    server = await loop.create_server(make, "127.0.0.1", 0, ssl=context)
    address = server.sockets[0].getsockname()[:2]
    try:
        if attempt is not None:
            await attempt(address)
        reader, writer = await asyncio.open_connection(*address, ssl=_client_context())
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        await _wait_for_open(state, 1)
        writer.close()
        await _wait_for_open(state, 0)
    finally:
        server.close()
        state.connections.abort()
        await asyncio.sleep(0)
        state.close()


async def _wait_for_open(state: Any, count: int) -> None:
    """Wait until so many connections are open. There is no event for the end of a failed handshake.

    asyncio's own loop keeps the protocol of a failed handshake in a reference cycle, until the garbage collector runs.
    """
    async with asyncio.timeout(BOUND):
        while state.connections.open != count:
            gc.collect()
            await asyncio.sleep(0.001)
