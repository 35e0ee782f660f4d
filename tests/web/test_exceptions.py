from typing import Any

import pytest

from atlas import (
    Application,
    BadRequest,
    HTTPException,
    NotFound,
    RedirectResponse,
    Request,
    Response,
    Route,
    TooManyRequests,
    Unauthorized,
    abort,
)
from atlas.web.exceptions import status_phrase


@pytest.mark.parametrize(("status", "kind"), [(400, BadRequest), (404, NotFound), (429, TooManyRequests)])
def test_abort_raises_the_class_of_a_status(status: int, kind: type[HTTPException]) -> None:
    with pytest.raises(kind) as caught:
        abort(status, "because", {"x-a": "b"})
    assert (caught.value.status_code, caught.value.detail, caught.value.headers) == (status, "because", {"x-a": "b"})


def test_abort_with_a_status_that_has_no_class() -> None:
    with pytest.raises(HTTPException, match="418 I'm a Teapot"):
        abort(418)


@pytest.mark.parametrize("status", [200, 302, 399, 600, 0])
def test_the_status_is_that_of_an_error(status: int) -> None:
    with pytest.raises(ValueError, match="expected a status from 400 to 599"):
        HTTPException(status)


def test_phrases() -> None:
    assert status_phrase(413) == "Content Too Large"
    assert status_phrase(404) == "Not Found"
    assert status_phrase(499) == "Error"
    assert str(NotFound("no such lake")) == "404 no such lake"


def test_a_mapping_as_the_detail_is_members_of_the_problem(ask: Any) -> None:
    def refuse(request: Request) -> None:
        raise HTTPException(400, {"code": "TAKEN", "detail": "the name is taken", "headers": 1, "status_code": 2})

    app = Application([Route("/", refuse)])
    problem = ask(app, "GET", "/").json()
    assert problem == {
        "title": "Bad Request",
        "status": 400,
        "detail": "the name is taken",
        "code": "TAKEN",
        "headers": 1,
        "status_code": 2,
    }
    assert "the name is taken" in ask(app, "GET", "/", headers={"accept": "text/html"}).text


@pytest.mark.parametrize("detail", [["a"], 5, ValueError("x"), b"x", {"detail": 5}])
def test_a_detail_that_is_no_text_is_refused_where_it_is_raised(detail: Any) -> None:
    with pytest.raises(TypeError, match="detail: expected a str or a mapping"):
        HTTPException(400, detail)
    with pytest.raises(TypeError, match="NotFound: detail"):
        NotFound(detail)
    with pytest.raises(ValueError, match="'status'"):
        HTTPException(400, {"status": "error"})


def test_fields_of_the_same_name_are_all_sent(ask: Any) -> None:
    challenges = [("www-authenticate", "Basic"), ("www-authenticate", "Bearer")]

    def refuse(request: Request) -> None:
        raise Unauthorized(headers=challenges)

    cookies = [("set-cookie", "a=1"), ("set-cookie", "b=2")]
    routes = [
        Route("/", refuse),
        Route("/response", lambda request: Response("x", 200, cookies), name="response"),
        Route("/tuple", lambda request: ("x", 200, cookies), name="tuple"),
        Route("/redirect", lambda request: RedirectResponse("/", headers=cookies), name="redirect"),
    ]
    for handlers in ({}, {401: lambda request, error: "no"}):
        response = ask(Application(routes, exception_handlers=handlers), "GET", "/")
        assert response.headers.get_list("www-authenticate") == ["Basic", "Bearer"]
    for path in ("/response", "/tuple", "/redirect"):
        assert ask(Application(routes), "GET", path).headers.get_list("set-cookie") == ["a=1", "b=2"]
