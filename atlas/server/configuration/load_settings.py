"""Loads the settings from the command line, the environment and ``[tool.atlas]`` in ``pyproject.toml``.

A flag takes precedence over a variable, a variable over the file. A mistake in any of them is a :class:`SettingError`
that names the flag, the variable, or the file and key.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from atlas.errors import StartupError
from atlas.server.configuration.settings import EXCLUSIVE, Setting, Settings, close_match, settings_table
from atlas.server.configuration.uvicorn_settings import uvicorn_advice

__all__ = ["FILES", "PREFIX", "LoadedSettings", "SettingError", "environment_variable", "flag_name", "load_settings"]

PREFIX = "ATLAS_SERVE_"
FILES = ("atlas.toml", "pyproject.toml")  # files that may contain settings
# Variables of uvicorn. Every other source takes precedence over them.
_UVICORN = {"FORWARDED_ALLOW_IPS": "forwarded_allow_ips", "WEB_CONCURRENCY": "workers"}
_APP = "app"  # the target, which is not a field of Settings: ATLAS_SERVE_APP, and `app` in [tool.atlas]


class SettingError(StartupError):
    """A setting is wrong; the message names the flag, the variable, or the file and key."""


@dataclass(frozen=True, slots=True)
class LoadedSettings:
    """The settings from all sources. ``app``: the target ``module:attr``; None if no source has one."""

    app: str | None
    settings: Settings


def flag_name(name: str) -> str:
    """Return the command line flag of a field: ``--limit-request-body`` for ``limit_request_body``."""
    return "--" + (settings_table()[name].flag or name).replace("_", "-")


def environment_variable(name: str) -> str:
    """Return the environment variable of a field: ``ATLAS_SERVE_LIMIT_REQUEST_BODY`` for ``limit_request_body``."""
    return PREFIX + (settings_table()[name].flag or name).upper()


def load_settings(
    app: str | None, flags: Mapping[str, Any], environ: Mapping[str, str], directory: str | Path = "."
) -> LoadedSettings:
    """Load the settings from all sources.

    :param app: the target of the command line, or None.
    :param flags: the fields whose flags were given, each with its text, or its boolean for a switch.
    :param environ: the environment variables.
    :param directory: where ``pyproject.toml`` is looked for.
    :raises SettingError: for an unknown name (the message suggests a close one) or a wrong value.
    """
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    sources = (_from_uvicorn(environ), _from_file(Path(directory)), _from_environ(environ), _from_flags(flags))
    for name, value, origin in chain.from_iterable(sources):
        values[name] = value
        origins[name] = origin
    target = app or values.pop(_APP, None)
    values.pop(_APP, None)
    exclusive = [origins[name] for name in EXCLUSIVE if values.get(name) not in (None, ())]
    if len(exclusive) > 1:
        raise SettingError(f"{exclusive[0]} and {exclusive[1]}: expected one of them, got both")
    return LoadedSettings(target, Settings(**values))


_Values = Iterator[tuple[str, Any, str]]  # the name of a field, its checked value, and its origin


def _from_flags(flags: Mapping[str, Any]) -> _Values:
    for name, value in flags.items():
        yield name, _parse(settings_table()[name], value, flag_name(name)), flag_name(name)


def _from_uvicorn(environ: Mapping[str, str]) -> _Values:
    for variable, name in _UVICORN.items():
        if text := environ.get(variable):
            yield name, _parse(settings_table()[name], text, variable), variable


def _from_environ(environ: Mapping[str, str]) -> _Values:
    fields = {environment_variable(name): name for name in settings_table()} | {PREFIX + _APP.upper(): _APP}
    for variable, text in environ.items():
        if not variable.startswith(PREFIX) or not text:  # container tools set an empty variable for "not set"
            continue
        name = fields.get(variable)
        if name is None:
            advice = uvicorn_advice(variable.removeprefix(PREFIX))
            raise SettingError(f"{variable} {advice}" if advice else _unknown(variable, variable, fields))
        yield name, text if name == _APP else _parse(settings_table()[name], text, variable), variable


def _from_file(directory: Path) -> _Values:
    path = directory / "pyproject.toml"
    keys = {_APP: _APP} | {name: name for name in settings_table()}
    keys |= {setting.flag: name for name, setting in settings_table().items() if setting.flag}
    for key, value in _tool_table(path).items():
        origin = f"{path.name}, [tool.atlas], {key}"
        name = keys.get(key.replace("-", "_"))
        if name is None:
            advice = uvicorn_advice(key)
            raise SettingError(f"{origin} {advice}" if advice else _unknown(origin, key, keys))
        if name == _APP and not isinstance(value, str):
            raise SettingError(f"{origin}: expected 'module:attr', got {value!r}")
        yield name, value if name == _APP else _check(settings_table()[name], value, origin), origin


def _unknown(origin: str, name: str, known: Iterable[str]) -> str:
    return f"{origin}: there is no such setting{close_match(name, known)}"


def _tool_table(path: Path) -> dict[str, Any]:
    """Return the table ``[tool.atlas]`` of a file; empty if there is no file or no table."""
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise SettingError(f"{path}: cannot be read: {error}") from None
    try:
        table = tomllib.loads(text).get("tool", {}).get("atlas", {})
    except tomllib.TOMLDecodeError as error:
        raise SettingError(f"{path}: is not valid TOML: {error}") from None
    if not isinstance(table, dict):
        raise SettingError(f"{path.name}, tool.atlas: expected a table, got {table!r}")
    return table


def _parse(setting: Setting, value: Any, origin: str) -> Any:
    """Parse the text of a flag or a variable. The value of a switch, a boolean, is only checked."""
    if not isinstance(value, str):
        return _check(setting, value, origin)
    try:
        return setting.type.parse(value)
    except (TypeError, ValueError) as error:
        raise SettingError(f"{origin}: {error}") from None


def _check(setting: Setting, value: Any, origin: str) -> Any:
    try:
        return setting.check(value)
    except (TypeError, ValueError) as error:
        raise SettingError(f"{origin}: {error}") from None
