"""A value that the client has not sent is its error, not one of the program: 400, and not 500."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from atlas import Application, AsyncRequest, MissingValue, MultiDict, Request, Route
from atlas.web.headers import Headers, MutableHeaders, RequestHeaders

Ask = Callable[..., httpx.Response]


def query(request: Request) -> str:
    return request.query["page"]


def form(request: Request) -> str:
    return request.form()["email"]


async def async_form(request: AsyncRequest) -> str:
    return (await request.form())["email"]


def files(request: Request) -> str:
    return request.files()["picture"].filename


def cookie(request: Request) -> str:
    return request.cookies["theme"]


def header(request: Request) -> str:
    return request.headers["X-Key"]


def caught(request: Request) -> Any:
    try:
        return request.query["page"]
    except KeyError:
        return f"{request.query.get('page', '1')} {'page' in request.query} {request.cookies.get('theme')}"


def own_mistake(request: Request) -> Any:
    return {"a": 1}["b"]


ROUTES = [
    Route(f"/{controller.__name__}", controller, ["GET", "POST"])
    for controller in (query, form, async_form, files, cookie, header, caught, own_mistake)
]
APP = Application(ROUTES)
PART = b'--B\r\ncontent-disposition: form-data; name="photo"; filename="a"\r\n\r\nx\r\n--B--\r\n'
MULTIPART = {"content-type": "multipart/form-data; boundary=B"}


@pytest.mark.parametrize(
    ("path", "options", "detail"),
    [
        ("/query", {}, "the query parameter 'page' is missing"),
        ("/query?pages=2", {}, "the query parameter 'page' is missing; there is 'pages'"),
        ("/form", {"data": {"emial": "a@example.org"}}, "the form field 'email' is missing; there is 'emial'"),
        ("/form", {"content": PART, "headers": MULTIPART}, "the form field 'email' is missing"),
        ("/async_form", {"data": {"name": "a"}}, "the form field 'email' is missing"),
        ("/files", {"content": PART, "headers": MULTIPART}, "the file 'picture' is missing"),
        ("/files", {"data": {"picture": "a.png"}}, "the file 'picture' is missing"),
        ("/cookie", {"headers": {"cookie": "them=dark"}}, "the cookie 'theme' is missing; there is 'them'"),
        ("/header", {"headers": {"x-keys": "1"}}, "the header field 'x-key' is missing; there is 'x-keys'"),
    ],
)
def test_a_missing_value_is_a_bad_request_that_names_it(ask: Ask, path: str, options: Any, detail: str) -> None:
    method = "POST" if "data" in options or "content" in options else "GET"
    response = ask(APP, method, path, **options)
    assert (response.status_code, response.json()["detail"]) == (400, detail)


def test_a_program_that_catches_a_key_error(ask: Ask) -> None:
    assert ask(APP, "GET", "/caught").text == "1 False None"


def test_a_mistake_of_the_program_is_a_500(ask: Ask) -> None:
    assert ask(APP, "GET", "/own_mistake").status_code == 500


def test_values_that_are_no_request_raise_a_key_error() -> None:
    for values in (MultiDict(), Headers(), MutableHeaders()):
        with pytest.raises(KeyError) as raised:
            values["a"]
        assert type(raised.value) is KeyError


def test_the_work_for_a_similar_name_is_bounded() -> None:
    names = [(f"name{number}", "1") for number in range(100_000)]
    with pytest.raises(MissingValue, match="the form field 'name100001' is missing; there is 'name1"):
        MultiDict(names, what="form field")["name100001"]


def test_fields_of_a_request() -> None:
    headers = RequestHeaders([(b"accept", b"a"), (b"accept", b"b")])
    assert (headers["Accept"], headers.get("Accept"), headers.get("x"), headers.get("x", "y")) == ("a", "a", None, "y")
