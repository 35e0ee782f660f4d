"""Cookies: the parser of ``cookie``, and the formatter of ``set-cookie`` (RFC 6265 4)."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Literal
from urllib.parse import quote

from atlas.web.multidict import missing_value

__all__ = ["Cookies", "cookie_name", "cookie_path", "format_cookie", "parse_cookies"]

_NO_WORD = re.compile(r"[^0-9A-Za-z]+")
_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VALUE = re.compile(r"[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*")  # cookie-octet, RFC 6265 4.1.1
_PATH = re.compile(r"/[\x20-\x3a\x3c-\x7e]*")
_DOMAIN = re.compile(r"\.?[A-Za-z0-9]([A-Za-z0-9\-.]*[A-Za-z0-9])?")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")

MAX_COOKIES = 300  # browsers keep at most 180 for a site
MAX_SIZE = 4096  # name, value and attributes: browsers drop what is longer (RFC 6265 6.1)


class Cookies(dict[str, str]):
    """The cookies of a request: a missing one is answered with 400."""

    __slots__ = ()

    def __missing__(self, name: str) -> str:
        raise missing_value("cookie", name, self)


def parse_cookies(values: list[str]) -> dict[str, str]:
    """Parse ``cookie`` fields (RFC 6265 5.4).

    A malformed cookie is ignored: another program on the same host may have set it.

    :param values: the values of all ``cookie`` fields.
    :returns: the values by name. Of two cookies with the same name the first one is kept: its path is longer.
    :raises ValueError: for a control character, or more than :data:`MAX_COOKIES` cookies.
    """
    cookies: dict[str, str] = {}
    for header in values:
        if _CONTROL.search(header):
            raise ValueError("a cookie has a control character")
        if header.count(";") + len(cookies) >= MAX_COOKIES:
            raise ValueError(f"there are more than {MAX_COOKIES} cookies")
        for part in header.split(";"):
            name, equals, value = part.partition("=")
            name, value = name.strip(), value.strip()
            if len(value) > 1 and value[0] == value[-1] == '"':
                value = value[1:-1]
            if equals and name:
                cookies.setdefault(name, value)
    return cookies


def format_cookie(
    name: str,
    value: str,
    *,
    max_age: int | None = None,
    expires: datetime | None = None,
    path: str | None = "/",
    domain: str | None = None,
    secure: bool = False,
    httponly: bool = True,
    samesite: Literal["lax", "strict", "none"] | None = "lax",
    partitioned: bool = False,
) -> str:
    """Format the value of a ``set-cookie`` field (RFC 6265 4.1).

    :param name: the name, a token.
    :param value: the value.
    :param max_age: seconds until the browser deletes the cookie; None for the end of its session.
    :param expires: the same as a point in time, with a time zone.
    :param path: the path below which the browser sends the cookie, ``/`` by default.
    :param domain: the domain whose subdomains get the cookie too; None for this host only.
    :param secure: whether to send the cookie over TLS only; False by default.
    :param httponly: whether to keep the cookie from scripts; True by default.
    :param samesite: which requests from other sites carry the cookie, ``"lax"`` by default.
    :param partitioned: whether to keep the cookie apart for each site that embeds this one (CHIPS); False by default.
    :returns: the value, at most :data:`MAX_SIZE` bytes.
    :raises ValueError: for a value that RFC 6265 4.1.1 does not allow, and for a cookie that browsers would drop.
    """
    parts = [f"{_check_name(name)}={_check_value(name, value)}"]
    for key, attribute, fits in (("Path", path, _PATH), ("Domain", domain, _DOMAIN)):
        if attribute is not None:
            if not fits.fullmatch(attribute):
                raise ValueError(f"cookie {name!r}: {key.lower()} {attribute!r} is not possible")
            parts.append(f"{key}={attribute}")
    if max_age is not None:
        if type(max_age) is not int:
            raise ValueError(f"cookie {name!r}: max_age: expected a number of seconds, got {max_age!r}")
        parts.append(f"Max-Age={max_age}")
    if expires is not None:
        if expires.tzinfo is None:
            raise ValueError(f"cookie {name!r}: expires: {expires!r} has no time zone")
        parts.append(f"Expires={format_datetime(expires.astimezone(UTC), usegmt=True)}")
    parts += ["Secure"] * secure + ["HttpOnly"] * httponly
    if samesite is not None:
        if samesite not in ("lax", "strict", "none"):
            raise ValueError(f"cookie {name!r}: samesite: expected 'lax', 'strict', 'none' or None, got {samesite!r}")
        parts.append(f"SameSite={samesite.capitalize()}")
    parts += ["Partitioned"] * partitioned
    _check_rules(name, path, domain, secure, samesite, partitioned)
    cookie = "; ".join(parts)
    if len(cookie) > MAX_SIZE:
        raise ValueError(f"cookie {name!r} has {len(cookie)} bytes; browsers drop what has more than {MAX_SIZE}")
    return cookie


def cookie_path(root_path: str) -> str:
    """Return the path of a cookie for an application under a root path.

    :param root_path: the root path, decoded; "" for none.
    :returns: the root path as browsers compare it, percent-encoded; ``/`` for none.
    """
    return quote(root_path.rstrip("/"), safe="/!$&'()*+,=:@~") or "/"


def cookie_name(name: str, root_path: str) -> str:
    """Return the default name of a cookie for an application under a root path: ``session_shop`` under ``/shop``.

    :param name: the name without a root path.
    :param root_path: the root path, decoded; "" for none.
    """
    suffix = "_".join(_NO_WORD.split(root_path)).strip("_")
    return f"{name}_{suffix}" if suffix else name


def _check_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError(f"cookie name {name!r}: expected a token (RFC 6265 4.1.1)")
    return name


def _check_value(name: str, value: str) -> str:
    if not _VALUE.fullmatch(value):
        raise ValueError(f"cookie {name!r}: {value!r} has a character that a cookie cannot carry; encode it first")
    return value


def _check_rules(
    name: str, path: str | None, domain: str | None, secure: bool, samesite: str | None, partitioned: bool
) -> None:
    """Check attributes that depend on each other, or browsers drop the cookie (RFC 6265bis 4.1.2 and 4.1.3)."""
    prefix = name.lower()
    for asks, why in (
        (samesite == "none", "samesite='none'"),
        (partitioned, "partitioned=True"),
        (prefix.startswith(("__secure-", "__host-")), "such a name"),
    ):
        if asks and not secure:
            raise ValueError(f"cookie {name!r}: browsers drop {why} without secure=True")
    if prefix.startswith("__host-") and (path != "/" or domain is not None):
        raise ValueError(f"cookie {name!r}: browsers drop such a name without path='/', or with a domain")
