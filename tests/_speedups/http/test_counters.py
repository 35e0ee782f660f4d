"""What a server counts, and that other memory can hold it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import pytest

from atlas._speedups.buffers.connection import Connection
from atlas._speedups.http.counters import BOUNDS, CLASS_NAMES, METHOD_NAMES, TIMEOUT_NAMES, Counters
from tests._speedups.fake_connection import GET, TINY, FakeServer, Gateway, hello, post


@pytest.fixture
def memory() -> bytearray:
    return bytearray(Counters.size)


@pytest.fixture
def counters(memory: bytearray) -> Counters:
    counters = Counters(memory)
    counters.begin(1)
    return counters


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


def serve(loop: asyncio.AbstractEventLoop, counters: Counters, **settings: Any) -> FakeServer:
    server = FakeServer(loop, counters=counters, **settings)
    server.gateway.respond = hello
    return server


def timeouts(counters: Counters) -> dict[str, int]:
    found = dict(zip(TIMEOUT_NAMES, counters.read()["timeouts"], strict=True))
    return {kind: count for kind, count in found.items() if count}


def test_a_response(loop: asyncio.AbstractEventLoop, counters: Counters) -> None:
    connection = serve(loop, counters).connect()
    connection.feed(GET)
    another = b"M-SEARCH / HTTP/1.1\r\nHost: a\r\n\r\n"
    connection.feed(another)
    read = counters.read()
    assert [row[:3] for row in read["series"]] == [
        ("(server)", "GET", [0, 1, 0, 0, 0, 0]),
        ("(server)", "other", [0, 1, 0, 0, 0, 0]),
    ]
    for row in read["series"]:
        assert sum(row[3]) == 1
        assert 0 < row[4] < 10
    assert read["received"] == len(GET) + len(another)
    assert read["sent"] == len(connection.sent)
    assert (read["pid"], read["accepted"], read["open"], read["active"], read["in_work"]) == (1, 1, 1, 0, 0)


def test_a_request_that_is_worked_on(loop: asyncio.AbstractEventLoop, counters: Counters) -> None:
    server = FakeServer(loop, counters=counters)
    connection = server.connect()
    exchange = connection.request()
    assert (counters.read()["active"], counters.read()["in_work"]) == (1, 1)
    hello(exchange)
    assert (counters.read()["active"], counters.read()["in_work"]) == (0, 0)
    connection.lose()
    assert counters.read()["open"] == 0


def test_a_duration_is_in_the_bucket_of_its_time(loop: asyncio.AbstractEventLoop, counters: Counters) -> None:
    server = FakeServer(loop, counters=counters)
    exchange = server.connect().request()
    time.sleep(0.03)
    hello(exchange)
    ((_, _, _, durations, seconds),) = counters.read()["series"]
    assert durations.index(1) >= BOUNDS.index(0.05)
    assert len(durations) == len(BOUNDS) + 1
    assert seconds >= 0.03


def test_a_client_that_left_counts_as_4xx(loop: asyncio.AbstractEventLoop, counters: Counters) -> None:
    server = FakeServer(loop, counters=counters)
    connection = server.connect()
    connection.request()
    connection.lose()
    ((_, _, responses, _, _),) = counters.read()["series"]
    assert responses[CLASS_NAMES.index("4xx")] == 1


def test_a_request_that_is_refused(loop: asyncio.AbstractEventLoop, counters: Counters) -> None:
    serve(loop, counters).connect().feed(b"GET / HTTP/1.1\r\n\r\n")
    ((group, method, responses, durations, _),) = counters.read()["series"]
    assert (group, method, responses) == ("(server)", "GET", [0, 0, 0, 1, 0, 0])
    assert not any(durations)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"", "request_head"),
        (GET[:10], "request_head"),
        (GET, "keep_alive"),
        (post(5) + b"1", "request_body"),
    ],
)
def test_a_timeout(loop: asyncio.AbstractEventLoop, counters: Counters, data: bytes, kind: str) -> None:
    short = {f"timeout_{name}": TINY for name in ("request_head", "request_body", "keep_alive")}
    server = serve(loop, counters, **short)
    connection = server.connect()
    connection.feed(data)
    server.check_timeouts()
    assert timeouts(counters) == {kind: 1}


def test_a_client_that_does_not_read(loop: asyncio.AbstractEventLoop, counters: Counters) -> None:
    server = FakeServer(loop, counters=counters, timeout_write=TINY)
    connection = server.connect()
    connection.transport.full = True
    hello(connection.request())
    server.check_timeouts()
    server.check_timeouts()
    assert timeouts(counters) == {"write": 1}


def test_a_handshake_that_failed(loop: asyncio.AbstractEventLoop, counters: Counters) -> None:
    server = FakeServer(loop, counters=counters)
    for timed_out in (False, True):
        Connection(server.state.connections, server.new_protocol).handshake_failed(timed_out)
    assert counters.read()["unmade"] == 2
    assert counters.read()["open"] == 0
    assert timeouts(counters) == {"tls_handshake": 1}


def test_groups_are_limited(counters: Counters) -> None:
    first = counters.group("/a")
    assert counters.group("/a") == first
    numbers = {counters.group(f"/{number}") for number in range(2000)}
    assert len(numbers) == 1024 - first
    assert counters.group("/1999") == 3  # (others)
    assert counters.group("/1") not in (3, first)


def test_a_name_that_is_too_long_is_cut_between_characters(counters: Counters, memory: bytearray) -> None:
    counters.group("/" + "\u00e9" * 200)
    assert ("/" + "\u00e9" * 95).encode() + b"\0" in memory


def test_reasons_are_limited(counters: Counters) -> None:
    for number in range(200):
        counters.add_refusal(f"reason {number}")
    refused = counters.read()["refused"]
    assert len(refused) == 64
    assert sum(refused.values()) == 200
    assert refused["reason 0"] == 1
    assert refused["other"] == 137


def test_other_counters_go_on_in_the_same_memory(loop: asyncio.AbstractEventLoop, memory: bytearray) -> None:
    for _ in range(2):
        counters = Counters(memory)
        counters.begin(2)
        assert counters.group("/a") == 4
        counters.add_refusal("limit")
        serve(loop, counters).connect().feed(GET)
    read = counters.read()
    assert (read["accepted"], read["refused"]) == (2, {"limit": 2})
    assert read["series"][0][2][1] == 2


def test_the_loop(counters: Counters) -> None:
    counters.set_loop(5.0, 0.25)
    assert (counters.read()["due"], counters.read()["lag"]) == (5.0, 0.25)


def test_a_wrong_buffer() -> None:
    with pytest.raises(ValueError, match=rf"^expected a buffer of {Counters.size} bytes, got 10$"):
        Counters(bytearray(10))
    with pytest.raises(BufferError):
        Counters(bytes(Counters.size))


def test_memory_that_is_counted_in_cannot_be_resized(memory: bytearray, counters: Counters) -> None:
    with pytest.raises(BufferError):
        memory.clear()


def test_the_names_of_methods_are_limited() -> None:
    assert METHOD_NAMES[-1] == "other"
    assert len(METHOD_NAMES) == 10


def test_an_unknown_kind_of_timeout(counters: Counters) -> None:
    with pytest.raises(ValueError, match="not in tuple"):
        counters.add_timeout("none")


def test_without_counters_nothing_is_counted(loop: asyncio.AbstractEventLoop) -> None:
    server = FakeServer(loop, gateway=Gateway())
    server.gateway.respond = hello
    server.connect().feed(GET)
    assert server.state.counters is None
