"""What connections share: lines of the server's own, the scope's fixed parts, counters, limits, pools."""

import gc
import time
from collections.abc import Callable
from email.utils import formatdate, parsedate_to_datetime
from typing import Any

import pytest

from atlas._speedups.http.server_state import ServerState, monotonic
from tests._speedups.line import GET, TINY, AccessLog, Office, body, hello, start

Open = Callable[..., Office]


def head_of(office: Office, *headers: tuple[bytes, bytes]) -> list[bytes]:
    """The field lines of a response with these headers."""
    line = office.connect()
    line.request().respond(200, headers, b"")
    return line.sent.partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]


# --------------------------------------------------------------------------------------------------- the server's lines


def test_the_date_is_now_in_its_one_form(open_office: Open) -> None:
    before = int(time.time()) - 1  # the clock of whole seconds may be a tick behind
    (date,) = [line for line in head_of(open_office(date_header=True)) if line.startswith(b"date: ")]
    told = parsedate_to_datetime(date[6:].decode()).timestamp()
    assert before <= told <= time.time()
    assert date[6:].decode() == formatdate(told, usegmt=True)


def test_the_server_and_the_users_own_lines(open_office: Open) -> None:
    office = open_office(server_header=True, headers=(("X-A", "1"), ("X-B", "é")))
    assert head_of(office) == [b"content-length: 0", b"server: atlas", b"X-A: 1", b"X-B: \xe9"]


@pytest.mark.parametrize("name", [b"date", b"Date", b"DATE"])
def test_the_applications_date_wins(open_office: Open, name: bytes) -> None:
    office = open_office(date_header=True, server_header=True)
    assert head_of(office, (name, b"x")) == [name + b": x", b"content-length: 0", b"server: atlas"]


def test_the_applications_server_wins(open_office: Open) -> None:
    office = open_office(server_header=True, headers=(("X-A", "1"),))
    assert head_of(office, (b"Server", b"mine")) == [b"Server: mine", b"content-length: 0", b"X-A: 1"]


def test_the_users_own_line_stands_for_ours(open_office: Open) -> None:
    office = open_office(date_header=True, server_header=True, headers=(("Server", "us"), ("DATE", "never")))
    assert head_of(office) == [b"content-length: 0", b"Server: us", b"DATE: never"]


def test_they_can_be_switched_off(office: Office) -> None:
    assert head_of(office) == [b"content-length: 0"]


# ---------------------------------------------------------------------------------------------------------- the scope


def test_the_state_is_copied_for_each_request(open_office: Open) -> None:
    shared: dict[str, Any] = {"db": []}
    line = open_office(state=shared).connect()
    scope = line.request().scope()
    scope["state"]["mine"] = 1
    scope["state"]["db"].append(2)
    hello(line.exchange)
    assert shared == {"db": [2]}
    assert line.request().scope()["state"] == {"db": [2]}


def test_without_lifespan_there_is_no_state(office: Office) -> None:
    assert "state" not in office.connect().request().scope()
    assert office.worker.state is None


def test_an_empty_state_is_a_state(open_office: Open) -> None:
    assert open_office(state={}).connect().request().scope()["state"] == {}


def test_the_root_path(open_office: Open) -> None:
    scope = open_office(root_path="/ä").connect().request(b"GET /a%20b HTTP/1.1\r\nHost: a\r\n\r\n").scope()
    assert (scope["root_path"], scope["path"], scope["raw_path"]) == ("/ä", "/ä/a b", b"/%C3%A4/a%20b")


# ------------------------------------------------------------------------------------------------------------- counting


def test_connections_are_counted_and_the_first_and_last_are_told_of(open_office: Open) -> None:
    office = open_office(limit_connections=2)
    first = office.connect()
    assert office.events.told == ["on_first_connection"]
    second = office.connect()
    assert office.events.told == ["on_first_connection", "on_connection_limit"]
    assert (office.worker.open, len(office.worker.connections)) == (2, 2)
    first.lose()
    assert office.events.told == ["on_first_connection", "on_connection_limit", "on_below_connection_limit"]
    second.lose()
    office.connect()
    assert office.events.told == [
        "on_first_connection",
        "on_connection_limit",
        "on_below_connection_limit",
        "on_first_connection",
    ]


def test_without_a_limit_nothing_is_full(office: Office) -> None:
    lines = [office.connect() for _ in range(3)]
    for line in lines:
        line.lose()
    assert office.events.told == ["on_first_connection"]


def test_enough_requests_are_told_of_once(open_office: Open) -> None:
    office = open_office(limit_max_requests=2)
    office.gateway.answer = hello
    line = office.connect()
    for expected in ([], ["on_max_requests"], ["on_max_requests"]):
        line.feed(GET)
        assert [name for name in office.events.told if name == "on_max_requests"] == expected
    assert office.worker.served == 3


def test_the_limits_are_those_of_the_settings(open_office: Open) -> None:
    worker = open_office(limit_concurrency=5, limit_max_requests=7, limit_connections=9).worker
    assert (worker.limit_concurrency, worker.limit_max_requests, worker.limit_connections) == (5, 7, 9)
    worker = open_office().worker
    assert (worker.limit_concurrency, worker.limit_max_requests, worker.limit_connections) == (0, 0, 0)


@pytest.mark.parametrize(
    ("name", "sent", "status"),
    [
        ("limit_request_line", b"GET /aaaaaaaaaaaaaaaaaaaa HTTP/1.1\r\n", 414),
        ("limit_request_head", GET, 431),
        ("limit_request_field", b"GET / HTTP/1.1\r\nHost: aaaaaaaaaaaaaaaaa\r\n", 431),
        ("limit_request_body", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 21\r\n\r\n", 413),
    ],
)
def test_a_limit_of_20(open_office: Open, name: str, sent: bytes, status: int) -> None:
    line = open_office(**{name: 20}).connect()
    line.feed(sent)
    assert line.answers()[0][0] == status


def test_a_limit_on_the_number_of_fields(open_office: Open) -> None:
    line = open_office(limit_request_fields=1).connect()
    line.feed(b"GET / HTTP/1.1\r\nHost: a\r\nA: b\r\n")
    assert line.answers()[0][0] == 431


# ----------------------------------------------------------------------------------------------------------- access log


def test_the_log_is_woken_by_the_first_record_and_flushed_at_256(open_office: Open) -> None:
    log = AccessLog()
    office = open_office(access_log=log)
    office.gateway.answer = hello
    line = office.connect()
    for _ in range(255):
        line.feed(GET)
    assert log.calls == ["wake"]
    line.feed(GET)
    assert log.calls == ["wake", "flush"]
    line.feed(GET)
    assert log.calls == ["wake", "flush", "wake"]


def test_a_refusal_has_a_record(open_office: Open) -> None:
    log = AccessLog()
    line = open_office(access_log=log).connect()
    line.feed(b"\0")
    (record,) = log.records
    assert (record[:5], record[8:]) == ((("10.0.0.1", 4711), "-", b"-", "1.1", 400), ([], None))
    assert record[5] == len(line.answers()[0][2])


# ---------------------------------------------------------------------------------------------- one that breaks


def broken() -> int:
    raise ZeroDivisionError


def test_a_connection_that_breaks_does_not_keep_others_from_being_swept(open_office: Open) -> None:
    office = open_office(timeout_request_head=TINY, timeout_write=TINY)
    lines = [office.connect() for _ in range(3)]
    lines[1].transport.full = True
    lines[1].request().respond(200, [], b"x")
    lines[1].transport.get_write_buffer_size = broken  # type: ignore[method-assign]
    office.sweep()
    assert [line.calls for line in lines] == [["close"], ["abort"], ["close"]]
    assert office.events.told.count("on_unexpected_error") == 1


def test_a_connection_that_breaks_does_not_keep_others_from_being_flushed(office: Office) -> None:
    lines = [office.connect() for _ in range(3)]
    for line in lines:
        start(line.request())
        body(line.exchange, b"x", more=True)
    lines[1].transport.write = lambda _: broken()  # type: ignore[assignment, method-assign, misc]
    office.turn()
    assert [line.sent[-6:] for line in lines] == [b"1\r\nx\r\n", b"", b"1\r\nx\r\n"]
    assert [line.calls for line in lines] == [[], ["abort"], []]
    assert office.events.told.count("on_unexpected_error") == 1


# -------------------------------------------------------------------------------------------------------------- the end


def test_equal_addresses_are_one_object(office: Office) -> None:
    scopes = [office.connect(sockname=("127.0.0.1", 80 + 0 * number)).request().scope() for number in range(2)]
    assert scopes[0]["server"] is scopes[1]["server"]
    other = office.connect(sockname=("127.0.0.2", 80)).request().scope()
    assert other["server"] == ("127.0.0.2", 80)


def test_it_lets_go_of_everything_in_the_end(open_office: Open) -> None:
    log = AccessLog()
    office = open_office(access_log=log)
    hello(office.connect().request())
    office.worker.close()
    assert (office.worker.gateway, office.worker.events) == (None, None)
    assert not any(office.worker is owner for owner in gc.get_referrers(log))


def test_the_clock_is_steady_and_in_seconds() -> None:
    first, reference = monotonic(), time.monotonic()
    assert abs(first - reference) < 1
    assert monotonic() >= first


def test_what_it_shows_cannot_be_changed(office: Office) -> None:
    for name in ("open", "in_work", "served", "stopping", "connections", "gateway", "limit_concurrency"):
        with pytest.raises(AttributeError):
            setattr(office.worker, name, getattr(office.worker, name))
    assert isinstance(office.worker, ServerState)
    assert (office.worker.stopping, office.worker.loop) == (False, office.loop)
