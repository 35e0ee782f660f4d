"""The requests and answers of one socket: pipelining, reuse, unwanted bodies, refusals, what is paused when."""

import gc
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from atlas._speedups.http.exchange import Exchange
from atlas.errors import ClientDisconnected
from tests._speedups.line import GET, Line, Office, body, hello, post, receive, start

Open = Callable[..., Office]
CLOSING = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


def numbered(count: int, first: int = 0) -> bytes:
    return b"".join(b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % number for number in range(first, first + count))


def texts(line: Line, count: int) -> list[bytes]:
    """The bodies of the answers, of which there must be just that many."""
    answers = [answer[2] for answer in line.answers(*["GET"] * count)]
    assert line.sent.count(b"HTTP/1.1 ") == count
    return answers


# ---------------------------------------------------------------------------------------------------- one after another


def test_the_connection_goes_on_after_a_response(line: Line) -> None:
    for number in range(3):
        exchange = line.request(numbered(1, number))
        hello(exchange)
    assert texts(line, 3) == [b"/0", b"/1", b"/2"]
    assert line.calls == []


@pytest.mark.parametrize("size", [1, 2, 7, 50, 1000])
def test_requests_are_the_same_however_they_come(line: Line, size: int) -> None:
    line.office.gateway.answer = hello
    line.feed(numbered(10), size)
    assert texts(line, 10) == [b"/%d" % number for number in range(10)]


def test_pipelined_requests_wait_for_their_turn(line: Line) -> None:
    exchange = line.request(numbered(3))
    line.feed(numbered(1, 3))
    assert len(line.office.gateway.started) == 1
    for number in range(4):
        assert line.exchange.head.target == b"/%d" % number
        hello(line.exchange)
        line.office.turn()
    assert exchange is not line.exchange
    assert texts(line, 4) == [b"/0", b"/1", b"/2", b"/3"]


def test_answers_of_one_packet_leave_in_one_write(line: Line) -> None:
    line.office.gateway.answer = hello
    line.feed(numbered(10))
    assert len(line.transport.writes) == 1
    assert texts(line, 10) == [b"/%d" % number for number in range(10)]


def test_others_have_their_turn_after_a_while(line: Line) -> None:
    line.office.gateway.answer = hello
    line.feed(numbered(40))
    assert len(line.office.gateway.started) == 16
    line.feed(numbered(2, 40))
    assert len(line.office.gateway.started) == 16
    line.office.turn()
    assert len(line.office.gateway.started) == 32
    line.office.turn()
    assert texts(line, 42) == [b"/%d" % number for number in range(42)]


def test_an_error_in_a_later_turn_ends_the_connection(line: Line) -> None:
    line.office.gateway.answer = hello
    line.feed(numbered(17))

    def fail(exchange: Exchange) -> None:
        raise RuntimeError

    line.office.gateway.answer = fail
    line.office.turn()
    assert (line.office.events.told[-1], line.calls) == ("on_unexpected_error", ["abort"])


def test_no_request_is_begun_once_the_connection_is_lost(line: Line) -> None:
    line.office.gateway.answer = lambda exchange: (hello(exchange), line.connection.abort())
    line.feed(numbered(3))
    assert len(line.office.gateway.started) == 1


def test_a_body_goes_to_the_request_that_it_belongs_to(line: Line) -> None:
    line.feed(post(3) + b"abc" + post(2) + b"de" + GET)
    for expected in (b"abc", b"de", b""):
        exchange = line.exchange
        assert receive(exchange)["body"] == expected
        hello(exchange)
        line.office.turn()
    assert len(line.office.gateway.started) == 3


# --------------------------------------------------------------------------------------------------- reuse, or close


@pytest.mark.parametrize(
    ("request_bytes", "reuse"),
    [
        (GET, None),
        (CLOSING, b"close"),
        (b"GET / HTTP/1.0\r\n\r\n", b"close"),
        (b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", b"keep-alive"),
    ],
)
def test_the_client_says_whether_it_goes_on(line: Line, request_bytes: bytes, reuse: bytes | None) -> None:
    hello(line.request(request_bytes))
    assert line.answers()[0][1].get(b"connection") == reuse
    assert line.calls == (["close"] if reuse == b"close" else [])


def test_the_application_may_end_it(line: Line) -> None:
    line.request().respond(200, [(b"connection", b"close")], b"")
    assert line.answers()[0][1][b"connection"] == b"close"
    assert line.calls == ["close"]


def test_what_comes_after_a_close_is_not_read(line: Line) -> None:
    line.office.gateway.answer = hello
    line.feed(CLOSING + GET)
    line.feed(GET)
    assert len(line.office.gateway.started) == 1
    assert line.calls == ["write_eof"], "a plain close would be a reset, with the answer lost on its way"


def test_no_keep_alive(open_office: Open) -> None:
    line = open_office(timeout_keep_alive=0).connect()
    hello(line.request())
    assert line.answers()[0][1][b"connection"] == b"close"


# --------------------------------------------------------------------------------------------------- unwanted bodies


def test_a_small_body_that_nobody_read_is_thrown_away(line: Line) -> None:
    hello(line.request(post(10)))
    line.feed(b"0123")
    assert line.calls == []
    hello(line.request(b"456789" + numbered(1, 7)))
    assert texts(line, 2) == [b"/", b"/7"]


def test_a_large_body_that_nobody_read_ends_the_connection_gently(line: Line) -> None:
    hello(line.request(post(65537)))
    assert line.answers()[0][1][b"connection"] == b"close"
    assert line.calls == ["write_eof"], "the client can read the answer while it still sends"
    line.feed(b"x" * 65537)
    line.connection.eof_received()
    assert line.calls == ["write_eof", "close"]


def test_a_chunked_body_is_thrown_away_up_to_a_limit(line: Line) -> None:
    hello(line.request(CHUNKED))
    line.feed(b"10000\r\n" + b"x" * 65000)
    assert line.calls == []
    line.feed(b"x" * 536 + b"\r\n1\r\nx\r\n")
    assert line.calls == ["write_eof"]


def test_a_client_that_waits_for_100_may_never_send_its_body(line: Line) -> None:
    hello(line.request(post(3, b"Expect: 100-continue")))
    assert line.answers()[0][1][b"connection"] == b"close"


def test_a_client_that_leaves_while_its_body_is_thrown_away_is_let_go(line: Line) -> None:
    hello(line.request(post(10) + b"012"))
    line.connection.eof_received()
    assert line.calls == ["close"]


# ----------------------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"\x16\x03\x01", 400),
        (b"BREW / HTTP/1.1\r\nHost: a\r\n\r\n", 501),
        (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
        (b"GET /" + b"a" * 9000, 414),
    ],
)
def test_a_mistake_is_answered_and_ends_the_connection(line: Line, sent: bytes, status: int) -> None:
    line.feed(sent + GET)
    answered, headers, text = line.answers()[0]
    assert (answered, headers[b"connection"]) == (status, b"close")
    assert text.endswith(b".\n")
    assert line.calls == ["write_eof"]
    assert line.office.gateway.started == []
    assert [error.status for error in line.office.events.refusals] == [status]
    line.feed(GET)
    assert line.office.gateway.started == []


def test_a_refusal_waits_for_the_answers_before_it(line: Line) -> None:
    exchange = line.request(GET + b"rubbish\0")
    assert line.office.events.refusals == []
    hello(exchange)
    line.office.turn()
    assert [answer[0] for answer in line.answers("GET", "GET")] == [200, 400]


def test_a_faulty_body_is_refused_while_nothing_was_answered(line: Line) -> None:
    exchange = line.request(CHUNKED)
    line.feed(b"rubbish")
    assert line.answers()[0][0] == 400
    assert receive(exchange) == {"type": "http.disconnect"}
    with pytest.raises(ClientDisconnected):
        start(exchange)
    assert line.office.gateway.left == [exchange]


def test_a_faulty_body_drops_a_head_that_is_held(line: Line) -> None:
    start(line.request(CHUNKED), 200, (b"x", b"y"))
    line.feed(b"rubbish")
    assert line.answers()[0][0] == 400
    assert b"x: y" not in line.sent


def test_a_refusal_never_lands_inside_a_response(line: Line) -> None:
    exchange = line.request(CHUNKED)
    start(exchange)
    body(exchange, b"some", more=True)
    line.feed(b"rubbish")
    assert line.sent.count(b"HTTP/1.1") == 1
    assert line.sent.endswith(b"4\r\nsome\r\n")
    assert line.calls == ["close"]


def test_a_fault_behind_a_whole_response_does_not_reset_it(line: Line) -> None:
    hello(line.request(CHUNKED))
    line.feed(b"rubbish")
    assert line.sent.count(b"HTTP/1.1") == 1
    assert line.calls == ["write_eof"]


def test_a_transport_that_cannot_half_close_is_closed(line: Line) -> None:
    line.transport.half_closes = False
    line.feed(b"\0")
    assert line.calls == ["close"]


# ------------------------------------------------------------------------------------------------------- backpressure


def waits(line: Line, exchange: Exchange, data: bytes, more: bool = True) -> Any:
    """The task of a ``send`` that has to wait."""
    sending = exchange.send({"type": "http.response.body", "body": data, "more_body": more})
    task = line.office.loop.create_task(sending)
    line.office.turn(2)
    assert not task.done()
    return task


def test_the_gate_closes_at_64_kib_and_opens_when_all_is_gone(line: Line) -> None:
    exchange = line.request()
    start(exchange)
    line.transport.full = True
    body(exchange, b"a" * 40_000, more=True)
    body(exchange, b"b" * 40_000, more=True)
    task = waits(line, exchange, b"#" * 1000)
    assert b"#" not in line.transport.waiting, "who waits hasn't been encoded yet"
    line.transport.drain()
    line.office.turn(3)
    assert task.done()
    body(exchange)
    assert line.answers()[0][2] == b"a" * 40_000 + b"b" * 40_000 + b"#" * 1000


def test_memory_is_bounded_however_much_is_sent(line: Line) -> None:
    exchange = line.request()
    start(exchange)
    line.transport.full = True
    sent = 0
    while sent < 1_000_000:
        sending = exchange.send({"type": "http.response.body", "body": b"x" * 1000, "more_body": True})
        if type(sending).__name__ != "Finished":
            sending.close()
            break
        sent += 1000
        line.office.turn()
    assert 65_536 - 1100 <= sent <= 65_536 + 1000


def test_everybody_who_waits_is_let_through(line: Line) -> None:
    exchange = line.request()
    start(exchange)
    line.transport.full = True
    body(exchange, b"a" * 70_000, more=True)
    tasks = [waits(line, exchange, b"b") for _ in range(3)]
    tasks[0].cancel()
    line.transport.drain()
    line.office.turn(3)
    assert [task.cancelled() for task in tasks] == [True, False, False]
    assert line.sent.endswith(b"1\r\nb\r\n" * 2)


def test_who_waits_learns_that_the_client_left(line: Line) -> None:
    exchange = line.request()
    start(exchange)
    line.transport.full = True
    body(exchange, b"a" * 70_000, more=True)
    task = waits(line, exchange, b"b")
    line.lose(ConnectionResetError())
    line.office.turn(2)
    assert isinstance(task.exception(), ClientDisconnected)


@pytest.mark.parametrize("what", ["send", "receive"])
def test_who_gave_up_waiting_is_forgotten(line: Line, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def create_future() -> Any:
        future = create()
        futures.append(weakref.ref(future))
        return future

    exchange = line.request(post(10))
    start(exchange)
    line.transport.full = True
    body(exchange, b"a" * 70_000, more=True)
    create = line.office.loop.create_future
    futures: list[Any] = []
    monkeypatch.setattr(line.office.loop, "create_future", create_future)
    if what == "send":
        task = waits(line, exchange, b"b")
    else:
        task = line.office.loop.create_task(exchange.receive())
        line.office.turn(2)
    assert futures[0]() is not None
    task.cancel()
    line.office.turn(2)
    del task
    gc.collect()
    assert [future() for future in futures] == [None]


def test_who_reads_no_answers_gets_no_more_of_them(line: Line) -> None:
    def large(exchange: Exchange) -> None:
        exchange.respond(200, [], exchange.head.target + b"x" * 30_000)
        exchange.finish_application()

    line.office.gateway.answer = large
    line.transport.full = True
    line.feed(numbered(10))
    waiting = len(line.office.gateway.started)
    assert waiting < 10
    line.office.turn(3)
    assert len(line.office.gateway.started) == waiting
    line.transport.drain()
    line.office.turn(3)
    assert [text[:2] for text in texts(line, 10)] == [b"/%d" % number for number in range(10)]


def test_a_head_that_is_whole_before_there_is_room_is_answered(line: Line) -> None:
    """There is no room where 64 KiB wait, the most that a turn gathers."""
    head = len(b"HTTP/1.1 200 OK\r\ncontent-length: 13000\r\n\r\n")
    sizes = [13000] * 4
    sizes.append(65536 - sum(sizes) - 5 * head)
    line.office.gateway.answer = lambda exchange: exchange.respond(200, [], bytes(sizes.pop(0)))
    line.transport.full = True
    line.feed(GET * 5 + GET[:5])
    assert len(line.transport.waiting) == 65536
    line.feed(GET[5:])
    line.office.gateway.answer = hello
    line.transport.drain()
    line.office.turn(2)
    assert len(line.office.gateway.started) == 6


def test_a_response_leaves_whole_before_the_connection_closes(line: Line) -> None:
    exchange = line.request(CLOSING)
    start(exchange)
    line.transport.full = True
    body(exchange, b"a" * 40_000, more=True)
    body(exchange, b"b" * 20_000)
    assert exchange.complete
    assert line.calls == []
    line.transport.drain()
    assert line.calls == [], "a transport is not closed while it tells us something"
    line.office.turn()
    assert line.calls == ["close"]
    assert line.answers()[0][2] == b"a" * 40_000 + b"b" * 20_000


def test_a_response_leaves_whole_before_the_half_close(line: Line) -> None:
    """The client reads slowly and still sends a body that nobody wants."""
    exchange = line.request(post(1_000_000))
    start(exchange)
    line.transport.full = True
    body(exchange, b"a" * 40_000, more=True)
    body(exchange, b"b" * 20_000)
    line.transport.drain()
    line.office.turn()
    assert line.sent.endswith(b"0\r\n\r\n")
    assert line.calls == ["write_eof"]


def test_reading_pauses_while_too_much_waits_behind_a_request(line: Line) -> None:
    exchange = line.request(GET)
    line.feed(numbered(2000))
    assert len(numbered(2000)) < 65_536
    assert line.calls == []
    line.feed(numbered(1000))
    assert line.calls == ["pause_reading"]
    line.office.gateway.answer = hello
    hello(exchange)
    line.office.turn(300)
    assert line.calls == ["pause_reading", "resume_reading"]
    assert len(line.office.gateway.started) == 3001


def test_reading_pauses_while_a_body_waits_for_the_application(line: Line) -> None:
    exchange = line.request(post(300_000))
    line.feed(b"x" * 65_535)
    assert line.calls == []
    line.feed(b"x")
    assert line.calls == ["pause_reading"]
    assert len(receive(exchange)["body"]) == 65_536
    assert line.calls == ["pause_reading", "resume_reading"]


# ------------------------------------------------------------------------------------------- reading beside a long body


@pytest.mark.parametrize("size", [65_536, 200_000])
def test_reading_goes_on_once_a_long_body_was_received(line: Line, size: int) -> None:
    exchange = line.request(post(size) + b"x" * 65_536)
    assert line.calls == ["pause_reading"]
    taken = len(receive(exchange)["body"])
    assert line.calls == ["pause_reading", "resume_reading"]
    line.feed(b"x" * (size - 65_536))
    while taken < size:
        taken += len(receive(exchange)["body"])
    assert line.calls.count("pause_reading") == line.calls.count("resume_reading"), "a client that leaves isn't noticed"


def test_bytes_behind_a_request_are_kept_before_the_application_runs(line: Line) -> None:
    def overwrite(exchange: Exchange) -> None:
        line.connection.get_buffer(-1)[:2000] = b"!" * 2000
        hello(exchange)

    line.office.gateway.answer = overwrite
    line.feed(numbered(10))
    assert texts(line, 10) == [b"/%d" % number for number in range(10)]


def test_what_comes_while_an_application_runs_waits_for_its_turn(line: Line) -> None:
    def feed_more(exchange: Exchange) -> None:
        if exchange.head.target == b"/1":
            line.feed(numbered(30, 3))
        hello(exchange)

    line.office.gateway.answer = feed_more
    line.feed(numbered(3))
    line.office.turn(4)
    assert texts(line, 33) == [b"/%d" % number for number in range(33)]
