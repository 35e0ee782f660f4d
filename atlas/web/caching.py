"""What a client has already: entity tags, preconditions, and who may keep a response for how long.

Source: RFC 9110 8.8 and 13 (validators, conditional requests), RFC 9111 5.2.2 (``cache-control``), RFC 8246
(``immutable``).
"""

from __future__ import annotations

import re
from email.utils import formatdate, parsedate_to_datetime
from enum import Enum
from hashlib import blake2b

from atlas.web.headers import Headers

__all__ = ["Verdict", "cache_control", "entity_tag", "http_date", "is_fresh", "judge", "parse_date", "range_applies"]

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


class Verdict(Enum):
    """What the preconditions of a request come to."""

    SEND = 200
    NOT_MODIFIED = 304
    FAILED = 412


def entity_tag(source: bytes | str, *, weak: bool = False) -> str:
    """An entity tag: ``"..."``, or ``W/"..."``.

    :param source: ``bytes`` to make one of, or the text of one.
    :raises ValueError: for text that no tag can have.
    """
    text = blake2b(source, digest_size=12).hexdigest() if isinstance(source, bytes) else source
    if not _TAG.fullmatch(text):
        raise ValueError(f"entity tag {text!r}: expected visible characters without quotes (RFC 9110 8.8.3)")
    return f'W/"{text}"' if weak else f'"{text}"'


def cache_control(seconds: int | None = None, **directives: bool | int) -> str:
    """The value of a ``cache-control`` field.

    :raises ValueError: for an unknown directive, seconds that are none, or directives that contradict each other.
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
    """A time since the epoch as an HTTP date (RFC 9110 5.6.7)."""
    return formatdate(int(seconds), usegmt=True)


def parse_date(value: str | None) -> float | None:
    """An HTTP date as seconds since the epoch; None for what is none."""
    if not value:
        return None
    try:
        return parsedate_to_datetime(value).timestamp()
    except (TypeError, ValueError, OverflowError):
        return None


def judge(method: str, headers: Headers, etag: str | None, modified: float | None) -> Verdict:
    """Weigh the preconditions of a request, in the order of RFC 9110 13.2.2.

    :param etag: of what would be sent, quoted; None if it has none.
    :param modified: when that was changed, in seconds since the epoch; None if nobody knows.
    """
    if not _may_go_on(headers, etag, modified):
        return Verdict.FAILED
    reading = method in ("GET", "HEAD")
    tags = headers.get_all("if-none-match")
    if tags:  # and then the date does not count, RFC 9110 13.1.3
        if not _matches(tags, etag, weakly=True):
            return Verdict.SEND
        return Verdict.NOT_MODIFIED if reading else Verdict.FAILED
    if not reading or modified is None:
        return Verdict.SEND
    since = parse_date(headers.get("if-modified-since"))
    return Verdict.NOT_MODIFIED if since is not None and int(modified) <= since else Verdict.SEND


def _may_go_on(headers: Headers, etag: str | None, modified: float | None) -> bool:
    tags = headers.get_all("if-match")
    if tags:
        return _matches(tags, etag, weakly=False)
    until = parse_date(headers.get("if-unmodified-since"))
    return until is None or modified is None or int(modified) <= until


def _matches(values: list[str], etag: str | None, *, weakly: bool) -> bool:
    """Whether a tag is among those of a field. Strong comparison knows no weak tags (RFC 9110 8.8.3.2)."""
    whole = ",".join(values)
    if whole.strip() == "*":
        return etag is not None
    if etag is None or (etag.startswith("W/") and not weakly):
        return False
    wanted = etag.removeprefix("W/")
    return any((tag.removeprefix("W/") if weakly else tag) == wanted for tag in _TAGS.findall(whole))


def is_fresh(headers: Headers, etag: str, modified: float) -> bool:
    """Whether what the client has is still good, so that 304 is the answer to a GET or HEAD."""
    return judge("GET", headers, etag, modified) is Verdict.NOT_MODIFIED


def range_applies(headers: Headers, etag: str | None, modified: float | None) -> bool:
    """Whether a ``range`` is to be heeded: what the client has a part of must still be the same (RFC 9110 13.1.5)."""
    value = headers.get("if-range")
    if value is None:
        return True
    value = value.strip()
    if value.startswith(('"', "W/")):
        return etag is not None and not etag.startswith("W/") and value == etag
    date = parse_date(value)
    return date is not None and modified is not None and date == int(modified)
