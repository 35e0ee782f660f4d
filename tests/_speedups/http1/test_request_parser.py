"""Requests off a stream: the same however they come, as h11 reads them, and with every limit at its edge."""

import string
import sys

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.compiled.parsing import Parser

from atlas._speedups.http.request_head import Limits
from atlas.errors import ProtocolError
from tests._speedups.for_each import for_each
from tests._speedups.parsing import each_byte, parse, parse_both, refused, request

HEAD = b"GET / HTTP/1.1\r\nHost: a\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\n"
END = b"\r\n\r\n"  # a line that is whole may be judged with its head; what is dripped in is judged byte by byte

# --------------------------------------------------------------------------------------------- an independent reader

names = st.text("abcXYZ019-_.!#$%&'*+^`|~", min_size=1, max_size=12).map(lambda name: f"x{name}".encode())
values = st.text([chr(c) for c in range(0x21, 0x7F)] + list(" \t\xe9"), max_size=30).map(
    lambda value: value.strip(" \t").encode("latin-1")
)
padding = st.sampled_from([b"", b" ", b"\t", b" \t "])
targets = st.text("ab/.~%20?=&+:@!$'()*,;[]", max_size=20).map(lambda rest: f"/{rest}".encode())
methods = st.sampled_from([b"GET", b"POST", b"PUT", b"DELETE", b"OPTIONS", b"PATCH"])


@st.composite
def bodies(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """(the fields that announce a body, the body's bytes on the wire)."""
    pieces = draw(st.lists(st.binary(min_size=1, max_size=50), max_size=4))
    kind = draw(st.sampled_from(["none", "length", "chunked"]))
    if kind == "length":
        body = b"".join(pieces)
        return b"Content-Length: %d\r\n" % len(body), body
    if kind == "chunked":
        chunks = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
        return b"Transfer-Encoding: chunked\r\n", chunks + b"0\r\n\r\n"
    return b"", b""


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    line = draw(methods) + b" " + draw(targets) + b" HTTP/1.1\r\nHost: example.org\r\n"
    fields = draw(st.lists(st.tuples(names, padding, values, padding), max_size=6))
    announced, body = draw(bodies())
    lines = b"".join(name + b":" + before + value + after + b"\r\n" for name, before, value, after in fields)
    return line + lines + announced + b"\r\n" + body


def read_by_h11(data: bytes) -> list[tuple[object, ...]]:
    server = h11.Connection(h11.SERVER)
    server.receive_data(data)
    read = []
    while (request := server.next_event()) not in (h11.NEED_DATA, h11.PAUSED):
        assert isinstance(request, h11.Request), request
        body = b""
        while isinstance(event := server.next_event(), h11.Data):
            body += event.data
        assert isinstance(event, h11.EndOfMessage), event
        read.append((request.method, request.target, list(request.headers), body))
        server.send(h11.Response(status_code=200, headers=[("content-length", "0")]))
        server.send(h11.EndOfMessage())
        server.start_next_cycle()
    return read


@given(st.lists(requests(), min_size=1, max_size=3), st.data())
def test_valid_requests_are_read_as_h11_reads_them(stream: list[bytes], data: st.DataObject) -> None:
    sent = b"".join(stream)
    cuts = sorted(data.draw(st.lists(st.integers(1, len(sent) - 1), unique=True, max_size=8)))
    for result in (parse(sent), parse(sent, cuts), parse(sent, each_byte(sent))):
        assert (result.error, result.complete, result.rest) == (None, len(stream), b"")
        reported = [
            (head.method.encode(), head.target, head.headers, body)
            for head, body in zip(result.heads, result.bodies, strict=True)
        ]
        assert reported == read_by_h11(sent)


@given(requests(), st.data())
def test_a_damaged_request_is_judged_the_same_however_it_comes(sent: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(sent) - 1))
    byte = data.draw(st.sampled_from([b"", b"\r", b"\n", b" ", b":", b"\0", b"\x7f", b"\xff", b"0", b"\r\n", b";"]))
    damaged = sent[:at] + byte + sent[at + 1 :] + END
    cuts = sorted(data.draw(st.lists(st.integers(0, len(damaged)), unique=True, max_size=4)))
    whole = parse(damaged)
    assert parse(damaged, each_byte(damaged)).comparable() == whole.comparable()
    assert parse(damaged, cuts).comparable() == whole.comparable()


@given(st.binary(max_size=60), st.sampled_from([b"", HEAD, POST + b"Transfer-Encoding: chunked\r\n\r\n"]))
def test_arbitrary_bytes_raise_only_protocol_errors(data: bytes, before: bytes) -> None:
    sent = before + data + END
    whole, dripped = parse(sent), parse(sent, each_byte(sent))
    assert (whole.error is None) == (dripped.error is None)
    for result in (whole, dripped):
        assert result.error is None or result.error.status in (400, 413, 414, 417, 431, 501, 505)


# ------------------------------------------------------------------------------------------------------------- heads


def test_a_head_that_is_not_whole_is_given_again() -> None:
    reader = Parser(Limits())
    assert reader.feed(HEAD) == 0
    assert reader.request is None
    assert reader.feed(HEAD + b"\r\nmore") == len(HEAD) + 2
    assert reader.request is not None
    assert reader.complete
    assert reader.feed(b"more") == 0


def test_what_was_given_is_not_changed() -> None:
    data = HEAD + b"A: b\t \t\r\n\r\n"
    copy = bytes(bytearray(data))
    assert request(data).headers[1] == (b"a", b"b")
    assert data == copy


def test_bytes_that_come_one_by_one_are_not_changed() -> None:
    """Chunk extensions are overwritten where they are, and the interpreter has only one ``bytes`` of each byte."""
    reader = Parser(Limits())
    assert reader.feed(POST + b"Transfer-Encoding: chunked\r\n\r\n") > 0
    for number in b"1;a=b\r\n":
        assert reader.feed(bytes([number])) == 1
    for number in b"1;a=b\r\n":
        assert bytes([number]) == bytearray([number])


def test_one_empty_line_in_front_is_skipped() -> None:
    assert parse_both(b"\r\n" + HEAD + b"\r\n").complete == 1
    assert parse_both(HEAD + b"\r\n" + b"\r\n" + HEAD + b"\r\n").complete == 2
    assert refused(b"\r\n\r\n" + HEAD + b"\r\n") == 400


@pytest.mark.parametrize(
    "value", [b"", b" ", b"\t", b"v", b" v", b"v ", b"\tv\t", b" \t v w \t ", b":", b"\xff", b"v\tw"]
)
def test_white_space_around_a_value_is_not_part_of_it(value: bytes) -> None:
    assert request(HEAD + b"X-A:" + value + b"\r\nX-B: 2\r\n\r\n").headers[1:] == [
        (b"x-a", value.strip(b" \t")),
        (b"x-b", b"2"),
    ]


@for_each(range(256))
def test_every_byte_in_a_value(number: int) -> None:
    data = HEAD + b"X-A: v%cw\r\n\r\n" % number
    if number == 9 or (number >= 32 and number != 127):
        assert request(data).headers[1] == (b"x-a", b"v%cw" % number)
    else:
        assert refused(data) == 400


@for_each(range(256))
def test_every_byte_in_a_name(number: int) -> None:
    data = HEAD + b"X%cA: v\r\n\r\n" % number
    if chr(number) in string.ascii_letters + string.digits + "!#$%&'*+-.^_`|~":
        assert request(data).headers[1] == ((b"X%cA" % number).lower(), b"v")
    elif number == ord(":"):
        assert request(data).headers[1] == (b"x", b"A: v")
    else:
        assert refused(data) == 400


@pytest.mark.parametrize(
    "line",
    [
        *(
            b" X: folded",
            b"\tX: folded",
            b"X : v",
            b"X\t: v",
            b": v",
            b"X",
            b"X v",
            b"\x00",
            b"X: v\nY: w",
            b"X: v\rY: w",
        ),
        *(b"X: v\r\r", b"X:\r", b"Host: b", b"Host: a", b"Connection: (", b"Connection: close;x"),
        *(
            b"Content-Length: 1\r\nContent-Length: 1",
            b"Content-Length: 1, 1",
            b"Content-Length: +1",
            b"Content-Length:",
        ),
        *(b"Content-Length: 1\r\nTransfer-Encoding: chunked", b"Transfer-Encoding: chunked\r\nContent-Length: 0"),
    ],
)
def test_lines_that_two_parties_might_read_differently(line: bytes) -> None:
    assert refused(HEAD + line + b"\r\n\r\n") == 400


@pytest.mark.parametrize(
    ("value", "status"),
    [(b"gzip, chunked", 501), (b"gzip", 400), (b"chunked, gzip", 400), (b"identity", 400), (b"chunked, chunked", 400)],
)
def test_another_coding(value: bytes, status: int) -> None:
    assert refused(POST + b"Transfer-Encoding: " + value + b"\r\n\r\n") == status
    fields = b"".join(b"Transfer-Encoding: " + coding + b"\r\n" for coding in value.split(b", "))
    assert refused(POST + fields + b"\r\n") == status


@pytest.mark.parametrize("value", [b" \tchunked\t ", b"chunked\t", b"Chunked"])
def test_chunked_may_have_white_space_around_it(value: bytes) -> None:
    result = parse(POST + b"Transfer-Encoding:" + value + b"\r\n\r\n1\r\nx\r\n0\r\n\r\n")
    assert (result.error, result.bodies, result.complete) == (None, [b"x"], 1)


@pytest.mark.parametrize("host", [b"a b", b"a/b", b"u@a", b"a:b", b"[::1", b"a, b", b"\xff"])
def test_a_host_that_is_none(host: bytes) -> None:
    assert refused(b"GET / HTTP/1.1\r\nHost: " + host + b"\r\n\r\n") == 400


def test_a_host_must_be_there_once_in_http_11() -> None:
    assert refused(b"GET / HTTP/1.1\r\nA: b\r\n\r\n") == 400
    assert refused(b"GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n") == 400
    assert request(b"GET / HTTP/1.0\r\n\r\n").headers == []
    assert request(b"GET / HTTP/1.1\r\nHost:\r\n\r\n").headers == [(b"host", b"")]


def test_the_authority_of_an_absolute_form_is_the_host() -> None:
    head = request(b"GET http://b:1/c?d HTTP/1.1\r\nA: 1\r\nHost: a\r\nZ: 2\r\n\r\n")
    assert head.headers == [(b"a", b"1"), (b"host", b"b:1"), (b"z", b"2")]
    assert (head.raw_path, head.query_string) == (b"/c", b"d")
    assert request(b"GET http://b HTTP/1.0\r\nA: 1\r\n\r\n").headers == [(b"host", b"b"), (b"a", b"1")]
    assert refused(b"GET http://b/ HTTP/1.1\r\nA: 1\r\n\r\n") == 400


@pytest.mark.parametrize(
    ("version", "value", "keep_alive"),
    [
        (b"1.1", b"close", False),
        (b"1.1", b"Close", False),
        (b"1.1", b"x, close", False),
        (b"1.1", b" ,,close ,", False),
        (b"1.1", b"keep-alive, close", False),
        (b"1.1", b"keep-alive", True),
        (b"1.1", b"closed, xclose", True),
        (b"1.1", b"", True),
        (b"1.0", b"keep-alive", True),
        (b"1.0", b"Keep-Alive", True),
        (b"1.0", b"keep-alive, close", False),
        (b"1.0", b"keep", False),
        (b"1.0", b"", False),
    ],
)
def test_whether_the_client_keeps_the_connection_alive(version: bytes, value: bytes, keep_alive: bool) -> None:
    head = request(b"GET / HTTP/%s\r\nHost: a\r\nConnection: %s\r\n\r\n" % (version, value))
    assert head.keep_alive is keep_alive


def test_connection_fields_add_up() -> None:
    assert request(HEAD + b"Connection: close\r\nConnection: keep-alive\r\n\r\n").keep_alive is False


def test_an_expectation() -> None:
    assert parse_both(POST + b"Expect: 100-CONTINUE\r\nContent-Length: 1\r\n\r\n").heads[0].expects_continue is True
    assert refused(POST + b"Expect: 200-ok\r\n\r\n") == 417
    old = b"POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n"
    assert parse_both(old).heads[0].expects_continue is False


# ------------------------------------------------------------------------------------------------------------ upgrades


@pytest.mark.parametrize("upgrade", [b"websocket", b"h2c", b"TLS/1.2, x"])
@pytest.mark.parametrize(
    ("fields", "wire", "body"),
    [
        (b"", b"", b""),
        (b"Content-Length: 5\r\n", b"hello", b"hello"),
        (b"Transfer-Encoding: chunked\r\n", b"5\r\nhello\r\n0\r\nt: v\r\n\r\n", b"hello"),
    ],
)
def test_an_upgrade_hides_neither_the_body_nor_what_follows(
    upgrade: bytes, fields: bytes, wire: bytes, body: bytes
) -> None:
    sent = POST + b"Connection: x, Upgrade\r\nUpgrade: " + upgrade + b"\r\n" + fields + b"\r\n" + wire
    result = parse_both(sent + HEAD + b"\r\n" + sent)
    assert (result.error, result.complete, result.rest) == (None, 3, b"")
    assert result.bodies == [body, b"", body]
    assert [head.upgrade for head in result.heads] == [upgrade, None, upgrade]
    assert [head.method for head in result.heads] == ["POST", "GET", "POST"]


def test_an_upgrade_that_connection_does_not_list_is_none() -> None:
    assert request(HEAD + b"Upgrade: websocket\r\n\r\n").upgrade is None
    assert request(HEAD + b"Connection: upgrade\r\n\r\n").upgrade is None


# -------------------------------------------------------------------------------------------------------------- bodies


def test_trailers_are_dropped() -> None:
    result = parse_both(
        POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nHost: b\r\nX-T: 1\r\n\r\n" + HEAD + b"\r\n"
    )
    assert (result.error, result.complete, result.bodies) == (None, 2, [b"x", b""])
    assert result.heads[0].headers == [(b"host", b"a"), (b"transfer-encoding", b"chunked")]


@pytest.mark.parametrize("size", [1, 65535, 65536, 300_000])
def test_a_body_of_any_size(size: int) -> None:
    body = bytes(index % 251 for index in range(1000)) * (size // 1000 + 1)
    body = body[:size]
    result = parse(POST + b"Content-Length: %d\r\n\r\n" % size + body, range(1, size, 60_000))
    assert (result.error, result.bodies, result.complete) == (None, [body], 1)
    chunked = POST + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (size, body)
    result = parse(chunked, range(1, len(chunked), 60_000))
    assert (result.error, result.bodies, result.complete) == (None, [body], 1)


def test_a_body_that_is_cut_off_is_not_whole() -> None:
    for data in (b"Content-Length: 5\r\n\r\nhell", b"Transfer-Encoding: chunked\r\n\r\n5\r\nhell"):
        result = parse_both(POST + data)
        assert (result.bodies, result.complete, result.error) == ([b"hell"], 0, None)


# -------------------------------------------------------------------------------------------------------------- limits


def at_the_edge(good: bytes, bad: bytes, limits: Limits, status: int, flag: str) -> None:
    assert parse_both(good, limits).complete == 1
    assert refused(bad, limits) == status
    error = parse(bad, (), limits).error
    assert isinstance(error, ProtocolError)
    assert error.flag == flag


def test_the_request_line_is_limited() -> None:
    rest = b"\r\nHost: a\r\n\r\n"
    good, bad = b"GET /aaaaa HTTP/1.1", b"GET /aaaaaa HTTP/1.1"
    at_the_edge(good + rest, bad + rest, Limits(request_line=len(good)), 414, "--limit-request-line")


def test_a_field_is_limited() -> None:
    good, bad = b"X: " + b"v" * 20, b"X: " + b"v" * 21
    limits = Limits(field=len(good))
    at_the_edge(HEAD + good + b"\r\n\r\n", HEAD + bad + b"\r\n\r\n", limits, 431, "--limit-request-field")


def test_the_number_of_fields_is_limited() -> None:
    good, bad = HEAD + b"a: b\r\n" * 4, HEAD + b"a: b\r\n" * 5
    at_the_edge(good + b"\r\n", bad + b"\r\n", Limits(fields=5), 431, "--limit-request-fields")


def test_the_whole_head_is_limited() -> None:
    good, bad = HEAD + b"a: bb\r\n\r\n", HEAD + b"a: bbb\r\n\r\n"
    at_the_edge(good, bad, Limits(head=len(good)), 431, "--limit-request-head")


def test_the_body_is_limited() -> None:
    limits = Limits(body=5)
    flag = "--limit-request-body"
    length = POST + b"Content-Length: %d\r\n\r\n"
    at_the_edge(length % 5 + b"hello", length % 6, limits, 413, flag)
    chunks = POST + b"Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n"
    at_the_edge(chunks + b"2\r\nlo\r\n0\r\n\r\n", chunks + b"3\r\n", limits, 413, flag)


def test_no_limit_on_the_body() -> None:
    limits = Limits(body=0)
    assert parse(POST + b"Content-Length: 9223372036854775807\r\n\r\n", (), limits).error is None


@pytest.mark.parametrize(
    ("start", "status"),
    [
        (b"GET /" + b"a" * 8192, 414),
        (HEAD + b"X: " + b"v" * 16384, 431),
        (b"\x16\x03\x01", 400),
        (b"GET / HTTP/1.1\r\nX: \x00", 400),
        (b"SSH-2.0-OpenSSH_9.6\r", None),
        (b"(", 400),
    ],
)
def test_what_cannot_become_a_request_is_refused_before_it_ends(start: bytes, status: int | None) -> None:
    error = parse_both(start).error
    assert (error.status if error else None) == status


# ------------------------------------------------------------------------------------------------------------- hygiene


def test_a_parser_reads_any_number_of_messages() -> None:
    message = POST + b"Connection: upgrade\r\nUpgrade: x\r\nContent-Length: 1\r\n\r\nx" + HEAD + b"\r\n"
    result = parse(message * 300)
    assert (result.error, result.complete) == (None, 600)


def test_an_error_has_no_cause() -> None:
    error = parse(HEAD + b"Host: b\r\n\r\n").error
    assert error is not None
    assert str(error) == "400: more than one Host"
    assert error.__cause__ is None


@pytest.mark.parametrize("wrong", [None, "GET", bytearray(HEAD)])
def test_only_bytes_are_read(wrong: object) -> None:
    with pytest.raises(TypeError):
        Parser(Limits()).feed(wrong)  # type: ignore[arg-type]


def test_it_needs_limits() -> None:
    with pytest.raises(TypeError):
        Parser(None)  # type: ignore[arg-type]


def test_reading_keeps_no_reference_to_none() -> None:
    """A buffer export that is filled in wrongly loses one with each read; nothing else would show it."""
    reader = Parser(Limits())
    head = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    before = sys.getrefcount(None)
    for _ in range(2000):
        assert reader.feed(head) == len(head)
        reader.next()
    assert abs(sys.getrefcount(None) - before) < 100
