import pytest

from atlas._speedups.http.request_head import RequestHead
from tests._speedups.parsing import parse, request

GET = b"GET /a%20b?c=%20d HTTP/1.1\r\nHost: a\r\nX-A: 1\r\nx-a: 2\r\n\r\n"


def test_what_it_says() -> None:
    head = request(GET)
    assert (head.method, head.target, head.raw_path, head.query_string) == (
        "GET",
        b"/a%20b?c=%20d",
        b"/a%20b",
        b"c=%20d",
    )
    assert head.headers == [(b"host", b"a"), (b"x-a", b"1"), (b"x-a", b"2")]
    assert (head.http_version, head.http_10, head.keep_alive) == ("1.1", False, True)
    assert (head.has_body, head.content_length, head.expects_continue, head.upgrade) == (False, 0, False, None)


def test_a_body_that_is_announced() -> None:
    head = parse(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-Continue\r\n\r\n").heads[0]
    assert (head.has_body, head.content_length, head.expects_continue) == (True, 5, True)
    head = parse(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n").heads[0]
    assert (head.has_body, head.content_length, head.expects_continue) == (True, -1, False)


def test_http_10() -> None:
    head = request(b"GET / HTTP/1.0\r\n\r\n")
    assert (head.http_version, head.http_10, head.keep_alive, head.headers) == ("1.0", True, False, [])


def test_it_shows_the_request_line() -> None:
    assert repr(request(GET)) == "<RequestHead GET /a%20b?c=%20d HTTP/1.1>"
    assert repr(request(b"OPTIONS * HTTP/1.0\r\n\r\n")) == "<RequestHead OPTIONS * HTTP/1.0>"


@pytest.mark.parametrize("name", ["method", "target", "headers", "content_length", "http_version", "keep_alive"])
def test_it_can_be_read_and_not_changed(name: str) -> None:
    head = request(GET)
    with pytest.raises(AttributeError):
        setattr(head, name, getattr(head, name))


def test_heads_of_one_reader_are_apart() -> None:
    first, second = parse(GET + b"PUT /b HTTP/1.0\r\nX: y\r\n\r\n").heads
    assert isinstance(first, RequestHead)
    assert (first.method, first.headers[0]) == ("GET", (b"host", b"a"))
    assert (second.method, second.headers, second.query_string) == ("PUT", [(b"x", b"y")], b"")
