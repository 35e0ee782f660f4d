"""Requests: the head, the lengths, the fields, and who is refused."""

from __future__ import annotations

import pytest

from .wire_server import WireServer, chunked, post, request_bytes

TRANSFER_ENCODING = b"Transfer-Encoding: chunked"


# Content-Length and Transfer-Encoding (RFC 9112, 6.1 to 6.3).


@pytest.mark.parametrize(
    "fields",
    [
        (b"Content-Length: 5", TRANSFER_ENCODING),
        (TRANSFER_ENCODING, b"Content-Length: 5"),
        (b"Content-Length: 0", b"Transfer-Encoding: CHUNKED"),
    ],
)
def test_content_length_with_transfer_encoding_is_refused(delivered: WireServer, fields: tuple[bytes, ...]) -> None:
    assert delivered.refused(post(*fields, body=b"0\r\n\r\n")) == 400


@pytest.mark.parametrize(
    "fields",
    [
        (b"Content-Length: 5", b"Content-Length: 5"),
        (b"Content-Length: 5", b"Content-Length: 6"),
        (b"Content-Length: 5", b"content-length: 5"),
    ],
)
def test_content_length_twice_is_refused(delivered: WireServer, fields: tuple[bytes, ...]) -> None:
    assert delivered.refused(post(*fields, body=b"hello")) == 400


@pytest.mark.parametrize(
    "value",
    [b"5, 5", b"5,5", b"+5", b"-1", b"-0", b"0x5", b"5h", b"5 5", b"5\t5", b"5.0", b"", b"five", b"1e1", b"5;",
     b"\xb2", b"5" * 20, b"0" * 19 + b"5", b"18446744073709551621"],
)  # fmt: skip
def test_content_length_that_is_not_one_plain_number_is_refused(delivered: WireServer, value: bytes) -> None:
    assert delivered.refused(post(b"Content-Length: " + value, body=b"hello")) == 400


def test_content_length_with_nineteen_digits_is_read(delivered: WireServer) -> None:
    answer = delivered.exchange(post(b"Content-Length: 0000000000000000005", body=b"hello"))
    assert answer.status == 200
    assert answer.json()["body"] == "hello"


def test_content_length_beyond_every_machine_is_refused(delivered: WireServer) -> None:
    assert delivered.refused(post(b"Content-Length: 9999999999999999999")) in (400, 413)


@pytest.mark.parametrize(
    "fields",
    [
        (b"Transfer-Encoding: gzip, chunked",),
        (b"Transfer-Encoding: identity , Chunked",),
        (b"Transfer-Encoding: gzip;q=1, deflate, chunked",),
        (b"Transfer-Encoding: identity", TRANSFER_ENCODING),
        (b"Transfer-Encoding: gzip", TRANSFER_ENCODING),
    ],
)
def test_another_transfer_coding_before_chunked_is_not_implemented(
    delivered: WireServer, fields: tuple[bytes, ...]
) -> None:
    assert delivered.refused(post(*fields, body=b"0\r\n\r\n")) == 501


@pytest.mark.parametrize(
    "fields",
    [
        (b"Transfer-Encoding: chunked, gzip",),
        (b"Transfer-Encoding: chunked, chunked",),
        (b"Transfer-Encoding: gzip",),
        (b"Transfer-Encoding: identity",),
        (b"Transfer-Encoding: xchunked",),
        (b"Transfer-Encoding: chunkedx",),
        (b"Transfer-Encoding: chunked;q=1",),
        (b"Transfer-Encoding: chunked,",),
        (b"Transfer-Encoding: ,chunked",),
        (b'Transfer-Encoding: "chunked"',),
        (TRANSFER_ENCODING, TRANSFER_ENCODING),
        (TRANSFER_ENCODING, b"Transfer-Encoding: identity"),
        (TRANSFER_ENCODING, b"Transfer-Encoding: gzip", TRANSFER_ENCODING),
        (b"Transfer-Encoding: gzip, , chunked",),
    ],
)
def test_transfer_encoding_that_does_not_end_in_chunked_once_is_refused(
    delivered: WireServer, fields: tuple[bytes, ...]
) -> None:
    """RFC 9112, 6.3: without chunked at the end "the server MUST respond with the 400"."""
    assert delivered.refused(post(*fields, body=b"0\r\n\r\n")) == 400


@pytest.mark.parametrize("value", [b"chunked", b"CHUNKED", b"Chunked", b" \tchunked\t "])
def test_transfer_encoding_chunked_in_any_case(delivered: WireServer, value: bytes) -> None:
    answer = delivered.exchange(post(b"Transfer-Encoding:" + value, body=b"5\r\nhello\r\n0\r\n\r\n"))
    assert answer.status == 200
    assert answer.json()["body"] == "hello"


@pytest.mark.parametrize("value", [b"chunked", b"gzip", b"gzip, chunked"])
def test_transfer_encoding_on_http_1_0_is_refused(delivered: WireServer, value: bytes) -> None:
    request = post(b"Transfer-Encoding: " + value, line=b"POST / HTTP/1.0", body=b"0\r\n\r\n")
    assert delivered.refused(request) == 400


@pytest.mark.parametrize("value", [b"\x0bchunked", b"chunked\x0c", b"", b" ", b"chu\0nked"])
def test_transfer_encoding_that_is_malformed_or_empty_is_refused(delivered: WireServer, value: bytes) -> None:
    assert delivered.refused(post(b"Transfer-Encoding: " + value, body=b"0\r\n\r\n")) == 400


@pytest.mark.parametrize("body", [b"", b"x", b"hello", bytes(range(256)) * 3])
def test_body_with_content_length(delivered: WireServer, body: bytes) -> None:
    answer = delivered.exchange(post(b"Content-Length: %d" % len(body), body=body))
    assert answer.json()["body"] == body.decode("latin-1")
    assert answer.json()["complete"]


def test_get_with_a_body(delivered: WireServer) -> None:
    answer = delivered.exchange(request_bytes(b"Content-Length: 3", body=b"abc"))
    assert answer.json()["body"] == "abc"


def test_get_without_lengths_has_no_body(delivered: WireServer) -> None:
    assert delivered.exchange(request_bytes()).json()["body"] == ""


def test_post_without_lengths_has_no_body(delivered: WireServer) -> None:
    answer = delivered.exchange(post())
    assert answer.json()["body"] == ""
    assert answer.json()["complete"]


# Host (RFC 9112, 3.2; RFC 3986, 3.2.2).


def test_host_is_required_on_http_1_1(delivered: WireServer) -> None:
    assert delivered.refused(request_bytes(host=None)) == 400


def test_host_is_not_required_on_http_1_0(delivered: WireServer) -> None:
    assert delivered.exchange(request_bytes(line=b"GET / HTTP/1.0", host=None)).status == 200


@pytest.mark.parametrize("second", [b"a", b"b", b""])
def test_two_hosts_are_refused(delivered: WireServer, second: bytes) -> None:
    assert delivered.refused(request_bytes(b"Host: " + second)) == 400


def test_two_hosts_are_refused_on_http_1_0(delivered: WireServer) -> None:
    assert delivered.refused(request_bytes(b"Host: b", line=b"GET / HTTP/1.0")) == 400


@pytest.mark.parametrize(
    "host",
    [b"a b", b"a/b", b"user@a", b"user:pw@a", b"[::1", b"::1]", b"[::1]x", b"[::1]:x", b"[v]", b"[gg::1]", b"a:port",
     b"a:8 0", b"a:80:80", b"a:-1", b"a%zz", b"a%4", b'a"b', b"a<b>", b"a\\b", b"a#b", b"a?b", b"a^b", b"a|b", b"{a}",
     b"a`b", b"http://a", b"a, b", b"\xc3\xa4"],
)  # fmt: skip
def test_host_that_is_no_host_is_refused(delivered: WireServer, host: bytes) -> None:
    assert delivered.refused(request_bytes(host=host)) == 400


@pytest.mark.parametrize(
    "host",
    [b"a", b"example.org", b"EXAMPLE.org", b"a:80", b"127.0.0.1:8000", b"[::1]", b"[::1]:8000", b"[::ffff:127.0.0.1]",
     b"a-b_c.d~e", b"a%41b", b"a.", b"xn--bcher-kva.example", b"a:", b""],
)  # fmt: skip
def test_host_that_is_a_host(delivered: WireServer, host: bytes) -> None:
    answer = delivered.exchange(request_bytes(host=host))
    assert answer.status == 200
    assert answer.json()["headers"] == [["host", host.decode()]]


# Fields (RFC 9110, 5.1 and 5.5; RFC 9112, 5).


@pytest.mark.parametrize(
    "field",
    [
        b"X : y",
        b"X\t: y",
        b" X: y",
        b"X: y\r\n folded",
        b"X: y\r\n\tfolded",
        b"X:\r\n folded",
        b"X: a\0b",
        b"X: \x01",
        b"X: a\x08b",
        b"X: a\x0bb",
        b"X: a\x0cb",
        b"X: a\x1fb",
        b"X: a\x7f",
        b"X: a\rb",
        b"X: a\r",
        b"X: a\nY: b",
        b": y",
        b":",
        b"X Y: z",
        b"X(Y): z",
        b"X@: z",
        b'X"Y": z',
        b"X/Y: z",
        b"X[0]: z",
        b"X{0}: z",
        b"X=Y: z",
        b"X,Y: z",
        b"X;Y: z",
        b"X\0Y: z",
        b"X\x7f: z",
        b"X\xe4: z",
        b"nocolon",
    ],
)
def test_malformed_field_is_refused(delivered: WireServer, field: bytes) -> None:
    assert delivered.refused(request_bytes(field)) == 400


@pytest.mark.parametrize("field", [b" Host: a", b"\tHost: a", b" folded"])
def test_space_before_the_first_field_is_refused(delivered: WireServer, field: bytes) -> None:
    assert delivered.refused(b"GET / HTTP/1.1\r\n" + field + b"\r\nHost: a\r\n\r\n") == 400


@pytest.mark.parametrize(
    "request_",
    [
        b"GET / HTTP/1.1\nHost: a\n\n",
        b"GET / HTTP/1.1\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n\n",
        b"GET / HTTP/1.1\rHost: a\r\r",
        b"GET / HTTP/1.1\r\nHost: a\r\n\rX",
        b"GET / HTTP/1.1\r\r\nHost: a\r\n\r\n",
    ],
)
def test_bare_cr_or_lf_in_the_head_is_refused(delivered: WireServer, request_: bytes) -> None:
    assert delivered.refused(request_) == 400


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        (b"X:y", "y"),
        (b"X: y", "y"),
        (b"X:   y", "y"),
        (b"X:\ty", "y"),
        (b"X: y ", "y"),
        (b"X: y\t", "y"),
        (b"X: \t y z \t ", "y z"),
        (b"X: y\tz", "y\tz"),
        (b"X:", ""),
        (b"X:  \t", ""),
        (b"X: \xe4\xff\x80", "\xe4\xff\x80"),
        (b"X: a:b: c", "a:b: c"),
        (b"!#$%&'*+-.^`|~09azAZ: y", "y"),
    ],
)
def test_space_around_a_value_is_trimmed_and_the_rest_is_kept(delivered: WireServer, sent: bytes, told: str) -> None:
    answer = delivered.exchange(request_bytes(sent))
    name = sent.partition(b":")[0].decode().lower()
    assert answer.json()["headers"] == [["host", "a"], [name, told]]


def test_underscores_are_handed_on(delivered: WireServer) -> None:
    answer = delivered.exchange(request_bytes(b"X_Forwarded_For: 1.2.3.4", b"_: z", b"X-Forwarded_Proto: https"))
    assert answer.json()["headers"][1:] == [["x_forwarded_for", "1.2.3.4"], ["_", "z"], ["x-forwarded_proto", "https"]]


def test_underscores_are_no_framing(delivered: WireServer) -> None:
    answer = delivered.exchange(post(b"Content_Length: 99", b"Transfer_Encoding: chunked"))
    assert answer.json()["body"] == ""


# The request line (RFC 9112, 3; RFC 9110, 2.5 and 9.1).


@pytest.mark.parametrize("line", [b"GET /", b"GET / ", b"GET"])
def test_http_0_9_is_refused(delivered: WireServer, line: bytes) -> None:
    assert delivered.refused(line + b"\r\n") == 400


@pytest.mark.parametrize("version", [b"HTTP/2.0", b"HTTP/3.0", b"HTTP/9.9", b"HTTP/0.9"])
def test_unknown_major_version_is_refused(delivered: WireServer, version: bytes) -> None:
    status = delivered.refused(request_bytes(line=b"GET / " + version))
    assert status == 505 or (version == b"HTTP/0.9" and status == 400)


@pytest.mark.parametrize(
    "version",
    [
        b"http/1.1",
        b"HTTP1.1",
        b"HTTP/1",
        b"HTTP/1.",
        b"HTTP/11",
        b"HTTP/1.1x",
        b"HTTP/1.1 x",
        b"HTTPS/1.1",
        b"ICY/1.1",
        b"x",
    ],
)
def test_malformed_version_is_refused(delivered: WireServer, version: bytes) -> None:
    assert delivered.refused(request_bytes(line=b"GET / " + version)) in (400, 505)


def test_preface_of_http_2_is_refused(delivered: WireServer) -> None:
    assert delivered.refused(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") == 505


def test_tls_on_the_plain_port_is_refused(delivered: WireServer) -> None:
    assert delivered.refused(bytes.fromhex("16030102000100") + b"\0" * 64) == 400


@pytest.mark.parametrize(
    "method", [b"GET", b"POST", b"PUT", b"DELETE", b"OPTIONS", b"PATCH", b"PROPFIND", b"PURGE", b"REPORT"]
)
def test_methods_are_handed_on(delivered: WireServer, method: bytes) -> None:
    answer = delivered.exchange(request_bytes(line=method + b" / HTTP/1.1"), method.decode())
    assert answer.json()["method"] == method.decode()


@pytest.mark.parametrize("method", [b"FOO", b"get", b"GETS", b"GE", b"Post", b"X-Y"])
def test_unknown_method_is_not_implemented(delivered: WireServer, method: bytes) -> None:
    assert delivered.refused(request_bytes(line=method + b" / HTTP/1.1")) == 501
    assert delivered.refused(request_bytes(line=method + b" / HTTP/3.0")) == 505, "the version comes first"


@pytest.mark.parametrize("target", [b"a:80", b"example.org:443", b"/", b"[::1]:443"])
def test_connect_is_not_implemented(delivered: WireServer, target: bytes) -> None:
    assert delivered.refused(request_bytes(line=b"CONNECT " + target + b" HTTP/1.1")) == 501


@pytest.mark.parametrize("method", [b"G(T", b"G\0T", b"\xc3\xa4", b'"GET"', b"GET\x0b"])
def test_method_that_is_no_token_is_refused(delivered: WireServer, method: bytes) -> None:
    assert delivered.refused(request_bytes(line=method + b" / HTTP/1.1")) in (400, 501)


def test_leading_empty_line_is_skipped(delivered: WireServer) -> None:
    assert delivered.exchange(b"\r\n" + request_bytes()).status == 200


def test_empty_line_between_requests_is_skipped(delivered: WireServer) -> None:
    with delivered.connect() as client:
        client.send(post(b"Content-Length: 5", body=b"hello") + b"\r\n" + request_bytes(line=b"GET /second HTTP/1.1"))
        assert client.response("POST").json()["body"] == "hello"
        assert client.response().json()["path"] == "/second"


# Upgrade (RFC 9110, 7.8).


@pytest.mark.parametrize(
    "fields",
    [
        (b"Upgrade: h2c", b"Connection: Upgrade, HTTP2-Settings", b"HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA"),
        (b"Upgrade: foo/2", b"Connection: upgrade"),
        (b"Upgrade: TLS/1.0", b"Connection: keep-alive, Upgrade"),
        (b"Upgrade: h2c",),
        (b"Connection: upgrade",),
        (b"Upgrade:", b"Connection: upgrade"),
    ],
)
def test_other_upgrades_are_ignored(delivered: WireServer, fields: tuple[bytes, ...]) -> None:
    with delivered.connect() as client:
        client.send(post(b"Content-Length: 5", *fields, body=b"hello"))
        client.send(chunked(b"5\r\nworld\r\n0\r\n\r\n", *fields) + request_bytes(*fields, line=b"GET /third HTTP/1.1"))
        assert client.response("POST").json()["body"] == "hello"
        assert client.response("POST").json()["body"] == "world"
        assert client.response().json()["path"] == "/third"


def test_websocket_upgrade_of_a_post_is_ignored(delivered: WireServer) -> None:
    request = post(b"Upgrade: websocket", b"Connection: upgrade", b"Content-Length: 5", body=b"hello")
    answer = delivered.exchange(request, "POST")
    assert (answer.status, answer.json()["body"]) == (200, "hello")


# Persistence (RFC 9112, 9.3).


def test_http_1_1_is_kept_alive(delivered: WireServer) -> None:
    with delivered.connect() as client:
        for number in range(3):
            client.send(request_bytes(line=b"GET /%d HTTP/1.1" % number))
            answer = client.response()
            assert answer.json()["path"] == f"/{number}"
            assert not answer.closes


@pytest.mark.parametrize("value", [b"close", b"Close", b"keep-alive, close", b"foo,close"])
def test_connection_close_is_honoured(delivered: WireServer, value: bytes) -> None:
    before = delivered.app.calls
    with delivered.connect() as client:
        client.send(request_bytes(b"Connection: " + value) + request_bytes())
        assert client.response().closes
        client.assert_closed()
    assert delivered.app.calls == before + 1


def test_http_1_0_is_closed(delivered: WireServer) -> None:
    with delivered.connect() as client:
        client.send(request_bytes(line=b"GET / HTTP/1.0"))
        assert client.response().json()["http_version"] == "1.0"
        client.assert_closed()


@pytest.mark.parametrize("value", [b"keep-alive", b"Keep-Alive"])
def test_http_1_0_with_keep_alive_is_honoured(delivered: WireServer, value: bytes) -> None:
    with delivered.connect() as client:
        for _ in range(2):
            client.send(request_bytes(b"Connection: " + value, line=b"GET / HTTP/1.0"))
            answer = client.response()
            assert (answer.header(b"connection") or b"").lower() == b"keep-alive"
        client.send(request_bytes(line=b"GET / HTTP/1.0"))
        client.response()
        client.assert_closed()
