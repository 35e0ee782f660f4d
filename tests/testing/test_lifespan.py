import asyncio
from typing import Any

import pytest

from atlas import Application
from atlas.errors import LifespanError
from atlas.testing.lifespan import LifespanTask


def live(app: Any) -> dict[str, Any]:
    async def go() -> dict[str, Any]:
        run = LifespanTask(app)
        await run.start()
        await run.stop()
        return run.state

    return asyncio.run(go())


def test_start_and_stop() -> None:
    seen: list[str] = []
    app = Application()
    app.on_startup(lambda: seen.append("up"))
    app.on_shutdown(lambda: seen.append("down"))
    live(app)
    assert seen == ["up", "down"]


def test_what_the_start_stores_is_kept() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        scope["state"]["pool"] = 1
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})

    assert live(app) == {"pool": 1}


async def knows_only_requests(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": []})


async def refuses_scopes(scope: Any, receive: Any, send: Any) -> None:
    assert scope["type"] == "http"


async def returns(scope: Any, receive: Any, send: Any) -> None:
    return


@pytest.mark.parametrize("app", [knows_only_requests, refuses_scopes, returns])
def test_an_application_without_a_lifespan_is_left_alone(app: Any) -> None:
    assert live(app) == {}


async def raises_at_start(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    raise KeyError("no pool")


async def raises_at_stop(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    raise KeyError("no pool")


@pytest.mark.parametrize("app", [raises_at_start, raises_at_stop])
def test_what_it_raises_is_raised(app: Any) -> None:
    with pytest.raises(KeyError, match="no pool"):
        live(app)


def test_a_refusal_has_its_words() -> None:
    async def refuses(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "the database is away"})

    with pytest.raises(LifespanError, match="the database is away"):
        live(refuses)


def test_a_shutdown_that_fails() -> None:
    app = Application()

    @app.on_shutdown
    def fail() -> None:
        raise ValueError("it would not close")

    with pytest.raises(LifespanError, match="it would not close"):
        live(app)
