"""The attributes of HTTP server spans by the semantic conventions of OpenTelemetry (stable since 1.23.0)."""

from __future__ import annotations

import re

from atlas.web.requests.request_head import RequestHead

__all__ = ["SCHEMA_URL", "method_of", "request_attributes", "span_name"]

SCHEMA_URL = "https://opentelemetry.io/schemas/1.30.0"

_METHODS = frozenset(("CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"))
_OTHER = "_OTHER"
# The parameters that the conventions say to redact by default, because they sign URLs.
_SECRET = re.compile(r"(?<![^&])(AWSAccessKeyId|Signature|sig|X-Goog-Signature)=[^&]*")
_PORTS = {"http": 80, "https": 443}


def method_of(request: RequestHead) -> str:
    """Return the method, or ``_OTHER``: clients may send any word."""
    return request.method if request.method in _METHODS else _OTHER


def span_name(request: RequestHead) -> str:
    """Return the name of the span: ``GET /users/{name}``. A path that no route has is not part of it."""
    method = method_of(request)
    method = "HTTP" if method == _OTHER else method
    return f"{method} {request.route.path}" if request.route is not None else method


def request_attributes(request: RequestHead) -> dict[str, str | int]:
    """Return the attributes that are known when the request has come; a sampler sees them."""
    host, port = _split_host(request.host)
    attributes: dict[str, str | int | None] = {
        "http.request.method": method_of(request),
        "http.request.method_original": request.method if request.method not in _METHODS else None,
        "http.route": request.route.path if request.route is not None else None,
        "url.scheme": request.scheme,
        "url.path": request.raw_path.decode("latin-1"),
        "url.query": _SECRET.sub(r"\1=REDACTED", request.query_string.decode("latin-1")) or None,
        "server.address": host,
        "server.port": port or _PORTS.get(request.scheme),
        "client.address": request.ip,
        "network.protocol.version": request.http_version,
        "user_agent.original": request.headers.get("user-agent"),
    }
    return {name: value for name, value in attributes.items() if value is not None}


def _split_host(host: str) -> tuple[str, int | None]:
    name, colon, port = host.rpartition(":")
    if colon and port.isdigit() and port.isascii():
        return name.strip("[]"), int(port)
    return host.strip("[]"), None
