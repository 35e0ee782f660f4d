"""The files of a form.

Files stay in memory up to a size, and are written to unnamed temporary files above it. The file name from the client is
reported, and never used as a path.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator, Iterator
from io import BufferedReader, BytesIO
from pathlib import Path
from typing import BinaryIO, cast

from atlas.gateway.greenlets import use_files
from atlas.gateway.threads import in_file_thread
from atlas.web.requests.disk_space import DiskSpace, Section

__all__ = ["AsyncUpload", "StoredFile", "Upload", "UploadHead", "plain_name"]

CHUNK_SIZE = 64 * 1024


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

    __slots__ = ("_space", "_start", "content_type", "file", "filename", "headers", "size")

    def __init__(self, filename: str, content_type: str, headers: list[tuple[str, str]]) -> None:
        self.filename = filename
        self.content_type = content_type
        self.headers = headers
        self.file: BinaryIO = BytesIO()
        self.size = 0
        self._space: DiskSpace | None = None
        self._start = 0

    @property
    def on_disk(self) -> bool:
        return self._space is not None

    def write(self, chunk: bytes) -> None:
        """Append bytes."""
        if self._space is None:
            self.file.write(chunk)
        else:
            self._space.append(chunk)
        self.size += len(chunk)

    def to_disk(self, space: DiskSpace) -> None:
        """Move the bytes to the end of ``space``, which is where further ones are written."""
        self._space, self._start = space, space.size
        space.append(cast(BytesIO, self.file).getvalue())
        self.file = BytesIO()

    def finish(self) -> None:
        """All bytes are written: from now on ``file`` is read."""
        if self._space is not None:
            self.file = BufferedReader(Section(self._space, self._start, self.size))
        self.file.seek(0)

    def close(self) -> None:
        """Close the file."""
        self.file.close()
        self._space = None

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
        """Close the file and free its memory now, and not with the end of the request.

        The disk space is that of the whole form.
        """
        self._stored.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.filename!r} {self.content_type} {self.size} bytes>"


class Upload(UploadHead):
    """A file of a form, in a ``def`` controller.

    Where the controller runs in a greenlet, a method that uses the disk does not block the event loop.
    """

    __slots__ = ()

    def read(self, size: int = -1) -> bytes:
        """Read from the file.

        :param size: number of bytes; all that are left by default.
        :returns: the bytes; empty at the end.
        """
        if self._stored.on_disk:
            return use_files(self.file.read, size)
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
        use_files(self._copy_to, path)

    def __iter__(self) -> Iterator[bytes]:
        """Iterate over the rest of the file in chunks of at most 64 KiB."""
        while chunk := self.read(CHUNK_SIZE):
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
