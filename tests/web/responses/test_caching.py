from email.utils import formatdate
from typing import Any

import pytest

from atlas import Response
from atlas.web.headers import Headers
from atlas.web.responses.caching import (
    Precondition,
    cache_control,
    entity_tag,
    evaluate,
    http_date,
    keep_private,
    parse_date,
    range_applies,
)

MODIFIED = 1_700_000_000
SAME, BEFORE = formatdate(MODIFIED, usegmt=True), formatdate(MODIFIED - 1, usegmt=True)


def head(*fields: tuple[str, str]) -> Headers:
    return Headers([(name.encode(), value.encode()) for name, value in fields])


def test_tags() -> None:
    assert entity_tag("a") == '"a"'
    assert entity_tag("a", weak=True) == 'W/"a"'
    assert entity_tag(b"a") == entity_tag(b"a") != entity_tag(b"b")
    with pytest.raises(ValueError, match="without quotes"):
        entity_tag('a"b')


@pytest.mark.parametrize(
    ("seconds", "directives", "value"),
    [
        (None, {}, "no-cache"),
        (60, {}, "max-age=60"),
        (60, {"public": True, "immutable": True}, "public, immutable, max-age=60"),
        (None, {"no_store": True}, "no-store"),
        (0, {"private": True, "must_revalidate": True}, "private, must-revalidate, max-age=0"),
        (1, {"s_maxage": 2, "stale_while_revalidate": 3}, "max-age=1, s-maxage=2, stale-while-revalidate=3"),
        (1, {"public": False}, "max-age=1"),
    ],
)
def test_cache_control(seconds: int | None, directives: dict[str, Any], value: str) -> None:
    assert cache_control(seconds, **directives) == value


@pytest.mark.parametrize(
    ("seconds", "directives"),
    [
        (-1, {}),
        (1.5, {}),
        (True, {}),
        (None, {"s_maxage": "1"}),
        (60, {"no_store": True}),
        (None, {"public": True, "private": True}),
        (None, {"forever": True}),
    ],
)
def test_invalid_cache_control(seconds: Any, directives: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="cache: "):
        cache_control(seconds, **directives)


def test_dates() -> None:
    assert parse_date(http_date(MODIFIED + 0.5)) == MODIFIED
    for text in ("yesterday", "", None, "Tue, 99 Nov 9999999 22:13:20 GMT"):
        assert parse_date(text) is None


PASSED, NOT_MODIFIED, FAILED = Precondition


@pytest.mark.parametrize(
    ("fields", "read", "write"),
    [
        ([], PASSED, PASSED),
        ([("if-none-match", '"a"')], NOT_MODIFIED, FAILED),
        ([("if-none-match", 'W/"a"')], NOT_MODIFIED, FAILED),
        ([("if-none-match", '"b", "a"')], NOT_MODIFIED, FAILED),
        ([("if-none-match", '"b"'), ("if-none-match", '"a"')], NOT_MODIFIED, FAILED),
        ([("if-none-match", "*")], NOT_MODIFIED, FAILED),
        ([("if-none-match", '"b"')], PASSED, PASSED),
        ([("if-none-match", "a")], PASSED, PASSED),
        ([("if-none-match", '"b"'), ("if-modified-since", SAME)], PASSED, PASSED),
        ([("if-modified-since", SAME)], NOT_MODIFIED, PASSED),
        ([("if-modified-since", BEFORE)], PASSED, PASSED),
        ([("if-modified-since", "yesterday")], PASSED, PASSED),
        ([("if-match", '"a"')], PASSED, PASSED),
        ([("if-match", "*")], PASSED, PASSED),
        ([("if-match", '"b"')], FAILED, FAILED),
        ([("if-match", 'W/"a"')], FAILED, FAILED),
        ([("if-match", '"a"'), ("if-none-match", '"a"')], NOT_MODIFIED, FAILED),
        ([("if-match", '"a"'), ("if-unmodified-since", BEFORE)], PASSED, PASSED),
        ([("if-unmodified-since", SAME)], PASSED, PASSED),
        ([("if-unmodified-since", BEFORE)], FAILED, FAILED),
        ([("if-unmodified-since", "yesterday")], PASSED, PASSED),
    ],
)
def test_preconditions(fields: list[tuple[str, str]], read: Precondition, write: Precondition) -> None:
    assert evaluate("GET", head(*fields), '"a"', MODIFIED) is read
    assert evaluate("PUT", head(*fields), '"a"', MODIFIED) is write


def test_preconditions_without_validators() -> None:
    assert evaluate("GET", head(("if-none-match", "*")), None, None) is PASSED
    assert evaluate("GET", head(("if-modified-since", SAME)), None, None) is PASSED
    assert evaluate("GET", head(("if-match", '"a"')), None, None) is FAILED
    assert evaluate("GET", head(("if-match", '"a"')), 'W/"a"', None) is FAILED


@pytest.mark.parametrize(
    ("value", "applies"),
    [(None, True), ('"a"', True), ('"b"', False), ('W/"a"', False), (SAME, True), (BEFORE, False), ("x", False)],
)
def test_if_range(value: str | None, applies: bool) -> None:
    headers = head() if value is None else head(("if-range", value))
    assert range_applies(headers, '"a"', MODIFIED) is applies
    assert not range_applies(head(("if-range", 'W/"a"')), 'W/"a"', MODIFIED)


@pytest.mark.parametrize(
    ("said", "new_cookie", "then"),
    [
        (None, False, "private"),
        (None, True, "no-store"),
        ("public, max-age=9", False, "public, max-age=9"),
        ("public, max-age=9", True, "no-store"),
        ("max-age=9", True, "no-store"),
        ("private, max-age=9", True, "private, max-age=9"),
        ("no-store", True, "no-store"),
    ],
)
def test_responses_for_one_visitor(said: str | None, new_cookie: bool, then: str) -> None:
    response = Response(headers={"vary": "accept"} | ({"cache-control": said} if said is not None else {}))
    keep_private(response.headers, new_cookie=new_cookie)
    assert (response.headers["cache-control"], response.headers["vary"]) == (then, "accept, cookie")
