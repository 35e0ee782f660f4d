"""The requests of gunicorn's test suite: files of bytes that a parser has to accept, or to refuse.

They are part of its source distribution (MIT licence), which pip downloads into a temporary folder. No code of it runs.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

PACKAGE = "gunicorn"
VERSION = "27.0.1"
SHA256 = "b1514965361c8b7e8107a80aa2a92636878df1ccfac6dd204a676426e04d9e3e"
FOLDER = "tests/requests"
HOST = re.compile(rb"^host[ \t]*:", re.IGNORECASE | re.MULTILINE)
ESCAPE = re.compile(rb"\\(?:x([0-9a-fA-F]{2})|([rnt0]))")
CHARACTERS = {b"r": b"\r", b"n": b"\n", b"t": b"\t", b"0": b"\0"}


class FetchFailed(Exception):
    """The package could not be fetched, or is not the expected one."""


@dataclass(frozen=True, slots=True)
class Case:
    """A request, and whether it is valid."""

    name: str
    valid: bool
    data: bytes


def fetch(folder: Path) -> Path:
    """Download the source distribution. Raises FetchFailed."""
    words = ["download", "--quiet", "--no-deps", "--no-binary", ":all:", "--dest", str(folder)]
    done = subprocess.run(
        [sys.executable, "-m", "pip", *words, f"{PACKAGE}=={VERSION}"], capture_output=True, text=True
    )
    archive = folder / f"{PACKAGE}-{VERSION}.tar.gz"
    if done.returncode or not archive.exists():
        raise FetchFailed(f"{PACKAGE} {VERSION} could not be downloaded: {done.stderr.strip()}")
    if (found := hashlib.sha256(archive.read_bytes()).hexdigest()) != SHA256:
        raise FetchFailed(f"{archive.name}: expected the SHA-256 {SHA256}, got {found}")
    return archive


def read(archive: Path) -> list[Case]:
    """The cases of a source distribution that apply to any server; see :func:`applies`."""
    files: dict[str, bytes] = {}
    with tarfile.open(archive) as members:
        for member in members:
            path = PurePosixPath(*PurePosixPath(member.name).parts[1:])
            if member.isfile() and path.is_relative_to(FOLDER):
                stream = members.extractfile(member)
                files[str(path.relative_to(FOLDER))] = stream.read() if stream else b""
    return list(cases(files))


def cases(files: dict[str, bytes]) -> Iterator[Case]:
    """The cases in files by name: ``valid/001.http``, and beside it the expectation ``valid/001.py``."""
    for name in sorted(files):
        stem, dot, suffix = name.rpartition(".")
        if dot and suffix == "http":
            case = Case(stem, stem.startswith("valid/"), decode(files[name]))
            if applies(case, files.get(f"{stem}.py", b"")):
                yield case


def applies(case: Case, expectation: bytes) -> bool:
    """Whether a case says something about servers other than gunicorn.

    Left out are those for which gunicorn is set up in a particular way, those that are about the default of one of its
    limits, and those that it accepts although HTTP/1.1 requires a refusal, because there is no ``Host`` (RFC 9112,
    section 3.2).
    """
    if b"cfg" in expectation or b"LimitRequest" in expectation:
        return False
    return not (case.valid and b"HTTP/1.1" in case.data and not HOST.search(case.data))


def decode(text: bytes) -> bytes:
    """The bytes of a file, in which line ends don't count and escapes stand for control characters."""
    joined = text.replace(b"\n", b"")
    return ESCAPE.sub(lambda found: bytes([int(found[1], 16)]) if found[1] else CHARACTERS[found[2]], joined)


def count(chosen: Iterable[Case]) -> tuple[int, int]:
    """How many are valid, and how many are not."""
    kinds = [case.valid for case in chosen]
    return sum(kinds), len(kinds) - sum(kinds)
