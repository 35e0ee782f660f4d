import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from atlas import Application, AsyncRequest, ClientDisconnected, Request, Route
from atlas.gateway.greenlets import in_greenlet
from atlas.web.requests.forms import FormLimits
from atlas.web.requests.request_head import RequestHead

Ask = Callable[..., httpx.Response]
Drive = Callable[..., list[dict[str, Any]]]


@dataclass
class Lake:
    name: str
    depth: int


def sync_body(request: Request) -> Any:
    return {"body": request.body().decode("latin-1"), "twice": request.body() == request.body()}


async def async_body(request: AsyncRequest) -> Any:
    body = await request.body()
    return {"body": body.decode("latin-1"), "twice": body == await request.body()}


def sync_json(request: Request) -> Any:
    return [request.json(), request.json(Lake).depth]


async def async_json(request: AsyncRequest) -> Any:
    return [await request.json(), (await request.json(Lake)).depth]


def sync_form(request: Request) -> Any:
    return [dict(request.form()), request.form() is request.form()]


async def async_form(request: AsyncRequest) -> Any:
    return [dict(await request.form()), await request.form() is await request.form()]


def sync_text(request: Request) -> Any:
    return request.text()


async def async_text(request: AsyncRequest) -> Any:
    return await request.text()


async def stream(request: AsyncRequest) -> Any:
    return "".join([piece.decode() async for piece in request.stream()])


async def stream_then_body(request: AsyncRequest) -> Any:
    async for _ in request.stream():
        pass
    return await request.body()


def application(limit_body: int = 1000) -> Application:
    functions = [sync_body, async_body, sync_json, async_json, sync_form, async_form, sync_text, async_text, stream]
    functions.append(stream_then_body)
    return Application(
        [Route("/" + function.__name__, function, ["GET", "POST"]) for function in functions],
        config={"limit_body": limit_body},
    )


both = pytest.mark.parametrize("kind", ["sync", "async"])


@both
def test_the_body_is_read_once_and_kept(ask: Ask, kind: str) -> None:
    assert ask(application(), "POST", f"/{kind}_body", content=b"abc").json() == {"body": "abc", "twice": True}
    assert ask(application(), "GET", f"/{kind}_body").json() == {"body": "", "twice": True}
    assert ask(application(), "GET", f"/{kind}_body", content=b"abc").json() == {"body": "abc", "twice": True}


@both
def test_a_body_in_chunks(drive: Drive, kind: str) -> None:
    pieces = [{"type": "http.request", "body": b"a", "more_body": True}, {"type": "http.request", "more_body": True}]
    last = {"type": "http.request", "body": b"b"}
    sent = drive(application(), [*pieces, last], method="POST", path=f"/{kind}_text")
    assert sent[1]["body"] == b"ab"


@both
def test_json(ask: Ask, kind: str) -> None:
    response = ask(application(), "POST", f"/{kind}_json", json={"name": "Como", "depth": 425})
    assert response.json() == [{"name": "Como", "depth": 425}, 425]


@both
@pytest.mark.parametrize(
    ("content", "status", "detail"),
    [
        (b"", 400, "not JSON"),
        (b"{", 400, "not JSON"),
        (b'"\xff"', 400, "not JSON"),
        (b"[" * 100 + b"]" * 100, 422, "Expected `object`"),
        (b'{"name": 5, "depth": 1}', 422, "/body/name: Expected `str`, got `int`"),
        (b'{"name": "a"}', 422, "/body/depth: missing"),
    ],
)
def test_json_that_is_wrong(ask: Ask, kind: str, content: bytes, status: int, detail: str) -> None:
    response = ask(application(), "POST", f"/{kind}_json", content=content)
    assert response.status_code == status
    assert detail in response.json()["detail"]


@both
def test_json_that_is_very_deep_is_a_bad_request(ask: Ask, kind: str) -> None:
    response = ask(application(10**6), "POST", f"/{kind}_json", content=b"[" * 200_000)
    assert response.status_code == 400


@both
def test_forms(ask: Ask, kind: str) -> None:
    response = ask(application(), "POST", f"/{kind}_form", data={"a": "ü &", "b": ""})
    assert response.json() == [{"a": "ü &", "b": ""}, True]


@both
def test_a_form_of_another_type_is_415(ask: Ask, kind: str) -> None:
    assert ask(application(), "POST", f"/{kind}_form", json={}).status_code == 415


@both
def test_text_that_is_not_utf8_is_a_bad_request(ask: Ask, kind: str) -> None:
    assert ask(application(), "POST", f"/{kind}_text", content="ü".encode()).text == "ü"
    assert ask(application(), "POST", f"/{kind}_text", content=b"\xff").status_code == 400


def test_a_bad_query_is_a_bad_request(ask: Ask) -> None:
    app = Application([Route("/", lambda request: dict(request.query))])
    assert ask(app, "GET", "/?" + "a=1&" * 1000).status_code == 400
    assert ask(app, "GET", "/?a=100%&b=%ff").json() == {"a": "100%", "b": "\ufffd"}
    assert ask(app, "GET", "/?a=%C3%BC").json() == {"a": "ü"}


def test_the_body_as_a_stream(drive: Drive) -> None:
    events = [{"type": "http.request", "body": b"a", "more_body": True}, {"type": "http.request", "body": b"b"}]
    assert drive(application(), events, method="POST", path="/stream")[1]["body"] == b"ab"


def test_a_streamed_body_is_not_kept(ask: Ask) -> None:
    assert ask(application(), "POST", "/stream_then_body", content=b"x").status_code == 500


@pytest.mark.parametrize("path", ["/sync_body", "/async_body", "/stream"])
def test_a_body_over_the_limit_is_413(drive: Drive, path: str) -> None:
    app = application(limit_body=3)
    announced = drive(app, [], method="POST", path=path, headers=[(b"content-length", b"4")])
    assert announced[0]["status"] == 413
    pieces = [{"type": "http.request", "body": b"ab", "more_body": True}] * 2
    assert drive(app, pieces, method="POST", path=path)[0]["status"] == 413


def test_the_limit_of_a_route_takes_precedence(ask: Ask) -> None:
    app = Application([Route("/", sync_body, ["POST"], limit_body=5)], config={"limit_body": 3})
    assert ask(app, "POST", "/", content=b"12345").status_code == 200
    assert ask(app, "POST", "/", content=b"123456").status_code == 413


@pytest.mark.server_differs("hypercorn", reason="its h11 answers half a request with 400 by itself")
@pytest.mark.parametrize("path", ["/sync_body", "/async_body", "/stream"])
def test_a_client_that_disconnects_is_not_answered(drive: Drive, path: str) -> None:
    assert drive(application(), [{"type": "http.disconnect"}], method="POST", path=path) == []


def test_the_other_kind_shares_what_was_read() -> None:
    async def receive() -> Any:
        return {"type": "http.request", "body": b"a=1"}

    async def go() -> None:
        scope = {"type": "http", "method": "POST", "path": "/", "headers": []}
        request = AsyncRequest(Application(), scope, receive)
        assert await request.body() == b"a=1"
        other = request.as_type(Request)
        assert (other.body(), dict(other.form())) == (b"a=1", {"a": "1"})
        assert other.as_type(Request) is other

    asyncio.run(go())


def test_a_body_that_was_not_read_needs_a_controller_that_waits() -> None:
    scope = {"type": "http", "method": "POST", "path": "/", "headers": []}
    with pytest.raises(RuntimeError, match="async def"):
        Request(Application(), scope, lambda: None).body()  # type: ignore[arg-type, return-value]


def test_path_parameters_by_name(ask: Ask) -> None:
    def show(request: Request, name: str, year: int) -> Any:
        return request.path_params

    app = Application([Route("/{name}/{year:int}", show)])
    assert ask(app, "GET", "/joe/2026").json() == {"name": "joe", "year": 2026}


def test_a_disconnect_is_an_oserror() -> None:
    assert issubclass(ClientDisconnected, OSError)


PARTS = (
    b'--XX\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n'
    b'--XX\r\nContent-Disposition: form-data; name="f"; filename="x.txt"\r\n\r\nhello\r\n--XX--\r\n'
)
MULTIPART = (b"content-type", b"multipart/form-data; boundary=XX")


def sync_files(request: Request) -> Any:
    upload = request.files()["f"]
    return [request.form()["a"], upload.filename, upload.read().decode(), request.files(FormLimits()).getlist("g")]


async def async_files(request: AsyncRequest) -> Any:
    upload = (await request.files())["f"]
    return [
        (await request.form())["a"],
        upload.filename,
        (await upload.read()).decode(),
        (await request.files()).getlist("g"),
    ]


async def small_files(request: AsyncRequest) -> Any:
    upload = (await request.files(FormLimits(memory=2)))["f"]
    return [upload._stored.on_disk, (await upload.read()).decode()]


async def after_middleware(request: AsyncRequest) -> Any:
    """Reads the form before the controller does, as a check of a token in the form does."""
    before = await request.read_form()
    return [before.fields["a"], len(await request.body()), len(request.as_type(Request).files())]


def form_application(**options: Any) -> Application:
    routes = [
        Route("/sync", sync_files, ["POST"]),
        Route("/async", async_files, ["POST"]),
        Route("/small", small_files, ["POST"]),
        Route("/after", after_middleware, ["POST"]),
    ]
    return Application(routes, config=options)


@pytest.mark.parametrize("path", ["/sync", "/async"])
@pytest.mark.parametrize("step", [1, 1000])
@pytest.mark.parametrize("announced", [True, False])
def test_files(drive: Drive, path: str, step: int, announced: bool) -> None:
    pieces = [PARTS[start : start + step] for start in range(0, len(PARTS), step)]
    events = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
    length = [(b"content-length", b"%d" % len(PARTS))] if announced else []
    events.append({"type": "http.request"})
    sent = drive(form_application(), events, method="POST", path=path, headers=[MULTIPART, *length])
    assert sent[1]["body"] == b'["1","x.txt","hello",[]]'


def test_large_files_are_not_kept_in_memory(drive: Drive) -> None:
    events = [{"type": "http.request", "body": PARTS[:150], "more_body": True}]
    events.append({"type": "http.request", "body": PARTS[150:]})
    sent = drive(form_application(), events, method="POST", path="/small", headers=[MULTIPART])
    assert sent[1]["body"] == b'[true,"hello"]'


def test_a_form_that_middleware_has_read_is_there_as_a_body_too(drive: Drive) -> None:
    headers = [MULTIPART, (b"content-length", b"%d" % len(PARTS))]
    sent = drive(
        form_application(), [{"type": "http.request", "body": PARTS}], method="POST", path="/after", headers=headers
    )
    assert sent[1]["body"] == f'["1",{len(PARTS)},1]'.encode()


@pytest.mark.parametrize("path", ["/sync", "/async"])
def test_forms_that_are_wrong(drive: Drive, path: str) -> None:
    def status(body: bytes, kind: bytes = MULTIPART[1], **config: Any) -> int:
        event = {"type": "http.request", "body": body}
        app = form_application(**config)
        return int(drive(app, [event], method="POST", path=path, headers=[(b"content-type", kind)])[0]["status"])

    assert status(PARTS[:-10]) == 400
    assert status(PARTS, b"multipart/form-data") == 400
    assert status(PARTS, b"text/plain") == 415
    assert status(PARTS, limit_body=100) == 413


def in_pieces(*pieces: bytes) -> Any:
    waiting = list(pieces)

    async def receive() -> Any:
        if not waiting:
            await asyncio.Event().wait()
        return {"type": "http.request", "body": waiting.pop(0), "more_body": bool(waiting)}

    return receive


def posted(kind: type[RequestHead], receive: Any) -> Any:
    return kind(Application(), {"type": "http", "method": "POST", "path": "/", "headers": [MULTIPART]}, receive)


def test_a_sync_controller_that_can_wait() -> None:
    def controller(request: Request) -> Any:
        if request.scope.get("streams"):
            return list(request.stream())
        return [request.files()["f"].read(), request.disconnected()]

    async def go() -> Any:
        found = [await in_greenlet(controller, posted(Request, in_pieces(PARTS[:9], PARTS[9:])))]
        request = posted(Request, in_pieces(b"a", b"b"))
        request.scope["streams"] = True
        return [*found, await in_greenlet(controller, request)]

    assert asyncio.run(go()) == [[b"hello", False], [b"a", b"b"]]


def test_a_sync_controller_that_cannot_wait() -> None:
    request = posted(Request, in_pieces(b"a", b"b"))
    asyncio.run(request.read_body())
    assert list(request.stream()) == [b"ab"]
    with pytest.raises(RuntimeError, match="cannot wait"):
        request.disconnected()


def test_a_client_that_has_disconnected() -> None:
    async def left() -> Any:
        return {"type": "http.disconnect"}

    async def go() -> None:
        there = posted(AsyncRequest, in_pieces(b"a"))
        assert not await there.disconnected()
        assert await there.body() == b"a"
        disconnected = posted(AsyncRequest, left)
        assert await disconnected.disconnected()
        assert await disconnected.disconnected()

    asyncio.run(go())


def test_reading_the_body_is_noted_in_the_scope() -> None:
    async def go() -> None:
        request = posted(AsyncRequest, in_pieces(b"a", b"b"))
        seen = [request.scope["atlas.body"] async for _ in request.stream()]
        assert (seen, request.scope["atlas.body"]) == (["reading", "reading"], "read")
        left = posted(AsyncRequest, in_pieces(b"a", b"b"))
        pieces = left.stream()
        await anext(pieces)
        await pieces.aclose()
        assert "atlas.body" not in left.scope

    asyncio.run(go())


def test_a_body_that_was_read_can_be_streamed() -> None:
    async def go() -> list[bytes]:
        request = posted(AsyncRequest, in_pieces(b"a", b"b"))
        await request.body()
        return [piece async for piece in request.stream()]

    assert asyncio.run(go()) == [b"ab"]


def test_a_form_that_announces_too_much_is_not_read(drive: Drive) -> None:
    headers = [(b"content-length", b"2000000"), (b"content-type", b"application/x-www-form-urlencoded")]
    assert drive(form_application(), [], method="POST", path="/async", headers=headers)[0]["status"] == 413
