import asyncio
from typing import Any
from urllib.parse import quote, quote_plus

import pytest

from atlas import Application, AsyncRequest, BadRequest, ContentTooLarge, FormLimits, UnsupportedMediaType
from atlas.web.requests import body
from atlas.web.requests.form_field import find_field

URLENCODED = "application/x-www-form-urlencoded"
PARTS = "multipart/form-data; boundary=B"


def posted(content: bytes, kind: str, step: int, **config: Any) -> AsyncRequest:
    pieces = [content[start : start + step] for start in range(0, len(content), step)] or [b""]

    async def receive() -> Any:
        return {"type": "http.request", "body": pieces.pop(0), "more_body": bool(pieces)}

    headers = [(b"content-type", kind.encode())]
    request = AsyncRequest(
        Application(config=config), {"type": "http", "method": "POST", "path": "/", "headers": headers}, receive
    )
    request.scope["pieces"] = pieces
    return request


def found(content: bytes, kind: str, name: str = "token", step: int = 10**6) -> str | None:
    async def go() -> str | None:
        request = posted(content, kind, step)
        field = await find_field(request, name)
        assert await request.body() == content
        return field

    return asyncio.run(go())


@pytest.mark.parametrize("step", [1, 3, 10**6])
@pytest.mark.parametrize(
    ("content", "field"),
    [
        (b"token=abc", "abc"),
        (b"token=abc&token=def", "abc"),
        (b"a=1&token=abc&b=2", "abc"),
        (b"a=1&%74o%6ben=a%62c+d&b=2", "abc d"),
        (b"token=", ""),
        (b"token=%ff", "\ufffd"),
        (b"", None),
        (b"tokens=1&xtoken=2&token&a=token=3", None),
        (b"Token=1", None),
        (b"a=" + b"x" * 5000 + b"&token=abc", "abc"),
    ],
)
def test_a_field_of_pairs(content: bytes, field: str | None, step: int) -> None:
    assert found(content, URLENCODED, step=step) == field


@pytest.mark.parametrize("name", ["a b", "ü", "x[y]", "a+b", "%"])
def test_names_with_signs(name: str) -> None:
    for encoded in {quote_plus(name), quote(name, safe=""), quote(name, safe="").lower(), quote_plus(name, safe="[]")}:
        assert found(f"z=1&{encoded}=v".encode(), URLENCODED, name) == "v"
    part = f'--B\r\ncontent-disposition: form-data; name="{name}"\r\n\r\nv\r\n--B--'.encode()
    assert found(part, PARTS, name) == "v"


def part(name: str, data: bytes, more: str = "") -> bytes:
    return f'--B\r\ncontent-disposition: form-data; name="{name}"{more}\r\n\r\n'.encode() + data + b"\r\n"


@pytest.mark.parametrize("step", [1, 7, 10**6])
@pytest.mark.parametrize(
    ("parts", "field"),
    [
        (part("token", b"abc"), "abc"),
        (part("a", b"1") + part("token", b"abc") + part("token", b"def"), "abc"),
        (part("f", b"token=abc", '; filename="x"') + part("token", b"abc"), "abc"),
        (part("token", b"abc", '; filename="x"'), None),
        (part("token", b""), ""),
        (part("tokens", b"1"), None),
        (b"", None),
    ],
)
def test_a_field_of_parts(parts: bytes, field: str | None, step: int) -> None:
    assert found(parts + b"--B--", PARTS, step=step) == field


def test_a_field_that_is_too_long_is_not_found() -> None:
    long = b"x" * 100_000
    assert found(b"token=" + long + b"&token=abc", URLENCODED, step=1000) == "abc"
    assert found(part("token", long) + part("token", b"abc") + b"--B--", PARTS, step=1000) == "abc"


def test_the_form_is_read_up_to_the_field() -> None:
    async def go(content: bytes, kind: str) -> None:
        request = posted(content, kind, 1000)
        assert await find_field(request, "token") == "abc"
        assert len(request.scope["pieces"]) == len(content) // 1000  # one was read
        assert "atlas.body" not in request.scope
        form = await request.form(FormLimits(text=10**6))
        assert (form["token"], len(form["rest"])) == ("abc", 100_000)
        assert await find_field(request, "token") == "abc"

    rest = b"x" * 100_000
    asyncio.run(go(b"token=abc&a=1&rest=" + rest, URLENCODED))
    asyncio.run(go(part("token", b"abc") + part("a", b"1") + part("rest", rest) + b"--B--", PARTS))


def test_a_form_that_is_kept_on_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body, "MAX_KEPT", 1500)
    content = part("f", b"12345" * 2000, '; filename="x"') + part("token", b"abc") + part("a", b"1") + b"--B--"

    async def go() -> None:
        request = posted(content, PARTS, 1000)
        assert await find_field(request, "token") == "abc"
        assert await find_field(request, "a") == "1"
        assert request._cache.ahead._file is not None
        assert request.scope["atlas.body"] == "read"
        assert b"".join([chunk async for chunk in request.stream()]) == content
        with pytest.raises(RuntimeError, match="was read by stream"):
            await find_field(request, "token")

    asyncio.run(go())


def test_the_body_as_asgi_events() -> None:
    async def go(name: str) -> list[tuple[int, bool]]:
        request = posted(part("token", b"abc") + part("a", b"x" * 3000) + b"--B--", PARTS, 1000)
        await find_field(request, name)
        events = []
        while not events or events[-1]["more_body"]:
            events.append(await request._cache.ahead.receive())
        return [(len(event["body"]), event["more_body"]) for event in events]

    assert asyncio.run(go("token")) == asyncio.run(go("none"))


def test_what_is_no_form() -> None:
    with pytest.raises(UnsupportedMediaType):
        found(b"{}", "application/json")
    for content in (b"", b"--B", part("a", b"1"), b"nonsense"):
        with pytest.raises(BadRequest, match="malformed"):
            found(content, PARTS)
    with pytest.raises(BadRequest, match="no boundary"):
        found(b"", "multipart/form-data")


def test_the_limit_of_the_body() -> None:
    async def go() -> None:
        await find_field(posted(b"a=" + b"x" * 100, URLENCODED, 10, limit_body=50), "token")

    with pytest.raises(ContentTooLarge):
        asyncio.run(go())
