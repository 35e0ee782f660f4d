"""A server for the length of a ``with`` block: the form for tests, so it has to end, whatever the application does."""

import asyncio
import gc
import socket
import threading
from http.client import HTTPConnection
from typing import Any

import pytest

from atlas.errors import LifespanError, StartupError
from atlas.server import server_thread as module
from atlas.server.server import Server

PATIENCE = 10.0


async def hello(scope: Any, receive: Any, send: Any) -> None:
    assert scope["type"] == "http"
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})


def get(server: Server) -> bytes:
    connection = HTTPConnection(*server.sockets[0].getsockname()[:2], timeout=PATIENCE)
    try:
        connection.request("GET", "/")
        return connection.getresponse().read()
    finally:
        connection.close()


def is_free(address: tuple[str, int]) -> bool:
    with socket.socket() as client:
        return client.connect_ex(address) != 0


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_entered_it_answers_and_left_the_port_is_free(loop: Any) -> None:
    before = set(threading.enumerate())
    with Server(hello, port=0, loop=loop).run_in_thread() as server:
        assert server.started
        address = server.sockets[0].getsockname()
        assert get(server) == b"hello"
    assert is_free(address)
    assert not [thread for thread in set(threading.enumerate()) - before if thread.name == "atlas server"]


def test_several_at_once_and_one_after_another() -> None:
    for _ in range(3):
        with Server(hello, port=0).run_in_thread() as one, Server(hello, port=0).run_in_thread() as other:
            assert get(one) == get(other) == b"hello"
    gc.collect()


def test_a_start_that_fails_raises_on_entering() -> None:
    async def refuses(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "not today"})

    with pytest.raises(LifespanError, match="^not today$"), Server(refuses, port=0).run_in_thread():
        raise AssertionError("it was entered")


def test_a_port_in_use_raises_on_entering() -> None:
    with Server(hello, port=0).run_in_thread() as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(StartupError, match="is already in use"), Server(hello, port=port).run_in_thread():
            raise AssertionError("it was entered")


def test_an_error_in_the_block_comes_through_and_the_server_ends() -> None:
    with pytest.raises(KeyError, match="mine"), Server(hello, port=0).run_in_thread() as server:
        address = server.sockets[0].getsockname()
        raise KeyError("mine")
    assert is_free(address)


def test_an_application_that_waits_forever_does_not_hold_it() -> None:
    asked = threading.Event()

    async def waits(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "http"
        asked.set()
        await asyncio.Event().wait()

    with Server(waits, port=0).run_in_thread(graceful_timeout=0.05) as server, socket.socket() as client:
        address = server.sockets[0].getsockname()
        client.connect(address)
        client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert asked.wait(PATIENCE)
    assert is_free(address)


def test_an_application_that_blocks_the_thread_is_left_behind_with_the_port_free(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_JOIN_TIMEOUT", 0.2)
    asked, release = threading.Event(), threading.Event()

    async def blocks(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "http"
        asked.set()
        release.wait()

    server = Server(blocks, port=0)
    with (
        pytest.raises(RuntimeError, match="a call of the application blocks it"),
        server.run_in_thread(graceful_timeout=0.05),
        socket.socket() as client,
    ):
        address = server.sockets[0].getsockname()
        client.connect(address)
        client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert asked.wait(PATIENCE)
    assert is_free(address)
    release.set()
    for thread in threading.enumerate():
        if thread.name == "atlas server":
            thread.join(PATIENCE)


def test_in_thread_is_an_alias() -> None:
    server = Server(hello, port=0)
    with server.in_thread(grace=0.5) as served:
        assert get(served) == b"hello"
    assert server.graceful_timeout == 0.5


def test_an_exit_of_the_startup_does_not_end_the_program() -> None:
    async def exits(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        raise SystemExit("no database")

    with (
        pytest.raises(StartupError, match=r"^the application called sys\.exit\('no database'\)$"),
        Server(exits, port=0).run_in_thread(),
    ):
        pytest.fail("it has started")


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_a_stop_while_the_startup_waits_ends_it(loop: Any) -> None:
    cancelled = threading.Event()

    async def waits(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        server.stop()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    server = Server(waits, port=0, loop=loop)
    with pytest.raises(StartupError, match="stopped before it had started"), server.run_in_thread():
        pytest.fail("it has started")
    assert cancelled.is_set()
