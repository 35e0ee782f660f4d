from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
from msgspec import Struct

from atlas.web.asgi import DelegatedResponse
from atlas.web.controllers import check_callable, check_controller, controller_name, is_async, to_response
from atlas.web.responses.response import Response, TextResponse


@dataclass
class Point:
    x: int
    y: int


class Lake(Struct):
    name: str


class Names(dict[str, str]):
    pass


def home(request: Any) -> None: ...


async def later(request: Any) -> None: ...


async def application(scope: Any, receive: Any, send: Any) -> None: ...


class Callable:
    async def __call__(self, request: Any) -> None: ...


def test_what_is_async() -> None:
    assert is_async(later)
    assert is_async(partial(later))
    assert is_async(Callable())
    assert not is_async(home)
    assert not is_async(partial(home))


def test_names() -> None:
    assert controller_name(home) == "home"
    assert controller_name(partial(later)) == "later"
    assert controller_name(Callable()) == "Callable"


@pytest.mark.parametrize(
    "function", [home, lambda *all_of_it: None, lambda request, extra=1: None, partial(home), print]
)
def test_controllers_that_fit(function: Any) -> None:
    check_controller(function, 0)


@pytest.mark.parametrize(
    ("function", "parameters", "message"),
    [
        (lambda: None, 0, r"called with the request and 0 path parameters"),
        (home, 1, r"home\(request: Any\) -> None is called with the request and 1 path parameter$"),
        (lambda request, *, name: None, 1, "path parameter"),
        ("home", 0, "expected a function"),
        (Point, 1, "Point is a class"),
    ],
)
def test_controllers_that_cannot_work(function: Any, parameters: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_controller(function, parameters)


def test_other_functions_are_named_in_the_message() -> None:
    with pytest.raises(ValueError, match="the exception handler home.* is called with two things"):
        check_callable(home, 2, "exception handler", "two things")


@pytest.mark.parametrize(
    ("result", "status", "kind", "body"),
    [
        ("<p>", 200, "text/html; charset=utf-8", b"<p>"),
        ({"a": 1}, 200, "application/json", b'{"a":1}'),
        ([1, 2], 200, "application/json", b"[1,2]"),
        (Names(a="b"), 200, "application/json", b'{"a":"b"}'),
        (Point(1, 2), 200, "application/json", b'{"x":1,"y":2}'),
        (Lake("Como"), 200, "application/json", b'{"name":"Como"}'),
        (b"\0", 200, "application/octet-stream", b"\0"),
        ((None, 204), 204, None, b""),
        (("gone", 410), 410, "text/html; charset=utf-8", b"gone"),
        (({"id": 1}, 201, {"location": "/1"}), 201, "application/json", b'{"id":1}'),
        ((None, 201), 201, None, b""),
    ],
)
def test_conversions(result: Any, status: int, kind: str | None, body: bytes) -> None:
    response = to_response(result, home)
    assert (response.status_code, response.headers.get("content-type"), response.body) == (status, kind, body)


def test_the_headers_of_a_tuple() -> None:
    response = to_response(("x", 200, {"content-type": "text/plain", "x-a": "b"}), home)
    assert response.raw_headers == [(b"content-type", b"text/plain"), (b"x-a", b"b")]


def test_a_response_stays_what_it_is() -> None:
    response = TextResponse("x")
    assert to_response(response, home) is response
    assert to_response((response, 202), home).status_code == 202


def test_an_asgi_application_answers_itself() -> None:
    assert isinstance(to_response(application, home), DelegatedResponse)


@pytest.mark.parametrize("result", [1, 1.5, {1, 2}, object(), Point, Response, (1,), ("a", "b"), ("a", 1, {}, 2)])
def test_results_that_are_refused(result: Any) -> None:
    with pytest.raises(TypeError, match=r"the controller home \(.*test_controllers\.py:\d+\) returned a"):
        to_response(result, home)


def test_a_forgotten_await_is_named() -> None:
    with pytest.raises(TypeError, match="make it 'async def'"):
        to_response(later(None), home)
