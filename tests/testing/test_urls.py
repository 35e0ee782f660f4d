from typing import Any

import pytest

from atlas.testing.urls import URL, build_url

ORIGIN = URL("http://site.test")


@pytest.mark.parametrize(
    ("address", "params", "whole"),
    [
        ("/", None, "http://site.test/"),
        ("", None, "http://site.test/"),
        ("a", None, "http://site.test/a"),
        ("/a b", None, "http://site.test/a%20b"),
        ("/é", None, "http://site.test/%C3%A9"),
        ("/a%2Fb/../c", None, "http://site.test/a%2Fb/../c"),
        ("/?q=ä", None, "http://site.test/?q=%C3%A4"),
        ("/?a=1", {"b": [2, True, None]}, "http://site.test/?a=1&b=2&b=true&b="),
        ("/x#y", [("a", "&=")], "http://site.test/x?a=%26%3D#y"),
        ("/x", "?a=1", "http://site.test/x?a=1"),
        ("/x?to=http://other.test/", None, "http://site.test/x?to=http://other.test/"),
        ("https://other.test:444/x", None, "https://other.test:444/x"),
    ],
)
def test_absolute(address: str, params: Any, whole: str) -> None:
    assert build_url(address, ORIGIN, params) == whole


def test_the_parts_of_an_address() -> None:
    url = build_url("https://site.test:8443/a%20b?c=d#e", ORIGIN)
    assert (url.scheme, url.host, url.port, url.netloc) == ("https", "site.test", 8443, "site.test:8443")
    assert (url.path, url.raw_path, url.query, url.fragment) == ("/a b", b"/a%20b", b"c=d", "e")


@pytest.mark.parametrize(
    ("url", "netloc"), [("http://a:80/", "a"), ("https://a:80/", "a:80"), ("http://[::1]:8000/", "[::1]:8000")]
)
def test_a_port_that_goes_without_saying_is_not_said(url: str, netloc: str) -> None:
    assert URL(url).netloc == netloc


def test_a_reference_is_followed() -> None:
    assert URL("http://site.test/a/b").resolve("../c?d") == "http://site.test/c?d"
    assert URL("http://site.test/a").resolve("https://other.test") == "https://other.test/"


def test_origins() -> None:
    assert URL("http://a/").origin == URL("http://a:80/x").origin
    assert URL("http://a/").origin != URL("https://a/").origin
