"""The ``--env-file``: lines of ``KEY=VALUE``, in the format of python-dotenv, which uvicorn reads.

A line may start with ``export`` and end with a comment. A value in quotes may have several lines. In double quotes
``\\n``, ``\\t``, ``\\"``, ``\\\\`` and ``\\$`` are escapes, in single quotes only ``\\'``. ``${NAME}`` and
``${NAME:-default}`` are replaced in every value: by the variable of the process, or by the value of an earlier line.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, MutableMapping
from pathlib import Path

from atlas.errors import StartupError

__all__ = ["load", "read"]

_BLANK = r"[^\S\n]*"
_KEY = rf"(?:export{_BLANK.replace('*', '+')})?(?P<key>[A-Za-z_][A-Za-z0-9_.]*)"
_QUOTED = r"""'(?P<single>(?:\\'|[^'])*)'|"(?P<double>(?:[^"\\]|\\(?:.|\n))*)\""""
_UNQUOTED = r"""(?P<unquoted>(?:(?<==)\#|[^'"\s\#])(?:(?!\s\#).)*)"""
_ENTRY = re.compile(rf"{_BLANK}{_KEY}{_BLANK}={_BLANK}(?:{_QUOTED}|{_UNQUOTED}?){_BLANK}(?:\#.*)?(?:\n|\Z)")
_NOTHING = re.compile(rf"{_BLANK}(?:\#.*)?(?:\n|\Z)")
_VARIABLE = r"\$\{(?P<name>[^}:]*)(?::-(?P<default>[^}]*))?\}"
_IN_DOUBLE = re.compile(rf"\\(?P<escaped>.|\n)|{_VARIABLE}")
_IN_OTHER = re.compile(_VARIABLE)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}


def load(path: str, environ: MutableMapping[str, str]) -> None:
    """Add the variables of the file at ``path`` to ``environ``. A variable that is set already keeps its value.

    :raises StartupError: if the file cannot be read, or one of its lines is not ``KEY=VALUE``.
    """
    for key, value in read(path, environ).items():
        environ.setdefault(key, value)


def read(path: str, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of the file at ``path``; the last of several with the same name takes precedence.

    :param environ: the variables of the process.
    :raises StartupError: as :func:`load`.
    """
    try:
        text = Path(path).read_text(encoding="utf-8").removeprefix("\ufeff")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise StartupError(f"--env-file {path}: cannot be read: {reason}") from None
    if (nul := text.find("\0")) >= 0:  # which no variable can have
        raise StartupError(f"--env-file {path}:{_line(text, nul)}: expected text, got a NUL character")
    values: dict[str, str] = {}
    position = 0
    while position < len(text):
        if (match := _NOTHING.match(text, position)) is None:
            match = _ENTRY.match(text, position)
            if match is None:
                # The line may hold a secret, so it is not part of the message.
                raise StartupError(f"--env-file {path}:{_line(text, position)}: expected KEY=VALUE")
            values[match["key"]] = _value(match, {**values, **environ})
        position = match.end()
    return values


def _line(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1


def _value(entry: re.Match[str], variables: Mapping[str, str]) -> str:
    def replace(match: re.Match[str]) -> str:
        escaped = match.groupdict().get("escaped")
        if escaped is not None:
            return _ESCAPES.get(escaped, escaped)
        return variables.get(match["name"], match["default"] or "")

    if entry["double"] is not None:
        return _IN_DOUBLE.sub(replace, entry["double"])
    text = entry["single"].replace("\\'", "'") if entry["single"] is not None else (entry["unquoted"] or "").rstrip()
    return _IN_OTHER.sub(replace, text)
