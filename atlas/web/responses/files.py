"""Files as responses: whole, in ranges, or as 304 for a client that has the file (RFC 9110 13 and 14)."""

from __future__ import annotations

import errno
import mimetypes
import os
import re
import stat
import unicodedata
from collections.abc import Callable, Mapping
from copy import copy
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO, Literal
from urllib.parse import quote

from atlas.gateway.threads import in_file_thread
from atlas.types import Receive, Scope, Send
from atlas.web.headers import Headers, MutableHeaders
from atlas.web.responses.caching import Precondition, evaluate, http_date, range_applies
from atlas.web.responses.ranges import ByteRange, Parts, RangeNotSatisfiable, parse_ranges
from atlas.web.responses.streaming import StreamingResponse

__all__ = [
    "FileResponse",
    "content_disposition",
    "content_encoding",
    "file_tag",
    "guess_content_type",
    "modification_time",
]

_LAST_CONSTANT_TIME = 315_662_400  # 2 January 1980, 12:00 UTC: the 1st has ended in every time zone
CHUNK_SIZE = 64 * 1024
"""Size of a chunk of a file in bytes. Larger files are sent by the server's pathsend, if it has that."""
_HASHED_PIECE = 1024 * 1024

# Media types of common files. The tables of operating systems differ from each other, and are incomplete.
_TYPES = {
    ".avif": "image/avif",
    ".css": "text/css; charset=utf-8",
    ".csv": "text/csv; charset=utf-8",
    ".htm": "text/html; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".map": "application/json",
    ".md": "text/markdown; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".svgz": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
    ".xml": "application/xml",
}


# Compressed files, whose type is that of the compressed data: "data.csv.gz" is no CSV to a client.
_COMPRESSED = {
    ".br": "application/octet-stream",
    ".bz2": "application/x-bzip2",
    ".gz": "application/gzip",
    ".tgz": "application/gzip",
    ".xz": "application/x-xz",
    ".z": "application/x-compress",
    ".zst": "application/zstd",
}


def guess_content_type(name: str) -> str:
    """Guess the media type of a file.

    :param name: the file name.
    :returns: the media type by the extension; ``application/octet-stream`` for an unknown extension. For a compressed
        file it is that of the compression, except for ``.svgz``, see :func:`content_encoding`.
    """
    suffix = Path(name).suffix.lower()
    known = _TYPES.get(suffix) or _COMPRESSED.get(suffix)
    if known is not None:
        return known
    kind, encoding = mimetypes.guess_type(name)
    return kind if kind is not None and encoding is None else "application/octet-stream"


def content_encoding(name: str) -> str:
    """Return the content coding of a file, by its extension.

    :param name: the file name.
    :returns: ``gzip`` for ``.svgz``, whose media type is that of the uncompressed image; "" for others.
    """
    return "gzip" if name.lower().endswith(".svgz") else ""


_UNSENDABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")  # controls, line ends, lone surrogates


def content_disposition(kind: Literal["attachment", "inline"], filename: str) -> str:
    """Format the value of a ``content-disposition`` field (RFC 6266).

    A name outside ASCII is sent twice: in full as ``filename*`` (RFC 8187), and reduced to ASCII as ``filename``.

    :param kind: ``attachment`` to save the file, ``inline`` to show it.
    :param filename: the name to save the file under; folders are removed.
    :returns: the value.
    """
    name = _UNSENDABLE.sub("", filename.replace("\\", "/").rpartition("/")[2])
    ascii_name = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    ascii_name = "".join(each if each not in '"%' else "_" for each in ascii_name).strip() or "file"
    field = f'{kind}; filename="{ascii_name}"'
    return field if ascii_name == name else f"{field}; filename*=UTF-8''{quote(name, safe='')}"


def modification_time(status: os.stat_result) -> int | None:
    """Return when a file was changed, in seconds since the epoch; None if its time does not tell.

    Tools that build the same image from the same files set each time to a constant, such as 0, 1, or the beginning of
    1980, which is the first time of a ZIP archive. A client that compares such a time would keep an old version.

    :param status: of the file.
    """
    modified = status.st_mtime_ns // 10**9
    return modified if modified > _LAST_CONSTANT_TIME else None


def file_tag(descriptor: int, status: os.stat_result, hashed: int = CHUNK_SIZE) -> str:
    """Create the entity tag of a file. Blocks.

    The modification time does not tell versions apart where all files have the same one, as in container images. A hash
    of the content does. For larger files it is the time of the change of the inode, which no tool can set.

    :param descriptor: of the open file.
    :param status: of the file.
    :param hashed: maximum size in bytes of a file that is read, and whose tag is the hash of its content.
    :returns: a strong entity tag, in quotes.
    """
    size = status.st_size
    if size > hashed:
        return f'"{status.st_mtime_ns:x}-{size:x}-{status.st_ctime_ns:x}"'
    content = blake2b(digest_size=12)
    for start in range(0, size, _HASHED_PIECE):
        content.update(os.pread(descriptor, _HASHED_PIECE, start))
    return f'"{content.hexdigest()}"'


class FileResponse(StreamingResponse):
    """A file, with content type, length, entity tag and date of the last change.

    A client that has the file gets 304, and a client that asks for ranges gets 206. The file is opened when the
    response is sent, but its existence is checked in the constructor, so that the controller can catch the error.

    :param path: path of the file.
    :param status_code: the status code, 200 by default. Preconditions and ranges apply only to 200.
    :param headers: more header fields.
    :param content_type: the media type; None, the default, to guess it from the file name.
    :param filename: a name to save the file under, for ``content-disposition``; None, the default, for no such field.
    :param disposition: with ``filename``: ``attachment``, the default, to save the file, or ``inline`` to show it.
    :raises FileNotFoundError: if there is no regular file at the path.
    :raises OSError: if the file cannot be examined.

    :ivar size: size in bytes, as of the constructor. The response sends as many as the file has when it is sent.
    """

    __slots__ = ("path", "size")
    content_type = ""

    def __init__(
        self,
        path: str | os.PathLike[str],
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
        *,
        content_type: str | None = None,
        filename: str | None = None,
        disposition: Literal["attachment", "inline"] = "attachment",
    ) -> None:
        self.path = Path(path).absolute()
        self.size = _regular(self.path, os.stat(self.path)).st_size  # noqa: PTH116  # a third of Path.stat()'s time
        saved = filename is not None and disposition == "attachment"
        coding = content_encoding(self.path.name) if content_type is None else ""
        kind = content_type or guess_content_type("image.gz" if coding and saved else self.path.name)
        super().__init__((), status_code, headers, content_type=kind)
        if coding and not saved:  # a browser would decode what it saves
            self.headers.setdefault("content-encoding", coding)
        if filename is not None:
            self.headers["content-disposition"] = content_disposition(disposition, filename)

    def wrap(self, function: Callable[[bytes], bytes], finish: Callable[[], bytes] | None = None) -> None:
        """Pass each chunk of the file through a function, see :meth:`Response.wrap`. Ranges are not answered then.

        :param function: takes a chunk, and returns the bytes that replace it.
        :param finish: returns the bytes after the last chunk; None for no more bytes.
        """
        super().wrap(function, finish)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response, as an ASGI application.

        :raises FileNotFoundError: if there is no regular file at the path any more.
        :raises OSError: if the file cannot be read, or becomes shorter while it is sent.
        """
        source = await in_file_thread(_open, self.path)
        try:
            # The fields depend on the file as it is now; the response may be sent again later.
            await copy(self)._answer(scope, send, source)
        finally:
            source.file.close()

    async def _answer(self, scope: Scope, send: Send, source: _OpenFile) -> None:
        self._describe(source)
        asked, method = Headers(scope["headers"]), scope["method"]
        etag, modified = self.headers["etag"], source.modified
        result = Precondition.PASSED
        if self.status_code == 200 and method in ("GET", "HEAD"):
            result = evaluate(method, asked, etag, modified)
        if result is not Precondition.PASSED:
            await self._send_without_body(send, result.value)
        elif self.status_code != 200 or method != "GET" or self._filters or not range_applies(asked, etag, modified):
            await self._send_whole(scope, send, source)
        else:
            await self._answer_range(scope, send, source, asked.get("range"))

    async def _answer_range(self, scope: Scope, send: Send, source: _OpenFile, value: str | None) -> None:
        try:
            ranges = parse_ranges(value, source.size)
        except RangeNotSatisfiable:
            await self._send_without_body(send, 416, f"bytes */{source.size}")
            return
        if not ranges:
            await self._send_whole(scope, send, source)
        elif len(ranges) == 1:
            await self._send_range(scope, send, source, ranges[0])
        else:
            await self._send_parts(send, source, ranges)

    def _describe(self, source: _OpenFile) -> None:
        headers = self.headers
        tag = headers.setdefault("etag", source.tag)
        if source.modified is not None:
            headers.setdefault("last-modified", http_date(source.modified))
        if not self._filters:
            headers.setdefault("accept-ranges", "bytes")
        elif not tag.startswith("W/"):  # the output of the functions of wrap() may differ from request to request
            headers["etag"] = f"W/{tag}"

    async def _send_without_body(self, send: Send, status: int, content_range: str | None = None) -> None:
        # RFC 9110 15.4.5: a 304 has no fields that describe the content.
        content_fields = (b"content-type", b"content-length", b"content-disposition", b"content-encoding")
        headers = [pair for pair in self.raw_headers if pair[0] not in content_fields]
        if content_range is not None:
            headers += [(b"content-range", content_range.encode("ascii"))]
        if status != 304:
            headers += [(b"content-length", b"0")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    async def _send_whole(self, scope: Scope, send: Send, source: _OpenFile) -> None:
        length = [] if self._filters else [(b"content-length", b"%d" % source.size)]
        await send({"type": "http.response.start", "status": self.status_code, "headers": [*self.raw_headers, *length]})
        if scope["method"] == "HEAD":
            await send({"type": "http.response.body", "body": b""})
        elif self._filters:
            await self._send_filtered(send, source)
        elif source.size > CHUNK_SIZE and _has_extension(scope, "http.response.zerocopysend"):
            # Not pathsend: the server would open the file once more, and perhaps another one than was described.
            event = {"file": source.file, "offset": 0, "count": source.size}
            await send({"type": "http.response.zerocopysend", **event})
        elif source.size > CHUNK_SIZE and _has_extension(scope, "http.response.pathsend"):
            await send({"type": "http.response.pathsend", "path": str(self.path)})
        else:
            await _send_bytes(send, source, ByteRange(0, source.size), more=False)

    async def _send_filtered(self, send: Send, source: _OpenFile) -> None:
        for start in range(0, source.size, CHUNK_SIZE):
            chunk = self.filtered(await source.read(start, min(CHUNK_SIZE, source.size - start)))
            if chunk:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": self.rest()})

    async def _send_range(self, scope: Scope, send: Send, source: _OpenFile, part: ByteRange) -> None:
        headers = list(self.raw_headers)
        MutableHeaders(headers).update(
            {"content-range": part.content_range(source.size), "content-length": str(part.length)}
        )
        await send({"type": "http.response.start", "status": 206, "headers": headers})
        if part.length > CHUNK_SIZE and _has_extension(scope, "http.response.zerocopysend"):
            event = {"file": source.file, "offset": part.start, "count": part.length}
            await send({"type": "http.response.zerocopysend", **event})
        else:
            await _send_bytes(send, source, part, more=False)

    async def _send_parts(self, send: Send, source: _OpenFile, ranges: list[ByteRange]) -> None:
        parts = Parts(ranges, source.size, self.headers.get("content-type", ""))
        headers = list(self.raw_headers)
        MutableHeaders(headers).update({"content-type": parts.content_type, "content-length": str(parts.length)})
        await send({"type": "http.response.start", "status": 206, "headers": headers})
        for head, part in parts.parts:
            await send({"type": "http.response.body", "body": head, "more_body": True})
            await _send_bytes(send, source, part, more=True)
        await send({"type": "http.response.body", "body": parts.end})


def _has_extension(scope: Scope, extension: str) -> bool:
    return extension in (scope.get("extensions") or {})


class _OpenFile:
    """An open file, with size, :func:`modification_time` and entity tag, as of opening."""

    __slots__ = ("file", "modified", "size", "tag")

    def __init__(self, file: BinaryIO, status: os.stat_result, tag: str) -> None:
        self.file, self.size, self.modified, self.tag = file, status.st_size, modification_time(status), tag

    async def read(self, start: int, count: int) -> bytes:
        """Read bytes that the response has announced. Fewer bytes are an error; bytes added since are not sent."""
        chunk = await in_file_thread(os.pread, self.file.fileno(), count, start)
        if len(chunk) < count:
            raise OSError(f"the file became shorter by {count - len(chunk)} bytes while it was sent")
        return chunk


def _open(path: Path) -> _OpenFile:
    """Open a file; size, time and tag are those of the same file, even if it is being replaced."""
    # O_NONBLOCK: opening a pipe would otherwise block until a process opens it for writing.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        status = _regular(path, os.fstat(descriptor))
        tag = file_tag(descriptor, status)
        return _OpenFile(os.fdopen(descriptor, "rb", buffering=0), status, tag)
    except OSError:
        os.close(descriptor)
        raise


def _regular(path: Path, status: os.stat_result) -> os.stat_result:
    """Return the status, if it is that of a regular file, and not of a folder, a pipe or a device."""
    if not stat.S_ISREG(status.st_mode):
        raise FileNotFoundError(errno.ENOENT, "not a regular file", str(path))
    return status


async def _send_bytes(send: Send, source: _OpenFile, part: ByteRange, *, more: bool) -> None:
    """Send a part of a file in chunks; ``more``: whether the body continues after it."""
    for start in range(part.start, part.end, CHUNK_SIZE):
        count = min(CHUNK_SIZE, part.end - start)
        chunk = await source.read(start, count)
        last = start + count == part.end
        await send({"type": "http.response.body", "body": chunk, "more_body": more or not last})
    if part.length == 0 and not more:
        await send({"type": "http.response.body", "body": b""})
