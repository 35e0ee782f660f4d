"""The compiled line against the one that is made from a record."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.compiled.heads import log_line as line

from atlas.server.logs.access_formats import make_formatter

TARGETS = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1).map(str.encode)
CLIENTS = st.none() | st.tuples(st.sampled_from(["127.0.0.1", "::1", "fe80::1%eth0"]), st.integers(0, 65535))


@given(CLIENTS, st.sampled_from(["GET", "M-SEARCH", "-"]), TARGETS, st.booleans(), st.integers(100, 999))
def test_it_is_the_line_of_the_default_format(
    client: tuple[str, int] | None, method: str, target: bytes, http_10: bool, status: int
) -> None:
    record = (client, method, target, "1.0" if http_10 else "1.1", status, 0, 0.0, 0.0, [], None)
    assert [line(client, method, target, http_10, status).decode()] == make_formatter(None, False)([record])


def test_nothing_in_a_target_ends_the_quotes() -> None:
    assert line(None, "GET", b'/"x\\', False, 200) == b'INFO:     - - "GET /\\x22x\\x5c HTTP/1.1" 200 OK\n'


def test_a_status_has_three_digits() -> None:
    with pytest.raises(ValueError, match="at most three digits, got 1000"):
        line(None, "GET", b"/", False, 1000)
