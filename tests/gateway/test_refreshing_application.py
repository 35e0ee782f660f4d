"""Any ASGI application in development: its pages get the script, everything else passes as it is."""

import asyncio
from collections.abc import Iterable
from typing import Any

import pytest

from atlas.gateway.page_refresh import SCRIPT, PageRefresh
from atlas.gateway.refreshing_application import RefreshingApplication
from atlas.types import Receive, Scope, Send

PATIENCE = 30.0
PAGE = [(b"content-type", b"text/html")]
BROWSER = [(b"accept", b"text/html"), (b"accept-encoding", b"gzip"), (b"if-none-match", b'"a"'), (b"x-other", b"1")]
Event = dict[str, Any]


def body(data: bytes, more: bool = False) -> Event:
    return {"type": "http.response.body", "body": data, "more_body": more}


def start(*fields: tuple[bytes, bytes], status: int = 200) -> Event:
    return {"type": "http.response.start", "status": status, "headers": [*PAGE, *fields]}


def ask(
    events: Iterable[Event], path: str = "/", fields: Any = BROWSER, root_path: str = "", **others: Any
) -> tuple[list[Event], Scope | None, PageRefresh]:
    """What is sent, and the scope that the application gets, when it sends the given events."""
    pages = PageRefresh()
    seen: list[Scope] = []
    sent: list[Event] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope)
        for event in events:
            await send(event)

    async def receive() -> Event:
        await asyncio.sleep(PATIENCE)
        raise AssertionError

    async def send(event: Any) -> None:
        sent.append(event)

    scope = {"type": "http", "method": "GET", "path": root_path + path, "headers": fields, "root_path": root_path}
    scope |= others
    asyncio.run(RefreshingApplication(app, pages)(scope, receive, send))  # type: ignore[arg-type]
    return sent, (seen[0] if seen else None), pages


def test_a_page() -> None:
    sent, scope, pages = ask(
        [start((b"content-length", b"5"), (b"etag", b'"a"'), (b"x-a", b"1")), body(b"<p>aa")], root_path="/shop"
    )
    script = f'<script src="/shop/_atlas/refresh.js" data-version="{pages.version}" async></script>'.encode()
    whole = b"<p>aa" + script
    assert sent == [
        {
            "type": "http.response.start",
            "status": 200,
            "headers": [
                *PAGE,
                (b"x-a", b"1"),
                (b"cache-control", b"no-store"),
                (b"content-length", b"%d" % len(whole)),
            ],
        },
        {"type": "http.response.body", "body": whole},
    ]
    assert scope is not None
    assert scope["headers"] == [BROWSER[0], BROWSER[3]]


def test_a_page_in_pieces_whose_length_is_known() -> None:
    """As Starlette's BaseHTTPMiddleware sends every response."""
    sent, _, _ = ask([start((b"content-length", b"6")), body(b"<p>", True), body(b"aaa", True), body(b"")])
    assert sent[1]["body"].startswith(b"<p>aaa<script ")
    assert len(sent) == 2


def test_the_nonce_of_the_policy() -> None:
    sent, _, _ = ask([start((b"content-security-policy", b"script-src 'nonce-abc'")), body(b"")])
    assert b' nonce="abc"' in sent[1]["body"]


def test_names_of_fields_with_capitals() -> None:
    """As Django sends them."""
    fields = [(b"Content-Type", b"text/html"), (b"Content-Length", b"5"), (b"Content-Security-Policy", b"script-src *")]
    start_event = {"type": "http.response.start", "status": 200, "headers": iter(fields)}
    sent, _, _ = ask([start_event, body(b"<p>", True), body(b"aa")])
    whole = sent[1]["body"]
    assert whole.startswith(b"<p>aa<script ")
    added = [(b"cache-control", b"no-store"), (b"content-length", b"%d" % len(whole))]
    assert sent[0]["headers"] == [fields[0], fields[2], *added]


def test_the_policy_in_a_field_with_capitals() -> None:
    events = [start((b"Content-Security-Policy", b"default-src 'none'")), body(b"<p>")]
    assert ask(events)[0][1]["body"] == b"<p>"


def test_an_application_cannot_have_the_server_send_a_page() -> None:
    """Starlette's FileResponse names a file to the server, if this can send it."""
    extensions = {"http.response.pathsend": {}, "http.response.zerocopysend": {}, "tls": {}}
    for fields, expected in ((BROWSER, {"tls": {}}), ([], extensions)):
        _, scope, _ = ask([start(), body(b"")], fields=fields, extensions=extensions)
        assert scope is not None
        assert scope["extensions"] == expected


@pytest.mark.parametrize(
    "events",
    [
        [start(), body(b"<p>", True), body(b"a", True), body(b"")],  # a stream
        [start((b"content-length", b"99999999999")), body(b"a", True)],
        [start((b"content-length", b"2")), body(b"a")],  # which the server refuses
        [start((b"content-encoding", b"br")), body(b"a")],
        [start(status=304), body(b"")],
        [start((b"content-security-policy", b"default-src 'none'"), (b"etag", b'"a"')), body(b"a")],
        [start(), {"type": "http.response.pathsend", "path": "/a"}],
        [{"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/css")]}, body(b"a")],
        [{"type": "http.response.start", "status": 200}, body(b"a")],
    ],
)
def test_what_is_sent_as_it_is(events: list[Event]) -> None:
    sent, _, _ = ask(events)
    assert [{"more_body": False, **each} if "body" in each else each for each in sent] == events


def test_a_part_of_a_page() -> None:
    fields = [(b"accept", b"text/html"), (b"hx-request", b"true"), (b"accept-encoding", b"gzip")]
    events = [start(), body(b"<p>a")]
    sent, scope, _ = ask(events, fields=fields)
    assert sent == events
    assert scope is not None
    assert scope["headers"] is fields


def test_the_script() -> None:
    sent, scope, _ = ask([], path="/_atlas/refresh.js", root_path="/shop")
    assert scope is None
    assert sent[0]["headers"][0] == (b"content-type", b"text/javascript")
    assert sent[1]["body"] == SCRIPT


@pytest.mark.parametrize("how", ["the server stops", "the page is closed"])
def test_the_events(how: str) -> None:
    async def main() -> list[bytes]:
        pages, first, left = PageRefresh(), asyncio.Event(), asyncio.Event()
        sent: list[bytes] = []

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            raise AssertionError

        async def receive() -> Any:
            await left.wait()
            return {"type": "http.disconnect"}

        async def send(event: Any) -> None:
            sent.append(event.get("body", b""))
            if event.get("body"):
                first.set()

        scope = {"type": "http", "method": "GET", "path": "/_atlas/refresh", "headers": []}
        serving = asyncio.ensure_future(RefreshingApplication(app, pages)(scope, receive, send))  # type: ignore[arg-type]
        async with asyncio.timeout(PATIENCE):
            await first.wait()
            first.clear()
            pages.refresh()
            await first.wait()
            pages.close() if how == "the server stops" else left.set()
            await serving
        return sent

    sent = asyncio.run(main())
    assert sent[2].startswith(b"data: ")
    assert sent[3:] == ([b""] if how == "the server stops" else [])


def test_other_scopes_pass() -> None:
    seen = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["type"])

    for kind in ("lifespan", "websocket"):
        asyncio.run(RefreshingApplication(app, PageRefresh())({"type": kind}, None, None))  # type: ignore[arg-type]
    assert seen == ["lifespan", "websocket"]
