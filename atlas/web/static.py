"""Static files: the files of folders, served under a prefix."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from atlas.errors import StartupError
from atlas.gateway.threads import in_file_thread
from atlas.web.call_site import caller_place
from atlas.web.exceptions import NotFound
from atlas.web.headers import RawHeaders, encode_field, weights_of
from atlas.web.requests.request import AsyncRequest
from atlas.web.responses.caching import Precondition, evaluate, http_date
from atlas.web.responses.files import (
    CHUNK_SIZE,
    FileResponse,
    content_encoding,
    file_tag,
    guess_content_type,
    modification_time,
)
from atlas.web.responses.response import RedirectResponse, Response
from atlas.web.routing.route import Route

__all__ = ["Static", "configured_static", "find_file", "is_hashed"]

_BELOW_STATIC = "/static/{path:path}"
MEMORY = 16 * 1024 * 1024
"""Maximum size in bytes of the small files that one route keeps in memory."""
HASHED = 16 * 1024 * 1024
"""Maximum size in bytes of a file whose entity tag is a hash of its content: 16 MiB are read in about 20 ms."""

# Suffixes of precompressed siblings, and their content codings; the preferred one first.
_CODINGS = ((".br", "br"), (".zst", "zstd"), (".gz", "gzip"))

# "app.3f2a9c1b.js", "app-3f2a9c1b.css": at least eight hexadecimal digits, among them a letter and a decimal digit:
# decimal digits alone may be a date, and letters alone a word.
_HASHED = re.compile(r"[.\-_](?=[0-9]*[a-f])(?=[a-f]*[0-9])[0-9a-f]{8,64}\.")


_WELL_KNOWN = ".well-known"  # the one folder with a dot that the Web has use for, at the root of a site (RFC 8615)
# Controls; on Windows also the characters that would make a name a path.
_REFUSED = re.compile("[\x00-\x1f\x7f-\x9f]" if os.name != "nt" else "[\x00-\x1f\x7f-\x9f\\\\:]")


def is_hashed(name: str) -> bool:
    """Return whether a file name contains a hash of the content, so that the file never changes.

    :param name: the file name.
    """
    return _HASHED.search(name) is not None


class Variant(NamedTuple):
    """A representation of a file: as it is, or compressed.

    :ivar coding: the content coding; "" for the file as it is.
    :ivar path: the path of the file.
    :ivar stamp: see :func:`_stamp`.
    :ivar modified: see :func:`atlas.web.responses.files.modification_time`.
    :ivar tag: the entity tag, in quotes.
    :ivar body: the content of a small file; None for a larger one.
    :ivar fields_304: the header fields of a 304.
    :ivar fields_200: the header fields of a 200.
    """

    coding: str
    path: str
    stamp: tuple[int, int, int, int, int]
    modified: int | None
    tag: bytes
    body: bytes | None
    fields_304: RawHeaders
    fields_200: RawHeaders


class CachedFile(NamedTuple):
    """A file that was found at a path.

    :ivar path: the path of the file, before symbolic links are followed.
    :ivar shadowing: the same path in the folders that take precedence, where a file would replace this one.
    :ivar variants: the file as it is, and its precompressed siblings.
    """

    path: str
    shadowing: tuple[str, ...]
    variants: tuple[Variant, ...]

    def is_current(self) -> bool:
        """Return whether the path still leads to the same, unchanged file. Costs one system call for each folder."""
        try:
            same = _stamp(self.path) == self.variants[0].stamp
            return same and not any(map(os.path.lexists, self.shadowing))
        except (OSError, ValueError):
            return False

    @property
    def size(self) -> int:
        """Size in bytes of the content that is kept in memory."""
        return sum(len(variant.body or b"") for variant in self.variants)


class Static(Route):
    """Serves the files of a folder: ``Static("/static", "static")``, and ``url_for("static", path="site.css")``.

    Browsers revalidate a file each time, and get 304 if it has not changed; a file with a hash in its name is cached
    without revalidation (RFC 8246). A precompressed sibling ``site.css.br`` (``.zst``, ``.gz``) is sent to clients that
    accept the coding; it is read again when the file itself is newer. Small files are kept in memory until they change.
    Names that begin with a dot, except the folder ``.well-known``, and files that symbolic links lead to outside the
    folder are answered with 404.

    :param prefix: the path below which the files are served.
    :param directory: the folder, relative to the file that contains ``Static(...)``; or several folders, of which the
        first one with the file takes precedence.
    :param name: the name for ``url_for``, ``static`` by default.
    :param index: name of the file that is served for a folder, such as ``index.html``; None, the default, to answer
        404, or for the file of ``fallback``.
    :param fallback: path of the file that is served where there is no file, for a single-page application such as
        ``index.html``: to a browser that navigates (GET or HEAD, ``accept`` has ``text/html``, and no extension in the
        path), but never below ``api``, or below a name in the prefix that another route begins with. None, the default,
        to answer 404.
    :raises StartupError: for a folder that does not exist or cannot be read, or an invalid ``index`` or
        ``fallback``.

    :ivar roots: the folders, absolute and without symbolic links.
    """

    __slots__ = ("_cached", "_fallback", "_index", "_others", "_size", "roots")

    def __init__(
        self,
        prefix: str,
        directory: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
        name: str = "static",
        *,
        index: str | None = None,
        fallback: str | None = None,
    ) -> None:
        place = caller_place()
        if index is not None and ("/" in index or not _is_visible_name(index)):
            raise StartupError(f"{place}: Static: index: expected a file name such as 'index.html', got {index!r}")
        folders = [directory] if isinstance(directory, str | os.PathLike) else directory
        self.roots = tuple(_root(place, folder) for folder in folders)
        if not self.roots:
            raise StartupError(f"{place}: Static: expected a folder, or several, got none")
        if fallback is not None and not any(find_file(root, fallback) for root in self.roots):
            raise StartupError(f"{place}: Static: fallback: no file {fallback!r} in {', '.join(self.roots)}")
        self._fallback = fallback
        self._index = index if index is not None or fallback is None or "/" in fallback else fallback
        self._others = frozenset[str]()
        self._cached: dict[str, CachedFile] = {}
        self._size = 0
        super().__init__(f"{prefix.rstrip('/')}/{{path:path}}", self.serve, name=name)

    def flat(self) -> Iterator[Route]:
        """Iterate over the route of the files and, with an index, the route of the folder."""
        yield self
        if self._index is not None:
            yield Route(self.path.removesuffix("{path:path}"), self.serve_folder, name=f"{self.name}-index")

    def find_others(self, routes: Iterable[Route]) -> None:
        """Find the names below the prefix that other routes begin with, for ``fallback``; called at startup.

        :param routes: the routes of the application.
        """
        prefix = self.pattern.segments[:-1]
        nexts = [
            each.pattern.segments[len(prefix) :][:1]
            for each in routes
            if each.pattern.segments[: len(prefix)] == prefix
        ]
        self._others = frozenset(
            ["api", *(name for names in nexts for name in names if isinstance(name, str) and name)]
        )

    async def serve_folder(self, request: AsyncRequest) -> Response:
        """Answer a request for the folder; the controller of its route."""
        return await self.serve(request, "")

    async def serve(self, request: AsyncRequest, path: str) -> Response:
        """Answer a request for a file; the controller.

        :param request: the request.
        :param path: the path below the prefix, decoded.
        :returns: the file, a 304, or a redirect to the folder.
        :raises NotFound: if there is no file at the path.
        """
        asked = path
        if self._index is not None and (path == "" or path.endswith("/")):
            path += self._index
        response = await self._serve_file(request, path) or await self._serve_folder(path)
        if response is None and self._fallback is not None and _navigates(request, asked):
            # The route is a copy of this object where an Include has added a prefix.
            others = request.route._others if isinstance(request.route, Static) else self._others
            if asked.partition("/")[0] not in others:
                response = await self._serve_file(request, self._fallback)
                if response is not None:
                    response.headers.vary("accept")
        if response is None:
            raise NotFound
        return response

    async def _serve_file(self, request: AsyncRequest, path: str) -> Response | None:
        file = self._cached.get(path)
        if file is None or not file.is_current():
            file = await in_file_thread(look_up, self.roots, path)
            self._keep(path, file)
        if file is None:
            return None
        try:
            return _respond(request, file)
        except FileNotFoundError:  # a precompressed sibling was removed, which does not change the file: look again
            self._keep(path, None)
            return await self._serve_file(request, path)

    async def _serve_folder(self, path: str) -> Response | None:
        """Return a redirect to the folder at a path, if it has an index file."""
        if self._index is None or await in_file_thread(look_up, self.roots, f"{path}/{self._index}") is None:
            return None
        return RedirectResponse(f"./{quote(path.rpartition('/')[2])}/", 308)

    def _keep(self, path: str, file: CachedFile | None) -> None:
        """Cache a file, or drop it from the cache. The oldest files are dropped to stay below :data:`MEMORY`."""
        old = self._cached.pop(path, None)
        self._size -= old.size if old is not None else 0
        if file is None:
            return
        self._cached[path] = file
        self._size += file.size
        while self._size > MEMORY:
            self._size -= self._cached.pop(next(iter(self._cached))).size


def _respond(request: AsyncRequest, file: CachedFile) -> Response:
    fields = _read_fields(request.headers.raw)
    # Ranges are of the file as it is: the request for the next range may have another accept-encoding.
    variant = file.variants[0] if fields.has_range else _choose(fields.codings, file.variants)
    if fields.conditions:
        # The common case: browsers send the one tag that they have received.
        same = fields.conditions == [(b"if-none-match", variant.tag)]
        status = 304 if same else _evaluate(request, variant).value
        if status != 200:
            response = Response(b"", status, content_type="")
            response.raw_headers += variant.fields_304
            return response
    if variant.body is None or fields.has_range:
        response = FileResponse(variant.path)
        response.raw_headers = variant.fields_200
    else:
        response = Response(variant.body, content_type="")
        response.raw_headers += variant.fields_200
    return response


def _evaluate(request: AsyncRequest, variant: Variant) -> Precondition:
    return evaluate(request.method, request.headers, variant.tag.decode("ascii"), variant.modified)


def _navigates(request: AsyncRequest, path: str) -> bool:
    """Return whether a browser has probably opened an address of a single-page application, and asks for no file."""
    html = weights_of(request.headers.get("accept", "")).get("text/html", 0.0)
    return request.method in ("GET", "HEAD") and html > 0 and "." not in path.rpartition("/")[2]


class _RequestFields(NamedTuple):
    """The header fields that matter for a file: ``range``, ``accept-encoding``, and the preconditions."""

    has_range: bool
    codings: str
    conditions: RawHeaders


def _read_fields(raw: RawHeaders) -> _RequestFields:
    has_range, codings, conditions, since = False, "", [], []
    for field in raw:
        name = field[0]
        if name == b"accept-encoding":
            codings = field[1].decode("latin-1")
        elif name == b"range":
            has_range = True
        elif name == b"if-modified-since":
            since.append(field)
        elif name[:3] == b"if-":
            conditions.append(field)
    return _RequestFields(has_range, codings, conditions or since)  # a tag takes precedence, RFC 9110 13.1.3


def _choose(accept: str, variants: tuple[Variant, ...]) -> Variant:
    """Choose a variant by ``accept-encoding`` (RFC 9110 12.5.3); the file as it is, if no coding is accepted."""
    if not accept or len(variants) == 1:
        return variants[0]
    weights = weights_of(accept)
    others = weights.get("*", 0.0)
    best = max(variants[1:], key=lambda variant: weights.get(variant.coding, others))
    quality = weights.get(best.coding, others)
    return best if quality > 0 and quality >= weights.get("identity", 0.0) else variants[0]


def _root(place: str, directory: str | os.PathLike[str]) -> str:
    folder = Path(place.rpartition(":")[0]).parent / directory
    try:
        os.stat(f"{folder}/.")  # noqa: PTH116  # needs the permission to search it; pathlib would drop the dot
    except (FileNotFoundError, NotADirectoryError):
        raise StartupError(f"{place}: static folder {str(folder)!r} does not exist") from None
    except OSError as error:
        raise StartupError(f"{place}: static folder {str(folder)!r} cannot be read: {error.strerror}") from None
    return os.path.realpath(folder)


def configured_static(folders: Iterable[str | os.PathLike[str]] | None, routes: Iterable[Route]) -> Static | None:
    """Create the route for ``static_dirs`` of the configuration; it serves the files under ``/static``.

    :param folders: the folders; None or empty for no route.
    :param routes: the routes of the application.
    :returns: the route; None without folders, or if a route for all paths below ``/static`` exists.
    :raises StartupError: for a folder that does not exist.
    """
    if not folders or any(route.host is None and route.path == _BELOW_STATIC for route in routes):
        return None
    return Static("/static", folders)


def look_up(roots: tuple[str, ...], path: str) -> CachedFile | None:
    """Find a file and read what is needed to serve it. Blocks.

    :param roots: the folders; the first one with the file takes precedence.
    :param path: the path below the folders, decoded.
    :returns: the file; None if no folder has it.
    """
    for number, root in enumerate(roots):
        found = find_file(root, path)
        if found is not None:
            return _read_file(found, root, path, roots[:number])
    return None


def _read_file(found: str, root: str, path: str, before: tuple[str, ...]) -> CachedFile | None:
    siblings = [(find_file(root, path + suffix), coding) for suffix, coding in _CODINGS if not content_encoding(path)]
    cache = b"public, max-age=31536000, immutable" if is_hashed(path.rpartition("/")[2]) else b"no-cache"
    shared = [(b"cache-control", cache), (b"x-content-type-options", b"nosniff")]
    if any(sibling is not None for sibling, _ in siblings):
        shared.append((b"vary", b"accept-encoding"))
    kind = encode_field("content-type", guess_content_type(path))
    try:
        variants = [_variant(found, "", kind, shared)]
        variants += [_variant(sibling, coding, kind, shared) for sibling, coding in siblings if sibling is not None]
    except OSError:  # removed meanwhile
        return None
    return CachedFile(f"{root}/{path}", tuple(f"{other}/{path}" for other in before), tuple(variants))


def _variant(path: str, coding: str, kind: tuple[bytes, bytes], shared: RawHeaders) -> Variant:
    with Path(path).open("rb", buffering=0) as file:
        status = os.fstat(file.fileno())
        modified, size = modification_time(status), status.st_size
        body = file.read(size + 1) if size <= CHUNK_SIZE else None
        file_only = file_tag(file.fileno(), status, HASHED)
    if body is not None and len(body) != size:  # the file is being written: do not keep it
        body = None
    tag = (f'{file_only[:-1]}-{coding}"' if coding else file_only).encode("ascii")
    fields_304 = [*shared, (b"etag", tag)]
    if modified is not None:
        fields_304.append(encode_field("last-modified", http_date(modified)))
    fields_200 = [kind, *fields_304, (b"accept-ranges", b"bytes")]
    if coding or (coding := content_encoding(path)):
        fields_200.append((b"content-encoding", coding.encode("ascii")))
    return Variant(coding, path, _stamp_of(status), modified, tag, body, fields_304, fields_200)


def _stamp(path: str) -> tuple[int, int, int, int, int]:
    """Return what identifies the content of a file: times of its changes, size, inode and device, after links."""
    return _stamp_of(os.stat(path))  # noqa: PTH116  # a third of the time of Path.stat(), for every request


def _stamp_of(status: os.stat_result) -> tuple[int, int, int, int, int]:
    # The modification time may be set to any value; that of the change of the inode may not.
    return status.st_mtime_ns, status.st_size, status.st_ino, status.st_dev, status.st_ctime_ns


def find_file(root: str, path: str) -> str | None:
    """Find a regular file below a folder. Blocks.

    A path with an empty or dot segment, a hidden name or a control character is refused before the file system is
    accessed. Symbolic links are followed, and have to end inside the folder.

    :param root: the folder, absolute and without symbolic links.
    :param path: the path below the folder, decoded.
    :returns: the path of the file without symbolic links; None if there is no such file.
    """
    names = path.split("/")
    if any(not _is_visible_name(name) for name in (names[1:] if names[0] == _WELL_KNOWN else names)):
        return None
    try:
        found = os.path.realpath(f"{root}/{path}", strict=True)
        regular = Path(found).is_file()
    except (OSError, ValueError):  # missing, no permission, too long a name, a loop of links, a lone surrogate
        return None
    inside = found.startswith(root if root.endswith(os.sep) else root + os.sep)
    return found if regular and inside else None


def _is_visible_name(name: str) -> bool:
    return bool(name) and name[0] != "." and _REFUSED.search(name) is None
