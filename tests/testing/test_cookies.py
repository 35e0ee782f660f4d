import pytest

from atlas.testing.cookies import Cookies, parse_set_cookie
from atlas.testing.urls import URL

HERE = URL("http://site.test/a/b")


def sent(jar: Cookies, url: str) -> str:
    return jar.header_for(URL(url))


def test_a_jar_reads_like_a_dict() -> None:
    jar = Cookies({"a": "1"})
    jar["b"] = "2"
    assert dict(jar) == {"a": "1", "b": "2"}
    assert "a" in jar
    del jar["a"]
    assert (jar.get("a"), jar.get("a", "x"), len(jar)) == (None, "x", 1)
    with pytest.raises(KeyError):
        del jar["a"]
    with pytest.raises(KeyError):
        jar["a"]
    assert repr(jar) == "Cookies({'b': '2'})"
    jar.clear()
    assert not jar


@pytest.mark.parametrize(
    ("field", "url", "goes"),
    [
        ("x=1", "http://site.test/a/c", True),
        ("x=1", "http://site.test/other", False),
        ("x=1; Path=/", "http://site.test/other", True),
        ("x=1; Path=/a", "http://site.test/ab", False),
        ("x=1; Path=/", "http://other.test/", False),
        ("x=1; Path=/", "http://www.site.test/", False),
        ("x=1; Path=/; Domain=.site.test", "http://www.site.test/", True),
        ("x=1; Path=/; Secure", "http://site.test/", False),
        ("x=1; Path=/; Secure", "https://site.test/", True),
        ("x=1; Path=/; Max-Age=100", "http://site.test/", True),
        ("x=1; Path=/; Max-Age=0", "http://site.test/", False),
        ("x=1; Path=/; Max-Age=-1", "http://site.test/", False),
        ("x=1; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT", "http://site.test/", False),
        ("x=1; Path=/; Expires=never", "http://site.test/", True),
    ],
)
def test_where_a_cookie_goes(field: str, url: str, goes: bool) -> None:
    jar = Cookies()
    jar.extract([field], HERE)
    assert sent(jar, url) == ("x=1" if goes else "")


@pytest.mark.parametrize("field", ["", "x", "=1", "x=1; Domain=other.test", "x=1; Domain=evil-site.test"])
def test_a_cookie_that_is_ignored(field: str) -> None:
    assert parse_set_cookie(field, HERE) is None


def test_what_is_known_of_a_cookie() -> None:
    cookie = parse_set_cookie("x=a=b; HttpOnly; SameSite=Lax", HERE)
    assert cookie is not None
    assert (cookie.value, cookie.http_only, cookie.same_site, cookie.host_only) == ("a=b", True, "Lax", True)


def test_a_later_one_takes_the_place_of_an_earlier_one_and_may_end_it() -> None:
    jar = Cookies({"x": "mine"})
    jar.extract(["x=1; Path=/"], HERE)
    jar.extract(["x=2; Path=/"], HERE)
    assert sent(jar, HERE) == "x=2"
    jar.extract(["x=; Path=/; Max-Age=0"], HERE)
    assert sent(jar, HERE) == ""


def test_longer_paths_come_first() -> None:
    jar = Cookies()
    jar.extract(["x=root; Path=/", "x=deep; Path=/a"], HERE)
    assert sent(jar, HERE) == "x=deep; x=root"
    jar.delete("x")
    assert sent(jar, HERE) == ""
