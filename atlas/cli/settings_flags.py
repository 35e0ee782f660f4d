"""The settings of the server as flags of a command, and the settings that a command line gives."""

from __future__ import annotations

import dataclasses
import os
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any

import click
from click.core import ParameterSource

from atlas.server.configuration import env_file
from atlas.server.configuration.load_settings import LoadedSettings, flag_name, load_settings
from atlas.server.configuration.setting_types import Boolean
from atlas.server.configuration.settings import Setting, Settings, settings_table
from atlas.server.configuration.uvicorn_settings import IGNORED, RENAMED, SWITCHES, VALUED_SWITCHES

__all__ = ["SettingsCommand", "given_flags", "load", "parameters"]


def parameters() -> list[click.Parameter]:
    """Return the argument ``MODULE:ATTR`` and the flags of all settings, with those of uvicorn, which are hidden."""
    target = click.Argument(["app"], required=False, metavar="[MODULE:ATTR]")
    return [target, *_flags(), *map(_uvicorn_flag, (*RENAMED, *IGNORED))]


def given_flags(ctx: click.Context, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the flags that are on the command line; all others have lower precedence than a variable or the file."""
    return {
        name: value for name, value in values.items() if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE
    }


def load(app: str | None, flags: Mapping[str, Any]) -> LoadedSettings:
    """Load the settings from all sources. The env file, if one is named, is added to the environment before.

    :raises StartupError: if one of the sources is wrong, or the env file cannot be read.
    """
    loaded = load_settings(app, flags, os.environ)
    if loaded.settings.env_file is None:
        return loaded
    path, before = loaded.settings.env_file, set(os.environ)
    env_file.load(path, os.environ)
    loaded = load_settings(app, flags, os.environ)  # the file may contain ATLAS_SERVE_ variables
    added = os.environ.keys() - before
    origins = {name: f"{each} in {path}" if each in added else each for name, each in loaded.origins.items()}
    return dataclasses.replace(loaded, origins=origins)


def _as_switches(arguments: Iterable[str]) -> Iterator[str]:
    """Replace ``--flag false`` and ``--flag=false`` by ``--no-flag``, for the flags that have a value in uvicorn."""
    rest = deque(arguments)
    while rest:
        flag, equals, value = rest[0].partition("=")
        given = value if equals else (rest[1] if len(rest) > 1 else "")
        if flag not in VALUED_SWITCHES or (wanted := _truth(given)) is None:
            yield rest.popleft()
            continue
        for _ in range(1 if equals else 2):
            rest.popleft()
        yield flag if wanted else f"--no-{flag.removeprefix('--')}"


def _truth(text: str) -> bool | None:
    try:
        return Boolean().parse(text)
    except ValueError:
        return None


def _uvicorn_flag(name: str) -> click.Option:
    flag = f"--{name.replace('_', '-')}"
    return click.Option([name, flag], is_flag=name in SWITCHES, default=None, hidden=True)


class _Flag(click.Option):
    """The option of a setting. Its text is parsed by :mod:`atlas.server.configuration.load_settings`, not by click."""

    def __init__(self, name: str, setting: Setting, default: Any) -> None:
        self.setting = setting
        self.shown_default = _default_text(setting, default)
        flag = flag_name(name)
        if isinstance(setting.type, Boolean):
            super().__init__([name, f"{flag}/--no-{flag.removeprefix('--')}"], is_flag=True, default=None)
        else:
            super().__init__([name, flag], multiple=setting.type.multiple, default=None)

    def get_help_record(self, ctx: click.Context) -> tuple[str, str]:
        setting_type, flag = self.setting.type, self.opts[0].removeprefix("--")
        left = f"--[no-]{flag}" if isinstance(setting_type, Boolean) else f"--{flag} {setting_type.metavar}"
        return left, f"{self.setting.help} {click.style(f'[{self.shown_default}]', dim=True)}"


def _flags() -> list[_Flag]:
    defaults = Settings()
    return [_Flag(name, setting, getattr(defaults, name)) for name, setting in settings_table().items()]


def _default_text(setting: Setting, default: Any) -> str:
    if setting.shown_default is not None:
        return setting.shown_default
    if default is None:
        return str(setting.unset)
    if isinstance(default, bool):
        return "on" if default else "off"
    return f"{default:g}" if isinstance(default, float) else str(default)


class SettingsCommand(click.Command):
    """A command whose help shows the flags in the groups of the settings, in columns of the same width."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, list(_as_switches(args)))

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        flags = [parameter for parameter in self.get_params(ctx) if isinstance(parameter, _Flag)]
        width = max(len(flag.get_help_record(ctx)[0]) for flag in flags)
        for title, members in groupby(flags, key=lambda flag: flag.setting.group):
            with formatter.section(click.style(title, bold=True)):
                records = [member.get_help_record(ctx) for member in members]
                formatter.write_dl([(left.ljust(width), right) for left, right in records], col_max=width)
        if others := [each for each in self.params if type(each) is click.Option and not each.hidden]:
            with formatter.section(click.style("Output", bold=True)):
                formatter.write_dl([record for each in others if (record := each.get_help_record(ctx))])
