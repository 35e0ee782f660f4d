"""Trailers, early hints, files and the log: what an exchange does beside plain responses."""

from collections.abc import Callable
from typing import Any

import pytest

from atlas.errors import ClientDisconnected
from tests._speedups.line import GET, AccessLog, Line, Office, body, now, post, start

TRAILERS = b"GET / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\n\r\n"
HTTP_10 = b"GET / HTTP/1.0\r\n\r\n"
HEAD = b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"


def event(kind: str, **content: Any) -> dict[str, Any]:
    return {"type": f"http.response.{kind}", **content}


# ------------------------------------------------------------------------------------------------------- extensions


def test_trailers_follow_a_chunked_body(line: Line) -> None:
    exchange = line.request(TRAILERS)
    start(exchange, trailers=True)
    body(exchange, b"a")
    assert not exchange.complete
    line.office.turn()
    assert line.sent.endswith(b"\r\n\r\n1\r\na\r\n0\r\n"), "the body waits for the trailers"
    now(exchange.send(event("trailers", headers=[(b"x-sum", b"1")], more_trailers=True)))
    now(exchange.send(event("trailers", headers=[(b"x-more", b"2")])))
    assert exchange.complete
    assert line.sent.endswith(b"\r\n\r\n1\r\na\r\n0\r\nx-sum: 1\r\nx-more: 2\r\n\r\n")


def test_a_promised_trailer_may_stay_away(line: Line) -> None:
    exchange = line.request(TRAILERS)
    start(exchange, trailers=True)
    body(exchange)
    assert exchange.finish_application() is False
    assert line.calls == ["close"]


def test_a_500_has_no_trailers_of_the_response_whose_place_it_takes(line: Line) -> None:
    exchange = line.request(TRAILERS)
    start(exchange, trailers=True)
    assert exchange.finish_application() is False
    line.request().respond(200, [], b"next")
    assert [(status, text) for status, _, text in line.answers("GET", "GET")] == [
        (500, b"Internal Server Error\n"),
        (200, b"next"),
    ]


@pytest.mark.parametrize("te", [b"trailers", b"gzip;q=0.5, Trailers", b"deflate ,trailers"])
def test_a_client_says_that_it_takes_trailers(line: Line, te: bytes) -> None:
    exchange = line.request(b"GET / HTTP/1.1\r\nHost: a\r\nTE: " + te + b"\r\n\r\n")
    start(exchange, trailers=True)
    body(exchange, b"a")
    assert not exchange.complete


@pytest.mark.parametrize("te", [b"gzip", b"trailers;q=0.5x", b"", b"x-trailers"])
@pytest.mark.parametrize("promised", [True, False])
def test_a_client_that_does_not_take_trailers_gets_none(line: Line, te: bytes, promised: bool) -> None:
    exchange = line.request(b"GET / HTTP/1.1\r\nHost: a\r\nTE: " + te + b"\r\n\r\n")
    start(exchange, trailers=promised)
    body(exchange, b"a")
    assert exchange.complete, "it waits for trailers that it drops"
    now(exchange.send(event("trailers", headers=[(b"x-sum", b"1")])))
    assert line.sent == b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\na"


def test_trailers_that_were_not_promised_are_dropped(line: Line) -> None:
    exchange = line.request(TRAILERS)
    start(exchange)
    body(exchange, b"a", more=True)
    with pytest.raises(RuntimeError, match="after the last http.response.body"):
        exchange.send(event("trailers", headers=[(b"x-sum", b"1")]))
    body(exchange, b"b")
    now(exchange.send(event("trailers", headers=[(b"x-sum", b"1")])))
    assert line.sent.endswith(b"1\r\nb\r\n0\r\n\r\n")


@pytest.mark.parametrize("request_bytes", [HEAD, GET])
def test_trailers_are_dropped_where_they_have_no_place(line: Line, request_bytes: bytes) -> None:
    exchange = line.request(request_bytes)
    start(exchange, 200, (b"content-length", b"1"), trailers=True)
    body(exchange, b"a")
    now(exchange.send(event("trailers", headers=[(b"x-sum", b"1")])))
    assert exchange.complete
    assert b"x-sum" not in line.sent


@pytest.mark.parametrize("pieces", [[b"a"], [b"a", b""]])
def test_trailers_for_http_10_are_dropped(line: Line, pieces: list[bytes]) -> None:
    exchange = line.request(HTTP_10)
    start(exchange, trailers=True)
    for number, piece in enumerate(pieces, 1):
        body(exchange, piece, more=number < len(pieces))
    now(exchange.send(event("trailers", headers=[(b"x-sum", b"1")])))
    assert exchange.finish_application() is True
    assert line.sent.endswith(b"\r\n\r\na")


@pytest.mark.parametrize("name", [b"content-length", b"transfer-encoding", b"connection", b"x y"])
def test_a_trailer_that_frames_is_refused(line: Line, name: bytes) -> None:
    exchange = line.request(TRAILERS)
    start(exchange, trailers=True)
    body(exchange)
    value = {b"content-length": b"1", b"transfer-encoding": b"chunked"}.get(name, b"close")
    with pytest.raises(ValueError):
        exchange.send(event("trailers", headers=[(b"a", b"b"), (name, value)]))
    now(exchange.send(event("trailers", headers=[(b"c", b"d")])))
    assert line.sent.endswith(b"0\r\nc: d\r\n\r\n")


def test_early_hints_leave_ahead_of_the_response(line: Line) -> None:
    exchange = line.request(TRAILERS)
    now(exchange.send(event("early_hint", links=[b"</a.css>; rel=preload", b"</b.js>"])))
    assert line.sent == b"HTTP/1.1 103 Early Hints\r\nlink: </a.css>; rel=preload\r\nlink: </b.js>\r\n\r\n"
    exchange.respond(200, [], b"x")
    assert line.answers()[0][2] == b"x"


def test_early_hints_are_not_for_http_10_and_not_for_late(line: Line) -> None:
    exchange = line.request(HTTP_10)
    now(exchange.send(event("early_hint", links=[b"</a>"])))
    assert line.sent == b""
    start(exchange)
    with pytest.raises(RuntimeError, match="before"):
        exchange.send(event("early_hint", links=[b"</a>"]))


def test_a_wrong_hint_leaves_nothing_behind(line: Line) -> None:
    exchange = line.request()
    with pytest.raises(ValueError):
        exchange.send(event("early_hint", links=[b"</a>", b"</b>\r\nx: y"]))
    exchange.respond(200, [], b"")
    assert line.sent.startswith(b"HTTP/1.1 200 OK\r\n")


# ------------------------------------------------------------------------------------------------------------ logging


def test_each_response_is_one_record(open_office: Callable[..., Office]) -> None:
    log = AccessLog()
    line = open_office(access_log=log).connect()
    exchange = line.request(b"GET /a?b HTTP/1.1\r\nHost: a\r\n\r\n")
    exchange.respond(200, [(b"x", b"y")], b"hello")
    client, method, target, version, status, size, ended, took, asked, answered = log.records[0]
    assert (client, method, target, version) == (("10.0.0.1", 4711), "GET", b"/a?b", "1.1")
    assert (status, size, asked, answered) == (200, 5, [(b"host", b"a")], [(b"x", b"y")])
    assert ended > 1e9
    assert 0 <= took < 60
    assert log.calls == ["wake"]


def test_what_broke_off_is_logged_too_and_head_has_no_bytes(open_office: Callable[..., Office]) -> None:
    log = AccessLog()
    office = open_office(access_log=log)
    exchange = office.connect().request()
    start(exchange)
    body(exchange, b"abc", more=True)
    exchange.finish_application()
    exchange = office.connect().request(HEAD)
    exchange.respond(200, [], b"abc")
    assert [(record[1], record[4], record[5]) for record in log.records] == [("GET", 200, 3), ("HEAD", 200, 0)]


def test_a_response_that_a_faulty_body_breaks_off_is_logged(open_office: Callable[..., Office]) -> None:
    log = AccessLog()
    line = open_office(access_log=log).connect()
    exchange = line.request(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
    start(exchange)
    body(exchange, b"abc", more=True)
    line.feed(b"rubbish")
    exchange.finish_application()
    line.lose()
    assert [(record[1], record[4], record[5]) for record in log.records] == [("POST", 200, 3)]


# ------------------------------------------------------------------------------------------------------- sending files


def test_a_body_that_somebody_else_writes(line: Line) -> None:
    exchange = line.request()
    start(exchange)
    assert exchange.open_body(3, True) is True
    exchange.write(b"abc")
    exchange.close_body(3, True)
    assert exchange.open_body(2, False) is True
    exchange.write(b"de")
    exchange.close_body(2, False)
    assert exchange.complete
    assert line.answers()[0][2] == b"abcde"


def test_a_body_for_head_is_not_to_be_written(line: Line) -> None:
    exchange = line.request(HEAD)
    start(exchange)
    assert exchange.open_body(3, False) is False
    exchange.close_body(3, False)
    assert line.sent == b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n"


def test_a_body_out_of_turn(line: Line) -> None:
    exchange = line.request()
    with pytest.raises(RuntimeError, match="before a file"):
        exchange.open_body(3, False)
    start(exchange, 200, (b"content-length", b"2"))
    with pytest.raises(RuntimeError, match="2 bytes"):
        exchange.open_body(3, False)


def test_a_file_that_is_broken_off_leaves_the_response_unfinished(line: Line) -> None:
    exchange = line.request()
    start(exchange, 200, (b"content-length", b"10"))
    assert exchange.open_body(10, True)
    exchange.write(b"abc")
    with pytest.raises(RuntimeError, match="while a file is sent, or after one that was broken off"):
        body(exchange)
    with pytest.raises(RuntimeError, match="before a file is sent"):
        exchange.open_body(0, False)
    assert exchange.finish_application() is False
    assert line.sent.endswith(b"\r\n\r\nabc")
    assert line.calls == ["close"]


def test_draining_waits_for_the_socket(line: Line) -> None:
    exchange = line.request(post(0))
    start(exchange)
    line.transport.full = True
    body(exchange, b"x", more=True)
    task = line.office.loop.create_task(exchange.drain())
    line.office.turn(3)
    assert not task.done()
    line.transport.drain()
    line.office.turn(2)
    assert task.done()
    assert task.exception() is None
    now(exchange.drain())


def test_draining_ends_when_the_client_leaves(line: Line) -> None:
    exchange = line.request()
    start(exchange)
    line.transport.full = True
    body(exchange, b"x", more=True)
    task = line.office.loop.create_task(exchange.drain())
    line.office.turn(2)
    line.lose()
    line.office.turn(2)
    assert isinstance(task.exception(), ClientDisconnected)


def test_a_loss_can_be_watched(line: Line) -> None:
    exchange = line.request()
    watched, unwatched = line.office.loop.create_future(), line.office.loop.create_future()
    exchange.watch_loss(watched)
    exchange.watch_loss(unwatched)
    exchange.unwatch_loss(unwatched)
    exchange.unwatch_loss(unwatched)
    assert not watched.done()
    line.lose()
    assert (watched.done(), unwatched.done()) == (True, False)
    exchange.watch_loss(unwatched)
    assert unwatched.done()


def test_a_file_to_a_client_that_left(line: Line) -> None:
    exchange = line.request()
    start(exchange)
    exchange.open_body(3, True)
    line.lose()
    with pytest.raises(ClientDisconnected):
        exchange.write(b"abc")
    with pytest.raises(ClientDisconnected):
        exchange.close_body(3, True)
    with pytest.raises(ClientDisconnected):
        exchange.open_body(3, False)
