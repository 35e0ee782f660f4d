from datetime import UTC, datetime

import pytest

from atlas.web.cookies import format_cookie, parse_cookies


def test_cookies_are_read() -> None:
    assert parse_cookies(['a=1; b="two" ; c=x=y', "d="]) == {"a": "1", "b": "two", "c": "x=y", "d": ""}


def test_the_first_of_a_name_counts() -> None:
    assert parse_cookies(["a=1; a=2", "a=3"]) == {"a": "1"}


def test_nonsense_is_passed_over() -> None:
    assert parse_cookies(["; =x; flag; ;; a=1"]) == {"a": "1"}


def test_a_cookie_is_careful_unless_told_otherwise() -> None:
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
        {"path": "/;secure"},
        {"domain": "x\r\n"},
        {"samesite": "none"},
    ],
)
def test_what_a_cookie_has_no_room_for(options: dict[str, str]) -> None:
    values = {"name": "a", "value": "1", **options}
    with pytest.raises(ValueError, match="cookie"):
        format_cookie(values.pop("name"), values.pop("value"), **values)  # type: ignore[arg-type]
