"""A response's head in bytes: what an application may say, byte by byte, and how h11 reads it."""

import string
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.compiled.heads import response_head

from tests._speedups.for_each import for_each

TOKEN = (string.ascii_letters + string.digits + "!#$%&'*+-.^_`|~").encode()
EVERY_BYTE = [bytes([number]) for number in range(256)]


def fields(*pairs: Any, status: int = 200) -> bytes:
    """The field lines that are written for these pairs."""
    head = response_head(status, list(pairs))
    line, _, rest = head.partition(b"\r\n")
    assert line.startswith(b"HTTP/1.1 %d " % status)
    return rest


# ------------------------------------------------------------------------------------------------------- status line


RENAMED = {413: "Content Too Large", 414: "URI Too Long", 416: "Range Not Satisfiable", 422: "Unprocessable Content"}
"""RFC 9110; the standard library says so from Python 3.13 on."""


@pytest.mark.parametrize("status", list(HTTPStatus))
def test_a_known_status_has_its_phrase(status: HTTPStatus) -> None:
    phrase = RENAMED.get(status, status.phrase)
    assert response_head(status, []) == f"HTTP/1.1 {status.value} {phrase}\r\n".encode()


@pytest.mark.parametrize("status", [-40, -1, 0, 99, 1000, 2**31 - 1])
def test_a_status_of_another_size_is_refused(status: int) -> None:
    with pytest.raises(ValueError, match=f"three digits, got {status}"):
        response_head(status, [])


@pytest.mark.parametrize("status", [199, 299, 420, 499, 599, 600, 700, 999])
def test_an_unknown_status_has_no_phrase_but_its_space(status: int) -> None:
    assert response_head(status, []) == b"HTTP/1.1 %d \r\n" % status


# ------------------------------------------------------------------------------------------------- names and values


@for_each(EVERY_BYTE)
def test_every_byte_in_a_name(byte: bytes) -> None:
    for name in (byte, b"x" + byte, byte + b"x", b"x" + byte + b"x"):
        if byte in TOKEN:
            assert fields((name, b"v")) == name + b": v\r\n"
        else:
            with pytest.raises(ValueError, match="token"):
                fields((name, b"v"))


@for_each(EVERY_BYTE)
def test_every_byte_in_a_value(byte: bytes) -> None:
    control = byte != b"\t" and (byte < b" " or byte == b"\x7f")
    for value in (byte, b"x" + byte, byte + b"x", b"x" + byte + b"x"):
        if control:
            with pytest.raises(ValueError, match="control characters"):
                fields((b"x", value))
        else:
            assert fields((b"x", value)) == b"x: " + value + b"\r\n"


def test_an_empty_name_is_none_and_an_empty_value_is_one() -> None:
    with pytest.raises(ValueError, match="token"):
        fields((b"", b"v"))
    assert fields((b"x", b"")) == b"x: \r\n"


@pytest.mark.parametrize("name", ["x", None, 1, bytearray(b"x"), memoryview(b"x")])
def test_a_name_that_is_not_bytes(name: object) -> None:
    with pytest.raises(TypeError, match="header name in bytes"):
        fields((name, b"v"))


@pytest.mark.parametrize("value", ["v", None, 1, bytearray(b"v"), memoryview(b"v")])
def test_a_value_that_is_not_bytes(value: object) -> None:
    with pytest.raises(TypeError, match="value of header b'x' in bytes"):
        fields((b"x", value))


@pytest.mark.parametrize("pair", [(), (b"x",), (b"x", b"y", b"z"), None, 1, b"x", b"xyz"])
def test_what_is_no_pair(pair: object) -> None:
    with pytest.raises(TypeError, match="pairs"):
        fields(pair)


def test_order_spelling_and_duplicates_are_the_applications() -> None:
    pairs = [(b"Set-Cookie", b"a=1"), (b"X-tHiNg", b"1"), (b"set-cookie", b"b=2"), (b"Set-Cookie", b"a=1")]
    assert fields(*pairs) == b"".join(b"%s: %s\r\n" % pair for pair in pairs)


def test_any_iterable_of_any_pairs_will_do() -> None:
    def generated() -> Iterator[tuple[bytes, bytes]]:
        yield b"a", b"1"
        yield b"b", b"2"

    expected = response_head(200, [(b"a", b"1"), (b"b", b"2")])
    for headers in (
        generated(),
        ((b"a", b"1"), (b"b", b"2")),
        [[b"a", b"1"], [b"b", b"2"]],
        {b"a": b"1", b"b": b"2"}.items(),
    ):
        assert response_head(200, headers) == expected
    assert response_head(200, None) == response_head(200, ()) == b"HTTP/1.1 200 OK\r\n"


def test_an_iterable_that_fails_is_not_hidden() -> None:
    def generated() -> Iterator[tuple[bytes, bytes]]:
        yield b"a", b"1"
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        response_head(200, generated())


# --------------------------------------------------------------------------------- what frames the message, RFC 9112


@pytest.mark.parametrize("name", [b"content-length", b"Content-Length", b"CONTENT-LENGTH"])
def test_a_length_is_written_as_it_was_given(name: bytes) -> None:
    assert fields((name, b"42")) == name + b": 42\r\n"


@pytest.mark.parametrize("value", [b"", b"-1", b"+1", b" 1", b"1 ", b"1,1", b"0x1", b"a", b"1.0", b"9" * 20])
def test_a_length_that_is_not_one_decimal_number(value: bytes) -> None:
    with pytest.raises(ValueError, match="content-length"):
        fields((b"Content-Length", value))


def test_two_lengths_are_refused_even_if_equal() -> None:
    with pytest.raises(ValueError, match="one content-length, got two"):
        fields((b"content-length", b"1"), (b"Content-Length", b"1"))


@pytest.mark.parametrize("order", [1, -1])
def test_a_length_beside_a_coding_is_refused(order: int) -> None:
    pairs = [(b"content-length", b"1"), (b"transfer-encoding", b"chunked")][::order]
    with pytest.raises(ValueError, match="content-length or transfer-encoding, got both"):
        fields(*pairs)


@pytest.mark.parametrize("status", [100, 101, 103, 204])
def test_a_length_never_stands_in_a_response_that_has_none(status: int) -> None:
    assert fields((b"content-length", b"5"), (b"a", b"b"), status=status) == b"a: b\r\n"


@pytest.mark.parametrize("status", [200, 304, 404])
def test_a_length_stays_where_it_means_something(status: int) -> None:
    assert fields((b"content-length", b"5"), status=status) == b"content-length: 5\r\n"


@pytest.mark.parametrize("name", [b"transfer-encoding", b"Transfer-Encoding"])
@pytest.mark.parametrize("value", [b"chunked", b"Chunked"])
def test_chunked_is_the_servers_to_write(name: bytes, value: bytes) -> None:
    assert fields((b"a", b"b"), (name, value), (b"c", b"d")) == b"a: b\r\nc: d\r\n"


@pytest.mark.parametrize("value", [b"", b"gzip", b"gzip, chunked", b"identity"])
def test_another_coding_is_refused(value: bytes) -> None:
    with pytest.raises(ValueError, match="transfer-encoding"):
        fields((b"transfer-encoding", value))


@pytest.mark.parametrize("value", [b"close", b"Close", b"keep-alive", b"Keep-Alive"])
def test_close_and_keep_alive_are_the_servers_to_write(value: bytes) -> None:
    assert fields((b"Connection", value), (b"a", b"b")) == b"a: b\r\n"


def test_another_connection_option_is_the_applications() -> None:
    assert fields((b"connection", b"upgrade")) == b"connection: upgrade\r\n"


def test_a_faulty_value_of_a_field_that_is_not_written_is_still_refused() -> None:
    with pytest.raises(ValueError, match="control"):
        fields((b"connection", b"close\r\nx: y"))


# ------------------------------------------------------------------------------------------------ an independent reader

names = st.text(TOKEN.decode(), min_size=1, max_size=40).map(str.encode)
values = st.text([chr(c) for c in range(0x21, 0x7F)], max_size=2000).map(str.encode)
framing = {b"content-length", b"transfer-encoding", b"connection"}


@given(st.lists(st.tuples(names, values).filter(lambda pair: pair[0].lower() not in framing), max_size=30))
def test_h11_reads_what_is_written(pairs: list[tuple[bytes, bytes]]) -> None:
    client = h11.Connection(h11.CLIENT, max_incomplete_event_size=1 << 20)
    client.send(h11.Request(method="GET", target="/", headers=[("host", "a")]))
    client.send(h11.EndOfMessage())
    client.receive_data(response_head(200, pairs) + b"\r\n")
    event = client.next_event()
    assert isinstance(event, h11.Response)
    assert list(event.headers.raw_items()) == pairs


def test_a_head_of_any_size_is_written_whole() -> None:
    pairs = [(b"x-%d" % index, b"v" * index) for index in range(2000)]
    assert fields(*pairs) == b"".join(b"%s: %s\r\n" % pair for pair in pairs)
