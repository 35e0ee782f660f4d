"""Folders of files under a prefix."""

from __future__ import annotations

import os
from pathlib import Path

from atlas.errors import StartupError
from atlas.gateway.threads import in_thread
from atlas.web.errors import NotFound
from atlas.web.files import FileResponse
from atlas.web.request import AsyncRequest
from atlas.web.routing import Route, caller_place

__all__ = ["Static", "find_file"]


class Static(Route):
    """Serves the files of a folder: ``Static("/static", "static")``, and ``url_for("static", path="site.css")``.

    Files are asked for again each time and answered with 304 where the client has them. Names that start with a dot,
    and whatever lies outside of the folder once symbolic links are followed, are not found.

    :param directory: relative to the file that says ``Static(...)``.
    :raises StartupError: if there is no such folder.
    """

    __slots__ = ("root",)

    def __init__(self, prefix: str, directory: str | os.PathLike[str], name: str = "static") -> None:
        place = caller_place()
        folder = Path(place.rpartition(":")[0]).parent / directory
        if not folder.is_dir():
            raise StartupError(f"{place}: static folder {str(folder)!r} does not exist")
        self.root = os.path.realpath(folder)
        super().__init__(f"{prefix.rstrip('/')}/{{path:path}}", self.serve, name=name)

    async def serve(self, request: AsyncRequest, path: str) -> FileResponse:
        """The controller."""
        file = await in_thread(find_file, self.root, path)
        if file is None:
            raise NotFound
        return FileResponse(file, headers={"cache-control": "no-cache", "x-content-type-options": "nosniff"})


def find_file(root: str, path: str) -> str | None:
    """The regular file at a decoded path below ``root``, or None for whatever is not, or is not to be seen.

    What a path could mean besides going down by names is refused by its spelling, before the file system is asked:
    empty and dot segments, hidden names, backslashes, drive letters, control characters. Links are followed, and have
    to end inside.

    :param root: a path without symbolic links.
    """
    if any(not _is_plain_name(name) for name in path.split("/")):
        return None
    try:
        found = os.path.realpath(f"{root}/{path}", strict=True)
        regular = Path(found).is_file()
    except (OSError, ValueError):  # not there, no permission, a name too long, a loop of links, a lone surrogate
        return None
    inside = found.startswith(root if root.endswith(os.sep) else root + os.sep)
    return found if regular and inside else None


def _is_plain_name(name: str) -> bool:
    return bool(name) and name[0] != "." and name.isprintable() and not any(sign in name for sign in "\\:\x00")
