"""The answer to what could not be read is a whole response: text, length, the server's own lines, and the end."""

from collections.abc import Callable

import pytest

from tests._speedups.fake_connection import FakeServer


@pytest.mark.parametrize(
    ("sent", "status", "text"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", b"400 Bad Request", b"An HTTP/1.1 request without Host.\n"),
        (b"GET / HTTP/3.0\r\n\r\n", b"505 HTTP Version Not Supported", b"An HTTP version other than 1.0 and 1.1.\n"),
        (b"BREW / HTTP/1.1\r\n\r\n", b"501 Not Implemented", b"A method that isn't known here.\n"),
    ],
)
def test_it_says_what_was_wrong(server: FakeServer, sent: bytes, status: bytes, text: bytes) -> None:
    connection = server.connect()
    connection.feed(sent)
    assert connection.transport.writes == [
        b"HTTP/1.1 " + status + b"\r\ncontent-type: text/plain; charset=utf-8\r\n"
        b"content-length: %d\r\nconnection: close\r\n\r\n%s" % (len(text), text)
    ]


def test_it_carries_the_servers_own_lines(new_server: Callable[..., FakeServer]) -> None:
    connection = new_server(server_header=True, date_header=True, headers=(("X-A", "1"),)).connect()
    connection.feed(b"\0")
    headers = connection.responses()[0][1]
    assert (headers[b"server"], headers[b"x-a"]) == (b"atlas", b"1")
    assert headers[b"date"].endswith(b" GMT")


def test_nothing_that_the_client_sent_comes_back(server: FakeServer) -> None:
    connection = server.connect()
    connection.feed(b"GET /<script> HTTP/1.1\r\nHost: <script>\r\n\r\n")
    assert connection.responses()[0][0] == 400
    assert b"<script>" not in connection.sent
