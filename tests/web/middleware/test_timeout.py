import asyncio
import logging
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from atlas import Application, AsyncRequest, Request, Route
from atlas.web.middleware.timeout import Timeout

Ask = Callable[..., httpx.Response]
SOON = 0.005


def site(middleware: Timeout) -> tuple[Application, list[str]]:
    ended: list[str] = []

    async def slow(request: AsyncRequest) -> str:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("slow")
        return "never"

    async def quick(request: AsyncRequest) -> str:
        return "quick"

    def blocking(request: Request) -> str:
        return "blocking"

    async def own(request: AsyncRequest) -> str:
        raise TimeoutError("the database")

    routes = [Route("/slow", slow), Route("/quick", quick), Route("/blocking", blocking), Route("/own", own)]
    return Application(routes, middleware=[middleware]), ended


def test_a_controller_that_waits_too_long_is_cancelled(ask: Ask, caplog: pytest.LogCaptureFixture) -> None:
    app, ended = site(Timeout(SOON))
    with caplog.at_level(logging.WARNING, "atlas.web"):
        response = ask(app, "GET", "/slow")
    assert (response.status_code, ended) == (503, ["slow"])
    assert "GET '/slow' took longer than 0.005 s" in caplog.text


def test_an_upstream_server_that_is_too_slow(ask: Ask) -> None:
    assert ask(site(Timeout(SOON, status_code=504))[0], "GET", "/slow").status_code == 504


def test_fast_controllers_are_not_cancelled(ask: Ask) -> None:
    app, _ = site(Timeout(30))
    assert [ask(app, "GET", path).text for path in ("/quick", "/blocking")] == ["quick", "blocking"]


def test_a_timeout_inside_the_controller_is_an_unhandled_exception(ask: Ask) -> None:
    assert ask(site(Timeout(30))[0], "GET", "/own").status_code == 500


def test_no_timeout_by_default(ask: Ask) -> None:
    assert ask(site(Timeout())[0], "GET", "/quick").text == "quick"


class _Route:
    timeout = SOON


def test_the_timeout_of_a_route_takes_precedence() -> None:
    async def forever(request: Any) -> Any:
        await asyncio.Event().wait()

    class _Request:
        route, method, path = _Route(), "GET", "/"

    for middleware in (Timeout(), Timeout(60)):
        with pytest.raises(Exception, match="503"):
            asyncio.run(middleware(_Request(), forever))  # type: ignore[arg-type]


def test_invalid_options() -> None:
    with pytest.raises(ValueError, match="above zero"):
        Timeout(0)
    with pytest.raises(ValueError, match="503 or 504"):
        Timeout(1, status_code=500)
