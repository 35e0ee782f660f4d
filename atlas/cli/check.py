"""``atlas check``: what would go wrong, before anybody is there to see it."""

from __future__ import annotations

from collections.abc import Iterator

import click

from atlas.cli.target import atlas_only, find, parameters
from atlas.cli.template_check import check_templates
from atlas.errors import StartupError
from atlas.web.application import Application

__all__ = ["command", "findings"]

_SHORTEST_KEY = 32  # characters: 128 bits even if they are hexadecimal digits only


def command() -> click.Command:
    """The command."""
    return click.Command(
        "check",
        callback=_check,
        params=parameters(),
        help="Look for mistakes: import, routes, middleware, templates, configuration. One line for each; "
        "the exit status is 1 if there is any.",
        context_settings={"help_option_names": ["-h", "--help"]},
    )


def _check(app: str | None, app_dir: str | None, factory: bool | None) -> None:
    target = find(app, app_dir, factory)
    application = atlas_only(target)
    found = list(findings(application))
    for line in found:
        click.echo(line)
    if found:
        raise click.exceptions.Exit(1)
    routes = sum(1 for _ in application.iter_routes())
    click.echo(
        click.style("ok", fg="green", bold=True) + f"  {target.name}: {_counted(routes, 'route')}, nothing to fix"
    )


def _counted(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def findings(application: Application) -> Iterator[str]:
    """Everything that is wrong, a line each."""
    yield from _start(application)
    yield from check_templates(application)
    yield from _configuration(application)


def _start(application: Application) -> Iterator[str]:
    """Middleware is put together at the start-up, and tells then what it lacks. Nothing of the lifespan is run."""
    try:
        application.prepare()
    except StartupError as error:
        yield str(error)
    except Exception as error:
        yield f"start-up: {type(error).__name__}: {error}"


def _configuration(application: Application) -> Iterator[str]:
    config = application.config
    keys = config.secret_key if isinstance(config.secret_key, tuple) else (config.secret_key,)
    for key in keys:
        if key is not None and len(key) < _SHORTEST_KEY:
            yield f"config: secret_key: {len(key)} characters are too few to be secret: use {_SHORTEST_KEY} or more"
