"""Conformance to RFC 9110 and RFC 9112 as one table: what is sent, what is answered, and which section says so.

A row is one connection. Other tests of this folder look at each of these matters in detail.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from .wire_server import PIPELINED, WireServer, chunked, post, request_bytes


@dataclass(frozen=True)
class Row:
    """What is sent, and the statuses that are answered.

    :param closes: whether the last response closes the connection, so that nothing behind it is parsed.
    :param source: the section that says so.
    """

    sent: bytes
    statuses: tuple[int, ...]
    closes: bool
    source: str


def accepted(sent: bytes, source: str, *statuses: int) -> Row:
    return Row(sent, statuses or (200,), False, source)


def refused(sent: bytes, status: int, source: str) -> Row:
    return Row(sent, (status,), True, source)


GET = request_bytes()


def line(text: bytes) -> bytes:
    return request_bytes(line=text)


def coded(*values: bytes) -> bytes:
    return post(*(b"Transfer-Encoding: " + value for value in values), body=b"5\r\nhello\r\n0\r\n\r\n")


def extended(extension: bytes) -> bytes:
    return chunked(b"5%b\r\nhello\r\n0\r\n\r\n" % extension)


def sized(*values: bytes) -> bytes:
    return post(*(b"Content-Length: " + value for value in values), body=b"hello")


ROWS = {
    # Request line
    "an empty line before it": accepted(b"\r\n" + GET, "RFC 9112, 2.2: SHOULD ignore at least one empty line"),
    "a lone LF as the end of a line": refused(b"GET / HTTP/1.1\nHost: a\n\n", 400, "RFC 9112, 2.2: MAY; refused"),
    "a bare CR": refused(b"GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n", 400, "RFC 9112, 2.2: MUST consider invalid"),
    "no version": refused(b"GET /\r\n\r\n", 400, "RFC 9112, 3"),
    "HTTP/2.0": refused(line(b"GET / HTTP/2.0"), 505, "RFC 9110, 15.6.6"),
    "HTTP/3.0 with an unknown method": refused(line(b"FOO / HTTP/3.0"), 505, "RFC 9110, 2.5: the version comes first"),
    "HTTP/1.9": accepted(line(b"GET / HTTP/1.9"), "RFC 9110, 2.5: processed as the highest minor version known"),
    "a method in lower case": refused(line(b"get / HTTP/1.1"), 501, "RFC 9110, 9.1: case-sensitive; SHOULD be 501"),
    "CONNECT": refused(line(b"CONNECT a:80 HTTP/1.1"), 501, "RFC 9110, 9.1"),
    "two spaces": refused(line(b"GET  / HTTP/1.1"), 400, "RFC 9112, 3"),
    # Target
    "OPTIONS *": accepted(line(b"OPTIONS * HTTP/1.1"), "RFC 9110, 9.3.7", 204),
    "GET *": refused(line(b"GET * HTTP/1.1"), 400, "RFC 9112, 3.2.4: only for OPTIONS"),
    "absolute-form": accepted(line(b"GET http://b/ HTTP/1.1"), "RFC 9112, 3.2.2: MUST accept"),
    "absolute-form with userinfo": refused(line(b"GET http://u@b/ HTTP/1.1"), 400, "RFC 9110, 4.2.4"),
    "absolute-form without a host": refused(line(b"GET http:/// HTTP/1.1"), 400, "RFC 9110, 4.2.1: MUST reject"),
    "a fragment": refused(line(b"GET /#a HTTP/1.1"), 400, "RFC 9112, 3.2.1"),
    # Host
    "no Host": refused(b"GET / HTTP/1.1\r\n\r\n", 400, "RFC 9112, 3.2: MUST respond with 400"),
    "two of them": refused(request_bytes(b"Host: a"), 400, "RFC 9112, 3.2: MUST respond with 400"),
    "an invalid one": refused(request_bytes(host=b"a/b"), 400, "RFC 9112, 3.2: MUST respond with 400"),
    "an empty one": accepted(request_bytes(host=b""), "RFC 9110, 7.2"),
    "IPv6": accepted(request_bytes(host=b"[2001:db8::1]:80"), "RFC 3986, 3.2.2"),
    "IPvFuture of 71 bytes": accepted(request_bytes(host=b"[v1." + b"a" * 66 + b"]"), "RFC 3986, 3.2.2"),
    "IPvFuture without a version": refused(request_bytes(host=b"[v.a]"), 400, "RFC 3986, 3.2.2"),
    # Fields
    "white space before a colon": refused(request_bytes(b"X : a"), 400, "RFC 9112, 5.1: MUST reject with 400"),
    "a folded line": refused(request_bytes(b"X: a\r\n b"), 400, "RFC 9112, 5.2: MUST reject or replace"),
    "a line without a colon": refused(request_bytes(b"X"), 400, "RFC 9112, 5"),
    "a name that is no token": refused(request_bytes(b"X(: a"), 400, "RFC 9110, 5.1"),
    "NUL in a value": refused(request_bytes(b"X: a\0b"), 400, "RFC 9110, 5.5: MUST reject or replace"),
    # Content-Length
    "one number": accepted(sized(b"5"), "RFC 9110, 8.6"),
    "a sign": refused(sized(b"+5"), 400, "RFC 9110, 8.6; RFC 9112, 6.3, rule 5"),
    "two numbers": refused(sized(b"5", b"6"), 400, "RFC 9112, 6.3, rule 5"),
    "the same number twice": refused(sized(b"5", b"5"), 400, "RFC 9112, 6.3, rule 5: MAY be accepted; refused"),
    "20 digits": refused(sized(b"18446744073709551616"), 400, "RFC 9110, 8.6: MUST prevent overflow"),
    # Transfer-Encoding
    "chunked": accepted(coded(b"chunked"), "RFC 9112, 7.1: MUST be able to parse"),
    "in capitals": accepted(coded(b"CHUNKED"), "RFC 9112, 7: case-insensitive"),
    "with Content-Length": refused(
        post(b"Content-Length: 5", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n"),
        400,
        "RFC 9112, 6.1 and 6.3, rule 3",
    ),
    "another coding, then chunked": refused(coded(b"gzip, chunked"), 501, "RFC 9112, 6.1: SHOULD be 501"),
    "the same in two fields": refused(coded(b"gzip", b"chunked"), 501, "RFC 9110, 5.3"),
    "another coding alone": refused(coded(b"gzip"), 400, "RFC 9112, 6.3, rule 4: MUST respond with 400"),
    "another coding last": refused(coded(b"chunked, gzip"), 400, "RFC 9112, 6.3, rule 4: MUST respond with 400"),
    "identity": refused(coded(b"identity"), 400, "RFC 9112, 6.3, rule 4, and appendix C.2.3"),
    "chunked twice": refused(coded(b"chunked, chunked"), 400, "RFC 9112, 6.1: MUST NOT be applied more than once"),
    "chunked in two fields": refused(coded(b"chunked", b"chunked"), 400, "RFC 9112, 6.1"),
    "in HTTP/1.0": refused(
        post(b"Transfer-Encoding: chunked", line=b"POST / HTTP/1.0", body=b"0\r\n\r\n"),
        400,
        "RFC 9112, 6.1: faulty framing",
    ),
    # Chunks
    "a size of 17 digits": refused(chunked(b"0" * 17 + b"5\r\nhello\r\n"), 400, "RFC 9112, 7.1: MUST prevent overflow"),
    "a size with 0x": refused(chunked(b"0x5\r\nhello\r\n"), 400, "RFC 9112, 7.1"),
    "data that does not end in CRLF": refused(chunked(b"5\r\nhelloX\r\n0\r\n\r\n"), 400, "RFC 9112, 7.1"),
    "an unknown extension": accepted(extended(b";a=b"), "RFC 9112, 7.1.1: MUST ignore"),
    "an extension with a quoted value": accepted(extended(b';a="b;\\""'), "RFC 9112, 7.1.1"),
    "white space around ; and =": accepted(extended(b"\t;\ta = b"), "RFC 9112, 7.1.1; RFC 9110, 5.6.3: MUST parse"),
    "white space and no extension": refused(extended(b" "), 400, "RFC 9112, 7.1.1"),
    "an extension without a name": refused(extended(b";=b"), 400, "RFC 9112, 7.1.1"),
    "an extension without a value": refused(extended(b";a="), 400, "RFC 9112, 7.1.1"),
    "4 KiB of extensions": accepted(extended(b";" + b"a" * 4095), "RFC 9112, 7.1.1: ought to limit"),
    "more than 4 KiB of extensions": refused(extended(b";" + b"a" * 4096), 400, "RFC 9112, 7.1.1: ought to limit"),
    "a trailer": accepted(chunked(b"0\r\nX: y\r\n\r\n"), "RFC 9112, 7.1.2: MAY be discarded"),
    # Expect
    "100-continue, the body sent": accepted(
        post(b"Content-Length: 5", b"Expect: 100-continue", body=b"hello"), "RFC 9110, 10.1.1"
    ),
    "another expectation": refused(post(b"Expect: x"), 417, "RFC 9110, 10.1.1: MAY respond with 417"),
    "no expectation in the field": accepted(request_bytes(b"Expect:"), "RFC 9110, 10.1.1 and 5.6.1.2"),
    "a list of empty elements": accepted(request_bytes(b"Expect: , ,"), "RFC 9110, 5.6.1.2: MUST ignore"),
    # The connection
    "two requests": accepted(GET + GET, "RFC 9112, 9.3.2: MUST be answered in order", 200, 200),
    "Connection: close": Row(request_bytes(b"Connection: close"), (200,), True, "RFC 9112, 9.6: MUST close"),
    "close in a list": Row(request_bytes(b"Connection: x, Close"), (200,), True, "RFC 9110, 7.6.1: case-insensitive"),
    "HTTP/1.0": Row(line(b"GET / HTTP/1.0"), (200,), True, "RFC 9112, 9.3: does not persist"),
    "HTTP/1.0 with keep-alive": accepted(
        request_bytes(b"Connection: keep-alive", line=b"GET / HTTP/1.0"), "RFC 9112, 9.3 and appendix C.2.2"
    ),
    "an upgrade to h2c": accepted(request_bytes(b"Connection: upgrade", b"Upgrade: h2c"), "RFC 9110, 7.8: MAY ignore"),
}


@pytest.mark.parametrize("name", ROWS)
def test_row(delivered: WireServer, name: str) -> None:
    row = ROWS[name]
    with delivered.connect() as client:
        client.send(row.sent + PIPELINED)
        answers = [client.response() for _ in row.statuses]
        assert tuple(answer.status for answer in answers) == row.statuses, row.source
        assert answers[-1].closes == row.closes, row.source
        if row.closes:
            client.assert_closed()
        else:
            assert client.response().json()["path"] == "/smuggled", row.source
