"""Chunked framing against a slow reader of the same grammar; whole, byte by byte, and cut anywhere. RFC 9112, 7.1."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.compiled.framing import ChunkScanner

from atlas.errors import ProtocolError


def scan(data: bytes, cuts: list[int], limit: int = 0) -> tuple[int, bool]:
    """(bytes that belong to the body, whether it ended) when *data* comes in these pieces."""
    scanner = ChunkScanner(limit)
    taken = 0
    for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True):
        took = scanner.scan(data[start:end])
        taken += took
        if took < end - start:
            assert scanner.done, "bytes were left over in the middle of a body"
            break
    return taken, scanner.done


def both(data: bytes, limit: int = 0) -> tuple[int, bool]:
    """As :func:`scan`, whole and byte by byte, which must be the same."""
    whole = scan(data, [], limit)
    assert scan(data, list(range(1, len(data))), limit) == whole
    return whole


def refused(data: bytes, limit: int = 0) -> int:
    statuses = set()
    for cuts in ([], list(range(1, len(data)))):
        with pytest.raises(ProtocolError) as caught:
            scan(data, cuts, limit)
        statuses.add(caught.value.status)
    assert len(statuses) == 1
    return statuses.pop()


# A reader that only knows whole bodies: one regular expression per line, and slices.

EXTENSION_TOKEN = rb"[A-Za-z0-9!#$%&'*+.^_`|~-]+"
QUOTED = rb'"(?:[\t\x20\x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t\x20-\x7e\x80-\xff])*"'
EXTENSION = rb"[\t ]*;[\t ]*%b(?:[\t ]*=[\t ]*(?:%b|%b))?" % (EXTENSION_TOKEN, EXTENSION_TOKEN, QUOTED)
SIZE_LINE = re.compile(rb"([0-9A-Fa-f]{1,16})((?:%b)*)\r\n" % EXTENSION)
TRAILER_LINE = re.compile(rb"[A-Za-z0-9!#$%&'*+.^_`|~-]+:[\t\x20-\x7e\x80-\xff]*\r\n")


def read_slowly(data: bytes) -> tuple[bytes, int] | None:
    """(the decoded body, where it ends) of a whole body at the start of *data*; None if it isn't one."""
    body, at = b"", 0
    while line := SIZE_LINE.match(data, at):
        at = line.end()
        if (size := int(line[1], 16)) == 0:
            while trailer := TRAILER_LINE.match(data, at):
                at = trailer.end()
            return (body, at + 2) if data[at : at + 2] == b"\r\n" else None
        body += data[at : at + size]
        if data[at + size : at + size + 2] != b"\r\n":
            return None
        at += size + 2
    return None


extensions = st.sampled_from([b"", b";a", b';a="b c"', b' ;\ta = "\xff\t\\"" ; b', b";a=b;c"])
pieces = st.tuples(st.binary(min_size=1, max_size=40), extensions, st.booleans())
trailers = st.lists(st.sampled_from([b"a: b", b"X-Sum: 1", b"t:\xff"]), max_size=3)


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    out = b""
    for data, extension, upper in draw(st.lists(pieces, max_size=5)):
        size = b"%X" % len(data) if upper else b"%04x" % len(data)
        out += size + extension + b"\r\n" + data + b"\r\n"
    lines = b"".join(line + b"\r\n" for line in draw(trailers))
    return out + b"0" + draw(extensions) + b"\r\n" + lines + b"\r\n"


@given(bodies(), st.binary(max_size=10), st.data())
def test_a_body_ends_where_the_grammar_says_however_it_is_cut(body: bytes, behind: bytes, data: st.DataObject) -> None:
    stream = body + behind
    cuts = sorted(data.draw(st.lists(st.integers(1, len(stream)), unique=True, max_size=6)))
    assert read_slowly(stream) is not None
    assert scan(stream, cuts) == (len(body), True)
    assert both(stream) == (len(body), True)


@given(bodies(), st.data())
def test_one_changed_byte_is_judged_as_by_the_reference_parser(body: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(body) - 1))
    changed = body[:at] + bytes([data.draw(st.sampled_from(b"\r\n0;:aG \x00\x7f\xff"))]) + body[at + 1 :]
    read = read_slowly(changed)
    try:
        taken, done = both(changed)
    except ProtocolError:
        taken, done = 0, False
    assert (taken if done else None) == (read[1] if read else None)


@given(bodies(), st.data())
def test_a_body_that_is_cut_off_is_not_done(body: bytes, data: st.DataObject) -> None:
    end = data.draw(st.integers(0, len(body) - 1))
    assert both(body[:end]) == (end, False)


@pytest.mark.parametrize(
    "data",
    [
        *(
            b"\r",
            b"\n",
            b"g",
            b"-",
            b"+",
            b" ",
            b";",
            b"1 \r",
            b"1 x",
            b"1;\r",
            b"1;=",
            b"1;;",
            b"1;a \r",
            b"1;a=\r",
            b"1;a=;",
            b"1;a==",
            b"1;a=b=",
            b'1;a="b"c',
            b'1;a="\r',
            b'1;a="\\\0',
            b"0x",
            b"1\n",
            b"1;a\n",
            b"1\rx",
            b"1;a\rx",
            b"1;\0",
            b"1;\x7f",
        ),
        *(b"0" * 17, b"1\r\nab", b"1\r\na\n", b"1\r\na\r\r", b"1\r\n\rx"),
        *(
            b"0\r\n\0",
            b"0\r\n:",
            b"0\r\n ",
            b"0\r\na ",
            b"0\r\na\r",
            b"0\r\na: b\n",
            b"0\r\na\0",
            b"0\r\n\rx",
            b"0\r\n\n",
            b"0\r\na: b\r\r",
        ),
    ],
)
def test_faulty_framing_is_refused_at_its_first_byte(data: bytes) -> None:
    assert refused(data) == 400
    assert both(data[:-1]) == (len(data) - 1, False), "what came before the faulty byte was fine"


@pytest.mark.parametrize("size", [b"7fffffffffffffff", b"7FFFFFFFFFFFFFFF", b"0000000000000001"])
def test_sixteen_digits_are_read(size: bytes) -> None:
    assert both(size + b"\r\n") == (18, False)


@pytest.mark.parametrize("data", [b"8000000000000000\r\n", b"ffffffffffffffff\r\n", b"1\r\na\r\n7fffffffffffffff\r\n"])
def test_a_sum_that_wraps_is_refused(data: bytes) -> None:
    assert refused(data) == 400


def test_the_limit_is_on_data_and_known_from_the_size() -> None:
    assert both(b"a\r\n", limit=10) == (3, False)
    assert refused(b"b\r\n", limit=10) == 413
    assert both(b"5\r\nhello\r\n5\r\n", limit=10) == (13, False)
    assert refused(b"5\r\nhello\r\n6\r\n", limit=10) == 413


def test_the_limit_names_its_flag() -> None:
    with pytest.raises(ProtocolError) as caught:
        ChunkScanner(10).scan(b"b\r\n")
    assert caught.value.flag == "--limit-request-body"


@pytest.mark.parametrize("cuts", [[], [1], [2], [3], list(range(1, 30))])
def test_extensions_are_overwritten_with_one_that_the_parser_knows(cuts: list[int]) -> None:
    scanner, seen = ChunkScanner(), b""
    data = b'5 ; a = "b;\\"" ; c\r\nhello\r\n0;d\r\n\r\n'
    for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True):
        scanner.scan(data[start:end])
        seen += scanner.seen
    assert seen == b"5;xxxxxxxxxxxxxxxx\r\nhello\r\n0;x\r\n\r\n"


def test_extensions_are_limited_over_the_whole_body() -> None:
    chunk = b"1;" + b"x" * 2047 + b"\r\na\r\n"
    assert both(chunk * 2)[1] is False
    assert refused(chunk * 2 + b"1;") == 400


def test_trailers_are_limited_in_number_and_in_bytes() -> None:
    assert both(b"0\r\n" + b"a: b\r\n" * 32 + b"\r\n")[1] is True
    assert refused(b"0\r\n" + b"a: b\r\n" * 33) == 400
    line = b"a: " + b"x" * 8187  # with its CR, which ends the line's content, that is 8,191 bytes
    assert both(b"0\r\n" + line + b"\r\n\r\n")[1] is True
    assert refused(b"0\r\n" + line + b"xx\r\n\r\n") == 400


def test_nothing_is_taken_when_it_is_done() -> None:
    scanner = ChunkScanner()
    assert scanner.scan(b"0\r\n\r\nGET /") == 5
    assert scanner.done
    assert scanner.scan(b"GET /") == 0


@pytest.mark.parametrize("wrong", [None, "0", bytearray(b"0")])
def test_only_bytes_are_scanned(wrong: object) -> None:
    with pytest.raises(TypeError):
        ChunkScanner().scan(wrong)  # type: ignore[arg-type]
