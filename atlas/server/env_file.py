"""The ``--env-file``: lines of ``KEY=VALUE``, as shells and container tools write them.

``export`` before a key, comments, single quotes (nothing inside changes) and double quotes (``\\n``, ``\\t``, ``\\"``,
``\\\\`` and ``\\$`` mean what they mean in a shell) are understood; variables inside a value are not expanded.
"""

from __future__ import annotations

import re
from collections.abc import MutableMapping
from pathlib import Path

from atlas.errors import StartupError

__all__ = ["load", "read"]

_KEY = r"(?:export\s+)?(?P<key>[A-Za-z_][A-Za-z0-9_.]*)"
_VALUE = r"""'(?P<single>[^']*)'|"(?P<double>(?:[^"\\]|\\.)*)"|(?P<plain>(?:(?<==)\#|[^'"\s\#])(?:(?!\s\#).)*)?"""
_LINE = re.compile(rf"{_KEY}\s*=\s*(?:{_VALUE})\s*(?:\#.*)?")
_ESCAPE = re.compile(r"\\(.)")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}


def load(path: str, environ: MutableMapping[str, str]) -> None:
    """Add what the file at ``path`` says to ``environ``; what is set already stays as it is.

    :raises StartupError: if the file can't be read, or a line of it is not ``KEY=VALUE``.
    """
    for key, value in read(path).items():
        environ.setdefault(key, value)


def read(path: str) -> dict[str, str]:
    """The variables in the file at ``path``; of two with the same name the later one counts.

    :raises StartupError: as :func:`load`.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise StartupError(f"--env-file {path}: cannot be read: {reason}") from None
    values = {}
    for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), start=1):
        bare = line.strip()
        if bare and not bare.startswith("#"):
            key, value = _pair(bare, f"{path}:{number}")
            values[key] = value
    return values


def _pair(line: str, place: str) -> tuple[str, str]:
    match = _LINE.fullmatch(line)
    if match is None:
        # The line itself may hold a secret, so it isn't shown.
        raise StartupError(f"--env-file {place}: expected KEY=VALUE")
    if match["double"] is not None:
        return match["key"], _ESCAPE.sub(lambda escape: _ESCAPES.get(escape[1], escape[1]), match["double"])
    return match["key"], match["single"] or (match["plain"] or "").rstrip()
