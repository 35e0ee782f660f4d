"""The endpoints: request, expected response, and the goals of Atlas."""

from __future__ import annotations

import json
from dataclasses import dataclass

from bench.side_by_side.scenarios import FLOOR, JSON, Scenario
from bench.side_by_side.web.apps import content

TEXT, HTML = "text/plain", "text/html"

THREE_HEADERS = (("User-Agent", "wrk/4"), ("Accept", "*/*"))  # with Host


@dataclass(frozen=True, slots=True)
class Aim:
    """A goal: at most so many times another's CPU time per request, or at least so many times its requests/s."""

    who: str
    than: str
    cpu: float | None = None
    requests: float | None = None


@dataclass(frozen=True, slots=True)
class Endpoint(Scenario):
    """A scenario whose ``app`` is a function of the modules in ``apps``."""

    aims: tuple[Aim, ...] = ()


def compact(value: object) -> bytes:
    """JSON without spaces: as long as the shortest answer, for the floor."""
    return json.dumps(value, separators=(",", ":")).encode()


HELLO = content.HELLO.encode()
PAGE = content.environment().get_template(content.TEMPLATE).render(content.CONTEXT).encode()

ENDPOINTS = (
    Endpoint(
        "text", "a small text, a request of 3 headers", "text", HELLO,
        headers=THREE_HEADERS, baselines=FLOOR, content_type=TEXT, latencies=True,
        aims=(Aim("atlas", "floor", cpu=1.5), Aim("atlas-async", "floor", cpu=1.5)),
    ),
    Endpoint(
        "user", "a path parameter to JSON, among 100 routes", "user", compact(content.person(42)),
        path="/users/42", headers=THREE_HEADERS, baselines=FLOOR, content_type=JSON,
        aims=(Aim("atlas", "floor", cpu=1.7), Aim("atlas-async", "floor", cpu=1.7)),
    ),
    Endpoint(
        "page", "a template of 20 rows", "page", PAGE,
        headers=THREE_HEADERS, baselines=FLOOR, content_type=HTML,
    ),
    Endpoint(
        "order", "a POST of four fields of JSON, typed, JSON back", "order", compact(content.RECEIPT),
        method="POST", path="/orders", headers=(*THREE_HEADERS, ("Content-Type", JSON)), body=compact(content.ORDER),
        baselines=FLOOR, content_type=JSON,
        aims=(Aim("atlas", "floor", cpu=2.2), Aim("atlas-async", "floor", cpu=2.2)),
    ),
    Endpoint(
        "pipelined", "a small text, 16 requests in flight on each connection", "text", HELLO,
        headers=THREE_HEADERS, depth=16, baselines=FLOOR, content_type=TEXT,
        aims=(Aim("atlas", "uvicorn", requests=10.0),),
    ),
    Endpoint(
        "five", "a small text inside five middlewares that do nothing", "five", HELLO,
        headers=THREE_HEADERS, baselines=FLOOR, content_type=TEXT,
        aims=(Aim("atlas", "atlas-bare", cpu=1.15),),
    ),
)  # fmt: skip
