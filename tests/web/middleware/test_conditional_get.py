from collections.abc import Callable
from typing import Any

import httpx
import pytest

from atlas import Application, Request, Response, Route, StreamingResponse
from atlas.web.middleware.conditional_get import ConditionalGet

Ask = Callable[..., httpx.Response]
EARLY, LATE = "Wed, 02 Jan 2030 03:04:05 GMT", "Wed, 02 Jan 2030 03:04:06 GMT"


def site(make: Callable[[], Any], **options: Any) -> Application:
    def page(request: Request) -> Any:
        return make()

    return Application([Route("/", page, ["GET", "POST"])], middleware=[ConditionalGet(**options)])


def page() -> Response:
    return Response("page", headers={"x-a": "b", "cache-control": "max-age=9"})


def test_a_response_gets_a_tag(ask: Ask) -> None:
    one, two = ask(site(page), "GET", "/"), ask(site(page), "GET", "/")
    assert one.headers["etag"] == two.headers["etag"]
    assert one.headers["etag"] != ask(site(lambda: "other"), "GET", "/").headers["etag"]
    assert (one.status_code, one.text) == (200, "page")


@pytest.mark.parametrize("form", ["{}", "W/{}", '"x,y", {} ,"z"', "*", "W/{},"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_client_with_the_response_gets_304(ask: Ask, form: str, method: str) -> None:
    tag = ask(site(page), "GET", "/").headers["etag"]
    response = ask(site(page), method, "/", headers={"if-none-match": form.format(tag)})
    assert (response.status_code, response.content, response.headers["etag"]) == (304, b"", tag)
    assert (response.headers["x-a"], response.headers["cache-control"]) == ("b", "max-age=9")
    assert "content-type" not in response.headers
    assert "content-length" not in response.headers


@pytest.mark.parametrize("wanted", ['"x"', "", "{}", 'W/"'])
def test_a_client_with_another_response_gets_it(ask: Ask, wanted: str) -> None:
    tag = ask(site(page), "GET", "/").headers["etag"].strip('"')
    assert ask(site(page), "GET", "/", headers={"if-none-match": wanted.format(tag)}).status_code == 200


def test_a_tag_of_the_controller_is_used(ask: Ask) -> None:
    app = site(lambda: Response("page", headers={"etag": 'W/"v1"'}))
    assert ask(app, "GET", "/").headers["etag"] == 'W/"v1"'
    assert ask(app, "GET", "/", headers={"if-none-match": '"v1"'}).status_code == 304


@pytest.mark.parametrize(
    ("since", "status"), [(EARLY, 304), (LATE, 304), ("Tue, 01 Jan 2030 00:00:00 GMT", 200), ("x", 200)]
)
def test_by_date(ask: Ask, since: str, status: int) -> None:
    app = site(lambda: Response("page", headers={"last-modified": EARLY}))
    assert ask(app, "GET", "/", headers={"if-modified-since": since}).status_code == status


def test_a_tag_takes_precedence_over_a_date(ask: Ask) -> None:
    app = site(lambda: Response("page", headers={"last-modified": EARLY}))
    headers = {"if-none-match": '"other"', "if-modified-since": LATE}
    assert ask(app, "GET", "/", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "make",
    [
        lambda: ("page", 201),
        lambda: ("page", 404),
        lambda: StreamingResponse(["page"]),
        lambda: Response("page", headers={"cache-control": "no-store"}),
        lambda: Response("page" * 1000),
    ],
)
def test_responses_without_a_tag(ask: Ask, make: Callable[[], Any]) -> None:
    assert "etag" not in ask(site(make, limit=100), "GET", "/").headers


def test_a_post_is_not_conditional(ask: Ask) -> None:
    response = ask(site(page), "POST", "/", headers={"if-none-match": "*"})
    assert (response.status_code, "etag" in response.headers) == (200, False)


def test_invalid_options() -> None:
    with pytest.raises(ValueError, match="ConditionalGet: limit: expected 0 or more"):
        ConditionalGet(limit=-1)
    with pytest.raises(TypeError, match="ConditionalGet: limit"):
        ConditionalGet(limit="1")  # type: ignore[arg-type]
