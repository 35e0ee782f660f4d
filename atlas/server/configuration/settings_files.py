"""The files that settings come from: ``atlas.toml``, or the table ``[tool.atlas]`` of ``pyproject.toml``."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from atlas.errors import StartupError

__all__ = ["FILES", "FileValue", "SettingError", "read_file"]

_OWN, _PROJECT = FILES = ("atlas.toml", "pyproject.toml")
_HEADER = re.compile(r"\s*\[\s*([^\[\]]+?)\s*\]")
_KEY = re.compile(r"""\s*([A-Za-z0-9_\-."' ]+?)\s*=""")


class SettingError(StartupError):
    """A setting is wrong; the message names the flag, the variable, or the file and key."""


@dataclass(frozen=True, slots=True)
class FileValue:
    """A key of a file. ``origin``: its place for an error message; ``place``: file and line, as ``atlas.toml:3``."""

    key: str
    value: Any
    origin: str
    place: str


def read_file(directory: Path) -> Iterator[FileValue]:
    """Iterate over the keys of the file in a directory that has settings.

    :raises SettingError: if a file cannot be read, or both files have settings.
    """
    own, project = directory / _OWN, directory / _PROJECT
    own_text, project_text = _read(own), _read(project)
    own_keys = _parse(own, own_text)
    project_keys = _parse(project, project_text).get("tool", {}).get("atlas", {})
    if not isinstance(project_keys, dict):
        raise SettingError(f"{_PROJECT}, tool.atlas: expected a table, got {project_keys!r}")
    if own_text is not None and project_keys:
        raise SettingError(f"{_OWN} and [tool.atlas] in {_PROJECT}: expected one of them, got both")
    for keys, prefix, name, text, where in (
        (own_keys, "", _OWN, own_text, _OWN),
        (project_keys, "tool.atlas.", _PROJECT, project_text, f"{_PROJECT}, [tool.atlas]"),
    ):
        lines = _lines(text or "") if keys else {}
        for key, value in keys.items():
            line = lines.get(prefix + key)
            yield FileValue(key, value, f"{where}, {key}", f"{name}:{line}" if line else name)


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingError(f"{path}: cannot be read: {error}") from None


def _parse(path: Path, text: str | None) -> dict[str, Any]:
    try:
        return tomllib.loads(text or "")
    except tomllib.TOMLDecodeError as error:
        raise SettingError(f"{path}: is not valid TOML: {error}") from None


def _lines(text: str) -> dict[str, int]:
    """Return the line of each key, with its tables (``tool.atlas.port``): the first one of a key with several."""
    found: dict[str, int] = {}
    table = ""
    for number, line in enumerate(text.splitlines(), 1):
        if match := _HEADER.match(line):
            table = _plain(match[1])
            name = table
        elif match := _KEY.match(line):
            name = f"{table}.{_plain(match[1])}" if table else _plain(match[1])
        else:
            continue
        while name:  # tool.atlas.headers.X-A is the line of tool.atlas.headers too
            found.setdefault(name, number)
            name = name.rpartition(".")[0]
    return found


def _plain(key: str) -> str:
    return ".".join(part.strip().strip("\"'") for part in key.split("."))
