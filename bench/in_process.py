"""What a framework adds to a request: GET /users/42 among 100 routes, answered with a small text, without a socket.

``python -m bench.in_process`` calls each application as a server would, with a fresh scope, and throws away what it
sends. Rounds are interleaved, so that all of them see the same machine; the best round of each counts. A framework that
is not installed is left out. *bare* is an ASGI function that sends the same: the cost of asking.

``--out`` keeps the figures as JSON, for the page about performance.
"""

import argparse
import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from bench.side_by_side import machine

App = Callable[[Any, Any, Any], Awaitable[None]]
Make = Callable[[], App]

ROUTES = 99  # besides the one that is asked
PATH = "/users/42"
HEADERS = [
    (b"host", b"site.test"),
    (b"user-agent", b"bench"),
    (b"accept", b"*/*"),
    (b"accept-encoding", b"gzip, br"),
]
BODY = b"user 42"
GOAL = 3.0  # microseconds that Atlas may need at most, the bare call included
PACKAGES = ("atlas-web", "starlette", "fastapi", "falcon", "blacksheep", "litestar")
FILE = "in_process.json"


def scope() -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": PATH,
        "raw_path": PATH.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": HEADERS,
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 8000),
        "state": {},
    }


async def receive() -> dict[str, Any]:
    return {"type": "http.request", "body": b"", "more_body": False}


async def drop(event: Any) -> None:
    """Where responses go."""


def bare() -> App:
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"7")]

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": BODY})

    return app


def atlas() -> App:
    room = import_module("atlas")

    async def other(request: Any) -> Any:
        return room.TextResponse("other")

    async def user(request: Any, id: int) -> Any:  # noqa: A002  # the same name in all of them
        return room.TextResponse(f"user {id}")

    routes = [room.Route(f"/things{number}/list", other, name=str(number)) for number in range(ROUTES)]
    app: App = room.Application([*routes, room.Route("/users/{id:int}", user)])
    return app


def starlette() -> App:
    applications, routing = import_module("starlette.applications"), import_module("starlette.routing")
    text = import_module("starlette.responses").PlainTextResponse

    async def other(request: Any) -> Any:
        return text("other")

    async def user(request: Any) -> Any:
        return text(f"user {request.path_params['id']}")

    routes = [routing.Route(f"/things{number}/list", other) for number in range(ROUTES)]
    app: App = applications.Starlette(routes=[*routes, routing.Route("/users/{id:int}", user)])
    return app


def fastapi() -> App:
    text = import_module("fastapi.responses").PlainTextResponse
    app = import_module("fastapi").FastAPI(openapi_url=None)

    async def other() -> Any:
        return text("other")

    async def user(id: int) -> Any:  # noqa: A002
        return text(f"user {id}")

    for number in range(ROUTES):
        app.get(f"/things{number}/list")(other)
    app.get("/users/{id}")(user)
    made: App = app
    return made


def falcon() -> App:
    asgi = import_module("falcon.asgi")

    class Other:
        async def on_get(self, request: Any, response: Any) -> None:
            response.content_type, response.text = "text/plain; charset=utf-8", "other"

    class User:
        async def on_get(self, request: Any, response: Any, id: int) -> None:  # noqa: A002
            response.content_type, response.text = "text/plain; charset=utf-8", f"user {id}"

    app = asgi.App()
    for number in range(ROUTES):
        app.add_route(f"/things{number}/list", Other())
    app.add_route("/users/{id:int}", User())
    made: App = app
    return made


def blacksheep() -> App:
    room = import_module("blacksheep")
    app = room.Application(router=room.Router())

    async def other() -> Any:
        return room.text("other")

    async def user(id: int) -> Any:  # noqa: A002
        return room.text(f"user {id}")

    for number in range(ROUTES):
        app.router.add_get(f"/things{number}/list", other)
    app.router.add_get("/users/{id}", user)
    made: App = app
    return made


def litestar() -> App:
    room, params = import_module("litestar"), import_module("litestar.params")

    def handler(number: int) -> Any:
        async def other() -> str:
            return "other"

        return room.get(f"/things{number}/list", media_type="text/plain")(other)

    async def user(id: params.FromPath[int]) -> str:  # noqa: A002
        return f"user {id}"

    routes = [*map(handler, range(ROUTES)), room.get("/users/{id:int}", media_type="text/plain")(user)]
    app: App = room.Litestar(routes, openapi_config=None)
    return app


FRAMEWORKS: dict[str, Make] = {
    each.__name__: each for each in (bare, atlas, starlette, fastapi, falcon, blacksheep, litestar)
}


async def started(name: str, make: Make) -> App | None:
    """The application, started and asked once; None, and a line that says why, if it can't take part."""
    try:
        app = make()
        if start := getattr(app, "start", None):  # BlackSheep is not ready before
            await start()
        sent: list[Any] = []

        async def send(event: Any) -> None:
            sent.append(dict(event))

        await app(scope(), receive, send)
    except ImportError as error:
        print(f"! {name} is left out: {error}")
        return None
    body = b"".join(bytes(event.get("body", b"")) for event in sent[1:])
    kind = {bytes(field).lower(): bytes(value) for field, value in sent[0]["headers"]}.get(b"content-type", b"")
    if sent[0]["status"] != 200 or body != BODY or not kind.startswith(b"text/plain"):
        print(f"! {name} is left out: it answered {sent[0]['status']} {body!r} of type {kind.decode()!r}")
        return None
    return app


async def seconds_of(app: App, count: int) -> float:
    """Seconds for one request, in a round of so many."""
    begin = time.perf_counter()
    for _ in range(count):
        await app(scope(), receive, drop)
    return (time.perf_counter() - begin) / count


async def measure(rounds: int, count: int) -> dict[str, float]:
    """Microseconds of the best round of each framework."""
    apps = {name: app for name, make in FRAMEWORKS.items() if (app := await started(name, make)) is not None}
    best = dict.fromkeys(apps, float("inf"))
    for _ in range(rounds):
        for name, app in apps.items():
            best[name] = min(best[name], await seconds_of(app, count))
    return {name: seconds * 1e6 for name, seconds in best.items()}


def table(best: dict[str, float]) -> str:
    """The figures, the quickest first, and whether the goal was met."""
    lines = [f"{'':12}{'us':>8}{'less bare':>12}{'to atlas':>10}"]
    for name, figure in sorted(best.items(), key=lambda pair: pair[1]):
        own = figure - best["bare"]
        ratio = f"{own / (best['atlas'] - best['bare']):.1f}" if name != "bare" and "atlas" in best else ""
        lines.append(f"{name:12}{figure:8.2f}{own:12.2f}{ratio:>10}")
    if "atlas" in best:
        lines.append(f"goal: at most {GOAL:g} us: {'reached' if best['atlas'] <= GOAL else 'NOT reached'}")
    return "\n".join(lines)


def save(file: Path, best: dict[str, float]) -> None:
    """Keep the figures."""
    file.parent.mkdir(parents=True, exist_ok=True)
    at = time.strftime("%Y-%m-%dT%H:%M:%S%z")
    document = {"at": at, "machine": machine.about(PACKAGES), "goal": GOAL, "microseconds": best}
    file.write_text(json.dumps(document, indent=2) + "\n")
    print(f"figures: {file}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--requests", type=int, default=300, help="in a round of one framework")
    parser.add_argument("--out", type=Path, help=f"folder in which to keep the figures, as {FILE}")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    best = asyncio.run(measure(options.rounds, options.requests))
    print(table(best))
    if options.out:
        save(options.out / FILE, best)


if __name__ == "__main__":
    main()
