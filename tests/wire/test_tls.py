"""HTTP/1 over TLS: the same behaviour as on a plain socket, time-outs of the handshake, certificates that change."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from .raw_client import TIMEOUT
from .wire_server import WireServer, read_body, respond

CERTIFICATE = Path(__file__).parents[1] / "web" / "transports" / "site.test.pem"
MEBIBYTE = 1 << 20


@contextmanager
def connected(address: tuple[str, int], *, receive_buffer: int = 0) -> Iterator[ssl.SSLSocket]:
    context = ssl.create_default_context(cafile=CERTIFICATE)
    with socket.socket() as sock:
        if receive_buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        sock.settimeout(TIMEOUT)
        sock.connect(address)
        with context.wrap_socket(sock, server_hostname="site.test") as client:
            yield client


def get(path: str = "/", *, close: bool = True) -> bytes:
    connection = "close" if close else "keep-alive"
    return f"GET {path} HTTP/1.1\r\nHost: site.test\r\nConnection: {connection}\r\n\r\n".encode()


def read_all(client: ssl.SSLSocket) -> bytes:
    pieces = []
    while piece := client.recv(65536):
        pieces.append(piece)
    return b"".join(pieces)


@pytest.fixture
def tls(own: Callable[..., WireServer]) -> Callable[..., WireServer]:
    """``tls(**settings)`` starts a server with TLS."""

    def start(app: Any = None, **settings: Any) -> WireServer:
        return own(app, ssl_certfile=CERTIFICATE, **settings)

    return start


def test_the_scope_tells_of_tls(tls: Callable[..., WireServer]) -> None:
    scopes: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scopes.append(scope)
        await respond(send)

    with connected(tls(app).address) as client:
        for _ in range(2):
            client.sendall(get(close=False))
            assert client.recv(65536).startswith(b"HTTP/1.1 200 OK\r\n")
    first, second = (scope["extensions"]["tls"] for scope in scopes)
    assert scopes[0]["scheme"] == "https"
    assert first == second
    assert first is not second
    assert first["server_cert"] in CERTIFICATE.read_text()
    assert (first["tls_version"], first["client_cert_chain"], first["client_cert_name"]) == (0x0304, [], None)


def test_pipelined_requests_and_a_body(tls: Callable[..., WireServer]) -> None:
    with connected(tls().address) as client:
        body = b"x" * MEBIBYTE
        head = b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body)
        client.sendall(get("/first", close=False) + head + body + get("/last"))
        answer = read_all(client)
    assert answer.count(b"HTTP/1.1 200 OK\r\n") == 3
    assert answer.count(b"x" * MEBIBYTE) == 1
    assert answer.index(b'"/first"') < answer.index(b'"/a"') < answer.index(b'"/last"')


def test_a_slow_reader_holds_up_the_application(tls: Callable[..., WireServer]) -> None:
    sent: list[int] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for number in range(256):
            await send({"type": "http.response.body", "body": b"x" * 65536, "more_body": True})
            sent.append(number)
        await send({"type": "http.response.body", "body": b""})

    with connected(tls(app).address, receive_buffer=4096) as client:
        client.sendall(get())
        client.recv(1)
        held_up = len(sent)
        answer = read_all(client)
    assert held_up < 200, "the application was not held up by a client that reads nothing"
    assert answer.count(b"x") >= 256 * 65536
    assert len(sent) == 256


def test_a_large_response_to_a_client_that_reads_slowly_is_no_stall(tls: Callable[..., WireServer]) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await respond(send, b"x" * (4 * MEBIBYTE))

    # Each read takes a little; all of it takes several time-outs of a write without progress.
    with connected(tls(app, timeout_write=0.2).address, receive_buffer=4096) as client:
        client.sendall(get())
        total = 0
        while piece := client.recv(16384):
            total += len(piece)
    assert total > 4 * MEBIBYTE


def test_a_client_that_reads_nothing_is_aborted(tls: Callable[..., WireServer]) -> None:
    aborted = threading.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        try:
            while True:
                await send({"type": "http.response.body", "body": b"x" * 65536, "more_body": True})
        except OSError:
            aborted.set()

    with connected(tls(app, timeout_write=0.2).address, receive_buffer=4096) as client:
        client.sendall(get())
        assert aborted.wait(TIMEOUT)


@pytest.mark.parametrize("reset", [pytest.param(True, id="reset"), pytest.param(False, id="end of the stream")])
def test_a_client_that_is_gone_while_reading_is_paused(tls: Callable[..., WireServer], reset: bool) -> None:
    begun, gone = threading.Event(), threading.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        begun.set()
        await receive()
        gone.set()
        await respond(send)

    with connected(tls(app, timeout_write=0.4).address) as client:
        client.sendall(get(close=False) * (100_000 // len(get(close=False))))  # more than the server reads ahead
        assert begun.wait(TIMEOUT)  # a reset discards what the server has not read
        if reset:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.close()
        else:
            with socket.socket(fileno=os.dup(client.fileno())) as plain:
                plain.shutdown(socket.SHUT_WR)
        assert gone.wait(TIMEOUT)


def test_a_file(tls: Callable[..., WireServer], tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(os.urandom(MEBIBYTE))

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % MEBIBYTE)]})
        await send({"type": "http.response.pathsend", "path": str(path)})

    with connected(tls(app).address) as client:
        client.sendall(get())
        assert read_all(client).partition(b"\r\n\r\n")[2] == path.read_bytes()


def test_a_body_that_the_application_does_not_read(tls: Callable[..., WireServer]) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await respond(send, b"early")

    with connected(tls(app).address) as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n" + b"x" * 60000 + get())
        assert read_all(client).count(b"early") == 2


def test_bytes_that_are_not_tls(tls: Callable[..., WireServer]) -> None:
    wire = tls()
    with socket.create_connection(wire.address, timeout=TIMEOUT) as client:
        client.sendall(get())
        client.recv(65536)
    with connected(wire.address) as client:
        client.sendall(get())
        assert read_all(client).startswith(b"HTTP/1.1 200")


def test_a_handshake_that_is_never_finished(tls: Callable[..., WireServer]) -> None:
    wire = tls(timeout_tls_handshake=0.1)
    with socket.create_connection(wire.address, timeout=TIMEOUT) as client:
        assert client.recv(1) == b""


def test_a_controller_reads_the_whole_body(tls: Callable[..., WireServer]) -> None:
    seen: list[tuple[bytes, bool]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(await read_body(receive))
        await respond(send)

    with connected(tls(app).address) as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n")
        client.sendall(b"3\r\nabc\r\n0\r\n\r\n")
        read_all(client)
    assert seen == [(b"abc", True)]


# --------------------------------------------------------------------------------------------------- the program


def test_certificates_are_replaced_by_sighup(tmp_path: Path) -> None:
    import trustme

    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    (tmp_path / "main.py").write_text(
        "async def app(scope, receive, send):\n"
        "    await send({'type': 'http.response.start', 'status': 200, 'headers': []})\n"
        "    await send({'type': 'http.response.body', 'body': b'hello'})\n"
    )

    def issue() -> None:
        authority.issue_cert("site.test").private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "site.pem"))

    issue()
    command = [sys.executable, "-m", "atlas", "serve", "main:app", "--port", "0", "--lifespan", "off"]
    with subprocess.Popen(
        [*command, "--ssl-certfile", "site.pem"],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    ) as server:
        assert server.stderr is not None
        try:
            line = server.stderr.readline()
            assert "serving on https://127.0.0.1:" in line
            address = ("127.0.0.1", int(line.rpartition(":")[2].split()[0]))
            context = ssl.create_default_context(cafile=tmp_path / "ca.pem")

            def connect() -> ssl.SSLSocket:
                return context.wrap_socket(socket.create_connection(address, TIMEOUT), server_hostname="site.test")

            with closing(connect()) as kept:
                before = kept.getpeercert(binary_form=True)
                issue()
                server.send_signal(signal.SIGHUP)
                assert "the certificates were read again" in server.stderr.readline()
                with closing(connect()) as new:
                    assert new.getpeercert(binary_form=True) != before
                kept.sendall(get(close=False))
                assert kept.recv(65536).endswith(b"hello")
        finally:
            server.terminate()
            server.stderr.read()
    assert server.returncode == 0
