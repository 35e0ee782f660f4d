"""Which application a command is about: as ``atlas serve`` finds it, settings of the environment included."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from atlas.errors import StartupError
from atlas.server import env_file, importer
from atlas.server.sources import Gathered, gather

if TYPE_CHECKING:
    from atlas.web.application import Application

__all__ = ["Target", "atlas_only", "find", "parameters", "settings_for"]


@dataclass(frozen=True, slots=True)
class Target:
    """An application and what it is called on the command line."""

    name: str
    app: Any


def parameters() -> list[click.Parameter]:
    """The argument and the flags that every command about an application takes."""
    return [
        click.Argument(["app"], required=False, metavar="[MODULE:ATTR]"),
        click.Option(["--app-dir"], metavar="PATH", default=None, help="Folder to look for the module in."),
        click.Option(["--factory"], is_flag=True, default=None, help="The target returns the application."),
    ]


def settings_for(app: str | None, app_dir: str | None, factory: bool | None) -> Gathered:
    """What all sources of settings say, with an env file that one of them names.

    :raises SettingError: for what is wrong in one of them.
    """
    flags = {name: value for name, value in (("app_dir", app_dir), ("factory", factory)) if value is not None}
    gathered = gather(app, flags, os.environ)
    if gathered.settings.env_file is not None:
        env_file.load(gathered.settings.env_file, os.environ)
        gathered = gather(app, flags, os.environ)
    return gathered


def find(app: str | None, app_dir: str | None = None, factory: bool | None = None) -> Target:
    """Import the application.

    :raises StartupError: if it cannot be; the message is that of ``atlas serve``.
    """
    gathered = settings_for(app, app_dir, factory)
    settings = gathered.settings
    found = importer.load(gathered.app or "", app_dir=settings.app_dir, factory=settings.factory)
    return Target(gathered.app or _default_name(settings.app_dir), found)


def _default_name(app_dir: str) -> str:
    """What the importer took where nothing was named."""
    return "main:app" if (Path(app_dir) / "main.py").is_file() else "app.main:app"


def atlas_only(target: Target) -> Application:
    """The application, which has to be one of Atlas's own.

    :raises StartupError: if it is somebody else's.
    """
    from atlas.web.application import Application

    if not isinstance(target.app, Application):
        kind = type(target.app).__name__
        raise StartupError(f"{target.name} is a {kind}: this command knows its way in an atlas.Application only")
    return target.app
