"""The URLs of requests, and their query parameters (RFC 3986)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias
from urllib.parse import SplitResult, quote, unquote, urlencode, urljoin, urlsplit

__all__ = ["URL", "Params", "build_url"]

Value: TypeAlias = str | int | float | bool | None
Params: TypeAlias = Mapping[str, Value | Iterable[Value]] | Iterable[tuple[str, Value]] | str

_PATH = "/%:@!$&'()*+,;=~-._"
_QUERY = _PATH + "?[]"
_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}


class URL(str):
    """A URL: a string with its components as attributes."""

    __slots__ = ()

    def _parts(self) -> SplitResult:
        return urlsplit(self)

    @property
    def scheme(self) -> str:
        """``http`` or ``https``."""
        return self._parts().scheme

    @property
    def host(self) -> str:
        """The host name or address, without the port."""
        return self._parts().hostname or ""

    @property
    def port(self) -> int | None:
        """The port; None if the URL has none."""
        return self._parts().port

    @property
    def netloc(self) -> str:
        """Host and port as in the ``host`` header field: without the default port of the scheme."""
        parts = self._parts()
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else (parts.hostname or "")
        return host if parts.port in (None, _PORTS.get(parts.scheme)) else f"{host}:{parts.port}"

    @property
    def path(self) -> str:
        """The path, percent-decoded."""
        return unquote(self._parts().path) or "/"

    @property
    def raw_path(self) -> bytes:
        """The path as it is sent: percent-encoded, without the query."""
        return (self._parts().path or "/").encode("ascii")

    @property
    def query(self) -> bytes:
        """The query as it is sent, without the question mark."""
        return self._parts().query.encode("ascii")

    @property
    def fragment(self) -> str:
        """The part after ``#``, which is not sent."""
        return self._parts().fragment

    @property
    def origin(self) -> tuple[str, str, int | None]:
        """Scheme, host and port (RFC 6454)."""
        return self.scheme, self.host, self.port or _PORTS.get(self.scheme)

    def resolve(self, reference: str) -> URL:
        """Return the URL of a reference, which may be relative (RFC 3986, section 5)."""
        return _encode(urljoin(self, reference))


def build_url(url: str, base_url: URL, params: Params | None = None) -> URL:
    """Return the URL of a request. A path such as ``/a/../b`` or ``%2F`` is not normalized.

    :param url: a path or a URL.
    :param base_url: the URL that a path is appended to.
    :param params: query parameters, appended to those of ``url``.
    """
    if "://" not in url.partition("?")[0]:
        slash = "" if url.startswith("/") or not url else "/"
        url = base_url.rstrip("/") + slash + url
    query = _query(params)
    if query:
        rest, hash_sign, fragment = url.partition("#")
        url = rest + ("&" if "?" in rest else "?") + query + hash_sign + fragment
    return _encode(url)


def _query(params: Params | None) -> str:
    if not params:
        return ""
    if isinstance(params, str):
        return params.removeprefix("?")
    return urlencode([(name, to_text(value)) for name, value in pairs(params)])


def pairs(values: Mapping[str, Any] | Iterable[tuple[str, Any]]) -> list[tuple[str, Any]]:
    """Return pairs of a name and a single value: a name with a list of values is repeated."""
    found: list[tuple[str, Any]] = []
    for name, value in values.items() if isinstance(values, Mapping) else values:
        if isinstance(value, list | tuple | set | frozenset):
            found.extend((name, each) for each in value)
        else:
            found.append((name, value))
    return found


def to_text(value: Any) -> str:
    """Return a value as text for a form or a query: ``true`` and ``false`` for booleans, an empty text for None."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _encode(url: str) -> URL:
    parts = urlsplit(url)
    return URL(
        parts._replace(
            netloc=parts.netloc.encode("idna").decode("ascii") if not parts.netloc.isascii() else parts.netloc,
            path=quote(parts.path, safe=_PATH) or "/",
            query=quote(parts.query, safe=_QUERY),
        ).geturl()
    )
