"""Open pages of a server in development, in a real Chromium: they show an edit by themselves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.server.reload.served import PATIENCE, Served, serving

ATLAS = """
import os
from atlas import Application, Route, Static, render
from atlas.web.middleware.security_headers import SecurityHeaders

def home(request):
    return render(request, "home.html", {"pid": os.getpid()})

app = Application([Route("/", home), Static("/static", "static")], middleware=[SecurityHeaders()])
"""
FASTAPI = """
import os
from fastapi import FastAPI
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles

app = FastAPI()
app.mount("/static", StaticFiles(directory="static"))

@app.middleware("http")
async def passing(request, call_next):
    return await call_next(request)

@app.get("/")
def home():
    return HTMLResponse(open("templates/home.html").read().replace("{{ pid }}", str(os.getpid())))
"""
HOME = '<!doctype html><link rel="stylesheet" href="/static/site.css"><body><h1>{}</h1><p>{{{{ pid }}}}</p></body>'


@pytest.fixture(params=["atlas", "fastapi"])
def served(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Served]:
    for name in ("templates", "static"):
        (tmp_path / name).mkdir()
    (tmp_path / "main.py").write_text(ATLAS if request.param == "atlas" else FASTAPI)
    (tmp_path / "templates/home.html").write_text(HOME.format("one"))
    (tmp_path / "static/site.css").write_text("h1 { color: rgb(1, 2, 3) }")
    with serving(tmp_path, "main:app", "--dev", "--port", "0") as served:
        served.wait_ready()
        yield served


def wait_for(chrome: Any, text: str) -> str:
    """Wait until the page has a text; returns the ID of the process that made it."""
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import WebDriverWait

    def shown(driver: Any) -> bool:
        return text in driver.find_element(By.TAG_NAME, "body").text

    # The page is replaced while it is looked at.
    from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException

    ignored = (NoSuchElementException, StaleElementReferenceException)
    WebDriverWait(chrome, PATIENCE, 0.05, ignored_exceptions=ignored).until(shown)
    found = chrome.find_elements(By.TAG_NAME, "p")
    return found[0].text if found else ""


def test_an_edit_shows_in_an_open_page(chrome: Any, served: Served, tmp_path: Path) -> None:
    from selenium.webdriver.support.ui import WebDriverWait

    chrome.get(f"http://127.0.0.1:{served.port}/")
    first = wait_for(chrome, "one")

    # A template, and a style sheet: the process goes on.
    (tmp_path / "templates/home.html").write_text(HOME.format("two, longer"))
    assert wait_for(chrome, "two, longer") == first
    (tmp_path / "static/site.css").write_text("h1 { color: rgb(100, 2, 3) }")
    color = "return getComputedStyle(document.querySelector('h1')).color"
    WebDriverWait(chrome, PATIENCE, 0.05).until(lambda driver: driver.execute_script(color) == "rgb(100, 2, 3)")

    # A module: another process.
    main = tmp_path / "main.py"
    source = main.read_text()
    main.write_text(source + "\nchanged = True\n")
    WebDriverWait(chrome, PATIENCE, 0.05).until(lambda driver: wait_for(driver, "two, longer") not in ("", first))

    # A module that is broken, and mended: the page waits, and shows the next edit.
    main.write_text(source + "\nx = (\n")
    served.wait_for("it starts again after a change")
    (tmp_path / "templates/home.html").write_text(HOME.format("three, and longer still"))
    main.write_text(source)
    wait_for(chrome, "three, and longer still")
    problems = [entry for entry in chrome.get_log("browser") if "Content Security Policy" in entry["message"]]
    assert problems == []


def test_a_page_of_an_error_shows_when_it_is_mended(chrome: Any, tmp_path: Path) -> None:
    source = "from atlas import Application, Route\napp = Application([Route('/', lambda request: {})])\n"
    (tmp_path / "main.py").write_text(source.format("1 // 0"))
    with serving(tmp_path, "main:app", "--dev", "--port", "0") as served:
        served.wait_ready()
        chrome.get(f"http://127.0.0.1:{served.port}/")
        wait_for(chrome, "ZeroDivisionError")
        (tmp_path / "main.py").write_text(source.format("'mended'"))
        wait_for(chrome, "mended")
