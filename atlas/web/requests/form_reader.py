"""Reads forms in parts (``multipart/form-data``, RFC 7578) in chunks, within limits."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from functools import partial
from typing import TypeVar

from atlas.gateway.threads import in_file_thread
from atlas.web.exceptions import BadRequest
from atlas.web.multidict import ManyValues, MultiDict
from atlas.web.requests.charsets import declared_charset, find_charset, parse_parameters
from atlas.web.requests.disk_space import DiskSpace
from atlas.web.requests.forms import LIMITS, FormLimits, FormSize, check_urlencoded, parse_urlencoded
from atlas.web.requests.multipart import MultipartParser, Part, boundary_of
from atlas.web.requests.uploads import StoredFile, UploadHead

__all__ = ["Form", "MultipartReader", "parse_multipart", "parse_pairs", "receive_multipart"]

U = TypeVar("U", bound=UploadHead)


class Form:
    """A parsed form.

    :param fields: the text fields.
    :param stored: the files, each with the name of its field.
    :param check: compares the form with limits, and raises an HTTPException if it is over one of them.
    :param charset: the character encoding that was passed for it; None for none.
    """

    __slots__ = ("charset", "check", "fields", "stored")

    def __init__(
        self,
        fields: MultiDict,
        stored: list[tuple[str, StoredFile]],
        check: Callable[[FormLimits], None],
        charset: str | None,
    ) -> None:
        self.fields = fields
        self.stored = stored
        self.check = check
        self.charset = charset

    def files(self, kind: type[U]) -> ManyValues[U]:
        """Return the files for a controller.

        :param kind: :class:`Upload` for ``def``, :class:`AsyncUpload` for ``async def``.
        :returns: the files by the names of their fields.
        """
        return ManyValues(((name, kind(stored)) for name, stored in self.stored), what="file")


class MultipartReader:
    """Reader of a ``multipart/form-data`` body, fed in chunks.

    If :meth:`feed` or :meth:`finish` raises, the files that were stored are closed.

    :param content_type: the ``content-type`` field, with the boundary.
    :param limits: what the form may contain.
    :param charset: the character encoding of names and text; None, the default, for that of the content type,
        the field ``_charset_`` (RFC 7578 4.6), or UTF-8. A part that names another one has precedence (RFC 7578 4.5).
    :raises BadRequest: for a missing or malformed boundary, or an unknown character encoding.
    """

    __slots__ = (
        "_charset",
        "_given",
        "_in_memory",
        "_limits",
        "_parser",
        "_part",
        "_size",
        "_space",
        "_stored",
        "_text",
        "_texts",
    )

    def __init__(self, content_type: str, limits: FormLimits = LIMITS, charset: str | None = None) -> None:
        parameters = parse_parameters(content_type)[1]
        declared = parameters.get("charset", "").strip('"')
        self._given = charset
        self._charset = charset or declared_charset(declared, "the form's content type")
        self._limits = limits
        self._parser = MultipartParser(
            boundary_of(parameters), max_fields=limits.part_headers, max_field_size=limits.part_header_size
        )
        self._size = FormSize()
        self._texts: list[tuple[Part, bytes]] = []
        self._stored: list[tuple[Part, StoredFile]] = []
        self._part: Part | None = None  # the part that is being read
        self._text: list[bytes] | None = None  # its data; None if it is a file
        self._in_memory = 0
        self._space = DiskSpace()

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
        try:
            for event in self._parser.feed(chunk):
                if isinstance(event, bytes):
                    self._take(event)
                elif event is not None:
                    self._begin(event)
                elif self._text is not None and self._part is not None:
                    self._texts.append((self._part, b"".join(self._text)))
        except BaseException:
            self.close()
            raise

    def finish(self) -> Form:
        """Return the form, after the last chunk was fed.

        :raises BadRequest: if the form is incomplete, or text is not in the encoding that applies to it.
        """
        try:
            if not self._parser.is_complete:
                raise BadRequest("the form is malformed: its last boundary is missing")
            charset = self._charset or declared_charset(self._named_charset(), "the field '_charset_'")
            fields = [(_name(part, charset), _decoded(part, data, charset)) for part, data in self._texts]
            chosen = [(part, file) for part, file in self._stored if _is_chosen(part, file)]
            stored = [(_name(part, charset), _named(file, part, charset)) for part, file in chosen]
            for _, file in stored:
                file.finish()
        except BaseException:
            self.close()
            raise
        self._size.part_headers, self._size.part_header_size = self._parser.most_fields, self._parser.largest_field
        return Form(MultiDict(fields, what="form field"), stored, self._size.check, self._given)

    @property
    def has_files_on_disk(self) -> bool:
        """Whether :meth:`finish` may write to disk, so that it belongs in a thread."""
        return any(file.on_disk for _, file in self._stored)

    def close(self) -> None:
        """Close the files that were stored."""
        for _, stored in self._stored:
            stored.close()
        self._space = DiskSpace()

    def _begin(self, part: Part) -> None:
        self._part = part
        if part.filename is None:
            self._text = []
            self._size.fields += 1
            self._size.text += len(part.name)
        else:
            self._text = None
            self._size.files += 1
            kind = part.content_type or "application/octet-stream"
            self._stored.append((part, StoredFile(part.filename, kind, part.headers)))
        self._size.check(self._limits)

    def _take(self, chunk: bytes) -> None:
        if self._text is not None:
            self._size.text += len(chunk)
            self._size.check(self._limits)
            self._text.append(chunk)
            return
        stored = self._stored[-1][1]
        self._size.file_size = max(self._size.file_size, stored.size + len(chunk))
        self._size.check(self._limits)
        if not stored.on_disk:
            self._in_memory += len(chunk)
            if self._in_memory > self._limits.memory:
                self._in_memory -= len(chunk) + stored.size
                stored.to_disk(self._space)
        stored.write(chunk)

    def _named_charset(self) -> str | None:
        return next((data[:100].decode("latin-1") for part, data in self._texts if part.name == "_charset_"), None)


def _is_chosen(part: Part, file: StoredFile) -> bool:
    """Return whether a file was chosen: browsers send a part without a file name and data for an empty file field."""
    return bool(part.filename or part.extended_filename or file.size)


def _name(part: Part, charset: str | None) -> str:
    """Return the name of a field."""
    if part.name.isascii():
        return part.name
    try:
        return part.name.encode("latin-1").decode(charset or "utf_8")
    except UnicodeDecodeError:
        raise BadRequest(f"the name of a field of the form is not {_shown(charset)}") from None


def _named(file: StoredFile, part: Part, charset: str | None) -> StoredFile:
    """Set the file name: that of ``filename*`` if there is one, as in RFC 6266 4.3.

    A name in an encoding that the client does not name is Latin-1, which keeps its bytes: the form is not lost for it.
    """
    if part.extended_filename is not None:
        file.filename = part.extended_filename
    elif not file.filename.isascii():
        name = file.filename.encode("latin-1")
        for each in (charset, "utf_8") if charset is not None else ("utf_8",):
            try:
                file.filename = name.decode(each)
                break
            except UnicodeDecodeError:
                continue
    return file


def _decoded(part: Part, data: bytes, charset: str | None) -> str:
    """Return the text of a field. The part's own encoding has precedence (RFC 7578 4.5)."""
    if part.charset is not None:
        charset = find_charset(part.charset)
        if charset is None:
            message = f"the form's field {part.name!r} names an unknown character encoding"
            raise BadRequest(f"{message}: {part.charset[:40]!r}")
    try:
        return data.decode(charset or "utf_8")
    except UnicodeDecodeError:
        raise BadRequest(f"the form's field {part.name!r} is not {_shown(charset)}") from None


def _shown(charset: str | None) -> str:
    return "UTF-8" if charset is None else charset.replace("_", "-")


def parse_pairs(body: bytes, content_type: str, limits: FormLimits = LIMITS, charset: str | None = None) -> Form:
    """Parse an urlencoded form.

    :param body: the body.
    :param content_type: the ``content-type`` field.
    :param limits: what the form may contain.
    :param charset: as for :class:`MultipartReader`.
    :returns: the form.
    :raises BadRequest: if the form is malformed.
    :raises ContentTooLarge: over a limit.
    """
    declared = parse_parameters(content_type)[1].get("charset", "").strip('"')
    charset_of_form = charset or declared_charset(declared, "the form's content type")
    fields = parse_urlencoded(body, limits=limits, charset=charset_of_form)
    return Form(fields, [], partial(check_urlencoded, body), charset)


def parse_multipart(body: bytes, content_type: str, limits: FormLimits = LIMITS, charset: str | None = None) -> Form:
    """Parse a form whose whole body is in memory.

    :param body: the body.
    :param content_type: the ``content-type`` field, with the boundary.
    :param limits: what the form may contain.
    :param charset: as for :class:`MultipartReader`.
    :returns: the form; its files stay in memory.
    :raises BadRequest: if the form is malformed.
    :raises ContentTooLarge: over a limit.
    """
    # The body is in memory already: writing parts of it to disk would free nothing, and block the event loop.
    reader = MultipartReader(content_type, replace(limits, memory=len(body)), charset)
    reader.feed(body)
    return reader.finish()


async def receive_multipart(
    chunks: AsyncIterator[bytes], content_type: str, limits: FormLimits = LIMITS, charset: str | None = None
) -> Form:
    """Parse a form while its body arrives. Pieces that may be written to disk are parsed in a thread.

    :param chunks: the body.
    :param content_type: the ``content-type`` field, with the boundary.
    :param limits: what the form may contain.
    :param charset: as for :class:`MultipartReader`.
    :returns: the form.
    :raises BadRequest: if the form is malformed.
    :raises ContentTooLarge: over a limit. Also raises what ``chunks`` raises.
    """
    reader = MultipartReader(content_type, limits, charset)
    try:
        async for chunk in chunks:
            if reader.touches_disk(len(chunk)):
                await in_file_thread(reader.feed, chunk)
            else:
                reader.feed(chunk)
        return await in_file_thread(reader.finish) if reader.has_files_on_disk else reader.finish()
    except BaseException:
        reader.close()
        raise
