"""Invalid input: every request is answered with a 4xx and a problem document."""

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from atlas import Application, AsyncRequest, Request, Route, Static

Drive = Callable[..., list[dict[str, Any]]]


@dataclass
class Lake:
    name: str
    depth: int
    islands: list[str] | None = None


def sync_json(request: Request) -> Any:
    return request.json()


async def async_json(request: AsyncRequest) -> Any:
    return await request.json()


def sync_lake(request: Request) -> Any:
    return request.json(Lake)


async def async_lake(request: AsyncRequest) -> Any:
    return await request.json(Lake)


def sync_form(request: Request) -> Any:
    return [request.form().pairs(), len(request.files())]


async def async_form(request: AsyncRequest) -> Any:
    return [(await request.form()).pairs(), len(await request.files())]


def sync_text(request: Request) -> Any:
    return {"text": request.text()}


async def async_text(request: AsyncRequest) -> Any:
    return {"text": await request.text()}


def sync_head(request: Request) -> Any:
    return [request.query.pairs(), dict(request.cookies), request.path_params]


async def async_head(request: AsyncRequest, name: str = "") -> Any:
    return [request.query.pairs(), dict(request.cookies), request.path_params]


CONTROLLERS = [
    *(sync_json, async_json, sync_lake, async_lake, sync_form, async_form),
    *(sync_text, async_text, sync_head, async_head),
]


@pytest.fixture
def app(tmp_path: Path) -> Application:
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "ten").write_bytes(b"0123456789")
    (tmp_path / "secret").write_text("secret")
    routes: list[Any] = [Route("/" + each.__name__, each, ["GET", "POST"]) for each in CONTROLLERS]
    routes += [Route("/typed/{number:int}", lambda request, number: [number]), Static("/files", tmp_path / "files")]
    return Application(routes, config={"limit_body": 300_000})


def status_of(sent: list[dict[str, Any]], caplog: pytest.LogCaptureFixture) -> int:
    """The status of a complete response: a problem document with status and title, and no record in the log."""
    start, *bodies = sent
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert bodies[-1].get("more_body", False) is False
    body = b"".join(each["body"] for each in bodies)
    kind = dict(start["headers"]).get(b"content-type", b"")
    if kind == b"application/problem+json":
        problem = json.loads(body)
        assert problem["status"] == start["status"]
        assert problem["title"]
        assert "traceback" not in problem
    else:
        assert (start["status"], body) == (
            416,
            b"",
        )  # RFC 9110 15.5.17
    return int(start["status"])


FORM = b"application/x-www-form-urlencoded"
MULTIPART = b"multipart/form-data; boundary=XX"
PART = b'--XX\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n'
FILE = b'--XX\r\nContent-Disposition: form-data; name="f"; filename="../../x"\r\n\r\nb\r\n'
END = b"--XX--\r\n"

BODIES: list[tuple[str, str, bytes, bytes, int]] = [
    ("no JSON at all", "json", b"", b"", 400),
    ("half of it", "json", b"", b'{"a": [1, 2', 400),
    ("more behind it", "json", b"", b"{} {}", 400),
    ("a comma too many", "json", b"", b"[1,]", 400),
    ("single quotes", "json", b"", b"{'a': 1}", 400),
    ("NaN", "json", b"", b"[NaN]", 400),
    ("a number without end", "json", b"", b"9" * 100_000, 400),
    ("a float without end", "json", b"", b"1e99999", 400),
    ("a NUL", "json", b"", b'"\x00"', 400),
    ("bytes that are no UTF-8", "json", b"", b'"\xff\xfe"', 400),
    ("UTF-16", "json", b"", '{"a": 1}'.encode("utf-16"), 400),
    ("two byte order marks", "json", b"", b"\xef\xbb\xbf" * 2 + b"{}", 400),
    ("half a surrogate pair", "json", b"", b'"\\ud800"', 400),
    ("the other half", "json", b"", b'"\\udc00 x"', 400),
    ("a surrogate as UTF-8", "json", b"", b'"\xed\xa0\x80"', 400),
    ("JSON that is very deep", "json", b"", b"[" * 150_000, 400),
    ("JSON that is very deep, and closed", "json", b"", b"[" * 140_000 + b"]" * 140_000, 400),
    ("JSON that is huge", "json", b"", b'"' + b"x" * 300_000 + b'"', 413),
    ("another type", "lake", b"", b"[]", 422),
    ("nothing of it", "lake", b"", b"{}", 422),
    ("a member of another type", "lake", b"", b'{"name": 5, "depth": 1}', 422),
    ("an item of another type", "lake", b"", b'{"name": "a", "depth": 1, "islands": [5]}', 422),
    ("a member that is too large", "lake", b"", b'{"name": "a", "depth": ' + b"9" * 50_000 + b"}", 422),
    ("a member that is very deep", "lake", b"", b'{"name": ' + b"[" * 140_000 + b"]" * 140_000 + b"}", 400),
    ("a wrong member, and then no JSON", "lake", b"", b'{"name": 5, "depth": ', 400),
    ("a surrogate in a member", "lake", b"", b'{"depth": 1, "name": "\\ud800"}', 400),
    ("text that is no UTF-8", "text", b"text/plain", b"\xff", 400),
    ("text with a surrogate", "text", b"text/plain", b"\xed\xb2\x80", 400),
    ("text that is too long", "text", b"text/plain", b"x" * 300_001, 413),
    ("a form of another type", "form", b"application/json", b"{}", 415),
    ("a form of no type", "form", b"nonsense", b"a=b", 415),
    ("fields without end", "form", FORM, b"a=b&" * 2000, 400),
    ("a form that is too long", "form", FORM, b"a=" + b"x" * 300_000, 413),
    ("parts without a boundary", "form", b"multipart/form-data", PART + END, 400),
    ("an empty boundary", "form", b"multipart/form-data; boundary=", PART + END, 400),
    ("a boundary without end", "form", b"multipart/form-data; boundary=" + b"x" * 5000, PART + END, 400),
    ("another boundary", "form", b"multipart/form-data; boundary=YY", PART + END, 400),
    ("no parts", "form", MULTIPART, b"", 400),
    ("no end", "form", MULTIPART, PART, 400),
    ("half a part", "form", MULTIPART, PART[:20], 400),
    ("a part without a head", "form", MULTIPART, b"--XX\r\n\r\nb\r\n" + END, 400),
    ("a part without a name", "form", MULTIPART, PART.replace(b"name", b"eman") + END, 400),
    ("a field of no UTF-8", "form", MULTIPART, PART.replace(b"\r\nb", b"\r\n\xff") + END, 400),
    ("a name of no UTF-8", "form", MULTIPART, PART.replace(b'"a"', b'"\xff"') + END, 400),
    ("a field name with a surrogate", "form", MULTIPART, FILE.replace(b'"f"', b'"\xed\xa0\x80"') + END, 400),
    ("a part with a head without end", "form", MULTIPART, b"--XX\r\n" + b"x" * 10_000, 413),
    ("a part with very many fields", "form", MULTIPART, b"--XX\r\n" + b"a: b\r\n" * 50, 413),
    ("parts without end", "form", MULTIPART, PART * 2000 + END, 413),
    ("files without end", "form", MULTIPART, FILE * 200 + END, 413),
    ("parts that are too long", "form", MULTIPART, PART.replace(b"\r\nb", b"\r\n" + b"x" * 300_000), 413),
]


@pytest.mark.parametrize("controller_kind", ["sync", "async"])
@pytest.mark.parametrize(
    ("controller", "kind", "body", "status"), [row[1:] for row in BODIES], ids=[r[0] for r in BODIES]
)
@pytest.mark.parametrize("step", [7919, 10**6])
def test_bodies(
    drive: Drive,
    app: Application,
    caplog: pytest.LogCaptureFixture,
    controller_kind: str,
    controller: str,
    kind: bytes,
    body: bytes,
    status: int,
    step: int,
) -> None:
    pieces = [body[start : start + step] for start in range(0, len(body), step)]
    events: list[dict[str, Any]] = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
    headers = [(b"content-type", kind)] if kind else []
    if step > len(body):
        headers.append((b"content-length", b"%d" % len(body)))
    path = f"/{controller_kind}_{controller}"
    sent = drive(app, [*events, {"type": "http.request"}], method="POST", path=path, headers=headers)
    assert status_of(sent, caplog) == status


COOKIE, RANGE = b"cookie", b"range"
HEADS: list[tuple[str, str, bytes, list[tuple[bytes, bytes]], int]] = [
    ("a query without end", "/async_head", b"&" * 5000, [], 400),
    ("cookies without end", "/sync_head", b"", [(COOKIE, b"a=b;" * 5000)], 400),
    ("a path parameter of another type", "/typed/x", b"", [], 404),
    ("a number without end", "/typed/" + "9" * 5000, b"", [], 404),
    ("a range of nothing", "/files/ten", b"", [(RANGE, b"bytes=")], 416),
    ("a range that is none", "/files/ten", b"", [(RANGE, b"bytes=a-b")], 416),
    ("a range behind the end", "/files/ten", b"", [(RANGE, b"bytes=10-")], 416),
    ("a range that ends before it begins", "/files/ten", b"", [(RANGE, b"bytes=5-2")], 416),
    ("ranges without end", "/files/ten", b"", [(RANGE, b"bytes=" + b"0-0," * 5000)], 416),
    ("a range of a huge number", "/files/ten", b"", [(RANGE, b"bytes=" + b"9" * 5000 + b"-")], 416),
    ("a file outside", "/files/../secret", b"", [], 404),
    ("a file with a NUL", "/files/ten\0", b"", [], 404),
    ("a file with a surrogate", "/files/\udcff", b"", [], 404),
    ("a file with a name without end", "/files/" + "x" * 5000, b"", [], 404),
    ("nothing there", "/nowhere", b"", [], 404),
    ("another method", "/typed/1", b"", [(b"x-method", b"PURGE")], 405),
]


@pytest.mark.parametrize(("path", "query", "headers", "status"), [row[1:] for row in HEADS], ids=[r[0] for r in HEADS])
def test_heads(
    drive: Drive,
    app: Application,
    caplog: pytest.LogCaptureFixture,
    path: str,
    query: bytes,
    headers: list[tuple[bytes, bytes]],
    status: int,
) -> None:
    method = next((value.decode() for name, value in headers if name == b"x-method"), "GET")
    sent = drive(app, method=method, path=path, query_string=query, headers=headers)
    assert status_of(sent, caplog) == status


HEADS_OF_NO_HTTP: list[tuple[str, str, bytes, list[tuple[bytes, bytes]]]] = [
    ("a cookie with a NUL", "/sync_head", b"", [(COOKIE, b"a=\x00")]),
    ("a cookie with a line", "/async_head", b"", [(COOKIE, b"a=b\r\nx: y")]),
]


@pytest.mark.in_process("no server lets them through")
@pytest.mark.parametrize(
    ("path", "query", "headers"), [row[1:] for row in HEADS_OF_NO_HTTP], ids=[row[0] for row in HEADS_OF_NO_HTTP]
)
def test_malformed_heads(
    drive: Drive, app: Application, caplog: pytest.LogCaptureFixture, path: str, query: bytes, headers: Any
) -> None:
    assert status_of(drive(app, path=path, query_string=query, headers=headers), caplog) == 400


PATHS = [
    b"/typed/%zz",
    b"/typed/1%",
    b"/typed/%ff",
    b"/typed/%ed%a0%80",
    b"/files/%zz",
    b"/files/te%6",
    b"/files/%ff",
    b"/%",
]


@pytest.mark.parametrize("raw", PATHS)
def test_paths_with_invalid_escapes(
    drive: Drive, app: Application, caplog: pytest.LogCaptureFixture, raw: bytes
) -> None:
    path = unquote(raw.decode())
    assert status_of(drive(app, path=path, raw_path=raw), caplog) in (400, 404)


UNUSUAL = [
    ("cookies that are none are left out", b"", [(COOKIE, b"; =x; flag; ;; a=1")], [[], {"a": "1"}, {}]),
    ("a cookie of no UTF-8 is text all the same", b"", [(COOKIE, b"a=\xff")], [[], {"a": "ÿ"}, {}]),
    ("half an escape and one of nothing", b"a=%4&a=%zz", [], [[["a", "%4"], ["a", "%zz"]], {}, {}]),
    ("a query of no UTF-8", b"a=%ff", [], [[["a", "\ufffd"]], {}, {}]),
    ("an ampersand too many", b"a=1&&b", [], [[["a", "1"], ["b", ""]], {}, {}]),
    ("an unknown unit of ranges", b"", [(RANGE, b"items=1-2")], [[], {}, {}]),
]


@pytest.mark.parametrize(("query", "headers", "answer"), [row[1:] for row in UNUSUAL], ids=[r[0] for r in UNUSUAL])
def test_unusual_but_valid_requests(drive: Drive, app: Application, query: bytes, headers: Any, answer: Any) -> None:
    sent = drive(app, path="/sync_head", query_string=query, headers=headers)
    assert json.loads(sent[1]["body"]) == answer
