"""The frameworks and their servers: Atlas on its own, the others on uvicorn with uvloop and httptools."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace

from bench.side_by_side import servers
from bench.side_by_side.servers import Job, Server

APPS = "bench.side_by_side.web.apps"
SMALL_TEXT, FIVE = frozenset({"text", "pipelined"}), frozenset({"five"})

Command = Callable[[Job], list[str]]


def target(module: str, job: Job) -> str:
    """The function that makes a scenario's application in one framework."""
    return f"{APPS}.{module}:{job.scenario.app}"


def on_atlas(module: str, *flags: str) -> Command:
    """An application on Atlas's server."""

    def command(job: Job) -> list[str]:
        words = [sys.executable, "-m", "atlas", "serve", target(module, job), "--factory", "--no-access-log"]
        return [*words, "--host", "127.0.0.1", "--port", str(job.port), *flags]

    return command


def on_uvicorn(module: str) -> Command:
    """An application on uvicorn, in its fastest set-up."""

    def command(job: Job) -> list[str]:
        words = [sys.executable, "-m", "uvicorn", target(module, job), "--factory", "--no-access-log"]
        return [*words, "--host", "127.0.0.1", "--port", str(job.port), "--loop", "uvloop", "--http", "httptools"]

    return command


def instead(app: str, command: Command) -> Command:
    """The same with another application than the endpoint's own."""
    return lambda job: command(replace(job, scenario=replace(job.scenario, app=app)))


def framework(name: str, module: str, command: Command, only: frozenset[str] | None = None) -> Server:
    """A line of the table. It is left out where its package isn't installed."""
    return Server(name, servers.module_missing(module, f"pip install {module}"), command, only=only)


FLOOR, UVICORN = (servers.select([name])[0] for name in ("floor", "uvicorn"))

FRAMEWORKS = (
    framework("atlas", "atlas", on_atlas("atlas")),
    framework("atlas-async", "atlas", on_atlas("atlas_async")),
    framework("atlas-asgi", "atlas", on_atlas("atlas", "--interface", "asgi")),
    # What five middlewares cost is seen beside the same without them, in the same rounds.
    framework("atlas-bare", "atlas", instead("text", on_atlas("atlas")), only=FIVE),
    framework("blacksheep", "blacksheep", on_uvicorn("blacksheep")),
    framework("falcon", "falcon", on_uvicorn("falcon")),
    framework("starlette", "starlette", on_uvicorn("starlette")),
    framework("starlette-pure", "starlette", instead("five_pure", on_uvicorn("starlette")), only=FIVE),
    framework("starlette-on-atlas", "starlette", on_atlas("starlette")),
    framework("litestar", "litestar", on_uvicorn("litestar")),
    framework("fastapi", "fastapi", on_uvicorn("fastapi")),
    framework("uvicorn", "uvicorn", instead("hello", UVICORN.command), only=SMALL_TEXT),
    FLOOR,
)

TITLES = {
    "atlas": "Atlas",
    "atlas-async": "Atlas, `async def`",
    "atlas-asgi": "Atlas, `--interface asgi`",
    "atlas-bare": "Atlas without the five",
    "blacksheep": "BlackSheep",
    "falcon": "Falcon",
    "starlette": "Starlette",
    "starlette-pure": "Starlette, ASGI middlewares",
    "starlette-on-atlas": "Starlette on Atlas's server",
    "litestar": "Litestar",
    "fastapi": "FastAPI",
    "uvicorn": "uvicorn, no framework",
    "floor": "the floor",
}


def select(names: Sequence[str]) -> list[Server]:
    """The lines of these names, all if there are none. Raises ValueError for an unknown name."""
    return servers.select_from(FRAMEWORKS, names)
