"""A carrier is the part of a connection that an exchange knows: what it asks of it has an effect on the wire."""

from atlas._speedups.buffers.channel import Channel
from atlas._speedups.http1.carrier import Carrier
from atlas._speedups.http1.connection import Connection
from tests._speedups.line import Line, Office, hello, post, receive


def test_a_connection_is_a_carrier_and_that_a_channel() -> None:
    assert [kind for kind in Connection.__mro__ if issubclass(kind, Channel)][-2:] == [Carrier, Channel]


def test_it_tells_who_is_at_the_two_ends_and_how_they_speak(office: Office) -> None:
    scope = office.connect(peername=("::1", 7, 0, 0), sockname=("::", 80, 0, 0), sslcontext=object()).request().scope()
    assert (scope["client"], scope["server"], scope["scheme"]) == (("::1", 7), ("::", 80), "https")


def test_asking_for_the_body_goes_on_reading(line: Line) -> None:
    exchange = line.request(post(70_000))
    line.feed(b"x" * 69_000)
    assert line.calls == ["pause_reading"]
    assert len(receive(exchange)["body"]) == 69_000
    assert line.calls == ["pause_reading", "resume_reading"]


def test_whether_it_can_be_used_again_is_asked_when_the_head_is_finished(line: Line) -> None:
    exchange = line.request()
    line.office.worker.stop()
    hello(exchange)
    assert line.answers()[0][1][b"connection"] == b"close"
