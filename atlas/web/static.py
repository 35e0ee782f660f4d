"""Folders of files under a prefix."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from atlas.errors import StartupError
from atlas.gateway.threads import in_thread
from atlas.web.caching import Verdict, http_date, judge
from atlas.web.errors import NotFound
from atlas.web.files import PIECE, FileResponse, file_tag, guess_content_type
from atlas.web.headers import RawHeaders, encode_field, weights_of
from atlas.web.request import AsyncRequest
from atlas.web.response import RedirectResponse, Response
from atlas.web.routing import Route, caller_place

__all__ = ["Static", "configured_static", "find_file", "is_hashed"]

_BELOW_STATIC = "/static/{path:path}"
MEMORY = 16 * 1024 * 1024  # bytes of small files that one folder keeps

# Suffixes of siblings that were compressed beforehand, with what they are called on the wire; the best one first.
_CODINGS = ((".br", "br"), (".zst", "zstd"), (".gz", "gzip"))

# "app.3f2a9c1b.js", "app-3f2a9c1b.css": eight hexadecimal digits or more. Digits alone are a date as likely as not, and
# letters alone a word.
_HASHED = re.compile(r"[.\-_](?=[0-9]*[a-f])(?=[a-f]*[0-9])[0-9a-f]{8,64}\.")


def is_hashed(name: str) -> bool:
    """Whether a file name carries a hash of its content, so that it never means another one."""
    return _HASHED.search(name) is not None


class Variant(NamedTuple):
    """One form of a file: as it is, or compressed.

    :ivar stamp: see :func:`_stamp`. :ivar tag: its entity tag. :ivar body: of a small one.
    :ivar about: the fields that a 304 has as well. :ivar head: those of a 200.
    """

    coding: str
    path: str
    stamp: tuple[int, int, int, int]
    tag: bytes
    body: bytes | None
    about: RawHeaders
    head: RawHeaders


class Known(NamedTuple):
    """What is known of a path: where it leads, and its variants, the plain one first.

    :ivar before: where it would lead if there were something: the same path in the folders that come before.
    """

    asked: str
    before: tuple[str, ...]
    variants: tuple[Variant, ...]

    def is_current(self) -> bool:
        """Whether the path still leads to the same file, unchanged: one stat for each folder that was looked in."""
        try:
            same = _stamp(self.asked) == self.variants[0].stamp
            return same and not any(map(os.path.lexists, self.before))
        except (OSError, ValueError):
            return False

    @property
    def size(self) -> int:
        return sum(len(variant.body or b"") for variant in self.variants)


class Static(Route):
    """Serves the files of a folder: ``Static("/static", "static")``, and ``url_for("static", path="site.css")``.

    Files are asked for again each time and answered with 304 where the client has them; those with a hash in their
    name are kept for good. A sibling ``site.css.br`` (``.zst``, ``.gz``) is sent to clients that know the coding; to
    change it alone is not enough, the file itself has to be newer as well. Small files stay in memory until they
    change. Names that start with a dot, and whatever lies outside of the folder once symbolic links are followed, are
    not found.

    :param directory: relative to the file that says ``Static(...)``; or several: what is in two of them is that of the
        first.
    :param index: the file that answers for a folder: ``index.html``. Without it folders are not found.
    :raises StartupError: if there is no such folder.
    """

    __slots__ = ("_index", "_known", "_size", "roots")

    def __init__(
        self,
        prefix: str,
        directory: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
        name: str = "static",
        *,
        index: str | None = None,
    ) -> None:
        place = caller_place()
        if index is not None and ("/" in index or not _is_plain_name(index)):
            raise StartupError(f"{place}: Static: index: expected a file name such as 'index.html', got {index!r}")
        folders = [directory] if isinstance(directory, str | os.PathLike) else directory
        self.roots = tuple(_root(place, folder) for folder in folders)
        if not self.roots:
            raise StartupError(f"{place}: Static: expected a folder, or several, got none")
        self._index = index
        self._known: dict[str, Known] = {}
        self._size = 0
        super().__init__(f"{prefix.rstrip('/')}/{{path:path}}", self.serve, name=name)

    def flat(self) -> Iterator[Route]:
        """The route of the files; with an index, also that of the folder itself."""
        yield self
        if self._index is not None:
            yield Route(self.path.removesuffix("{path:path}"), self.serve_folder, name=f"{self.name}-index")

    async def serve_folder(self, request: AsyncRequest) -> Response:
        """The controller of the folder itself."""
        return await self.serve(request, "")

    async def serve(self, request: AsyncRequest, path: str) -> Response:
        """The controller."""
        if self._index is not None and (path == "" or path.endswith("/")):
            path += self._index
        known = self._known.get(path)
        if known is None or not known.is_current():
            known = await in_thread(look, self.roots, path)
            self._keep(path, known)
        if known is None:
            return await self._serve_folder(path)
        try:
            return _respond(request, known)
        except FileNotFoundError:  # a compressed sibling went away, of which the file itself tells nothing: look again
            self._keep(path, None)
            return await self.serve(request, path)

    async def _serve_folder(self, path: str) -> Response:
        if self._index is None or await in_thread(look, self.roots, f"{path}/{self._index}") is None:
            raise NotFound
        return RedirectResponse(f"./{quote(path.rpartition('/')[2])}/", 308)

    def _keep(self, path: str, known: Known | None) -> None:
        """Remember what was found. The oldest makes room, so that the memory is bounded whatever is asked for."""
        old = self._known.pop(path, None)
        self._size -= old.size if old is not None else 0
        if known is None:
            return
        self._known[path] = known
        self._size += known.size
        while self._size > MEMORY:
            self._size -= self._known.pop(next(iter(self._known))).size


def _respond(request: AsyncRequest, known: Known) -> Response:
    asked = _what_matters(request.headers.raw)
    # A part of a file is one of the file as it is: who asks for the next one may ask with another accept-encoding.
    variant = known.variants[0] if asked.part else _choose(asked.codings, known.variants)
    if asked.conditions:
        # What browsers send is the one tag that they were given; whatever else there may be takes longer to weigh.
        same = asked.conditions == [(b"if-none-match", variant.tag)]
        status = 304 if same else _judge(request, variant).value
        if status != 200:
            response = Response(b"", status, content_type="")
            response.raw_headers += variant.about
            return response
    if variant.body is None or asked.part:
        response = FileResponse(variant.path)
        response.raw_headers = list(variant.head)
    else:
        response = Response(variant.body, content_type="")
        response.raw_headers += variant.head
    return response


def _judge(request: AsyncRequest, variant: Variant) -> Verdict:
    return judge(request.method, request.headers, variant.tag.decode("ascii"), variant.stamp[0] // 10**9)


class _Asked(NamedTuple):
    """What of a request matters here: whether it wants a part, the codings it accepts, its preconditions."""

    part: bool
    codings: str
    conditions: RawHeaders


def _what_matters(raw: RawHeaders) -> _Asked:
    part, codings, conditions, since = False, "", [], []
    for field in raw:
        name = field[0]
        if name == b"accept-encoding":
            codings = field[1].decode("latin-1")
        elif name == b"range":
            part = True
        elif name == b"if-modified-since":
            since.append(field)
        elif name[:3] == b"if-":
            conditions.append(field)
    return _Asked(part, codings, conditions or since)  # beside a tag the date does not count, RFC 9110 13.1.3


def _choose(accept: str, variants: tuple[Variant, ...]) -> Variant:
    """The variant for an ``accept-encoding`` (RFC 9110 12.5.3). The plain one will do for everybody."""
    if not accept or len(variants) == 1:
        return variants[0]
    weights = weights_of(accept)
    others = weights.get("*", 0.0)
    best = max(variants[1:], key=lambda variant: weights.get(variant.coding, others))
    quality = weights.get(best.coding, others)
    return best if quality > 0 and quality >= weights.get("identity", 0.0) else variants[0]


def _root(place: str, directory: str | os.PathLike[str]) -> str:
    folder = Path(place.rpartition(":")[0]).parent / directory
    if not folder.is_dir():
        raise StartupError(f"{place}: static folder {str(folder)!r} does not exist")
    return os.path.realpath(folder)


def configured_static(folders: Iterable[str | os.PathLike[str]] | None, routes: Iterable[Route]) -> Static | None:
    """The route of the folders that the configuration names (``static_dirs``): their files are below ``/static``.

    :param routes: those of the application; if there is one for all that is below ``/static``, it stays the only one.
    :raises StartupError: if there is no such folder.
    """
    if not folders or any(route.host is None and route.path == _BELOW_STATIC for route in routes):
        return None
    return Static("/static", folders)


def look(roots: tuple[str, ...], path: str) -> Known | None:
    """All that has to be known of a file to serve it, or None if there is none. Asks the disk."""
    for number, root in enumerate(roots):
        found = find_file(root, path)
        if found is not None:
            return _know(found, root, path, roots[:number])
    return None


def _know(found: str, root: str, path: str, before: tuple[str, ...]) -> Known | None:
    siblings = [(find_file(root, path + suffix), coding) for suffix, coding in _CODINGS]
    cache = b"public, max-age=31536000, immutable" if is_hashed(path.rpartition("/")[2]) else b"no-cache"
    shared = [(b"cache-control", cache), (b"x-content-type-options", b"nosniff")]
    if any(sibling is not None for sibling, _ in siblings):
        shared.append((b"vary", b"accept-encoding"))
    kind = encode_field("content-type", guess_content_type(path))
    try:
        variants = [_variant(found, "", kind, shared)]
        variants += [_variant(sibling, coding, kind, shared) for sibling, coding in siblings if sibling is not None]
    except OSError:  # gone since
        return None
    return Known(f"{root}/{path}", tuple(f"{other}/{path}" for other in before), tuple(variants))


def _variant(path: str, coding: str, kind: tuple[bytes, bytes], shared: RawHeaders) -> Variant:
    with Path(path).open("rb", buffering=0) as file:
        stamp = _stamp(file.fileno())
        modified, size, *_ = stamp
        body = file.read(size + 1) if size <= PIECE else None
    if body is not None and len(body) != size:  # it is being written; the next one who asks will find it whole
        body = None
    plain = file_tag(size, modified)
    tag = (f'{plain[:-1]}-{coding}"' if coding else plain).encode("ascii")
    about = [*shared, (b"etag", tag), encode_field("last-modified", http_date(modified // 10**9))]
    head = [kind, *about, (b"accept-ranges", b"bytes")]
    if coding:
        head.append((b"content-encoding", coding.encode("ascii")))
    return Variant(coding, path, stamp, tag, body, about, head)


def _stamp(path: str | int) -> tuple[int, int, int, int]:
    """What changes with a file: its time and size, and which file it is at all, after links."""
    status = os.stat(path)  # noqa: PTH116  # a third of the time of Path.stat(), at every request
    return status.st_mtime_ns, status.st_size, status.st_ino, status.st_dev


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
