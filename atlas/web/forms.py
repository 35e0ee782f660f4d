"""Forms, read within bounds: which bodies are some, how large they may be, and the urlencoded sort.

The other sort, ``multipart/form-data``, has its own room: :mod:`atlas.web.uploads`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl

from atlas.web.errors import BadRequest, ContentTooLarge, UnsupportedMediaType
from atlas.web.multidict import MultiDict

__all__ = ["FormLimits", "check_form_type", "is_multipart", "parse_urlencoded"]

URLENCODED, MULTIPART = "application/x-www-form-urlencoded", "multipart/form-data"
_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")


@dataclass(frozen=True, slots=True, kw_only=True)
class FormLimits:
    """What a form may be made of. How large all of it may be is the route's ``limit_body``.

    :param fields: how many fields with text. :param text: bytes of them, names included, all together.
    :param files: how many files. :param file_size: bytes of one; None for no limit beside that of the body.
    :param memory: bytes of files that are kept in memory, all together; from there on they go to the disk.
    :param part_headers: header fields of one part. :param part_header_size: bytes of one of them.
    """

    fields: int = 1000
    text: int = 1024 * 1024
    files: int = 100
    file_size: int | None = None
    memory: int = 1024 * 1024
    part_headers: int = 8
    part_header_size: int = 4096


LIMITS = FormLimits()


def check_form_type(content_type: str) -> None:
    """Refuse what is no form. A request without a content type counts as one: it has no fields.

    :raises UnsupportedMediaType: for another type.
    """
    if _media_type(content_type) not in ("", URLENCODED, MULTIPART):
        accepted = f"{URLENCODED}, {MULTIPART}"
        raise UnsupportedMediaType(f"expected a form ({accepted})", {"accept-post": accepted})


def is_multipart(content_type: str) -> bool:
    """Whether a body of this type is a form in parts, which may bring files."""
    return _media_type(content_type) == MULTIPART


def _media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def parse_urlencoded(data: bytes, *, what: str = "form", limits: FormLimits = LIMITS) -> MultiDict:
    """The fields of a form body or a query string, in their order, empty ones included.

    :param what: the word for it in messages.
    :raises BadRequest: for too many fields, for a ``%`` that escapes nothing, or for text that is no UTF-8.
    :raises ContentTooLarge: for too many bytes.
    """
    if len(data) > limits.text:
        raise ContentTooLarge(f"a {what} has at most {limits.text} bytes of text")
    if data.count(b"&") >= limits.fields:
        raise BadRequest(f"a {what} has at most {limits.fields} fields")
    if b"%" in data and (bad := _BAD_ESCAPE.search(data)):
        raise BadRequest(f"the {what} has a '%' without two hexadecimal digits behind it, at byte {bad.start()}")
    try:
        return MultiDict(parse_qsl(data.decode(), keep_blank_values=True, errors="strict"))
    except UnicodeDecodeError:
        raise BadRequest(f"the {what} is not UTF-8") from None
