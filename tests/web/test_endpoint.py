import asyncio
import threading
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from atlas import Application, Route
from atlas._speedups.calls.handlers import RunMode
from atlas.gateway.greenlets import Greenlets, await_
from atlas.gateway.threads import ThreadPool
from atlas.web.endpoint import endpoint
from atlas.web.error_handlers import ErrorHandlers

Ask = Callable[..., httpx.Response]


def controller(request: Any) -> str:
    return "x"


@pytest.mark.parametrize(
    ("run", "inline", "run_mode"),
    [
        ("await", False, RunMode.ASYNC),
        ("inline", True, RunMode.INLINE),
        ("inline", False, RunMode.ASYNC),
        ("greenlet", False, RunMode.GREENLET),
        ("thread", False, RunMode.ASYNC),
    ],
)
def test_the_run_mode_of_a_controller(run: str, inline: bool, run_mode: RunMode) -> None:
    errors = ErrorHandlers(debug=False, greenlets=Greenlets())
    assert endpoint(controller, run, errors, ThreadPool(), inline=inline).run_mode is run_mode


def test_an_inline_controller_finds_its_body_read(ask: Ask) -> None:
    app = Application([Route("/", lambda request: request.body(), ["GET", "POST"])])
    assert ask(app, "POST", "/", content=b"abc").content == b"abc"
    assert ask(app, "GET", "/", content=b"abc").content == b"abc"
    assert ask(app, "GET", "/").content == b""


def test_in_a_thread_and_in_a_greenlet(ask: Ask) -> None:
    async def later() -> str:
        await asyncio.sleep(0)
        return "waited"

    def where(request: Any) -> Any:
        return {"thread": threading.current_thread() is not threading.main_thread(), "body": request.text()}

    def wait(request: Any) -> str:
        return await_(later()) + request.text()

    app = Application([Route("/thread", where, ["POST"], run="thread"), Route("/wait", wait, ["POST"], run="greenlet")])
    assert ask(app, "POST", "/thread", content=b"x").json() == {"thread": True, "body": "x"}
    assert ask(app, "POST", "/wait", content=b"x").text == "waitedx"
    everything = Application([Route("/", where)], config={"sync_mode": "thread"})
    assert ask(everything, "GET", "/").json()["thread"]


def test_a_route_may_have_a_timeout(ask: Ask) -> None:
    async def forever(request: Any) -> None:
        await asyncio.Event().wait()

    def patient(request: Any) -> None:
        await_(asyncio.Event().wait())

    app = Application([Route("/a", forever, timeout=0.01), Route("/b", patient, timeout=0.01)])
    assert ask(app, "GET", "/a").status_code == 503
    assert ask(app, "GET", "/b").status_code == 503
