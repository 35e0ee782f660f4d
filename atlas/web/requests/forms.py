"""Forms: their media types, their limits, and the parser of ``application/x-www-form-urlencoded``.

``multipart/form-data`` is read by :mod:`atlas.web.requests.form_reader`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote_plus

from atlas.web.exceptions import BadRequest, ContentTooLarge, UnsupportedMediaType
from atlas.web.multidict import MultiDict
from atlas.web.requests.charsets import declared_charset, find_charset

__all__ = ["FormLimits", "FormSize", "check_form_type", "check_urlencoded", "is_multipart", "parse_urlencoded"]

URLENCODED, MULTIPART = "application/x-www-form-urlencoded", "multipart/form-data"
_CHARSET = re.compile(rb"(?:^|&)_charset_=([^&]{1,100})")
_PAYPAL_CHARSET = re.compile(rb"(?:^|&)charset=([^&]{1,100})")


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

    def check_text(self, size: int) -> None:
        """Check the size of the text of a form.

        :param size: size in bytes.
        :raises ContentTooLarge: if it is over :attr:`text`.
        """
        if size > self.text:
            raise ContentTooLarge(f"a form has at most {self.text} bytes of text", setting="FormLimits(text=)")


LIMITS = FormLimits()
"""The default limits."""


@dataclass(slots=True)
class FormSize:
    """What a form in parts contains, as far as it has been read.

    :ivar fields: the number of text fields.
    :ivar text: the size of all text fields together in bytes, names included.
    :ivar files: the number of files, empty file fields included.
    :ivar file_size: the size of the largest file in bytes.
    :ivar part_headers: the largest number of header fields of a part.
    :ivar part_header_size: the size of the largest one in bytes.
    """

    fields: int = 0
    text: int = 0
    files: int = 0
    file_size: int = 0
    part_headers: int = 0
    part_header_size: int = 0

    def check(self, limits: FormLimits) -> None:
        """Compare the form with limits.

        :param limits: the limits.
        :raises ContentTooLarge: if the form is over one of them.
        """
        limits.check_text(self.text)
        if self.fields > limits.fields:
            raise ContentTooLarge(f"a form has at most {limits.fields} fields", setting="FormLimits(fields=)")
        if self.files > limits.files:
            raise ContentTooLarge(f"a form has at most {limits.files} files", setting="FormLimits(files=)")
        if limits.file_size is not None and self.file_size > limits.file_size:
            raise ContentTooLarge(f"a file has at most {limits.file_size} bytes here", setting="FormLimits(file_size=)")
        if self.part_headers > limits.part_headers:
            raise ContentTooLarge(
                f"a part of a form has at most {limits.part_headers} header fields", setting="FormLimits(part_headers=)"
            )
        if self.part_header_size > limits.part_header_size:
            raise ContentTooLarge(
                f"a header field of a part of a form has at most {limits.part_header_size} bytes",
                setting="FormLimits(part_header_size=)",
            )


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


def check_urlencoded(data: bytes, limits: FormLimits = LIMITS, *, what: str = "form") -> None:
    """Compare a form body or a query string with limits, before it is parsed.

    :param data: the bytes.
    :param limits: what it may contain; only ``fields`` and ``text`` apply.
    :param what: the subject of error messages: ``"form"``, the default, or ``"query"``.
    :raises BadRequest: for too many fields.
    :raises ContentTooLarge: over ``limits.text`` bytes.
    """
    if len(data) > limits.text:
        raise ContentTooLarge(f"a {what} has at most {limits.text} bytes of text", setting="FormLimits(text=)")
    if data.count(b"&") >= limits.fields:
        raise BadRequest(f"a {what} has at most {limits.fields} fields")


def parse_urlencoded(
    data: bytes, *, what: str = "form", limits: FormLimits = LIMITS, charset: str | None = None
) -> MultiDict:
    """Parse a form body or a query string (URL standard, "application/x-www-form-urlencoded parsing").

    What is malformed is no error: a ``%`` without two hexadecimal digits stays as it is, and what cannot be decoded
    becomes U+FFFD. Links with ``?q=100%`` are typed by people, and browsers send them.

    :param data: the bytes.
    :param what: the subject of error messages: ``"form"``, the default, or ``"query"``.
    :param limits: what it may contain; only ``fields`` and ``text`` apply.
    :param charset: the character encoding; None, the default, for the one that a form names in the field ``_charset_``
        (HTML standard), or UTF-8. A form that is not UTF-8 is decoded as its field ``charset`` says: that is how PayPal
        names the encoding of its notices.
    :returns: the fields in their order, empty ones included.
    :raises BadRequest: for too many fields, or an unknown encoding in ``_charset_``.
    :raises ContentTooLarge: over ``limits.text`` bytes.
    """
    check_urlencoded(data, limits, what=what)
    if what == "query":
        return MultiDict(_pairs(data, "utf_8"), what="query parameter")
    return MultiDict(_pairs(data, charset or _charset_of(data)), what="form field")


def _pairs(data: bytes, charset: str, errors: str = "replace") -> list[tuple[str, str]]:
    return parse_qsl(data.decode(charset, errors), keep_blank_values=True, encoding=charset, errors=errors)


def _charset_of(data: bytes) -> str:
    """Return the character encoding of a form whose content type names none."""
    if b"charset" in data:
        if (charset := declared_charset(_value_of(data, _CHARSET), "the field '_charset_'")) is not None:
            return charset
        if (charset := find_charset(_value_of(data, _PAYPAL_CHARSET))) is not None:
            try:
                _pairs(data, "utf_8", "strict")
            except UnicodeDecodeError:
                return charset
    return "utf_8"


def _value_of(data: bytes, field: re.Pattern[bytes]) -> str:
    found = field.search(data)
    return unquote_plus(found[1].decode("latin-1")) if found is not None else ""
