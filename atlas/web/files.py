"""Files as responses: whole, or not at all if the client has them (RFC 9110 13)."""

from __future__ import annotations

import mimetypes
import os
import stat
from collections.abc import Mapping
from email.utils import formatdate, parsedate_to_datetime
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

from atlas.gateway.threads import in_thread
from atlas.types import Receive, Scope, Send
from atlas.web.headers import Headers
from atlas.web.response import Response

__all__ = ["FileResponse", "guess_content_type", "is_fresh"]

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


def is_fresh(headers: Headers, etag: str, modified: float) -> bool:
    """Whether what the client has is still good, so that 304 is the answer to a GET or HEAD (RFC 9110 13.2.2)."""
    tags = headers.get_all("if-none-match")
    if tags:  # and then the date does not count, RFC 9110 13.1.3
        known = [tag.strip().removeprefix("W/") for tag in ",".join(tags).split(",")]
        return "*" in known or etag in known
    since = headers.get("if-modified-since")
    if since is None:
        return False
    try:
        return int(modified) <= parsedate_to_datetime(since).timestamp()
    except (TypeError, ValueError, OverflowError):
        return False


class FileResponse(Response):
    """A file, with its type, length, date and tag; 304 for a client that has it.

    :param path: the file.
    :param filename: a name to save it under: the browser then offers to save it instead of showing it.
    :raises FileNotFoundError: when it is sent, if there is no such regular file.
    """

    __slots__ = ("path",)
    content_type = ""

    def __init__(
        self,
        path: str | os.PathLike[str],
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
        *,
        content_type: str | None = None,
        filename: str | None = None,
    ) -> None:
        self.path = Path(path).absolute()
        super().__init__(b"", status_code, headers, content_type=content_type or guess_content_type(self.path.name))
        if filename is not None:
            # RFC 6266 4.3 and RFC 8187: the encoded form alone says every name, and needs no quoting rules.
            self.headers["content-disposition"] = f"attachment; filename*=UTF-8''{quote(filename, safe='')}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        file, size, modified = await in_thread(_open, self.path)
        try:
            etag = f'"{modified:x}-{size:x}"'
            self.headers.setdefault("etag", etag)
            self.headers.setdefault("last-modified", formatdate(modified // 10**9, usegmt=True))
            readable = scope["method"] in ("GET", "HEAD") and self.status_code == 200
            if readable and is_fresh(Headers(scope["headers"]), self.headers["etag"], modified // 10**9):
                await self._send_not_modified(send)
            else:
                await self._send_file(scope, send, file, size)
        finally:
            file.close()

    async def _send_not_modified(self, send: Send) -> None:
        # RFC 9110 15.4.5: of the fields only those that tell about the copy.
        headers = [pair for pair in self.raw_headers if pair[0] not in (b"content-type", b"content-length")]
        await send({"type": "http.response.start", "status": 304, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    async def _send_file(self, scope: Scope, send: Send, file: BinaryIO, size: int) -> None:
        headers = [*self.raw_headers, (b"content-length", b"%d" % size)]
        await send({"type": "http.response.start", "status": self.status_code, "headers": headers})
        if scope["method"] == "HEAD" or size == 0:
            await send({"type": "http.response.body", "body": b""})
        elif size > PIECE and "http.response.pathsend" in (scope.get("extensions") or {}):
            await send({"type": "http.response.pathsend", "path": str(self.path)})
        else:
            await _send_pieces(send, file, size)


def _open(path: Path) -> tuple[BinaryIO, int, int]:
    """The open file, its size and its time in nanoseconds, all of the same file even if another takes its name."""
    # Not blocking: opening a pipe would wait for somebody to write to it.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    file = os.fdopen(descriptor, "rb", buffering=0)
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        file.close()
        raise FileNotFoundError(f"not a regular file: {path}")
    return file, status.st_size, status.st_mtime_ns


async def _send_pieces(send: Send, file: BinaryIO, size: int) -> None:
    """Exactly ``size`` bytes: what is added to the file meanwhile is not announced, and what is missing is an error."""
    left = size
    while left:
        piece = await in_thread(file.read, min(left, PIECE))
        if not piece:
            raise OSError(f"the file became shorter by {left} bytes while it was sent")
        left -= len(piece)
        await send({"type": "http.response.body", "body": piece, "more_body": left > 0})
