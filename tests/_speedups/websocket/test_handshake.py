"""What Sec-WebSocket-Extensions may look like; the other rules are in ``tests/wire/test_websocket_handshake.py``."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.compiled.websocket import extensions

from atlas.errors import ProtocolError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("a", [("a", [])]),
        ("a, b", [("a", []), ("b", [])]),
        (" a ;b ; c=1\t;d = e , f", [("a", [("b", None), ("c", "1"), ("d", "e")]), ("f", [])]),
        ('a; b="c"; d="e\\f"', [("a", [("b", "c"), ("d", "ef")])]),
    ],
)
def test_extensions(text: str, expected: list[object]) -> None:
    assert extensions(text) == expected


@pytest.mark.parametrize(
    "text", ["a;", "a;=1", "a;b=", ",", "a b", 'a;b="', 'a;b=""', 'a;b="c d"', "a;;b", "a,,b", "é"]
)
def test_malformed_extensions(text: str) -> None:
    with pytest.raises(ProtocolError, match="400: a WebSocket handshake with malformed extensions"):
        extensions(text)


@given(st.text(alphabet='ab ;=,"\\\t', max_size=40))
def test_whatever_comes_is_read_or_refused(text: str) -> None:
    status = 400
    try:
        extensions(text)
    except ProtocolError as error:
        status = error.status
    assert status == 400


@pytest.mark.parametrize("piece", [" ", "a;", "a ; b ", ';a="\\"', "\t,", "a=", '"'])
def test_a_long_field_is_read_in_linear_time(piece: str) -> None:
    start = time.perf_counter()
    for text in ("a" + piece * 8000, "a;b=" + piece * 8000):
        try:
            extensions(text)
        except ProtocolError:
            pass
    assert time.perf_counter() - start < 2
