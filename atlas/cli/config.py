"""``atlas config``: shows the settings of server and application, and the source of each."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any

import click

from atlas.cli.settings_flags import SettingsCommand, given_flags, load, parameters
from atlas.cli.target import Target, import_target
from atlas.errors import StartupError
from atlas.server.configuration.load_settings import LoadedSettings
from atlas.server.configuration.settings import settings_table
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
    return SettingsCommand(
        "config",
        callback=_config,
        params=[*parameters(), click.Option(["--json", "as_json"], is_flag=True, help="Print JSON.")],
        help="Show the settings of the server and of the application, and the source of each.\n\n"
        "The flags are those of 'atlas serve'.",
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    )


def _config(app: str | None, as_json: bool, **values: Any) -> None:
    loaded = load(app, given_flags(click.get_current_context(), values))
    server = list(_server_rows(loaded, named=app is not None))
    target, problem = _application(loaded, named=app is not None)
    application = list(_application_rows(target.app.config)) if target is not None else []
    if as_json:
        parts = {"server": server, "application": application}
        document = {part: {row.name: _to_json(row) for row in rows} for part, rows in parts.items()}
        click.echo(json.dumps(document, indent=2))
        return
    _print_table("Server", "atlas serve", server)
    for note in loaded.notes:
        click.echo(f"  {note}")
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


def _server_rows(loaded: LoadedSettings, named: bool) -> Iterable[Row]:
    if loaded.app is not None:
        yield Row("app", loaded.app, "command line" if named else loaded.origins["app"])
    for name, setting in settings_table().items():
        yield Row(name, getattr(loaded.settings, name), loaded.origins.get(name), setting.unset or "-")


# ---------------------------------------------------------------------------------------------------- application


def _application(loaded: LoadedSettings, named: bool) -> tuple[Target | None, str]:
    """Return the application, or the reason why its settings cannot be shown.

    :param named: whether the command line names the application.
    :raises StartupError: if the command line names an application that cannot be imported.
    """
    try:
        target = import_target(loaded)
    except StartupError as error:
        if named:
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
