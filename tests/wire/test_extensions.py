"""The ASGI extensions: files by path and by descriptor, trailers, early hints."""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import h11
import pytest

from .asgi_events import body, sending, start
from .raw_client import TIMEOUT
from .wire_server import WireServer, request_bytes

GET = request_bytes()
NAMES = ["http.response.pathsend", "http.response.zerocopysend", "http.response.trailers", "http.response.early_hint"]


@pytest.fixture(params=[0, 1, 5000, 3_000_000])
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes((b"0123456789abcde\n" * (request.param // 16 + 1))[: request.param])
    return path


def test_extensions_are_in_the_scope(wire: WireServer) -> None:
    told: Future[Any] = Future()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        told.set_result(scope["extensions"])
        await sending(start(), body())(scope, receive, send)

    wire.set_app(app)
    wire.exchange(GET)
    assert set(NAMES) <= set(told.result(TIMEOUT))
    assert "tls" not in told.result(TIMEOUT)


def path_event(path: Path) -> dict[str, Any]:
    return {"type": "http.response.pathsend", "path": str(path)}


@pytest.mark.parametrize("told_length", [True, False])
def test_pathsend(wire: WireServer, file: Path, told_length: bool) -> None:
    size = file.stat().st_size
    headers = [(b"content-length", b"%d" % size)] if told_length else []
    wire.set_app(sending(start(*headers), path_event(file)))
    with wire.connect() as client:
        for _ in range(2):
            client.send(GET)
            answer = client.response()
            assert answer.body == file.read_bytes()
            assert answer.header(b"content-length") in ((b"%d" % size,) if told_length else (b"%d" % size, None))


def test_pathsend_to_head_and_304(wire: WireServer, file: Path) -> None:
    size = b"%d" % file.stat().st_size
    with wire.connect() as client:
        wire.set_app(sending(start((b"content-length", size)), path_event(file)))
        client.send(request_bytes(line=b"HEAD / HTTP/1.1"))
        answer = client.response("HEAD")
        assert (answer.header(b"content-length"), answer.body) == (size, b"")
        wire.set_app(sending(start(status=304), path_event(file)))
        client.send(GET)
        assert (client.response().status) == 304
        wire.app.clear()
        client.send(GET)
        assert client.response().status == 200


def test_pathsend_on_http_1_0(wire: WireServer, file: Path) -> None:
    wire.set_app(sending(start(), path_event(file)))
    with wire.connect() as client:
        client.send(request_bytes(line=b"GET / HTTP/1.0"))
        assert client.read_all().partition(b"\r\n\r\n")[2] == file.read_bytes()


def test_pathsend_of_a_file_that_is_not_there(wire: WireServer, tmp_path: Path) -> None:
    told: Future[BaseException | None] = Future()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        try:
            await sending(start(), path_event(tmp_path / "missing"))(scope, receive, send)
        except BaseException as error:
            told.set_result(error)
            raise
        told.set_result(None)

    wire.set_app(app)
    assert wire.exchange(GET).status == 500
    assert isinstance(told.result(TIMEOUT), OSError)


def test_pathsend_of_less_than_its_content_length_closes(wire: WireServer, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"short")
    wire.set_app(sending(start((b"content-length", b"10")), path_event(path)))
    with wire.connect() as client:
        client.send(request_bytes(b"Connection: close"))
        data = client.read_all()
    assert data.count(b"HTTP/1.1") == 1
    assert data.startswith(b"HTTP/1.1 500") or data.endswith((b"\r\n\r\nshort", b"\r\n\r\n"))


def test_pathsend_of_more_than_its_content_length_is_never_misframed(wire: WireServer, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"much too long")
    wire.set_app(sending(start((b"content-length", b"4")), path_event(path)))
    with wire.connect() as client:
        client.send(GET + GET)
        try:
            answer = client.response()
        except (AssertionError, h11.RemoteProtocolError):
            return
        assert answer.status == 500 or answer.body == b"much"


def test_client_that_leaves_a_file_behind(wire: WireServer, tmp_path: Path) -> None:
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

    wire.set_app(app)
    with wire.connect(receive_buffer=4096) as client:
        client.send(GET)
        client.read_until(b"\r\n\r\n")
        client.reset()
        assert isinstance(told.result(TIMEOUT), OSError)


def zero_copy(file: Any, **options: Any) -> dict[str, Any]:
    return {"type": "http.response.zerocopysend", "file": file, **options}


def test_zerocopysend(wire: WireServer, file: Path) -> None:
    content = file.read_bytes()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        with file.open("rb") as handle:
            await send(start((b"content-length", b"%d" % len(content))))
            await send(zero_copy(handle))

    wire.set_app(app)
    with wire.connect() as client:
        for _ in range(2):
            client.send(GET)
            assert client.response().body == content


@pytest.mark.parametrize("headers", [(), ((b"content-length", b"16"),)])
def test_zerocopysend_of_parts_between_bodies(wire: WireServer, tmp_path: Path, headers: Any) -> None:
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

    wire.set_app(app)
    assert wire.exchange(GET).body == b"<234|0123456789>"


def test_zerocopysend_of_a_descriptor_leaves_it_open(wire: WireServer, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"hello")
    handle = os.open(path, os.O_RDONLY)
    try:
        wire.set_app(sending(start(), zero_copy(handle, offset=0)))
        for _ in range(2):
            assert wire.exchange(GET).body == b"hello"
        os.fstat(handle)
    finally:
        os.close(handle)


def trailers(*headers: tuple[bytes, bytes], more: bool = False) -> dict[str, Any]:
    return {"type": "http.response.trailers", "headers": list(headers), "more_trailers": more}


TRAILED = {"type": "http.response.start", "status": 200, "headers": [(b"trailer", b"x-sum")], "trailers": True}


@pytest.mark.parametrize("events", [[body(b"hello")], [body(b"he", more=True), body(b"llo")], [body()]])
def test_trailers(wire: WireServer, events: Any) -> None:
    wire.set_app(sending(TRAILED, *events, trailers((b"x-sum", b"1"), more=True), trailers((b"x-b", b"2"))))
    with wire.connect() as client:
        for _ in range(2):
            client.send(request_bytes(b"TE: trailers"))
            answer = client.response()
            assert answer.header(b"transfer-encoding") == b"chunked"
            assert answer.body == b"".join(event["body"] for event in events)
            assert answer.trailers == [(b"x-sum", b"1"), (b"x-b", b"2")]


def test_trailers_can_not_be_sent_on_http_1_0(wire: WireServer) -> None:
    wire.set_app(sending(TRAILED, body(b"hello"), trailers((b"x-sum", b"1"))))
    with wire.connect() as client:
        client.send(request_bytes(line=b"GET / HTTP/1.0"))
        data = client.read_all()
    assert data.endswith(b"\r\n\r\nhello")


@pytest.mark.parametrize("pair", [(b"a b", b"x"), (b"x", b"a\r\nb"), (b"x", b"\0")])
def test_malformed_trailers_are_refused(wire: WireServer, pair: tuple[bytes, bytes]) -> None:
    wire.set_app(sending(TRAILED, body(b"hello"), trailers(pair)))
    with wire.connect() as client:
        client.send(request_bytes(b"TE: trailers"))
        with pytest.raises(h11.RemoteProtocolError):
            client.response()


def test_missing_trailers_leave_the_response_unfinished(wire: WireServer) -> None:
    wire.set_app(sending(TRAILED, body(b"hello")))
    with wire.connect() as client:
        client.send(request_bytes(b"TE: trailers"))
        with pytest.raises(h11.RemoteProtocolError):
            client.response()


def test_trailers_for_a_client_that_does_not_take_them_are_dropped(wire: WireServer) -> None:
    wire.set_app(sending(TRAILED, body(b"hello"), trailers((b"x-sum", b"1"))))
    with wire.connect() as client:
        for _ in range(2):
            client.send(GET)
            answer = client.response()
            assert (answer.body, answer.trailers) == (b"hello", [])


def hint(*links: bytes) -> dict[str, Any]:
    return {"type": "http.response.early_hint", "links": list(links)}


def test_early_hints(wire: WireServer) -> None:
    links = [b"</style.css>; rel=preload; as=style", b"</script.js>; rel=preload; as=script"]
    wire.set_app(sending(hint(*links), hint(links[0]), start((b"link", links[0])), body(b"ok")))
    with wire.connect() as client:
        for _ in range(2):
            client.send(GET)
            answer = client.response()
            assert (answer.status, answer.body) == (200, b"ok")
            assert [status for status, _ in answer.interim] == [103, 103]
            told = [value for name, value in answer.interim[0][1] if name == b"link"]
            assert b", ".join(told) == b", ".join(links)


def test_early_hints_arrive_before_the_response(wire: WireServer) -> None:
    gate: Future[None] = Future()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(hint(b"</a>; rel=preload"))
        await asyncio.wrap_future(gate)
        await sending(start(), body(b"ok"))(scope, receive, send)

    wire.set_app(app)
    with wire.connect() as client:
        client.send(GET)
        assert client.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 103 Early Hints\r\n")
        gate.set_result(None)
        assert client.response().body == b"ok"


def test_early_hints_are_left_out_on_http_1_0(wire: WireServer) -> None:
    wire.set_app(sending(hint(b"</a>; rel=preload"), start(), body(b"ok")))
    with wire.connect() as client:
        client.send(request_bytes(line=b"GET / HTTP/1.0"))
        assert client.read_all().startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("link", [b"a\r\nEvil: 1", b"a\0", b"a\n"])
def test_malformed_early_hint_is_refused(wire: WireServer, link: bytes) -> None:
    wire.set_app(sending(hint(link), start(), body(b"ok")))
    with wire.connect() as client:
        client.send(request_bytes(b"Connection: close"))
        data = client.read_all()
    assert data.startswith(b"HTTP/1.1 500 ")
    assert b"Evil" not in data
