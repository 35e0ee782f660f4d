"""``atlas serve``: serves an application. Its flags are the fields of :class:`~atlas.Settings`."""

from __future__ import annotations

import os
from functools import partial
from itertools import groupby
from typing import Any

import click
from click.core import ParameterSource

from atlas.server.configuration import env_file
from atlas.server.configuration.load_settings import LoadedSettings, flag_name, load_settings
from atlas.server.configuration.setting_types import Boolean
from atlas.server.configuration.settings import Setting, Settings, settings_table

__all__ = ["command"]

_HELP = """\
Serve an ASGI application.

\b
  atlas serve main:app              serve 'app' of main.py on http://127.0.0.1:8000
  atlas serve main:app --port 0     serve it on any free port, which is logged
  atlas serve                       serve 'app' of main.py or app/main.py
"""
_EPILOG = """\
Each flag is also an environment variable (--port: ATLAS_SERVE_PORT) and a key of [tool.atlas] in pyproject.toml \
(port = 8000). A flag takes precedence over a variable, a variable over the file. A SIZE may have a unit: 64K, 100M.
"""


def command() -> click.Command:
    """Return the command, with a flag for each setting."""
    return _Serve(
        "serve",
        callback=_serve,
        params=[click.Argument(["app"], required=False, metavar="[MODULE:ATTR]"), *_flags()],
        help=_HELP,
        epilog=_EPILOG,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    )


def _serve(app: str | None, **values: Any) -> None:
    ctx = click.get_current_context()
    environ = dict(os.environ)
    load = partial(_load, app, _given_flags(ctx, values))
    loaded = load()

    # Imported here: --help and a wrong flag do not need the compiled modules.
    if loaded.settings.reloads:
        from atlas.server.reload.reloader import serve_and_reload

        serve_and_reload(load, environ)
        return
    from atlas.server.run import run

    run(loaded.app or "", loaded.settings)
    if callable(ctx.obj):
        ctx.obj(loaded.settings.timeout_graceful_shutdown)


def _given_flags(ctx: click.Context, values: dict[str, Any]) -> dict[str, Any]:
    """Return the flags that are on the command line; all others have lower precedence than a variable or the file."""
    return {
        name: value for name, value in values.items() if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE
    }


def _load(app: str | None, flags: dict[str, Any]) -> LoadedSettings:
    loaded = load_settings(app, flags, os.environ)
    if loaded.settings.env_file is None:
        return loaded
    env_file.load(loaded.settings.env_file, os.environ)
    return load_settings(app, flags, os.environ)  # the file may contain ATLAS_SERVE_ variables


# ---------------------------------------------------------------------------------------------------------- flags


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


class _Serve(click.Command):
    """Shows the flags in the groups of the settings, in columns of the same width."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        flags = [parameter for parameter in self.get_params(ctx) if isinstance(parameter, _Flag)]
        width = max(len(flag.get_help_record(ctx)[0]) for flag in flags)
        for title, members in groupby(flags, key=lambda flag: flag.setting.group):
            with formatter.section(click.style(title, bold=True)):
                records = [member.get_help_record(ctx) for member in members]
                formatter.write_dl([(left.ljust(width), right) for left, right in records], col_max=width)
