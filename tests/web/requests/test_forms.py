import pytest

from atlas import BadRequest, ContentTooLarge, UnsupportedMediaType
from atlas.web.requests.forms import LIMITS, FormLimits, check_form_type, is_multipart, parse_urlencoded


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


@pytest.mark.parametrize(
    ("data", "pairs"),
    [
        (b"q=100%&page=2", [("q", "100%"), ("page", "2")]),
        (b"c=50%off&page=2", [("c", "50%off"), ("page", "2")]),
        (b"q=%zz%4&%=%u00e9", [("q", "%zz%4"), ("%", "%u00e9")]),
        (b"q=%E9&page=2", [("q", "\ufffd"), ("page", "2")]),
        (b"q=\xff", [("q", "\ufffd")]),
        (b"%ed%a0%80=1", [("\ufffd\ufffd\ufffd", "1")]),
    ],
)
def test_what_is_malformed_is_taken_literally(data: bytes, pairs: list[tuple[str, str]]) -> None:
    assert parse_urlencoded(data).pairs() == pairs


def test_the_number_of_fields_is_bounded() -> None:
    assert len(parse_urlencoded(b"&".join(b"a%d=1" % n for n in range(1000)))) == 1000
    with pytest.raises(BadRequest, match="at most 1000 fields"):
        parse_urlencoded(b"a&" * 1000)


def test_the_size_is_bounded() -> None:
    with pytest.raises(ContentTooLarge):
        parse_urlencoded(b"a" * (LIMITS.text + 1))
    with pytest.raises(ContentTooLarge):
        parse_urlencoded(b"abc", limits=FormLimits(text=2))


@pytest.mark.parametrize(
    ("kind", "multipart"),
    [
        ("", False),
        ("application/x-www-form-urlencoded", False),
        ("Application/X-WWW-Form-Urlencoded; charset=x", False),
        ("multipart/form-data; boundary=x", True),
        ("Multipart/Form-Data", True),
    ],
)
def test_types_that_are_forms(kind: str, multipart: bool) -> None:
    check_form_type(kind)
    assert is_multipart(kind) is multipart


@pytest.mark.parametrize("kind", ["application/json", "multipart/mixed; boundary=x", "x"])
def test_types_that_are_not_forms(kind: str) -> None:
    with pytest.raises(UnsupportedMediaType) as caught:
        check_form_type(kind)
    assert caught.value.headers == {"accept-post": "application/x-www-form-urlencoded, multipart/form-data"}


@pytest.mark.parametrize(
    ("data", "charset", "value"),
    [
        (b"a=Ren%E9", "cp1252", "René"),
        (b"a=Ren\xe9", "cp1252", "René"),
        (b"a=%95%5C", "shift_jis", "表"),
        (b"a=%83A", "shift_jis", "ア"),
        (b"_charset_=windows-1252&a=Ren%E9", None, "René"),
        (b"a=Ren%E9&_charset_=ISO-8859-1", None, "René"),
        (b"a=Ren%E9&charset=windows-1252", None, "René"),
        (b"a=Ren%C3%A9&charset=windows-1252", None, "René"),
        (b"a=Ren%E9&charset=nonsense", None, "Ren\ufffd"),
        (b"a=Ren%E9&xcharset=windows-1252", None, "Ren\ufffd"),
        (b"a=Ren%E9&_charset_=", None, "Ren\ufffd"),
    ],
)
def test_the_encoding_of_a_form(data: bytes, charset: str | None, value: str) -> None:
    assert parse_urlencoded(data, charset=charset)["a"] == value


def test_an_encoding_in_which_a_form_cannot_be_read() -> None:
    for name in ("utf-16", "utf-7", "nonsense"):
        with pytest.raises(BadRequest, match=f"the field '_charset_' names the character encoding '{name}'"):
            parse_urlencoded(f"_charset_={name}&a=1".encode())


def test_a_query_has_no_encoding_of_its_own() -> None:
    assert parse_urlencoded(b"_charset_=windows-1252&charset=windows-1252&a=%E9", what="query")["a"] == "\ufffd"
