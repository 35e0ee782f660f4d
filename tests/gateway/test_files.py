"""Files as bodies, on real sockets by the kernel and on transports that have none by hand."""

import asyncio
import errno
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from atlas.errors import ClientDisconnected
from atlas.gateway.files import send_file
from tests._speedups.fake_connection import GET, FakeConnection, FakeServer, start
from tests.wire.raw_client import TIMEOUT, RawClient

CONTENT = bytes(index % 251 for index in range(251)) * 3000  # 753,000 bytes: more than one piece
Serve = Callable[..., Any]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(CONTENT)
    return path


@pytest.fixture(params=["asyncio", "uvloop"])
def connect(request: pytest.FixtureRequest, serve: Serve) -> Callable[..., RawClient]:
    """``connect(app, **options)``: a client of a running server; ``receive_buffer`` makes it a slow one."""

    def connect(app: Any, receive_buffer: int | None = None, **settings: Any) -> RawClient:
        server = serve(app, loop=request.param, **settings)
        return RawClient(server.sockets[0].getsockname()[:2], receive_buffer=receive_buffer)

    return connect


def pathsend(path: object) -> dict[str, Any]:
    return {"type": "http.response.pathsend", "path": path}


def zerocopysend(file: object, **options: Any) -> dict[str, Any]:
    return {"type": "http.response.zerocopysend", "file": file, **options}


class Application:
    """Sends one event after a start; ``ended`` is what came of it."""

    def __init__(self, event: Any = None, *headers: tuple[bytes, bytes]) -> None:
        self.event = event
        self.headers = headers
        self.ended: Future[BaseException | None] = Future()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/hello":
            await send({"type": "http.response.start", "status": 200})
            await send({"type": "http.response.body", "body": b"hello"})
            return
        try:
            await send({"type": "http.response.start", "status": 200, "headers": list(self.headers)})
            await send(self.event)
        except BaseException as error:
            self.ended.set_result(error)
            raise
        self.ended.set_result(None)


def ended(app: Application) -> BaseException | None:
    return app.ended.result(TIMEOUT)


# ------------------------------------------------------------------------------------------------------ on real sockets


@pytest.mark.parametrize("kind", [str, Path])
def test_a_file_by_its_path(connect: Callable[..., RawClient], file: Path, kind: type) -> None:
    app = Application(pathsend(kind(file)))
    with connect(app) as client:
        client.send(GET)
        answer = client.response()
        assert answer.body == CONTENT
        assert answer.header(b"content-length") == b"%d" % len(CONTENT)
        client.send(b"GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
        assert client.response().body == b"hello", "the connection goes on"
    assert ended(app) is None


@pytest.mark.parametrize(
    ("offset", "count", "expected"),
    [
        (None, None, CONTENT[10:]),
        (0, None, CONTENT),
        (300_000, None, CONTENT[300_000:]),
        (None, 5, CONTENT[10:15]),
        (1, 400_000, CONTENT[1:400_001]),
        (0, len(CONTENT), CONTENT),
        (len(CONTENT) - 1, 1, CONTENT[-1:]),
        (5, 0, b""),
        (len(CONTENT), None, b""),
    ],
)
def test_a_range_of_an_open_file(
    connect: Callable[..., RawClient], file: Path, offset: int | None, count: int | None, expected: bytes
) -> None:
    with file.open("rb", buffering=0) as handle:
        handle.seek(10)
        with connect(Application(zerocopysend(handle, offset=offset, count=count))) as client:
            client.send(GET)
            assert client.response().body == expected


@pytest.mark.parametrize("path", ["relative", b"/bytes", None, 7, "", Path("also/relative")])
def test_a_path_that_is_not_absolute(connect: Callable[..., RawClient], path: object) -> None:
    app = Application(pathsend(path))
    with connect(app) as client:
        client.send(GET)
        assert client.response().status == 500
    assert isinstance(ended(app), ValueError)


def test_a_path_that_is_not_there(connect: Callable[..., RawClient], tmp_path: Path) -> None:
    app = Application(pathsend(tmp_path / "missing"))
    with connect(app) as client:
        client.send(GET)
        assert client.response().status == 500
    assert isinstance(ended(app), FileNotFoundError)


def test_a_folder_is_no_file(connect: Callable[..., RawClient], tmp_path: Path) -> None:
    app = Application(pathsend(tmp_path))
    with connect(app) as client:
        client.send(GET)
        assert client.response().status == 500
    assert isinstance(ended(app), (OSError, ValueError))
    assert not isinstance(ended(app), ClientDisconnected)


@pytest.mark.parametrize(
    ("offset", "count"), [(-1, 1), (0, -1), (0, len(CONTENT) + 1), (len(CONTENT), 1), (len(CONTENT) + 1, None)]
)
def test_a_range_that_is_not_in_the_file(
    connect: Callable[..., RawClient], file: Path, offset: int, count: int | None
) -> None:
    with file.open("rb") as handle:
        app = Application(zerocopysend(handle, offset=offset, count=count))
        with connect(app) as client:
            client.send(GET)
            assert client.response().status == 500
    assert isinstance(ended(app), ValueError)


def test_a_file_that_does_not_fit_its_content_length(connect: Callable[..., RawClient], file: Path) -> None:
    app = Application(pathsend(file), (b"content-length", b"3"))
    with connect(app) as client:
        client.send(GET)
        assert client.response().status == 500
    assert isinstance(ended(app), RuntimeError)


def test_a_file_before_the_start(connect: Callable[..., RawClient], file: Path) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(pathsend(file))

    with connect(app) as client:
        client.send(GET)
        assert client.response().status == 500


# -------------------------------------------------------------------------------------------------------- slow readers


@pytest.fixture
def huge(tmp_path: Path) -> Path:
    """More than the kernel's buffers take, and no bytes on the disk."""
    path = tmp_path / "huge"
    path.touch()
    os.truncate(path, 30_000_000)
    return path


def test_a_slow_client_does_not_block_others(connect: Callable[..., RawClient], huge: Path) -> None:
    app = Application(pathsend(huge))
    with connect(app, receive_buffer=4096) as slow:
        slow.send(GET)
        slow.read_until(b"\r\n\r\n")
        with RawClient(slow.socket.getpeername()) as other:
            other.send(b"GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
            assert other.response().body == b"hello"
        assert not app.ended.done()
        assert slow.read_exactly(30_000_000).count(0) == 30_000_000
    assert ended(app) is None


def test_a_client_that_does_not_read_is_disconnected(connect: Callable[..., RawClient], huge: Path) -> None:
    app = Application(pathsend(huge))
    with connect(app, receive_buffer=4096, timeout_write=0.1) as client:
        client.send(GET)
        error = ended(app)
        assert isinstance(error, ClientDisconnected)
        assert "--timeout-write" in str(error)


def test_a_disconnect_ends_the_sending(connect: Callable[..., RawClient], huge: Path) -> None:
    app = Application(pathsend(huge))
    with connect(app, receive_buffer=4096) as client:
        client.send(GET)
        client.read_until(b"\r\n\r\n")
        client.reset()
        assert isinstance(ended(app), ClientDisconnected)


def test_a_file_that_shrinks_is_cut_and_not_made_up(connect: Callable[..., RawClient], huge: Path) -> None:
    app = Application(pathsend(huge))
    with connect(app, receive_buffer=4096) as client:
        client.send(GET)
        client.read_until(b"\r\n\r\n")
        os.truncate(huge, 0)
        assert len(client.read_all()) < 30_000_000
    error = ended(app)
    assert isinstance(error, OSError)
    assert "shorter" in str(error)


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs the folder of open descriptors (Linux)")
def test_descriptors_are_closed_again(connect: Callable[..., RawClient], file: Path, huge: Path) -> None:
    app = Application()
    with connect(app, receive_buffer=4096) as client:
        for path in (file, huge, file):
            app.event, app.ended = pathsend(path), Future()
            client.send(GET)
            client.response()
            assert ended(app) is None
        open_files = {os.readlink(f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd") if still_open(name)}
    assert not {str(file), str(huge)} & open_files


def still_open(name: str) -> bool:
    return os.path.islink(f"/proc/self/fd/{name}")


def sockets_and(path: Path) -> tuple[int, int]:
    """How many descriptors of this process are sockets, and how many are that file."""
    links = [os.readlink(f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd") if still_open(name)]
    return sum(link.startswith("socket:") for link in links), links.count(str(path))


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs the folder of open descriptors (Linux)")
def test_a_client_that_does_not_read_costs_its_socket_and_one_file(
    connect: Callable[..., RawClient], serve: Serve, huge: Path
) -> None:
    app = Application(pathsend(huge))
    with connect(app, receive_buffer=4096) as client:
        client.send(b"GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
        assert client.response().body == b"hello"
        before, _ = sockets_and(huge)
        client.send(GET)
        client.read_until(b"\r\n\r\n")
        with RawClient(client.socket.getpeername()) as other:  # by now the first one has to wait
            other.send(b"GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            assert other.response().body == b"hello"
            other.assert_closed()
        assert sockets_and(huge) == (before, 1)


@pytest.mark.parametrize("path", ["file", "static"])
@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs the folder of open descriptors (Linux)")
def test_a_file_response_opens_its_file_once(connect: Callable[..., RawClient], huge: Path, path: str) -> None:
    import atlas

    app = atlas.Application(
        [atlas.Route("/file", lambda request: atlas.FileResponse(huge)), atlas.Static("/static", huge.parent)]
    )
    with connect(app, receive_buffer=4096) as client:
        client.send(b"GET /%b HTTP/1.1\r\nHost: a\r\n\r\n" % {"file": b"file", "static": b"static/huge"}[path])
        client.read_until(b"\r\n\r\n")
        assert sockets_and(huge)[1] == 1
        assert client.read_exactly(30_000_000).count(0) == 30_000_000


# -------------------------------------------------------------------------------------- transports without a descriptor


@pytest.fixture
def connection() -> Iterator[FakeConnection]:
    loop = asyncio.new_event_loop()
    yield FakeServer(loop).connect()
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()


def test_by_hand_it_is_the_same_body(connection: FakeConnection, file: Path) -> None:
    exchange = connection.request()
    start(exchange)
    connection.server.loop.run_until_complete(send_file(exchange, pathsend(file)))
    assert exchange.complete
    assert connection.responses()[0][2] == CONTENT


def test_by_hand_parts_are_chunks(connection: FakeConnection, file: Path) -> None:
    exchange = connection.request()
    start(exchange)
    with file.open("rb") as handle:
        for event in (zerocopysend(handle, offset=5, count=7, more_body=True), zerocopysend(handle, offset=0, count=3)):
            connection.server.loop.run_until_complete(send_file(exchange, event))
    assert connection.sent.endswith(b"\r\n\r\n7\r\n" + CONTENT[5:12] + b"\r\n3\r\n" + CONTENT[:3] + b"\r\n0\r\n\r\n")


def test_by_hand_it_waits_for_a_slow_client(connection: FakeConnection, file: Path) -> None:
    exchange = connection.request()
    start(exchange)
    connection.transport.full = True
    task = connection.server.loop.create_task(send_file(exchange, pathsend(file)))
    while not connection.transport.waiting:
        connection.server.turn()
    connection.server.turn(5)
    assert len(connection.transport.waiting) < 1000, "only the head"
    connection.transport.drain()
    connection.server.loop.run_until_complete(task)
    assert connection.responses()[0][2] == CONTENT


def test_by_hand_a_file_that_shrinks(connection: FakeConnection, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    exchange = connection.request()
    start(exchange)
    monkeypatch.setattr(os, "pread", lambda *_: b"")
    with pytest.raises(OSError, match="shorter"):
        connection.server.loop.run_until_complete(send_file(exchange, pathsend(file)))
    exchange.finish_application()
    assert connection.calls == ["close"]


# ------------------------------------------------------------------------------------------------ what can come between


def test_a_caller_that_is_cancelled_while_a_thread_opens_the_file(
    connection: FakeConnection, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop, open_file = connection.server.loop, os.open
    begun, gate = threading.Event(), threading.Event()
    opened: list[int] = []

    def slow_open(*arguments: Any) -> int:
        begun.set()
        gate.wait(TIMEOUT)
        opened.append(open_file(*arguments))
        return opened[0]

    monkeypatch.setattr(os, "open", slow_open)
    exchange = connection.request()
    start(exchange)
    task = loop.create_task(send_file(exchange, pathsend(file)))
    while not begun.is_set():
        connection.server.turn()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        loop.run_until_complete(task)
    gate.set()
    until = time.monotonic() + TIMEOUT
    while not opened or is_open(opened[0]):
        assert time.monotonic() < until, "the descriptor is never closed"
        connection.server.turn()


def is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def test_a_pipe_is_no_file_and_does_not_block(connection: FakeConnection, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    exchange = connection.request()
    start(exchange)
    with pytest.raises(ValueError, match="the path of a file"):
        connection.server.loop.run_until_complete(send_file(exchange, pathsend(tmp_path / "pipe")))


@pytest.fixture
def plain(connection: FakeConnection) -> Iterator[FakeConnection]:
    """A connection with a socket, so that sendfile(2) is used."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield connection.server.connect(socket=ours)


def fail(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def sendfile(*arguments: Any) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "sendfile", sendfile)


@pytest.mark.parametrize("number", [errno.ECONNRESET, errno.EPIPE, errno.ETIMEDOUT])
def test_a_reset_in_the_middle_is_a_disconnect_that_is_known_at_once(
    plain: FakeConnection, file: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    fail(monkeypatch, number)
    exchange = plain.request()
    start(exchange)
    with pytest.raises(ClientDisconnected):
        plain.server.loop.run_until_complete(send_file(exchange, pathsend(file)))
    assert exchange.lost, "so that the exception is no error of the application"


def test_an_error_of_the_disk_is_no_disconnect(
    plain: FakeConnection, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail(monkeypatch, errno.EIO)
    exchange = plain.request()
    start(exchange)
    with pytest.raises(OSError, match="Input/output error") as caught:
        plain.server.loop.run_until_complete(send_file(exchange, pathsend(file)))
    assert not isinstance(caught.value, ClientDisconnected)
    assert not exchange.lost


def test_a_file_system_without_sendfile_is_read(
    connection: FakeConnection, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail(monkeypatch, errno.EINVAL)
    ours, theirs = socket.socketpair()
    theirs.settimeout(TIMEOUT)
    with ours, theirs:
        slow = connection.server.connect(socket=ours)
        exchange = slow.request()
        start(exchange, 200, (b"content-length", b"%d" % 1000))
        with file.open("rb") as handle:
            slow.server.loop.run_until_complete(send_file(exchange, zerocopysend(handle, offset=0, count=1000)))
        assert exchange.complete
        assert theirs.recv(65536).endswith(CONTENT[:1000])
