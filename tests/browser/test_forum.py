"""The forum in a real browser, from end to end, by clicks and keys."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("selenium", reason="selenium is not installed")

from .browser_user import PASSWORD, BrowserUser, Keys

THREAD = "/threads/1"


@pytest.fixture
def person(chrome: Any, site: str) -> Iterator[BrowserUser]:
    """A user who is not logged in. At the end the console of the browser has to be empty."""
    chrome.delete_all_cookies()
    chrome.get_log("browser")
    person = BrowserUser(chrome, site)
    person.goes_to("/about")
    person.runs("localStorage.clear()")
    chrome.delete_all_cookies()
    yield person
    assert person.complaints() == []


def test_a_user_registers_makes_mistakes_writes_and_logs_out(person: BrowserUser) -> None:
    person.goes_to("/")
    person.clicks("Register")
    assert person.focus().get_attribute("id") == "name"
    person.presses("marco", Keys.TAB, "short", Keys.ENTER)
    assert person.sees("#password-error").text == "Please write at least 10 characters."
    assert person.focus().get_attribute("id") == "password"
    person.presses(PASSWORD, Keys.ENTER)
    person.sees(".flash", "Welcome, marco.")

    person.sees("[name=q]").send_keys("benchmark chicken", Keys.ENTER)
    person.sees("h2", "1 post with “benchmark chicken”")
    person.clicks("Found a benchmark from 1903")
    person.sees("h1", "inside a chicken coop")

    person.fills("What do you say?", "Cluck.")
    person.clicks("Answer", "main button")
    assert person.sees("#text-error").text == "Please write at least 10 characters."
    assert person.focus().get_attribute("value") == "Cluck."
    person.presses(Keys.END, " But *which* <hen>?")
    person.clicks("Answer", "main button")
    mine = person.sees(".post:last-child", "marco")
    assert "Cluck. But which <hen>?" in mine.text
    assert mine.get_attribute("id") in person.path, "the address leads to the very post"

    person.clicks("Log out")
    person.sees(".flash", "You are logged out.")
    person.clicks("Log in")
    person.presses("marco", Keys.TAB, "not this one", Keys.ENTER)
    person.sees("#password-error", "Name and password do not belong together.")
    person.presses(PASSWORD, Keys.ENTER)
    person.sees(".flash", "Welcome back, marco.")


def test_a_thread_is_opened_after_the_login_that_it_needed(person: BrowserUser) -> None:
    person.registers("vasco")
    person.clicks("Log out")
    person.goes_to("/threads/new?board=harbour")
    person.sees(".flash", "Please log in for that.")
    person.presses("vasco", Keys.TAB, PASSWORD, Keys.ENTER)
    person.sees("h1", "New thread")
    person.fills("Title", "Which way to Calicut?")
    person.fills("Text", "I have been told to keep left.")
    person.clicks("Open the thread")
    person.sees("#board-error", "Please choose a board.")
    person.presses("Which", Keys.TAB)
    person.clicks("Open the thread")
    person.sees("h1", "Which way to Calicut?")
    person.goes_to("/")
    assert person.sees(".threads h3").text == "Which way to Calicut?"


def test_an_answer_appears_in_a_window_that_is_open_elsewhere(person: BrowserUser) -> None:
    person.registers("ida")
    person.goes_to(THREAD)
    person.sees(".live", "New answers appear here by themselves.")
    posts = len(person.all(".post"))
    person.runs("window.neverReloaded = true")

    person.driver.switch_to.new_window("tab")
    person.goes_to(THREAD)
    person.fills("What do you say?", "There was a lighthouse in my dream.")
    person.clicks("Answer", "main button")
    person.sees(".post", "There was a lighthouse in my dream.")
    person.driver.close()

    person.driver.switch_to.window(person.window)
    person.sees(".post.new", "There was a lighthouse in my dream.")
    assert len(person.all(".post")) == posts + 1
    assert person.runs("return window.neverReloaded") is True


def test_results_change_while_one_types(person: BrowserUser) -> None:
    person.goes_to("/search")
    person.runs("window.neverReloaded = true")
    person.fills("Words", "stor")
    person.sees("mark", "stor")
    person.presses("ks")
    person.sees("h2", "1 post with “storks”")
    assert "q=storks" in person.path
    person.presses(" on the moon")
    person.sees("h2", "Nothing with “storks on the moon”")
    assert person.runs("return window.neverReloaded") is True


def test_a_picture_is_uploaded_and_shown(person: BrowserUser, tmp_path: Path) -> None:
    person.registers("gerda")
    (tmp_path / "me.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    (tmp_path / "me.png").write_bytes(red_square())
    person.goes_to("/account")
    person.fills("Picture", str(tmp_path / "me.svg"))
    person.clicks("Save")
    person.sees("#picture-error", "This file is not a PNG, JPEG, GIF or WebP.")
    person.fills("Picture", str(tmp_path / "me.png"))
    person.fills("About you", "Red, and square.")
    person.clicks("Save")
    person.sees("h1", "gerda")
    person.sees("main", "Red, and square.")
    assert person.runs("return document.querySelector('.me img').naturalWidth") == 8


def test_a_forged_form_is_refused(person: BrowserUser) -> None:
    person.registers("olaus")
    person.goes_to(THREAD)
    person.runs("document.querySelectorAll('[name=csrf_token]').forEach(field => field.value = 'forged')")
    person.fills("What do you say?", "This was never said.")
    person.clicks("Answer", "main button")
    person.sees("h1", "Not allowed")
    person.goes_to(THREAD)
    assert "This was never said." not in person.text


def test_an_address_that_there_is_not(person: BrowserUser) -> None:
    person.goes_to("/no/such/place")
    person.sees("h1", "Not found")
    person.clicks("To the front page")
    person.sees("h1", "A forum")


def test_the_keyboard_is_enough(person: BrowserUser) -> None:
    person.goes_to("/")
    person.presses(Keys.TAB)
    assert person.focus().text == "Skip to the content"
    person.presses(Keys.ENTER)
    assert person.focus().get_attribute("id") == "main"
    person.presses(Keys.TAB)
    outline = person.runs("return getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid", "one can see where one is"


def test_light_and_dark_are_the_visitors_choice_and_kept(person: BrowserUser) -> None:
    def background() -> str:
        return str(person.runs("return getComputedStyle(document.body).backgroundColor"))

    person.goes_to("/")
    seen = {}
    for _ in range(3):
        person.sees("#theme").click()
        seen[person.sees("#theme").text] = background()
    assert list(seen) == ["Theme: light", "Theme: dark", "Theme: auto"]
    assert seen["Theme: light"] != seen["Theme: dark"]
    person.sees("#theme").click()
    person.sees("#theme").click()
    person.goes_to("/about")
    assert background() == seen["Theme: dark"]


PAGES = ["/", "/boards/old-sheets", "/threads/13", "/search?q=map", "/people/ines", "/about", "/register", "/nowhere"]


def test_nothing_sticks_out_on_a_telephone(person: BrowserUser) -> None:
    size = {"width": 360, "height": 740, "deviceScaleFactor": 2, "mobile": True}
    person.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        for path in PAGES:
            person.goes_to(path)
            assert person.runs("return document.documentElement.scrollWidth") == 360, path
    finally:
        person.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def red_square() -> bytes:
    """A PNG of 8 by 8."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + b"\xd0\x30\x20" * 8 for _ in range(8))
    head = struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0)
    pieces = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + pieces
