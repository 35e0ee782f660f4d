"""Finding the route of a path, beside BlackSheep, Falcon, Litestar and Starlette; and among 10 routes to 10,000.

Each of them is asked below all that a request passes before it: of BlackSheep's without the cache in front of it, which
answers for the last 1,200 paths only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Benchmark = Any
Question = tuple[Callable[..., Any], tuple[Any, ...]]
Router = Callable[[str], Question]

# A round is as many calls as take this long, or what a call takes would drown in what asking the clock takes.
pytestmark = pytest.mark.benchmark(min_time=0.0005, max_time=0.2)

PATHS = {
    "the first": "/things0",
    "a parameter, in the middle": "/things10/4173",
    "two parameters, the last": "/things19/4173/parts/a-name",
    "two parameters, escaped": "/things19/4173/parts/a%20%C3%BC",
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


async def controller(request: object, *parameters: object) -> None:
    """Never called."""


def atlas(routes: list[str]) -> Router:
    routing = pytest.importorskip("atlas.web.routing.router")
    find = routing.Router([routing.Route(pattern, controller) for pattern in routes]).tree.find
    return lambda path: (find, ("GET", path.encode()))


def blacksheep(routes: list[str]) -> Router:
    routing = pytest.importorskip("blacksheep.server.routing")
    router = routing.Router()
    for pattern in routes:
        router.add("GET", pattern.replace(":int", ""), controller)
    router.apply_routes()
    find = routing.Router.get_match_by_method_and_path.__wrapped__
    return lambda path: (find, (router, b"GET", path.encode()))


def falcon(routes: list[str]) -> Router:
    routing = pytest.importorskip("falcon.routing")

    class Resource:
        def on_get(self, request: object, response: object, **parameters: object) -> None:
            """Never called."""

    router, resource = routing.CompiledRouter(), Resource()
    for pattern in routes:
        router.add_route(pattern, resource)
    router.find("/")  # compiles it
    return lambda path: (router.find, (path,))


def litestar(routes: list[str]) -> Router:
    framework = pytest.importorskip("litestar")
    traversal = pytest.importorskip("litestar._asgi.routing_trie.traversal")

    def handler(pattern: str) -> Any:
        async def handle() -> None:
            """Never called."""

        return framework.get(pattern.replace("{name}", "{name:str}"))(handle)

    router = framework.Litestar([handler(pattern) for pattern in routes], openapi_config=None).asgi_router

    def find(path: str) -> Any:
        try:
            return traversal.parse_path_to_route(
                method="GET",
                mount_paths_regex=router._mount_paths_regex,
                mount_routes=router._mount_routes,
                path=path,
                plain_routes=router._plain_routes,
                root_node=router.root_route_map_node,
            )
        except framework.exceptions.NotFoundException:
            return None

    return lambda path: (find, (path,))


def starlette(routes: list[str]) -> Router:
    routing = pytest.importorskip("starlette.routing")
    known = [routing.Route(pattern, controller) for pattern in routes]

    def find(scope: dict[str, Any]) -> Any:
        for route in known:
            how, _ = route.matches(scope)
            if how is routing.Match.FULL:
                return route
        return None

    scope = {"type": "http", "method": "GET", "root_path": "", "headers": []}
    return lambda path: (find, ({**scope, "path": path},))


def peers(*makes: Callable[[list[str]], Router]) -> list[Any]:
    """The routers of other frameworks, which ``make bench-check`` leaves out."""
    return [pytest.param(make, marks=pytest.mark.peer) for make in makes]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("make", [atlas, *peers(blacksheep, falcon, litestar, starlette)])
def test_among_a_hundred(make: Callable[[list[str]], Router], path: str, benchmark: Benchmark) -> None:
    benchmark.group = f"find a route among 100, {path}"
    find, arguments = make(patterns(100))(PATHS[path])
    assert (benchmark(find, *arguments) is None) == (path == "none")


# Falcon and Litestar take longer than ten seconds to get ready for 10,000 routes.
@pytest.mark.parametrize(
    ("make", "count"),
    [(atlas, count) for count in SIZES]
    + [pytest.param(make, count, marks=pytest.mark.peer) for make in (blacksheep, starlette) for count in SIZES]
    + [pytest.param(make, count, marks=pytest.mark.peer) for make in (falcon, litestar) for count in SIZES[:-1]],
)
def test_among_more_and_more(make: Callable[[list[str]], Router], count: int, benchmark: Benchmark) -> None:
    benchmark.group = f"find the last of so many routes, by a parameter: {make.__name__}"
    find, arguments = make(patterns(count))(f"/things{count // 5 - 1}/4173")
    assert benchmark(find, *arguments) is not None
