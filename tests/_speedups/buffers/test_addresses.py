"""The two ends of a connection, as transports tell of them, in ASGI's form."""

from typing import Any

import pytest

from atlas._speedups.buffers import addresses


class Transport:
    def __init__(self, **extra: Any) -> None:
        self.extra = extra

    def get_extra_info(self, name: str) -> Any:
        return self.extra.get(name)


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
def test_the_client(told: object, client: object) -> None:
    assert addresses.peer(Transport(peername=told, sockname=("server", 1))) == client


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
def test_our_own_end(told: object, server: object) -> None:
    assert addresses.local(Transport(sockname=told, peername=("client", 1))) == server
