"""The tables against the grammar, byte by byte. RFC 9110, sections 5.5 and 5.6.2."""

import string

import pytest

from tests._speedups.for_each import for_each
from tests.compiled import heads as characters

EVERY_BYTE = [bytes([number]) for number in range(256)]
TOKEN = (string.ascii_letters + string.digits + "!#$%&'*+-.^_`|~").encode()


@for_each(EVERY_BYTE)
def test_a_byte_is_a_token_character_if_the_grammar_says_so(byte: bytes) -> None:
    assert characters.token(byte) is (byte in TOKEN)
    assert characters.token(b"a" + byte + b"z") is (byte in TOKEN)


@for_each(EVERY_BYTE)
def test_a_field_value_holds_everything_but_controls(byte: bytes) -> None:
    control = byte != b"\t" and (byte < b" " or byte == b"\x7f")
    assert characters.field_value(byte) is not control
    assert characters.field_value(b"a " + byte + b" z") is not control


@for_each(EVERY_BYTE)
def test_folding_is_lower_case_for_tokens_and_none_for_the_rest(byte: bytes) -> None:
    assert characters.folded(byte) == (byte.lower() if byte in TOKEN else None)


def test_a_token_has_at_least_one_character_and_a_value_needs_none() -> None:
    assert characters.token(b"") is False
    assert characters.folded(b"") is None
    assert characters.field_value(b"") is True


def test_a_whole_name_is_folded() -> None:
    assert characters.folded(b"X-Forwarded_For") == b"x-forwarded_for"


@pytest.mark.parametrize("function", [characters.token, characters.field_value, characters.folded])
@pytest.mark.parametrize("wrong", [None, "text", bytearray(b"a")])
def test_only_bytes_are_asked_about(function: object, wrong: object) -> None:
    with pytest.raises(TypeError):
        function(wrong)  # type: ignore[operator]
