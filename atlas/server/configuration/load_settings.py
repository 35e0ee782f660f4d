"""Loads the settings from the command line, the environment, and ``atlas.toml`` or ``pyproject.toml``.

A flag takes precedence over a variable, a variable over the file, the file over a variable of uvicorn. A mistake in any
of them is a :class:`SettingError` that names the flag, the variable, or the file and key.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from atlas.server.configuration.settings import EXCLUSIVE, Setting, Settings, close_match, settings_table
from atlas.server.configuration.settings_files import SettingError, read_file
from atlas.server.configuration.uvicorn_settings import IGNORED, RENAMED, uvicorn_advice, uvicorn_variables

__all__ = ["PREFIX", "LoadedSettings", "SettingError", "environment_variable", "flag_name", "load_settings"]

PREFIX = "ATLAS_SERVE_"
_APP = "app"  # the target, which is not a field of Settings: ATLAS_SERVE_APP, and `app` in [tool.atlas]


@dataclass(frozen=True, slots=True)
class LoadedSettings:
    """The settings from all sources."""

    app: str | None
    """The target ``module:attr``; None if no source has one."""
    settings: Settings
    origins: Mapping[str, str] = field(default_factory=dict)
    """Where the values come from that are not defaults: ``--port``, ``ATLAS_SERVE_PORT``, ``atlas.toml:3``."""
    notes: tuple[str, ...] = ()
    """Log lines about settings of uvicorn."""


class _Value(NamedTuple):
    name: str
    value: Any
    origin: str
    """For an error message."""
    place: str
    """For :attr:`LoadedSettings.origins`."""


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
    :param flags: the fields whose flags were given, each with its text, or its boolean for a switch; also uvicorn's
        names of settings that Atlas has under another name or does not need.
    :param environ: the environment variables.
    :param directory: where ``atlas.toml`` and ``pyproject.toml`` are looked for.
    :raises SettingError: for an unknown name (the message suggests a close one) or a wrong value.
    """
    notes: list[str] = []
    found: dict[str, _Value] = {}
    from_uvicorn = {value.name: value for value in _from_uvicorn(environ, notes)}
    sources = (from_uvicorn.values(), _from_file(Path(directory)), _from_environ(environ), _from_flags(flags, notes))
    for value in chain.from_iterable(sources):
        found[value.name] = value
    target = app or (found[_APP].value if _APP in found else None)
    notes += [_note(value, found[name], app) for name, value in from_uvicorn.items()]
    origins = {name: value.place for name, value in found.items()}
    found.pop(_APP, None)
    exclusive = [found[name].origin for name in EXCLUSIVE if name in found and found[name].value not in (None, ())]
    if len(exclusive) > 1:
        raise SettingError(f"{exclusive[0]} and {exclusive[1]}: expected one of them, got both")
    settings = Settings(**{name: value.value for name, value in found.items()})
    return LoadedSettings(target, settings, origins, tuple(notes))


def _from_flags(flags: Mapping[str, Any], notes: list[str]) -> Iterator[_Value]:
    for name, value in flags.items():
        if name in IGNORED:
            notes.append(f"--{name.replace('_', '-')} has no effect: {IGNORED[name]}")
        elif name in RENAMED:
            flag, field_name = f"--{name.replace('_', '-')}", RENAMED[name]
            notes.append(f"{flag} of uvicorn is used as {flag_name(field_name)}")
            if field_name not in flags:
                yield _Value(field_name, _parse(settings_table()[field_name], value, flag), flag, flag)
        else:
            flag = flag_name(name)
            yield _Value(name, _parse(settings_table()[name], value, flag), flag, flag)


def _from_uvicorn(environ: Mapping[str, str], notes: list[str]) -> Iterator[_Value]:
    for variable, name, value in uvicorn_variables(environ):
        field_name = RENAMED.get(name, name)
        if name in IGNORED:
            notes.append(f"{variable} has no effect: {IGNORED[name]}")
        elif name == _APP:
            yield _Value(_APP, value, variable, variable)
        elif field_name in settings_table():
            setting = settings_table()[field_name]
            yield _Value(field_name, _parse(setting, value, variable), variable, variable)
        else:
            known = [f"UVICORN_{each.upper()}" for each in (*settings_table(), *RENAMED, *IGNORED)]
            notes.append(f"{variable} has no effect: uvicorn has no such setting{close_match(variable, known)}")


def _note(value: _Value, used: _Value, app: str | None) -> str:
    """Return the log line about a variable of uvicorn."""
    if value.name == _APP:
        taken = "the application" if app is None and used is value else None
    else:
        taken = _as_flag(value.name, value.value) if used is value else None
    if taken is None:
        other = "the command line" if value.name == _APP and app is not None else used.place
        return f"{value.origin} has no effect: {other} takes precedence"
    return f"{value.origin} is used as {taken}"


def _as_flag(name: str, value: Any) -> str:
    """Return a flag with its value as on a command line; a password is left out."""
    flag = flag_name(name)
    if isinstance(value, bool):
        return flag if value else f"--no-{flag.removeprefix('--')}"
    if "password" in name:
        return flag
    if isinstance(value, tuple):
        return f"{flag} {', '.join(': '.join(each) if isinstance(each, tuple) else str(each) for each in value)}"
    return f"{flag} {value:g}" if isinstance(value, float) else f"{flag} {value}"


def _from_environ(environ: Mapping[str, str]) -> Iterator[_Value]:
    fields = {environment_variable(name): name for name in settings_table()} | {PREFIX + _APP.upper(): _APP}
    for variable, text in environ.items():
        if not variable.startswith(PREFIX) or not text:  # container tools set an empty variable for "not set"
            continue
        name = fields.get(variable)
        if name is None:
            advice = uvicorn_advice(variable.removeprefix(PREFIX))
            raise SettingError(f"{variable} {advice}" if advice else _unknown(variable, variable, fields))
        value = text if name == _APP else _parse(settings_table()[name], text, variable)
        yield _Value(name, value, variable, variable)


def _from_file(directory: Path) -> Iterator[_Value]:
    keys = {_APP: _APP} | {name: name for name in settings_table()}
    keys |= {setting.flag: name for name, setting in settings_table().items() if setting.flag}
    for each in read_file(directory):
        key, value, origin = each.key, each.value, each.origin
        name = keys.get(key.replace("-", "_"))
        if name is None:
            advice = uvicorn_advice(key)
            raise SettingError(f"{origin} {advice}" if advice else _unknown(origin, key, keys))
        if name == _APP and not isinstance(value, str):
            raise SettingError(f"{origin}: expected 'module:attr', got {value!r}")
        checked = value if name == _APP else _check(settings_table()[name], value, origin)
        yield _Value(name, checked, origin, each.place)


def _unknown(origin: str, name: str, known: Iterable[str]) -> str:
    return f"{origin}: there is no such setting{close_match(name, known)}"


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
