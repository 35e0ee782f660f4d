import asyncio
import logging
from typing import Any

import pytest

from atlas.errors import LifespanError
from atlas.gateway.mounted_lifespan import MountedLifespan


def application(*answers: dict[str, Any], log: list[str] | None = None) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        for answer in answers:
            event = await receive()
            if log is not None:
                log.append(event["type"])
            scope["state"]["seen"] = True
            await send(answer)

    return app


STARTED = {"type": "lifespan.startup.complete"}
STOPPED = {"type": "lifespan.shutdown.complete"}


def test_start_and_stop() -> None:
    log: list[str] = []
    state: dict[str, Any] = {}

    async def run() -> None:
        lifespan = MountedLifespan(application(STARTED, STOPPED, log=log), state)
        await lifespan.start()
        assert log == ["lifespan.startup"]
        await lifespan.stop()

    asyncio.run(run())
    assert log == ["lifespan.startup", "lifespan.shutdown"]
    assert state == {"seen": True}


def test_failures_are_raised() -> None:
    async def run() -> None:
        with pytest.raises(LifespanError, match="no database"):
            await MountedLifespan(
                application({"type": "lifespan.startup.failed", "message": "no database"}), {}
            ).start()
        lifespan = MountedLifespan(application(STARTED, {"type": "lifespan.shutdown.failed"}), {})
        await lifespan.start()
        with pytest.raises(LifespanError, match="a mounted application failed to stop"):
            await lifespan.stop()

    asyncio.run(run())


def test_an_application_without_a_lifespan_starts(caplog: pytest.LogCaptureFixture) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise RuntimeError("http only")

    async def run() -> None:
        lifespan = MountedLifespan(app, {})
        await lifespan.start()
        await lifespan.stop()

    with caplog.at_level(logging.INFO):
        asyncio.run(run())
    assert caplog.records == []


def test_one_that_ends_too_early_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send(STARTED)
        raise KeyError("x")

    async def run() -> None:
        lifespan = MountedLifespan(app, {})
        await lifespan.start()
        await asyncio.sleep(0)
        await lifespan.stop()

    asyncio.run(run())
    assert "the lifespan of the mounted application" in caplog.text


def test_what_was_never_started_needs_no_stop() -> None:
    asyncio.run(MountedLifespan(application(), {}).stop())


@pytest.mark.parametrize("failure", [SystemExit(3), GeneratorExit()], ids=repr)
@pytest.mark.parametrize("receives", [True, False])
def test_an_exit_of_the_startup_is_raised(failure: BaseException, receives: bool) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if receives:
            await receive()
        raise failure

    async def run() -> BaseException | None:
        try:
            await MountedLifespan(app, {}).start()
        except BaseException as error:
            return error
        return None

    assert asyncio.run(run()) is failure


def test_an_exception_after_the_event_is_a_failed_startup() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        raise OSError("no disk")

    with pytest.raises(LifespanError, match=r"(?s)startup of the mounted application .* failed:\nTraceback.*no disk$"):
        asyncio.run(MountedLifespan(app, {}).start())


def test_an_application_that_takes_the_event_for_a_request_has_no_lifespan() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        event = await receive()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"x-size", b"%d" % len(event["body"]))]})

    async def run() -> None:
        lifespan = MountedLifespan(app, {})
        await lifespan.start()
        await lifespan.stop()

    asyncio.run(run())
