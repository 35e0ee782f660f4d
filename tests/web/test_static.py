import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx
import pytest

from atlas import Application, NotFound, Route, StartupError, Static
from atlas.web import static
from atlas.web.requests.request import AsyncRequest
from atlas.web.responses.files import CHUNK_SIZE
from atlas.web.static import configured_static, find_file, is_hashed

Ask = Callable[..., httpx.Response]
Drive = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "static"
    (root / "css" / ".git").mkdir(parents=True)
    (root / "site.css").write_text("body {}")
    (root / "css" / "deep file.txt").write_text("deep")
    (root / ".env").write_text("secret")
    (root / "css" / ".git" / "config").write_text("secret")
    (tmp_path / "secret.txt").write_text("secret")
    (tmp_path / "static-two").mkdir()
    (tmp_path / "static-two" / "secret.txt").write_text("secret")
    (root / "out").symlink_to(tmp_path / "secret.txt")
    (root / "beside").symlink_to(tmp_path / "static-two")
    (root / "loop").symlink_to(root / "loop")
    (root / "inside").symlink_to(root / "site.css")
    return root


def test_files_are_served(ask: Ask, folder: Path) -> None:
    app = Application([Static("/static", folder)])
    response = ask(app, "GET", "/static/css/deep%20file.txt")
    assert (response.status_code, response.text) == (200, "deep")
    assert response.headers["cache-control"] == "no-cache"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert ask(app, "GET", "/static/inside").text == "body {}"
    assert ask(app, "HEAD", "/static/site.css").headers["content-length"] == "7"
    assert ask(app, "POST", "/static/site.css").status_code == 405
    again = ask(app, "GET", "/static/site.css", headers={"if-none-match": response.headers["etag"]})
    assert again.status_code == 200
    etag = again.headers["etag"]
    assert ask(app, "GET", "/static/site.css", headers={"if-none-match": etag}).status_code == 304


def test_url_for(folder: Path) -> None:
    app = Application([Static("/static/", folder), Static("/more", folder, name="more")])
    assert app.url_for("static", path="css/deep file.txt") == "/static/css/deep%20file.txt"
    assert app.url_for("more", path="site.css") == "/more/site.css"


SPELLINGS = [
    "../secret.txt",
    "..%2fsecret.txt",
    "%2e%2e/secret.txt",
    "%2e%2e%2fsecret.txt",
    "%252e%252e%252fsecret.txt",
    "css/../../secret.txt",
    "css/%2e%2e/%2e%2e/secret.txt",
    "..\\secret.txt",
    "..%5csecret.txt",
    "css%5c..%5c..%5csecret.txt",
    "....//secret.txt",
    "..;/secret.txt",
    "/etc/passwd",
    "%2fetc%2fpasswd",
    "//etc/passwd",
    "C:/secret.txt",
    "file:///etc/passwd",
    "site.css%00",
    "site.css%00.txt",
    "site.css/",
    "site.css%0a",
    "./site.css",
    "css/./deep%20file.txt",
    "css//deep%20file.txt",
    "css",
    "css/",
    ".env",
    "css/.git/config",
    "out",
    "beside/secret.txt",
    "../static-two/secret.txt",
    "loop",
    "missing",
    "x" * 5000,
    "%ff",
    "",
]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_other_paths_are_not_found(drive: Drive, folder: Path, spelling: str) -> None:
    app = Application([Static("/static", folder)])
    raw = f"/static/{spelling}"
    for raw_path in (raw.encode(), None):
        start, body = drive(app, path=unquote(raw), raw_path=raw_path)
        assert start["status"] in (404, 308), raw_path
        assert b"secret" not in body["body"]


def test_an_encoded_slash_does_not_get_round_a_route(drive: Drive, folder: Path) -> None:
    app = Application([Route("/s/css/{path:path}", lambda request, path: "guarded"), Static("/s", folder)])
    for raw in (b"/s/css/site.css", b"/s/css%2fdeep%20file.txt", b"/s/css%252fdeep%20file.txt"):
        start, body = drive(app, path=unquote(raw.decode()), raw_path=raw)
        assert (start["status"], body["body"] == b"guarded") in ((200, True), (404, False))


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("times", [0, 1, 2])
def test_encoded_paths_are_not_found(folder: Path, spelling: str, times: int) -> None:
    for _ in range(times):
        spelling = unquote(spelling)
    assert find_file(str(folder), spelling) is None


def test_a_lone_surrogate_finds_nothing(folder: Path) -> None:
    assert find_file(str(folder), "\udcff") is None


def test_the_root_of_the_file_system_may_be_served() -> None:
    here = Path(__file__).resolve()
    assert find_file("/", str(here)[1:]) == str(here)


def test_a_folder_that_cannot_be_read_stops_the_start(folder: Path) -> None:
    inner = folder / "css"
    folder.chmod(0o755)
    for each in (folder.parent, *folder.parent.parents[:2]):
        each.chmod(0o755)
    inner.chmod(0)
    ordinary = os.geteuid() != 0
    if not ordinary:
        os.seteuid(65534)  # root may read everything
    try:
        with pytest.raises(StartupError, match=r"test_static.py:\d+: static folder '.*css' cannot be read: Permission"):
            Static("/static", inner)
    finally:
        if not ordinary:
            os.seteuid(0)
        inner.chmod(0o755)


def test_a_missing_folder_stops_the_start_in_the_line_that_names_it() -> None:
    with pytest.raises(StartupError, match=r"test_static.py:\d+: static folder '.*nowhere' does not exist"):
        Static("/static", "nowhere")


def test_a_folder_is_relative_to_the_file_that_names_it() -> None:
    assert Static("/tests", ".").roots == (str(Path(__file__).parent.resolve()),)


class Answer:
    """The response of a folder's controller to one request."""

    def __init__(self, folder: Static, path: str, method: str = "GET", **headers: str) -> None:
        raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        scope = {"type": "http", "method": method, "path": "/", "headers": raw}
        self.events: list[Any] = []
        asyncio.run(self._go(folder, path, scope))
        self.status = self.events[0]["status"]
        fields = [(name.decode(), value.decode()) for name, value in self.events[0]["headers"]]
        self.headers = dict(fields)
        assert len(self.headers) == len(fields)
        self.body = b"".join(event.get("body", b"") for event in self.events[1:])

    async def _go(self, folder: Static, path: str, scope: Any) -> None:
        async def receive() -> Any:
            await asyncio.Event().wait()

        async def send(event: Any) -> None:
            self.events.append(event)

        response = await folder.serve(AsyncRequest(Application(), scope, receive), path)
        await response(scope, receive, send)


def test_small_files_stay_in_memory_until_they_change(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = Static("/static", folder)
    first = Answer(files, "site.css")
    looked: list[str] = []
    monkeypatch.setattr(static, "look_up", lambda roots, path: looked.append(path) or look_up(roots, path))
    again = Answer(files, "site.css")
    assert (again.events, looked) == (first.events, [])
    assert again.headers["content-length"] == "7"
    not_modified = Answer(files, "site.css", if_none_match=first.headers["etag"])
    assert (not_modified.status, not_modified.body, looked) == (304, b"", [])
    (folder / "site.css").write_text("body { color: red }")
    changed = Answer(files, "site.css", if_none_match=first.headers["etag"])
    assert (changed.status, changed.body, looked) == (200, b"body { color: red }", ["site.css"])
    (folder / "site.css").unlink()
    with pytest.raises(NotFound):
        Answer(files, "site.css")
    assert files._cached == {}


look_up = static.look_up


def test_a_changed_link_is_followed_again(folder: Path) -> None:
    files = Static("/static", folder)
    assert Answer(files, "inside").body == b"body {}"
    (folder / "inside").unlink()
    (folder / "inside").symlink_to(folder.parent / "secret.txt")
    with pytest.raises(NotFound):
        Answer(files, "inside")


def test_the_memory_is_bounded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(static, "MEMORY", 100)
    files = Static("/static", folder)
    for number in range(30):
        (folder / f"{number}.txt").write_text("0123456789")
        assert Answer(files, f"{number}.txt").body == b"0123456789"
    assert (len(files._cached), files._size) == (10, 100)
    assert Answer(files, "0.txt").status == 200


def test_a_304_sends_the_fields_of_the_200(folder: Path) -> None:
    files = Static("/static", folder)
    whole = Answer(files, "site.css")
    short = Answer(files, "site.css", if_modified_since=whole.headers["last-modified"])
    assert short.status == 304
    assert set(whole.headers) - set(short.headers) == {"content-type", "content-length", "accept-ranges"}
    assert Answer(files, "site.css", if_match='"other"').status == 412


def test_a_large_file_is_not_kept(folder: Path) -> None:
    content = b"0123456789" * CHUNK_SIZE
    (folder / "large.bin").write_bytes(content)
    files = Static("/static", folder)
    whole = Answer(files, "large.bin")
    assert (whole.body == content, files._size) == (True, 0)
    assert Answer(files, "large.bin", if_none_match=whole.headers["etag"]).status == 304
    head = Answer(files, "large.bin", "HEAD")
    assert (head.headers["content-length"], head.body) == (str(len(content)), b"")


@pytest.mark.parametrize("name", ["site.css", "large.bin"])
def test_a_part_of_a_file(folder: Path, name: str) -> None:
    (folder / "large.bin").write_bytes(b"body {}" * CHUNK_SIZE)
    (folder / f"{name}.gz").write_bytes(b"gz")
    files = Static("/static", folder)
    etag = Answer(files, name).headers["etag"]
    part = Answer(files, name, range="bytes=5-6", if_range=etag, accept_encoding="gzip")
    assert (part.status, part.body, part.headers["etag"]) == (206, b"{}", etag)
    assert "content-encoding" not in part.headers
    assert Answer(files, name, range="bytes=x").status == 416


@pytest.fixture
def compressed(folder: Path) -> Static:
    for suffix in ("br", "zst", "gz"):
        (folder / f"site.css.{suffix}").write_text(f"as {suffix}")
    return Static("/static", folder)


@pytest.mark.parametrize(
    ("accept", "coding"),
    [
        ("gzip, deflate, br, zstd", "br"),
        ("gzip, zstd", "zstd"),
        ("gzip", "gzip"),
        ("GZIP;q=0.5", "gzip"),
        ("br;q=0.5, gzip", "gzip"),
        ("*", "br"),
        ("*, br;q=0", "zstd"),
        ("gzip;q=0", ""),
        ("gzip;q=0.5, identity", ""),
        ("identity", ""),
        ("compress", ""),
        ("", ""),
        (",;q=", ""),
    ],
)
def test_precompressed_siblings(compressed: Static, accept: str, coding: str) -> None:
    answer = Answer(compressed, "site.css", accept_encoding=accept)
    said = {"br": b"as br", "zstd": b"as zst", "gzip": b"as gz", "": b"body {}"}
    assert (answer.headers.get("content-encoding", ""), answer.body) == (coding, said[coding])
    assert (answer.headers["vary"], answer.headers["content-type"]) == ("accept-encoding", "text/css; charset=utf-8")
    etag = answer.headers["etag"]
    assert etag.endswith(f'-{coding}"') or not coding
    assert Answer(compressed, "site.css", accept_encoding=accept, if_none_match=etag).status == 304


def test_a_removed_sibling(compressed: Static, folder: Path) -> None:
    (folder / "site.css.br").write_bytes(b"b" * (CHUNK_SIZE + 1))  # too large for the cache
    assert Answer(compressed, "site.css", accept_encoding="br").headers["content-encoding"] == "br"
    (folder / "site.css.br").unlink()
    again = Answer(compressed, "site.css", accept_encoding="br")
    assert (again.status, again.body, "content-encoding" in again.headers) == (200, b"body {}", False)


def test_each_variant_has_its_own_tag(compressed: Static) -> None:
    tags = {Answer(compressed, "site.css", accept_encoding=accept).headers["etag"] for accept in ("br", "gzip", "")}
    assert len(tags) == 3


def test_a_sibling_outside_the_folder_is_ignored(folder: Path) -> None:
    (folder / "site.css.gz").symlink_to(folder.parent / "secret.txt")
    answer = Answer(Static("/static", folder), "site.css", accept_encoding="gzip")
    assert (answer.body, "vary" in answer.headers) == (b"body {}", False)


@pytest.mark.parametrize(
    ("name", "hashed"),
    [
        ("app.3f2a9c1b.js", True),
        ("app-3f2a9c1b4d5e6f70.min.css", True),
        ("a_0123456789abcdef.png", True),
        ("app.js", False),
        ("report-20261123.pdf", False),
        ("site-defaced.css", False),
        ("site-settings.css", False),
        ("3f2a9c1b", False),
        ("app.3F2A9C1B.js", False),
    ],
)
def test_names_with_a_hash_are_immutable(folder: Path, name: str, hashed: bool) -> None:
    assert is_hashed(name) is hashed
    (folder / name).write_text("x")
    cache = Answer(Static("/static", folder), name).headers["cache-control"]
    assert cache == ("public, max-age=31536000, immutable" if hashed else "no-cache")


def test_the_index_of_a_folder_on_request(folder: Path) -> None:
    (folder / "index.html").write_text("top")
    (folder / "css" / "index.html").write_text("deep")
    with_index, without = Static("/static", folder, index="index.html"), Static("/static", folder)
    assert (Answer(with_index, "").body, Answer(with_index, "css/").body) == (b"top", b"deep")
    moved = Answer(with_index, "css")
    assert (moved.status, moved.headers["location"]) == (308, "./css/")
    for path in ("", "css", "css/"):
        with pytest.raises(NotFound):
            Answer(without, path)
    os.remove(folder / "css" / "index.html")
    for path in ("css", "css/", "missing", "missing/"):
        with pytest.raises(NotFound):
            Answer(with_index, path)


def test_the_index_of_the_folder_itself(ask: Ask, folder: Path) -> None:
    (folder / "index.html").write_text("top")
    app = Application([Static("/static", folder, index="index.html")])
    assert ask(app, "GET", "/static/").text == "top"
    assert ask(app, "GET", "/static").status_code == 308


@pytest.mark.parametrize("index", ["../index.html", "a/b.html", ".hidden", ""])
def test_an_invalid_index(folder: Path, index: str) -> None:
    with pytest.raises(StartupError, match=r"test_static.py:\d+: Static: index"):
        Static("/static", folder, index=index)


def test_a_304_costs_no_more_than_a_200(folder: Path) -> None:
    files = Static("/static", folder)
    etag = Answer(files, "site.css").headers["etag"].encode()

    async def send(event: Any) -> None: ...

    def calls(*headers: tuple[bytes, bytes]) -> int:
        scope = {"type": "http", "method": "GET", "path": "/", "headers": [(b"accept-encoding", b"gzip"), *headers]}
        request = AsyncRequest(Application(), scope, None)  # type: ignore[arg-type]
        count = 0

        async def go() -> None:
            await (await files.serve(request, "site.css"))(scope, None, send)  # type: ignore[arg-type]

        def profile(frame: Any, event: str, argument: Any) -> None:
            nonlocal count
            count += event == "call"

        sys.setprofile(profile)
        try:
            with pytest.raises(StopIteration):  # from memory, without waiting
                go().send(None)
        finally:
            sys.setprofile(None)
        return count

    assert calls((b"if-none-match", etag)) <= calls()


@pytest.fixture
def two(folder: Path, tmp_path: Path) -> tuple[Path, Path]:
    other = tmp_path / "other"
    (other / "css").mkdir(parents=True)
    (other / "site.css").write_text("other")
    (other / "more.css").write_text("more")
    (other / "css" / "index.html").write_text("index")
    return folder, other


def test_the_first_folder_takes_precedence(two: tuple[Path, Path]) -> None:
    files = Static("/static", two, index="index.html")
    assert Answer(files, "site.css").body == b"body {}"
    assert Answer(files, "more.css").body == b"more"
    assert Answer(files, "css").status == 308
    assert Answer(files, "css/").body == b"index"
    (two[0] / "more.css").write_text("first")
    assert Answer(files, "more.css").body == b"first"
    (two[0] / "site.css").unlink()
    assert Answer(files, "site.css").body == b"other"


def test_each_folder_has_to_be_there(folder: Path) -> None:
    with pytest.raises(StartupError, match=r"test_static.py:\d+: static folder '.*nowhere' does not exist"):
        Static("/static", [folder, folder / "nowhere"])
    with pytest.raises(StartupError, match=r"test_static.py:\d+: Static: expected a folder, or several, got none"):
        Static("/static", [])


def test_the_folders_of_the_configuration(two: tuple[Path, Path]) -> None:
    route = configured_static(two, [])
    assert route is not None
    assert (route.path, route.name, len(route.roots)) == ("/static/{path:path}", "static", 2)
    assert configured_static(None, []) is None
    assert configured_static((), []) is None
    assert configured_static(two, [Static("/files", two[0]), Static("/static", two[0])]) is None
    with pytest.raises(StartupError, match=r"test_static.py:\d+: static folder '.*nowhere' does not exist"):
        configured_static(["nowhere"], [])
