"""``atlas config``: the settings that are in force, and where each of them comes from."""

from __future__ import annotations

import json
import os
import re
import sys
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import click

from atlas.cli.target import Target, find, parameters, settings_for
from atlas.errors import StartupError
from atlas.server.settings import Settings, table
from atlas.server.sources import variable_of
from atlas.web.application import Application
from atlas.web.config import Config
from atlas.web.errors.masking import MASK, is_secret, masked

__all__ = ["command"]

# The password of an address goes as far as its last "@": whoever didn't quote a "/" or an "@" in it has a secret, too.
_PASSWORD = re.compile(r"(?<=://)([^:/@]*):.*(?=@)", re.DOTALL)
_ARGUMENT = re.compile(r"(?<=[?&])([^=&#]*)=[^&#]*")


@dataclass(frozen=True, slots=True)
class Row:
    """A setting, its value as text, and where that comes from; None is the default."""

    name: str
    value: Any
    origin: str | None
    unset: str = "-"
    """What None stands for, in words."""

    @property
    def shown(self) -> str:
        """The value for people; a secret is only said to be there."""
        if self.value is None:
            return self.unset
        if is_secret(self.name):
            return MASK
        value = _without_secrets(self.value)
        if isinstance(value, bool):
            return "on" if value else "off"
        if isinstance(value, tuple):
            return ", ".join(": ".join(each) if isinstance(each, tuple) else str(each) for each in value) or "-"
        return f"{value:g}" if isinstance(value, float) else str(value) or "-"


def _without_secrets(value: Any) -> Any:
    """A value whose addresses tell no password: neither ``//user:password@host`` nor ``?password=...``."""
    if isinstance(value, tuple):
        return tuple(map(_without_secrets, value))
    if not isinstance(value, str) or "://" not in value:
        return value
    value = _PASSWORD.sub(rf"\1:{MASK}", value)
    return masked(_ARGUMENT.sub(lambda found: f"{found[1]}={MASK}" if is_secret(found[1]) else found[0], value))


def command() -> click.Command:
    """The command."""
    return click.Command(
        "config",
        callback=_config,
        params=[*parameters(), click.Option(["--json", "as_json"], is_flag=True, help="For programs.")],
        help="Show the settings of the server and of the application, and where each comes from.",
        context_settings={"help_option_names": ["-h", "--help"]},
    )


def _config(app: str | None, app_dir: str | None, factory: bool | None, as_json: bool) -> None:
    gathered = settings_for(app, app_dir, factory)
    server = list(_server_rows(gathered.settings, {"app_dir": app_dir, "factory": factory}))
    target, problem = _application(app, app_dir, factory)
    application = list(_application_rows(target.app.config)) if target is not None else []
    if as_json:
        parts = {"server": server, "application": application}
        found = {part: {row.name: _described(row) for row in rows} for part, rows in parts.items()}
        click.echo(json.dumps(found, indent=2))
        return
    _show("Server", "atlas serve", server)
    if target is not None:
        click.echo()
        _show("Application", target.name, application)
    elif problem:
        click.echo(f"\nThe application's settings are not shown: {problem}")


def _described(row: Row) -> dict[str, Any]:
    plain = isinstance(row.value, str | int | float | bool | tuple | None) and not is_secret(row.name)
    return {"value": _without_secrets(row.value) if plain else row.shown, "from": row.origin or "default"}


def _show(title: str, of: str, rows: Iterable[Row]) -> None:
    rows = list(rows)
    names, values = max(len(row.name) for row in rows), max(len(row.shown) for row in rows if len(row.shown) <= 40)
    click.echo(click.style(title, bold=True) + click.style(f"  {of}", dim=True))
    for row in rows:
        line = f"  {row.name.ljust(names)}  {row.shown.ljust(values)}"
        click.echo(
            f"{line}  {click.style(row.origin, fg='cyan')}" if row.origin else click.style(line.rstrip(), dim=True)
        )


# --------------------------------------------------------------------------------------------------------- server


def _server_rows(settings: Settings, flags: dict[str, Any]) -> Iterable[Row]:
    in_file = _keys_of_the_file()
    for name, about in table().items():
        origin: str | None = None
        if flags.get(name) is not None:
            origin = "command line"
        elif os.environ.get(variable_of(name)):
            origin = variable_of(name)
        elif in_file & {name, about.flag}:
            origin = "pyproject.toml"
        yield Row(name, getattr(settings, name), origin, about.unset or "-")


def _keys_of_the_file() -> set[str | None]:
    """The names in [tool.atlas]; whether they are right was found out when the settings were gathered."""
    path = Path("pyproject.toml")
    if not path.is_file():
        return set()
    found = tomllib.loads(path.read_text(encoding="utf-8")).get("tool", {}).get("atlas", {})
    return {key.replace("-", "_") for key in found}


# ---------------------------------------------------------------------------------------------------- application


def _application(app: str | None, app_dir: str | None, factory: bool | None) -> tuple[Target | None, str]:
    """The application, if there is one to be found; the server's settings are worth showing without."""
    try:
        target = find(app, app_dir, factory)
    except StartupError as error:
        if app is not None:
            raise
        return None, str(error)
    return (target, "") if isinstance(target.app, Application) else (None, f"{target.name} is not of Atlas")


def _application_rows(config: Config) -> Iterable[Row]:
    module = os.environ.get("ATLAS_CONFIG", "")
    in_module = vars(sys.modules[module]) if module in sys.modules else {}
    for each in fields(config):
        value = getattr(config, each.name)
        variable = f"ATLAS_{each.name.upper()}"
        origin: str | None = None
        if variable in os.environ:
            origin = variable
        elif each.name in in_module:
            origin = f"ATLAS_CONFIG={module}"
        elif value != each.default:
            origin = "Application(...)"
        yield Row(each.name, value, origin)
