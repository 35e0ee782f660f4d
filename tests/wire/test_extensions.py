"""The ASGI extensions: files by path and by descriptor, trailers, early hints."""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import h11
import pytest

from .events import body, sending, start
from .peer import PATIENCE
from .stage import Wire, request_bytes

GET = request_bytes()
NAMES = ["http.response.pathsend", "http.response.zerocopysend", "http.response.trailers", "http.response.early_hint"]


@pytest.fixture(params=[0, 1, 5000, 3_000_000])
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes((b"0123456789abcde\n" * (request.param // 16 + 1))[: request.param])
    return path


def test_extensions_are_in_the_scope(wire: Wire) -> None:
    told: Future[Any] = Future()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        told.set_result(scope["extensions"])
        await sending(start(), body())(scope, receive, send)

    wire.play(app)
    wire.exchange(GET)
    assert set(NAMES) <= set(told.result(PATIENCE))
    assert "tls" not in told.result(PATIENCE)


def path_event(path: Path) -> dict[str, Any]:
    return {"type": "http.response.pathsend", "path": str(path)}


@pytest.mark.parametrize("told_length", [True, False])
def test_pathsend(wire: Wire, file: Path, told_length: bool) -> None:
    size = file.stat().st_size
    headers = [(b"content-length", b"%d" % size)] if told_length else []
    wire.play(sending(start(*headers), path_event(file)))
    with wire.connect() as peer:
        for _ in range(2):
            peer.send(GET)
            answer = peer.response()
            assert answer.body == file.read_bytes()
            assert answer.header(b"content-length") in ((b"%d" % size,) if told_length else (b"%d" % size, None))


def test_pathsend_to_head_and_304(wire: Wire, file: Path) -> None:
    size = b"%d" % file.stat().st_size
    with wire.connect() as peer:
        wire.play(sending(start((b"content-length", size)), path_event(file)))
        peer.send(request_bytes(line=b"HEAD / HTTP/1.1"))
        answer = peer.response("HEAD")
        assert (answer.header(b"content-length"), answer.body) == (size, b"")
        wire.play(sending(start(status=304), path_event(file)))
        peer.send(GET)
        assert (peer.response().status) == 304
        wire.stage.clear()
        peer.send(GET)
        assert peer.response().status == 200


def test_pathsend_on_http_1_0(wire: Wire, file: Path) -> None:
    wire.play(sending(start(), path_event(file)))
    with wire.connect() as peer:
        peer.send(request_bytes(line=b"GET / HTTP/1.0"))
        assert peer.read_all().partition(b"\r\n\r\n")[2] == file.read_bytes()


def test_pathsend_of_a_file_that_is_not_there(wire: Wire, tmp_path: Path) -> None:
    told: Future[BaseException | None] = Future()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        try:
            await sending(start(), path_event(tmp_path / "missing"))(scope, receive, send)
        except BaseException as error:
            told.set_result(error)
            raise
        told.set_result(None)

    wire.play(app)
    assert wire.exchange(GET).status == 500
    assert isinstance(told.result(PATIENCE), OSError)


def test_pathsend_of_less_than_its_content_length_closes(wire: Wire, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"short")
    wire.play(sending(start((b"content-length", b"10")), path_event(path)))
    with wire.connect() as peer:
        peer.send(request_bytes(b"Connection: close"))
        data = peer.read_all()
    assert data.count(b"HTTP/1.1") == 1
    assert data.startswith(b"HTTP/1.1 500") or data.endswith((b"\r\n\r\nshort", b"\r\n\r\n"))


def test_pathsend_of_more_than_its_content_length_is_never_misframed(wire: Wire, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"much too long")
    wire.play(sending(start((b"content-length", b"4")), path_event(path)))
    with wire.connect() as peer:
        peer.send(GET + GET)
        try:
            answer = peer.response()
        except (AssertionError, h11.RemoteProtocolError):
            return
        assert answer.status == 500 or answer.body == b"much"


def test_client_that_leaves_a_file_behind(wire: Wire, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"z" * 50_000_000)
    told: Future[BaseException | None] = Future()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        try:
            await sending(start(), path_event(path))(scope, receive, send)
        except BaseException as error:
            told.set_result(error)
            raise
        told.set_result(None)

    wire.play(app)
    with wire.connect(receive_buffer=4096) as peer:
        peer.send(GET)
        peer.read_until(b"\r\n\r\n")
        peer.reset()
        assert isinstance(told.result(PATIENCE), OSError)


def zero_copy(file: Any, **options: Any) -> dict[str, Any]:
    return {"type": "http.response.zerocopysend", "file": file, **options}


def test_zerocopysend(wire: Wire, file: Path) -> None:
    content = file.read_bytes()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        with file.open("rb") as handle:
            await send(start((b"content-length", b"%d" % len(content))))
            await send(zero_copy(handle))

    wire.play(app)
    with wire.connect() as peer:
        for _ in range(2):
            peer.send(GET)
            assert peer.response().body == content


@pytest.mark.parametrize("headers", [(), ((b"content-length", b"16"),)])
def test_zerocopysend_of_parts_between_bodies(wire: Wire, tmp_path: Path, headers: Any) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        with path.open("rb") as handle:
            await send(start(*headers))
            await send(body(b"<", more=True))
            await send(zero_copy(handle, offset=2, count=3, more_body=True))
            await send(body(b"|", more=True))
            await send(zero_copy(handle, offset=0, more_body=True))
            await send(body(b">"))

    wire.play(app)
    assert wire.exchange(GET).body == b"<234|0123456789>"


def test_zerocopysend_of_a_descriptor_leaves_it_open(wire: Wire, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"hello")
    handle = os.open(path, os.O_RDONLY)
    try:
        wire.play(sending(start(), zero_copy(handle, offset=0)))
        for _ in range(2):
            assert wire.exchange(GET).body == b"hello"
        os.fstat(handle)
    finally:
        os.close(handle)


def trailers(*headers: tuple[bytes, bytes], more: bool = False) -> dict[str, Any]:
    return {"type": "http.response.trailers", "headers": list(headers), "more_trailers": more}


TRAILED = {"type": "http.response.start", "status": 200, "headers": [(b"trailer", b"x-sum")], "trailers": True}


@pytest.mark.parametrize("events", [[body(b"hello")], [body(b"he", more=True), body(b"llo")], [body()]])
def test_trailers(wire: Wire, events: Any) -> None:
    wire.play(sending(TRAILED, *events, trailers((b"x-sum", b"1"), more=True), trailers((b"x-b", b"2"))))
    with wire.connect() as peer:
        for _ in range(2):
            peer.send(request_bytes(b"TE: trailers"))
            answer = peer.response()
            assert answer.header(b"transfer-encoding") == b"chunked"
            assert answer.body == b"".join(event["body"] for event in events)
            assert answer.trailers == [(b"x-sum", b"1"), (b"x-b", b"2")]


def test_trailers_can_not_be_sent_on_http_1_0(wire: Wire) -> None:
    wire.play(sending(TRAILED, body(b"hello"), trailers((b"x-sum", b"1"))))
    with wire.connect() as peer:
        peer.send(request_bytes(line=b"GET / HTTP/1.0"))
        data = peer.read_all()
    assert data.endswith(b"\r\n\r\nhello")


@pytest.mark.parametrize("pair", [(b"a b", b"x"), (b"x", b"a\r\nb"), (b"x", b"\0")])
def test_malformed_trailers_are_refused(wire: Wire, pair: tuple[bytes, bytes]) -> None:
    wire.play(sending(TRAILED, body(b"hello"), trailers(pair)))
    with wire.connect() as peer:
        peer.send(request_bytes(b"TE: trailers"))
        with pytest.raises(h11.RemoteProtocolError):
            peer.response()


def test_missing_trailers_leave_the_response_unfinished(wire: Wire) -> None:
    wire.play(sending(TRAILED, body(b"hello")))
    with wire.connect() as peer:
        peer.send(request_bytes(b"TE: trailers"))
        with pytest.raises(h11.RemoteProtocolError):
            peer.response()


def test_trailers_for_a_client_that_does_not_take_them_are_dropped(wire: Wire) -> None:
    wire.play(sending(TRAILED, body(b"hello"), trailers((b"x-sum", b"1"))))
    with wire.connect() as peer:
        for _ in range(2):
            peer.send(GET)
            answer = peer.response()
            assert (answer.body, answer.trailers) == (b"hello", [])


def hint(*links: bytes) -> dict[str, Any]:
    return {"type": "http.response.early_hint", "links": list(links)}


def test_early_hints(wire: Wire) -> None:
    links = [b"</style.css>; rel=preload; as=style", b"</script.js>; rel=preload; as=script"]
    wire.play(sending(hint(*links), hint(links[0]), start((b"link", links[0])), body(b"ok")))
    with wire.connect() as peer:
        for _ in range(2):
            peer.send(GET)
            answer = peer.response()
            assert (answer.status, answer.body) == (200, b"ok")
            assert [status for status, _ in answer.interim] == [103, 103]
            told = [value for name, value in answer.interim[0][1] if name == b"link"]
            assert b", ".join(told) == b", ".join(links)


def test_early_hints_arrive_before_the_response(wire: Wire) -> None:
    gate: Future[None] = Future()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(hint(b"</a>; rel=preload"))
        await asyncio.wrap_future(gate)
        await sending(start(), body(b"ok"))(scope, receive, send)

    wire.play(app)
    with wire.connect() as peer:
        peer.send(GET)
        assert peer.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 103 Early Hints\r\n")
        gate.set_result(None)
        assert peer.response().body == b"ok"


def test_early_hints_are_left_out_on_http_1_0(wire: Wire) -> None:
    wire.play(sending(hint(b"</a>; rel=preload"), start(), body(b"ok")))
    with wire.connect() as peer:
        peer.send(request_bytes(line=b"GET / HTTP/1.0"))
        assert peer.read_all().startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("link", [b"a\r\nEvil: 1", b"a\0", b"a\n"])
def test_malformed_early_hint_is_refused(wire: Wire, link: bytes) -> None:
    wire.play(sending(hint(link), start(), body(b"ok")))
    with wire.connect() as peer:
        peer.send(request_bytes(b"Connection: close"))
        data = peer.read_all()
    assert data.startswith(b"HTTP/1.1 500 ")
    assert b"Evil" not in data
