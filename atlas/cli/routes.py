"""``atlas routes``: lists the routes of an application."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

import click

from atlas.cli.target import atlas_only, find, parameters
from atlas.web.controllers import controller_name
from atlas.web.routing.router import RouteInfo

__all__ = ["command"]

_COLORS = {"GET": "green", "POST": "yellow", "PUT": "blue", "PATCH": "blue", "DELETE": "red", "WEBSOCKET": "magenta"}
_PARAMETER = re.compile(r"\{[^{}]*\}")
_HEADINGS = ("METHODS", "PATH", "NAME", "CONTROLLER", "RUN", "DEFINED AT")


def command() -> click.Command:
    """Return the command."""
    return click.Command(
        "routes",
        callback=_routes,
        params=[*parameters(), click.Option(["--json", "as_json"], is_flag=True, help="Print JSON.")],
        help="List the routes of an application.",
        context_settings={"help_option_names": ["-h", "--help"]},
    )


def _routes(app: str | None, app_dir: str | None, factory: bool | None, as_json: bool) -> None:
    target = find(app, app_dir, factory)
    routes = list(atlas_only(target).iter_routes())
    if as_json:
        click.echo(json.dumps([_to_json(route) for route in routes], indent=2))
        return
    click.echo(_format_table(routes))
    one = len(routes) == 1
    click.secho(f"{len(routes) or 'no'} route{'' if one else 's'} in {target.name}", dim=True)


def _to_json(route: RouteInfo) -> dict[str, object]:
    return {
        "methods": list(route.methods),
        "path": route.path,
        "host": route.host,
        "name": route.name,
        "controller": _controller(route),
        "run": route.run,
        "place": route.place,
    }


def _controller(route: RouteInfo) -> str:
    module = getattr(route.controller, "__module__", None)
    name = getattr(route.controller, "__qualname__", controller_name(route.controller))
    return f"{module}.{name}" if module else str(name)


def _format_table(routes: Sequence[RouteInfo]) -> str:
    rows = [_row(route) for route in routes]
    widths = [max(len(row[column]) for row in [_HEADINGS, *rows]) for column in range(len(_HEADINGS))]
    head = "  ".join(word.ljust(width) for word, width in zip(_HEADINGS, widths, strict=True))
    lines = [click.style(head.rstrip(), dim=True)]
    for row in rows:
        cells = [_style_cell(column, text, width) for column, (text, width) in enumerate(zip(row, widths, strict=True))]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(line.rstrip() for line in lines) + ("\n" if rows else "")


def _row(route: RouteInfo) -> tuple[str, ...]:
    path = (f"//{route.host}" if route.host else "") + route.path
    return " ".join(route.methods), path, route.name, _controller(route), route.run, _relative(route.place)


def _relative(position: str) -> str:
    """Return file and line, with the file relative to the working directory if it lies below it."""
    path, _, line = position.rpartition(":")
    try:
        return f"{Path(path).relative_to(Path.cwd())}:{line}"
    except ValueError:
        return position


def _style_cell(column: int, text: str, width: int) -> str:
    padding = " " * (width - len(text))
    if column == 0:
        words = (click.style(word, fg=_COLORS.get(word)) for word in text.split(" "))
        return " ".join(words) + padding
    if column == 1:
        return _PARAMETER.sub(lambda found: click.style(found[0], fg="cyan"), text) + padding
    return (click.style(text, dim=True) if column > 2 else text) + padding
