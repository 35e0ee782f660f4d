"""``atlas check``: finds mistakes in an application without serving it."""

from __future__ import annotations

from collections.abc import Iterator

import click

from atlas.cli.target import atlas_only, find, parameters
from atlas.cli.template_check import check_templates
from atlas.errors import StartupError
from atlas.web.application import Application

__all__ = ["command", "findings"]

_MIN_KEY_LENGTH = 32  # characters: 128 bits even if they are hexadecimal digits only


def command() -> click.Command:
    """Return the command."""
    return click.Command(
        "check",
        callback=_check,
        params=parameters(),
        help="Check an application: import, routes, middleware, templates and configuration. Each mistake is one line; "
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
        click.style("ok", fg="green", bold=True) + f"  {target.name}: {_count(routes, 'route')}, no mistakes found"
    )


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def findings(application: Application) -> Iterator[str]:
    """Yield one line for each mistake."""
    yield from _check_startup(application)
    yield from check_templates(application)
    yield from _check_configuration(application)


def _check_startup(application: Application) -> Iterator[str]:
    """Compose the middleware, as at startup. The lifespan functions are not run."""
    try:
        application.prepare()
    except StartupError as error:
        yield str(error)
    except Exception as error:
        yield f"startup: {type(error).__name__}: {error}"


def _check_configuration(application: Application) -> Iterator[str]:
    config = application.config
    keys = config.secret_key if isinstance(config.secret_key, tuple) else (config.secret_key,)
    for key in keys:
        if key is not None and len(key) < _MIN_KEY_LENGTH:
            yield f"config: secret_key: expected {_MIN_KEY_LENGTH} characters or more, got {len(key)}"
