"""``atlas config``: shows the settings of server and application, and the source of each."""

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
from atlas.server.configuration.load_settings import environment_variable
from atlas.server.configuration.settings import Settings, settings_table
from atlas.web.application import Application
from atlas.web.config import Config
from atlas.web.errors.masking import MASK, is_secret, masked

__all__ = ["command"]

# A password in a URL ends at the last "@", because it may contain a "/" or an "@" that is not percent-encoded.
_PASSWORD = re.compile(r"(?<=://)([^:/@]*):.*(?=@)", re.DOTALL)
_QUERY_PARAMETER = re.compile(r"(?<=[?&])([^=&#]*)=[^&#]*")


@dataclass(frozen=True, slots=True)
class Row:
    """A setting with its value."""

    name: str
    value: Any
    origin: str | None
    """The source of the value; None for the default."""
    unset: str = "-"
    """The text for the value None."""

    @property
    def text(self) -> str:
        """The value as text; a secret is masked."""
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
    """Mask the passwords in URLs: ``//user:password@host`` and ``?password=...``."""
    if isinstance(value, tuple):
        return tuple(map(_without_secrets, value))
    if not isinstance(value, str) or "://" not in value:
        return value
    value = _PASSWORD.sub(rf"\1:{MASK}", value)
    return masked(_QUERY_PARAMETER.sub(lambda found: f"{found[1]}={MASK}" if is_secret(found[1]) else found[0], value))


def command() -> click.Command:
    """Return the command."""
    return click.Command(
        "config",
        callback=_config,
        params=[*parameters(), click.Option(["--json", "as_json"], is_flag=True, help="Print JSON.")],
        help="Show the settings of the server and of the application, and the source of each.",
        context_settings={"help_option_names": ["-h", "--help"]},
    )


def _config(app: str | None, app_dir: str | None, factory: bool | None, as_json: bool) -> None:
    loaded = settings_for(app, app_dir, factory)
    server = list(_server_rows(loaded.settings, {"app_dir": app_dir, "factory": factory}))
    target, problem = _application(app, app_dir, factory)
    application = list(_application_rows(target.app.config)) if target is not None else []
    if as_json:
        parts = {"server": server, "application": application}
        document = {part: {row.name: _to_json(row) for row in rows} for part, rows in parts.items()}
        click.echo(json.dumps(document, indent=2))
        return
    _print_table("Server", "atlas serve", server)
    if target is not None:
        click.echo()
        _print_table("Application", target.name, application)
    elif problem:
        click.echo(f"\nThe settings of the application are not shown: {problem}")


def _to_json(row: Row) -> dict[str, Any]:
    is_public = isinstance(row.value, str | int | float | bool | tuple | None) and not is_secret(row.name)
    return {"value": _without_secrets(row.value) if is_public else row.text, "from": row.origin or "default"}


def _print_table(title: str, subtitle: str, rows: Iterable[Row]) -> None:
    rows = list(rows)
    names, values = max(len(row.name) for row in rows), max(len(row.text) for row in rows if len(row.text) <= 40)
    click.echo(click.style(title, bold=True) + click.style(f"  {subtitle}", dim=True))
    for row in rows:
        line = f"  {row.name.ljust(names)}  {row.text.ljust(values)}"
        click.echo(
            f"{line}  {click.style(row.origin, fg='cyan')}" if row.origin else click.style(line.rstrip(), dim=True)
        )


# --------------------------------------------------------------------------------------------------------- server


def _server_rows(settings: Settings, flags: dict[str, Any]) -> Iterable[Row]:
    keys_in_file = _keys_in_file()
    for name, setting in settings_table().items():
        origin: str | None = None
        if flags.get(name) is not None:
            origin = "command line"
        elif os.environ.get(environment_variable(name)):
            origin = environment_variable(name)
        elif keys_in_file & {name, setting.flag}:
            origin = "pyproject.toml"
        yield Row(name, getattr(settings, name), origin, setting.unset or "-")


def _keys_in_file() -> set[str | None]:
    """Return the keys of ``[tool.atlas]``, which were checked when the settings were loaded."""
    path = Path("pyproject.toml")
    if not path.is_file():
        return set()
    table = tomllib.loads(path.read_text(encoding="utf-8")).get("tool", {}).get("atlas", {})
    return {key.replace("-", "_") for key in table}


# ---------------------------------------------------------------------------------------------------- application


def _application(app: str | None, app_dir: str | None, factory: bool | None) -> tuple[Target | None, str]:
    """Return the application, or the reason why its settings cannot be shown.

    :raises StartupError: if the command line names an application that cannot be imported.
    """
    try:
        target = find(app, app_dir, factory)
    except StartupError as error:
        if app is not None:
            raise
        return None, str(error)
    if isinstance(target.app, Application):
        return target, ""
    return None, f"{target.name} is not an atlas.Application"


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
