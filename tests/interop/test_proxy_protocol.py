"""The PROXY protocol as real proxies speak it: HAProxy in both versions, and nginx, which has version 1."""

from __future__ import annotations

import logging
import queue
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from atlas import Application, Request, Route, Server, Sessions

from .proxies import CERTIFICATE, haproxy, nginx_stream

PATIENCE = 10.0
CLIENT = "127.0.0.2"
CLAIMED = {"X-Forwarded-For": "198.51.100.66", "X-Forwarded-Proto": "gopher"}  # a proxy of TCP passes it on
# What the line of a server says in HAProxy's configuration.
VERSIONS = {
    "1": "send-proxy",
    "2": "send-proxy-v2",
    "2-tls": "send-proxy-v2-ssl-cn",
    "2-tlvs": "send-proxy-v2-ssl-cn proxy-v2-options ssl,cert-cn,ssl-cipher,cert-sig,cert-key,crc32c,unique-id",
}


def tell(request: Request) -> dict[str, Any]:
    request.session["seen"] = True
    return {"client": request.client, "url": request.url, "secure": request.is_secure}


def make_app() -> Application:
    return Application([Route("/tell", tell)], middleware=[Sessions()], config={"secret_key": "k" * 32})


@contextmanager
def served(app: Any, **settings: Any) -> Iterator[int | Path]:
    """Serve until the end of the block; yields the port, or the Unix socket."""
    settings = {"port": 0, "access_log": False, "forwarded_allow_ips": ("127.0.0.1", "unix")} | settings
    with Server(app, proxy_protocol=True, **settings).run_in_thread() as server:
        name = server.sockets[0].getsockname()
        yield Path(name) if isinstance(name, str) else name[1]


@contextmanager
def client() -> Iterator[httpx.Client]:
    """A client whose address is not that of the proxy."""
    with httpx.Client(transport=httpx.HTTPTransport(local_address=CLIENT, verify=False), trust_env=False) as found:
        yield found


def check(port: int, scheme: str) -> None:
    """Send two requests on each of two connections; each tells of the right client."""
    for _ in range(2):
        with client() as browser:
            responses = [browser.get(f"{scheme}://127.0.0.1:{port}/tell", headers=CLAIMED) for _ in range(2)]
        for response in responses:
            told = response.json()
            assert told["client"][0] == CLIENT
            assert told["url"] == f"{scheme}://127.0.0.1:{port}/tell"
            assert told["secure"] is (scheme == "https")
        assert ("; Secure" in responses[0].headers["set-cookie"]) is (scheme == "https")


@pytest.mark.parametrize("where", ["tcp", "unix"])
@pytest.mark.parametrize("version", VERSIONS)
def test_haproxy(tmp_path: Path, version: str, where: str) -> None:
    settings = {"uds": str(tmp_path / "atlas.sock")} if where == "unix" else {}
    with (
        served(make_app(), **settings) as upstream,
        haproxy(tmp_path, upstream, mode="tcp", lines="", options=VERSIONS[version]) as port,
    ):
        check(port, "http")


def test_haproxy_of_http(tmp_path: Path) -> None:
    with (
        served(make_app()) as upstream,
        haproxy(tmp_path, upstream, lines="option forwardfor", options="send-proxy-v2") as port,
    ):
        check(port, "http")


@pytest.mark.parametrize("version", ["2-tls", "2-tlvs"])
def test_haproxy_that_takes_tls_off(tmp_path: Path, version: str) -> None:
    with (
        served(make_app()) as upstream,
        haproxy(
            tmp_path, upstream, mode="tcp", bind=f"ssl crt {CERTIFICATE}", lines="", options=VERSIONS[version]
        ) as port,
    ):
        check(port, "https")


@pytest.mark.parametrize("version", VERSIONS)
def test_haproxy_that_passes_tls_on(tmp_path: Path, version: str) -> None:
    with (
        served(make_app(), ssl_certfile=CERTIFICATE) as upstream,
        haproxy(tmp_path, upstream, mode="tcp", lines="", options=VERSIONS[version]) as port,
    ):
        check(port, "https")


@pytest.mark.parametrize("where", ["tcp", "unix"])
def test_nginx(tmp_path: Path, where: str) -> None:
    settings = {"uds": str(tmp_path / "atlas.sock")} if where == "unix" else {}
    with served(make_app(), **settings) as upstream, nginx_stream(tmp_path, upstream) as port:
        check(port, "http")


def test_nginx_that_passes_tls_on(tmp_path: Path) -> None:
    with served(make_app(), ssl_certfile=CERTIFICATE) as upstream, nginx_stream(tmp_path, upstream) as port:
        check(port, "https")


@pytest.mark.parametrize("version", ["1", "2", "2-tlvs"])
def test_health_checks_of_haproxy(tmp_path: Path, version: str, caplog: pytest.LogCaptureFixture) -> None:
    """A check has no client: the head says LOCAL or UNKNOWN, and a request follows, or a reset."""
    checked: queue.Queue[Any] = queue.Queue()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/check":
            checked.put(scope["client"][0])
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    lines = "option httpchk GET /check"
    options = f"{VERSIONS[version]} check check-send-proxy inter 50ms"
    with (
        caplog.at_level(logging.WARNING, "atlas.server"),
        served(app, lifespan="off") as upstream,
        haproxy(tmp_path, upstream, lines=lines, options=options) as port,
        client() as browser,
    ):
        assert [checked.get(timeout=PATIENCE) for _ in range(3)] == ["127.0.0.1"] * 3
        assert browser.get(f"http://127.0.0.1:{port}/").status_code == 204
    assert not caplog.messages


def test_a_proxy_that_does_not_speak_it_is_refused(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with (
        caplog.at_level(logging.WARNING, "atlas.server"),
        served(make_app()) as upstream,
        haproxy(tmp_path, upstream) as port,
        client() as browser,
    ):
        assert browser.get(f"http://127.0.0.1:{port}/tell").status_code == 502
    assert caplog.messages[0].endswith("refused (--proxy-protocol): this is no head of the PROXY protocol")
