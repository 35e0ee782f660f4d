"""Atlas behind real proxies: URLs, cookies, the origin check of CSRF, the client's address, the access log."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx
import pytest

from atlas import (
    CSRF,
    Application,
    HTTPSRedirect,
    RateLimit,
    Request,
    Route,
    Server,
    Sessions,
    Static,
    TextResponse,
    redirect,
)

from . import proxies
from .proxies import haproxy, nginx

CLAIMED = "198.51.100.66"
CLIENT = {  # what a client claims: a proxy overwrites it or appends to it
    "X-Forwarded-For": CLAIMED,
    "X-Forwarded-Proto": "http",
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Port": "1",
    "X-Forwarded-Prefix": "/evil",
    "Forwarded": f"for={CLAIMED};host=evil.example;proto=http",
}


def tell(request: Request) -> dict[str, Any]:
    request.session["seen"] = True
    return {
        "url": request.url,
        "absolute": request.url_for("show", absolute=True, number=7),
        "static": request.url_for("static", absolute=True, path="site.css"),
        "ip": request.ip,
        "secure": request.is_secure,
        "root": request.root_path,
        "token": str(request.state.csrf_token),
    }


def show(request: Request, number: int) -> TextResponse:
    return TextResponse(f"number {number}")


def save(request: Request) -> TextResponse:
    return TextResponse("saved")


def moved(request: Request) -> Any:
    return redirect(request.url_for("show", number=7))


def make_app(folder: Path) -> Application:
    files = folder / "files"
    files.mkdir(exist_ok=True)
    (files / "site.css").write_text("p { color: red }")
    return Application(
        [
            Route("/tell", tell),
            Route("/items/{number:int}", show, name="show"),
            Route("/save", save, methods=["POST"]),
            Route("/moved", moved),
            Route("/folder/", save),
            Static("/static", files),
        ],
        middleware=[HTTPSRedirect(), Sessions(), CSRF()],
        config={"secret_key": "k" * 32},
    )


@contextmanager
def served(app: Application, **settings: Any) -> Iterator[int | Path]:
    """Serve until the end of the block, when the access log is complete; yields the port, or the Unix socket."""
    with Server(app, **({"port": 0} | settings)).run_in_thread() as server:
        name = server.sockets[0].getsockname()
        yield Path(name) if isinstance(name, str) else name[1]


@pytest.fixture
def lines() -> Iterator[list[str]]:
    """The access log of the test's servers."""
    kept: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: kept.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger("atlas.access")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield kept
    logger.removeHandler(handler)


# How nginx tells of the request, and the settings that belong to it.
WAYS: dict[str, tuple[str, dict[str, Any]]] = {
    "fields": (proxies.FIELDS, {"forwarded_fields": ("for", "proto", "prefix")}),
    "host and port": (proxies.HOST_AND_PORT, {"forwarded_fields": ("for", "proto", "host", "port", "prefix")}),
    "forwarded": (proxies.FORWARDED, {"forwarded_fields": "forwarded", "root_path": "/app"}),
    "root path": (proxies.FIELDS, {"root_path": "/app"}),
}


@pytest.mark.parametrize("upstream", ["tcp", "unix"])
@pytest.mark.parametrize("way", WAYS)
def test_behind_nginx_with_tls_and_a_prefix(tmp_path: Path, lines: list[str], way: str, upstream: str) -> None:
    fields, settings = WAYS[way]
    where = {"uds": str(tmp_path / "atlas.sock")} if upstream == "unix" else {}
    with (
        served(make_app(tmp_path), forwarded_allow_ips="127.0.0.1, unix", **where, **settings) as server,
        nginx(tmp_path, server, prefix="/app", fields=fields) as port,
        client_at("127.0.0.2") as client,
    ):
        site = f"https://127.0.0.1:{port}"
        response = client.get(f"{site}/app/tell?a=b", headers=CLIENT)
        told = response.json()
        assert told["url"] == f"{site}/app/tell?a=b"
        assert told["absolute"] == f"{site}/app/items/7"
        assert (told["ip"], told["secure"], told["root"]) == ("127.0.0.2", True, "/app")
        assert client.get(told["absolute"]).text == "number 7"
        assert told["static"].startswith(f"{site}/app/static/")
        assert client.get(told["static"]).text == "p { color: red }"
        cookies = response.headers.get_list("set-cookie")
        assert len(cookies) == 2
        assert all("; Secure" in cookie for cookie in cookies), cookies

        for path, target in (("moved", "items/7"), ("tell/", "tell"), ("folder", "folder/")):
            url = f"{site}/app/{path}"
            assert urljoin(url, client.get(url).headers["location"]) == f"{site}/app/{target}"

        csrf = {"X-CSRF-Token": told["token"], "Referer": f"{site}/app/tell"}
        assert client.post(f"{site}/app/save", headers={**csrf, "Origin": site}).text == "saved"
        for origin in ("https://evil.example", f"http://127.0.0.1:{port}", "https://127.0.0.1"):
            assert client.post(f"{site}/app/save", headers={**csrf, "Origin": origin}).status_code == 403
    assert len(lines) == 10
    assert all(line.startswith("127.0.0.2:") for line in lines)
    assert CLAIMED not in "".join(lines)


def test_an_untrusted_proxy_is_not_believed(tmp_path: Path, lines: list[str]) -> None:
    with (
        served(Application([Route("/tell", plain)]), forwarded_allow_ips="192.0.2.1") as upstream,
        nginx(tmp_path, upstream) as port,
        client_at("127.0.0.2") as client,
    ):
        told = client.get(f"https://127.0.0.1:{port}/shop/tell", headers=CLIENT).json()
    assert told == {"ip": "127.0.0.1", "secure": False, "root": ""}


def plain(request: Request) -> dict[str, Any]:
    return {"ip": request.ip, "secure": request.is_secure, "root": request.root_path}


def test_behind_nginx_behind_haproxy(tmp_path: Path, lines: list[str]) -> None:
    """The client is found past two trusted proxies, and what it has claimed is not."""
    app = Application([Route("/tell", plain)])
    with (
        served(app, forwarded_allow_ips="127.0.0.1", forwarded_fields=("for", "proto", "prefix")) as upstream,
        haproxy(tmp_path, upstream, lines="option forwardfor") as inner,
        nginx(tmp_path, inner) as port,
        client_at("127.0.0.2") as client,
    ):
        told = client.get(f"https://127.0.0.1:{port}/shop/tell", headers=CLIENT).json()
    assert told == {"ip": "127.0.0.2", "secure": True, "root": "/shop"}


def test_behind_haproxy_each_client_has_its_own_rate(tmp_path: Path) -> None:
    app = Application([Route("/", save)], middleware=[RateLimit("1/hour")])
    statuses = []
    with served(app, forwarded_allow_ips="127.0.0.1") as upstream, haproxy(tmp_path, upstream) as port:
        for address in ("127.0.0.2", "127.0.0.3"):
            with client_at(address) as client:
                statuses += [client.get(f"http://127.0.0.1:{port}/").status_code for _ in range(2)]
    assert statuses == [200, 429, 200, 429]


def test_the_access_log_names_the_client(tmp_path: Path, lines: list[str]) -> None:
    settings = {"access_log_format": "%(h)s %(s)s", "forwarded_allow_ips": "127.0.0.1/32"}
    with (
        served(make_app(tmp_path), **settings) as upstream,
        haproxy(tmp_path, upstream) as port,
        client_at("127.0.0.2") as client,
    ):
        told = client.get(f"http://127.0.0.1:{port}/tell").json()
    assert (told["ip"], told["secure"]) == ("127.0.0.2", True)
    assert lines == ["127.0.0.2 200"]


def client_at(address: str) -> httpx.Client:
    """A client whose connections come from an address of the loopback network."""
    return httpx.Client(transport=httpx.HTTPTransport(local_address=address, verify=False), trust_env=False)
