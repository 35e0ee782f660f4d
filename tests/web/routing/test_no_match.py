from collections.abc import Callable
from typing import Any

import httpx
import pytest

from atlas import Application, Route

Ask = Callable[..., httpx.Response]


def page(request: Any) -> str:
    return "page"


APP = Application([Route("/a", page, ["GET", "POST"]), Route("/b/", page)])


def test_an_unknown_path_is_404(ask: Ask) -> None:
    response = ask(APP, "GET", "/c")
    assert (response.status_code, response.headers.get("allow")) == (404, None)


def test_another_method_is_405_with_allow(ask: Ask) -> None:
    response = ask(APP, "DELETE", "/a")
    assert (response.status_code, response.headers["allow"]) == (405, "GET, HEAD, OPTIONS, POST")


def test_options_are_204_with_allow(ask: Ask) -> None:
    response = ask(APP, "OPTIONS", "/a")
    assert (response.status_code, response.headers["allow"], response.content) == (204, "GET, HEAD, OPTIONS, POST", b"")
    assert "content-type" not in response.headers


@pytest.mark.parametrize(("path", "to"), [("/a/", "../a"), ("/b", "./b/"), ("/b?x=1&y=%20", "./b/?x=1&y=%20")])
def test_the_other_slash_is_a_relative_redirect(ask: Ask, path: str, to: str) -> None:
    response = ask(APP, "GET", path)
    assert (response.status_code, response.headers["location"]) == (308, to)


def test_a_request_with_a_body_is_404_too(ask: Ask) -> None:
    assert ask(APP, "POST", "/c", content=b"x").status_code == 404


def test_middleware_sees_the_response(ask: Ask) -> None:
    def note(request: Any, call_next: Any) -> Any:
        response = call_next(request)
        response.headers["x-seen"] = str(response.status_code)
        return response

    app = Application([Route("/a", page)], middleware=[note])
    assert ask(app, "GET", "/c").headers["x-seen"] == "404"
    assert ask(app, "PUT", "/a").headers["x-seen"] == "405"
