"""Forms: their media types, their limits, and the parser of ``application/x-www-form-urlencoded``.

The parser of ``multipart/form-data`` is :mod:`atlas.web.requests.uploads`.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qsl

from atlas.web.exceptions import BadRequest, ContentTooLarge, UnsupportedMediaType
from atlas.web.multidict import MultiDict

__all__ = ["FormLimits", "check_form_type", "is_multipart", "parse_urlencoded"]

URLENCODED, MULTIPART = "application/x-www-form-urlencoded", "multipart/form-data"


@dataclass(frozen=True, slots=True, kw_only=True)
class FormLimits:
    """What a form may contain. The size of the whole body is limited by the route's ``limit_body``.

    :param fields: maximum number of text fields, 1000 by default.
    :param text: maximum size of all text fields together in bytes, names included; 1 MiB by default.
    :param files: maximum number of files, 100 by default.
    :param file_size: maximum size of one file in bytes; None, the default, for the limit of the body only.
    :param memory: size of all files together in bytes up to which they are kept in memory; above it they are written to
        disk. 1 MiB by default.
    :param part_headers: maximum number of header fields of one part, 8 by default.
    :param part_header_size: maximum size of one of them in bytes, 4096 by default.
    """

    fields: int = 1000
    text: int = 1024 * 1024
    files: int = 100
    file_size: int | None = None
    memory: int = 1024 * 1024
    part_headers: int = 8
    part_header_size: int = 4096


LIMITS = FormLimits()
"""The default limits."""


def check_form_type(content_type: str) -> None:
    """Check that a body is a form. A request without a content type passes: it is a form without fields.

    :param content_type: the ``content-type`` field, or "".
    :raises UnsupportedMediaType: for another media type (RFC 9110 15.5.16).
    """
    if _media_type(content_type) not in ("", URLENCODED, MULTIPART):
        accepted = f"{URLENCODED}, {MULTIPART}"
        raise UnsupportedMediaType(f"expected a form ({accepted})", {"accept-post": accepted})


def is_multipart(content_type: str) -> bool:
    """Return whether a body is ``multipart/form-data``, which may contain files.

    :param content_type: the ``content-type`` field, or "".
    """
    return _media_type(content_type) == MULTIPART


def _media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def parse_urlencoded(data: bytes, *, what: str = "form", limits: FormLimits = LIMITS) -> MultiDict:
    """Parse a form body or a query string (URL standard, "application/x-www-form-urlencoded parsing").

    What is malformed is no error: a ``%`` without two hexadecimal digits stays as it is, and what is not UTF-8 becomes
    U+FFFD. Links with ``?q=100%`` are typed by people, and browsers send them.

    :param data: the bytes.
    :param what: the subject of error messages: ``"form"``, the default, or ``"query"``.
    :param limits: what it may contain; only ``fields`` and ``text`` apply.
    :returns: the fields in their order, empty ones included.
    :raises BadRequest: for too many fields.
    :raises ContentTooLarge: over ``limits.text`` bytes.
    """
    if len(data) > limits.text:
        raise ContentTooLarge(f"a {what} has at most {limits.text} bytes of text")
    if data.count(b"&") >= limits.fields:
        raise BadRequest(f"a {what} has at most {limits.fields} fields")
    pairs = parse_qsl(data.decode(errors="replace"), keep_blank_values=True)
    return MultiDict(pairs, what="form field" if what == "form" else "query parameter")
