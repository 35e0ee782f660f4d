"""A whole request, from the bytes that arrive to the bytes that leave: by the native gateway and by ASGI.

The applications are those of ``bench.side_by_side``. ``native`` and ``native-async`` are ``def`` and ``async def``
controllers; ``asgi`` is the former called as by ``--interface asgi``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bench.in_memory import Link
from bench.side_by_side import apps
from bench.side_by_side.client import request_bytes
from bench.side_by_side.scenarios import SCENARIOS
from bench.side_by_side.web.apps import atlas, atlas_async
from bench.side_by_side.web.endpoints import ENDPOINTS

Benchmark = Any
Connect = Callable[..., Link]

RAW = {each.name: each for each in SCENARIOS if each.name in ("hello", "browser", "suspend", "post", "stream")}
WEB = {each.name: each for each in ENDPOINTS if each.name in ("text", "user", "page", "order", "five")}
GATEWAYS = {"native": (atlas, "auto"), "native-async": (atlas_async, "auto"), "asgi": (atlas, "asgi")}


def measure(link: Link, request: bytes, benchmark: Benchmark) -> None:
    expected = link.first_response(request)
    assert expected.startswith(b"HTTP/1.1 200 ")
    assert benchmark(link.ask, request, len(expected)) == expected


@pytest.mark.parametrize("name", RAW)
def test_asgi(name: str, connect: Connect, benchmark: Benchmark) -> None:
    scenario = RAW[name]
    link = connect(getattr(apps, scenario.app), lifespan="off", date_header=False)
    measure(link, request_bytes(scenario, 8000), benchmark)


@pytest.mark.parametrize("gateway", GATEWAYS)
@pytest.mark.parametrize("name", WEB)
def test_atlas(name: str, gateway: str, connect: Connect, benchmark: Benchmark) -> None:
    endpoint = WEB[name]
    applications, interface = GATEWAYS[gateway]
    link = connect(getattr(applications, endpoint.app)(), interface=interface, date_header=False)
    measure(link, request_bytes(endpoint, 8000), benchmark)
