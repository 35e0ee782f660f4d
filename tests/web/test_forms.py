import pytest

from atlas import BadRequest, ContentTooLarge, UnsupportedMediaType
from atlas.web.forms import MAX_FORM, check_form_type, parse_urlencoded


def test_fields_come_in_order_with_empty_ones() -> None:
    assert parse_urlencoded(b"a=1&b=&a=2+3&c&%C3%BC=%26").pairs() == [
        ("a", "1"),
        ("b", ""),
        ("a", "2 3"),
        ("c", ""),
        ("ü", "&"),
    ]
    assert parse_urlencoded(b"").pairs() == []


def test_only_the_ampersand_separates() -> None:
    assert dict(parse_urlencoded(b"a=1;b=2")) == {"a": "1;b=2"}


@pytest.mark.parametrize("data", [b"a=%ff", b"a=\xff", b"%ed%a0%80=1"])
def test_what_is_no_utf8_is_refused(data: bytes) -> None:
    with pytest.raises(BadRequest, match="the query is not UTF-8"):
        parse_urlencoded(data, what="query")


def test_the_number_of_fields_is_bounded() -> None:
    assert len(parse_urlencoded(b"&".join(b"a%d=1" % n for n in range(1000)))) == 1000
    with pytest.raises(BadRequest, match="at most 1000 fields"):
        parse_urlencoded(b"a&" * 1000)


def test_the_size_is_bounded() -> None:
    with pytest.raises(ContentTooLarge):
        parse_urlencoded(b"a" * (MAX_FORM + 1))


@pytest.mark.parametrize(
    "kind", ["", "application/x-www-form-urlencoded", "Application/X-WWW-Form-Urlencoded; charset=x"]
)
def test_types_that_are_forms(kind: str) -> None:
    check_form_type(kind)


@pytest.mark.parametrize("kind", ["application/json", "multipart/form-data; boundary=x"])
def test_types_that_are_none(kind: str) -> None:
    with pytest.raises(UnsupportedMediaType) as caught:
        check_form_type(kind)
    assert caught.value.headers == {"accept-post": "application/x-www-form-urlencoded"}
