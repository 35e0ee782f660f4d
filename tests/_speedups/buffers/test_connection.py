"""One socket's life: set-up, time-outs, clients that have said all or are gone, too much load, and a server's stop."""

from collections.abc import Callable

import pytest

from atlas._speedups.buffers.connection import Connection
from atlas.errors import ClientDisconnected
from tests._speedups.line import GET, TINY, Line, Office, body, hello, post, receive, start

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


# ------------------------------------------------------------------------------------------------------------ time-outs


def test_an_idle_connection_closes_silently(open_office: Open) -> None:
    line = open_office(timeout_keep_alive=TINY).connect()
    hello(line.request())
    sent = line.sent
    line.office.sweep()
    assert (line.sent, line.calls) == (sent, ["close"])


def test_a_connection_that_never_says_anything_closes_silently(open_office: Open) -> None:
    line = open_office(timeout_request_head=TINY).connect()
    line.office.sweep()
    assert (line.sent, line.calls) == (b"", ["close"])


def test_a_head_that_takes_too_long_is_answered(open_office: Open) -> None:
    line = open_office(timeout_request_head=TINY).connect()
    line.feed(GET[:5])
    line.office.sweep()
    assert line.answers()[0][0] == 408
    assert line.office.events.refusals[0].flag == "--timeout-request-head"


def test_dripping_does_not_extend_the_time_for_a_head(line: Line) -> None:
    line.feed(b"GET / HTTP/1.1\r\n")
    first = line.connection
    for piece in (b"Host: a\r\n", b"A: b\r\n"):
        line.feed(piece)
    first.check_timeout(1e12)
    assert line.answers()[0][0] == 408


def test_a_request_that_is_worked_on_has_no_time_out(open_office: Open) -> None:
    office = open_office(timeout_request_head=TINY, timeout_request_body=TINY, timeout_keep_alive=TINY)
    line = office.connect()
    exchange = line.request()
    office.sweep()
    assert line.calls == []
    hello(exchange)
    assert line.answers()[0][0] == 200


def test_a_body_that_stops_coming_is_a_disconnect_for_who_waits(open_office: Open) -> None:
    office = open_office(timeout_request_body=TINY)
    line = office.connect()
    exchange = line.request(post(10))
    task = office.loop.create_task(exchange.receive())
    office.turn(2)
    office.sweep()
    office.turn(2)
    assert task.result() == {"type": "http.disconnect"}
    hello(exchange)
    assert line.answers()[0][1][b"connection"] == b"close"


def test_a_body_that_nobody_waits_for_has_time(open_office: Open) -> None:
    office = open_office(timeout_request_body=TINY)
    line = office.connect()
    exchange = line.request(post(3))
    office.sweep()
    line.feed(b"abc")
    assert receive(exchange)["body"] == b"abc"


def test_the_rest_of_an_unwanted_body_has_a_time_out(open_office: Open) -> None:
    line = open_office(timeout_request_body=TINY).connect()
    hello(line.request(post(10)))
    line.office.sweep()
    assert line.calls == ["close"]


def test_a_client_that_reads_nothing_is_given_up(open_office: Open) -> None:
    line = open_office(timeout_write=TINY).connect()
    exchange = line.request()
    start(exchange)
    line.transport.full = True
    body(exchange, b"x" * 100_000, more=True)
    line.office.sweep()
    assert line.calls == [], "the first look only sees how much there is"
    line.transport.waiting = line.transport.waiting[1:]
    line.office.sweep()
    assert line.calls == [], "one byte is progress"
    line.office.sweep()
    assert line.calls == ["abort"]
    with pytest.raises(ClientDisconnected):
        body(exchange)


def test_a_client_that_does_not_close_after_a_refusal_is_closed(line: Line) -> None:
    line.feed(b"\0")
    line.connection.check_timeout(0)
    assert line.calls == ["write_eof"]
    line.connection.check_timeout(1e12)
    assert line.calls == ["write_eof", "close"]


# ---------------------------------------------------------------------------------------------------------- half-close


def test_a_client_that_has_said_all_is_still_answered(line: Line) -> None:
    exchange = line.request()
    assert line.connection.eof_received() is True
    assert line.calls == []
    assert line.office.gateway.left == [exchange]
    hello(exchange)
    assert line.answers()[0][2] == b"/"
    assert line.calls == ["close"]


def test_tls_is_not_asked_to_stay_open(office: Office) -> None:
    """asyncio would warn in the log, for each client that closes."""
    line = office.connect(sslcontext=object())
    assert line.connection.eof_received() is False


def test_pipelined_requests_are_answered_after_the_half_close(line: Line) -> None:
    exchange = line.request(numbered(3))
    line.connection.eof_received()
    line.office.gateway.answer = hello
    hello(exchange)
    line.office.turn(3)
    assert texts(line, 3) == [b"/0", b"/1", b"/2"]
    assert line.calls == ["close"]


def test_requests_that_give_way_to_others_are_answered_after_the_half_close(line: Line) -> None:
    line.office.gateway.answer = hello
    line.feed(numbered(40))
    line.connection.eof_received()
    line.office.turn(4)
    assert texts(line, 40) == [b"/%d" % number for number in range(40)]
    assert line.calls == ["close"]


def test_the_end_of_the_stream_inside_a_body_is_a_disconnect(line: Line) -> None:
    exchange = line.request(post(10) + b"01234")
    line.connection.eof_received()
    assert receive(exchange) == {"type": "http.disconnect"}


def test_a_whole_body_can_be_received_after_the_half_close(line: Line) -> None:
    exchange = line.request(post(3) + b"abc")
    line.connection.eof_received()
    assert receive(exchange)["body"] == b"abc"
    assert receive(exchange) == {"type": "http.disconnect"}


@pytest.mark.parametrize("sent", [b"", GET[:9]])
def test_a_client_that_leaves_without_a_request_is_let_go(line: Line, sent: bytes) -> None:
    line.feed(sent)
    line.connection.eof_received()
    assert (line.calls, line.sent) == (["close"], b"")


# ------------------------------------------------------------------------------------------------------------ the loss


def test_everybody_is_told_of_a_loss(line: Line) -> None:
    exchange = line.request(post(10))
    task = line.office.loop.create_task(exchange.receive())
    line.office.turn(2)
    line.lose()
    line.office.turn(2)
    assert task.result() == {"type": "http.disconnect"}
    assert line.office.gateway.left == [exchange]
    assert line.office.state.connections.connections == set()
    assert line.office.state.connections.open == 0


def test_a_write_that_fails_ends_the_connection(line: Line) -> None:
    exchange = line.request()
    line.lose(BrokenPipeError())
    assert exchange.lost
    assert exchange.finish_application() is True


def test_a_request_that_waits_for_room_is_not_overdue(open_office: Open) -> None:
    office = open_office(timeout_keep_alive=TINY)
    office.gateway.answer = lambda exchange: exchange.respond(200, [], b"x" * 100_000)
    line = office.connect()
    line.transport.full = True
    line.feed(GET + GET)
    line.transport.drain()
    office.sweep()
    office.turn()
    assert len(office.gateway.started) == 2


# ------------------------------------------------------------------------------------------------------ load and stop


def test_too_many_requests_in_work_are_turned_away(open_office: Open) -> None:
    office = open_office(limit_concurrency=1)
    first, second = office.connect(), office.connect()
    exchange = first.request()
    second.feed(GET)
    status, headers, _ = second.answers()[0]
    assert (status, headers[b"retry-after"]) == (503, b"1")
    assert second.calls == []
    assert (office.state.in_work, office.state.served, len(office.gateway.started)) == (1, 1, 1)
    assert office.events.refusals[0].flag == "--limit-concurrency"
    hello(exchange)
    hello(second.request())
    assert [answer[0] for answer in second.answers("GET", "GET")] == [503, 200]


def test_a_stop_closes_who_is_idle_and_lets_the_busy_finish(office: Office) -> None:
    fresh, idle, busy = office.connect(), office.connect(), office.connect()
    hello(idle.request())
    exchange = busy.request()
    office.state.connections.stop()
    assert (fresh.calls, idle.calls, busy.calls) == (["close"], ["close"], [])
    hello(exchange)
    assert busy.answers()[0][1][b"connection"] == b"close"
    assert busy.calls == ["close"]


def test_who_comes_during_a_stop_is_closed(office: Office) -> None:
    office.state.connections.stop()
    assert office.connect().calls == ["close"]


def test_the_last_to_leave_is_told_of(office: Office) -> None:
    lines = [office.connect(), office.connect()]
    office.state.connections.stop()
    lines[0].lose()
    assert "on_all_connections_closed" not in office.events.told
    lines[1].lose()
    assert office.events.told[-1] == "on_all_connections_closed"


def test_when_the_grace_is_over_applications_are_told(office: Office) -> None:
    busy, idle = office.connect(), office.connect()
    exchange = busy.request()
    receive(exchange)
    task = office.loop.create_task(exchange.receive())
    idle.feed(GET[:4])
    office.turn(2)
    office.state.connections.stop()
    office.state.connections.end()
    office.turn(2)
    assert task.result() == {"type": "http.disconnect"}
    assert (busy.calls, idle.calls) == ([], ["abort"])


def test_in_the_end_all_are_cut(office: Office) -> None:
    lines = [office.connect(), office.connect()]
    lines[0].request()
    office.state.connections.abort()
    assert [line.calls for line in lines] == [["abort"], ["abort"]]


# ------------------------------------------------------------------------------------------------------------- details


def test_the_transport_is_set_up(line: Line) -> None:
    assert line.transport.limits == {"high": 0}
    assert line.connection in line.office.state.connections.connections


def test_tls_is_https_and_keeps_its_own_limits(office: Office) -> None:
    line = office.connect(sslcontext=object())
    assert line.transport.limits == {}
    assert line.request().scope()["scheme"] == "https"


def test_a_loop_without_buffered_protocols(line: Line) -> None:
    line.office.gateway.answer = hello
    line.connection.data_received(numbered(3))
    line.connection.data_received(post(600_000) + b"x" * 600_000)
    assert [answer[2] for answer in line.answers(*["GET"] * 4)] == [b"/0", b"/1", b"/2", b"/"]


def test_the_size_hint_of_a_buffer_is_ignored(line: Line) -> None:
    buffer = line.connection.get_buffer(-1)
    assert isinstance(buffer, memoryview)
    assert len(buffer) == 262_144
    assert not buffer.readonly
    assert line.office.connect().connection.get_buffer(10).obj is buffer.obj


def test_it_needs_a_worker() -> None:
    with pytest.raises(TypeError):
        Connection(None)  # type: ignore[arg-type]
