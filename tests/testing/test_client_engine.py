"""What both clients do between the arguments of a call and the response."""

import asyncio
from typing import Any

import pytest

from atlas.testing.client_engine import ClientEngine, TooManyRedirects
from atlas.testing.response import Response


async def mirror(scope: Any, receive: Any, send: Any) -> None:
    """Answers with what it was asked; ``/to/<status>?<address>`` redirects."""
    if scope["type"] != "http":
        raise NotImplementedError
    body = b"" if scope["method"] == "GET" else (await receive())["body"]
    query, status, headers = scope["query_string"], 200, [(b"set-cookie", b"seen=" + scope["path"][1:4].encode())]
    if scope["path"].startswith("/to/"):
        status = int(scope["path"][4:])
        headers.append((b"location", query))
    fields = b"\n".join(name + b": " + value for name, value in scope["headers"])
    await send({"type": "http.response.start", "status": status, "headers": headers})
    content = b"\n".join([f"{scope['method']} {scope['path']}".encode() + b"?" + query, fields, b"", body])
    await send({"type": "http.response.body", "body": content})


def ask(method: str, url: str, client: Any = None, **options: Any) -> Response:
    async def go() -> Response:
        engine = ClientEngine(mirror, client or {})
        try:
            return await engine.request(method, url, options)  # type: ignore[arg-type]
        finally:
            await engine.stop()

    return asyncio.run(go())


def test_a_request() -> None:
    response = ask("get", "/x", params={"a": 1}, headers={"X-A": "b"})
    assert response.text.splitlines() == [
        "GET /x?a=1",
        "host: testserver",
        "accept: */*",
        "accept-encoding: gzip, deflate",
        "user-agent: atlas-testclient",
        "x-a: b",
        "",
    ]


def test_fields_as_bytes_and_fields_that_come_twice() -> None:
    fields: Any = [("X-A", b"caf\xe9"), ("x-b", "1"), ("X-B", b"2"), ("accept", "text/plain")]
    text = ask("get", "/", headers=fields).content
    assert b"accept: text/plain\n" in text
    assert text.strip().endswith(b"x-a: caf\xe9\nx-b: 1\nx-b: 2")


def test_what_every_request_carries() -> None:
    client = {
        "base_url": "https://site.test/api",
        "headers": [("accept", "text/html")],
        "cookies": {"a": "1"},
        "auth": ("me", "pä"),
    }
    text = ask("POST", "x", client, cookies={"b": "2"}).text
    assert text.startswith("POST /api/x?\nhost: site.test\naccept: text/html\n")
    assert "cookie: a=1; b=2" in text
    assert "authorization: Basic bWU6cMOk" in text
    assert "content-length: 0" in text


def test_its_own_authorization_wins() -> None:
    text = ask("GET", "/", {"auth": ("a", "b")}, headers={"Authorization": "Bearer x"}).text
    assert "authorization: Bearer x" in text
    assert "Basic" not in text


def test_own_fields_win_over_those_of_the_body() -> None:
    assert "content-type: a/b" in ask("POST", "/", json=1, headers={"content-type": "a/b"}).text


def test_redirects_are_not_followed_unless_asked() -> None:
    assert ask("GET", "/to/302?/x").status_code == 302
    assert ask("GET", "/to/302?/x", {"follow_redirects": True}, follow_redirects=False).status_code == 302
    response = ask("GET", "/to/302?/x", follow_redirects=True)
    assert (response.url, [each.status_code for each in response.history]) == ("http://testserver/x", [302])


@pytest.mark.parametrize(
    ("method", "status", "then", "body"),
    [
        ("POST", 301, "GET", ""),
        ("POST", 302, "GET", ""),
        ("POST", 303, "GET", ""),
        ("PUT", 302, "PUT", '{"a":1}'),
        ("PUT", 303, "GET", ""),
        ("POST", 307, "POST", '{"a":1}'),
        ("POST", 308, "POST", '{"a":1}'),
    ],
)
def test_what_a_redirect_makes_of_a_request(method: str, status: int, then: str, body: str) -> None:
    text = ask(method, f"/to/{status}?/x", json={"a": 1}, follow_redirects=True).text
    assert text.startswith(f"{then} /x?\n")
    assert text.endswith(f"\n\n{body}")
    assert ("content-type" in text) == bool(body)


def test_a_secret_stays_with_its_origin() -> None:
    same = ask("GET", "/to/302?/x", auth=("a", "b"), follow_redirects=True)
    other = ask("GET", "/to/302?http://other.test/x", auth=("a", "b"), cookies={"c": "d"}, follow_redirects=True)
    assert "authorization" in same.text
    assert "authorization" not in other.text
    assert "cookie" not in other.text
    assert "host: other.test" in other.text


def test_redirects_without_end() -> None:
    with pytest.raises(TooManyRedirects, match="was redirected 20 times"):
        ask("GET", "/to/302?/to/302?/to/302", {"base_url": "http://a"}, follow_redirects=True)


def test_cookies_are_kept_between_requests() -> None:
    async def go() -> str:
        engine = ClientEngine(mirror, {})
        await engine.request("GET", "/abc", {})
        return (await engine.request("GET", "/", {})).text

    assert "cookie: seen=abc" in asyncio.run(go())


def test_a_closed_one_says_so() -> None:
    async def go() -> None:
        engine = ClientEngine(mirror, {})
        await engine.stop()
        await engine.request("GET", "/", {})

    with pytest.raises(RuntimeError, match="this client is closed"):
        asyncio.run(go())


def test_what_is_no_application() -> None:
    with pytest.raises(TypeError, match="expected an ASGI application"):
        ClientEngine("main:app", {})  # type: ignore[arg-type]
