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

    def plain(request: Request) -> str:
        return "plain"

    async def own(request: AsyncRequest) -> str:
        raise TimeoutError("the database")

    routes = [Route("/slow", slow), Route("/quick", quick), Route("/plain", plain), Route("/own", own)]
    return Application(routes, middleware=[middleware]), ended


def test_a_controller_that_waits_too_long_is_cancelled(ask: Ask, caplog: pytest.LogCaptureFixture) -> None:
    app, ended = site(Timeout(SOON))
    with caplog.at_level(logging.WARNING, "atlas.web"):
        response = ask(app, "GET", "/slow")
    assert (response.status_code, ended) == (503, ["slow"])
    assert "GET '/slow' took longer than 0.005 s" in caplog.text


def test_the_server_behind_was_too_slow(ask: Ask) -> None:
    assert ask(site(Timeout(SOON, status_code=504))[0], "GET", "/slow").status_code == 504


def test_quick_ones_are_not_disturbed(ask: Ask) -> None:
    app, _ = site(Timeout(30))
    assert [ask(app, "GET", path).text for path in ("/quick", "/plain")] == ["quick", "plain"]


def test_a_time_out_of_the_controller_s_own_is_an_error_like_others(ask: Ask) -> None:
    assert ask(site(Timeout(30))[0], "GET", "/own").status_code == 500


def test_without_a_time_nothing_is_timed(ask: Ask) -> None:
    assert ask(site(Timeout())[0], "GET", "/quick").text == "quick"


class _Route:
    timeout = SOON


def test_a_route_s_own_time_counts() -> None:
    async def forever(request: Any) -> Any:
        await asyncio.Event().wait()

    class _Request:
        route, method, path = _Route(), "GET", "/"

    for middleware in (Timeout(), Timeout(60)):
        with pytest.raises(Exception, match="503"):
            asyncio.run(middleware(_Request(), forever))  # type: ignore[arg-type]


def test_what_cannot_be() -> None:
    with pytest.raises(ValueError, match="above zero"):
        Timeout(0)
    with pytest.raises(ValueError, match="503 or 504"):
        Timeout(1, status_code=500)
