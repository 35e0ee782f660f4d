"""What the compiled half tells: refusals are logged with their flag, seldom, and never forge a line."""

import logging

import pytest

from atlas.errors import ProtocolError
from atlas.server import events
from atlas.server.events import Events

LARGE = ProtocolError(413, "the body is larger than 5 bytes", "--limit-request-body")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, to be changed by the test."""
    now = [1000.0]
    monkeypatch.setattr(events.time, "monotonic", lambda: now[0])
    return now


def test_a_limit_is_a_warning_with_its_flag(clock: list[float], caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "atlas.server"):
        Events().refused(LARGE, ("10.0.0.1", 5))
    assert caplog.messages == ["10.0.0.1:5: refused with 413: the body is larger than 5 bytes (--limit-request-body)"]
    assert caplog.records[0].levelno == logging.WARNING


def test_once_a_minute_for_each_limit(clock: list[float], caplog: pytest.LogCaptureFixture) -> None:
    told = Events()
    with caplog.at_level(logging.INFO, "atlas.server"):
        told.refused(LARGE, None)
        told.refused(LARGE, None)
        told.refused(ProtocolError(414, "long", "--limit-request-line"), None)
        clock[0] += 59.9
        told.refused(LARGE, None)
        assert len(caplog.messages) == 2
        clock[0] += 0.2
        told.refused(LARGE, None)
    assert len(caplog.messages) == 3


def test_nonsense_from_the_wire_is_no_warning_and_cannot_forge_a_line(
    clock: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "atlas.server"):
        Events().refused(ProtocolError(400, "bad\r\nINFO:     forged"), None)
    assert caplog.messages == ["a client: refused with 400: bad\\x0d\\x0aINFO:     forged"]
    assert caplog.records[0].levelno == logging.INFO


def test_two_servers_keep_their_own_count(clock: list[float], caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "atlas.server"):
        Events().refused(LARGE, None)
        Events().refused(LARGE, None)
    assert len(caplog.messages) == 2


def test_nobody_has_to_listen() -> None:
    told = Events()
    for tell in (told.busy, told.full, told.room, told.enough, told.drained):
        tell()
