"""Trailers, early hints, files and access records of an exchange."""

from collections.abc import Callable
from typing import Any

import pytest

from atlas.errors import ClientDisconnected
from tests._speedups.fake_connection import GET, AccessLog, FakeConnection, FakeServer, body, post, run_now, start

TRAILERS = b"GET / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\n\r\n"
HTTP_10 = b"GET / HTTP/1.0\r\n\r\n"
HEAD = b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"


def event(kind: str, **content: Any) -> dict[str, Any]:
    return {"type": f"http.response.{kind}", **content}


# ------------------------------------------------------------------------------------------------------- extensions


def test_trailers_follow_a_chunked_body(connection: FakeConnection) -> None:
    exchange = connection.request(TRAILERS)
    start(exchange, trailers=True)
    body(exchange, b"a")
    assert not exchange.complete
    connection.server.turn()
    assert connection.sent.endswith(b"\r\n\r\n1\r\na\r\n0\r\n"), "the body waits for the trailers"
    run_now(exchange.send(event("trailers", headers=[(b"x-sum", b"1")], more_trailers=True)))
    run_now(exchange.send(event("trailers", headers=[(b"x-more", b"2")])))
    assert exchange.complete
    assert connection.sent.endswith(b"\r\n\r\n1\r\na\r\n0\r\nx-sum: 1\r\nx-more: 2\r\n\r\n")


def test_a_promised_trailer_may_stay_away(connection: FakeConnection) -> None:
    exchange = connection.request(TRAILERS)
    start(exchange, trailers=True)
    body(exchange)
    assert exchange.finish_application() is False
    assert connection.calls == ["close"]


def test_a_500_has_no_trailers_of_the_response_whose_place_it_takes(connection: FakeConnection) -> None:
    exchange = connection.request(TRAILERS)
    start(exchange, trailers=True)
    assert exchange.finish_application() is False
    connection.request().respond(200, [], b"next")
    assert [(status, text) for status, _, text in connection.responses("GET", "GET")] == [
        (500, b"Internal Server Error\n"),
        (200, b"next"),
    ]


@pytest.mark.parametrize("te", [b"trailers", b"gzip;q=0.5, Trailers", b"deflate ,trailers"])
def test_a_client_that_accepts_trailers(connection: FakeConnection, te: bytes) -> None:
    exchange = connection.request(b"GET / HTTP/1.1\r\nHost: a\r\nTE: " + te + b"\r\n\r\n")
    start(exchange, trailers=True)
    body(exchange, b"a")
    assert not exchange.complete


@pytest.mark.parametrize("te", [b"gzip", b"trailers;q=0.5x", b"", b"x-trailers"])
@pytest.mark.parametrize("promised", [True, False])
def test_a_client_that_does_not_accept_trailers_gets_none(
    connection: FakeConnection, te: bytes, promised: bool
) -> None:
    exchange = connection.request(b"GET / HTTP/1.1\r\nHost: a\r\nTE: " + te + b"\r\n\r\n")
    start(exchange, trailers=promised)
    body(exchange, b"a")
    assert exchange.complete, "it waits for trailers that it drops"
    run_now(exchange.send(event("trailers", headers=[(b"x-sum", b"1")])))
    assert connection.sent == b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\na"


def test_trailers_that_were_not_promised_are_dropped(connection: FakeConnection) -> None:
    exchange = connection.request(TRAILERS)
    start(exchange)
    body(exchange, b"a", more=True)
    with pytest.raises(RuntimeError, match="after the last http.response.body"):
        exchange.send(event("trailers", headers=[(b"x-sum", b"1")]))
    body(exchange, b"b")
    run_now(exchange.send(event("trailers", headers=[(b"x-sum", b"1")])))
    assert connection.sent.endswith(b"1\r\nb\r\n0\r\n\r\n")


@pytest.mark.parametrize("request_bytes", [HEAD, GET])
def test_trailers_are_dropped_without_a_chunked_body(connection: FakeConnection, request_bytes: bytes) -> None:
    exchange = connection.request(request_bytes)
    start(exchange, 200, (b"content-length", b"1"), trailers=True)
    body(exchange, b"a")
    run_now(exchange.send(event("trailers", headers=[(b"x-sum", b"1")])))
    assert exchange.complete
    assert b"x-sum" not in connection.sent


@pytest.mark.parametrize("pieces", [[b"a"], [b"a", b""]])
def test_trailers_for_http_10_are_dropped(connection: FakeConnection, pieces: list[bytes]) -> None:
    exchange = connection.request(HTTP_10)
    start(exchange, trailers=True)
    for number, piece in enumerate(pieces, 1):
        body(exchange, piece, more=number < len(pieces))
    run_now(exchange.send(event("trailers", headers=[(b"x-sum", b"1")])))
    assert exchange.finish_application() is True
    assert connection.sent.endswith(b"\r\n\r\na")


@pytest.mark.parametrize("name", [b"content-length", b"transfer-encoding", b"connection", b"x y"])
def test_a_trailer_that_frames_is_refused(connection: FakeConnection, name: bytes) -> None:
    exchange = connection.request(TRAILERS)
    start(exchange, trailers=True)
    body(exchange)
    value = {b"content-length": b"1", b"transfer-encoding": b"chunked"}.get(name, b"close")
    with pytest.raises(ValueError):
        exchange.send(event("trailers", headers=[(b"a", b"b"), (name, value)]))
    run_now(exchange.send(event("trailers", headers=[(b"c", b"d")])))
    assert connection.sent.endswith(b"0\r\nc: d\r\n\r\n")


def test_early_hints_leave_ahead_of_the_response(connection: FakeConnection) -> None:
    exchange = connection.request(TRAILERS)
    run_now(exchange.send(event("early_hint", links=[b"</a.css>; rel=preload", b"</b.js>"])))
    assert connection.sent == b"HTTP/1.1 103 Early Hints\r\nlink: </a.css>; rel=preload\r\nlink: </b.js>\r\n\r\n"
    exchange.respond(200, [], b"x")
    assert connection.responses()[0][2] == b"x"


def test_early_hints_are_not_for_http_10_and_not_for_late(connection: FakeConnection) -> None:
    exchange = connection.request(HTTP_10)
    run_now(exchange.send(event("early_hint", links=[b"</a>"])))
    assert connection.sent == b""
    start(exchange)
    with pytest.raises(RuntimeError, match="before"):
        exchange.send(event("early_hint", links=[b"</a>"]))


def test_an_invalid_hint_writes_nothing(connection: FakeConnection) -> None:
    exchange = connection.request()
    with pytest.raises(ValueError):
        exchange.send(event("early_hint", links=[b"</a>", b"</b>\r\nx: y"]))
    exchange.respond(200, [], b"")
    assert connection.sent.startswith(b"HTTP/1.1 200 OK\r\n")


# ------------------------------------------------------------------------------------------------------------ logging


def test_each_response_is_one_record(new_server: Callable[..., FakeServer]) -> None:
    log = AccessLog()
    connection = new_server(access_log=log).connect()
    exchange = connection.request(b"GET /a?b HTTP/1.1\r\nHost: a\r\n\r\n")
    exchange.respond(200, [(b"x", b"y")], b"hello")
    client, method, target, version, status, size, ended, took, asked, answered = log.records[0]
    assert (client, method, target, version) == (("10.0.0.1", 4711), "GET", b"/a?b", "1.1")
    assert (status, size, asked, answered) == (200, 5, [(b"host", b"a")], [(b"x", b"y")])
    assert ended > 1e9
    assert 0 <= took < 60
    assert log.calls == ["wake"]


def test_what_broke_off_is_logged_too_and_head_has_no_bytes(new_server: Callable[..., FakeServer]) -> None:
    log = AccessLog()
    server = new_server(access_log=log)
    exchange = server.connect().request()
    start(exchange)
    body(exchange, b"abc", more=True)
    exchange.finish_application()
    exchange = server.connect().request(HEAD)
    exchange.respond(200, [], b"abc")
    assert [(record[1], record[4], record[5]) for record in log.records] == [("GET", 200, 3), ("HEAD", 200, 0)]


def test_a_response_that_a_faulty_body_breaks_off_is_logged(new_server: Callable[..., FakeServer]) -> None:
    log = AccessLog()
    connection = new_server(access_log=log).connect()
    exchange = connection.request(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
    start(exchange)
    body(exchange, b"abc", more=True)
    connection.feed(b"rubbish")
    exchange.finish_application()
    connection.lose()
    assert [(record[1], record[4], record[5]) for record in log.records] == [("POST", 200, 3)]


# ------------------------------------------------------------------------------------------------------- sending files


def test_a_body_that_is_written_directly(connection: FakeConnection) -> None:
    exchange = connection.request()
    start(exchange)
    assert exchange.open_body(3, True) is True
    exchange.write(b"abc")
    exchange.close_body(3, True)
    assert exchange.open_body(2, False) is True
    exchange.write(b"de")
    exchange.close_body(2, False)
    assert exchange.complete
    assert connection.responses()[0][2] == b"abcde"


def test_a_body_for_head_is_not_to_be_written(connection: FakeConnection) -> None:
    exchange = connection.request(HEAD)
    start(exchange)
    assert exchange.open_body(3, False) is False
    exchange.close_body(3, False)
    assert connection.sent == b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n"


def test_a_body_out_of_turn(connection: FakeConnection) -> None:
    exchange = connection.request()
    with pytest.raises(RuntimeError, match="before a file"):
        exchange.open_body(3, False)
    start(exchange, 200, (b"content-length", b"2"))
    with pytest.raises(RuntimeError, match="2 bytes"):
        exchange.open_body(3, False)


def test_a_file_that_is_broken_off_leaves_the_response_unfinished(connection: FakeConnection) -> None:
    exchange = connection.request()
    start(exchange, 200, (b"content-length", b"10"))
    assert exchange.open_body(10, True)
    exchange.write(b"abc")
    with pytest.raises(RuntimeError, match="while a file is sent, or after one that was broken off"):
        body(exchange)
    with pytest.raises(RuntimeError, match="before a file is sent"):
        exchange.open_body(0, False)
    assert exchange.finish_application() is False
    assert connection.sent.endswith(b"\r\n\r\nabc")
    assert connection.calls == ["close"]


def test_draining_waits_for_the_socket(connection: FakeConnection) -> None:
    exchange = connection.request(post(0))
    start(exchange)
    connection.transport.full = True
    body(exchange, b"x", more=True)
    task = connection.server.loop.create_task(exchange.drain())
    connection.server.turn(3)
    assert not task.done()
    connection.transport.drain()
    connection.server.turn(2)
    assert task.done()
    assert task.exception() is None
    run_now(exchange.drain())


def test_draining_ends_when_the_client_disconnects(connection: FakeConnection) -> None:
    exchange = connection.request()
    start(exchange)
    connection.transport.full = True
    body(exchange, b"x", more=True)
    task = connection.server.loop.create_task(exchange.drain())
    connection.server.turn(2)
    connection.lose()
    connection.server.turn(2)
    assert isinstance(task.exception(), ClientDisconnected)


def test_a_file_to_a_client_that_disconnected(connection: FakeConnection) -> None:
    exchange = connection.request()
    start(exchange)
    exchange.open_body(3, True)
    connection.lose()
    with pytest.raises(ClientDisconnected):
        exchange.write(b"abc")
    with pytest.raises(ClientDisconnected):
        exchange.close_body(3, True)
    with pytest.raises(ClientDisconnected):
        exchange.open_body(3, False)
