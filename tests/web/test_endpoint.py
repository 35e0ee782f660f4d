import asyncio
import threading
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from atlas import Application, Route
from atlas.gateway.greenlets import await_
from atlas.gateway.threads import ThreadPool
from atlas.web.endpoint import endpoint, endpoint_with_body
from atlas.web.error_handlers import ErrorHandlers
from atlas.web.middleware.chain import Colour

Ask = Callable[..., httpx.Response]


def controller(request: Any) -> str:
    return "x"


@pytest.mark.parametrize(
    ("run", "colour"),
    [("await", Colour.ASYNC), ("inline", Colour.PLAIN), ("greenlet", Colour.GREENLET), ("thread", Colour.ASYNC)],
)
def test_the_colour_of_a_call(run: str, colour: Colour) -> None:
    assert endpoint(controller, run, ErrorHandlers(debug=False), ThreadPool()).colour is colour
    with_body = Colour.ASYNC if run == "inline" else colour
    assert endpoint_with_body(controller, run, ErrorHandlers(debug=False), ThreadPool()).colour is with_body


def test_a_plain_controller_finds_its_body_read(ask: Ask) -> None:
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
