"""Finding the route of a path, beside the routers of Starlette, Falcon and Litestar; and from 10 routes to 10,000."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Benchmark = Any

PATHS = {
    "the first": "/things0",
    "a parameter, in the middle": "/things10/4173",
    "two parameters, the last": "/things19/4173/parts/a-name",
    "none": "/things19/4173/parts",
}
SIZES = (10, 100, 1_000, 10_000)


def patterns(count: int) -> list[str]:
    """So many patterns, five for each noun."""
    return [
        pattern
        for noun in (f"things{number}" for number in range(count // 5))
        for pattern in (
            f"/{noun}",
            f"/{noun}/new",
            f"/{noun}/{{id:int}}",
            f"/{noun}/{{id:int}}/edit",
            f"/{noun}/{{id:int}}/parts/{{name}}",
        )
    ]


PATTERNS = patterns(100)


@pytest.fixture(params=PATHS)
def path(request: pytest.FixtureRequest, benchmark: Benchmark) -> str:
    benchmark.group = f"find a route among {len(PATTERNS)}, {request.param}"
    return PATHS[request.param]


async def controller(request: object, *parameters: object) -> None:
    """Never called."""


def atlas_matcher(routes: list[str]) -> Callable[[str, bytes], Any]:
    routing = pytest.importorskip("atlas.web.routing")
    return routing.Router([routing.Route(pattern, controller) for pattern in routes]).tree.find


def test_atlas(path: str, benchmark: Benchmark) -> None:
    found = benchmark(atlas_matcher(PATTERNS), "GET", path.encode())
    assert (found is None) == (path == PATHS["none"])


@pytest.mark.parametrize("count", SIZES)
def test_atlas_among_more_and_more(count: int, benchmark: Benchmark) -> None:
    benchmark.group = "find the last of so many routes, by a parameter"
    path = f"/things{count // 5 - 1}/4173".encode()
    found = benchmark(atlas_matcher(patterns(count)), "GET", path)
    assert found[1] == (4173,)


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


def test_falcon(path: str, benchmark: Benchmark) -> None:
    routing = pytest.importorskip("falcon.routing")

    class Resource:
        def on_get(self, request: object, response: object, **parameters: object) -> None:
            """Never called."""

    router, resource = routing.CompiledRouter(), Resource()
    for pattern in PATTERNS:
        router.add_route(pattern, resource)
    router.find(path)  # compiles it
    assert (benchmark(router.find, path) is None) == (path == PATHS["none"])


def test_litestar(path: str, benchmark: Benchmark) -> None:
    litestar = pytest.importorskip("litestar")
    traversal = pytest.importorskip("litestar._asgi.routing_trie.traversal")

    def handler(pattern: str) -> Any:
        async def handle() -> None:
            """Never called."""

        return litestar.get(pattern.replace("{name}", "{name:str}"))(handle)

    router = litestar.Litestar([handler(pattern) for pattern in PATTERNS], openapi_config=None).asgi_router

    def find() -> Any:
        try:
            return traversal.parse_path_to_route(
                method="GET",
                mount_paths_regex=router._mount_paths_regex,
                mount_routes=router._mount_routes,
                path=path,
                plain_routes=router._plain_routes,
                root_node=router.root_route_map_node,
            )
        except litestar.exceptions.NotFoundException:
            return None

    assert (benchmark(find) is None) == (path == PATHS["none"])
