import base64
import hashlib
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from atlas import Application, NotFound, Request, Route, Unauthorized
from atlas.web.errors.pages import error_response, is_error_policy

Answered = Callable[..., httpx.Response]
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


@pytest.mark.parametrize("accept", [None, "*/*", "application/json", "application/problem+json", "image/png"])
def test_programs_get_a_problem(accept: str | None) -> None:
    response = error_response(accept, NotFound("no such lake"))
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["vary"] == "accept"
    assert json.loads(response.body) == {"title": "Not Found", "status": 404, "detail": "no such lake"}


def test_browsers_get_an_escaped_page() -> None:
    response = error_response(BROWSER, NotFound("<script>"))
    page = response.body.decode()
    assert (response.status_code, response.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "&lt;script&gt;" in page
    assert "<script>" not in page
    assert "<title>404 Not Found</title>" in page


def test_without_a_detail_the_page_says_what_the_status_means() -> None:
    assert "There is nothing at this address." in error_response(BROWSER, NotFound()).body.decode()


def test_headers_of_the_error_are_sent() -> None:
    error = Unauthorized(headers={"www-authenticate": "Basic"})
    assert error_response(None, error).headers["www-authenticate"] == "Basic"


def boom(request: Request) -> None:
    raise RuntimeError("<secret>")


@pytest.fixture
def answered(ask: Callable[..., httpx.Response]) -> Answered:
    def answer(accept: str, path: str = "/", *, debug: bool) -> httpx.Response:
        return ask(Application([Route("/", boom)], debug=debug), "GET", path, headers={"accept": accept})

    return answer


def test_an_unhandled_exception_shows_no_details(answered: Answered) -> None:
    page, problem = answered(BROWSER, debug=False), answered("*/*", debug=False)
    assert (page.status_code, problem.json()) == (500, {"title": "Internal Server Error", "status": 500})
    for word in ("RuntimeError", "secret", "Traceback", "boom", ".py"):
        assert word not in page.text


def test_debug_shows_the_traceback(answered: Answered) -> None:
    page, problem = answered(BROWSER, debug=True), answered("*/*", debug=True)
    assert "&lt;secret&gt;" in page.text
    assert "<secret>" not in page.text
    assert problem.headers["content-type"] == "application/problem+json"
    assert problem.json()["exception"] == "RuntimeError: <secret>"
    assert problem.json()["traceback"][-1] == "RuntimeError: <secret>"
    assert page.headers["vary"] == problem.headers["vary"] == "accept"


def test_only_debug_shows_the_routes_of_a_404(answered: Answered) -> None:
    assert "boom" in answered(BROWSER, "/nowhere", debug=True).text
    assert "boom" not in answered(BROWSER, "/nowhere", debug=False).text
    assert "boom" not in answered("*/*", "/nowhere", debug=True).text


class Evil:
    """Raises for every attribute."""

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError("no")

    def __repr__(self) -> str:
        raise RuntimeError("no")


class Silent(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no")


class Odd(Exception):
    __notes__ = 5


@pytest.mark.parametrize("accept", [BROWSER, "*/*"])
@pytest.mark.parametrize("make", [Silent, Odd, lambda: ValueError("\ud800")])
def test_objects_that_raise_when_examined_are_answered(
    ask: Callable[..., httpx.Response], accept: str, make: Callable[[], Exception]
) -> None:
    def fail(request: Request) -> None:
        evil = [Evil()]
        _evil_too, *_ = evil
        raise make()

    response = ask(Application([Route("/", fail)], debug=True), "GET", "/", headers={"accept": accept})
    assert response.status_code == 500
    assert "fail" in response.text


def test_a_debug_page_that_fails_is_a_500(answered: Answered, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(error: Exception) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr("atlas.web.errors.debug_page.examine", broken)
    assert answered(BROWSER, debug=True).status_code == 500


@pytest.mark.parametrize("accept", [BROWSER, "*/*"])
def test_a_detail_with_a_lone_surrogate(accept: str) -> None:
    assert b"lake \\ud800" in error_response(accept, NotFound("lake \ud800")).body.replace(b"\\\\", b"\\")


@pytest.mark.parametrize("debug", [True, False])
def test_the_policy_of_a_page_allows_only_its_style(answered: Answered, debug: bool) -> None:
    response = answered(BROWSER, debug=debug)
    style = response.text.partition("<style>")[2].partition("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = response.headers["content-security-policy"]
    assert is_error_policy(policy)
    assert not is_error_policy("default-src 'none'")
    assert policy.startswith(f"default-src 'none'; style-src 'sha256-{digest}'")
    assert " style=" not in response.text
