"""The contract between connections and gateways: what it names is what is called, and the ASGI gateway keeps it."""

import asyncio
import inspect
from collections.abc import Iterator
from typing import Any

import pytest

from atlas._speedups.http.exchange import Exchange
from atlas.gateway.asgi import ASGIGateway
from atlas.gateway.contract import Gateway
from atlas.gateway.native import NativeGateway
from tests._speedups.line import GET, Line, Office, now, start

METHODS = ["start", "disconnect", "half_close", "send_file"]


class Smallest:
    """A gateway that has what the contract names, and keeps who called."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    def start(self, exchange: Exchange) -> None:
        self.calls.append(("start", exchange))

    def disconnect(self, exchange: Exchange) -> None:
        self.calls.append(("disconnect", exchange))

    def half_close(self, exchange: Exchange) -> None:
        self.calls.append(("half_close", exchange))

    async def send_file(self, exchange: Exchange, event: Any) -> None:
        self.calls.append(("send_file", exchange, event))


@pytest.fixture
def line() -> Iterator[Line]:
    loop = asyncio.new_event_loop()
    yield Office(loop, gateway=Smallest()).connect()
    loop.close()


def test_the_contract_names_four_methods() -> None:
    assert [name for name, value in vars(Gateway).items() if inspect.isfunction(value) and name[0] != "_"] == METHODS


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("gateway", [ASGIGateway, NativeGateway, Smallest])
def test_a_gateway_takes_what_the_contract_says(gateway: type, name: str) -> None:
    expected = list(inspect.signature(getattr(Gateway, name)).parameters)
    assert list(inspect.signature(getattr(gateway, name)).parameters) == expected


def test_a_connection_asks_for_nothing_else(line: Line) -> None:
    calls = line.office.gateway.calls
    line.feed(GET)
    assert [call[0] for call in calls] == ["start"]
    exchange = calls[0][1]
    start(exchange)
    event = {"type": "http.response.pathsend", "path": "/x"}
    now(exchange.send(event))
    assert calls[1] == ("send_file", exchange, event)
    line.connection.eof_received()
    assert calls[2] == ("half_close", exchange)
    line.lose()
    assert calls[3] == ("disconnect", exchange)


def test_a_gateway_that_says_it_is_finished_is_believed(line: Line) -> None:
    line.feed(GET)
    exchange = line.office.gateway.calls[0][1]
    exchange.respond(200, [], b"")
    exchange.finish_application()
    line.lose()
    assert [call[0] for call in line.office.gateway.calls] == ["start"], "nobody is told of what is over"
    assert line.office.state.in_work == 0
