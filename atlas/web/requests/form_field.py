"""Finds one text field of a form, such as a token, without taking the form from the code that reads it later.

A form is read up to the field, and is not compared with :class:`~atlas.web.requests.forms.FormLimits`: what it may
contain is decided by the code that reads all of it.
"""

from __future__ import annotations

import re
from typing import Protocol
from urllib.parse import unquote_plus

from atlas.web.exceptions import BadRequest
from atlas.web.requests.charsets import parse_parameters
from atlas.web.requests.form_reader import Form
from atlas.web.requests.forms import is_multipart
from atlas.web.requests.multipart import MultipartParser, Part, boundary_of
from atlas.web.requests.request_head import RequestHead

__all__ = ["find_field"]

MAX_SIZE = 64 * 1024  # bytes of a field that can be found, with its name
_MAX_PART_FIELDS, _MAX_PART_FIELD_SIZE = 100, 64 * 1024


async def find_field(request: RequestHead, name: str) -> str | None:
    """Find the first text field of a name.

    :param request: the request. Its body can still be read.
    :param name: the name of the field.
    :returns: the text; None if the form has no such field of at most 64 KiB.
    :raises UnsupportedMediaType: if the body is not a form.
    :raises BadRequest: if a form in parts is malformed.
    :raises ContentTooLarge: over the limit of the body.
    :raises ClientDisconnected: if the client disconnects before the end of the body.
    """
    form: Form | None = request._cache.form
    if form is not None:
        return form.fields.get(name)
    request.check_form()
    parts = is_multipart(request.content_type)
    finder: _Finder = _PartFinder(name, request.content_type) if parts else _PairFinder(name)
    async for chunk in request.look_at_body():
        finder.feed(chunk)
        if finder.found is not None:
            return finder.found
    return finder.finish()


class _Finder(Protocol):
    found: str | None

    def feed(self, chunk: bytes) -> None:
        """Search the next bytes of the body, unless the field was found before."""

    def finish(self) -> str | None:
        """Return the field, after the last chunk."""


class _PairFinder:
    """Finds a field of an urlencoded form."""

    def __init__(self, name: str) -> None:
        self.found: str | None = None
        self._pattern = re.compile(rb"&%s=([^&]*)" % b"".join(map(_byte_pattern, name.encode())))
        self._rest = b"&"  # the field that is not complete yet; empty while one is dropped that is too long

    def feed(self, chunk: bytes) -> None:
        data = self._rest + chunk
        end = data.rfind(b"&")
        if end >= 0:
            self._search(data[:end])
            self._rest = data[end:]
        elif self._rest:
            self._rest = data
        if len(self._rest) > MAX_SIZE:
            self._rest = b""

    def finish(self) -> str | None:
        self._search(self._rest)
        return self.found

    def _search(self, data: bytes) -> None:
        if self.found is None and (match := self._pattern.search(data)) is not None:
            self.found = unquote_plus(match[1].decode("latin-1"), errors="replace")


def _byte_pattern(byte: int) -> bytes:
    """Return a pattern for a byte of a name, as it is and percent-encoded."""
    plain = rb"\+" if byte == 0x20 else re.escape(bytes([byte]))
    return b"(?:%s|(?i:%%%02x))" % (plain, byte)


class _PartFinder:
    """Finds a text field of a form in parts."""

    def __init__(self, name: str, content_type: str) -> None:
        boundary = boundary_of(parse_parameters(content_type)[1])
        self.found: str | None = None
        self._parser = MultipartParser(boundary, max_fields=_MAX_PART_FIELDS, max_field_size=_MAX_PART_FIELD_SIZE)
        self._name = name.encode().decode("latin-1")  # as a Part has it
        self._data: bytes | None = None  # the data of the field; None in another part

    def feed(self, chunk: bytes) -> None:
        for event in self._parser.feed(chunk):
            if self.found is not None:
                continue
            if isinstance(event, Part):
                self._data = b"" if event.name == self._name and event.filename is None else None
            elif self._data is None:
                continue
            elif isinstance(event, bytes):
                self._data = self._data + event if len(self._data) + len(event) <= MAX_SIZE else None
            else:
                self.found = self._data.decode("utf-8", "replace")

    def finish(self) -> str | None:
        if not self._parser.is_complete:
            raise BadRequest("the form is malformed: its last boundary is missing")
        return self.found
