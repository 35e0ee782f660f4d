import asyncio
import os
from collections.abc import Callable
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from atlas import FileResponse
from atlas.web.files import PIECE, guess_content_type, is_fresh
from atlas.web.headers import Headers

Drive = Callable[..., list[dict[str, Any]]]
PATHSEND = {"extensions": {"http.response.pathsend": {}}}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "notes.txt"
    path.write_bytes(b"deep water")
    os.utime(path, (1_700_000_000, 1_700_000_000))
    return path


@pytest.fixture
def large(tmp_path: Path) -> Path:
    path = tmp_path / "large.bin"
    path.write_bytes(bytes(range(256)) * (PIECE // 100))
    return path


def test_a_file_with_its_head(drive: Drive, file: Path) -> None:
    start, body = drive(FileResponse(file))
    assert dict(start["headers"]) == {
        b"content-type": b"text/plain; charset=utf-8",
        b"etag": b'"%x-a"' % (1_700_000_000 * 10**9),
        b"last-modified": b"Tue, 14 Nov 2023 22:13:20 GMT",
        b"content-length": b"10",
    }
    assert (start["status"], body["body"]) == (200, b"deep water")


def test_head(drive: Drive, file: Path) -> None:
    start, body = drive(FileResponse(file), method="HEAD")
    assert (dict(start["headers"])[b"content-length"], body["body"]) == (b"10", b"")


def test_an_empty_file(drive: Drive, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    start, body = drive(FileResponse(tmp_path / "empty"))
    assert (dict(start["headers"])[b"content-length"], body["body"]) == (b"0", b"")


def test_a_large_file_comes_in_pieces(drive: Drive, large: Path) -> None:
    start, *bodies = drive(FileResponse(large))
    assert b"".join(body["body"] for body in bodies) == large.read_bytes()
    assert dict(start["headers"])[b"content-length"] == b"%d" % large.stat().st_size
    assert max(len(body["body"]) for body in bodies) <= PIECE
    assert [body["more_body"] for body in bodies] == [True] * (len(bodies) - 1) + [False]


def test_a_large_file_is_left_to_a_server_that_can_send_it(drive: Drive, large: Path, file: Path) -> None:
    assert drive(FileResponse(large), **PATHSEND)[1] == {"type": "http.response.pathsend", "path": str(large)}
    assert drive(FileResponse(large), method="HEAD", **PATHSEND)[1]["type"] == "http.response.body"
    assert drive(FileResponse(file), **PATHSEND)[1]["type"] == "http.response.body"


def test_a_client_that_has_it_gets_304(drive: Drive, file: Path) -> None:
    etag = dict(drive(FileResponse(file))[0]["headers"])[b"etag"]
    start, body = drive(FileResponse(file), headers=[(b"if-none-match", etag)])
    assert (start["status"], body["body"]) == (304, b"")
    assert {name for name, _ in start["headers"]} == {b"etag", b"last-modified"}
    assert drive(FileResponse(file), headers=[(b"if-none-match", etag)], method="POST")[0]["status"] == 200
    assert drive(FileResponse(file, 404), headers=[(b"if-none-match", etag)])[0]["status"] == 404


def test_a_file_that_changes_while_it_is_sent_is_never_sent_wrongly(large: Path) -> None:
    sent = []

    async def send(event: Any) -> None:
        sent.append(event)
        large.write_bytes(b"short")

    async def receive() -> Any: ...

    with pytest.raises(OSError, match="became shorter"):
        asyncio.run(FileResponse(large)({"type": "http", "method": "GET", "headers": []}, receive, send))


def test_what_is_no_regular_file(drive: Drive, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "missing", tmp_path / "pipe"):
        with pytest.raises(OSError):
            drive(FileResponse(path))


def test_a_name_to_save_it_under(file: Path) -> None:
    response = FileResponse(file, filename='ü"\r\n.txt', content_type="a/b")
    assert response.headers["content-disposition"] == "attachment; filename*=UTF-8''%C3%BC%22%0D%0A.txt"
    assert response.headers["content-type"] == "a/b"


def test_given_headers_stay(drive: Drive, file: Path) -> None:
    start, _ = drive(FileResponse(file, headers={"etag": '"mine"'}), headers=[(b"if-none-match", b'"mine"')])
    assert start["status"] == 304


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.css", "text/css; charset=utf-8"),
        ("A.JS", "text/javascript; charset=utf-8"),
        ("a.png", "image/png"),
        ("a.unheard-of", "application/octet-stream"),
        ("none", "application/octet-stream"),
    ],
)
def test_types(name: str, kind: str) -> None:
    assert guess_content_type(name) == kind


MODIFIED = 1_700_000_000
SAME, BEFORE = formatdate(MODIFIED, usegmt=True), formatdate(MODIFIED - 1, usegmt=True)


@pytest.mark.parametrize(
    ("headers", "fresh"),
    [
        ([], False),
        ([("if-none-match", '"a"')], True),
        ([("if-none-match", 'W/"a"')], True),
        ([("if-none-match", '"b", "a"')], True),
        ([("if-none-match", '"b"'), ("if-none-match", '"a"')], True),
        ([("if-none-match", "*")], True),
        ([("if-none-match", '"b"')], False),
        ([("if-none-match", '"b"'), ("if-modified-since", SAME)], False),
        ([("if-modified-since", SAME)], True),
        ([("if-modified-since", BEFORE)], False),
        ([("if-modified-since", "yesterday")], False),
        ([("if-modified-since", "Tue, 99 Nov 9999999 22:13:20 GMT")], False),
    ],
)
def test_what_is_fresh(headers: list[tuple[str, str]], fresh: bool) -> None:
    raw = [(name.encode(), value.encode()) for name, value in headers]
    assert is_fresh(Headers(raw), '"a"', MODIFIED) is fresh
