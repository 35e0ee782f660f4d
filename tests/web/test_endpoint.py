import asyncio
import threading
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from atlas import Application, AsyncRequest, Middleware, Route
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


class Passes:
    """An ASGI middleware that passes everything on."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.app(scope, receive, send)


def passes(request: Any, call_next: Any) -> Any:
    return call_next(request)


class Looks:
    async def before(self, request: AsyncRequest) -> None:
        assert await request.body() is not None


@pytest.mark.parametrize("around", [[], [Middleware(Passes)], [passes], [Looks()], [Middleware(Passes), Looks()]])
@pytest.mark.parametrize("run", ["inline", "thread", "greenlet"])
@pytest.mark.parametrize("inside", [True, False])
def test_a_request_without_a_body_has_an_empty_one(ask: Ask, around: list[Any], run: Any, inside: bool) -> None:
    def everything(request: Any) -> Any:
        return [request.text(), request.form().pairs(), request.files().pairs(), [*request.stream()], request.body()]

    methods = ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "GET"]
    route = Route("/", everything, methods, run=run, middleware=around if inside else ())
    app = Application([route], middleware=() if inside else around)
    for method in methods:
        for headers in ({}, {"content-length": "0"}):
            response = ask(app, method, "/", headers=headers)
            assert (response.status_code, response.text) == (200, '["",[],[],[],""]'), method


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
