"""The cookies of a client: kept from responses, sent with requests (RFC 6265)."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from atlas.testing.addresses import URL

__all__ = ["Cookie", "Cookies"]


@dataclass(frozen=True, slots=True)
class Cookie:
    """One cookie. ``domain`` "" goes to every host; ``host_only`` is no matter for subdomains."""

    name: str
    value: str
    domain: str = ""
    path: str = "/"
    expires: float | None = None
    secure: bool = False
    host_only: bool = True
    http_only: bool = False
    same_site: str = ""

    def goes_to(self, url: URL) -> bool:
        """Whether a request for that address carries it (RFC 6265 5.4)."""
        return (
            _domain_matches(url.host, self.domain, self.host_only)
            and _path_matches(url.path, self.path)
            and (url.scheme in ("https", "wss") or not self.secure)
        )


class Cookies(MutableMapping[str, str]):
    """A jar that reads like a dict: ``client.cookies["session"]``.

    :param values: cookies for every host and path.
    """

    def __init__(self, values: Mapping[str, str] | None = None) -> None:
        self._kept: dict[tuple[str, str, str], Cookie] = {}
        for name, value in (values or {}).items():
            self.set(name, value)

    def set(self, name: str, value: str, domain: str = "", path: str = "/") -> None:
        """Keep a cookie, for every host unless ``domain`` says which."""
        self._kept[domain, path, name] = Cookie(name, value, domain, path)

    def get(self, name: str, default: str | None = None, domain: str | None = None) -> str | None:  # type: ignore[override]
        """The value of a cookie, or ``default``."""
        found = [cookie for cookie in self.jar if cookie.name == name and domain in (None, cookie.domain)]
        return found[-1].value if found else default

    def delete(self, name: str, domain: str | None = None) -> None:
        """Forget a cookie of that name, wherever it goes. Nothing happens if there is none."""
        for key, cookie in list(self._kept.items()):
            if cookie.name == name and domain in (None, cookie.domain):
                del self._kept[key]

    @property
    def jar(self) -> list[Cookie]:
        """Every cookie with all that is known of it, the oldest first; those whose time is over are gone."""
        now = time.time()
        self._kept = {key: each for key, each in self._kept.items() if each.expires is None or each.expires > now}
        return list(self._kept.values())

    def header_for(self, url: URL) -> str:
        """The ``cookie`` field for a request, or ""; longer paths come first (RFC 6265 5.4)."""
        going = sorted((each for each in self.jar if each.goes_to(url)), key=lambda each: -len(each.path))
        return "; ".join(f"{each.name}={each.value}" for each in going)

    def keep(self, fields: list[str], url: URL) -> None:
        """Take in the ``set-cookie`` fields of a response from ``url``."""
        for field in fields:
            cookie = parse_set_cookie(field, url)
            if cookie is None:
                continue
            key = (cookie.domain, cookie.path, cookie.name)
            self._kept.pop(("", "/", cookie.name), None)  # one that the test has set gives way to the server's
            if cookie.expires is not None and cookie.expires <= time.time():
                self._kept.pop(key, None)
            else:
                self._kept[key] = cookie

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
    """One ``set-cookie`` field of a response from ``url``; None if nobody would take it (RFC 6265 5.2, 5.3)."""
    first, *rest = field.split(";")
    name, equals, value = first.partition("=")
    name = name.strip()
    if not equals or not name:
        return None
    about = {key.strip().lower(): text.strip() for key, _, text in (each.partition("=") for each in rest)}
    domain = about.get("domain", "").lstrip(".").lower()
    if domain and not _domain_matches(url.host, domain, host_only=False):
        return None
    path = about.get("path", "")
    return Cookie(
        name,
        value.strip(),
        domain or url.host,
        path if path.startswith("/") else url.path.rpartition("/")[0] or "/",
        _expiry(about),
        "secure" in about,
        not domain,
        "httponly" in about,
        about.get("samesite", ""),
    )


def _expiry(about: dict[str, str]) -> float | None:
    age = about.get("max-age", "")
    if age.removeprefix("-").isdigit():
        return time.time() + int(age) if int(age) > 0 else 0.0
    try:
        return parsedate_to_datetime(about.get("expires", "")).timestamp()
    except (TypeError, ValueError, OverflowError):
        return None


def _domain_matches(host: str, domain: str, host_only: bool) -> bool:
    return not domain or host == domain or (not host_only and host.endswith("." + domain))


def _path_matches(path: str, prefix: str) -> bool:
    return path == prefix or path.startswith(prefix if prefix.endswith("/") else prefix + "/")
