"""What connections share: lines of the server's own, the scope's fixed parts, counters, limits, pools."""

import gc
import time
from collections.abc import Callable
from email.utils import formatdate, parsedate_to_datetime
from typing import Any

import pytest
from tests.compiled.connections import now as monotonic

from atlas._speedups.http.server_state import ServerState
from tests._speedups.fake_connection import GET, TINY, AccessLog, FakeServer, body, hello, start

Open = Callable[..., FakeServer]


def head_of(server: FakeServer, *headers: tuple[bytes, bytes]) -> list[bytes]:
    """The field lines of a response with these headers."""
    connection = server.connect()
    connection.request().respond(200, headers, b"")
    return connection.sent.partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]


# --------------------------------------------------------------------------------------------------- the server's lines


def test_the_date_is_now_in_its_one_form(new_server: Open) -> None:
    before = int(time.time()) - 1  # the clock of whole seconds may be a tick behind
    (date,) = [connection for connection in head_of(new_server(date_header=True)) if connection.startswith(b"date: ")]
    sent = parsedate_to_datetime(date[6:].decode()).timestamp()
    assert before <= sent <= time.time()
    assert date[6:].decode() == formatdate(sent, usegmt=True)


def test_the_server_and_the_users_own_lines(new_server: Open) -> None:
    server = new_server(server_header=True, headers=(("X-A", "1"), ("X-B", "é")))
    assert head_of(server) == [b"content-length: 0", b"server: atlas", b"X-A: 1", b"X-B: \xe9"]


@pytest.mark.parametrize("name", [b"date", b"Date", b"DATE"])
def test_the_applications_date_takes_precedence(new_server: Open, name: bytes) -> None:
    server = new_server(date_header=True, server_header=True)
    assert head_of(server, (name, b"x")) == [name + b": x", b"content-length: 0", b"server: atlas"]


def test_the_applications_server_takes_precedence(new_server: Open) -> None:
    server = new_server(server_header=True, headers=(("X-A", "1"),))
    assert head_of(server, (b"Server", b"mine")) == [b"Server: mine", b"content-length: 0", b"X-A: 1"]


def test_the_users_own_line_stands_for_ours(new_server: Open) -> None:
    server = new_server(date_header=True, server_header=True, headers=(("Server", "us"), ("DATE", "never")))
    assert head_of(server) == [b"content-length: 0", b"Server: us", b"DATE: never"]


def test_they_can_be_switched_off(server: FakeServer) -> None:
    assert head_of(server) == [b"content-length: 0"]


# ---------------------------------------------------------------------------------------------------------- the scope


def test_the_state_is_copied_for_each_request(new_server: Open) -> None:
    shared: dict[str, Any] = {"db": []}
    connection = new_server(state=shared).connect()
    scope = connection.request().scope()
    scope["state"]["mine"] = 1
    scope["state"]["db"].append(2)
    hello(connection.exchange)
    assert shared == {"db": [2]}
    assert connection.request().scope()["state"] == {"db": [2]}


def test_without_lifespan_there_is_no_state(server: FakeServer) -> None:
    assert "state" not in server.connect().request().scope()
    assert server.state.state is None


def test_an_empty_state_is_a_state(new_server: Open) -> None:
    assert new_server(state={}).connect().request().scope()["state"] == {}


def test_the_root_path(new_server: Open) -> None:
    scope = new_server(root_path="/ä").connect().request(b"GET /a%20b HTTP/1.1\r\nHost: a\r\n\r\n").scope()
    assert (scope["root_path"], scope["path"], scope["raw_path"]) == ("/ä", "/ä/a b", b"/%C3%A4/a%20b")


# ------------------------------------------------------------------------------------------------------------- counting


def test_connections_are_counted_and_the_first_and_last_are_reported(new_server: Open) -> None:
    server = new_server(limit_connections=2)
    first = server.connect()
    assert server.events.calls == ["on_first_connection"]
    second = server.connect()
    assert (server.state.connections.open, len(server.state.connections.connections)) == (2, 2)
    first.lose()
    assert server.events.calls == ["on_first_connection", "on_below_connection_limit"]
    second.lose()
    server.connect()
    assert server.events.calls == ["on_first_connection", "on_below_connection_limit", "on_first_connection"]


def test_without_a_limit_nothing_is_full(server: FakeServer) -> None:
    connections = [server.connect() for _ in range(3)]
    for connection in connections:
        connection.lose()
    assert server.events.calls == ["on_first_connection"]


def test_the_limit_of_requests_is_reported_once(new_server: Open) -> None:
    server = new_server(limit_max_requests=2)
    server.gateway.respond = hello
    connection = server.connect()
    for expected in ([], ["on_max_requests"], ["on_max_requests"]):
        connection.feed(GET)
        assert [name for name in server.events.calls if name == "on_max_requests"] == expected
    assert server.state.served == 3


def test_the_limits_are_those_of_the_settings(new_server: Open) -> None:
    state = new_server(limit_concurrency=5, limit_max_requests=7, limit_connections=9).state
    assert (state.limit_concurrency, state.limit_max_requests, state.connections.limit) == (5, 7, 9)
    state = new_server().state
    assert (state.limit_concurrency, state.limit_max_requests, state.connections.limit) == (0, 0, 0)


@pytest.mark.parametrize(
    ("name", "sent", "status"),
    [
        ("limit_request_line", b"GET /aaaaaaaaaaaaaaaaaaaa HTTP/1.1\r\n", 414),
        ("limit_request_head", GET, 431),
        ("limit_request_field", b"GET / HTTP/1.1\r\nHost: aaaaaaaaaaaaaaaaa\r\n", 431),
        ("limit_request_body", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 21\r\n\r\n", 413),
    ],
)
def test_a_limit_of_20(new_server: Open, name: str, sent: bytes, status: int) -> None:
    connection = new_server(**{name: 20}).connect()
    connection.feed(sent)
    assert connection.responses()[0][0] == status


def test_a_limit_on_the_number_of_fields(new_server: Open) -> None:
    connection = new_server(limit_request_fields=1).connect()
    connection.feed(b"GET / HTTP/1.1\r\nHost: a\r\nA: b\r\n")
    assert connection.responses()[0][0] == 431


# ----------------------------------------------------------------------------------------------------------- access log


def test_the_log_is_woken_by_the_first_record_and_flushed_at_256(new_server: Open) -> None:
    log = AccessLog()
    server = new_server(access_log=log)
    server.gateway.respond = hello
    connection = server.connect()
    for _ in range(255):
        connection.feed(GET)
    assert log.calls == ["wake"]
    connection.feed(GET)
    assert log.calls == ["wake", "flush"]
    connection.feed(GET)
    assert log.calls == ["wake", "flush", "wake"]


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: 21\r\n\r\n", 413),
        (b"POST /up HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n16\r\n", 413),
        (b"POST /up HTTP/1.1\r\nHost: a\r\nA: " + b"x" * 100 + b"\r\n\r\n", 431),
        (b"POST /up HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"POST /up HTTP/1.1\r\nHost: a\r\nbad\r\n\r\n", 400),
        (b"POST /up HTTP/1.1\r\nHost: a\r\nA: \0", 400),
    ],
)
@pytest.mark.parametrize("size", [1, None])
def test_the_record_of_a_refusal_has_method_and_target(
    new_server: Open, sent: bytes, status: int, size: int | None
) -> None:
    log = AccessLog()
    connection = new_server(access_log=log, limit_request_body=20, limit_request_field=80).connect()
    connection.feed(sent, size)
    assert [record[1:5] for record in log.records] == [("POST", b"/up", "1.1", status)]


def test_a_refusal_has_a_record(new_server: Open) -> None:
    log = AccessLog()
    connection = new_server(access_log=log).connect()
    connection.feed(b"\0")
    (record,) = log.records
    assert (record[:5], record[8:]) == ((("10.0.0.1", 4711), "-", b"-", "1.1", 400), ([], None))
    assert record[5] == len(connection.responses()[0][2])


# ---------------------------------------------------------------------------------------------- one that breaks


def broken() -> int:
    raise ZeroDivisionError


def test_an_error_of_one_connection_does_not_prevent_the_timeouts_of_others(new_server: Open) -> None:
    server = new_server(timeout_request_head=TINY, timeout_write=TINY)
    connections = [server.connect() for _ in range(3)]
    connections[1].transport.full = True
    connections[1].request().respond(200, [], b"x")
    connections[1].transport.get_write_buffer_size = broken  # type: ignore[method-assign]
    server.check_timeouts()
    assert [connection.calls for connection in connections] == [["close"], ["abort"], ["close"]]
    assert server.events.calls.count("on_unexpected_error") == 1


def test_an_error_of_one_connection_does_not_prevent_the_flush_of_others(server: FakeServer) -> None:
    connections = [server.connect() for _ in range(3)]
    for connection in connections:
        start(connection.request())
        body(connection.exchange, b"x", more=True)
    connections[1].transport.write = lambda _: broken()  # type: ignore[assignment, method-assign, misc]
    server.turn()
    assert [connection.sent[-6:] for connection in connections] == [b"1\r\nx\r\n", b"", b"1\r\nx\r\n"]
    assert [connection.calls for connection in connections] == [[], ["abort"], []]
    assert server.events.calls.count("on_unexpected_error") == 1


# -------------------------------------------------------------------------------------------------------------- the end


def test_equal_addresses_are_one_object(server: FakeServer) -> None:
    scopes = [server.connect(sockname=("127.0.0.1", 80 + 0 * number)).request().scope() for number in range(2)]
    assert scopes[0]["server"] is scopes[1]["server"]
    other = server.connect(sockname=("127.0.0.2", 80)).request().scope()
    assert other["server"] == ("127.0.0.2", 80)


def test_it_drops_everything_when_it_is_closed(new_server: Open) -> None:
    log = AccessLog()
    server = new_server(access_log=log)
    hello(server.connect().request())
    server.state.close()
    assert server.state.events is None
    assert not any(server.state is owner for owner in gc.get_referrers(log))


def test_the_clock_is_steady_and_in_seconds() -> None:
    first, reference = monotonic(), time.monotonic()
    assert abs(first - reference) < 1
    assert monotonic() >= first


def test_what_it_shows_cannot_be_changed(server: FakeServer) -> None:
    for name in ("open", "in_work", "served", "stopping", "connections", "gateway", "limit_concurrency"):
        with pytest.raises(AttributeError):
            setattr(server.state, name, getattr(server.state, name))
    assert isinstance(server.state, ServerState)
    assert (server.state.connections.stopping, server.state.loop) == (False, server.loop)
