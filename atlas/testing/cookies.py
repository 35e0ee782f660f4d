"""The cookies of a client: stored from responses, sent with requests (RFC 6265)."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from atlas.testing.urls import URL

__all__ = ["Cookie", "Cookies"]


@dataclass(frozen=True, slots=True)
class Cookie:
    """A cookie. With an empty ``domain`` it is sent to every host; with ``host_only`` not to subdomains."""

    name: str
    value: str
    domain: str = ""
    path: str = "/"
    expires: float | None = None
    secure: bool = False
    host_only: bool = True
    http_only: bool = False
    same_site: str = ""

    def is_sent_to(self, url: URL) -> bool:
        """Return whether the cookie is sent with a request for ``url`` (RFC 6265, section 5.4)."""
        return (
            _domain_matches(url.host, self.domain, self.host_only)
            and _path_matches(url.path, self.path)
            and (url.scheme in ("https", "wss") or not self.secure)
        )


class Cookies(MutableMapping[str, str]):
    """A cookie jar that can be used like a dict: ``client.cookies["session"]``.

    :param values: cookies for every host and path.
    """

    def __init__(self, values: Mapping[str, str] | None = None) -> None:
        self._cookies: dict[tuple[str, str, str], Cookie] = {}
        for name, value in (values or {}).items():
            self.set(name, value)

    def set(self, name: str, value: str, domain: str = "", path: str = "/") -> None:
        """Store a cookie; by default for every host and path."""
        self._cookies[domain, path, name] = Cookie(name, value, domain, path)

    def get(self, name: str, default: str | None = None, domain: str | None = None) -> str | None:  # type: ignore[override]
        """Return the value of a cookie, or ``default``. With ``domain``, only cookies of that domain are looked at."""
        found = [cookie for cookie in self.jar if cookie.name == name and domain in (None, cookie.domain)]
        return found[-1].value if found else default

    def delete(self, name: str, domain: str | None = None) -> None:
        """Delete the cookies with a name, of all domains or of one."""
        for key, cookie in list(self._cookies.items()):
            if cookie.name == name and domain in (None, cookie.domain):
                del self._cookies[key]

    @property
    def jar(self) -> list[Cookie]:
        """All cookies with their attributes, the oldest first, without those that have expired."""
        now = time.time()
        self._cookies = {key: each for key, each in self._cookies.items() if each.expires is None or each.expires > now}
        return list(self._cookies.values())

    def header_for(self, url: URL) -> str:
        """Return the value of the ``cookie`` field for a request, or ""; long paths first (RFC 6265, section 5.4)."""
        matching = sorted((each for each in self.jar if each.is_sent_to(url)), key=lambda each: -len(each.path))
        return "; ".join(f"{each.name}={each.value}" for each in matching)

    def extract(self, fields: list[str], url: URL) -> None:
        """Store the cookies of the ``set-cookie`` fields of a response from ``url``."""
        for field in fields:
            cookie = parse_set_cookie(field, url)
            if cookie is None:
                continue
            key = (cookie.domain, cookie.path, cookie.name)
            self._cookies.pop(("", "/", cookie.name), None)  # a cookie of the server replaces one of the test
            if cookie.expires is not None and cookie.expires <= time.time():
                self._cookies.pop(key, None)
            else:
                self._cookies[key] = cookie

    def __getitem__(self, name: str) -> str:
        value = self.get(name)
        if value is None:
            raise KeyError(name)
        return value

    def __setitem__(self, name: str, value: str) -> None:
        self.set(name, value)

    def __delitem__(self, name: str) -> None:
        if name not in self:
            raise KeyError(name)
        self.delete(name)

    def __contains__(self, name: object) -> bool:
        return any(cookie.name == name for cookie in self.jar)

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(cookie.name for cookie in self.jar))

    def __len__(self) -> int:
        return len({cookie.name for cookie in self.jar})

    def __repr__(self) -> str:
        return f"Cookies({dict(self)!r})"


def parse_set_cookie(field: str, url: URL) -> Cookie | None:
    """Parse a ``set-cookie`` field of a response from ``url`` (RFC 6265, sections 5.2 and 5.3).

    :returns: the cookie; None if a browser would ignore it.
    """
    first, *rest = field.split(";")
    name, equals, value = first.partition("=")
    name = name.strip()
    if not equals or not name:
        return None
    attributes = {key.strip().lower(): text.strip() for key, _, text in (each.partition("=") for each in rest)}
    domain = attributes.get("domain", "").lstrip(".").lower()
    if domain and not _domain_matches(url.host, domain, host_only=False):
        return None
    path = attributes.get("path", "")
    return Cookie(
        name,
        value.strip(),
        domain or url.host,
        path if path.startswith("/") else url.path.rpartition("/")[0] or "/",
        _expiry(attributes),
        "secure" in attributes,
        not domain,
        "httponly" in attributes,
        attributes.get("samesite", ""),
    )


def _expiry(attributes: dict[str, str]) -> float | None:
    age = attributes.get("max-age", "")
    if age.removeprefix("-").isdigit():
        return time.time() + int(age) if int(age) > 0 else 0.0
    try:
        return parsedate_to_datetime(attributes.get("expires", "")).timestamp()
    except (TypeError, ValueError, OverflowError):
        return None


def _domain_matches(host: str, domain: str, host_only: bool) -> bool:
    return not domain or host == domain or (not host_only and host.endswith("." + domain))


def _path_matches(path: str, prefix: str) -> bool:
    return path == prefix or path.startswith(prefix if prefix.endswith("/") else prefix + "/")
