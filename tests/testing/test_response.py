import gzip

import pytest

from atlas.testing.response import HTTPStatusError, Response, ResponseHeaders, SentRequest, StreamedResponse
from atlas.testing.urls import URL

REQUEST = SentRequest("GET", URL("http://site.test/x"), ResponseHeaders(), b"q")


def response(body: bytes = b"", status: int = 200, *fields: tuple[bytes, bytes]) -> Response:
    return Response(REQUEST, status, ResponseHeaders(fields), body)


def streamed(*pieces: bytes, fields: tuple[tuple[bytes, bytes], ...] = ()) -> StreamedResponse:
    coming = iter(pieces)
    return StreamedResponse(REQUEST, 200, ResponseHeaders(fields), lambda: next(coming, None))


def test_headers() -> None:
    headers = ResponseHeaders([(b"a", b"1"), (b"b", b"2"), (b"a", b"3")])
    assert (headers["A"], headers.get("c"), headers.get_list("a")) == ("1, 3", None, ["1", "3"])
    assert headers.multi_items() == [("a", "1"), ("b", "2"), ("a", "3")]
    with pytest.raises(KeyError):
        headers["c"]


def test_the_body() -> None:
    found = response('{"a":"ü"}'.encode())
    assert (found.text, found.json(), found.read()) == ('{"a":"ü"}', {"a": "ü"}, found.content)
    assert list(found.iter_bytes(4)) == [b'{"a"', b':"\xc3\xbc', b'"}']
    assert list(response().iter_bytes()) == []
    assert (found.url, found.request.content, found.http_version) == ("http://site.test/x", b"q", "HTTP/1.1")


def test_the_charset_is_heard() -> None:
    found = response("ü".encode("latin-1"), 200, (b"content-type", b"text/plain; charset=latin-1"))
    assert (found.encoding, found.text) == ("latin-1", "ü")


def test_the_coding_is_taken_off() -> None:
    assert response(gzip.compress(b"x"), 200, (b"content-encoding", b"gzip")).content == b"x"


def test_its_cookies() -> None:
    assert response(b"", 200, (b"set-cookie", b"a=1; Path=/"), (b"set-cookie", b"b=2")).cookies == {"a": "1", "b": "2"}


@pytest.mark.parametrize(
    ("status", "kinds"),
    [(200, "success"), (302, "redirect"), (404, "client_error error"), (503, "server_error error")],
)
def test_kinds(status: int, kinds: str) -> None:
    found = response(b"", status)
    names = ("success", "redirect", "client_error", "server_error", "error")
    assert " ".join(name for name in names if getattr(found, f"is_{name}")) == kinds


def test_where_to_go_on() -> None:
    assert response(b"", 302, (b"location", b"/")).has_redirect_location
    assert not response(b"", 201, (b"location", b"/")).has_redirect_location
    assert not response(b"", 302).has_redirect_location


def test_raise_for_status() -> None:
    good = response()
    assert good.raise_for_status() is good
    with pytest.raises(HTTPStatusError, match="GET http://site.test/x: 404 Not Found: nope") as caught:
        response(b"nope", 404).raise_for_status()
    assert (caught.value.response.status_code, caught.value.request) == (404, REQUEST)


def test_repr() -> None:
    assert repr(response(b"", 413)) == "<Response [413 Content Too Large]>"
    assert repr(response(b"", 201)) == "<Response [201 Created]>"
    assert repr(response(b"", 299)) == "<Response [299 ]>"


def test_pieces_come_as_they_are_sent_or_in_one_size() -> None:
    assert list(streamed(b"abc", b"", b"d").iter_bytes()) == [b"abc", b"d"]
    assert list(streamed(b"abc", b"d", b"e").iter_bytes(2)) == [b"ab", b"cd", b"e"]


def test_a_coded_stream() -> None:
    whole = gzip.compress(b"one two")
    coded = ((b"content-encoding", b"gzip"),)
    assert b"".join(streamed(whole[:5], whole[5:], fields=coded).iter_bytes()) == b"one two"
    assert b"".join(streamed(whole[:5], whole[5:], fields=coded).iter_raw()) == whole


def test_text_and_lines_are_not_torn() -> None:
    encoded = "ü\nb\r\nc\rd".encode()
    pieces = [bytes([each]) for each in encoded]
    assert "".join(streamed(*pieces).iter_text()) == encoded.decode()
    assert list(streamed(*pieces).iter_lines()) == ["ü", "b", "c", "d"]
    assert list(streamed(b"\xc3").iter_text()) == ["\ufffd"]


def test_a_stream_has_no_content_until_it_is_read() -> None:
    found = streamed(b"a", b"b")
    with pytest.raises(RuntimeError, match=r"call read\(\) first"):
        _ = found.content
    assert (found.read(), found.content, found.read()) == (b"ab", b"ab", b"ab")
