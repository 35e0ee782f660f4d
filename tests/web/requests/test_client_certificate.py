"""The certificate of a client in a request: from Atlas's server, and from any other one by the extension of ASGI."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import trustme

from atlas import Application, ClientCertificate, Request, Route
from tests.web.transports.servers import CERTIFICATE, PATIENCE


def show(request: Request) -> dict[str, Any]:
    certificate = request.client_certificate
    return {"name": certificate.name.split(",")[0], "chain": certificate.chain} if certificate else {}


def test_by_atlas(serve: Callable[..., Any], tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    identity = authority.issue_cert("ada@site.test", common_name="Ada")
    server = serve(
        Application([Route("/", show)]),
        ssl_certfile=CERTIFICATE,
        ssl_ca_certs=tmp_path / "ca.pem",
        ssl_cert_reqs=ssl.CERT_OPTIONAL,
    )
    context = ssl.create_default_context(cafile=CERTIFICATE)
    for expected in ({}, {"name": "CN=Ada", "chain": [identity.cert_chain_pems[0].bytes().decode()]}):
        with (
            socket.create_connection(server.sockets[0].getsockname(), PATIENCE) as sock,
            context.wrap_socket(sock, server_hostname="site.test") as client,
        ):
            client.sendall(b"GET / HTTP/1.1\r\nHost: site.test\r\nConnection: close\r\n\r\n")
            with client.makefile("rb") as stream:
                assert json.loads(stream.read().partition(b"\r\n\r\n")[2]) == expected
        identity.configure_cert(context)


def test_by_the_extension() -> None:
    def certificate(tls: Any) -> ClientCertificate | None:
        scope = {"type": "http", "method": "GET", "path": "/", "headers": [], "extensions": {"tls": tls}}
        return Request(Application(), scope, None).client_certificate

    assert certificate(None) is None
    assert certificate({"client_cert_chain": [], "client_cert_name": None}) is None
    found = certificate({"client_cert_chain": ["PEM 1", "PEM 2"], "client_cert_name": "CN=Ada"})
    assert found == ClientCertificate("CN=Ada", ("PEM 1", "PEM 2"))
