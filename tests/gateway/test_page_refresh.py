"""What is added to a page, and when; the events that a page waits for."""

import asyncio
import logging
from collections.abc import AsyncGenerator

import pytest

from atlas.gateway.page_refresh import SCRIPT, PageRefresh, is_navigation, is_page, is_unwanted

HTML = (b"content-type", b"text/html; charset=utf-8")
BROWSER = (b"accept", b"text/html,application/xhtml+xml,*/*;q=0.8")
PATIENCE = 30.0


def element(pages: PageRefresh, nonce: str = "", path: str = "/_atlas/refresh.js") -> bytes:
    attribute = f' nonce="{nonce}"' if nonce else ""
    return f'<script src="{path}" data-version="{pages.version}"{attribute} async></script>'.encode()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"<body><p>a", b"</body></html>"),
        (b"<body><script>'</body>'</script>", b"</BODY >\n</html>\n"),
        (b"<p>no body", b""),
        (b"", b""),
    ],
)
def test_the_place_of_the_script(before: bytes, after: bytes) -> None:
    pages = PageRefresh()
    assert pages.add_script(before + after, "", ()) == before + element(pages) + after


def test_the_root_path_is_part_of_its_address() -> None:
    pages = PageRefresh()
    assert pages.add_script(b"", '/a"b\u00e9', ()) == element(pages, path="/a&quot;b&#233;/_atlas/refresh.js")


@pytest.mark.parametrize(
    ("policies", "nonce"),
    [
        ([], ""),
        (["default-src 'self'"], ""),
        (["img-src 'none'"], ""),
        (["script-src *; connect-src 'self'; default-src 'none'"], ""),
        (["default-src 'self'; script-src 'nonce-R4nd'"], "R4nd"),
        (["default-src 'self'; script-src 'strict-dynamic' 'NONCE-a/+=' https:"], "a/+="),
        (["script-src-elem 'nonce-a'; script-src 'none'"], "a"),
        (["default-src 'self'", "script-src 'nonce-a'"], "a"),
        (["default-src 'self', script-src 'nonce-a'"], "a"),
        (["sandbox allow-scripts"], ""),
        (["default-src 'none'"], None),
        (["script-src 'sha256-abc'"], None),
        (["script-src 'self' 'strict-dynamic'"], None),
        (["script-src 'self'; connect-src https://api.example"], None),
        (["script-src 'nonce-a'", "script-src 'nonce-b'"], None),
        (["default-src 'self'; sandbox"], None),
    ],
)
def test_a_content_security_policy(policies: list[str], nonce: str | None) -> None:
    pages = PageRefresh()
    changed = pages.add_script(b"", "", [policy.encode() for policy in policies])
    assert changed == (None if nonce is None else element(pages, nonce))


def test_the_log_names_a_policy_that_forbids_it_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    pages = PageRefresh()
    for number in range(3):
        assert pages.add_script(b"", "", [b"default-src 'none'; style-src 'nonce-%d'" % number]) is None
    [record] = caplog.records
    assert record.getMessage().endswith("connection to it: default-src 'none'; style-src '...'")


@pytest.mark.parametrize(
    ("method", "fields", "expected"),
    [
        ("GET", [BROWSER], True),
        ("POST", [BROWSER], True),
        ("GET", [(b"sec-fetch-dest", b"document"), (b"accept", b"*/*")], True),
        ("GET", [(b"sec-fetch-dest", b"iframe")], True),
        ("GET", [(b"sec-fetch-dest", b"empty"), BROWSER], False),  # fetch()
        ("GET", [(b"accept", b"*/*")], False),
        ("GET", [], False),
        ("HEAD", [BROWSER], False),
        ("GET", [BROWSER, (b"hx-request", b"true")], False),
        ("GET", [BROWSER, (b"turbo-frame", b"a")], False),
        ("GET", [BROWSER, (b"x-requested-with", b"XMLHttpRequest")], False),
    ],
)
def test_what_a_browser_shows_as_a_page(method: str, fields: list[tuple[bytes, bytes]], expected: bool) -> None:
    assert is_navigation(method, fields) is expected


@pytest.mark.parametrize(
    ("status", "fields", "expected"),
    [
        (200, [HTML], True),
        (500, [(b"content-type", b"TEXT/HTML")], True),
        (200, [(b"content-type", b"application/json")], False),
        (200, [], False),
        (304, [HTML], False),
        (206, [HTML], False),
        (200, [HTML, (b"content-encoding", b"gzip")], False),
        (200, [HTML, (b"content-disposition", b"attachment; filename=a.html")], False),
        (200, [HTML, (b"content-disposition", b"inline")], True),
        (200, [(b"content-type", b"text/html; charset=utf-16")], False),
    ],
)
def test_which_responses_are_pages(status: int, fields: list[tuple[bytes, bytes]], expected: bool) -> None:
    assert is_page(status, fields) is expected


def test_fields_after_which_a_response_is_not_whole() -> None:
    names = (b"accept-encoding", b"range", b"if-none-match", b"if-modified-since", b"accept", b"cookie")
    assert [is_unwanted(name) for name in names] == [True, True, True, True, False, False]


def test_a_page_is_told_the_version_now_and_when_it_changes() -> None:
    async def main() -> None:
        pages = PageRefresh()
        first = pages.version
        events: AsyncGenerator[bytes, None] = pages.events()
        assert await anext(events) == f"retry: 200\ndata: {first}\n\n".encode()
        following = asyncio.ensure_future(anext(events))
        await asyncio.sleep(0)
        pages.refresh()
        async with asyncio.timeout(PATIENCE):
            assert await following == f"data: {pages.version}\n\n".encode()
        assert pages.version != first
        last = asyncio.ensure_future(anext(events, None))
        await asyncio.sleep(0)
        pages.close()
        async with asyncio.timeout(PATIENCE):
            assert await last is None

    asyncio.run(main())


def test_a_refresh_between_two_events_is_not_missed() -> None:
    async def main() -> None:
        pages = PageRefresh()
        events = pages.events()
        await anext(events)
        pages.refresh()  # while the first event is sent
        async with asyncio.timeout(PATIENCE):
            assert await anext(events) == f"data: {pages.version}\n\n".encode()

    asyncio.run(main())


def test_an_idle_stream_has_comments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("atlas.gateway.page_refresh._PING_INTERVAL", 0.01)

    async def main() -> None:
        events = PageRefresh().events()
        await anext(events)
        assert await anext(events) == b": ping\n\n"

    asyncio.run(main())


def test_the_script_has_no_character_that_needs_an_encoding() -> None:
    assert SCRIPT.isascii()
