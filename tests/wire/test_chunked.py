"""Chunked request bodies, their extensions and trailers (RFC 9112, 7.1)."""

from __future__ import annotations

import pytest

from .wire_server import WireServer, chunked, request_bytes


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"0\r\n\r\n", ""),
        (b"5\r\nhello\r\n0\r\n\r\n", "hello"),
        (b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", "hello world"),
        (b"1\r\n\r\r\n1\r\n\n\r\n0\r\n\r\n", "\r\n"),
        (b"a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n", "0123456789" * 2),
        (b"0000000000000005\r\nhello\r\n0000000000000000\r\n\r\n", "hello"),
        (b"5\r\n0\r\n\r\n\r\n00\r\n\r\n", "0\r\n\r\n"),
    ],
)
def test_chunks(delivered: WireServer, body: bytes, told: str) -> None:
    with delivered.connect() as client:
        client.send(chunked(body) + request_bytes(line=b"GET /next HTTP/1.1"))
        answer = client.response("POST")
        assert (answer.json()["body"], answer.json()["complete"]) == (told, True)
        assert client.response().json()["path"] == "/next"


@pytest.mark.parametrize(
    "size",
    [b"5x", b"x5", b"g", b"0x5", b"-5", b"+5", b" 5", b"\t5", b"", b"5 5", b"5.0", b"5,", b"00000000000000005",
     b"F" * 16, b"F" * 17, b"1" + b"0" * 16, b"\xb5", b"5\0", b"5_0"],
)  # fmt: skip
def test_chunk_size_that_is_not_plain_hex_is_refused(delivered: WireServer, size: bytes) -> None:
    status = delivered.refused(chunked(size + b"\r\nhello\r\n0\r\n\r\n"), called=1)
    assert status == 400 or (size == b"F" * 16 and status == 413)


@pytest.mark.parametrize(
    "body",
    [
        b"5\r\nhelloXX0\r\n\r\n",
        b"5\r\nhello0\r\n\r\n",
        b"5\r\nhello\n0\r\n\r\n",
        b"5\r\nhello\r0\r\n\r\n",
        b"5\r\nhello\r\r0\r\n\r\n",
        b"5\r\nhello!\r\n0\r\n\r\n",
        b"5\nhello\r\n0\r\n\r\n",
        b"5\rhello\r\n0\r\n\r\n",
        b"5\r\rhello\r\n0\r\n\r\n",
        b"5\n\nhello\r\n0\r\n\r\n",
        b"0\n\r\n",
        b"0\r\n\n",
        b"0\r\n\rX",
        b"0\r\r\n",
        b"0\n\n",
        b"5;a\nhello\r\n0\r\n\r\n",
        b"5;a\rhello\r\n0\r\n\r\n",
        b"5;a=\0\r\nhello\r\n0\r\n\r\n",
    ],
)
def test_anything_but_crlf_in_the_framing_is_refused(delivered: WireServer, body: bytes) -> None:
    assert delivered.refused(chunked(body), called=1) == 400


@pytest.mark.parametrize(
    "extension",
    [
        *(b";a", b";a=b", b';a="b;c"', b";a=b;c=d", b";" + b"x" * 1000),
        *(b" ;a", b"; a", b"\t;\ta\t=\tb", b";a =b", b";a= b", b";a ;b", b";a=b ;c", b';a="" ; b = ""'),
        *(b';a="\\""', b';a="\\\\"', b';a="\t\xff = , ;"', b";5=5", b";a;a;a"),
    ],
)
def test_chunk_extensions_are_ignored(delivered: WireServer, extension: bytes) -> None:
    answer = delivered.exchange(chunked(b"5%b\r\nhello\r\n0%b\r\n\r\n" % (extension, extension)))
    assert (answer.status, answer.json()["body"]) == (200, "hello")


@pytest.mark.parametrize(
    "extension",
    [
        *(b";", b" ", b" ;", b"; ", b";a ", b";a=", b";=b", b";=", b";a= ", b";a=b ", b";;a", b";a;", b";a=b;", b" a"),
        *(b';a="', b';a="b', b';a="\\"', b';a="b"c', b';"a"', b";a=b=c", b";a b", b";a=b c", b";a=b,c", b";a@"),
        *(b";a\x00", b';a="\x7f"', b';a="\\\x01"', b";a=\xff", b",a"),
    ],
)
def test_malformed_chunk_extension_is_refused(wire: WireServer, extension: bytes) -> None:
    """RFC 9112, 7.1.1: a name, and where there is a "=" a value; white space before and after ";" and "=" only."""
    assert wire.refused(chunked(b"5%b\r\nhello\r\n0\r\n\r\n" % extension), called=1) == 400


@pytest.mark.parametrize("count", [1, 5, 50])
def test_chunk_extensions_over_4_kib_in_one_request_are_refused(wire: WireServer, count: int) -> None:
    chunk = b"1;" + b"x" * (5000 // count) + b"\r\na\r\n"
    assert wire.refused(chunked(chunk * count + b"0\r\n\r\n"), called=1) == 400


def test_chunk_extensions_are_counted_per_request(wire: WireServer) -> None:
    request = chunked(b"5;" + b"x" * 3000 + b"\r\nhello\r\n0\r\n\r\n")
    with wire.connect() as client:
        for _ in range(3):
            client.send(request)
            assert client.response("POST").json()["body"] == "hello"


@pytest.mark.parametrize("trailers", [b"X: y\r\n", b"Host: evil\r\nAuthorization: x\r\n", b"X:y\r\n" * 32])
def test_trailers_are_dropped(delivered: WireServer, trailers: bytes) -> None:
    with delivered.connect() as client:
        client.send(chunked(b"5\r\nhello\r\n0\r\n" + trailers + b"\r\n") + request_bytes(line=b"GET /next HTTP/1.1"))
        told = client.response("POST").json()
        assert told["headers"] == [["host", "a"], ["transfer-encoding", "chunked"]]
        assert told["body"] == "hello"
        assert client.response().json()["path"] == "/next"


@pytest.mark.parametrize("trailer", [b"Content-Length: 99", b"Transfer-Encoding: chunked", b"Transfer-Encoding: gzip"])
def test_framing_in_trailers_is_never_obeyed(delivered: WireServer, trailer: bytes) -> None:
    """RFC 9110 6.5.1 forbids it; dropped and refused are both safe."""
    with delivered.connect() as client:
        client.send(chunked(b"5\r\nhello\r\n0\r\n" + trailer + b"\r\n\r\n") + request_bytes(line=b"GET /next HTTP/1.1"))
        answer = client.response("POST")
        if answer.status == 200:
            assert answer.json()["headers"] == [["host", "a"], ["transfer-encoding", "chunked"]]
            assert client.response().json()["path"] == "/next"
        else:
            assert answer.status in (400, 501)
            assert answer.closes
            client.assert_closed()


def test_more_trailer_fields_than_allowed_are_refused(delivered: WireServer) -> None:
    assert delivered.refused(chunked(b"0\r\n" + b"X: y\r\n" * 33 + b"\r\n"), called=1) in (400, 431)


@pytest.mark.parametrize("trailers", [b"X: " + b"y" * 9000 + b"\r\n", (b"X: " + b"y" * 3000 + b"\r\n") * 3])
def test_more_trailer_bytes_than_allowed_are_refused(wire: WireServer, trailers: bytes) -> None:
    assert wire.refused(chunked(b"5\r\nhello\r\n0\r\n" + trailers + b"\r\n"), called=1) in (400, 431)


@pytest.mark.parametrize(
    "trailer", [b"X : y", b" X: y", b"X: a\0b", b": y", b"nocolon", b"X: y\r\n folded", b"X: a\nb", b"X: a\rb"]
)
def test_malformed_trailer_is_refused(delivered: WireServer, trailer: bytes) -> None:
    assert delivered.refused(chunked(b"5\r\nhello\r\n0\r\n" + trailer + b"\r\n\r\n"), called=1) == 400


def test_a_body_larger_than_every_buffer(wire: WireServer) -> None:
    body = b"".join(b"%x\r\n%b\r\n" % (size, b"z" * size) for size in (1, 65535, 65536, 65537, 300_000)) + b"0\r\n\r\n"
    told = wire.exchange(chunked(body), "POST").json()
    assert told["body"] == "z" * (1 + 65535 + 65536 + 65537 + 300_000)
