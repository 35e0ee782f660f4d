"""The client that checks an answer before it is timed."""

from __future__ import annotations

import io
import socket
import threading

import pytest

from bench.side_by_side import client
from bench.side_by_side.client import WrongAnswer, read_answer, request_bytes
from bench.side_by_side.scenarios import select
from bench.side_by_side.web.endpoints import ENDPOINTS


def read(data: bytes) -> client.Answer:
    return read_answer(io.BytesIO(data))


def test_a_body_of_told_length():
    answer = read(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nServer: x\r\n\r\nabcdef")
    assert (answer.status, answer.body, answer.headers["server"]) == (200, b"abc", "x")


def test_a_chunked_body_with_a_trailer():
    data = b"HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n3\r\nabc\r\nA\r\n0123456789\r\n0\r\nx: y\r\n\r\nleft"
    stream = io.BytesIO(data)
    assert read_answer(stream).body == b"abc0123456789"
    assert stream.read() == b"left"


def test_a_body_that_ends_with_the_connection():
    assert read(b"HTTP/1.0 404 Not Found\r\n\r\nall of it").body == b"all of it"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"HTTP/1.1 200 OK\r\ncontent-le",
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nabc",
    ],
)
def test_what_is_cut_short_or_not_http_is_no_answer(data):
    with pytest.raises(WrongAnswer):
        read(data)


def test_the_request_of_a_scenario():
    hello, post, connect = select(["hello", "post", "connect"])
    assert request_bytes(hello, 4173) == b"GET / HTTP/1.1\r\nHost: 127.0.0.1:4173\r\n\r\n"
    head, _, body = request_bytes(post, 4173).partition(b"\r\n\r\n")
    assert head.startswith(b"POST / HTTP/1.1\r\n")
    assert head.endswith(b"\r\nContent-Length: 1024")
    assert body == b"x" * 1024
    assert b"\r\nConnection: close\r\n" in request_bytes(connect, 4173)


def served_once(data: bytes) -> int:
    """Answer the next connection with these bytes; the port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with listener, listener.accept()[0] as connection:
            connection.recv(65536)
            connection.sendall(data)

    threading.Thread(target=serve, daemon=True).start()
    port: int = listener.getsockname()[1]
    return port


RIGHT = b"HTTP/1.1 200 OK\r\ncontent-length: 13\r\n\r\nHello, World!"


def test_the_right_answer_passes():
    client.check(select(["hello"])[0], served_once(RIGHT))


def test_pipelined_requests_need_an_answer_each():
    (pipelined,) = select(["pipelined"])
    client.check(pipelined, served_once(RIGHT * 16))
    with pytest.raises(WrongAnswer, match="closed"):
        client.check(pipelined, served_once(RIGHT * 15))


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (RIGHT.replace(b"200 OK", b"500 Internal Server Error"), "status 500"),
        (RIGHT.replace(b"World", b"Wirld"), "Hello, Wirld!"),
    ],
)
def test_a_wrong_answer_is_named(data, complaint):
    with pytest.raises(WrongAnswer, match=complaint):
        client.check(select(["hello"])[0], served_once(data))


def test_the_floor_only_has_to_send_the_right_length():
    (hello,) = select(["hello"])
    client.check(hello, served_once(RIGHT.replace(b"Hello", b"ZZZZZ")), body_length_only=True)
    with pytest.raises(WrongAnswer):
        client.check(hello, served_once(RIGHT.replace(b"13", b"12")), body_length_only=True)


@pytest.mark.parametrize(
    ("body", "right"),
    [
        (b'{"id":42,"name":"user 42"}', True),
        (b'{"name": "user 42", "id": 42}\n', True),
        (b'{"id":43}', False),
        (b"", False),
    ],
)
def test_json_is_right_when_it_says_the_same(body, right):
    (user,) = [endpoint for endpoint in ENDPOINTS if endpoint.name == "user"]
    assert user.is_right(body) is right


def test_a_wrong_content_type_is_named_and_its_parameters_do_not_matter():
    (text,) = [endpoint for endpoint in ENDPOINTS if endpoint.name == "text"]
    answer = RIGHT.replace(b"\r\n\r\n", b"\r\ncontent-type: Text/Plain; charset=utf-8\r\n\r\n")
    client.check(text, served_once(answer))
    with pytest.raises(WrongAnswer, match="text/html"):
        client.check(text, served_once(answer.replace(b"Text/Plain", b"text/html")))
