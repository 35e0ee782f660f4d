"""The lifespan: what an application may answer, what it may forget, and what the person at the terminal is told."""

import asyncio
import logging
import sys
from typing import Any

import pytest

from atlas.errors import LifespanError
from atlas.server.event_loop import loop_factory, run_main
from atlas.server.lifespan import Lifespan


async def good(scope: Any, receive: Any, send: Any) -> None:
    assert (await receive())["type"] == "lifespan.startup"
    scope["state"]["database"] = "open"
    await send({"type": "lifespan.startup.complete"})
    assert (await receive())["type"] == "lifespan.shutdown"
    scope["state"]["database"] = "closed"
    await send({"type": "lifespan.shutdown.complete"})


async def without(scope: Any, receive: Any, send: Any) -> None:
    assert scope["type"] == "http"


async def returning(scope: Any, receive: Any, send: Any) -> None:
    return


async def answering_anything(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": []})


async def expecting_a_request(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.body", "body": (await receive())["body"]})


async def refusing(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "lifespan.startup.failed", "message": "the database is away"})


async def raising(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    raise OSError("no disk")


async def up_and_down(app: Any, mode: Any, seconds: float = 30.0) -> Lifespan:
    lifespan = Lifespan(app, mode)
    await lifespan.startup()
    await lifespan.shutdown(seconds)
    return lifespan


@pytest.mark.parametrize("mode", ["auto", "on"])
def test_state_is_what_the_application_left_while_it_started(mode: Any) -> None:
    async def main() -> None:
        lifespan = Lifespan(good, mode)
        assert lifespan.state is None
        await lifespan.startup()
        state = lifespan.state
        assert state == {"database": "open"}
        await lifespan.shutdown(30)
        assert state == {"database": "closed"}

    asyncio.run(main())


@pytest.mark.parametrize("app", [without, returning, answering_anything, expecting_a_request])
def test_an_application_without_one_is_served_by_auto_but_not_by_on(app: Any) -> None:
    async def main() -> None:
        lifespan = Lifespan(app, "auto")
        await lifespan.startup()
        assert lifespan.state is None
        await lifespan.shutdown(30)
        with pytest.raises(LifespanError, match="--lifespan on requires"):
            await up_and_down(app, "on")

    asyncio.run(main())


def test_off_never_asks() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError("it was asked")

    lifespan = asyncio.run(up_and_down(app, "off"))
    assert lifespan.state is None


@pytest.mark.parametrize("mode", ["auto", "on"])
@pytest.mark.parametrize(("app", "message"), [(refusing, "^the database is away$"), (raising, "OSError: no disk$")])
def test_a_refusal_is_the_applications_own_words(app: Any, message: str, mode: Any) -> None:
    with pytest.raises(LifespanError, match=message):
        asyncio.run(up_and_down(app, mode))


def test_a_shutdown_that_fails_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.failed", "message": "the queue is not empty"})

    with caplog.at_level(logging.ERROR, "atlas.server"):
        asyncio.run(up_and_down(app, "auto"))
    assert "the queue is not empty" in caplog.text


def test_a_shutdown_that_hangs_is_given_up(caplog: pytest.LogCaptureFixture) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await asyncio.Event().wait()

    with caplog.at_level(logging.ERROR, "atlas.server"):
        asyncio.run(up_and_down(app, "auto", seconds=0.01))
    assert "and was cancelled" in caplog.text


def test_an_event_out_of_turn_is_the_applications_mistake() -> None:
    seen = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        try:
            await send({"type": "lifespan.startup.complete"})
        except RuntimeError as error:
            seen.append(str(error))
        await receive()

    asyncio.run(up_and_down(app, "auto"))
    assert seen == ["expected no 'lifespan.startup.complete' in a lifespan that is running"]


class Stop(BaseException):
    """An exception of an application that ``except Exception`` does not catch."""


@pytest.mark.parametrize("before", [False, True], ids=["after the event", "before the event"])
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@pytest.mark.parametrize("code", ["no database", 5, None])
def test_an_exit_of_the_startup_is_that_of_the_server(
    code: Any, loop: str, before: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if not before:
            await receive()
        sys.exit(code)

    with caplog.at_level(logging.ERROR, "atlas.server"), pytest.raises(SystemExit) as raised:
        run_main(up_and_down(app, "auto"), loop_factory(loop))
    assert raised.value.code == code
    assert f"the application's startup called sys.exit({code!r}) ({__file__}:" in caplog.text


@pytest.mark.parametrize("before", [False, True], ids=["after the event", "before the event"])
def test_any_other_exception_of_the_startup_stops_the_start(before: bool) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if not before:
            await receive()
        raise Stop("no database")

    with pytest.raises(LifespanError, match=r"^the application's startup raised Stop: no database$"):
        asyncio.run(up_and_down(app, "auto"))


def test_an_exit_after_a_refusal_is_an_exit() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no database"})
        sys.exit(7)

    with pytest.raises(SystemExit) as raised:
        asyncio.run(up_and_down(app, "auto"))
    assert raised.value.code == 7


def test_an_exit_of_the_shutdown_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        sys.exit(1)

    with caplog.at_level(logging.ERROR, "atlas.server"):
        run_main(up_and_down(app, "auto"), asyncio.new_event_loop)
    assert "exception in the application's lifespan" in caplog.text


def test_a_startup_that_is_cancelled_cancels_the_application() -> None:
    seen: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            seen.append("cleaned up")

    async def main() -> None:
        lifespan = Lifespan(app, "auto")
        startup = asyncio.ensure_future(lifespan.startup())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not lifespan.is_running_code()
        startup.cancel()
        await asyncio.wait({startup})
        assert startup.cancelled()
        assert seen == ["cleaned up"]

    asyncio.run(main())
