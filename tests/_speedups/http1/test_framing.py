"""Body framing, rule by rule, and against the rules written once more in another form. RFC 9112, section 6.3."""

import itertools
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from atlas.errors import ProtocolError
from tests.compiled import framing

MOST = 2**63 - 1


def refused(http_10: bool, lengths: list[bytes], codings: list[bytes]) -> int:
    with pytest.raises(ProtocolError) as caught:
        framing.of_request(http_10, lengths, codings)
    return caught.value.status


# --------------------------------------------------------------------------------------------------------- requests


@pytest.mark.parametrize("http_10", [False, True])
def test_a_request_without_either_field_has_no_body(http_10: bool) -> None:
    assert framing.of_request(http_10, [], []) == ("none", 0)


@pytest.mark.parametrize("http_10", [False, True])
def test_a_length_of_nought_is_no_body(http_10: bool) -> None:
    assert framing.of_request(http_10, [b"0"], []) == ("none", 0)
    assert framing.of_request(http_10, [b"0000000000000000000"], []) == ("none", 0)


@pytest.mark.parametrize("value", [b"1", b"42", b"007", b"9223372036854775807", b"0000000000000000001"])
def test_one_decimal_number_is_a_length(value: bytes) -> None:
    assert framing.of_request(False, [value], []) == ("length", int(value))


@pytest.mark.parametrize(
    "value",
    [
        *(b"", b"-1", b"+1", b" 1", b"1 ", b"1 2", b"1,1", b"1, 1", b"0x10", b"1e3", b"1.0", b"\xb2", b"1\x00"),
        *(b"9223372036854775808", b"9999999999999999999", b"00000000000000000001", b"18446744073709551617"),
    ],
)
def test_anything_else_is_no_length(value: bytes) -> None:
    assert refused(False, [value], []) == 400


@given(st.one_of(st.binary(max_size=21), st.from_regex(rb"[0-9]{1,21}", fullmatch=True)))
@example(b"9223372036854775807")
@example(b"9223372036854775808")
def test_a_length_is_what_the_grammar_says(value: bytes) -> None:
    decimal = re.fullmatch(rb"[0-9]{1,19}", value)
    if decimal and int(value) <= MOST:
        assert framing.of_request(False, [value], [])[1] == int(value)
    else:
        assert refused(False, [value], []) == 400


@pytest.mark.parametrize("values", [[b"1", b"1"], [b"1", b"2"], [b"0", b"0"], [b"1", b"x"]])
def test_two_lengths_are_refused_equal_or_not(values: list[bytes]) -> None:
    assert refused(False, values, []) == 400


@pytest.mark.parametrize("value", [b"chunked", b"Chunked", b"CHUNKED"])
def test_chunked_in_any_case(value: bytes) -> None:
    assert framing.of_request(False, [], [value]) == ("chunked", 0)


@pytest.mark.parametrize("values", [[b"gzip, chunked"], [b"gzip", b"Chunked"], [b"x;q=1 ,\tchunked"]])
def test_another_coding_before_chunked_is_not_implemented(values: list[bytes]) -> None:
    assert refused(False, [], values) == 501


@pytest.mark.parametrize(
    "values",
    [
        *([b""], [b","], [b"identity"], [b"xchunked"], [b"chunke"], [b"chunked;a=b"], [b"chunked, gzip"]),
        *([b"chunked, chunked"], [b"chunked", b"chunked"], [b"chunked", b"gzip"], [b", chunked"], [b"chunked,"]),
    ],
)
def test_codings_that_do_not_end_in_chunked_once_are_refused(values: list[bytes]) -> None:
    assert refused(False, [], values) == 400


@pytest.mark.parametrize("value", [b"chunked", b"gzip"])
def test_a_coding_in_http_10_is_faulty_framing(value: bytes) -> None:
    assert refused(True, [], [value]) == 400


@pytest.mark.parametrize("coding", [b"chunked", b"gzip"])
@pytest.mark.parametrize("http_10", [False, True])
@pytest.mark.parametrize("lengths", [[b"5"], [b"0"], [b"x"], [b"5", b"5"]])
def test_a_length_beside_a_coding_is_refused(http_10: bool, lengths: list[bytes], coding: bytes) -> None:
    assert refused(http_10, lengths, [coding]) == 400


# -------------------------------------------------------------------------------------------------------- responses


def expected(method: str, status: int, http_10: bool, has_length: bool, single: bool, trailers: bool) -> str:
    """RFC 9112, section 6.3 as a table of first matches."""
    table = [
        (method == "HEAD" or status in {204, 304} or status // 100 == 1, "none"),
        (has_length, "length"),
        (single and (http_10 or not trailers), "length"),
        (http_10, "close"),
        (True, "chunked"),
    ]
    return next(answer for holds, answer in table if holds)


@pytest.mark.parametrize(
    "status", [100, 101, 103, 199, 200, 203, 204, 205, 206, 299, 301, 303, 304, 305, 404, 500, 999]
)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS"])
def test_every_kind_of_response(method: str, status: int) -> None:
    for flags in itertools.product([False, True], repeat=4):
        assert framing.of_response(method, status, *flags) == expected(method, status, *flags), flags


def test_trailers_are_not_expected_unless_promised() -> None:
    assert framing.of_response("GET", 200, False, False, True) == "length"
    assert framing.of_response("GET", 200, False, False, True, trailers=True) == "chunked"
