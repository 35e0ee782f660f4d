"""Connection: set-up, timeouts, half-closes, disconnects, limits and shutdown."""

import gc
import sys
from collections.abc import Callable

import pytest

from atlas._speedups.buffers.connection import Connection
from atlas.errors import ClientDisconnected
from tests._speedups.fake_connection import GET, TINY, FakeConnection, FakeServer, body, hello, post, receive, start

Open = Callable[..., FakeServer]
CLOSING = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


def numbered(count: int, first: int = 0) -> bytes:
    return b"".join(b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % number for number in range(first, first + count))


def texts(connection: FakeConnection, count: int) -> list[bytes]:
    """The bodies of the answers, of which there must be just that many."""
    answers = [answer[2] for answer in connection.responses(*["GET"] * count)]
    assert connection.sent.count(b"HTTP/1.1 ") == count
    return answers


# --------------------------------------------------------------------------------------------------------------- memory


def own_objects(connection: Connection) -> dict[str, int]:
    """The compiled objects that belong to this connection alone, and their sizes in bytes."""
    shared = {"ConnectionSet", "ServerState", "PythonGateway"}
    found: dict[str, int] = {}
    waiting: list[object] = [connection]
    while waiting:
        each = waiting.pop()
        name = type(each).__name__
        compiled = type(each).__module__.startswith(("atlas._speedups", "tests.compiled"))
        if compiled and name not in shared | found.keys():
            found[name] = sys.getsizeof(each)
            waiting += gc.get_referents(each)
    return found


def test_an_idle_connection_holds_nothing_of_an_exchange(connection: FakeConnection) -> None:
    exchange = connection.request(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nabcd")
    receive(exchange)
    assert own_objects(connection.protocol).keys() >= {"Http1Stream", "Exchange", "RequestBody"}
    hello(exchange)
    idle = own_objects(connection.protocol)
    assert idle.keys() == {"Connection", "SocketWriter", "Http1Protocol"}
    assert sum(idle.values()) <= 320


def test_data_received_is_there_once_the_connection_is_made(connection: FakeConnection) -> None:
    made = connection.protocol
    unmade = Connection(connection.server.state.connections, lambda _: None)
    assert not hasattr(unmade, "data_received")
    made.data_received(GET)
    assert connection.exchange.head.target == b"/"


def test_two_exchanges_do_not_share_a_stream(server: FakeServer) -> None:
    first, second = server.connect(), server.connect()
    one, two = first.request(), second.request()
    start(one, 201)
    start(two, 202)
    body(two, b"two")
    body(one, b"one")
    assert (first.responses()[0][0], second.responses()[0][0]) == (201, 202)
    hello(first.request())
    assert [answer[0] for answer in first.responses("GET", "GET")] == [201, 200]


# ------------------------------------------------------------------------------------------------------------- timeouts


def test_an_idle_connection_closes_silently(new_server: Open) -> None:
    connection = new_server(timeout_keep_alive=TINY).connect()
    hello(connection.request())
    sent = connection.sent
    connection.server.check_timeouts()
    assert (connection.sent, connection.calls) == (sent, ["close"])


def test_a_connection_that_never_says_anything_closes_silently(new_server: Open) -> None:
    connection = new_server(timeout_request_head=TINY).connect()
    connection.server.check_timeouts()
    assert (connection.sent, connection.calls) == (b"", ["close"])


def test_a_head_that_takes_too_long_is_answered(new_server: Open) -> None:
    connection = new_server(timeout_request_head=TINY).connect()
    connection.feed(GET[:5])
    connection.server.check_timeouts()
    assert connection.responses()[0][0] == 408
    assert connection.server.events.refusals[0].flag == "--timeout-request-head"


def test_dripping_does_not_extend_the_time_for_a_head(connection: FakeConnection) -> None:
    connection.feed(b"GET / HTTP/1.1\r\n")
    first = connection.protocol
    for piece in (b"Host: a\r\n", b"A: b\r\n"):
        connection.feed(piece)
    first.check_timeout(1e12)
    assert connection.responses()[0][0] == 408


def test_a_request_that_is_worked_on_has_no_timeout(new_server: Open) -> None:
    server = new_server(timeout_request_head=TINY, timeout_request_body=TINY, timeout_keep_alive=TINY)
    connection = server.connect()
    exchange = connection.request()
    server.check_timeouts()
    assert connection.calls == []
    hello(exchange)
    assert connection.responses()[0][0] == 200


def test_a_body_that_stops_is_a_disconnect_for_a_pending_receive(new_server: Open) -> None:
    server = new_server(timeout_request_body=TINY)
    connection = server.connect()
    exchange = connection.request(post(10))
    task = server.loop.create_task(exchange.receive())
    server.turn(2)
    server.check_timeouts()
    server.turn(2)
    assert task.result() == {"type": "http.disconnect"}
    hello(exchange)
    assert connection.responses()[0][1][b"connection"] == b"close"


def test_a_body_that_is_not_awaited_has_no_timeout(new_server: Open) -> None:
    server = new_server(timeout_request_body=TINY)
    connection = server.connect()
    exchange = connection.request(post(3))
    server.check_timeouts()
    connection.feed(b"abc")
    assert receive(exchange)["body"] == b"abc"


def test_the_rest_of_an_unwanted_body_has_a_timeout(new_server: Open) -> None:
    connection = new_server(timeout_request_body=TINY).connect()
    hello(connection.request(post(10)))
    connection.server.check_timeouts()
    assert connection.calls == ["close"]


def test_a_client_that_does_not_read_is_disconnected(new_server: Open) -> None:
    connection = new_server(timeout_write=TINY).connect()
    exchange = connection.request()
    start(exchange)
    connection.transport.full = True
    body(exchange, b"x" * 100_000, more=True)
    connection.server.check_timeouts()
    assert connection.calls == [], "the first look only sees how much there is"
    connection.transport.waiting = connection.transport.waiting[1:]
    connection.server.check_timeouts()
    assert connection.calls == [], "one byte is progress"
    connection.server.check_timeouts()
    assert connection.calls == ["abort"]
    with pytest.raises(ClientDisconnected):
        body(exchange)


def test_a_transport_that_pauses_by_itself_is_watched(new_server: Open) -> None:
    """A transport with TLS may pause when nothing was written to it just before, and while an exchange ends."""
    connection = new_server(timeout_write=TINY).connect()
    exchange = connection.request()
    connection.protocol.pause_writing()
    hello(exchange)
    connection.server.check_timeouts()
    assert connection.calls == []
    connection.server.check_timeouts()
    assert connection.calls == ["abort"]


def test_a_client_that_does_not_close_after_a_refusal_is_closed(connection: FakeConnection) -> None:
    connection.feed(b"\0")
    connection.protocol.check_timeout(0)
    assert connection.calls == ["write_eof"]
    connection.protocol.check_timeout(1e12)
    assert connection.calls == ["write_eof", "close"]


# ---------------------------------------------------------------------------------------------------------- half-close


def test_a_client_that_half_closes_gets_its_response(connection: FakeConnection) -> None:
    exchange = connection.request()
    assert connection.protocol.eof_received() is True
    assert connection.calls == []
    assert connection.server.gateway.disconnected == [exchange]
    hello(exchange)
    assert connection.responses()[0][2] == b"/"
    assert connection.calls == ["close"]


def test_tls_is_not_asked_to_stay_open(server: FakeServer) -> None:
    """asyncio would warn in the log, for each client that closes."""
    connection = server.connect(ssl_object=object())
    assert connection.protocol.eof_received() is False


def test_pipelined_requests_are_answered_after_the_half_close(connection: FakeConnection) -> None:
    exchange = connection.request(numbered(3))
    connection.protocol.eof_received()
    connection.server.gateway.respond = hello
    hello(exchange)
    connection.server.turn(3)
    assert texts(connection, 3) == [b"/0", b"/1", b"/2"]
    assert connection.calls == ["close"]


def test_requests_that_yield_to_other_connections_are_answered_after_the_half_close(connection: FakeConnection) -> None:
    connection.server.gateway.respond = hello
    connection.feed(numbered(40))
    connection.protocol.eof_received()
    connection.server.turn(4)
    assert texts(connection, 40) == [b"/%d" % number for number in range(40)]
    assert connection.calls == ["close"]


def test_the_end_of_the_stream_inside_a_body_is_a_disconnect(connection: FakeConnection) -> None:
    exchange = connection.request(post(10) + b"01234")
    connection.protocol.eof_received()
    assert receive(exchange) == {"type": "http.disconnect"}


def test_a_whole_body_can_be_received_after_the_half_close(connection: FakeConnection) -> None:
    exchange = connection.request(post(3) + b"abc")
    connection.protocol.eof_received()
    assert receive(exchange)["body"] == b"abc"
    assert receive(exchange) == {"type": "http.disconnect"}


@pytest.mark.parametrize("sent", [b"", GET[:9]])
def test_a_client_that_disconnects_without_a_request_is_closed(connection: FakeConnection, sent: bytes) -> None:
    connection.feed(sent)
    connection.protocol.eof_received()
    assert (connection.calls, connection.sent) == (["close"], b"")


# ------------------------------------------------------------------------------------------------------------ the loss


def test_the_gateway_is_notified_of_a_lost_connection(connection: FakeConnection) -> None:
    exchange = connection.request(post(10))
    task = connection.server.loop.create_task(exchange.receive())
    connection.server.turn(2)
    connection.lose()
    connection.server.turn(2)
    assert task.result() == {"type": "http.disconnect"}
    assert connection.server.gateway.disconnected == [exchange]
    assert connection.server.state.connections.connections == set()
    assert connection.server.state.connections.open == 0


def test_a_write_that_fails_ends_the_connection(connection: FakeConnection) -> None:
    exchange = connection.request()
    connection.lose(BrokenPipeError())
    assert exchange.lost
    assert exchange.finish_application() is True


def test_a_request_that_waits_for_room_is_not_overdue(new_server: Open) -> None:
    server = new_server(timeout_keep_alive=TINY)
    server.gateway.respond = lambda exchange: exchange.respond(200, [], b"x" * 100_000)
    connection = server.connect()
    connection.transport.full = True
    connection.feed(GET + GET)
    connection.transport.drain()
    server.check_timeouts()
    server.turn()
    assert len(server.gateway.started) == 2


# ------------------------------------------------------------------------------------------------------ load and stop


def test_requests_over_the_concurrency_limit_are_refused(new_server: Open) -> None:
    server = new_server(limit_concurrency=1)
    first, second = server.connect(), server.connect()
    exchange = first.request()
    second.feed(GET)
    status, headers, _ = second.responses()[0]
    assert (status, headers[b"retry-after"]) == (503, b"1")
    assert second.calls == []
    assert (server.state.in_work, server.state.served, len(server.gateway.started)) == (1, 1, 1)
    assert server.events.refusals[0].flag == "--limit-concurrency"
    hello(exchange)
    hello(second.request())
    assert [answer[0] for answer in second.responses("GET", "GET")] == [503, 200]


def test_a_shutdown_closes_idle_connections_and_lets_requests_finish(server: FakeServer) -> None:
    fresh, idle, busy = server.connect(), server.connect(), server.connect()
    hello(idle.request())
    exchange = busy.request()
    server.state.connections.stop()
    assert (fresh.calls, idle.calls, busy.calls) == (["close"], ["close"], [])
    hello(exchange)
    assert busy.responses()[0][1][b"connection"] == b"close"
    assert busy.calls == ["close"]


def test_a_new_connection_during_a_shutdown_is_closed(server: FakeServer) -> None:
    server.state.connections.stop()
    assert server.connect().calls == ["close"]


def test_the_last_closed_connection_is_reported(server: FakeServer) -> None:
    connections = [server.connect(), server.connect()]
    server.state.connections.stop()
    connections[0].lose()
    assert "on_all_connections_closed" not in server.events.calls
    connections[1].lose()
    assert server.events.calls[-1] == "on_all_connections_closed"


def test_after_the_graceful_timeout_applications_are_disconnected(server: FakeServer) -> None:
    busy, idle = server.connect(), server.connect()
    exchange = busy.request()
    receive(exchange)
    task = server.loop.create_task(exchange.receive())
    idle.feed(GET[:4])
    server.turn(2)
    server.state.connections.stop()
    server.state.connections.end_now()
    server.turn(2)
    assert task.result() == {"type": "http.disconnect"}
    assert (busy.calls, idle.calls) == ([], ["abort"])


def test_all_connections_are_aborted_at_the_end(server: FakeServer) -> None:
    connections = [server.connect(), server.connect()]
    connections[0].request()
    server.state.connections.abort()
    assert [connection.calls for connection in connections] == [["abort"], ["abort"]]


# ------------------------------------------------------------------------------------------------------------- details


def test_the_transport_is_set_up(connection: FakeConnection) -> None:
    assert connection.transport.limits == {"high": 0}
    assert connection.protocol in connection.server.state.connections.connections


def test_tls_is_https_and_reports_what_it_holds(server: FakeServer) -> None:
    connection = server.connect(ssl_object=object())
    assert connection.transport.limits == {"high": 1}
    assert connection.request().scope()["scheme"] == "https"


def test_a_loop_without_buffered_protocols(connection: FakeConnection) -> None:
    connection.server.gateway.respond = hello
    connection.protocol.data_received(numbered(3))
    connection.protocol.data_received(post(600_000) + b"x" * 600_000)
    assert [answer[2] for answer in connection.responses(*["GET"] * 4)] == [b"/0", b"/1", b"/2", b"/"]


def test_the_size_hint_of_a_buffer_is_ignored(connection: FakeConnection) -> None:
    buffer = connection.protocol.get_buffer(-1)
    assert isinstance(buffer, memoryview)
    assert len(buffer) == 262_144
    assert not buffer.readonly
    assert connection.server.connect().protocol.get_buffer(10).obj is buffer.obj


def test_it_needs_a_connection_set() -> None:
    with pytest.raises(TypeError):
        Connection(None)  # type: ignore[arg-type]
