import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from atlas import Application, AsyncRequest, FileResponse, Request, RequestID, Route, Static
from atlas.web.responses.caching import entity_tag
from atlas.web.responses.files import CHUNK_SIZE, content_disposition, guess_content_type

Ask = Callable[..., httpx.Response]
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
    path.write_bytes(bytes(range(256)) * (CHUNK_SIZE // 100))
    return path


def test_a_file_with_its_head(drive: Drive, file: Path) -> None:
    start, body = drive(FileResponse(file))
    assert dict(start["headers"]) == {
        b"content-type": b"text/plain; charset=utf-8",
        b"etag": entity_tag(file.read_bytes()).encode(),
        b"last-modified": b"Tue, 14 Nov 2023 22:13:20 GMT",
        b"accept-ranges": b"bytes",
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


def test_a_large_file(drive: Drive, large: Path) -> None:
    start, *bodies = drive(FileResponse(large))
    assert b"".join(body["body"] for body in bodies) == large.read_bytes()
    assert dict(start["headers"])[b"content-length"] == b"%d" % large.stat().st_size


def test_a_large_file_is_sent_in_chunks(call: Drive, large: Path) -> None:
    _, *bodies = call(FileResponse(large))
    assert max(len(body["body"]) for body in bodies) <= CHUNK_SIZE
    assert [body["more_body"] for body in bodies] == [True] * (len(bodies) - 1) + [False]


def test_a_large_file_is_sent_by_a_server_with_pathsend(call: Drive, large: Path, file: Path) -> None:
    assert call(FileResponse(large), **PATHSEND)[1] == {"type": "http.response.pathsend", "path": str(large)}
    assert call(FileResponse(large), method="HEAD", **PATHSEND)[1]["type"] == "http.response.body"
    assert call(FileResponse(file), **PATHSEND)[1]["type"] == "http.response.body"


def test_a_client_that_has_it_gets_304(drive: Drive, file: Path) -> None:
    etag = dict(drive(FileResponse(file))[0]["headers"])[b"etag"]
    start, body = drive(FileResponse(file), headers=[(b"if-none-match", etag)])
    assert (start["status"], body["body"]) == (304, b"")
    assert {name for name, _ in start["headers"]} == {b"etag", b"last-modified", b"accept-ranges"}
    assert drive(FileResponse(file), headers=[(b"if-none-match", etag)], method="POST")[0]["status"] == 200
    assert drive(FileResponse(file, 404), headers=[(b"if-none-match", etag)])[0]["status"] == 404


def test_a_file_that_changes_while_it_is_sent(large: Path) -> None:
    sent = []

    async def send(event: Any) -> None:
        sent.append(event)
        large.write_bytes(b"short")

    async def receive() -> Any: ...

    with pytest.raises(OSError, match="became shorter"):
        asyncio.run(FileResponse(large)({"type": "http", "method": "GET", "headers": []}, receive, send))


def test_a_path_that_is_not_a_regular_file(drive: Drive, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "missing", tmp_path / "pipe"):
        with pytest.raises(FileNotFoundError) as raised:
            FileResponse(path)
        assert raised.value.filename == str(path)


def test_a_path_that_is_not_a_regular_file_any_more(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    response = FileResponse(path)
    path.unlink()
    path.mkdir()
    with pytest.raises(FileNotFoundError, match="not a regular file"):
        asyncio.run(response({"type": "http", "method": "GET", "headers": []}, None, None))  # type: ignore[arg-type]


def download(request: Request) -> FileResponse:
    return FileResponse("/nowhere/report.pdf")


async def async_download(request: AsyncRequest) -> FileResponse:
    return FileResponse("/nowhere/report.pdf")


@pytest.mark.parametrize("controller", [download, async_download])
def test_a_missing_file_is_an_unhandled_exception(ask: Ask, controller: Callable[..., Any]) -> None:
    app = Application([Route("/", controller)], middleware=[RequestID()], debug=False)
    response = ask(app, "GET", "/", headers={"accept": "text/html"})
    assert (response.status_code, "x-request-id" in response.headers) == (500, True)
    assert "nowhere" not in response.text
    response = ask(Application([Route("/", controller)], debug=True), "GET", "/", headers={"accept": "text/html"})
    assert "/nowhere/report.pdf" in response.text
    assert controller.__name__ in response.text


def test_a_controller_may_catch_the_error(ask: Ask) -> None:
    def not_found(request: Request, error: Exception) -> Any:
        return "no such report", 404

    app = Application([Route("/", download)], exception_handlers={FileNotFoundError: not_found})
    response = ask(app, "GET", "/")
    assert (response.status_code, response.text) == (404, "no such report")


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("report.pdf", 'filename="report.pdf"'),
        ("a b.txt", 'filename="a b.txt"'),
        ("Größe.txt", "filename=\"Groe.txt\"; filename*=UTF-8''Gr%C3%B6%C3%9Fe.txt"),
        ("é.txt", "filename=\"e.txt\"; filename*=UTF-8''%C3%A9.txt"),
        ("1\u202fPM.png", "filename=\"1 PM.png\"; filename*=UTF-8''1%E2%80%AFPM.png"),
        ("\u0647\u200c\u0627.pdf", "filename=\".pdf\"; filename*=UTF-8''%D9%87%E2%80%8C%D8%A7.pdf"),
        ("湖", "filename=\"file\"; filename*=UTF-8''%E6%B9%96"),
        ('a"b%41.txt', "filename=\"a_b_41.txt\"; filename*=UTF-8''a%22b%2541.txt"),
        ("../a\\b.txt", 'filename="b.txt"'),
        ("a\r\nset-cookie: b.txt", 'filename="aset-cookie: b.txt"'),
        ("\ud800.txt", 'filename=".txt"'),
    ],
)
def test_a_name_to_save_it_under(file: Path, name: str, field: str) -> None:
    response = FileResponse(file, filename=name, content_type="a/b")
    assert response.headers["content-disposition"] == f"attachment; {field}"
    assert response.headers["content-type"] == "a/b"
    assert content_disposition("inline", name) == f"inline; {field}"


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


def asked(
    drive: Drive, response: FileResponse, *fields: tuple[str, str], **scope: Any
) -> tuple[int, dict[str, str], bytes]:
    headers = [(name.encode(), value.encode()) for name, value in fields]
    start, *bodies = drive(response, headers=headers, **scope)
    assert [body.get("more_body", False) for body in bodies] == [True] * (len(bodies) - 1) + [False]
    head = {name.decode(): value.decode() for name, value in start["headers"]}
    assert len(head) == len(start["headers"])
    return start["status"], head, b"".join(body["body"] for body in bodies)


def test_a_part_of_a_file(drive: Drive, file: Path) -> None:
    status, head, body = asked(drive, FileResponse(file), ("range", "bytes=5-"))
    assert (status, body) == (206, b"water")
    assert (head["content-range"], head["content-length"]) == ("bytes 5-9/10", "5")
    assert head["content-type"] == "text/plain; charset=utf-8"


def test_parts_of_a_large_file(drive: Drive, large: Path) -> None:
    content = large.read_bytes()
    spec = f"bytes=1-{CHUNK_SIZE + 5}"
    _, head, body = asked(drive, FileResponse(large), ("range", spec))
    assert body == content[1 : CHUNK_SIZE + 6]
    status, head, body = asked(drive, FileResponse(large), ("range", "bytes=0-1,10-11,-2"))
    assert status == 206
    assert head["content-type"].startswith("multipart/byteranges; boundary=")
    assert int(head["content-length"]) == len(body)
    assert body.count(b"content-range: bytes ") == 3
    assert "content-range" not in head


def test_a_range_of_a_large_file_is_sent_by_a_server_with_zerocopysend(call: Drive, large: Path) -> None:
    offered = {"extensions": {"http.response.zerocopysend": {}}}
    headers = [(b"range", b"bytes=1-%d" % (CHUNK_SIZE + 5))]
    sent = call(FileResponse(large), headers=headers, **offered)
    assert (sent[1]["type"], sent[1]["offset"], sent[1]["count"]) == ("http.response.zerocopysend", 1, CHUNK_SIZE + 5)
    assert sent[1]["file"].closed


def test_a_range_outside_the_file(drive: Drive, file: Path) -> None:
    for spec in ("bytes=10-", "bytes=x", "bytes=" + ",".join(["0-0"] * 17)):
        status, head, body = asked(drive, FileResponse(file), ("range", spec))
        assert (status, head["content-range"], head["content-length"], body) == (416, "bytes */10", "0", b"")
        assert "content-type" not in head


def test_a_range_of_a_changed_file_is_the_whole_file(drive: Drive, file: Path) -> None:
    _, head, _ = asked(drive, FileResponse(file))
    for good in (head["etag"], head["last-modified"]):
        assert asked(drive, FileResponse(file), ("range", "bytes=5-"), ("if-range", good))[0] == 206
    for bad in ('"other"', "W/" + head["etag"], "Tue, 14 Nov 2023 22:13:19 GMT"):
        assert asked(drive, FileResponse(file), ("range", "bytes=5-"), ("if-range", bad))[0] == 200


def test_ranges_apply_to_get_only(drive: Drive, file: Path) -> None:
    for method, status in (("GET", 200), ("HEAD", 200), ("POST", 200)):
        answer = asked(drive, FileResponse(file), ("range", "items=5-"), method=method)
        assert (answer[0], answer[1]["content-length"]) == (status, "10")
    assert asked(drive, FileResponse(file), ("range", "bytes=5-"), method="HEAD")[0] == 200
    assert asked(drive, FileResponse(file, 404), ("range", "bytes=5-"))[0] == 404


def test_preconditions(drive: Drive, file: Path) -> None:
    status, head, body = asked(drive, FileResponse(file), ("if-match", '"other"'))
    assert (status, head["content-length"], body) == (412, "0", b"")
    assert asked(drive, FileResponse(file), ("if-unmodified-since", "Tue, 14 Nov 2023 22:13:20 GMT"))[0] == 200


def test_a_file_passes_through_wrappers(call: Drive, large: Path) -> None:
    response = FileResponse(large)
    response.wrap(lambda piece: piece[:1], lambda: b"!")
    status, head, body = asked(call, response, ("range", "bytes=5-"), **PATHSEND)
    assert (status, len(body), body[-1:]) == (200, -(-large.stat().st_size // CHUNK_SIZE) + 1, b"!")
    assert head["etag"].startswith('W/"')
    assert not {"content-length", "accept-ranges"} & set(head)
    assert response.streaming


@pytest.mark.parametrize("time", [0, 1, 315_532_800, 315_532_800 + 12 * 3600])
@pytest.mark.parametrize("size", [10, 3 * CHUNK_SIZE])
def test_a_constant_time_tells_nothing(ask: Ask, tmp_path: Path, time: int, size: int) -> None:
    """Images that are built from the same files have such times: a client with an old version would keep it."""
    path = tmp_path / "file.txt"
    path.write_bytes(bytes(size))
    os.utime(path, (time, time))
    app = Application([Route("/", lambda request: FileResponse(path)), Static("/static", tmp_path)])
    for url in ("/", "/static/file.txt"):
        answer = ask(app, "GET", url)
        assert "last-modified" not in answer.headers
        since = {"if-modified-since": "Tue, 01 Jan 2030 00:00:00 GMT"}
        assert ask(app, "GET", url, headers=since).status_code == 200
        assert ask(app, "GET", url, headers={"if-none-match": answer.headers["etag"], **since}).status_code == 304
        part = ask(app, "GET", url, headers={"range": "bytes=0-3", "if-range": "Thu, 01 Jan 1970 00:00:00 GMT"})
        assert part.status_code == 200
    os.utime(path, (1_700_000_000, 1_700_000_000))
    for url in ("/", "/static/file.txt"):
        assert ask(app, "GET", url).headers["last-modified"] == "Tue, 14 Nov 2023 22:13:20 GMT"
