"""The request's side: the scope, and the body as it comes. ASGI 3, HTTP message format 2.5."""

import tracemalloc

import pytest

from atlas._speedups.http.exchange import Exchange
from tests._speedups.fake_connection import GET, FakeConnection, FakeServer, body, hello, post, receive, run_now, start

CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
DISCONNECT = {"type": "http.disconnect"}


def event(data: bytes, more: bool = False) -> dict[str, object]:
    return {"type": "http.request", "body": data, "more_body": more}


# ----------------------------------------------------------------------------------------------------------- the scope


def test_the_scope_is_that_of_the_specification(connection: FakeConnection) -> None:
    scope = connection.request(b"PUT /a%20b?c=%20 HTTP/1.1\r\nHost: h\r\nX-A: 1\r\nx-a: 2\r\n\r\n").scope()
    extensions = scope.pop("extensions")
    assert scope == {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.5"},
        "http_version": "1.1",
        "method": "PUT",
        "scheme": "http",
        "path": "/a b",
        "raw_path": b"/a%20b",
        "query_string": b"c=%20",
        "root_path": "",
        "headers": [(b"host", b"h"), (b"x-a", b"1"), (b"x-a", b"2")],
        "client": ("10.0.0.1", 4711),
        "server": ("127.0.0.1", 8000),
    }
    names = {"pathsend", "zerocopysend", "trailers", "early_hint"}
    assert extensions == {f"http.response.{name}": {} for name in names}


def test_http_10_is_in_the_scope(connection: FakeConnection) -> None:
    assert connection.request(b"GET / HTTP/1.0\r\n\r\n").scope()["http_version"] == "1.0"


def test_each_request_has_its_own_scope(connection: FakeConnection) -> None:
    exchange = connection.request()
    first, second = exchange.scope(), exchange.scope()
    first["path"] = "/changed"
    first["asgi"]["version"] = "4"
    first["extensions"]["mine"] = {}
    assert second["path"] == "/"
    assert second["asgi"]["version"] == "3.0"
    assert "mine" not in second["extensions"]


def test_a_unix_socket_has_no_client(server: FakeServer) -> None:
    connection = server.connect(peername="", sockname="run/a.sock")
    exchange = connection.request()
    assert (exchange.client, exchange.scope()["client"]) == (None, None)
    assert exchange.scope()["server"] == ("run/a.sock", None)


# ------------------------------------------------------------------------------------------------------------ the body


def test_a_request_without_a_body_has_one_empty_event(connection: FakeConnection) -> None:
    assert receive(connection.request()) == event(b"")


def test_a_body_in_the_packet_of_its_head_is_one_event(connection: FakeConnection) -> None:
    assert receive(connection.request(post(5) + b"hello")) == event(b"hello")
    assert receive(connection.server.connect().request(CHUNKED + b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n")) == event(
        b"hello"
    )


def test_what_has_come_is_given_at_once(connection: FakeConnection) -> None:
    exchange = connection.request(post(6))
    connection.feed(b"ab")
    connection.feed(b"cd")
    assert receive(exchange) == event(b"abcd", more=True)
    connection.feed(b"ef")
    assert receive(exchange) == event(b"ef")


def test_receive_waits_for_the_first_bytes(connection: FakeConnection) -> None:
    exchange = connection.request(post(4))
    task = connection.server.loop.create_task(exchange.receive())
    connection.server.turn(2)
    assert not task.done()
    connection.feed(b"ab")
    connection.server.turn(2)
    assert task.result() == event(b"ab", more=True)


def test_the_end_of_a_chunked_body_can_come_late(connection: FakeConnection) -> None:
    exchange = connection.request(CHUNKED + b"2\r\nab\r\n")
    assert receive(exchange) == event(b"ab", more=True)
    connection.feed(b"0\r\n\r\n")
    assert receive(exchange) == event(b"")


def test_two_may_wait_and_each_event_is_given_once(connection: FakeConnection) -> None:
    exchange = connection.request(post(4))
    tasks = [connection.server.loop.create_task(exchange.receive()) for _ in range(2)]
    connection.server.turn(2)
    connection.feed(b"abcd")
    connection.server.turn(2)
    assert [task.done() for task in tasks] == [True, False]
    assert tasks[0].result() == event(b"abcd")
    connection.lose()
    connection.server.turn(2)
    assert tasks[1].result() == DISCONNECT


def test_nothing_is_taken_before_it_is_awaited(connection: FakeConnection) -> None:
    exchange = connection.request(post(2) + b"ab")
    unawaited = exchange.receive()
    task = connection.server.loop.create_task(exchange.receive())
    task.cancel()
    connection.server.turn(2)
    assert task.cancelled()
    assert receive(exchange) == event(b"ab")
    unawaited.close()


def test_a_result_is_given_once(connection: FakeConnection) -> None:
    awaitable = connection.request().receive()
    assert run_now(awaitable) == event(b"")
    with pytest.raises(RuntimeError, match="awaited already"):
        run_now(awaitable)


def test_a_cancelled_receive_takes_no_event(connection: FakeConnection) -> None:
    exchange = connection.request(post(2))
    task = connection.server.loop.create_task(exchange.receive())
    connection.server.turn(2)
    task.cancel()
    connection.feed(b"ab")
    connection.server.turn(2)
    assert task.cancelled()
    assert receive(exchange) == event(b"ab")


# -------------------------------------------------------------------------------------------------------- disconnects


def test_after_the_body_receive_waits_for_the_end(connection: FakeConnection) -> None:
    exchange = connection.request()
    receive(exchange)
    task = connection.server.loop.create_task(exchange.receive())
    connection.server.turn(2)
    assert not task.done()
    exchange.respond(200, [], b"")
    connection.server.turn(2)
    assert task.result() == DISCONNECT
    assert receive(exchange) == DISCONNECT


def test_a_client_that_leaves_is_a_disconnect(connection: FakeConnection) -> None:
    exchange = connection.request()
    receive(exchange)
    task = connection.server.loop.create_task(exchange.receive())
    connection.server.turn(2)
    connection.protocol.eof_received()
    connection.server.turn(2)
    assert task.result() == DISCONNECT


def test_half_a_body_is_never_given_as_a_whole(connection: FakeConnection) -> None:
    exchange = connection.request(post(4))
    connection.feed(b"ab")
    connection.lose()
    assert receive(exchange) == DISCONNECT


def test_the_rest_of_a_lost_body_is_never_given_as_a_whole(connection: FakeConnection) -> None:
    exchange = connection.request(post(4))
    connection.feed(b"ab")
    connection.protocol.end_now()
    connection.feed(b"cd")
    assert receive(exchange) == DISCONNECT
    assert receive(exchange) == DISCONNECT


# --------------------------------------------------------------------------------------------------------- 100 Continue


def test_100_continue_is_sent_when_the_application_receives(connection: FakeConnection) -> None:
    exchange = connection.request(post(2, b"Expect: 100-continue"))
    connection.server.turn(2)
    assert connection.sent == b""
    task = connection.server.loop.create_task(exchange.receive())
    connection.server.turn(2)
    assert connection.sent == CONTINUE
    connection.feed(b"ab")
    connection.server.turn(2)
    assert task.result() == event(b"ab")
    hello(exchange)
    assert connection.sent.count(b"100 Continue") == 1
    assert b"connection: close" not in connection.sent


def test_100_continue_is_sent_once(connection: FakeConnection) -> None:
    exchange = connection.request(post(4, b"Expect: 100-continue"))
    task = connection.server.loop.create_task(exchange.receive())
    connection.server.turn(2)
    connection.feed(b"ab")
    connection.server.turn(2)
    assert task.result() == event(b"ab", more=True)
    task = connection.server.loop.create_task(exchange.receive())
    connection.server.turn(2)
    connection.feed(b"cd")
    connection.server.turn(2)
    assert task.result() == event(b"cd")
    assert connection.sent == CONTINUE


def test_100_continue_is_not_sent_to_a_client_that_did_not_expect_it(connection: FakeConnection) -> None:
    exchange = connection.request(post(4, b"Expect: 100-continue") + b"ab")
    assert receive(exchange) == event(b"ab", more=True)
    task = connection.server.loop.create_task(exchange.receive())
    connection.server.turn(2)
    assert connection.sent == b""
    connection.feed(b"cd")
    connection.server.turn(2)
    assert task.result() == event(b"cd")


def test_100_continue_is_not_sent_inside_a_response(connection: FakeConnection) -> None:
    exchange = connection.request(post(4, b"Expect: 100-continue"))
    start(exchange)
    body(exchange, b"x", more=True)
    task = connection.server.loop.create_task(exchange.receive())
    connection.server.turn(2)
    assert b"100 Continue" not in connection.sent
    connection.lose()
    connection.server.turn(2)
    assert task.result() == DISCONNECT


def test_100_continue_is_said_before_a_head_that_is_held(connection: FakeConnection) -> None:
    exchange = connection.request(post(4, b"Expect: 100-continue"))
    start(exchange, 201, (b"x", b"y"))
    task = connection.server.loop.create_task(exchange.receive())
    connection.server.turn(2)
    assert connection.sent == CONTINUE
    connection.feed(b"abcd")
    connection.server.turn(2)
    assert task.result() == event(b"abcd")
    body(exchange, b"done")
    assert connection.sent == CONTINUE + b"HTTP/1.1 201 Created\r\nx: y\r\ncontent-length: 4\r\n\r\ndone"


def test_a_request_without_a_body_has_nothing_to_continue(connection: FakeConnection) -> None:
    receive(connection.request(b"GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n"))
    connection.server.turn(2)
    assert connection.sent == b""


def test_an_exchange_is_not_made_of_anything_else(connection: FakeConnection) -> None:
    exchange = connection.request(GET)
    gateway = connection.server.gateway
    for arguments in ((), (None,) * 4, (exchange.state, gateway, None, exchange.head), (exchange.head, gateway, 1, 2)):
        with pytest.raises(TypeError):
            Exchange(*arguments)


# ------------------------------------------------------------------------------------------------ what waits, in memory


def traced(connection: FakeConnection, data: bytes, size: int | None = None) -> int:
    """How much memory is held after a connection has received *data* (in chunks of *size* bytes), in bytes."""
    tracemalloc.start()
    try:
        connection.feed(data, size)
        return tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("packet", [None, 6, 600])
def test_tiny_chunks_that_wait_cost_little_more_than_their_bytes(
    connection: FakeConnection, packet: int | None
) -> None:
    exchange = connection.request(CHUNKED)
    held = traced(connection, b"1\r\na\r\n" * 10_000, packet)
    assert held < 30_000, "of 10,000 bytes in chunks of one"
    assert receive(exchange) == event(b"a" * 10_000, more=True)


def test_pieces_that_are_joined_keep_their_order(connection: FakeConnection) -> None:
    exchange = connection.request(CHUNKED)
    sizes = [1, 1, 5, 20_000, 3, 2, 2, 30_000, 1, 16_384, 1, 1, 4]
    pieces = [bytes([65 + at]) * size for at, size in enumerate(sizes)]
    for piece in pieces:
        connection.feed(b"%x\r\n%b\r\n" % (len(piece), piece))
    connection.feed(b"0\r\n\r\n")
    assert receive(exchange) == event(b"".join(pieces))
