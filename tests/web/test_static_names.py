"""Static files: names, media types and entity tags."""

import gzip
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from atlas import Application, FileResponse, Route, Static
from atlas.web import static
from atlas.web.responses.files import CHUNK_SIZE
from atlas.web.static import find_file

Ask = Callable[..., httpx.Response]
Drive = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "static"
    (root / "css").mkdir(parents=True)
    (root / "site.css").write_text("body {}")
    (root / ".env").write_text("secret")
    return root


def test_the_well_known_folder_of_a_site_is_served(ask: Ask, folder: Path) -> None:
    (folder / ".well-known").mkdir()
    for name in ("security.txt", ".hidden"):
        (folder / ".well-known" / name).write_text(name)
    (folder / "css" / ".well-known").mkdir()
    (folder / "css" / ".well-known" / "secret.txt").write_text("secret")
    app = Application([Static("/", folder)])
    assert ask(app, "GET", "/.well-known/security.txt").text == "security.txt"
    for path in ("/.well-known/.hidden", "/css/.well-known/secret.txt", "/.well-known", "/.well-known/../.env"):
        assert ask(app, "GET", path).status_code == 404


@pytest.mark.parametrize(
    "name",
    [
        "Screenshot 2026-11-28 at 1.23.45\u202fPM.png",
        "a\u00a0b.png",
        "\u65e5\u672c\u3000\u8a9e.txt",
        "\u0646\u0627\u0645\u0647\u200c\u0647\u0627.pdf",
        "\U0001f468\u200d\U0001f469.png",
        "e\u0301.txt",
        "\ue000.txt",
        "2026-11-28T10:00:00.log",
        "a\\b.txt",
        "100% #1?.txt",
    ],
)
def test_files_with_any_name_are_served(ask: Ask, drive: Drive, folder: Path, name: str) -> None:
    (folder / name).write_text("found")
    app = Application([Static("/static", folder)])
    assert ask(app, "GET", app.url_for("static", path=name)).text == "found"


@pytest.mark.parametrize("name", ["a\tb.txt", "a\x7fb.txt", "a\x85b.txt", "a\nb.txt"])
def test_control_characters_are_refused(folder: Path, name: str) -> None:
    (folder / name).write_text("x")
    assert find_file(str(folder), name) is None


@pytest.mark.parametrize("size", [100, CHUNK_SIZE + 1, static.HASHED + 1])
def test_versions_with_the_same_times_have_other_tags(ask: Ask, tmp_path: Path, size: int) -> None:
    answers = []
    for version in (b"1", b"2"):
        folder = tmp_path / version.decode()
        folder.mkdir()
        (folder / "app.js").write_bytes(version * size)
        os.utime(folder / "app.js", (1, 1))
        app = Application([Static("/s", folder), Route("/f", lambda request, at=folder: FileResponse(at / "app.js"))])
        for path in ("/s/app.js", "/f"):
            condition = {"if-none-match": answers[-2].headers["etag"]} if len(answers) > 1 else {}
            answers.append(
                ask(app, "GET", path, headers={**condition, "range": "bytes=0-0"} if size > 200 else condition)
            )
    assert [answer.content[:1] for answer in answers] == [b"1", b"1", b"2", b"2"]
    assert {answer.status_code for answer in answers} <= {200, 206}


def test_a_file_that_is_written_over_with_its_old_time_is_read_again(ask: Ask, folder: Path) -> None:
    app = Application([Static("/static", folder)])
    file = folder / "site.css"
    for content in ("body {}", "page {}"):
        file.write_text(content)
        os.utime(file, (1, 1))
        assert ask(app, "GET", "/static/site.css").text == content


@pytest.mark.parametrize(
    ("name", "kind", "coding"),
    [
        ("data.csv.gz", "application/gzip", None),
        ("page.html.gz", "application/gzip", None),
        ("backup.tgz", "application/gzip", None),
        ("dump.sql.bz2", "application/x-bzip2", None),
        ("log.txt.xz", "application/x-xz", None),
        ("log.txt.zst", "application/zstd", None),
        ("app.js.br", "application/octet-stream", None),
        ("logo.svgz", "image/svg+xml", "gzip"),
        ("logo.SVGZ", "image/svg+xml", "gzip"),
    ],
)
def test_compressed_files_have_the_type_of_what_is_sent(
    drive: Drive, folder: Path, name: str, kind: str, coding: str | None
) -> None:
    (folder / name).write_bytes(gzip.compress(b"<svg/>"))
    routes = [
        Static("/s", folder),
        Route("/f", lambda request: FileResponse(folder / name), name="f"),
        Route("/saved", lambda request: FileResponse(folder / name, filename=name), name="saved"),
    ]
    accepted = [(b"accept-encoding", b"gzip, br, zstd")]
    for path in (f"/s/{name}", "/f", "/saved"):
        start, body = drive(Application(routes), path=path, headers=accepted)[:2]
        fields = {key.decode(): value.decode() for key, value in start["headers"]}
        saved = path == "/saved" and coding is not None
        assert fields["content-type"] == ("application/gzip" if saved else kind)
        assert fields.get("content-encoding") == (None if saved else coding)
        assert gzip.decompress(body["body"]) == b"<svg/>"
