"""The two ends of a connection, as transports tell of them, in ASGI's form."""

import pytest

from tests._speedups.fake_connection import FakeServer


@pytest.mark.parametrize(
    ("told", "client"),
    [
        (("10.0.0.1", 4711), ("10.0.0.1", 4711)),
        (["10.0.0.1", 4711], ("10.0.0.1", 4711)),
        (("::1", 4711, 0, 0), ("::1", 4711)),
        (("::1", "4711"), ("::1", 4711)),
        (None, None),
        ("", None),
        (b"", None),
        ("a.sock", None),
        ((), None),
        (("alone",), None),
    ],
)
def test_the_client(server: FakeServer, told: object, client: object) -> None:
    assert server.connect(peername=told, sockname=("server", 1)).connection.client == client


@pytest.mark.parametrize(
    ("told", "server"),
    [
        (("127.0.0.1", 80), ("127.0.0.1", 80)),
        (("::1", 80, 0, 0), ("::1", 80)),
        ("run/atlas.sock", ("run/atlas.sock", None)),
        ("", None),
        (None, None),
        (b"\0abstract", None),
    ],
)
def test_our_own_end(server: FakeServer, told: object, server: object) -> None:
    assert server.connect(sockname=told, peername=("client", 1)).connection.server == server
