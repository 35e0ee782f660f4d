"""Caching: entity tags, preconditions, and ``cache-control``.

Sources: RFC 9110 8.8 and 13 (validators, conditional requests), RFC 9111 5.2.2 (``cache-control``), RFC 8246
(``immutable``).
"""

from __future__ import annotations

import re
from email.utils import formatdate, parsedate_to_datetime
from enum import Enum
from hashlib import blake2b

from atlas.web.headers import Headers, MutableHeaders

__all__ = [
    "Precondition",
    "cache_control",
    "entity_tag",
    "evaluate",
    "http_date",
    "keep_private",
    "parse_date",
    "range_applies",
]

_TAG = re.compile(r"[\x21\x23-\x7e\x80-\xff]*")  # etagc, RFC 9110 8.8.3
_TAGS = re.compile(r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"')
_FLAGS = (
    "public",
    "private",
    "no_cache",
    "no_store",
    "no_transform",
    "must_revalidate",
    "proxy_revalidate",
    "must_understand",
    "immutable",
)
_SECONDS = ("s_maxage", "stale_while_revalidate", "stale_if_error")


class Precondition(Enum):
    """The result of evaluating the preconditions of a request; the value is the status to answer with."""

    PASSED = 200
    NOT_MODIFIED = 304
    FAILED = 412


def entity_tag(source: bytes | str, *, weak: bool = False) -> str:
    """Format an entity tag (RFC 9110 8.8.3).

    :param source: ``bytes`` to hash, or the text of the tag.
    :param weak: whether the tag is weak; False by default.
    :returns: ``"..."``, or ``W/"..."``.
    :raises ValueError: for a character that an entity tag cannot contain.
    """
    text = blake2b(source, digest_size=12).hexdigest() if isinstance(source, bytes) else source
    if not _TAG.fullmatch(text):
        raise ValueError(f"entity tag {text!r}: expected visible characters without quotes (RFC 9110 8.8.3)")
    return f'W/"{text}"' if weak else f'"{text}"'


def cache_control(seconds: int | None = None, **directives: bool | int) -> str:
    """Format the value of a ``cache-control`` field (RFC 9111 5.2.2).

    :param seconds: ``max-age``, in seconds; None for no ``max-age``.
    :param directives: ``public=True``, ``no_store=True``, ``s_maxage=60`` ...
    :returns: the value; ``no-cache`` without any directive.
    :raises ValueError: for an unknown directive, a time that is not a number of seconds, or directives that contradict
        each other.
    """
    parts = [name.replace("_", "-") for name in _FLAGS if directives.pop(name, False)]
    if "no-store" in parts and (seconds or "immutable" in parts):
        raise ValueError("cache: no_store and a time to keep it contradict each other")
    if "public" in parts and "private" in parts:
        raise ValueError("cache: public and private contradict each other")
    if seconds is not None:
        parts.append(f"max-age={_seconds('max_age', seconds)}")
    given = [(name, directives.pop(name)) for name in _SECONDS if name in directives]
    parts += [f"{name.replace('_', '-')}={_seconds(name, value)}" for name, value in given]
    if directives:
        known = ", ".join((*_FLAGS, *_SECONDS))
        raise ValueError(f"cache: no directive {next(iter(directives))!r}; known are {known}")
    return ", ".join(parts) or "no-cache"


def _seconds(name: str, value: int) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"cache: {name}: expected a number of seconds, got {value!r}")
    return value


def http_date(seconds: float) -> str:
    """Format a time as an HTTP date (RFC 9110 5.6.7).

    :param seconds: seconds since the epoch.
    """
    return formatdate(int(seconds), usegmt=True)


def parse_date(value: str | None) -> float | None:
    """Parse an HTTP date.

    :param value: the value of a field; None if there is none.
    :returns: seconds since the epoch; None for a value that is not a date.
    """
    if not value:
        return None
    try:
        return parsedate_to_datetime(value).timestamp()
    except (TypeError, ValueError, OverflowError):
        return None


def evaluate(method: str, headers: Headers, etag: str | None, modified: float | None) -> Precondition:
    """Evaluate the preconditions of a request, in the order of RFC 9110 13.2.2.

    :param method: the method of the request.
    :param headers: the header fields of the request.
    :param etag: entity tag of the selected representation, in quotes; None if it has none.
    :param modified: time of its last change, in seconds since the epoch; None if it is not known.
    :returns: whether to send the response, or which status to answer with.
    """
    if not _passes_match(headers, etag, modified):
        return Precondition.FAILED
    reading = method in ("GET", "HEAD")
    tags = headers.get_all("if-none-match")
    if tags:  # if-modified-since is ignored then, RFC 9110 13.1.3
        if not _matches(tags, etag, weakly=True):
            return Precondition.PASSED
        return Precondition.NOT_MODIFIED if reading else Precondition.FAILED
    if not reading or modified is None:
        return Precondition.PASSED
    since = parse_date(headers.get("if-modified-since"))
    return Precondition.NOT_MODIFIED if since is not None and int(modified) <= since else Precondition.PASSED


def _passes_match(headers: Headers, etag: str | None, modified: float | None) -> bool:
    tags = headers.get_all("if-match")
    if tags:
        return _matches(tags, etag, weakly=False)
    until = parse_date(headers.get("if-unmodified-since"))
    return until is None or modified is None or int(modified) <= until


def _matches(values: list[str], etag: str | None, *, weakly: bool) -> bool:
    """Return whether an entity tag is in a list. A weak tag never matches in strong comparison (RFC 9110 8.8.3.2)."""
    whole = ",".join(values)
    if whole.strip() == "*":
        return etag is not None
    if etag is None or (etag.startswith("W/") and not weakly):
        return False
    wanted = etag.removeprefix("W/")
    return any((tag.removeprefix("W/") if weakly else tag) == wanted for tag in _TAGS.findall(whole))


def range_applies(headers: Headers, etag: str | None, modified: float | None) -> bool:
    """Evaluate ``if-range`` (RFC 9110 13.1.5).

    :param headers: the header fields of the request.
    :param etag: entity tag of the selected representation, in quotes; None if it has none.
    :param modified: time of its last change, in seconds since the epoch; None if it is not known.
    :returns: whether the ``range`` field applies: the representation is the one that the client has a part of.
    """
    value = headers.get("if-range")
    if value is None:
        return True
    value = value.strip()
    if value.startswith(('"', "W/")):
        return etag is not None and not etag.startswith("W/") and value == etag
    date = parse_date(value)
    return date is not None and modified is not None and date == int(modified)


def keep_private(headers: MutableHeaders, *, new_cookie: bool) -> None:
    """Mark a response as specific to one visitor; directives that the controller has set stay.

    :param headers: the header fields of the response.
    :param new_cookie: whether the response sets a cookie, which a shared cache must not store, not even with ``public``
        (RFC 9111 7.3).
    """
    headers.vary("cookie")
    value = headers.get("cache-control")
    if new_cookie and (value is None or ("private" not in value and "no-store" not in value)):
        headers["cache-control"] = "no-store"
    elif value is None:
        headers["cache-control"] = "private"
