"""CSRF reads a form before the controller does, which may state other limits, or stream it."""

from collections.abc import Callable
from typing import Any

import pytest

from atlas import CSRF, Application, AsyncRequest, FormLimits, Middleware, Request, Route

Drive = Callable[..., list[dict[str, Any]]]

KEY = "k" * 32
STRICT = FormLimits(files=1, file_size=100, fields=3, text=500)
WIDE = FormLimits(fields=5000, text=8_000_000, files=500)
KIND = b"multipart/form-data; boundary=B"
PAIRS = b"application/x-www-form-urlencoded"


def token(request: Request) -> str:
    return str(request.state.csrf_token)


def strict(request: Request) -> Any:
    return {"files": len(request.files(STRICT).pairs()), "fields": len(request.form(STRICT).pairs())}


async def strict_async(request: AsyncRequest) -> Any:
    return {"files": len((await request.files(STRICT)).pairs()), "fields": len((await request.form(STRICT)).pairs())}


def later(request: Request) -> Any:
    request.form(WIDE)
    return strict(request)


def wide(request: Request) -> Any:
    return {"files": len(request.files(WIDE).pairs()), "fields": len(request.form(WIDE).pairs())}


async def wide_async(request: AsyncRequest) -> Any:
    return {"files": len((await request.files(WIDE)).pairs()), "fields": len((await request.form(WIDE)).pairs())}


async def stream(request: AsyncRequest) -> Any:
    return {"bytes": len(b"".join([chunk async for chunk in request.stream()]))}


def body(request: Request) -> Any:
    return {"bytes": len(request.body())}


class Passing:
    """An ASGI middleware that passes everything on."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def wrapped() -> Any:
            return await receive()

        await self.app(scope, wrapped, send)


CONTROLLERS = (strict, strict_async, later, wide, wide_async, stream, body)


def application(*inner: Any) -> Application:
    routes = [Route("/token", token)]
    for run in ("auto", "thread", "inline"):
        kinds = [each for each in CONTROLLERS if run == "auto" or not each.__name__.endswith(("async", "stream"))]
        routes += [
            Route(f"/{run}/{each.__name__}", each, ["POST"], run=run, name=f"{run} {each.__name__}", limit_body=10**8)
            for each in kinds
        ]
    return Application(routes, middleware=[CSRF(KEY), *inner])


def part(name: str, data: bytes, more: str = "") -> bytes:
    return f'--B\r\ncontent-disposition: form-data; name="{name}"{more}\r\n\r\n'.encode() + data + b"\r\n"


def submit(drive: Drive, app: Application, path: str, make: Callable[[bytes], bytes], kind: bytes = KIND) -> Any:
    """Send a form that ``make`` creates with the token, in pieces of 64 KiB."""
    start, page = drive(app, path="/token")
    cookie = dict(start["headers"])[b"set-cookie"].partition(b";")[0]
    content = make(page["body"])
    pieces = [content[at : at + 65536] for at in range(0, len(content), 65536)]
    events = [{"type": "http.request", "body": each, "more_body": each is not pieces[-1]} for each in pieces]
    answer = drive(app, events, path=path, method="POST", headers=[(b"cookie", cookie), (b"content-type", kind)])
    return answer[0]["status"], answer[1]["body"]


FORMS: dict[str, tuple[bytes, Callable[[bytes], bytes]]] = {
    "fields": (PAIRS, lambda token: b"csrf_token=" + token + b"".join(b"&f%d=1" % number for number in range(1001))),
    "text": (PAIRS, lambda token: b"csrf_token=" + token + b"&text=" + b"x" * 2_000_000),
    "text in parts": (KIND, lambda token: part("csrf_token", token) + part("text", b"x" * 2_000_000) + b"--B--"),
    "files": (KIND, lambda token: part("csrf_token", token) + part("f", b"1", '; filename="a"') * 101 + b"--B--"),
    "a file": (
        KIND,
        lambda token: part("csrf_token", token) + part("f", b"x" * 3_000_000, '; filename="a"') + b"--B--",
    ),
    "a file first": (KIND, lambda t: part("f", b"x" * 3_000_000, '; filename="a"') + part("csrf_token", t) + b"--B--"),
}
FOUND = {
    "fields": b'{"files":0,"fields":1002}',
    "text": b'{"files":0,"fields":2}',
    "text in parts": b'{"files":0,"fields":2}',
    "files": b'{"files":101,"fields":1}',
    "a file": b'{"files":1,"fields":1}',
    "a file first": b'{"files":1,"fields":1}',
}


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize(
    "path", ["/auto/strict", "/auto/strict_async", "/auto/later", "/thread/strict", "/inline/strict"]
)
def test_stricter_limits_of_a_controller(drive: Drive, path: str, name: str) -> None:
    kind, make = FORMS[name]
    status, _ = submit(drive, application(), path, make, kind)
    assert status == 413


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("path", ["/auto/wide", "/auto/wide_async", "/thread/wide", "/inline/wide"])
def test_wider_limits_of_a_controller(drive: Drive, path: str, name: str) -> None:
    kind, make = FORMS[name]
    assert submit(drive, application(), path, make, kind) == (200, FOUND[name])


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("path", ["/auto/stream", "/auto/body", "/thread/body", "/inline/body"])
@pytest.mark.parametrize("inner", [[], [Middleware(Passing)]])
def test_the_whole_body_is_there(drive: Drive, path: str, name: str, inner: list[Any]) -> None:
    kind, make = FORMS[name]
    length = len(make(b"x" * 86))
    assert submit(drive, application(*inner), path, make, kind) == (200, b'{"bytes":%d}' % length)


@pytest.mark.parametrize("name", FORMS)
def test_a_form_behind_an_asgi_middleware(drive: Drive, name: str) -> None:
    kind, make = FORMS[name]
    for path in ("/auto/wide", "/auto/wide_async", "/inline/wide"):
        assert submit(drive, application(Middleware(Passing)), path, make, kind) == (200, FOUND[name])


@pytest.mark.parametrize("name", FORMS)
def test_a_wrong_token(drive: Drive, name: str) -> None:
    kind, make = FORMS[name]
    assert submit(drive, application(), "/auto/wide", lambda token: make(token[::-1]), kind)[0] == 403
