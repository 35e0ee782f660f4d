"""Files as responses: whole, in parts, or not at all if the client has them (RFC 9110 13 and 14)."""

from __future__ import annotations

import errno
import mimetypes
import os
import stat
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO, Literal
from urllib.parse import quote

from atlas.gateway.threads import in_thread
from atlas.types import Receive, Scope, Send
from atlas.web.caching import Verdict, http_date, is_fresh, judge, range_applies
from atlas.web.headers import Headers, MutableHeaders
from atlas.web.ranges import ByteRange, Parts, RangeNotSatisfiable, parse_ranges
from atlas.web.response import StreamingResponse

__all__ = ["FileResponse", "content_disposition", "file_tag", "guess_content_type", "is_fresh"]

# Up to this size a file is read at once, in the step that looked it up; above, the server's pathsend or pieces of it.
PIECE = 64 * 1024

# What the web is made of, the same on every machine: the system's own tables differ, and know half of it.
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
    ".txt": "text/plain; charset=utf-8",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
    ".xml": "application/xml",
}


def guess_content_type(name: str) -> str:
    """The media type of a file name; octets if there is no telling."""
    return _TYPES.get(Path(name).suffix.lower()) or mimetypes.guess_type(name)[0] or "application/octet-stream"


def content_disposition(kind: Literal["attachment", "inline"], filename: str) -> str:
    """The value of a ``content-disposition`` field (RFC 6266): whether to save, and under which name.

    A name that is not plain ASCII comes twice: spelled out in the form of RFC 8187, and roughly for whoever does not
    know that.
    """
    name = "".join(sign for sign in filename.replace("\\", "/").rpartition("/")[2] if sign.isprintable())
    rough = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    rough = "".join(sign if sign not in '"%' else "_" for sign in rough).strip() or "file"
    field = f'{kind}; filename="{rough}"'
    return field if rough == name else f"{field}; filename*=UTF-8''{quote(name, safe='')}"


def file_tag(size: int, modified: int) -> str:
    """The entity tag of a file, quoted. :param modified: in nanoseconds."""
    return f'"{modified:x}-{size:x}"'


class FileResponse(StreamingResponse):
    """A file, with its type, length, date and tag: 304 for a client that has it, 206 for one that wants parts of it.

    It is looked at here and opened when it is sent: a file that is not there is the controller's mistake, so the
    controller hears of it, and what it does not catch becomes an error page as any other.

    :param path: the file.
    :param filename: a name to save it under: the browser then offers to save it instead of showing it.
    :param disposition: ``inline`` to show it all the same.
    :raises FileNotFoundError: if there is no such regular file. :raises OSError: if it cannot be looked at.

    :ivar size: its bytes, as it is looked at; those that are sent are as many as it has by then.
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
        kind = content_type or guess_content_type(self.path.name)
        super().__init__((), status_code, headers, content_type=kind)
        if filename is not None:
            self.headers["content-disposition"] = content_disposition(disposition, filename)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        file, size, modified = await in_thread(_open, self.path)
        try:
            await self._answer(scope, send, _Source(file, size, modified))
        finally:
            file.close()

    async def _answer(self, scope: Scope, send: Send, source: _Source) -> None:
        self._describe(source)
        asked, method = Headers(scope["headers"]), scope["method"]
        etag, modified = self.headers["etag"], source.modified // 10**9
        verdict = Verdict.SEND
        if self.status_code == 200 and method in ("GET", "HEAD"):
            verdict = judge(method, asked, etag, modified)
        if verdict is not Verdict.SEND:
            await self._send_nothing(send, verdict.value)
        elif self.status_code != 200 or method != "GET" or self._filters or not range_applies(asked, etag, modified):
            await self._send_whole(scope, send, source)
        else:
            await self._answer_range(scope, send, source, asked.get("range"))

    async def _answer_range(self, scope: Scope, send: Send, source: _Source, value: str | None) -> None:
        try:
            ranges = parse_ranges(value, source.size)
        except RangeNotSatisfiable:
            await self._send_nothing(send, 416, f"bytes */{source.size}")
            return
        if not ranges:
            await self._send_whole(scope, send, source)
        elif len(ranges) == 1:
            await self._send_range(scope, send, source, ranges[0])
        else:
            await self._send_parts(send, source, ranges)

    def _describe(self, source: _Source) -> None:
        headers = self.headers
        tag = headers.setdefault("etag", file_tag(source.size, source.modified))
        headers.setdefault("last-modified", http_date(source.modified // 10**9))
        if not self._filters:
            headers.setdefault("accept-ranges", "bytes")
        elif not tag.startswith("W/"):  # what wrap() makes of the file may differ from time to time
            headers["etag"] = f"W/{tag}"

    async def _send_nothing(self, send: Send, status: int, content_range: str | None = None) -> None:
        # RFC 9110 15.4.5: of the fields only those that tell about the copy.
        about_content = (b"content-type", b"content-length", b"content-disposition", b"content-encoding")
        headers = [pair for pair in self.raw_headers if pair[0] not in about_content]
        if content_range is not None:
            headers += [(b"content-range", content_range.encode("ascii"))]
        if status != 304:
            headers += [(b"content-length", b"0")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    async def _send_whole(self, scope: Scope, send: Send, source: _Source) -> None:
        length = [] if self._filters else [(b"content-length", b"%d" % source.size)]
        await send({"type": "http.response.start", "status": self.status_code, "headers": [*self.raw_headers, *length]})
        if scope["method"] == "HEAD":
            await send({"type": "http.response.body", "body": b""})
        elif self._filters:
            await self._send_filtered(send, source)
        elif source.size > PIECE and _offers(scope, "http.response.pathsend"):
            await send({"type": "http.response.pathsend", "path": str(self.path)})
        else:
            await _send_bytes(send, source, ByteRange(0, source.size), more=False)

    async def _send_filtered(self, send: Send, source: _Source) -> None:
        for start in range(0, source.size, PIECE):
            piece = self.filtered(await source.read(start, min(PIECE, source.size - start)))
            if piece:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": self.rest()})

    async def _send_range(self, scope: Scope, send: Send, source: _Source, part: ByteRange) -> None:
        headers = list(self.raw_headers)
        MutableHeaders(headers).update(
            {"content-range": part.content_range(source.size), "content-length": str(part.length)}
        )
        await send({"type": "http.response.start", "status": 206, "headers": headers})
        if part.length > PIECE and _offers(scope, "http.response.zerocopysend"):
            place = {"file": source.file, "offset": part.start, "count": part.length}
            await send({"type": "http.response.zerocopysend", **place})
        else:
            await _send_bytes(send, source, part, more=False)

    async def _send_parts(self, send: Send, source: _Source, ranges: list[ByteRange]) -> None:
        parts = Parts(ranges, source.size, self.headers.get("content-type", ""))
        headers = list(self.raw_headers)
        MutableHeaders(headers).update({"content-type": parts.content_type, "content-length": str(parts.length)})
        await send({"type": "http.response.start", "status": 206, "headers": headers})
        for head, part in parts.pieces:
            await send({"type": "http.response.body", "body": head, "more_body": True})
            await _send_bytes(send, source, part, more=True)
        await send({"type": "http.response.body", "body": parts.end})


def _offers(scope: Scope, extension: str) -> bool:
    return extension in (scope.get("extensions") or {})


class _Source:
    """The open file with its size and its time in nanoseconds, as they were when it was opened."""

    __slots__ = ("file", "modified", "size")

    def __init__(self, file: BinaryIO, size: int, modified: int) -> None:
        self.file, self.size, self.modified = file, size, modified

    async def read(self, start: int, count: int) -> bytes:
        """Exactly these bytes: what is added to the file meanwhile is not announced, and what is missing an error."""
        piece = await in_thread(os.pread, self.file.fileno(), count, start)
        if len(piece) < count:
            raise OSError(f"the file became shorter by {count - len(piece)} bytes while it was sent")
        return piece


def _open(path: Path) -> tuple[BinaryIO, int, int]:
    """The open file, its size and its time in nanoseconds, all of the same file even if another takes its name."""
    # Not blocking: opening a pipe would wait for somebody to write to it.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        status = _regular(path, os.fstat(descriptor))
        return os.fdopen(descriptor, "rb", buffering=0), status.st_size, status.st_mtime_ns
    except OSError:
        os.close(descriptor)
        raise


def _regular(path: Path, status: os.stat_result) -> os.stat_result:
    """What is known of a file, if it is one, and not a folder, a pipe or a device."""
    if not stat.S_ISREG(status.st_mode):
        raise FileNotFoundError(errno.ENOENT, "not a regular file", str(path))
    return status


async def _send_bytes(send: Send, source: _Source, part: ByteRange, *, more: bool) -> None:
    """Send a part in pieces. :param more: whether the body goes on after it."""
    for start in range(part.start, part.end, PIECE):
        count = min(PIECE, part.end - start)
        piece = await source.read(start, count)
        last = start + count == part.end
        await send({"type": "http.response.body", "body": piece, "more_body": more or not last})
    if part.length == 0 and not more:
        await send({"type": "http.response.body", "body": b""})
