"""Real reverse proxies, started by tests: nginx with TLS and a path prefix, and HAProxy."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

CERTIFICATE = Path(__file__).parents[1] / "web" / "transports" / "site.test.pem"
PATIENCE = 10.0  # seconds until a proxy accepts connections; it takes milliseconds

_NGINX = """
daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 64; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port} ssl;
    ssl_certificate {certificate}; ssl_certificate_key {certificate};
    location /shop/ {{
      proxy_pass http://127.0.0.1:{upstream}/;
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_set_header X-Forwarded-Prefix /shop;
    }}
  }}
}}
"""

_HAPROXY = """
global
  maxconn 64
defaults
  mode http
  timeout connect 5s
  timeout client 10s
  timeout server 10s
frontend front
  bind 127.0.0.1:{port}
  option forwardfor
  http-request set-header X-Forwarded-Proto https
  default_backend back
backend back
  balance roundrobin
{servers}
"""


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


@contextlib.contextmanager
def nginx(folder: Path, upstream: int) -> Iterator[int]:
    """Run nginx with TLS in front of a server whose application is published below ``/shop``; yields its port."""
    port = free_port()
    config = folder / "nginx.conf"
    config.write_text(_NGINX.format(folder=folder, port=port, certificate=CERTIFICATE, upstream=upstream))
    with _running([_tool("nginx"), "-e", str(folder / "error.log"), "-c", str(config)], port):
        yield port


@contextlib.contextmanager
def haproxy(folder: Path, *upstreams: int) -> Iterator[int]:
    """Run HAProxy, which says that it has taken TLS off, in front of servers in turn; yields its port."""
    port = free_port()
    config = folder / "haproxy.cfg"
    servers = "\n".join(f"  server atlas{upstream} 127.0.0.1:{upstream}" for upstream in upstreams)
    config.write_text(_HAPROXY.format(port=port, servers=servers))
    with _running([_tool("haproxy"), "-db", "-f", str(config)], port):
        yield port


def _tool(name: str) -> str:
    path = shutil.which(name, path="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
    if path is None:
        pytest.skip(f"{name} is not installed on this machine")
    return path


@contextlib.contextmanager
def _running(command: list[str], port: int) -> Iterator[None]:
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        _wait_until_it_accepts(process, port)
        yield
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE)


def _wait_until_it_accepts(process: subprocess.Popen[bytes], port: int) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if process.poll() is not None:
            output = process.communicate()[0].decode("utf-8", "replace")
            raise AssertionError(f"{process.args!r} ended with status {process.returncode}: {output}")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.01)  # nothing of the proxy tells when it listens
    raise AssertionError(f"{process.args!r} does not accept connections")
