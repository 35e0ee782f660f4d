import logging
from types import SimpleNamespace
from typing import Any

import pytest

from atlas.errors import ClientDisconnected
from atlas.gateway.asgi import ASGIGateway
from atlas.gateway.native import NativeGateway
from atlas.gateway.request_failures import RequestFailures


@pytest.mark.parametrize(
    ("lost", "abandoned", "error", "level"),
    [
        (True, False, ClientDisconnected("gone"), logging.DEBUG),
        (False, False, ClientDisconnected("gone"), logging.ERROR),
        (True, False, ValueError("bad"), logging.ERROR),
        (True, True, ValueError("what a framework makes of it"), logging.DEBUG),
        (False, True, ValueError("what a framework makes of it"), logging.DEBUG),
    ],
)
def test_only_a_disconnect_is_no_failure(
    caplog: Any, lost: bool, abandoned: bool, error: Exception, level: int
) -> None:
    exchange: Any = SimpleNamespace(lost=lost, abandoned=abandoned, head="GET /")
    with caplog.at_level(logging.DEBUG, "atlas.server"):
        RequestFailures().failed(exchange, error)
    assert [record.levelno for record in caplog.records] == [level]


def test_both_gateways_log_failures() -> None:
    for name in ("failed", "unfinished", "send_file"):
        assert getattr(ASGIGateway, name) is getattr(NativeGateway, name) is getattr(RequestFailures, name)
