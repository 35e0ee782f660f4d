"""Where settings come from: flags, the environment and ``[tool.atlas]`` of ``pyproject.toml``, in this order of weight.

Whatever is wrong in one of them is a :class:`SettingError` that names the flag, the variable, or the file and key.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from atlas.errors import StartupError
from atlas.server.settings import Setting, Settings, close_match, table

__all__ = ["PREFIX", "Gathered", "SettingError", "flag_of", "gather", "variable_of"]

PREFIX = "ATLAS_SERVE_"
_APP = "app"  # the target, which is no field of Settings: ATLAS_SERVE_APP, and `app` in [tool.atlas]


class SettingError(StartupError):
    """A setting is wrong; the message names the source it came from."""


@dataclass(frozen=True, slots=True)
class Gathered:
    """What all sources together say. ``app`` is the target ``module:attr``, None if none of them names one."""

    app: str | None
    settings: Settings


def flag_of(name: str) -> str:
    """The command line flag of a field: ``limit_request_body`` is ``--limit-request-body``."""
    return "--" + (table()[name].flag or name).replace("_", "-")


def variable_of(name: str) -> str:
    """The environment variable of a field, which is that of its flag: ``ATLAS_SERVE_LIMIT_REQUEST_BODY``."""
    return PREFIX + (table()[name].flag or name).upper()


def gather(
    app: str | None, flags: Mapping[str, Any], environ: Mapping[str, str], directory: str | Path = "."
) -> Gathered:
    """All sources as one :class:`Settings`.

    :param app: the target from the command line.
    :param flags: field names and the texts (or, for switches, the booleans) given for them; only what was given.
    :param directory: where ``pyproject.toml`` may lie.
    :raises SettingError: for an unknown name (with the close one) or a value that its setting can't hold.
    """
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for name, value, origin in (*_from_file(Path(directory)), *_from_environ(environ), *_from_flags(flags)):
        values[name] = value
        origins[name] = origin
    target = app or values.pop(_APP, None)
    values.pop(_APP, None)
    if values.get("uds") is not None and values.get("fd") is not None:
        raise SettingError(f"{origins['uds']} and {origins['fd']}: expected one of them, got both")
    return Gathered(target, Settings(**values))


_Found = Iterator[tuple[str, Any, str]]  # a field's name, its checked value, and where it stands


def _from_flags(flags: Mapping[str, Any]) -> _Found:
    for name, value in flags.items():
        about = table()[name]
        yield name, _read(about, value, flag_of(name)), flag_of(name)


def _from_environ(environ: Mapping[str, str]) -> _Found:
    fields = {variable_of(name): name for name in table()} | {PREFIX + _APP.upper(): _APP}
    for variable, text in environ.items():
        if not variable.startswith(PREFIX) or not text:  # empty is how container tools say "not set"
            continue
        name = fields.get(variable)
        if name is None:
            raise SettingError(f"{variable}: there is no such setting{close_match(variable, fields)}")
        yield name, text if name == _APP else _read(table()[name], text, variable), variable


def _from_file(directory: Path) -> _Found:
    path = directory / "pyproject.toml"
    keys = {_APP: _APP} | {name: name for name in table()}
    keys |= {about.flag: name for name, about in table().items() if about.flag}
    for key, value in _tool_atlas(path).items():
        origin = f"{path.name}, [tool.atlas], {key}"
        name = keys.get(key.replace("-", "_"))
        if name is None:
            raise SettingError(f"{origin}: there is no such setting{close_match(key, keys)}")
        if name == _APP and not isinstance(value, str):
            raise SettingError(f"{origin}: expected 'module:attr', got {value!r}")
        yield name, value if name == _APP else _checked(table()[name], value, origin), origin


def _tool_atlas(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise SettingError(f"{path}: cannot be read: {error}") from None
    try:
        found = tomllib.loads(text).get("tool", {}).get("atlas", {})
    except tomllib.TOMLDecodeError as error:
        raise SettingError(f"{path}: is not valid TOML: {error}") from None
    if not isinstance(found, dict):
        raise SettingError(f"{path.name}, tool.atlas: expected a table, got {found!r}")
    return found


def _read(about: Setting, value: Any, origin: str) -> Any:
    """A flag's or a variable's value: text is parsed, what the command line made of a switch is checked."""
    if not isinstance(value, str):
        return _checked(about, value, origin)
    try:
        return about.kind.parse(value)
    except (TypeError, ValueError) as error:
        raise SettingError(f"{origin}: {error}") from None


def _checked(about: Setting, value: Any, origin: str) -> Any:
    try:
        return about.check(value)
    except (TypeError, ValueError) as error:
        raise SettingError(f"{origin}: {error}") from None
