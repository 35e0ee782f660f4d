import gzip
import zlib
from collections.abc import Callable
from typing import Any

import brotli
import httpx
import pytest
import zstandard
from starlette.applications import Starlette
from starlette.requests import Request as StarletteRequest
from starlette.responses import PlainTextResponse
from starlette.routing import Route as StarletteRoute

from atlas import CSRF, Application, AsyncRequest, Decompress, Include, Middleware, Mount, Request, Route
from atlas.errors import StartupError
from atlas.web.requests import content_decoding

Ask = Callable[..., httpx.Response]
CODINGS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "X-GZIP": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstandard.compress,
    "gzip, br": lambda data: brotli.compress(gzip.compress(data)),
    "identity, gzip": gzip.compress,
    "identity": bytes,
}
FORM = {"content-type": "application/x-www-form-urlencoded"}
PARTS = {"content-type": "multipart/form-data; boundary=B"}
TWO_PARTS = (
    b'--B\r\ncontent-disposition: form-data; name="a"\r\n\r\n1\r\n'
    b'--B\r\ncontent-disposition: form-data; name="f"; filename="f.txt"\r\n\r\nfile\r\n--B--\r\n'
)


def read_json(request: Request) -> Any:
    return {"read": request.json()}


async def read_json_async(request: AsyncRequest) -> Any:
    return {"read": await request.json()}


def read_text(request: Request) -> str:
    return request.text()


def read_body(request: Request) -> bytes:
    return request.body()


def read_form(request: Request) -> Any:
    return {"a": request.form()["a"], "files": [file.read().decode() for _, file in request.files().items()]}


def read_stream(request: Request) -> Any:
    fields = [name for name in ("content-encoding", "content-length") if name in request.headers]
    return {"size": sum(map(len, request.stream())), "fields": fields, "length": request.content_length}


async def theirs(request: StarletteRequest) -> PlainTextResponse:
    fields = [name for name in ("content-encoding", "content-length") if name in request.headers]
    return PlainTextResponse(f"{len(await request.body())} {fields}")


ROUTES = [
    Route("/json", read_json, ["POST", "GET"]),
    Route("/async", read_json_async, ["POST"]),
    Route("/inline", read_json, ["POST"], run="inline"),
    Route("/thread", read_json, ["POST"], run="thread"),
    Route("/text", read_text, ["POST"]),
    Route("/body", read_body, ["POST"]),
    Route("/form", read_form, ["POST"]),
    Route("/stream", read_stream, ["POST"]),
    Mount("/theirs", Starlette(routes=[StarletteRoute("/", theirs, methods=["POST"])])),
]


@pytest.fixture
def post(ask: Ask) -> Ask:
    def post_once(path: str, content: bytes, coding: str = "gzip", headers: Any = (), **options: Any) -> httpx.Response:
        app = options.pop("app", None) or Application(ROUTES, middleware=[Decompress()], **options)
        return ask(app, "POST", path, content=content, headers={**dict(headers), "content-encoding": coding})

    return post_once


@pytest.fixture
def post_plain(ask: Ask) -> Ask:
    """As ``post``, to an application without the middleware."""

    def post_once(path: str, content: bytes, coding: str = "gzip", headers: Any = ()) -> httpx.Response:
        fields = {**dict(headers), "content-encoding": coding}
        return ask(Application(ROUTES), "POST", path, content=content, headers=fields)

    return post_once


@pytest.mark.parametrize("coding", CODINGS)
def test_json_is_decoded(post: Ask, coding: str) -> None:
    response = post("/json", CODINGS[coding](b'{"a": 1}'), coding)
    assert (response.status_code, response.json()) == (200, {"read": {"a": 1}})


@pytest.mark.parametrize("path", ["/async", "/inline", "/thread"])
def test_json_is_decoded_for_every_kind_of_controller(post: Ask, path: str) -> None:
    assert post(path, gzip.compress(b'{"a": 1}')).json() == {"read": {"a": 1}}


def test_the_body_of_a_get_is_decoded(ask: Ask) -> None:
    app = Application(ROUTES, middleware=[Decompress()])
    fields = {"content-encoding": "gzip", "content-length": str(len(gzip.compress(b"[1]")))}
    response = ask(app, "GET", "/json", content=gzip.compress(b"[1]"), headers=fields)
    assert response.json() == {"read": [1]}


def test_text_and_bytes_are_decoded(post: Ask) -> None:
    assert post("/text", gzip.compress("ä".encode())).text == "ä"
    assert post("/body", gzip.compress(b"\x00\xff")).content == b"\x00\xff"


@pytest.mark.parametrize(
    ("fields", "content", "files"), [(FORM, b"a=1&b=2", []), (PARTS, TWO_PARTS, ["file"])], ids=["pairs", "parts"]
)
def test_forms_are_decoded(post: Ask, fields: Any, content: bytes, files: list[str]) -> None:
    assert post("/form", gzip.compress(content), headers=fields).json() == {"a": "1", "files": files}


def test_a_stream_is_decoded_without_the_two_fields(post: Ask) -> None:
    answer = post("/stream", gzip.compress(bytes(300_000)))
    assert answer.json() == {"size": 300_000, "fields": [], "length": None}


def test_a_mounted_application_gets_the_decoded_body(post: Ask) -> None:
    assert post("/theirs/", gzip.compress(bytes(300_000))).text == "300000 []"


def test_an_asgi_middleware_inside_gets_the_decoded_body(ask: Ask) -> None:
    class Counting:
        def __init__(self, app: Any) -> None:
            self.app = app

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            async def count() -> Any:
                event = await receive()
                sizes.append(len(event.get("body", b"")))
                return event

            await self.app(scope, count, send)

    sizes: list[int] = []
    app = Application(ROUTES, middleware=[Decompress(), Middleware(Counting)])
    answer = ask(app, "POST", "/stream", content=gzip.compress(bytes(500)), headers={"content-encoding": "gzip"})
    assert answer.json()["size"] == 500
    assert sum(sizes) == 500


def test_a_route_may_have_it_alone(ask: Ask) -> None:
    app = Application([Include("/in", ROUTES, middleware=[Decompress()]), *ROUTES])
    options = {"content": gzip.compress(b"[]"), "headers": {"content-encoding": "gzip"}}
    assert ask(app, "POST", "/in/json", **options).status_code == 200
    assert ask(app, "POST", "/json", **options).status_code == 415


def test_an_outer_middleware_may_have_read_the_body(ask: Ask) -> None:
    def reads(request: Request, call_next: Any) -> Any:
        request.body()
        return call_next(request)

    app = Application(ROUTES, middleware=[reads, Decompress()])
    answer = ask(app, "POST", "/json", content=gzip.compress(b"[1]"), headers={"content-encoding": "gzip"})
    assert answer.json() == {"read": [1]}


@pytest.mark.parametrize("path", ["/json", "/async", "/inline", "/thread", "/text", "/body", "/stream", "/theirs/"])
def test_a_body_that_decodes_to_more_than_the_limit_is_413(post: Ask, path: str) -> None:
    answer = post(path, gzip.compress(bytes(1_000_000)), config={"limit_body": 50_000})
    assert answer.status_code == 413
    assert "50000 bytes" in answer.text


def test_a_form_that_decodes_to_more_than_the_limit_is_413(post: Ask) -> None:
    large = TWO_PARTS.replace(b"file\r\n", bytes(1_000_000) + b"\r\n")
    assert post("/form", gzip.compress(large), headers=PARTS, config={"limit_body": 50_000}).status_code == 413


@pytest.mark.parametrize("path", ["/json", "/body", "/stream", "/theirs/"])
def test_a_malformed_body_is_400(post: Ask, path: str) -> None:
    assert post(path, b"no gzip").status_code == 400
    assert post(path, gzip.compress(b"{}")[:-3]).status_code == 400


@pytest.mark.parametrize("coding", ["compress", "gzip, compress", "utf-8", ", ".join(["gzip"] * 5)])
@pytest.mark.parametrize("path", ["/json", "/body", "/theirs/"])
def test_an_unknown_coding_is_415_with_the_codings_to_use(post: Ask, path: str, coding: str) -> None:
    answer = post(path, b"{}", coding)
    assert answer.status_code == 415
    assert answer.headers["accept-encoding"] == "gzip, deflate, br, zstd"
    assert coding[:20] in answer.text


def test_only_the_codings_of_the_middleware_are_decoded(post: Ask) -> None:
    app = Application(ROUTES, middleware=[Decompress(["gzip"])])
    answer = post("/json", zlib.compress(b"{}"), "deflate", app=app)
    assert (answer.status_code, answer.headers["accept-encoding"]) == (415, "gzip")


@pytest.mark.parametrize("path", ["/json", "/async", "/inline", "/thread", "/text", "/form"])
def test_without_the_middleware_an_encoded_body_is_415(post_plain: Ask, path: str) -> None:
    answer = post_plain(path, gzip.compress(b"a=1"), headers=FORM)
    assert (answer.status_code, answer.headers["accept-encoding"]) == (415, "identity")
    assert "'gzip'" in answer.text


def test_without_the_middleware_the_bytes_of_an_encoded_body_are_read(post_plain: Ask) -> None:
    encoded = gzip.compress(b"{}")
    assert post_plain("/body", encoded).content == encoded
    assert post_plain("/stream", encoded).json()["size"] == len(encoded)
    assert post_plain("/json", b"{}", "identity").json() == {"read": {}}


def test_the_415_of_a_media_type_has_no_accept_encoding(ask: Ask) -> None:
    """RFC 9110 12.5.3: the field says that the coding is why."""
    answer = ask(Application(ROUTES), "POST", "/form", content=b"{}", headers={"content-type": "application/json"})
    assert answer.status_code == 415
    assert "accept-encoding" not in answer.headers


def test_csrf_inside_finds_the_token_of_an_encoded_form(ask: Ask) -> None:
    key = "a key that is long enough"
    app = Application(
        [Route("/", lambda request: str(request.state.csrf_token)), *ROUTES], middleware=[Decompress(), CSRF(key)]
    )
    page = ask(app, "GET", "/")
    fields = {**FORM, "content-encoding": "gzip", "cookie": f"csrf={page.cookies['csrf']}"}
    answer = ask(app, "POST", "/form", content=gzip.compress(f"csrf_token={page.text}&a=1".encode()), headers=fields)
    assert answer.json() == {"a": "1", "files": []}
    answer = ask(app, "POST", "/form", content=gzip.compress(b"a=1"), headers=fields)
    assert answer.status_code == 403


def test_csrf_outside_stops_the_start() -> None:
    app = Application(ROUTES, middleware=[CSRF("a key that is long enough"), Decompress()])
    with pytest.raises(StartupError, match=r"test_decompress\.py:\d+: CSRF reads forms: list Decompress before it"):
        app.prepare()


@pytest.mark.parametrize(
    ("codings", "error", "message"),
    [
        (["lzma"], ValueError, "expected codings among gzip, deflate, br, zstd, got 'lzma'"),
        ("gzip", TypeError, "gzip"),
    ],
)
def test_wrong_codings(codings: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Decompress(codings)


def test_a_package_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content_decoding, "find_spec", lambda name: None)
    for name in ("br", "zstd"):
        with pytest.raises(ValueError, match=f"Decompress: '{name}' needs the package"):
            Decompress([name])
    assert Decompress()._accepted == "gzip, deflate"


def test_a_brotli_that_cannot_limit_its_output_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    class Old:
        Decompressor = object

    monkeypatch.setattr(content_decoding, "import_module", lambda name: Old)
    with pytest.raises(ValueError, match=r"brotli 1\.2"):
        Decompress(["br"])
