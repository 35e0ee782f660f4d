"""Behind the real server: commits, rollbacks and clients that leave, over sockets."""

import socket
import threading
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from sqlalchemy import select, text

from atlas import Application, AsyncRequest, Request, Route, Server, Settings
from atlas.sqlalchemy import Database
from tests.sqlalchemy.conftest import PATIENCE, Gate, checked_out
from tests.sqlalchemy.shelves import Shelf, names

Build = Callable[..., Application]


@pytest.fixture
def settings() -> Settings:
    return Settings(port=0, access_log=False, timeout_graceful_shutdown=5.0)


def address_of(server: Server) -> tuple[str, int]:
    host, port = server.sockets[0].getsockname()[:2]
    return host, port


def test_commit_and_rollback(db: Database, application: Build, settings: Settings) -> None:
    def add(request: Request, status: int) -> Any:
        db.session.add(Shelf(name=str(status)))
        db.session.flush()
        if status == 500:
            raise LookupError(status)
        return "", status

    async def look(request: AsyncRequest) -> list[str]:
        return list(await db.async_session.scalars(select(Shelf.name)))

    server = Server(application(db, Route("/{status:int}", add, ["POST"]), Route("/", look)), settings)
    with server.run_in_thread(), httpx.Client(base_url="http://{}:{}".format(*address_of(server))) as client:
        for status in (200, 201, 303, 400, 409, 500):
            assert client.post(f"/{status}").status_code == status
        assert client.get("/").json() == ["200", "201", "303"]
        assert checked_out(db) == 0
    assert db._engines.all() == []


def test_a_client_that_leaves(db: Database, gate: Gate, application: Build, settings: Settings) -> None:
    """Whether the controller is cancelled or comes to its end is the gateway's to say; the connection comes back."""
    ended = threading.Event()

    def wait(request: Request) -> str:
        try:
            return str(db.session.scalar(text("SELECT gate()")))
        finally:
            ended.set()

    server = Server(application(db, Route("/", wait)), settings)
    with server.run_in_thread():
        with socket.create_connection(address_of(server), PATIENCE) as client:
            client.sendall(b"GET / HTTP/1.1\r\nhost: a.test\r\n\r\n")
            gate.wait_until_inside(1)
        gate.open()
        assert ended.wait(PATIENCE)
    assert db._engines.all() == []


def test_a_stop_waits_for_a_query(db: Database, gate: Gate, application: Build, settings: Settings) -> None:
    def wait(request: Request) -> str:
        db.session.add(Shelf(name="north"))
        return str(db.session.scalar(text("SELECT gate()")))

    server = Server(application(db, Route("/", wait)), settings)
    with server.run_in_thread(), socket.create_connection(address_of(server), PATIENCE) as client:
        client.sendall(b"GET / HTTP/1.1\r\nhost: a.test\r\n\r\n")
        gate.wait_until_inside(1)
        server.stop()
        gate.open()
        assert client.recv(65536).startswith(b"HTTP/1.1 200")
    assert names(db) == ["north"]
