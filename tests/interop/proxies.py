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

# What nginx tells the server, for each way in which the documentation says that it may.
FIELDS = """
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_set_header X-Forwarded-Prefix {prefix};
"""
HOST_AND_PORT = """
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_set_header X-Forwarded-Host $host;
      proxy_set_header X-Forwarded-Port $server_port;
      proxy_set_header X-Forwarded-Prefix {prefix};
"""
FORWARDED = """
      proxy_set_header Forwarded "$proxy_add_forwarded";
"""

_NGINX = """
daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 64; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  map $http_forwarded $proxy_add_forwarded {{
    default "$http_forwarded, for=$remote_addr;proto=$scheme;host=\\"$http_host\\"";
    "" "for=$remote_addr;proto=$scheme;host=\\"$http_host\\"";
  }}
  server {{
    listen 127.0.0.1:{port} ssl;
    ssl_certificate {certificate}; ssl_certificate_key {certificate};
    location {prefix}/ {{
      proxy_pass http://{upstream}{path};
      proxy_http_version 1.1;
      {fields}
    }}
  }}
}}
"""

_NGINX_STREAM = """
load_module {module};
daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 64; }}
stream {{
  server {{
    listen 127.0.0.1:{port} {listen};
    proxy_pass {upstream};
    proxy_protocol on;
  }}
}}
"""
_STREAM_MODULES = ("/usr/lib/nginx/modules", "/usr/lib64/nginx/modules", "/usr/share/nginx/modules")

_HAPROXY = """
global
  maxconn 64
defaults
  mode {mode}
  timeout connect 5s
  timeout client 10s
  timeout server 10s
frontend front
  bind 127.0.0.1:{port} {bind}
  default_backend back
backend back
  balance roundrobin
  {lines}
{servers}
"""
HTTPS_TAKEN_OFF = "option forwardfor\n  http-request set-header X-Forwarded-Proto https"


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def _upstream(upstream: int | Path) -> str:
    return f"127.0.0.1:{upstream}" if isinstance(upstream, int) else f"unix:{upstream}"


@contextlib.contextmanager
def nginx(folder: Path, upstream: int | Path, *, prefix: str = "/shop", fields: str = FIELDS) -> Iterator[int]:
    """Run nginx with TLS in front of a server, which is published below a prefix that nginx cuts off; yields its port.

    :param upstream: the port of the server, or its Unix socket.
    :param fields: the header fields that it sets.
    """
    port = free_port()
    path = "/" if isinstance(upstream, int) else ":/"
    text = _NGINX.format(
        folder=folder,
        port=port,
        certificate=CERTIFICATE,
        upstream=_upstream(upstream),
        prefix=prefix,
        path=path,
        fields=fields.format(prefix=prefix),
    )
    with _running_nginx(folder, text, port):
        yield port


@contextlib.contextmanager
def nginx_stream(folder: Path, upstream: int | Path, *, tls: bool = False) -> Iterator[int]:
    """Run nginx as a proxy of TCP, which sends the PROXY protocol (version 1); yields its port.

    :param tls: whether nginx takes TLS off.
    """
    module = next((each for name in _STREAM_MODULES if (each := Path(name, "ngx_stream_module.so")).exists()), None)
    if module is None:
        pytest.skip("the stream module of nginx is not installed on this machine")
    port = free_port()
    listen = f"ssl; ssl_certificate {CERTIFICATE}; ssl_certificate_key {CERTIFICATE}" if tls else ""
    text = _NGINX_STREAM.format(module=module, folder=folder, port=port, listen=listen, upstream=_upstream(upstream))
    with _running_nginx(folder, text, port):
        yield port


@contextlib.contextmanager
def _running_nginx(folder: Path, text: str, port: int) -> Iterator[None]:
    config = folder / "nginx.conf"
    config.write_text(text)
    with running([tool("nginx"), "-e", str(folder / "error.log"), "-c", str(config)], port):
        yield


@contextlib.contextmanager
def haproxy(
    folder: Path,
    *upstreams: int | Path,
    mode: str = "http",
    bind: str = "",
    lines: str = HTTPS_TAKEN_OFF,
    options: str = "",
) -> Iterator[int]:
    """Run HAProxy, which says by default that it has taken TLS off, in front of servers in turn; yields its port.

    :param upstreams: the ports of the servers, or their Unix sockets.
    :param mode: ``http`` or ``tcp``.
    :param bind: more for the line ``bind``.
    :param lines: more for the backend.
    :param options: more for each line ``server``.
    """
    port = free_port()
    config = folder / "haproxy.cfg"
    addresses = [f"127.0.0.1:{each}" if isinstance(each, int) else f"unix@{each}" for each in upstreams]
    servers = "\n".join(f"  server atlas{number} {each} {options}" for number, each in enumerate(addresses))
    config.write_text(_HAPROXY.format(port=port, servers=servers, mode=mode, bind=bind, lines=lines))
    with running([tool("haproxy"), "-db", "-f", str(config)], port):
        yield port


def tool(name: str) -> str:
    """The path of a program; the test is skipped where there is none."""
    path = shutil.which(name, path="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
    if path is None:
        pytest.skip(f"{name} is not installed on this machine")
    return path


@contextlib.contextmanager
def running(command: list[str], port: int) -> Iterator[None]:
    """Run a proxy, which accepts connections at a port, until the end of the block."""
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
