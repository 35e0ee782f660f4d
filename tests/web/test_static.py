from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx
import pytest

from atlas import Application, StartupError, Static
from atlas.web.static import find_file

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


def test_its_address(folder: Path) -> None:
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
def test_nothing_else_is_found(drive: Drive, folder: Path, spelling: str) -> None:
    app = Application([Static("/static", folder)])
    raw = f"/static/{spelling}"
    for raw_path in (raw.encode(), None):
        start, body = drive(app, path=unquote(raw), raw_path=raw_path)
        assert start["status"] in (404, 308), raw_path
        assert b"secret" not in body["body"]


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("times", [0, 1, 2])
def test_nothing_else_is_found_however_often_it_was_decoded(folder: Path, spelling: str, times: int) -> None:
    for _ in range(times):
        spelling = unquote(spelling)
    assert find_file(str(folder), spelling) is None


def test_a_lone_surrogate_finds_nothing(folder: Path) -> None:
    assert find_file(str(folder), "\udcff") is None


def test_the_root_of_the_file_system_may_be_served() -> None:
    here = Path(__file__).resolve()
    assert find_file("/", str(here)[1:]) == str(here)


def test_a_missing_folder_stops_the_start_in_the_line_that_names_it() -> None:
    with pytest.raises(StartupError, match=r"test_static.py:\d+: static folder '.*nowhere' does not exist"):
        Static("/static", "nowhere")


def test_a_folder_is_relative_to_the_file_that_names_it() -> None:
    assert Static("/tests", ".").root == str(Path(__file__).parent.resolve())
