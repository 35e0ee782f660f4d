"""The attributes of a request that do not need its body."""

from typing import Any

import pytest

from atlas import Application, AsyncRequest, BadRequest, Request, Route
from atlas.web.requests.request_head import RequestHead


def whole(**scope: Any) -> RequestHead:
    """A request without an application."""

    async def receive() -> Any:
        raise AssertionError("the body is not needed")

    values = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": [], **scope}
    return RequestHead(Application(), values, receive)


def test_attributes_of_a_scope() -> None:
    request = whole(
        method="POST",
        path="/a b",
        raw_path=b"/a%20b?x",
        query_string=b"x=1&x=2",
        scheme="https",
        http_version="2",
        client=("10.0.0.1", 5),
        headers=[(b"host", b"site.test:8443"), (b"cookie", b"a=1"), (b"content-type", b"text/plain")],
    )
    assert (request.method, request.path, request.raw_path) == ("POST", "/a b", b"/a%20b")
    assert request.url == "https://site.test:8443/a%20b?x=1&x=2"
    assert (request.scheme, request.is_secure, request.host) == ("https", True, "site.test:8443")
    assert (request.http_version, request.client, request.ip) == ("2", ("10.0.0.1", 5), "10.0.0.1")
    assert request.query.get_all("x") == ["1", "2"]
    assert request.query_params is request.query
    assert request.cookies == {"a": "1"}
    assert request.content_type == "text/plain"
    assert repr(request) == "<RequestHead POST /a b>"


def test_defaults_of_a_scope() -> None:
    request = whole(path="/ü")
    assert (request.raw_path, request.host, request.url) == (b"/%C3%BC", "localhost", "http://localhost/%C3%BC")
    assert (request.client, request.ip, request.content_length, request.path_params) == (None, None, None, {})
    assert whole(server=("1.2.3.4", 80)).host == "1.2.3.4:80"
    assert whole(server=("/run/socket", None)).host == "/run/socket"


@pytest.mark.parametrize(
    ("value", "length"), [(b"12", 12), (b"-1", None), (b"1 2", None), (b"9" * 20, None), (b"", None)]
)
def test_content_length(value: bytes, length: int | None) -> None:
    assert whole(headers=[(b"content-length", value)]).content_length == length


def test_state_is_that_of_the_scope() -> None:
    scope: dict[str, Any] = {"state": {"pool": 1}}
    request = whole(**scope)
    request.state.user = 2
    assert (request.state.pool, scope["state"]) == (1, {"pool": 1, "user": 2})
    assert len(whole().state) == 0


def test_accepts() -> None:
    request = whole(headers=[(b"accept", b"text/html, application/json;q=0.5")])
    assert request.accepts("application/json", "text/html") == "text/html"
    assert request.accepts("image/png") is None


def test_urls() -> None:
    app = Application([Route("/lakes/{slug}", lambda request, slug: None, name="lake")])
    scope = {"type": "http", "method": "GET", "path": "/", "root_path": "/my site", "headers": [(b"host", b"a.test")]}
    request = Request(app, scope, lambda: None)  # type: ignore[arg-type, return-value]
    assert request.url_for("lake", slug="como") == "/my%20site/lakes/como"
    assert request.url_for("lake", absolute=True, slug="como") == "http://a.test/my%20site/lakes/como"


def test_what_middleware_adds() -> None:
    request = whole()
    assert (request.user, request.id) == (None, None)
    with pytest.raises(RuntimeError, match="no Sessions middleware"):
        _ = request.session
    request.user, request.id, request.session = "joe", "7", {"a": 1}
    other = request.as_type(AsyncRequest)
    assert (other.user, other.id, other.session) == ("joe", "7", {"a": 1})


def test_nothing_is_parsed_before_it_is_asked_for() -> None:
    request = whole(query_string=b"&" * 1000, headers=[(b"cookie", b"a=\x00"), (b"accept", b";;;")])
    for name in ("query", "cookies"):
        with pytest.raises(BadRequest):
            getattr(request, name)


@pytest.mark.parametrize(
    ("path", "root_path", "inner"),
    [
        ("/shop/hooks", "/shop", "/hooks"),
        ("/shop", "/shop", "/"),
        ("/shop/", "/shop", "/"),
        ("/shopping", "/shop", "/shopping"),
        ("/hooks", "/shop", "/hooks"),
        ("/hooks", "", "/hooks"),
    ],
)
def test_the_path_is_that_within_the_application(path: str, root_path: str, inner: str) -> None:
    scope = {"type": "http", "method": "GET", "path": path, "root_path": root_path, "headers": []}
    request = Request(Application(), scope, None)  # type: ignore[arg-type]
    assert (request.path, request.full_path) == (inner, path)
