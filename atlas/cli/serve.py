"""``atlas serve``: every field of :class:`~atlas.server.settings.Settings` is a flag, and nothing else is."""

from __future__ import annotations

import os
from itertools import groupby
from typing import Any

import click
from click.core import ParameterSource

from atlas.server import env_file
from atlas.server.kinds import Choice, Headers, Switch
from atlas.server.settings import Setting, Settings, table
from atlas.server.sources import Gathered, flag_of, gather

__all__ = ["command"]

_HELP = """\
Serve an ASGI application, as in:

\b
  atlas serve main:app              'app' of main.py on http://127.0.0.1:8000
  atlas serve main:app --port 0     the same on a free port; it says which
  atlas serve                       'app' in main.py or app/main.py
"""
_EPILOG = """\
Each flag is also an environment variable (--port is ATLAS_SERVE_PORT) and a key of [tool.atlas] in pyproject.toml \
(port = 8000). A flag outweighs a variable, a variable outweighs the file. A SIZE may have a unit: 64K, 100M.
"""


def command() -> click.Command:
    """The command, made from the table of settings."""
    return _Serve(
        "serve",
        callback=_serve,
        params=[click.Argument(["app"], required=False, metavar="[MODULE:ATTR]"), *_flags()],
        help=_HELP,
        epilog=_EPILOG,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    )


def _serve(app: str | None, **values: Any) -> None:
    gathered = _gather(app, _given(click.get_current_context(), values))

    from atlas.server.server import run  # the compiled half: not for --help, nor for a mistyped flag

    run(gathered.app or "", gathered.settings)


def _given(ctx: click.Context, values: dict[str, Any]) -> dict[str, Any]:
    """Only the flags that stand on the command line: the others leave room for what weighs less."""
    return {
        name: value for name, value in values.items() if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE
    }


def _gather(app: str | None, flags: dict[str, Any]) -> Gathered:
    gathered = gather(app, flags, os.environ)
    if gathered.settings.env_file is None:
        return gathered
    env_file.load(gathered.settings.env_file, os.environ)
    return gather(app, flags, os.environ)  # the file may hold ATLAS_SERVE_ variables too


# ---------------------------------------------------------------------------------------------------------- flags


class _Flag(click.Option):
    """A click option that keeps its setting; its text is read by :mod:`atlas.server.sources`, not by click."""

    def __init__(self, name: str, about: Setting, default: Any) -> None:
        self.about = about
        self.standard = _in_words(about, default)
        flag = flag_of(name)
        if isinstance(about.kind, Switch):
            super().__init__([name, f"{flag}/--no-{flag.removeprefix('--')}"], is_flag=True, default=None)
        else:
            super().__init__([name, flag], multiple=isinstance(about.kind, Headers), default=None)

    def get_help_record(self, ctx: click.Context) -> tuple[str, str]:
        kind, flag = self.about.kind, self.opts[0].removeprefix("--")
        left = f"--[no-]{flag}" if isinstance(kind, Switch) else f"--{flag} {kind.metavar}"
        words = f" ({', '.join(kind.words)})" if isinstance(kind, Choice) else ""
        return left, f"{self.about.help.removesuffix('.')}{words}. {click.style(f'[{self.standard}]', dim=True)}"


def _flags() -> list[_Flag]:
    defaults = Settings()
    return [_Flag(name, about, getattr(defaults, name)) for name, about in table().items()]


def _in_words(about: Setting, default: Any) -> str:
    if about.shown_default is not None:
        return about.shown_default
    if default is None:
        return str(about.unset)
    if isinstance(default, bool):
        return "on" if default else "off"
    return f"{default:g}" if isinstance(default, float) else str(default)


class _Serve(click.Command):
    """Help in the groups of the settings, all of it in the same two columns."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        flags = [parameter for parameter in self.get_params(ctx) if isinstance(parameter, _Flag)]
        width = max(len(flag.get_help_record(ctx)[0]) for flag in flags)
        for title, members in groupby(flags, key=lambda flag: flag.about.group):
            with formatter.section(click.style(title, bold=True)):
                records = [member.get_help_record(ctx) for member in members]
                formatter.write_dl([(left.ljust(width), right) for left, right in records], col_max=width)
