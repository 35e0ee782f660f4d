"""Atlas behind real proxies: URLs, cookies, the origin check of CSRF, the client's address, the access log."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from atlas import CSRF, Application, RateLimit, Request, Route, Server, Sessions, TextResponse

from .proxies import haproxy, nginx

FIELDS = ("for", "proto", "prefix")
CLIENT = {"X-Forwarded-For": "198.51.100.66"}  # what a client claims: a proxy appends to it


def tell(request: Request) -> dict[str, Any]:
    request.session["seen"] = True
    return {
        "url": request.url,
        "absolute": request.url_for("show", absolute=True, number=7),
        "ip": request.ip,
        "secure": request.is_secure,
        "root": request.root_path,
        "token": str(request.state.csrf_token),
    }


def show(request: Request, number: int) -> TextResponse:
    return TextResponse(f"number {number}")


def save(request: Request) -> TextResponse:
    return TextResponse("saved")


def make_app() -> Application:
    return Application(
        [Route("/tell", tell), Route("/items/{number:int}", show, name="show"), Route("/save", save, methods=["POST"])],
        middleware=[Sessions(), CSRF()],
        config={"secret_key": "k" * 32},
    )


@contextmanager
def served(app: Application, **settings: Any) -> Iterator[int]:
    """Serve until the end of the block, when the access log is complete; yields the port."""
    with Server(app, port=0, **settings).run_in_thread() as server:
        port: int = server.sockets[0].getsockname()[1]
        yield port


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


def test_behind_nginx_with_tls_and_a_prefix(tmp_path: Path, lines: list[str]) -> None:
    with (
        served(make_app(), forwarded_fields=FIELDS, forwarded_allow_ips="127.0.0.1") as upstream,
        nginx(tmp_path, upstream) as port,
        client_at("127.0.0.2") as client,
    ):
        site = f"https://127.0.0.1:{port}"
        response = client.get(f"{site}/shop/tell?a=b", headers=CLIENT)
        told = response.json()
        assert told["url"] == f"{site}/shop/tell?a=b"
        assert told["absolute"] == f"{site}/shop/items/7"
        assert (told["ip"], told["secure"], told["root"]) == ("127.0.0.2", True, "/shop")
        assert client.get(told["absolute"]).text == "number 7"
        cookies = response.headers.get_list("set-cookie")
        assert len(cookies) == 2
        assert all("; Secure" in cookie for cookie in cookies), cookies

        fields = {"X-CSRF-Token": told["token"], "Referer": f"{site}/shop/tell"}
        assert client.post(f"{site}/shop/save", headers={**fields, "Origin": site}).text == "saved"
        assert client.post(f"{site}/shop/save", headers={**fields, "Origin": "https://evil.example"}).status_code == 403
    assert len(lines) == 4
    assert "198.51.100.66" not in "".join(lines)


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
        served(make_app(), **settings) as upstream,
        haproxy(tmp_path, upstream) as port,
        client_at("127.0.0.2") as client,
    ):
        told = client.get(f"http://127.0.0.1:{port}/tell").json()
    assert (told["ip"], told["secure"]) == ("127.0.0.2", True)
    assert lines == ["127.0.0.2 200"]


def client_at(address: str) -> httpx.Client:
    """A client whose connections come from an address of the loopback network."""
    return httpx.Client(transport=httpx.HTTPTransport(local_address=address, verify=False), trust_env=False)
