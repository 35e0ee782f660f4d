"""Requests mutated at random: answered or closed, never a hang, never a crash, and the next client is served."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .wire_server import WireServer, chunked, post, request_bytes

QUICK = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

SEEDS = [
    request_bytes(b"Accept: */*", b"Connection: keep-alive"),
    request_bytes(line=b"OPTIONS * HTTP/1.1"),
    request_bytes(line=b"GET http://other.example/x?y HTTP/1.1"),
    request_bytes(b"Connection: keep-alive", line=b"GET / HTTP/1.0"),
    post(b"Content-Length: 5", body=b"hello"),
    post(b"Content-Length: 5", b"Expect: 100-continue", body=b"hello"),
    chunked(b"5;a=b\r\nhello\r\n6\r\n world\r\n0\r\nX: y\r\n\r\n"),
    request_bytes(b"Upgrade: h2c", b"Connection: upgrade"),
]

PIECES = [
    b"\r\n", b"\r", b"\n", b"\0", b" ", b"\t", b":", b"\r\n\r\n", b"\xff", b"Transfer-Encoding: chunked\r\n",
     b"Content-Length: 3\r\n", b"HTTP/1.1", b"0\r\n\r\n", b"Host: b\r\n", b"%", b"#", b"//", b"-1",
     b"ffffffffffffffff", b"CONNECT", b"\r\n folded", b";",
]  # fmt: skip


@st.composite
def mutated(draw: Any) -> bytes:
    """One to three good requests, hurt in up to four places."""
    data = bytearray(b"".join(draw(st.lists(st.sampled_from(SEEDS), min_size=1, max_size=3))))
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, max(0, len(data) - 1)))
        match draw(st.sampled_from(["flip", "cut", "insert", "repeat", "drop"])):
            case "flip":
                data[place : place + 1] = bytes([draw(st.integers(0, 255))])
            case "cut":
                del data[place:]
            case "insert":
                data[place:place] = draw(st.sampled_from(PIECES) | st.binary(max_size=4))
            case "repeat":
                data[place:place] = data[place : place + draw(st.integers(1, 40))]
            case "drop":
                del data[place : place + draw(st.integers(1, 10))]
    return bytes(data)


@pytest.fixture(scope="module", params=["uvloop-whole", "asyncio-whole"])
def served(request: pytest.FixtureRequest, wires: Callable[[str], WireServer]) -> WireServer:
    wire = wires(request.param)
    wire.app.clear()
    return wire


def statuses(data: bytes) -> list[int]:
    return [int(status) for status in re.findall(rb"(?:^|[}\n])HTTP/1\.1 (\d{3}) ", data)]


@QUICK
@given(data=mutated(), places=st.lists(st.integers(0, 300), max_size=3))
def test_mutated_requests_are_answered_or_closed(served: WireServer, data: bytes, places: list[int]) -> None:
    with served.connect() as client:
        edges = sorted({0, len(data), *(min(place, len(data)) for place in places)})
        for start, end in pairwise(edges):
            client.send(data[start:end])
        try:
            client.finish()
        except OSError:
            pass  # it was closed already
        answers = client.read_all()
    assert answers == b"" or answers.startswith(b"HTTP/1.1 ")
    found = statuses(answers)
    assert set(found) <= {100, 200, 204, 400, 404, 408, 413, 414, 417, 431, 501, 505}
    assert served.exchange(request_bytes(), "GET").status == 200


@QUICK
@given(data=st.binary(min_size=1, max_size=300))
def test_noise_is_refused(served: WireServer, data: bytes) -> None:
    before = served.app.calls
    with served.connect() as client:
        client.send(data)
        try:
            client.finish()
        except OSError:
            pass
        answers = client.read_all()
    assert answers == b"" or statuses(answers)[0] >= 400
    assert served.app.calls == before
    assert served.exchange(request_bytes()).status == 200
