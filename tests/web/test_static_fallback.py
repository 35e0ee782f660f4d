"""Static files of a single-page application: ``fallback``."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from atlas import Application, Include, Request, Route, StartupError, Static

Ask = Callable[..., httpx.Response]
HTML = {"accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


@pytest.fixture
def dist(tmp_path: Path) -> Path:
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text("<div id=app>")
    (tmp_path / "assets" / "app.js").write_text("start()")
    return tmp_path


def notes(request: Request) -> Any:
    return {"notes": []}


def application(dist: Path, prefix: str = "/") -> Application:
    return Application(
        [
            Include("/service", [Route("/notes", notes)]),
            Include("/shop", [Static("/", dist, "shop", fallback="index.html"), Route("/cart/add", notes, ["POST"])]),
            Static(prefix, dist, fallback="index.html"),
        ]
    )


@pytest.mark.parametrize("path", ["/", "/login", "/users/7/edit", "/users/", "/apis", "/a%2Fb", "/shop/", "/shop/a/b"])
def test_a_browser_that_navigates_gets_the_page(ask: Ask, dist: Path, path: str) -> None:
    answer = ask(application(dist), "GET", path, headers=HTML)
    assert (answer.status_code, answer.text) == (200, "<div id=app>")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"
    head = ask(application(dist), "HEAD", path, headers=HTML)
    assert (head.status_code, head.headers["content-length"]) == (200, "12")


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/assets/none.js", HTML),
        ("/favicon.ico", HTML),
        ("/login", {"accept": "application/json"}),
        ("/login", {"accept": "*/*"}),
        ("/login", {"accept": "text/html;q=0, */*"}),
        ("/login", {}),
        ("/api", HTML),
        ("/api/nope", HTML),
        ("/service/nope", HTML),
        ("/shop/cart/nope", HTML),
        ("/shop/api/nope", HTML),
    ],
)
def test_everything_else_is_not_found(ask: Ask, dist: Path, path: str, headers: dict[str, str]) -> None:
    assert ask(application(dist), "GET", path, headers=headers).status_code == 404


def test_files_and_routes_take_precedence(ask: Ask, dist: Path) -> None:
    app = application(dist)
    assert ask(app, "GET", "/assets/app.js", headers=HTML).text == "start()"
    assert ask(app, "GET", "/service/notes", headers=HTML).json() == {"notes": []}
    assert ask(app, "GET", "/", headers={"accept": "*/*"}).text == "<div id=app>"
    assert ask(app, "POST", "/login", headers=HTML).status_code == 405


def test_the_page_is_revalidated(ask: Ask, dist: Path) -> None:
    app = application(dist)
    first = ask(app, "GET", "/login", headers=HTML)
    assert "accept" in first.headers["vary"]
    again = ask(app, "GET", "/other", headers={**HTML, "if-none-match": first.headers["etag"]})
    assert again.status_code == 304


@pytest.mark.parametrize("fallback", ["missing.html", "../index.html", ".env", ""])
def test_a_page_that_is_not_there_stops_the_start(dist: Path, fallback: str) -> None:
    with pytest.raises(StartupError, match=r"test_static_fallback.py:\d+: Static: fallback: no file"):
        Static("/", dist, fallback=fallback)
