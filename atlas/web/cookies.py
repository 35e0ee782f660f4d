"""Cookies: reading what the browser sends, writing what it shall keep (RFC 6265 4)."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Literal

__all__ = ["format_cookie", "parse_cookies"]

_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VALUE = re.compile(r"[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*")  # cookie-octet, RFC 6265 4.1.1
_ATTRIBUTE = re.compile(r"[\x20-\x3a\x3c-\x7e]*")


def parse_cookies(values: list[str]) -> dict[str, str]:
    """Every cookie of the ``cookie`` fields. Of a name sent twice the first counts: its path is the longer one."""
    cookies: dict[str, str] = {}
    for header in values:
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
) -> str:
    """The value of one ``set-cookie`` field.

    :raises ValueError: for a name, value, path or domain that RFC 6265 4.1.1 has no room for.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(f"cookie name {name!r}: expected a token (RFC 6265 4.1.1)")
    if not _VALUE.fullmatch(value):
        raise ValueError(f"cookie {name!r}: {value!r} has a character that a cookie cannot carry; encode it first")
    if samesite == "none" and not secure:
        raise ValueError(f"cookie {name!r}: browsers drop samesite='none' without secure=True")
    parts = [f"{name}={value}"]
    for key, attribute in (("Path", path), ("Domain", domain)):
        if attribute is not None:
            if not _ATTRIBUTE.fullmatch(attribute):
                raise ValueError(f"cookie {name!r}: {key.lower()} {attribute!r} is not possible")
            parts.append(f"{key}={attribute}")
    if max_age is not None:
        parts.append(f"Max-Age={int(max_age)}")
    if expires is not None:
        parts.append(f"Expires={format_datetime(expires.astimezone(UTC), usegmt=True)}")
    parts += ["Secure"] * secure + ["HttpOnly"] * httponly
    if samesite is not None:
        parts.append(f"SameSite={samesite.capitalize()}")
    return "; ".join(parts)
