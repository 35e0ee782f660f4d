import json

import pytest

from atlas import BadRequest, HTTPException, NotFound, TooManyRequests, Unauthorized, abort
from atlas.web.errors import error_response, status_phrase

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


@pytest.mark.parametrize(("status", "kind"), [(400, BadRequest), (404, NotFound), (429, TooManyRequests)])
def test_abort_raises_the_class_of_a_status(status: int, kind: type[HTTPException]) -> None:
    with pytest.raises(kind) as caught:
        abort(status, "because", {"x-a": "b"})
    assert (caught.value.status_code, caught.value.detail, caught.value.headers) == (status, "because", {"x-a": "b"})


def test_abort_with_a_status_that_has_no_class() -> None:
    with pytest.raises(HTTPException, match="418 I'm a Teapot"):
        abort(418)


@pytest.mark.parametrize("status", [200, 302, 399, 600, 0])
def test_an_error_has_the_status_of_one(status: int) -> None:
    with pytest.raises(ValueError, match="expected a status from 400 to 599"):
        HTTPException(status)


def test_words() -> None:
    assert status_phrase(413) == "Content Too Large"
    assert status_phrase(404) == "Not Found"
    assert status_phrase(499) == "Error"
    assert str(NotFound("no such lake")) == "404 no such lake"


@pytest.mark.parametrize("accept", [None, "*/*", "application/json", "application/problem+json", "image/png"])
def test_programs_get_a_problem(accept: str | None) -> None:
    response = error_response(accept, NotFound("no such lake"))
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["vary"] == "accept"
    assert json.loads(response.body) == {"title": "Not Found", "status": 404, "detail": "no such lake"}


def test_browsers_get_a_page_in_which_nothing_is_markup() -> None:
    response = error_response(BROWSER, NotFound("<script>"))
    page = response.body.decode()
    assert (response.status_code, response.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "&lt;script&gt;" in page
    assert "<script>" not in page
    assert "<title>404 Not Found</title>" in page


def test_without_a_detail_the_page_says_what_the_status_means() -> None:
    assert "There is nothing at this address." in error_response(BROWSER, NotFound()).body.decode()


def test_headers_of_the_error_go_along() -> None:
    error = Unauthorized(headers={"www-authenticate": "Basic"})
    assert error_response(None, error).headers["www-authenticate"] == "Basic"


def test_a_traceback_is_shown_only_with_a_cause() -> None:
    try:
        raise RuntimeError("<secret>")
    except RuntimeError as error:
        page = error_response(BROWSER, HTTPException(500), cause=error).body.decode()
        problem = json.loads(error_response(None, HTTPException(500), cause=error).body)
    assert "RuntimeError: &lt;secret&gt;" in page
    assert problem["traceback"][-1] == "RuntimeError: <secret>"
    assert b"Traceback" not in error_response(BROWSER, HTTPException(500)).body


def test_a_problem_may_have_further_members() -> None:
    error = HTTPException(422, "wrong")
    error.members["errors"] = [{"pointer": "#/name"}]
    assert b'"errors":[{"pointer":"#/name"}]' in error_response(None, error).body
