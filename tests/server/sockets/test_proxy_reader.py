"""Heads of the PROXY protocol over real sockets, with and without TLS, on both loops."""

import contextlib
import json
import logging
import socket
import ssl
import struct
from collections.abc import Callable, Iterator
from http.client import HTTPResponse
from pathlib import Path
from typing import Any

import pytest

from atlas import Application, RateLimit, Request, Route, Server
from atlas.errors import StartupError
from atlas.server.configuration.settings import Settings
from atlas.server.sockets.proxy_reader import make_proxy_head_reader

PATIENCE = 10.0
CERTIFICATE = str(Path(__file__).parents[2] / "web" / "transports" / "site.test.pem")
SIGNATURE = bytes.fromhex("0d0a0d0a000d0a515549540a")
ONE = b"PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n"
TWO = SIGNATURE + struct.pack("!BBH4s4sHH", 0x21, 0x11, 12, b"\xc0\x00\x02\x07", b"\xc6\x33\x64\x01", 56324, 443)
OVER_TLS = SIGNATURE + struct.pack(
    "!BBH4s4sHHBHBI", 0x21, 0x11, 20, b"\xc0\x00\x02\x07", b"\xc6\x33\x64\x01", 56324, 443, 0x20, 5, 1, 0
)
LOCAL = SIGNATURE + b"\x20\x00\x00\x00"
UNIX = SIGNATURE + b"\x21\x31\x00\xd8" + b"/run/client".ljust(108, b"\0") + b"/run/front".ljust(108, b"\0")
GET = b"GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 203.0.113.9\r\nX-Forwarded-Proto: https\r\n\r\n"
CLIENT, SERVER = ["192.0.2.7", 56324], ["198.51.100.1", 443]


async def app(scope: Any, receive: Any, send: Any) -> None:
    body = json.dumps([scope["client"], scope["server"], scope["scheme"]]).encode()
    length = b"%d" % len(body)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", length)]})
    await send({"type": "http.response.body", "body": body})


Start = Callable[..., Server]


@pytest.fixture(params=["asyncio", "uvloop"])
def start(request: pytest.FixtureRequest) -> Iterator[Start]:
    """Start a server that expects the PROXY protocol, and stop it after the test."""
    with contextlib.ExitStack() as stack:

        def begin(app: Any = app, **settings: Any) -> Server:
            settings = {"port": 0, "lifespan": "off", "loop": request.param, "access_log": False, **settings}
            if "uds" in settings:
                del settings["port"]
            return stack.enter_context(Server(app, proxy_protocol=True, **settings).run_in_thread())

        yield begin


def connect(server: Server) -> socket.socket:
    address = server.sockets[0]
    client = socket.socket(address.family)
    client.settimeout(PATIENCE)
    client.connect(address.getsockname())
    return client


def answer(client: socket.socket) -> Any:
    response = HTTPResponse(client)
    response.begin()
    assert response.status == 200
    return json.loads(response.read())


def is_refused(client: socket.socket) -> bool:
    try:
        return client.recv(100) == b""
    except (ConnectionResetError, BrokenPipeError):
        return True


@pytest.mark.parametrize("head", [ONE, TWO], ids=["1", "2"])
def test_the_addresses_of_the_client(start: Start, head: bytes) -> None:
    with connect(start()) as client:
        client.sendall(head + GET)
        assert answer(client) == [CLIENT, SERVER, "http"]
        client.sendall(GET)  # the head comes once per connection
        assert answer(client) == [CLIENT, SERVER, "http"]


@pytest.mark.parametrize("head", [ONE, TWO], ids=["1", "2"])
def test_a_head_in_pieces(start: Start, head: bytes) -> None:
    server = start()
    for at in range(1, len(head) + 1):
        with connect(server) as client:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            client.sendall(head[:at])
            client.sendall(head[at:] + GET)
            assert answer(client)[0] == CLIENT
    with connect(server) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in head + GET:
            client.sendall(bytes([byte]))
        assert answer(client)[0] == CLIENT


@pytest.mark.parametrize(
    ("head", "server"), [(b"PROXY UNKNOWN\r\n", None), (LOCAL, None), (UNIX, ["/run/front", None])], ids=["1", "2", "3"]
)
def test_a_proxy_without_an_address_of_the_client(start: Start, head: bytes, server: Any) -> None:
    """A head without addresses leaves those of the connection: the proxy is trusted, and so are its header fields."""
    with connect(start()) as client:
        client.sendall(head + GET)
        found = answer(client)
        assert found[0] == ["203.0.113.9", 0]
        assert found[1] == (server or [*client.getpeername()])


def test_a_health_check(start: Start) -> None:
    server = start()
    with connect(server) as client:
        client.sendall(LOCAL)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # closed by a reset
    with connect(server) as client:
        client.sendall(ONE + GET)
        assert answer(client)[0] == CLIENT


def test_header_fields_are_those_of_the_client(start: Start) -> None:
    """The peer is a trusted proxy, which passes bytes on: the fields are the client's, unless it is trusted too."""
    with connect(start(forwarded_allow_ips="127.0.0.1")) as client:
        client.sendall(ONE + GET)
        assert answer(client) == [CLIENT, SERVER, "http"]
    with connect(start(forwarded_allow_ips="127.0.0.1, 192.0.2.0/24")) as client:
        client.sendall(ONE + GET)
        assert answer(client) == [["203.0.113.9", 0], SERVER, "https"]


def test_a_client_that_has_come_over_tls(start: Start) -> None:
    with connect(start()) as client:
        client.sendall(OVER_TLS + GET)
        assert answer(client) == [CLIENT, SERVER, "https"]


@pytest.mark.parametrize("head", [ONE, TWO], ids=["1", "2"])
def test_before_tls(start: Start, head: bytes) -> None:
    server = start(ssl_certfile=CERTIFICATE)
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing)
    with connect(server) as client:
        client.sendall(head[:5])
        first = head[5:]  # the rest of the head and the ClientHello come in one packet
        done = False
        while not done:
            with contextlib.suppress(ssl.SSLWantReadError):
                tls.do_handshake()
                done = True
            client.sendall(first + outgoing.read())
            first = b""
            if not done:
                incoming.write(client.recv(65536))
        tls.write(GET)
        client.sendall(outgoing.read())
        received = b""
        while b"\r\n\r\n" not in received or not received.endswith(b"]"):
            with contextlib.suppress(ssl.SSLWantReadError):
                received += tls.read()
                continue
            incoming.write(client.recv(65536))
        assert json.loads(received.partition(b"\r\n\r\n")[2]) == [CLIENT, SERVER, "https"]


def test_over_a_unix_socket(start: Start, tmp_path: Path) -> None:
    with connect(start(uds=str(tmp_path / "s"))) as client:
        client.sendall(TWO + GET)
        assert answer(client) == [CLIENT, SERVER, "http"]


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [each.getMessage() for each in caplog.records if each.levelno >= logging.WARNING]


@pytest.mark.parametrize("uds", [False, True])
def test_from_a_peer_that_is_not_trusted(
    start: Start, uds: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server = start(forwarded_allow_ips="192.0.2.0/24", **({"uds": str(tmp_path / "s")} if uds else {}))
    with caplog.at_level(logging.WARNING, "atlas.server"):
        for _ in range(3):
            with connect(server) as client:
                with contextlib.suppress(OSError):  # the server may have closed it already
                    client.sendall(ONE + GET)
                assert is_refused(client)
    [line] = warnings(caplog)
    peer = "a Unix socket" if uds else r"127.0.0.1:"
    assert line.startswith(f"connection from {peer}")
    assert line.endswith("refused (--proxy-protocol): it is no trusted proxy (--forwarded-allow-ips)")


@pytest.mark.parametrize("data", [GET, b"\x16\x03\x01", b"PROXY TCP4 \x1b[2J\nfake\r\n" + GET])
def test_bytes_that_are_no_head(start: Start, data: bytes, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "atlas.server"), connect(start()) as client:
        client.sendall(data)
        assert is_refused(client)
    [line] = warnings(caplog)
    assert "refused (--proxy-protocol): " in line
    assert line.isprintable()


@pytest.mark.parametrize("begin", [b"", b"PROXY TC", TWO[:13]])
def test_a_head_that_does_not_come(start: Start, begin: bytes, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "atlas.server"), connect(start(timeout_request_head=0.1)) as client:
        client.sendall(begin)
        assert is_refused(client)
    what = "its head did not come in time (--timeout-request-head)"
    assert [line.partition("): ")[2] for line in warnings(caplog)] == ([what] if begin else [])


def test_a_connection_that_ends_within_the_head_is_forgotten(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    server = start(limit_connections=1)
    with caplog.at_level(logging.WARNING, "atlas.server"):
        for begin in (b"", b"PROXY TCP", TWO[:20]):
            with connect(server) as client:
                client.sendall(begin)
                client.shutdown(socket.SHUT_WR)
                assert is_refused(client)
        with connect(server) as client:  # the place is free again
            client.sendall(ONE + GET)
            assert answer(client)[0] == CLIENT
    assert not [line for line in caplog.messages if "refused" in line]


def test_a_stop_does_not_wait_for_a_head(start: Start) -> None:
    server = Server(app, port=0, lifespan="off", proxy_protocol=True)
    with server.run_in_thread(), connect(server) as client:
        client.sendall(b"PROXY")
    assert not server.started


def test_the_access_log_and_the_rate_limit_see_the_client(caplog: pytest.LogCaptureFixture) -> None:
    def show(request: Request) -> str:
        return request.ip or ""

    caplog.set_level(logging.INFO, "atlas.access")
    logging.getLogger("atlas.access").addHandler(logging.NullHandler())  # else lines go to the standard output
    limited = Application([Route("/", show)], middleware=[RateLimit("1/hour")])
    log = {"access_log": True, "access_log_format": "%(h)s %(s)s"}
    with Server(limited, port=0, proxy_protocol=True, **log).run_in_thread() as server:  # type: ignore[arg-type]
        for last in (7, 7, 8):
            with connect(server) as client:
                client.sendall(b"PROXY TCP4 192.0.2.%d 198.51.100.1 1 2\r\n" % last + GET)
                response = HTTPResponse(client)
                response.begin()
                response.read()
    lines = [record.getMessage() for record in caplog.records if record.name == "atlas.access"]
    assert lines == ["192.0.2.7 200", "192.0.2.7 429", "192.0.2.8 200"]


def test_without_trusted_proxies_the_start_fails() -> None:
    assert make_proxy_head_reader(Settings()) is None
    with pytest.raises(StartupError, match="^--proxy-protocol: name the proxies by --forwarded-allow-ips$"):
        make_proxy_head_reader(Settings(proxy_protocol=True, forwarded_allow_ips=()))
