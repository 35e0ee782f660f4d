"""The application of a command, found as ``atlas serve`` finds it, with the settings of all sources."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from atlas.cli.settings_flags import load
from atlas.errors import StartupError
from atlas.server import importer
from atlas.server.configuration.load_settings import LoadedSettings

if TYPE_CHECKING:
    from atlas.web.application import Application

__all__ = ["Target", "atlas_only", "find", "import_target", "parameters", "settings_for"]


@dataclass(frozen=True, slots=True)
class Target:
    """An application and its name on the command line."""

    name: str
    app: Any


def parameters() -> list[click.Parameter]:
    """Return the argument and the flags of every command that takes an application."""
    return [
        click.Argument(["app"], required=False, metavar="[MODULE:ATTR]"),
        click.Option(["--app-dir"], metavar="PATH", default=None, help="Directory to import the module from."),
        click.Option(
            ["--factory"], is_flag=True, default=None, help="The target is a function that returns the application."
        ),
    ]


def settings_for(app: str | None, app_dir: str | None, factory: bool | None) -> LoadedSettings:
    """Load the settings from all sources, and the env file if one of them names it.

    :raises SettingError: if one of the sources is wrong.
    """
    return load(app, {name: value for name, value in (("app_dir", app_dir), ("factory", factory)) if value is not None})


def find(app: str | None, app_dir: str | None = None, factory: bool | None = None) -> Target:
    """Import the application.

    :param app: ``module:attr``; None for the target of the settings, or the default one.
    :param app_dir: the value of ``--app-dir``, or None.
    :param factory: the value of ``--factory``, or None.
    :raises StartupError: if it cannot be imported; the message is that of ``atlas serve``.
    """
    return import_target(settings_for(app, app_dir, factory))


def import_target(loaded: LoadedSettings) -> Target:
    """Import the application that the settings name.

    :raises StartupError: if it cannot be imported; the message is that of ``atlas serve``.
    """
    settings = loaded.settings
    found = importer.load(loaded.app or "", app_dir=settings.app_dir, factory=settings.factory)
    return Target(loaded.app or _default_name(settings.app_dir), found)


def _default_name(app_dir: str) -> str:
    """Return the target that the importer uses if there is none."""
    return "main:app" if (Path(app_dir) / "main.py").is_file() else "app.main:app"


def atlas_only(target: Target) -> Application:
    """Return the application of ``target``.

    :raises StartupError: if it is not an :class:`atlas.Application`.
    """
    from atlas.web.application import Application

    if not isinstance(target.app, Application):
        kind = type(target.app).__name__
        raise StartupError(f"{target.name}: expected an atlas.Application, got an object of type {kind}")
    return target.app
