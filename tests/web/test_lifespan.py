import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from atlas import Application, StartupError


def live(app: Any, state: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    """Start and stop an application as a server does; what it answered comes back."""
    events = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return events.pop(0)

    async def send(event: dict[str, Any]) -> None:
        sent.append(event)

    scope: dict[str, Any] = {"type": "lifespan"}
    if state is not None:
        scope["state"] = state
    asyncio.run(app(scope, receive, send))
    return sent


DONE = [{"type": "lifespan.startup.complete"}, {"type": "lifespan.shutdown.complete"}]


def test_functions_of_both_kinds_with_and_without_the_application() -> None:
    app, seen = Application(), []

    @app.on_startup
    def first() -> None:
        seen.append("first")

    @app.on_startup
    async def second(given: Application) -> None:
        assert given is app
        seen.append("second")

    @app.on_shutdown
    async def third() -> None:
        seen.append("third")

    @app.on_shutdown
    def fourth(given: Application) -> None:
        seen.append("fourth")

    assert live(app) == DONE
    assert seen == ["first", "second", "fourth", "third"]


def test_a_context_is_around_everything_and_gives_state() -> None:
    seen = []

    @asynccontextmanager
    async def context(app: Application) -> AsyncIterator[dict[str, Any]]:
        seen.append("open")
        yield {"pool": 1}
        seen.append("closed")

    app, state = Application(lifespan=context), {}
    app.on_startup(lambda: seen.append("start"))
    app.on_shutdown(lambda: seen.append("stop"))
    assert live(app, state) == DONE
    assert seen == ["open", "start", "stop", "closed"]
    assert state == {"pool": 1}


def test_a_failed_startup_is_reported_and_what_was_opened_is_closed() -> None:
    seen = []

    @asynccontextmanager
    async def context(app: Application) -> AsyncIterator[None]:
        yield None
        seen.append("closed")

    app = Application(lifespan=context)

    @app.on_startup
    def fail() -> None:
        raise ValueError("no database")

    (event,) = live(app)
    assert event["type"] == "lifespan.startup.failed"
    assert "ValueError: no database" in event["message"]
    assert seen == ["closed"]


def test_a_startup_error_is_reported_with_its_message() -> None:
    app = Application()

    @app.on_startup
    def fail() -> None:
        raise StartupError("no database at localhost:5432")

    assert live(app) == [{"type": "lifespan.startup.failed", "message": "no database at localhost:5432"}]


def test_a_failed_shutdown_function_does_not_stop_the_others(caplog: pytest.LogCaptureFixture) -> None:
    app, seen = Application(), []

    @app.on_shutdown
    def last() -> None:
        seen.append("last")

    @app.on_shutdown
    def fail() -> None:
        raise ValueError("too late")

    started, stopped = live(app)
    assert started == DONE[0]
    assert stopped["type"] == "lifespan.shutdown.failed"
    assert "too late" in stopped["message"]
    assert seen == ["last"]
    assert "shutdown function failed" in caplog.text


def test_an_exit_of_a_startup_function_is_reported_and_raised() -> None:
    """Reported for a server that takes an exception for an application without lifespan, such as uvicorn."""
    app, sent = Application(), []

    @app.on_startup
    def fail() -> None:
        sys.exit("no database")

    async def receive() -> Any:
        return {"type": "lifespan.startup"}

    async def send(event: Any) -> None:
        sent.append(event)

    async def run() -> BaseException | None:
        try:
            await app({"type": "lifespan", "state": {}}, receive, send)
        except SystemExit as error:
            return error
        return None

    assert isinstance(asyncio.run(run()), SystemExit)
    assert sent == [
        {"type": "lifespan.startup.failed", "message": "a function of the lifespan called sys.exit('no database')"}
    ]


def test_an_exit_of_a_shutdown_function_does_not_stop_the_others() -> None:
    app, seen = Application(), []
    app.on_shutdown(lambda: seen.append("last"))
    app.on_shutdown(lambda: sys.exit(1))
    assert live(app)[1]["type"] == "lifespan.shutdown.failed"
    assert seen == ["last"]
