from typing import Any

import pytest

from atlas import Application
from atlas._speedups.calls.request import RequestData
from atlas.web.requests.request import AsyncRequest, Request


async def receive() -> Any:
    return {"type": "http.request", "body": b"x"}


def view(**scope: Any) -> Request:
    scope = {"type": "http", "method": "GET", "path": "/a b", "headers": [(b"host", b"h")], **scope}
    return Request(Application(), scope, receive, None, (1, 2))


def test_attributes_are_read_from_a_scope() -> None:
    seen = view(query_string=b"a=1", scheme="https", root_path="/r", client=["10.0.0.1", 5], http_version="2")
    assert isinstance(seen, RequestData)
    assert (seen.method, seen.path, seen.raw_path, seen.query_string) == ("GET", "/a b", b"/a%20b", b"a=1")
    assert (seen.scheme, seen.root_path, seen.client, seen.http_version) == ("https", "/r", ("10.0.0.1", 5), "2")
    assert (seen._values, seen._receive, seen._fields) == ((1, 2), receive, [(b"host", b"h")])


def test_what_a_scope_may_leave_out() -> None:
    seen = view()
    assert (seen.query_string, seen.scheme, seen.root_path, seen.client, seen.http_version) == (
        b"",
        "http",
        "",
        None,
        "1.1",
    )


def test_a_raw_path_without_its_query() -> None:
    assert view(raw_path=b"/a%20b?x=1").raw_path == b"/a%20b"


def test_notes_and_state_are_in_the_scope() -> None:
    seen = view(state={"pool": 1})
    assert seen._notes is seen.scope
    assert seen._state is seen.scope["state"]
    bare = view()
    bare._state["a"] = 1
    assert bare.scope["state"] == {"a": 1}


@pytest.mark.parametrize(
    ("method", "fields", "announced"),
    [
        ("GET", [], False),
        ("HEAD", [(b"x", b"1")], False),
        ("GET", [(b"content-length", b"1")], True),
        ("GET", [(b"transfer-encoding", b"chunked")], True),
        ("POST", [], True),
    ],
)
def test_whether_a_body_may_come(method: str, fields: Any, announced: bool) -> None:
    assert view(method=method, headers=fields).may_have_body is announced


def test_another_type_is_the_same_request() -> None:
    seen = view()
    seen._cache.body = b"read"
    other = seen.as_type(AsyncRequest)
    assert type(other) is AsyncRequest
    assert (other.scope, other.app, other._body, other._values) == (seen.scope, seen.app, b"read", (1, 2))
    assert other._cache is seen._cache
    assert seen.as_type(Request) is seen


def test_types_share_the_cache() -> None:
    seen = view()
    other = seen.as_type(AsyncRequest)
    assert (seen._body, other._body) == (None, None)
    other._cache.body = b"read"
    assert (seen._body, seen._whole_body(0)) == (b"read", b"read")


def test_a_body_that_was_streamed_is_not_kept() -> None:
    seen = view()
    seen._cache.streamed = True
    assert (seen._body, seen._whole_body(10)) == (None, None)


def test_the_cache_is_typed() -> None:
    cache = view()._cache
    assert (cache.query, cache.cookies, cache.form, cache.body, cache.no_match) == (None,) * 5
    assert (cache.streamed, cache.disconnected) == (False, False)
    with pytest.raises(TypeError):
        cache.body = "text"  # type: ignore[assignment]
    with pytest.raises(AttributeError):
        cache.unknown = 1  # type: ignore[attr-defined]
    with pytest.raises(TypeError):
        view()._cache = None  # type: ignore[assignment]


def test_it_needs_a_scope() -> None:
    with pytest.raises(TypeError):
        RequestData(Application(), None, receive)  # type: ignore[arg-type]
