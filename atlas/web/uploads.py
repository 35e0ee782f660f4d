"""Forms in parts (``multipart/form-data``, RFC 7578), read piece by piece, and the files that they bring.

Files stay in memory up to a size and go to unnamed temporary files from there on. What the client calls a file is told
and never used: nothing here makes a path of it.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from importlib import import_module
from io import BytesIO
from math import inf
from pathlib import Path
from typing import Any, BinaryIO, TypeVar, cast

from atlas.gateway.threads import in_thread
from atlas.web.errors import BadRequest, ContentTooLarge
from atlas.web.forms import LIMITS, FormLimits
from atlas.web.multidict import ManyValues, MultiDict

__all__ = ["AsyncUpload", "Form", "MultipartReader", "Upload", "UploadHead", "parse_multipart", "plain_name"]

PIECE = 64 * 1024
LONGEST_BOUNDARY = 70  # RFC 2046 5.1.1
U = TypeVar("U", bound="UploadHead")


def plain_name(filename: str) -> str:
    """What is left of a client's file name without its folders, control characters and outer dots: fit to be shown.

    Even so it is the client's: two may be the same, and it may be empty. Files are stored under names of one's own.
    """
    last = filename.replace("\\", "/").rpartition("/")[2]
    return "".join(sign for sign in last if sign.isprintable()).strip(" .")[:255]


class Stored:
    """The bytes of one file, in memory or on the disk."""

    __slots__ = ("content_type", "file", "filename", "headers", "on_disk", "size")

    def __init__(self, filename: str, content_type: str, headers: list[tuple[str, str]]) -> None:
        self.filename = filename
        self.content_type = content_type
        self.headers = headers
        self.file: BinaryIO = BytesIO()
        self.on_disk = False
        self.size = 0

    def write(self, piece: bytes) -> None:
        self.file.write(piece)
        self.size += len(piece)

    def to_disk(self) -> None:
        """Go on in a file without a name, which is gone when it is closed, whatever happens."""
        memory, self.file = cast(BytesIO, self.file), cast(BinaryIO, tempfile.TemporaryFile())  # noqa: SIM115  # closed by close()
        self.on_disk = True
        self.file.write(memory.getbuffer())

    def close(self) -> None:
        self.file.close()

    # A form that nobody closed ends with its request; the file shall not wait for a warning to be closed.
    __del__ = close


class UploadHead:
    """A file that came with a form.

    :ivar filename: what the client calls it, without folders. It is no path: see :func:`plain_name`.
    :ivar raw_filename: the same as it came. :ivar content_type: what the client takes it for.
    :ivar size: its bytes. :ivar headers: the header fields of its part. :ivar file: the open file itself.
    """

    __slots__ = ("_stored", "content_type", "file", "filename", "headers", "raw_filename", "size")

    def __init__(self, stored: Stored) -> None:
        self._stored = stored
        self.raw_filename = stored.filename
        self.filename = plain_name(stored.filename)
        self.content_type = stored.content_type
        self.headers = stored.headers
        self.size = stored.size
        self.file = stored.file

    def _copy_to(self, path: str | os.PathLike[str]) -> None:
        self.file.seek(0)
        with Path(path).open("wb") as target:
            shutil.copyfileobj(self.file, target, PIECE)

    def close(self) -> None:
        """Let go of the file now; without it that comes with the end of the request."""
        self._stored.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.filename!r} {self.content_type} {self.size} bytes>"


class Upload(UploadHead):
    """A file that came with a form, in a ``def`` controller."""

    __slots__ = ()

    def read(self, size: int = -1) -> bytes:
        """The next ``size`` bytes; all that is left without a size."""
        return self.file.read(size)

    def seek(self, offset: int) -> None:
        """Go on reading from this byte on."""
        self.file.seek(offset)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the whole file to ``path``, in the place of what is there. The path is yours, never the client's."""
        self._copy_to(path)

    def __iter__(self) -> Iterator[bytes]:
        """The rest of it, in pieces."""
        while piece := self.file.read(PIECE):
            yield piece


class AsyncUpload(UploadHead):
    """A file that came with a form, in an ``async def`` controller: what may ask the disk is awaited."""

    __slots__ = ()

    async def read(self, size: int = -1) -> bytes:
        """The next ``size`` bytes; all that is left without a size."""
        if self._stored.on_disk:
            return await in_thread(self.file.read, size)
        return self.file.read(size)

    async def seek(self, offset: int) -> None:
        """Go on reading from this byte on."""
        self.file.seek(offset)

    async def save(self, path: str | os.PathLike[str]) -> None:
        """Write the whole file to ``path``, in the place of what is there. The path is yours, never the client's."""
        await in_thread(self._copy_to, path)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """The rest of it, in pieces."""
        while piece := await self.read(PIECE):
            yield piece


class Form:
    """A form that was read: its fields, and its files under their fields' names."""

    __slots__ = ("fields", "stored")

    def __init__(self, fields: MultiDict, stored: list[tuple[str, Stored]] | None = None) -> None:
        self.fields = fields
        self.stored = stored or []

    def files(self, kind: type[U]) -> ManyValues[U]:
        """The files as a controller of one colour sees them."""
        return ManyValues((name, kind(stored)) for name, stored in self.stored)


class MultipartReader:
    """Takes the body of a form in parts, piece by piece.

    :param content_type: the ``content-type`` field, with the boundary.
    :raises BadRequest: for a boundary that is none.

    :meth:`feed` and :meth:`finish` raise BadRequest for what is malformed, and ContentTooLarge over a limit; what was
    stored by then is closed.
    """

    __slots__ = ("_errors", "_fields", "_in_memory", "_limits", "_name", "_parser", "_stored", "_text", "_text_size")

    def __init__(self, content_type: str, limits: FormLimits = LIMITS) -> None:
        # Loaded with the first form. By name: two packages call a module this, and only one of them has types.
        library: Any = import_module("multipart")
        boundary = library.parse_options_header(content_type)[1].get("boundary", "")
        if not 0 < len(boundary) <= LONGEST_BOUNDARY or not (boundary.isascii() and boundary.isprintable()):
            raise BadRequest(f"the form's content type has no boundary of 1 to {LONGEST_BOUNDARY} characters")
        self._errors = (library.MultipartError, library.ParserLimitReached)
        self._limits = limits
        self._parser = library.PushMultipartParser(
            boundary,
            max_header_size=limits.part_header_size,
            max_header_count=limits.part_headers,
            max_segment_size=inf if limits.file_size is None else max(limits.file_size, limits.text),
            max_segment_count=limits.fields + limits.files,
        )
        self._fields: list[tuple[str, str]] = []
        self._stored: list[tuple[str, Stored]] = []
        self._name = ""
        self._text: list[bytes] | None = None  # of the field that is being read; None for a file
        self._text_size = 0
        self._in_memory = 0

    def touches_disk(self, size: int) -> bool:
        """Whether taking so many bytes more may ask the disk, so that it is better done in a thread."""
        on_disk = bool(self._stored) and self._stored[-1][1].on_disk
        return on_disk or self._in_memory + size > self._limits.memory

    def feed(self, piece: bytes) -> None:
        """Take the next bytes of the body."""
        if not piece:  # which would be the end to the parser
            return
        with self._refusing():
            for event in self._parser.parse(piece):
                if event is None:
                    self._end()
                elif isinstance(event, bytes | bytearray):
                    self._take(bytes(event))
                else:
                    self._begin(event)

    def finish(self) -> Form:
        """The form, after the last byte."""
        with self._refusing():
            self._parser.close()
        for _, stored in self._stored:
            stored.file.seek(0)
        return Form(MultiDict(self._fields), [pair for pair in self._stored if pair[1].filename])

    def close(self) -> None:
        """Let go of what was stored."""
        for _, stored in self._stored:
            stored.close()

    def _refusing(self) -> _Refusing:
        return _Refusing(self, *self._errors)

    def _begin(self, part: Any) -> None:
        if not part.name:
            raise BadRequest("a part of the form has no name")
        self._name = part.name
        if part.filename is None:
            self._text = []
            self._count_text(len(part.name))
            if len(self._fields) >= self._limits.fields:
                raise ContentTooLarge(f"a form has at most {self._limits.fields} fields")
            return
        self._text = None
        if len(self._stored) >= self._limits.files:
            raise ContentTooLarge(f"a form has at most {self._limits.files} files")
        kind = part.content_type or "application/octet-stream"
        self._stored.append((part.name, Stored(part.filename, kind, list(part.headerlist))))

    def _take(self, piece: bytes) -> None:
        if self._text is not None:
            self._count_text(len(piece))
            self._text.append(piece)
            return
        stored = self._stored[-1][1]
        limit = self._limits.file_size
        if limit is not None and stored.size + len(piece) > limit:
            raise ContentTooLarge(f"a file has at most {limit} bytes here")
        if not stored.on_disk:
            self._in_memory += len(piece)
            if self._in_memory > self._limits.memory:
                self._in_memory -= len(piece) + stored.size
                stored.to_disk()
        stored.write(piece)

    def _end(self) -> None:
        if self._text is not None:
            try:
                self._fields.append((self._name, b"".join(self._text).decode()))
            except UnicodeDecodeError:
                raise BadRequest(f"the form's field {self._name!r} is not UTF-8") from None

    def _count_text(self, size: int) -> None:
        self._text_size += size
        if self._text_size > self._limits.text:
            raise ContentTooLarge(f"a form has at most {self._limits.text} bytes of text")


class _Refusing:
    """Turns what the parser says of a malformed form into an answer, and lets go of what was stored."""

    __slots__ = ("_malformed", "_reader", "_too_much")

    def __init__(self, reader: MultipartReader, malformed: type[Exception], too_much: type[Exception]) -> None:
        self._reader, self._malformed, self._too_much = reader, malformed, too_much

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if error is None:
            return
        self._reader.close()
        if isinstance(error, self._too_much):
            raise ContentTooLarge(f"the form is over a limit: {error.args[0]}") from None
        if isinstance(error, self._malformed):
            raise BadRequest(f"the form is malformed: {error.args[0]}") from None


def parse_multipart(body: bytes, content_type: str, limits: FormLimits = LIMITS) -> Form:
    """A form in parts whose body is there already. :raises HTTPException: as :class:`MultipartReader` does."""
    # It is in memory now; writing parts of it to the disk would free nothing, and hold the event loop.
    reader = MultipartReader(content_type, replace(limits, memory=len(body)))
    reader.feed(body)
    return reader.finish()
