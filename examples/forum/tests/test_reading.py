"""Pages that show posts."""

from __future__ import annotations

import re

import pytest
from atlas import TestClient

from tests.visiting import Visitor, titles


def test_the_front_page_shows_the_latest_threads(visitor: Visitor) -> None:
    page = visitor.open("/")
    assert page.status_code == 200
    assert len(titles(page)) == 12
    assert titles(page)[0].startswith("The bridge at kilometre eleven")
    assert "Drawing table" in page.text


def test_every_page_of_the_list_has_other_threads(visitor: Visitor) -> None:
    seen = [title for number in (1, 2, 3) for title in titles(visitor.open("/", params={"page": number}))]
    assert len(seen) == len(set(seen)) == 26


@pytest.mark.parametrize("page", ["0", "4", "-1", "x", "", "99999999999999999999", "²"])
def test_an_invalid_page_number(visitor: Visitor, page: str) -> None:
    assert visitor.open("/", params={"page": page}).status_code == 404


def test_the_orders(visitor: Visitor) -> None:
    assert titles(visitor.open("/?order=new"))[0].startswith("Meeting in Lisbon")
    assert titles(visitor.open("/?order=read"))[0].startswith("The best map that you own")
    assert set(titles(visitor.open("/?order=unanswered"))) == {
        "How do I learn to see contour lines as hills?",
        "Colour-blind safe layers for eight kinds of path: is it hopeless?",
    }
    assert titles(visitor.open("/?order=nonsense")) == titles(visitor.open("/"))


def test_a_board_has_its_own_threads_only(visitor: Visitor) -> None:
    page = visitor.open("/boards/harbour")
    assert "House rules, such as they are" in titles(page)
    assert "Rivers want italics. Do roads want anything?" not in titles(page)
    assert visitor.open("/boards/no-such-board").status_code == 404


def test_a_thread_shows_its_posts_page_by_page(visitor: Visitor) -> None:
    first = visitor.open("/search?q=skerries")
    address = re.search(r'href="(/posts/\d+)"', first.text)
    assert address is not None
    thread = visitor.open(address[1])
    assert thread.text.count('<article class="post"') == 15
    rest = visitor.open(f"{thread.url.path}?page=2")
    assert rest.text.count('<article class="post"') == 6
    assert "I will correct my chart accordingly." in rest.text


def test_posts_are_rendered_as_markup(visitor: Visitor) -> None:
    page = visitor.open("/search?q=bathroom")
    thread = visitor.open(re.findall(r'href="(/posts/\d+)"', page.text)[0])
    assert "<em>Fl(2) 10s, at bedtime.</em>" in thread.text


def test_views_are_counted_after_the_response(visitor: Visitor) -> None:
    def views() -> int:
        return int(re.search(r"(\d+) views", visitor.open("/threads/1").text)[1])  # type: ignore[index]

    before = views()
    assert views() == before + 1


def test_search_finds_beginnings_of_words_and_marks_them(visitor: Visitor) -> None:
    page = visitor.open("/search", params={"q": "sext balc"})
    assert titles(page) == ["A sextant on a balcony: what accuracy is respectable?"]
    assert "A <mark>sextant</mark> on a <mark>balcony</mark>" in page.text
    assert visitor.open("/search", params={"q": "uppsala", "board": "harbour"}).text.count("<li class") == 1


@pytest.mark.parametrize("words", ['"', "AND", "a*b", "title:map", "NEAR(", "'); DROP TABLE posts; --", "☃", " "])
def test_search_ignores_the_syntax_of_fts5(visitor: Visitor, words: str) -> None:
    assert visitor.open("/search", params={"q": words}).status_code == 200


def test_a_script_gets_only_the_results(visitor: Visitor) -> None:
    part = visitor.open("/search?q=ferry", headers={"x-part": "results"})
    assert "<html" not in part.text
    assert titles(part) == ["Berlin to Stettin along the water: which bank of the Oder?"]
    assert "x-part" in part.headers["vary"]


def test_a_member_has_a_page(visitor: Visitor) -> None:
    page = visitor.open("/people/Ines")
    assert "Cartographer in Lisbon." in page.text
    assert len(titles(page)) == 3
    assert visitor.open("/people/nobody-here").status_code == 404


def test_every_link_leads_somewhere(visitor: Visitor) -> None:
    waiting, seen = ["/"], set()
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        page = visitor.open(path)
        assert page.status_code == 200, path
        if page.headers["content-type"].startswith("text/html"):
            links = re.findall(r'(?:href|src)="([^"#]+)[^"]*"', page.text)
            assert all(link.startswith(("/", "https://example.org/")) for link in links), (
                "nothing is loaded from other hosts"
            )
            waiting += [link.replace("&amp;", "&") for link in links if link.startswith("/")]
    assert {"/", "/boards/harbour", "/threads/1", "/people/stig", "/about", "/login", "/static/forum.css"} <= seen


def test_files_may_be_cached_and_pages_are_private(client: TestClient) -> None:
    style = client.get("/static/forum.css")
    assert "cookie" not in style.headers.get("vary", "")
    assert client.get("/static/forum.css", headers={"if-none-match": style.headers["etag"]}).status_code == 304
    assert client.get("/").headers["cache-control"] == "private"
