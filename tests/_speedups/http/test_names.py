"""The names that are met often are made once, in every spelling; those that aren't come out the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atlas._speedups.http.request_head import RequestHead
from tests._speedups.parsing import parse_both, request

OFTEN = [b"accept", b"cookie", b"user-agent", b"x-forwarded-for", b"x-request-id", b"if-none-match", b"sec-fetch-mode"]
SELDOM = [b"x-thing", b"etag", b"x-forwarded_for", b"zz"]


def spellings(name: bytes) -> list[bytes]:
    capitals = b"-".join(word.capitalize() for word in name.split(b"-"))
    return [name, capitals, name.upper(), name.swapcase(), name[:-1] + name[-1:].upper()]


def headers(*names: bytes) -> list[tuple[bytes, bytes]]:
    head: RequestHead = request(
        b"GET / HTTP/1.1\r\nHost: a\r\n" + b"".join(b"%s: v\r\n" % name for name in names) + b"\r\n"
    )
    return head.headers[1:]


@pytest.mark.parametrize("name", OFTEN + SELDOM)
def test_every_spelling_is_folded(name: bytes) -> None:
    assert headers(*spellings(name)) == [(name, b"v")] * 5


@pytest.mark.parametrize("name", OFTEN)
def test_a_known_name_is_one_object(name: bytes) -> None:
    assert len({id(found) for found, _ in headers(*spellings(name))}) == 1


def test_what_clients_send_is_not_remembered() -> None:
    (first, _), (second, _) = headers(b"x-thing", b"x-thing")
    assert first == second
    assert first is not second


@pytest.mark.parametrize("spelling", [b"Host", b"HOST", b"hOsT"])
def test_a_name_that_matters_is_known_in_every_spelling(spelling: bytes) -> None:
    assert parse_both(b"GET / HTTP/1.1\r\n%s: a\r\n\r\n" % spelling).complete == 1


@given(st.sampled_from([b"content-length", b"transfer-encoding", b"connection", b"expect"]), st.data())
def test_mixed_case_hides_nothing(name: bytes, data: st.DataObject) -> None:
    spelling = bytes(data.draw(st.sampled_from([byte, ord(chr(byte).upper())])) for byte in name)
    value = {b"content-length": b"x", b"transfer-encoding": b"gzip", b"connection": b"(", b"expect": b"x"}[name]
    result = parse_both(b"POST / HTTP/1.1\r\nHost: a\r\n%s: %s\r\n\r\n" % (spelling, value))
    assert result.error is not None
