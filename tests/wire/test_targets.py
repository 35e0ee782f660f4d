"""Request targets: origin-form, absolute-form, and what is no target (RFC 9112, 3.2)."""

from __future__ import annotations

from typing import Any

import pytest

from .wire_server import WireServer, post, request_bytes


def get(target: bytes, *fields: bytes, method: bytes = b"GET") -> bytes:
    return request_bytes(*fields, line=method + b" " + target + b" HTTP/1.1")


@pytest.mark.parametrize(
    "target",
    [
        b"foo",
        b"foo/bar",
        b"?a=b",
        b"#",
        b"a:80",
        b"*",
        b"/a#b",
        b"/a?b#c",
        b"/#",
        b"/\xc3\xa4",
        b"/\xff",
        b"/a?\xe4",
        b"/a\0b",
        b"/a\x01",
        b"/a\x7f",
        b"/a\tb",
        b"/a\x0bb",
        b"/a\x0cb",
        b"/a b",
        b"/a\rb",
        b"/a\nb",
        b"/a?b\x1f",
        b"**",
        b"*/",
    ],
)
def test_malformed_target_is_refused(delivered: WireServer, target: bytes) -> None:
    assert delivered.refused(get(target)) == 400


@pytest.mark.parametrize("target", [b"*a", b"*?a", b"a"])
def test_malformed_target_of_options_is_refused(delivered: WireServer, target: bytes) -> None:
    assert delivered.refused(get(target, method=b"OPTIONS")) == 400


@pytest.mark.parametrize("version", [b"1.1", b"1.0"])
def test_asterisk_with_options_is_answered_by_the_server(delivered: WireServer, version: bytes) -> None:
    before = delivered.app.calls
    with delivered.connect() as client:
        client.send(request_bytes(line=b"OPTIONS * HTTP/" + version))
        answer = client.response("OPTIONS")
        assert (answer.status, answer.body, answer.closes) == (204, b"", version == b"1.0")
        if not answer.closes:
            client.send(post(b"Content-Length: 5", body=b"hello", line=b"OPTIONS * HTTP/1.1") + get(b"/next"))
            assert client.response("OPTIONS").status == 204
            assert client.response().json()["path"] == "/next"
    assert delivered.app.calls == before + (not answer.closes)


def test_asterisk_with_options_goes_to_an_application_that_wants_it(own: Any) -> None:
    answer = own(options_asterisk=False).exchange(get(b"*", method=b"OPTIONS"), "OPTIONS")
    assert answer.status == 200
    assert (answer.json()["path"], answer.json()["raw_path"]) == ("*", "*")


@pytest.mark.parametrize(
    ("target", "path", "raw_path", "query"),
    [
        (b"/", "/", "/", ""),
        (b"/a/b", "/a/b", "/a/b", ""),
        (b"/a?b=c&d", "/a", "/a", "b=c&d"),
        (b"/?", "/", "/", ""),
        (b"/?a?b", "/", "/", "a?b"),
        (b"/a%20b", "/a b", "/a%20b", ""),
        (b"/a%2Fb", "/a/b", "/a%2Fb", ""),
        (b"/a%3Fb", "/a?b", "/a%3Fb", ""),
        (b"/%c3%A4", "/\xe4", "/%c3%A4", ""),
        (b"/%25", "/%", "/%25", ""),
        (b"/%2525", "/%25", "/%2525", ""),
        (b"/%00", "/\0", "/%00", ""),
        (b"/%", "/%", "/%", ""),
        (b"/%4", "/%4", "/%4", ""),
        (b"/%zz", "/%zz", "/%zz", ""),
        (b"/%E2%82%AC?%E2%82%AC", "/\u20ac", "/%E2%82%AC", "%E2%82%AC"),
        (b"/+", "/+", "/+", ""),
        (b"//a", "//a", "//a", ""),
        (b"//a/b?c", "//a/b", "//a/b", "c"),
        (b"/a/../b", "/a/../b", "/a/../b", ""),
        (b"/a;b=c", "/a;b=c", "/a;b=c", ""),
        (b"/http://a/b", "/http://a/b", "/http://a/b", ""),
        (b"/!$&'()*+,-.:;=@_~", "/!$&'()*+,-.:;=@_~", "/!$&'()*+,-.:;=@_~", ""),
    ],
)
def test_origin_form(delivered: WireServer, target: bytes, path: str, raw_path: str, query: str) -> None:
    told = delivered.exchange(get(target)).json()
    assert (told["path"], told["raw_path"], told["query_string"]) == (path, raw_path, query)


@pytest.mark.parametrize("target", [b"/%ff", b"/%c3", b"/%c3%28", b"/%ed%a0%80", b"/%c0%af"])
def test_percent_encoding_that_is_no_utf_8_keeps_raw_path_and_never_fails(delivered: WireServer, target: bytes) -> None:
    answer = delivered.exchange(get(target))
    assert answer.status in (200, 400)
    if answer.status == 200:
        assert answer.json()["raw_path"] == target.decode()
        assert answer.json()["path"] not in ("//", "/")


@pytest.mark.parametrize(
    ("target", "host", "raw_path", "query"),
    [
        (b"http://other.example/x?y", "other.example", "/x", "y"),
        (b"http://other.example", "other.example", "/", ""),
        (b"http://other.example/", "other.example", "/", ""),
        (b"http://other.example?y", "other.example", "/", "y"),
        (b"http://other.example:8080/x", "other.example:8080", "/x", ""),
        (b"HTTP://other.example/x", "other.example", "/x", ""),
        (b"https://other.example/x", "other.example", "/x", ""),
        (b"http://[::1]:80/x", "[::1]:80", "/x", ""),
        (b"http://other.example//x", "other.example", "//x", ""),
        (b"http://other.example/a%2Fb?c%20d", "other.example", "/a%2Fb", "c%20d"),
    ],
)
def test_absolute_form_replaces_the_host(
    delivered: WireServer, target: bytes, host: str, raw_path: str, query: str
) -> None:
    answer = delivered.exchange(get(target, b"X: y"))
    assert answer.status == 200
    told = answer.json()
    assert [value for name, value in told["headers"] if name == "host"] == [host]
    assert ["x", "y"] in told["headers"]
    assert (told["raw_path"], told["query_string"]) == (raw_path, query)


def test_absolute_form_on_http_1_0_without_host(delivered: WireServer) -> None:
    answer = delivered.exchange(request_bytes(line=b"GET http://other.example/x HTTP/1.0", host=None))
    assert ["host", "other.example"] in answer.json()["headers"]


def test_absolute_form_does_not_stand_in_for_the_host(delivered: WireServer) -> None:
    assert delivered.refused(request_bytes(line=b"GET http://a/x HTTP/1.1", host=None)) == 400


@pytest.mark.parametrize(
    "target",
    [
        b"http://user@a/x",
        b"http://user:pw@a/x",
        b"http://@a/x",
        b"http://b%40@a/x",
        b"http://",
        b"http:///x",
        b"http://?x",
        b"http://:80/x",
        b"http://a b/x",
        b"http://a/x#y",
        b"http://a#y",
        b"http://a:port/x",
        b"http://[::1/x",
        b"http://a\\b/x",
        b'http://a"b/x',
        b"http://a%zz/x",
        b"http://\xc3\xa4/x",
        b"http:/a",
        b"http:a",
        b"://a/x",
    ],
)
def test_malformed_absolute_form_is_refused(delivered: WireServer, target: bytes) -> None:
    assert delivered.refused(get(target)) == 400
