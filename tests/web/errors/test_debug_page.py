from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from atlas import Application, Request, Route, render
from atlas.web.errors.debug_page import debug_page, routes_table

Ask = Callable[..., httpx.Response]
Page = Callable[..., str]
BROWSER = {"accept": "text/html", "cookie": "session=hush", "authorization": "Bearer hush-hush"}


class Evil:
    def __repr__(self) -> str:
        raise RuntimeError("no")


def boom(request: Request, lake: str) -> None:
    evil, password, markup = Evil(), "hush", "<script>alert(1)</script>"
    raise ValueError(f"no such lake: {lake} {markup} {len([evil, password])}")


def deep(request: Request) -> None:
    import json

    json.loads("{")


@pytest.fixture
def page(ask: Ask) -> Page:
    def page_of(controller: Callable[..., Any], path: str, url: str, **options: Any) -> str:
        app = Application([Route(path, controller)], debug=True, **options)
        response = ask(app, "GET", url, headers=BROWSER)
        assert response.status_code == 500
        assert response.headers["content-type"] == "text/html; charset=utf-8"
        return response.text

    return page_of


def test_shows_the_error_and_its_place(page: Page) -> None:
    text = page(boom, "/lakes/{lake}", "/lakes/Ness?q=x")
    assert "ValueError" in text
    assert "no such lake: Ness" in text
    assert '<mark>"hush"' not in text
    assert "test_debug_page.py" in text
    assert "/lakes/{lake}" in text
    assert "Evil, whose repr raised RuntimeError" in text


def test_escapes_markup_and_masks_secrets(page: Page) -> None:
    text = page(boom, "/lakes/{lake}", "/lakes/<b>?token=hush")
    assert "<script" not in text
    assert "<b>?" not in text
    assert "&lt;script&gt;" in text
    assert "hush-hush" not in text
    assert "token=hush" not in text
    assert "session=hush" not in text


def test_loads_no_other_files(page: Page) -> None:
    text = page(deep, "/", "/")
    for word in ("<script", "<link", "src=", "@import", "url("):
        assert word not in text


def test_own_frames_are_open_and_library_frames_folded(page: Page) -> None:
    text = page(deep, "/", "/")
    assert '<details class="frame own" open>' in text
    assert '<details class="others">' in text
    assert '<details class="frame library" open>' not in text


@pytest.mark.parametrize("run", ["inline", "greenlet", "thread"])
def test_frames_before_own_code_are_left_out(ask: Ask, run: str) -> None:
    app = Application([Route("/lakes/{lake}", boom, run=run)], debug=True)  # type: ignore[arg-type]
    text = ask(app, "GET", "/lakes/Ness", headers=BROWSER).text
    assert text.count('<details class="frame') == 1


def test_the_line_of_a_template(page: Page, tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("<h1>Lakes</h1>\n{{ lake.depth }}\n")
    config = {"template_dirs": [str(tmp_path)]}
    text = page(lambda request: render(request, "page.html", {"lake": {}}), "/", "/", config=config)
    assert '<span class="badge">template</span>' in text
    assert '<li value="2" class=current><code>{{ lake.depth }}</code></li>' in text


def request(app: Any = None, **scope: Any) -> Request:
    whole = {"type": "http", "method": "GET", "path": "/", "headers": [], "query_string": b"", **scope}
    return Request(app if app is not None else Application(), whole, None)  # type: ignore[arg-type]


def test_does_not_raise() -> None:
    broken = request(app=object(), query_string=b"%ff", headers=None)
    text = debug_page(broken, ValueError("why"))
    assert "ValueError" in text
    assert "This could not be shown" in text


def test_the_chain_is_shown() -> None:
    try:
        try:
            raise KeyError("first")
        except KeyError as error:
            raise ValueError("second") from error
    except ValueError as error:
        text = debug_page(request(), error)
    assert "It was raised because of this one" in text
    assert text.index("second") < text.index("first")


@pytest.mark.parametrize(("routes", "words"), [([], "no routes"), ([Route("/a<x", deep)], "/a&lt;x")])
def test_routes(routes: list[Route], words: str) -> None:
    assert words in routes_table(request(app=Application(routes)))
