import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from atlas import Application, FileResponse, Middleware, Mount, Request, Response, Route, StreamingResponse
from atlas.web.middleware import compress
from atlas.web.middleware.compress import Compress
from atlas.web.responses.events import EventSourceResponse

Drive = Callable[..., list[dict[str, Any]]]
TEXT = b"All work and no play makes Jack a dull boy. " * 50


class Answer:
    """A response as the client receives it."""

    def __init__(self, sent: list[dict[str, Any]]) -> None:
        self.status = sent[0]["status"]
        self.fields = list(sent[0]["headers"])
        self.headers = dict(self.fields)
        self.pieces = [event["body"] for event in sent[1:]]
        self.body = b"".join(self.pieces)

    @property
    def text(self) -> bytes:
        return zlib.decompress(self.body, 31)


@pytest.fixture
def get(drive: Drive) -> Callable[..., Answer]:
    def get_once(
        make: Callable[[], Any],
        accept: bytes | None = b"gzip",
        fields: tuple[Any, ...] = (),
        method: str = "GET",
        **options: Any,
    ) -> Answer:
        def page(request: Request) -> Any:
            return make()

        app = Application([Route("/", page)], middleware=[Compress(codings=["gzip"], **options)])
        headers = [*fields, *([(b"accept-encoding", accept)] if accept is not None else [])]
        return Answer(drive(app, headers=headers, method=method))

    return get_once


Get = Callable[..., Answer]


def test_a_body_gets_smaller(get: Get) -> None:
    answer = get(lambda: Response(TEXT))
    assert answer.text == TEXT
    assert answer.headers[b"content-encoding"] == b"gzip"
    assert answer.headers[b"vary"] == b"accept-encoding"
    assert answer.headers[b"content-length"] == str(len(answer.body)).encode()


def test_the_content_length_is_replaced(get: Get) -> None:
    answer = get(lambda: Response(TEXT, headers={"content-length": str(len(TEXT))}))
    lengths = [value for name, value in answer.fields if name == b"content-length"]
    assert lengths == [str(len(answer.body)).encode()]


@pytest.mark.parametrize("accept", [None, b"", b"br", b"gzip;q=0"])
def test_a_client_that_accepts_no_coding_gets_the_body_as_it_is(get: Get, accept: bytes | None) -> None:
    answer = get(lambda: Response(TEXT), accept)
    assert answer.body == TEXT
    assert b"content-encoding" not in answer.headers
    assert answer.headers[b"vary"] == b"accept-encoding"


@pytest.mark.parametrize(
    "response",
    [
        lambda: Response(TEXT, content_type="image/png"),
        lambda: Response(TEXT, content_type=""),
        lambda: Response(TEXT[:400]),
        lambda: Response(TEXT, headers={"content-encoding": "br"}),
        lambda: Response(TEXT, headers={"cache-control": "public, no-transform"}),
        lambda: Response(TEXT, 206, {"content-range": "bytes 0-9/100"}),
        lambda: Response(TEXT, 200, {"content-range": "bytes 0-9/100"}),
    ],
)
def test_responses_that_are_not_compressed(get: Get, response: Callable[[], Response]) -> None:
    answer, before = get(response), response()
    assert answer.body == before.body
    assert answer.headers.get(b"content-encoding") == dict(before.raw_headers).get(b"content-encoding")
    assert b"vary" not in answer.headers


@pytest.mark.parametrize(
    "kind", ["text/uncompressed", "application/json", "image/svg+xml; charset=utf-8", "Application/LD+json"]
)
def test_compressible_types(get: Get, kind: str) -> None:
    assert get(lambda: Response(TEXT, content_type=kind)).text == TEXT


def test_more_types_and_another_size(get: Get) -> None:
    assert get(lambda: Response(TEXT, content_type="model/obj"), types=["Model/OBJ"]).text == TEXT
    assert get(lambda: Response(TEXT), minimum=10_000).body == TEXT


def test_a_body_that_does_not_get_smaller_stays(get: Get) -> None:
    noise = zlib.compress(TEXT)
    answer = get(lambda: Response(noise), minimum=0)
    assert answer.body == noise
    assert b"content-encoding" not in answer.headers


def test_a_large_body_is_compressed_in_a_thread(get: Get, monkeypatch: pytest.MonkeyPatch) -> None:
    threaded = []

    async def in_thread(function: Callable[[], bytes]) -> bytes:
        threaded.append(function)
        return function()

    monkeypatch.setattr(compress, "in_file_thread", in_thread)
    assert get(lambda: Response(TEXT * 100)).text == TEXT * 100
    assert len(threaded) == 1


@pytest.mark.parametrize(("tag", "weak"), [('"a"', b'W/"a"'), ('W/"a"', b'W/"a"')])
def test_a_strong_tag_becomes_weak(get: Get, tag: str, weak: bytes) -> None:
    fields = {"etag": tag, "accept-ranges": "bytes"}
    answer = get(lambda: Response(TEXT, headers=fields))
    assert answer.headers[b"etag"] == weak
    assert b"accept-ranges" not in answer.headers
    assert get(lambda: Response(TEXT, headers=fields), None).headers[b"etag"] == tag.encode()


@pytest.mark.parametrize(("asked", "tag"), [(b'W/"a"', b'W/"a"'), (b'"a"', b'"a"')])
def test_not_modified_has_the_tag_of_the_request(get: Get, asked: bytes, tag: bytes) -> None:
    answer = get(lambda: Response(b"", 304, {"etag": '"a"'}, content_type=""), fields=((b"if-none-match", asked),))
    assert (answer.headers[b"etag"], answer.headers[b"vary"]) == (tag, b"accept-encoding")


def test_a_stream_is_flushed_after_each_chunk(get: Get) -> None:
    def pieces() -> Iterator[bytes]:
        yield TEXT
        yield b"data: two\n\n"

    answer = get(lambda: StreamingResponse(pieces(), content_type="text/event-stream"))
    assert (answer.headers[b"content-encoding"], answer.headers[b"vary"]) == (b"gzip", b"accept-encoding")
    reader = zlib.decompressobj(31)
    assert [reader.decompress(piece) for piece in answer.pieces if piece] == [TEXT, b"data: two\n\n", b""]
    assert reader.eof


def test_each_server_sent_event_is_flushed(get: Get) -> None:
    answer = get(lambda: EventSourceResponse(["one", "two"]))
    reader = zlib.decompressobj(31)
    read = [reader.decompress(piece) for piece in answer.pieces]
    assert [piece for piece in read if piece] == [b"data: one\n\n", b"data: two\n\n"]
    assert answer.headers[b"cache-control"] == b"no-store"


def test_a_stream_of_another_type_is_not_compressed(get: Get) -> None:
    assert get(lambda: StreamingResponse([TEXT], content_type="video/mp4")).body == TEXT


def test_head_has_the_fields_of_get(get: Get) -> None:
    whole, head = get(lambda: Response(TEXT)), get(lambda: Response(TEXT), method="HEAD")
    assert (head.fields, head.body) == (whole.fields, b"")
    stream = get(lambda: StreamingResponse([TEXT], content_type="text/uncompressed"), method="HEAD")
    assert (stream.headers[b"content-encoding"], stream.body) == (b"gzip", b"")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a.txt"
    path.write_bytes(TEXT * 50)
    return path


def test_a_file_is_compressed(get: Get, file: Path) -> None:
    answer, uncompressed = get(lambda: FileResponse(file)), get(lambda: FileResponse(file), accept=None)
    assert answer.text == uncompressed.body == TEXT * 50
    assert len(answer.body) < len(TEXT)
    assert answer.headers[b"content-encoding"] == b"gzip"
    assert answer.headers[b"etag"] == b"W/" + uncompressed.headers[b"etag"]
    assert answer.headers[b"vary"] == uncompressed.headers[b"vary"] == b"accept-encoding"
    assert b"accept-ranges" not in answer.headers
    again = get(lambda: FileResponse(file), fields=((b"if-none-match", answer.headers[b"etag"]),))
    assert (again.status, again.headers[b"etag"], again.body) == (304, answer.headers[b"etag"], b"")


def test_a_range_is_of_the_file_as_it_is(get: Get, file: Path) -> None:
    answer = get(lambda: FileResponse(file), fields=((b"range", b"bytes=5-9"),))
    assert (answer.status, answer.body, answer.headers[b"vary"]) == (206, TEXT[5:10], b"accept-encoding")
    assert b"content-encoding" not in answer.headers


def test_a_small_file_is_not_compressed(get: Get, tmp_path: Path) -> None:
    for name, size in (("small.txt", 499), ("photo.jpg", 5000)):
        path = tmp_path / name
        path.write_bytes(b"a" * size)
        answer = get(lambda path=path: FileResponse(path))
        assert (answer.body, b"content-encoding" in answer.headers) == (b"a" * size, False)


def asgi_application(length: int | None, *pieces: bytes, **fields: str) -> Any:
    head = [(b"Content-Type", b"text/uncompressed")]
    head += [(b"Content-Length", b"%d" % length)] if length is not None else []
    head += [(name.encode(), value.encode()) for name, value in fields.items()]

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": head})
        for piece in pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    return app


def ask_application(drive: Drive, app: Any, *, mounted: bool) -> Answer:
    compress = Compress(codings=["gzip"])
    if mounted:
        site = Application([Mount("/m", app)], middleware=[compress])
    else:  # through an ASGI middleware
        site = Application(
            [Route("/m/", lambda request: "never")], middleware=[compress, Middleware(lambda inner: app)]
        )
    return Answer(drive(site, path="/m/", headers=[(b"accept-encoding", b"gzip")]))


@pytest.mark.parametrize("mounted", [True, False])
def test_responses_of_asgi_applications_are_compressed(drive: Drive, mounted: bool) -> None:
    answer = ask_application(drive, asgi_application(2 * len(TEXT), TEXT, TEXT), mounted=mounted)
    assert answer.text == TEXT * 2
    assert answer.headers[b"content-encoding"] == b"gzip"
    assert len(answer.body) < len(TEXT)
    assert answer.headers.get(b"content-length") in (None, b"%d" % len(answer.body))  # a server may set it


@pytest.mark.parametrize("mounted", [True, False])
def test_responses_of_asgi_applications_that_are_not_compressed(drive: Drive, mounted: bool) -> None:
    answer = ask_application(drive, asgi_application(3, b"abc"), mounted=mounted)
    assert (answer.body, b"content-encoding" in answer.headers) == (b"abc", False)
    coded = zlib.compress(TEXT, wbits=31)
    answer = ask_application(drive, asgi_application(None, coded, **{"Content-Encoding": "gzip"}), mounted=mounted)
    assert (answer.text, [value for name, value in answer.fields if name == b"content-encoding"]) == (TEXT, [b"gzip"])


def test_an_empty_body_stays_empty(get: Get) -> None:
    answer = get(lambda: (None, 204))
    assert (answer.status, answer.fields, answer.body) == (204, [], b"")


@pytest.mark.parametrize("options", [{"codings": "gzip"}, {"types": "text/x"}, {"minimum": "1"}])
def test_options_of_the_wrong_type(options: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="Compress"):
        Compress(**options)


@pytest.mark.parametrize("options", [{"codings": ["lzma"]}, {"levels": {"gzip": 0}}, {"minimum": -1}])
def test_invalid_options(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="Compress"):
        Compress(**options)
