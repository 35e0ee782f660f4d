"""The ``--env-file``: lines of ``KEY=VALUE``, in the format of shells and container tools.

A line may start with ``export`` and end with a comment. A value in single quotes is literal; in double quotes ``\\n``,
``\\t``, ``\\"``, ``\\\\`` and ``\\$`` are escapes. Variables inside a value are not expanded.
"""

from __future__ import annotations

import re
from collections.abc import MutableMapping
from pathlib import Path

from atlas.errors import StartupError

__all__ = ["load", "read"]

_KEY = r"(?:export\s+)?(?P<key>[A-Za-z_][A-Za-z0-9_.]*)"
_VALUE = r"""'(?P<single>[^']*)'|"(?P<double>(?:[^"\\]|\\.)*)"|(?P<unquoted>(?:(?<==)\#|[^'"\s\#])(?:(?!\s\#).)*)?"""
_LINE = re.compile(rf"{_KEY}\s*=\s*(?:{_VALUE})\s*(?:\#.*)?")
_ESCAPE = re.compile(r"\\(.)")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}


def load(path: str, environ: MutableMapping[str, str]) -> None:
    """Add the variables of the file at ``path`` to ``environ``. A variable that is set already keeps its value.

    :raises StartupError: if the file cannot be read, or one of its lines is not ``KEY=VALUE``.
    """
    for key, value in read(path).items():
        environ.setdefault(key, value)


def read(path: str) -> dict[str, str]:
    """Return the variables of the file at ``path``; the last of several with the same name takes precedence.

    :raises StartupError: as :func:`load`.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise StartupError(f"--env-file {path}: cannot be read: {reason}") from None
    values = {}
    for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), start=1):
        stripped = line.strip()
        if stripped and not stripped.startswith("#"):
            key, value = _parse_line(stripped, f"{path}:{number}")
            values[key] = value
    return values


def _parse_line(line: str, position: str) -> tuple[str, str]:
    match = _LINE.fullmatch(line)
    if match is None:
        # The line may hold a secret, so it is not part of the message.
        raise StartupError(f"--env-file {position}: expected KEY=VALUE")
    if match["double"] is not None:
        return match["key"], _ESCAPE.sub(lambda escape: _ESCAPES.get(escape[1], escape[1]), match["double"])
    return match["key"], match["single"] or (match["unquoted"] or "").rstrip()
