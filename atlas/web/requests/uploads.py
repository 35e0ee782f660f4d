"""Forms in parts (``multipart/form-data``, RFC 7578), parsed in chunks, and the files that they contain.

Files stay in memory up to a size, and are written to unnamed temporary files above it. The file name from the client is
reported, and never used as a path.
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

from atlas.gateway.threads import in_file_thread
from atlas.web.exceptions import BadRequest, ContentTooLarge
from atlas.web.multidict import ManyValues, MultiDict
from atlas.web.requests.forms import LIMITS, FormLimits

__all__ = [
    "AsyncUpload",
    "Form",
    "MultipartReader",
    "Upload",
    "UploadHead",
    "parse_multipart",
    "plain_name",
    "receive_multipart",
]

CHUNK_SIZE = 64 * 1024
MAX_BOUNDARY = 70  # characters, RFC 2046 5.1.1
U = TypeVar("U", bound="UploadHead")


def plain_name(filename: str) -> str:
    """Make a file name from the client fit to be shown: without folders, control characters and outer dots.

    It is not fit to be a path: two files may have the same name, and the name may be empty. Store files under names of
    your own.

    :param filename: the name, as the client sent it.
    :returns: at most 255 characters.
    """
    last = filename.replace("\\", "/").rpartition("/")[2]
    return "".join(sign for sign in last if sign.isprintable()).strip(" .")[:255]


class StoredFile:
    """The bytes of one file, in memory or on disk.

    :param filename: the name, as the client sent it.
    :param content_type: the media type, as the client sent it.
    :param headers: the header fields of the part.

    :ivar file: the open binary file.
    :ivar on_disk: whether the bytes are on disk.
    :ivar size: size in bytes.
    """

    __slots__ = ("content_type", "file", "filename", "headers", "on_disk", "size")

    def __init__(self, filename: str, content_type: str, headers: list[tuple[str, str]]) -> None:
        self.filename = filename
        self.content_type = content_type
        self.headers = headers
        self.file: BinaryIO = BytesIO()
        self.on_disk = False
        self.size = 0

    def write(self, chunk: bytes) -> None:
        """Append bytes."""
        self.file.write(chunk)
        self.size += len(chunk)

    def to_disk(self) -> None:
        """Move the bytes to a file without a name, which the system removes when it is closed."""
        memory, self.file = cast(BytesIO, self.file), cast(BinaryIO, tempfile.TemporaryFile())  # noqa: SIM115  # closed by close()
        self.on_disk = True
        self.file.write(memory.getbuffer())

    def close(self) -> None:
        """Close the file."""
        self.file.close()

    # A form that was not closed is collected with its request; closing the file here avoids a ResourceWarning.
    __del__ = close


class UploadHead:
    """A file of a form: what :class:`Upload` and :class:`AsyncUpload` have in common.

    :param stored: the bytes of the file.

    :ivar filename: the name from the client, without folders. It is not fit to be a path: see :func:`plain_name`.
    :ivar raw_filename: the name, as the client sent it.
    :ivar content_type: the media type, as the client sent it.
    :ivar size: size in bytes.
    :ivar headers: the header fields of the part, as pairs of name and value.
    :ivar file: the open binary file.
    """

    __slots__ = ("_stored", "content_type", "file", "filename", "headers", "raw_filename", "size")

    def __init__(self, stored: StoredFile) -> None:
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
            shutil.copyfileobj(self.file, target, CHUNK_SIZE)

    def close(self) -> None:
        """Close the file and free its memory or disk space now, and not with the end of the request."""
        self._stored.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.filename!r} {self.content_type} {self.size} bytes>"


class Upload(UploadHead):
    """A file of a form, in a ``def`` controller."""

    __slots__ = ()

    def read(self, size: int = -1) -> bytes:
        """Read from the file.

        :param size: number of bytes; all that are left by default.
        :returns: the bytes; empty at the end.
        """
        return self.file.read(size)

    def seek(self, offset: int) -> None:
        """Continue reading at a position.

        :param offset: bytes from the beginning of the file.
        """
        self.file.seek(offset)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the whole file to a path, and replace a file that exists there.

        :param path: a path that the program has chosen; never the name from the client.
        :raises OSError: if the path cannot be written.
        """
        self._copy_to(path)

    def __iter__(self) -> Iterator[bytes]:
        """Iterate over the rest of the file in chunks of at most 64 KiB."""
        while chunk := self.file.read(CHUNK_SIZE):
            yield chunk


class AsyncUpload(UploadHead):
    """A file of a form, in an ``async def`` controller: methods that may read from disk are awaited."""

    __slots__ = ()

    async def read(self, size: int = -1) -> bytes:
        """Read from the file.

        :param size: number of bytes; all that are left by default.
        :returns: the bytes; empty at the end.
        """
        if self._stored.on_disk:
            return await in_file_thread(self.file.read, size)
        return self.file.read(size)

    async def seek(self, offset: int) -> None:
        """Continue reading at a position.

        :param offset: bytes from the beginning of the file.
        """
        self.file.seek(offset)

    async def save(self, path: str | os.PathLike[str]) -> None:
        """Write the whole file to a path, and replace a file that exists there.

        :param path: a path that the program has chosen; never the name from the client.
        :raises OSError: if the path cannot be written.
        """
        await in_file_thread(self._copy_to, path)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Iterate over the rest of the file in chunks of at most 64 KiB."""
        while chunk := await self.read(CHUNK_SIZE):
            yield chunk


class Form:
    """A parsed form.

    :param fields: the text fields.
    :param stored: the files, each with the name of its field.
    """

    __slots__ = ("fields", "stored")

    def __init__(self, fields: MultiDict, stored: list[tuple[str, StoredFile]] | None = None) -> None:
        self.fields = fields
        self.stored = stored or []

    def files(self, kind: type[U]) -> ManyValues[U]:
        """Return the files for a controller.

        :param kind: :class:`Upload` for ``def``, :class:`AsyncUpload` for ``async def``.
        :returns: the files by the names of their fields.
        """
        return ManyValues(((name, kind(stored)) for name, stored in self.stored), what="file")


class MultipartReader:
    """Parser of a ``multipart/form-data`` body, fed in chunks.

    If :meth:`feed` or :meth:`finish` raises, the files that were stored are closed.

    :param content_type: the ``content-type`` field, with the boundary.
    :param limits: what the form may contain.
    :raises BadRequest: for a missing or malformed boundary.
    """

    __slots__ = ("_errors", "_fields", "_in_memory", "_limits", "_name", "_parser", "_stored", "_text", "_text_size")

    def __init__(self, content_type: str, limits: FormLimits = LIMITS) -> None:
        # Imported with the first form. By name: two packages have a module of this name, and only one of them has
        # types.
        library: Any = import_module("multipart")
        boundary = library.parse_options_header(content_type)[1].get("boundary", "")
        if not 0 < len(boundary) <= MAX_BOUNDARY or not (boundary.isascii() and boundary.isprintable()):
            raise BadRequest(f"the form's content type has no boundary of 1 to {MAX_BOUNDARY} characters")
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
        self._stored: list[tuple[str, StoredFile]] = []
        self._name = ""
        self._text: list[bytes] | None = None  # of the field that is being read; None for a file
        self._text_size = 0
        self._in_memory = 0

    def touches_disk(self, size: int) -> bool:
        """Return whether feeding more bytes may write to disk, so that it belongs in a thread.

        :param size: number of bytes to be fed.
        """
        on_disk = bool(self._stored) and self._stored[-1][1].on_disk
        return on_disk or self._in_memory + size > self._limits.memory

    def feed(self, chunk: bytes) -> None:
        """Parse the next bytes of the body.

        :param chunk: the bytes.
        :raises BadRequest: if the form is malformed.
        :raises ContentTooLarge: over a limit.
        """
        if not chunk:  # the parser takes an empty chunk for the end
            return
        with _ParserErrors(self, *self._errors):
            for event in self._parser.parse(chunk):
                if event is None:
                    self._end()
                elif isinstance(event, bytes | bytearray):
                    self._take(bytes(event))
                else:
                    self._begin(event)

    def finish(self) -> Form:
        """Return the form, after the last chunk was fed.

        :raises BadRequest: if the form is incomplete.
        """
        with _ParserErrors(self, *self._errors):
            self._parser.close()
        for _, stored in self._stored:
            stored.file.seek(0)
        return Form(MultiDict(self._fields, what="form field"), [pair for pair in self._stored if pair[1].filename])

    def close(self) -> None:
        """Close the files that were stored."""
        for _, stored in self._stored:
            stored.close()

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
        self._stored.append((part.name, StoredFile(part.filename, kind, list(part.headerlist))))

    def _take(self, chunk: bytes) -> None:
        if self._text is not None:
            self._count_text(len(chunk))
            self._text.append(chunk)
            return
        stored = self._stored[-1][1]
        limit = self._limits.file_size
        if limit is not None and stored.size + len(chunk) > limit:
            raise ContentTooLarge(f"a file has at most {limit} bytes here")
        if not stored.on_disk:
            self._in_memory += len(chunk)
            if self._in_memory > self._limits.memory:
                self._in_memory -= len(chunk) + stored.size
                stored.to_disk()
        stored.write(chunk)

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


class _ParserErrors:
    """Turns errors of the parser into HTTP errors. On any error the files that were stored are closed."""

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
    """Parse a form whose whole body is in memory.

    :param body: the body.
    :param content_type: the ``content-type`` field, with the boundary.
    :param limits: what the form may contain.
    :returns: the form; its files stay in memory.
    :raises BadRequest: if the form is malformed.
    :raises ContentTooLarge: over a limit.
    """
    # The body is in memory already: writing parts of it to disk would free nothing, and block the event loop.
    reader = MultipartReader(content_type, replace(limits, memory=len(body)))
    reader.feed(body)
    return reader.finish()


async def receive_multipart(chunks: AsyncIterator[bytes], content_type: str, limits: FormLimits = LIMITS) -> Form:
    """Parse a form while its body arrives. Pieces that may be written to disk are parsed in a thread.

    :param chunks: the body.
    :param content_type: the ``content-type`` field, with the boundary.
    :param limits: what the form may contain.
    :returns: the form.
    :raises BadRequest: if the form is malformed.
    :raises ContentTooLarge: over a limit. Also raises what ``chunks`` raises.
    """
    reader = MultipartReader(content_type, limits)
    try:
        async for chunk in chunks:
            if reader.touches_disk(len(chunk)):
                await in_file_thread(reader.feed, chunk)
            else:
                reader.feed(chunk)
        return reader.finish()
    except BaseException:
        reader.close()
        raise
