"""Addresses as a test writes them, and as a request carries them (RFC 3986)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias
from urllib.parse import SplitResult, quote, unquote, urlencode, urljoin, urlsplit

__all__ = ["URL", "Params", "absolute"]

Value: TypeAlias = str | int | float | bool | None
Params: TypeAlias = Mapping[str, Value | Iterable[Value]] | Iterable[tuple[str, Value]] | str

_PATH = "/%:@!$&'()*+,;=~-._"
_QUERY = _PATH + "?[]"
_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}


class URL(str):
    """An address: text that can be compared with text, and taken apart by name."""

    __slots__ = ()

    def _parts(self) -> SplitResult:
        return urlsplit(self)

    @property
    def scheme(self) -> str:
        """``http`` or ``https``."""
        return self._parts().scheme

    @property
    def host(self) -> str:
        """The name of the host, without a port."""
        return self._parts().hostname or ""

    @property
    def port(self) -> int | None:
        """The port, if one is written."""
        return self._parts().port

    @property
    def netloc(self) -> str:
        """Host and port as the ``host`` field carries them: a port that goes without saying is not said."""
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
        """What follows ``#``; it is never sent."""
        return self._parts().fragment

    @property
    def origin(self) -> tuple[str, str, int | None]:
        """Scheme, host and port (RFC 6454): what decides whether a secret may go along with a redirect."""
        return self.scheme, self.host, self.port or _PORTS.get(self.scheme)

    def follow(self, reference: str) -> URL:
        """The address that a reference on this page leads to (RFC 3986 5)."""
        return _encoded(urljoin(self, reference))


def absolute(address: str, origin: URL, params: Params | None = None) -> URL:
    """The whole address of a request.

    A path is kept as it is written, ``/a/../b`` and ``%2F`` included: a test may want to ask for just that.

    :param address: a path, or a whole address. :param origin: what a path is put behind.
    :param params: added to the query that ``address`` has already.
    """
    if "://" not in address.partition("?")[0]:
        gap = "" if address.startswith("/") or not address else "/"
        address = origin.rstrip("/") + gap + address
    text = _query(params)
    if text:
        whole, hash_sign, fragment = address.partition("#")
        address = whole + ("&" if "?" in whole else "?") + text + hash_sign + fragment
    return _encoded(address)


def _query(params: Params | None) -> str:
    if not params:
        return ""
    if isinstance(params, str):
        return params.removeprefix("?")
    return urlencode([(name, text_of(value)) for name, value in pairs(params)])


def pairs(values: Mapping[str, Any] | Iterable[tuple[str, Any]]) -> list[tuple[str, Any]]:
    """Names and values one by one: a name with a list of values is repeated."""
    found: list[tuple[str, Any]] = []
    for name, value in values.items() if isinstance(values, Mapping) else values:
        if isinstance(value, list | tuple | set | frozenset):
            found.extend((name, each) for each in value)
        else:
            found.append((name, value))
    return found


def text_of(value: Any) -> str:
    """A value as forms and queries carry it: ``true``, ``false``, nothing for None."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _encoded(address: str) -> URL:
    parts = urlsplit(address)
    return URL(
        parts._replace(
            netloc=parts.netloc.encode("idna").decode("ascii") if not parts.netloc.isascii() else parts.netloc,
            path=quote(parts.path, safe=_PATH) or "/",
            query=quote(parts.query, safe=_QUERY),
        ).geturl()
    )
