"""The addresses of the client and the server, from the transport to the form of ASGI."""

import pytest

from tests._speedups.fake_connection import FakeServer


@pytest.mark.parametrize(
    ("peername", "expected"),
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
def test_the_address_of_the_client(server: FakeServer, peername: object, expected: object) -> None:
    assert server.connect(peername=peername, sockname=("server", 1)).protocol.client == expected


@pytest.mark.parametrize(
    ("sockname", "expected"),
    [
        (("127.0.0.1", 80), ("127.0.0.1", 80)),
        (("::1", 80, 0, 0), ("::1", 80)),
        ("run/atlas.sock", ("run/atlas.sock", None)),
        ("", None),
        (None, None),
        (b"\0abstract", None),
    ],
)
def test_the_address_of_the_server(server: FakeServer, sockname: object, expected: object) -> None:
    assert server.connect(sockname=sockname, peername=("client", 1)).protocol.server == expected
