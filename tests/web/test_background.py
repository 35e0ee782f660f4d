import asyncio
from typing import Any

import pytest

from atlas import Application, Route


async def call(app: Application, log: list[Any]) -> None:
    async def receive() -> Any:
        return {"type": "http.request", "body": b""}

    async def send(event: Any) -> None:
        log.append(event["type"])
        await asyncio.sleep(0)

    await app({"type": "http", "method": "GET", "path": "/", "headers": [], "query_string": b""}, receive, send)


async def stop(app: Application) -> None:
    events = [{"type": "lifespan.shutdown"}, {"type": "lifespan.startup"}]

    async def receive() -> Any:
        return events.pop()

    async def send(event: Any) -> None:
        pass

    await app({"type": "lifespan"}, receive, send)


@pytest.mark.parametrize("run", ["inline", "greenlet", "thread"])
def test_a_background_task_runs_after_the_response_and_before_shutdown(run: Any) -> None:
    log: list[Any] = []

    async def job(value: str) -> None:
        await asyncio.sleep(0)
        log.append(value)

    def controller(request: Any) -> str:
        app.background(job, "job")
        log.append("controller")
        return "x"

    app = Application([Route("/", controller, run=run)])

    async def both() -> None:
        await call(app, log)
        await stop(app)

    asyncio.run(both())
    assert log == ["controller", "http.response.start", "http.response.body", "job"]


def test_the_end_of_another_request_does_not_start_it() -> None:
    log: list[Any] = []

    async def both() -> None:
        gate = asyncio.Event()

        async def controller(request: Any) -> str:
            if not log:
                log.append("first")
                app.background(log.append, "job")
                await gate.wait()
            return "x"

        app = Application([Route("/", controller)])
        first = asyncio.ensure_future(call(app, []))
        await asyncio.sleep(0)
        await call(app, [])
        assert log == ["first"]
        gate.set()
        await first
        await stop(app)

    asyncio.run(both())
    assert log == ["first", "job"]


def test_outside_of_a_request_it_starts_at_once() -> None:
    log: list[Any] = []

    async def late() -> None:
        app.background(log.append, "from a job")

    async def controller(request: Any) -> str:
        app.background(late)
        return "x"

    app = Application([Route("/", controller)])

    async def both() -> None:
        app.background(log.append, "alone")
        await call(app, [])
        await stop(app)
        await stop(app)

    asyncio.run(both())
    assert sorted(log) == ["alone", "from a job"]
