"""Finding the route of a path among a hundred, beside Starlette's router, which tries one after another."""

from __future__ import annotations

from typing import Any

import pytest

Benchmark = Any

NOUNS = [f"things{number}" for number in range(20)]
PATTERNS = [
    pattern
    for noun in NOUNS
    for pattern in (
        f"/{noun}",
        f"/{noun}/new",
        f"/{noun}/{{id:int}}",
        f"/{noun}/{{id:int}}/edit",
        f"/{noun}/{{id:int}}/parts/{{name}}",
    )
]
PATHS = {
    "the first": "/things0",
    "a parameter, in the middle": "/things10/4173",
    "two parameters, the last": "/things19/4173/parts/a-name",
    "none": "/things19/4173/parts",
}


@pytest.fixture(params=PATHS)
def path(request: pytest.FixtureRequest, benchmark: Benchmark) -> str:
    benchmark.group = f"find a route among {len(PATTERNS)}, {request.param}"
    return PATHS[request.param]


async def controller(request: object, *parameters: object) -> None:
    """Never called."""


def test_atlas(path: str, benchmark: Benchmark) -> None:
    routing = pytest.importorskip("atlas.web.routing")
    router = routing.Router([routing.Route(pattern, controller) for pattern in PATTERNS])
    found = benchmark(router.match, "GET", path)
    assert isinstance(found, routing.Miss) == (path == PATHS["none"])


def test_starlette(path: str, benchmark: Benchmark) -> None:
    routing = pytest.importorskip("starlette.routing")
    routes = [routing.Route(pattern, controller) for pattern in PATTERNS]
    scope = {"type": "http", "method": "GET", "path": path, "root_path": "", "headers": []}

    def match() -> Any:
        for route in routes:
            how, _ = route.matches(scope)
            if how is routing.Match.FULL:
                return route
        return None

    assert (benchmark(match) is None) == (path == PATHS["none"])
