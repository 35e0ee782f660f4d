from collections.abc import Callable
from typing import Any

import pytest

from atlas import Application, Request, Route
from atlas.web.middleware.https_redirect import HTTPSRedirect

Drive = Callable[..., list[dict[str, Any]]]


def page(request: Request, rest: str) -> str:
    return "page"


def answer(drive: Drive, path: str = "/a", **options: Any) -> tuple[int, str | None]:
    scope = {key: options.pop(key) for key in ("scheme", "raw_path", "query_string", "method") if key in options}
    host = options.pop("host", b"example.com:8000")
    app = Application([Route("/{rest:path}", page, methods=["GET", "POST"])], middleware=[HTTPSRedirect(**options)])
    full = {"scheme": "http", "path": path, "headers": [(b"host", host)], **scope}
    start = drive(app, **full)[0]
    return start["status"], dict(start["headers"]).get(b"location", b"").decode() or None


def test_http_is_redirected_to_https(drive: Drive) -> None:
    assert answer(drive) == (308, "https://example.com/a")
    assert answer(drive, method="POST") == (308, "https://example.com/a")


def test_https_stays(drive: Drive) -> None:
    assert answer(drive, scheme="https") == (200, None)


def test_path_and_query_stay_as_they_came(drive: Drive) -> None:
    status, location = answer(drive, "/ü/b", raw_path=b"/%C3%BC%2Fb", query_string=b"x=%20&y=%")
    assert (status, location) == (308, "https://example.com/%C3%BC%2Fb?x=%20&y=%")


def test_a_path_never_becomes_a_host(drive: Drive) -> None:
    assert answer(drive, "//evil.test/", raw_path=b"//evil.test/")[1] == "https://example.com//evil.test/"


def test_another_port_and_a_temporary_redirect(drive: Drive) -> None:
    assert answer(drive, port=8443, permanent=False) == (307, "https://example.com:8443/a")
    assert answer(drive, port=443)[1] == "https://example.com/a"


def test_a_malformed_host(drive: Drive) -> None:
    assert answer(drive, host=b"evil.test/@x")[0] == 400


@pytest.mark.parametrize(("path", "status"), [("/health", 200), ("/healthy", 308), ("/w/x", 200), ("/w", 308)])
def test_exempt_paths(drive: Drive, path: str, status: int) -> None:
    assert answer(drive, path, exempt=["/health", "/w/"])[0] == status


def test_invalid_options() -> None:
    with pytest.raises(TypeError, match="expected a list"):
        HTTPSRedirect(exempt="/health")
    with pytest.raises(ValueError, match="start with '/'"):
        HTTPSRedirect(exempt=["health"])
    with pytest.raises(ValueError, match="1 to 65535"):
        HTTPSRedirect(port=0)


def test_exempt_paths_are_those_of_the_application(drive: Any) -> None:
    app = Application([Route("/health", lambda request: "ok")], middleware=[HTTPSRedirect(exempt=["/health"])])
    assert drive(app, path="/shop/health", root_path="/shop")[0]["status"] == 200
