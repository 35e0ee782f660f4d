"""The events of connections: refusals are logged with the flag, once a minute, and cannot forge a line."""

import logging

import pytest

from atlas.errors import ProtocolError
from atlas.server.server_events import ServerEvents

LARGE = ProtocolError(413, "the body is larger than 5 bytes", "--limit-request-body")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, to be changed by the test."""
    now = [1000.0]
    monkeypatch.setattr("atlas.server.server_events.time.monotonic", lambda: now[0])
    return now


def test_a_limit_is_a_warning_with_its_flag(clock: list[float], caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "atlas.server"):
        ServerEvents().on_request_refused(LARGE, ("10.0.0.1", 5))
    assert caplog.messages == ["10.0.0.1:5: refused with 413: the body is larger than 5 bytes (--limit-request-body)"]
    assert caplog.records[0].levelno == logging.WARNING


def test_once_a_minute_for_each_limit(clock: list[float], caplog: pytest.LogCaptureFixture) -> None:
    events = ServerEvents()
    with caplog.at_level(logging.INFO, "atlas.server"):
        events.on_request_refused(LARGE, None)
        events.on_request_refused(LARGE, None)
        events.on_request_refused(ProtocolError(414, "long", "--limit-request-line"), None)
        clock[0] += 59.9
        events.on_request_refused(LARGE, None)
        assert len(caplog.messages) == 2
        clock[0] += 0.2
        events.on_request_refused(LARGE, None)
    assert len(caplog.messages) == 3


def test_a_malformed_request_is_not_a_warning_and_cannot_forge_a_line(
    clock: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "atlas.server"):
        ServerEvents().on_request_refused(ProtocolError(400, "bad\r\nINFO:     forged"), None)
    assert caplog.messages == ["a client: refused with 400: bad\\x0d\\x0aINFO:     forged"]
    assert caplog.records[0].levelno == logging.INFO


def test_two_servers_keep_their_own_count(clock: list[float], caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "atlas.server"):
        ServerEvents().on_request_refused(LARGE, None)
        ServerEvents().on_request_refused(LARGE, None)
    assert len(caplog.messages) == 2


def test_the_callbacks_do_nothing_by_default() -> None:
    events = ServerEvents()
    events.on_first_connection()
    events.on_below_connection_limit()
    events.on_max_requests()
    events.on_all_connections_closed()


def test_a_body_that_is_overdue_is_logged_once_a_minute(clock: list[float], caplog: pytest.LogCaptureFixture) -> None:
    events = ServerEvents()
    events.on_body_overdue(("10.0.0.1", 5))
    events.on_body_overdue(None)
    clock[0] += 61
    events.on_body_overdue(None)
    assert [line.partition(":")[0] for line in caplog.messages] == ["10.0.0.1", "a client"]
    assert "--min-request-body-rate" in caplog.messages[0]
