from datetime import UTC, datetime
from typing import Any

import pytest

from atlas.web.cookies import MAX_COOKIES, format_cookie, parse_cookies


def test_cookies_are_read() -> None:
    assert parse_cookies(['a=1; b="two" ; c=x=y', "d="]) == {"a": "1", "b": "two", "c": "x=y", "d": ""}


def test_the_first_cookie_of_a_name_is_kept() -> None:
    assert parse_cookies(["a=1; a=2", "a=3"]) == {"a": "1"}


def test_malformed_cookies_are_ignored() -> None:
    assert parse_cookies(["; =x; flag; ;; a=1"]) == {"a": "1"}


def test_the_default_attributes() -> None:
    assert format_cookie("a", "1") == "a=1; Path=/; HttpOnly; SameSite=Lax"


def test_every_attribute() -> None:
    moment = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
    field = format_cookie(
        "a",
        "1",
        max_age=60,
        expires=moment,
        path="/x",
        domain="example.test",
        secure=True,
        httponly=False,
        samesite="none",
    )
    assert field == (
        "a=1; Path=/x; Domain=example.test; Max-Age=60; Expires=Wed, 02 Jan 2030 03:04:05 GMT; Secure; SameSite=None"
    )


@pytest.mark.parametrize(
    "options",
    [
        {"name": "a b"},
        {"name": ""},
        {"value": "a;b"},
        {"value": "a\nb"},
        {"value": 'a"'},
        {"value": "ü"},
        {"value": "x" * 5000},
        {"path": "/;secure"},
        {"path": "x"},
        {"domain": "x\r\n"},
        {"domain": ""},
        {"max_age": 1.5},
        {"max_age": True},
        {"expires": datetime(2030, 1, 2)},  # no time zone
        {"samesite": "none"},
        {"samesite": "Loose"},
        {"partitioned": True},
        {"name": "__Secure-a"},
        {"name": "__Host-a"},
        {"name": "__host-a", "secure": True, "path": "/x"},
        {"name": "__Host-a", "secure": True, "domain": "a.test"},
    ],
)
def test_invalid_cookies(options: dict[str, Any]) -> None:
    values: dict[str, Any] = {"name": "a", "value": "1", **options}
    with pytest.raises(ValueError, match="cookie"):
        format_cookie(values.pop("name"), values.pop("value"), **values)


def test_prefixes_of_names() -> None:
    assert format_cookie("__Host-a", "1", secure=True) == "__Host-a=1; Path=/; Secure; HttpOnly; SameSite=Lax"
    partitioned = format_cookie("a", "1", secure=True, partitioned=True, samesite=None, path=None)
    assert partitioned == "a=1; Secure; HttpOnly; Partitioned"


@pytest.mark.parametrize("header", ["a=\x00", "a=1\r\n", "a\x7f=1"])
def test_a_control_character_is_refused(header: str) -> None:
    with pytest.raises(ValueError, match="control character"):
        parse_cookies([header])


def test_the_number_of_cookies_is_limited() -> None:
    assert len(parse_cookies(["; ".join(f"a{number}=1" for number in range(MAX_COOKIES))])) == MAX_COOKIES
    with pytest.raises(ValueError, match="more than"):
        parse_cookies(["a=1;" * (MAX_COOKIES + 1)])
    with pytest.raises(ValueError, match="more than"):
        parse_cookies([f"a{number}=1" for number in range(MAX_COOKIES + 1)])
