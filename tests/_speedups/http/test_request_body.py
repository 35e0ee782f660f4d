"""The request's side: the scope, and the body as it comes. ASGI 3, HTTP message format 2.5."""

import pytest

from atlas._speedups.http.exchange import Exchange
from tests._speedups.line import GET, Line, Office, body, hello, now, post, receive, start

CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
DISCONNECT = {"type": "http.disconnect"}


def event(data: bytes, more: bool = False) -> dict[str, object]:
    return {"type": "http.request", "body": data, "more_body": more}


# ----------------------------------------------------------------------------------------------------------- the scope


def test_the_scope_is_that_of_the_specification(line: Line) -> None:
    scope = line.request(b"PUT /a%20b?c=%20 HTTP/1.1\r\nHost: h\r\nX-A: 1\r\nx-a: 2\r\n\r\n").scope()
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


def test_http_10_is_told(line: Line) -> None:
    assert line.request(b"GET / HTTP/1.0\r\n\r\n").scope()["http_version"] == "1.0"


def test_a_scope_belongs_to_who_asked_for_it(line: Line) -> None:
    exchange = line.request()
    first, second = exchange.scope(), exchange.scope()
    first["path"] = "/changed"
    first["asgi"]["version"] = "4"
    first["extensions"]["mine"] = {}
    assert second["path"] == "/"
    assert second["asgi"]["version"] == "3.0"
    assert "mine" not in second["extensions"]


def test_a_unix_socket_has_no_client(office: Office) -> None:
    line = office.connect(peername="", sockname="run/a.sock")
    exchange = line.request()
    assert (exchange.client, exchange.scope()["client"]) == (None, None)
    assert exchange.scope()["server"] == ("run/a.sock", None)


# ------------------------------------------------------------------------------------------------------------ the body


def test_a_request_without_a_body_has_one_empty_event(line: Line) -> None:
    assert receive(line.request()) == event(b"")


def test_a_body_in_the_packet_of_its_head_is_one_event(line: Line) -> None:
    assert receive(line.request(post(5) + b"hello")) == event(b"hello")
    assert receive(line.office.connect().request(CHUNKED + b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n")) == event(b"hello")


def test_what_has_come_is_given_at_once(line: Line) -> None:
    exchange = line.request(post(6))
    line.feed(b"ab")
    line.feed(b"cd")
    assert receive(exchange) == event(b"abcd", more=True)
    line.feed(b"ef")
    assert receive(exchange) == event(b"ef")


def test_who_asks_first_waits(line: Line) -> None:
    exchange = line.request(post(4))
    task = line.office.loop.create_task(exchange.receive())
    line.office.turn(2)
    assert not task.done()
    line.feed(b"ab")
    line.office.turn(2)
    assert task.result() == event(b"ab", more=True)


def test_the_end_of_a_chunked_body_can_come_late(line: Line) -> None:
    exchange = line.request(CHUNKED + b"2\r\nab\r\n")
    assert receive(exchange) == event(b"ab", more=True)
    line.feed(b"0\r\n\r\n")
    assert receive(exchange) == event(b"")


def test_two_may_wait_and_each_event_is_given_once(line: Line) -> None:
    exchange = line.request(post(4))
    tasks = [line.office.loop.create_task(exchange.receive()) for _ in range(2)]
    line.office.turn(2)
    line.feed(b"abcd")
    line.office.turn(2)
    assert [task.done() for task in tasks] == [True, False]
    assert tasks[0].result() == event(b"abcd")
    line.lose()
    line.office.turn(2)
    assert tasks[1].result() == DISCONNECT


def test_nothing_is_taken_before_it_is_awaited(line: Line) -> None:
    exchange = line.request(post(2) + b"ab")
    unawaited = exchange.receive()
    task = line.office.loop.create_task(exchange.receive())
    task.cancel()
    line.office.turn(2)
    assert task.cancelled()
    assert receive(exchange) == event(b"ab")
    unawaited.close()


def test_a_result_is_given_once(line: Line) -> None:
    awaitable = line.request().receive()
    assert now(awaitable) == event(b"")
    with pytest.raises(RuntimeError, match="awaited already"):
        now(awaitable)


def test_who_gave_up_waiting_takes_nothing_away(line: Line) -> None:
    exchange = line.request(post(2))
    task = line.office.loop.create_task(exchange.receive())
    line.office.turn(2)
    task.cancel()
    line.feed(b"ab")
    line.office.turn(2)
    assert task.cancelled()
    assert receive(exchange) == event(b"ab")


# -------------------------------------------------------------------------------------------------------- disconnects


def test_after_the_body_receive_waits_for_the_end(line: Line) -> None:
    exchange = line.request()
    receive(exchange)
    task = line.office.loop.create_task(exchange.receive())
    line.office.turn(2)
    assert not task.done()
    exchange.respond(200, [], b"")
    line.office.turn(2)
    assert task.result() == DISCONNECT
    assert receive(exchange) == DISCONNECT


def test_a_client_that_leaves_is_a_disconnect(line: Line) -> None:
    exchange = line.request()
    receive(exchange)
    task = line.office.loop.create_task(exchange.receive())
    line.office.turn(2)
    line.connection.eof_received()
    line.office.turn(2)
    assert task.result() == DISCONNECT


def test_half_a_body_is_never_given_as_a_whole(line: Line) -> None:
    exchange = line.request(post(4))
    line.feed(b"ab")
    line.lose()
    assert receive(exchange) == DISCONNECT


def test_the_rest_of_a_lost_body_is_never_given_as_a_whole(line: Line) -> None:
    exchange = line.request(post(4))
    line.feed(b"ab")
    line.connection.end()
    line.feed(b"cd")
    assert receive(exchange) == DISCONNECT
    assert receive(exchange) == DISCONNECT


# --------------------------------------------------------------------------------------------------------- 100 Continue


def test_100_continue_is_said_when_the_application_asks(line: Line) -> None:
    exchange = line.request(post(2, b"Expect: 100-continue"))
    line.office.turn(2)
    assert line.sent == b""
    task = line.office.loop.create_task(exchange.receive())
    line.office.turn(2)
    assert line.sent == CONTINUE
    line.feed(b"ab")
    line.office.turn(2)
    assert task.result() == event(b"ab")
    hello(exchange)
    assert line.sent.count(b"100 Continue") == 1
    assert b"connection: close" not in line.sent


def test_100_continue_is_said_once(line: Line) -> None:
    exchange = line.request(post(4, b"Expect: 100-continue"))
    task = line.office.loop.create_task(exchange.receive())
    line.office.turn(2)
    line.feed(b"ab")
    line.office.turn(2)
    assert task.result() == event(b"ab", more=True)
    task = line.office.loop.create_task(exchange.receive())
    line.office.turn(2)
    line.feed(b"cd")
    line.office.turn(2)
    assert task.result() == event(b"cd")
    assert line.sent == CONTINUE


def test_100_continue_is_not_said_to_who_did_not_wait(line: Line) -> None:
    exchange = line.request(post(4, b"Expect: 100-continue") + b"ab")
    assert receive(exchange) == event(b"ab", more=True)
    task = line.office.loop.create_task(exchange.receive())
    line.office.turn(2)
    assert line.sent == b""
    line.feed(b"cd")
    line.office.turn(2)
    assert task.result() == event(b"cd")


def test_100_continue_is_not_said_inside_a_response(line: Line) -> None:
    exchange = line.request(post(4, b"Expect: 100-continue"))
    start(exchange)
    body(exchange, b"x", more=True)
    task = line.office.loop.create_task(exchange.receive())
    line.office.turn(2)
    assert b"100 Continue" not in line.sent
    line.lose()
    line.office.turn(2)
    assert task.result() == DISCONNECT


def test_100_continue_is_said_before_a_head_that_is_held(line: Line) -> None:
    exchange = line.request(post(4, b"Expect: 100-continue"))
    start(exchange, 201, (b"x", b"y"))
    task = line.office.loop.create_task(exchange.receive())
    line.office.turn(2)
    assert line.sent == CONTINUE
    line.feed(b"abcd")
    line.office.turn(2)
    assert task.result() == event(b"abcd")
    body(exchange, b"done")
    assert line.sent == CONTINUE + b"HTTP/1.1 201 Created\r\nx: y\r\ncontent-length: 4\r\n\r\ndone"


def test_a_request_without_a_body_has_nothing_to_continue(line: Line) -> None:
    receive(line.request(b"GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n"))
    line.office.turn(2)
    assert line.sent == b""


def test_an_exchange_is_not_made_of_anything_else(line: Line) -> None:
    exchange = line.request(GET)
    gateway = line.office.gateway
    for arguments in ((), (None,) * 4, (exchange.state, gateway, None, exchange.head), (exchange.head, gateway, 1, 2)):
        with pytest.raises(TypeError):
            Exchange(*arguments)
