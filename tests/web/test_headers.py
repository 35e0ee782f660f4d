import pytest

from atlas.web.headers import Headers, MutableHeaders, encode_field, preferred_type, weights_of

RAW = [(b"host", b"a"), (b"accept", b"x"), (b"accept", b"y")]


def test_names_are_case_insensitive_and_the_first_value_is_returned() -> None:
    headers = Headers(RAW)
    assert headers["Accept"] == "x"
    assert headers.get_all("ACCEPT") == ["x", "y"]
    assert "HOST" in headers
    assert 5 not in headers
    assert list(headers) == ["host", "accept"]
    assert len(headers) == 2
    with pytest.raises(KeyError):
        headers["missing"]


def test_setting_replaces_all_fields_of_the_name() -> None:
    headers = MutableHeaders(list(RAW))
    headers["Accept"] = "z"
    assert headers.raw == [(b"host", b"a"), (b"accept", b"z")]
    headers.add("accept", "w")
    assert headers.get_all("accept") == ["z", "w"]
    del headers["accept"]
    assert headers.raw == [(b"host", b"a")]
    with pytest.raises(KeyError):
        del headers["accept"]


@pytest.mark.parametrize("value", ["a\r\nb: c", "a\n", "a\0", "\x7f", "€"])
def test_no_value_can_add_a_line(value: str) -> None:
    with pytest.raises(ValueError, match="RFC 9110 5.5"):
        encode_field("x", value)


@pytest.mark.parametrize("name", ["", "a b", "a:", "ä", "a\n"])
def test_a_name_is_a_token(name: str) -> None:
    with pytest.raises(ValueError, match="token"):
        encode_field(name, "x")


def test_a_value_is_text() -> None:
    with pytest.raises(TypeError, match="expected a str, got int"):
        encode_field("x", 5)  # type: ignore[arg-type]


def test_vary_names_each_field_once() -> None:
    headers = MutableHeaders([(b"vary", b"Accept, cookie")])
    headers.vary("accept", "origin")
    assert headers["vary"] == "Accept, cookie, origin"


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, "application/json"),
        ("", "application/json"),
        ("*/*", "application/json"),
        ("text/html", "text/html"),
        ("TEXT/HTML", "text/html"),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "text/html"),
        ("application/json;q=0.5, text/html;q=0.4", "application/json"),
        ("text/*", "text/html"),
        ("text/html;q=0, */*", "application/json"),
        ("*/*;q=0.1, text/*;q=0.5", "text/html"),
        ("text/html;q=nonsense, application/json;q=0.001", "application/json"),
        ("image/png", None),
        (",,;;q=1", None),
    ],
)
def test_the_preferred_type(accept: str | None, expected: str | None) -> None:
    assert preferred_type(accept, ("application/json", "text/html")) == expected


def test_weights() -> None:
    assert weights_of("gzip, BR;q=0.5, *;q=0, x;q=nonsense, gzip;q=0.1,,") == {
        "x": 0.0,
        "*": 0.0,
        "br": 0.5,
        "gzip": 1.0,
    }


def test_getlist_is_an_alias() -> None:
    assert Headers([(b"a", b"1"), (b"a", b"2")]).getlist("A") == ["1", "2"]


def test_update_keeps_the_values_of_a_name_that_occurs_again() -> None:
    headers = MutableHeaders([(b"set-cookie", b"old=1"), (b"x-a", b"1")])
    headers.update([("Set-Cookie", "a=1"), ("set-cookie", "b=2"), ("x-b", "2")])
    assert headers.get_all("set-cookie") == ["a=1", "b=2"]
    other = MutableHeaders()
    other.update(headers)
    assert sorted(other.raw) == sorted(headers.raw)
    for wrong in ([("a",)], ["ab"], [b"ab"], [(b"a", b"b")]):
        with pytest.raises(TypeError, match="pairs"):
            headers.update(wrong)
