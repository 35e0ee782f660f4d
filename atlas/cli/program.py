"""The program ``atlas``: its commands, its exit statuses and its way to say what went wrong."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path

import click

from atlas.errors import LifespanError, StartupError
from atlas.server.importer import ApplicationFailed
from atlas.server.settings import close_match
from atlas.server.sources import SettingError

__all__ = ["NAME", "Program", "execute"]

NAME = "atlas"
NOT_SERVED, USAGE, REFUSED, INTERRUPTED = 1, 2, 3, 130

_COMMANDS = {  # name and short help; the module atlas.cli.<name> has the rest
    "serve": "Serve an application.",
    "new": "Begin a site.",
    "routes": "List the routes of an application.",
    "check": "Look for mistakes in an application.",
    "shell": "Python with the application at hand.",
    "config": "Show the settings and where they come from.",
}


def execute(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit status; an error is one line on standard error."""
    try:
        left = _program().main(list(arguments), prog_name=NAME, standalone_mode=False)
        return left if isinstance(left, int) else 0  # a command that leaves by click's Exit: click gives its status
    except click.exceptions.Exit as leave:
        return leave.exit_code
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except click.NoSuchOption as error:
        return _complain(
            f"there is no flag {error.option_name!r}{close_match(error.option_name, error.possibilities or ())}", USAGE
        )
    except click.ClickException as error:
        return _complain(error.format_message().rstrip("."), USAGE)
    except ApplicationFailed as error:
        click.echo(error.trace, err=True, nl=False)
        return _complain(str(error), NOT_SERVED)
    except SettingError as error:
        return _complain(str(error), USAGE)
    except LifespanError as error:
        return _complain(str(error), REFUSED)
    except StartupError as error:
        return _complain(str(error), NOT_SERVED)


def _complain(message: str, status: int) -> int:
    click.echo(click.style("Error:", fg="red", bold=True) + f" {message}", err=True)
    return status


class Program(click.Group):
    """Commands are imported when they're asked for: ``atlas --version`` loads none of them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in _COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"atlas.cli.{name}").command()
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in _COMMANDS and not name.startswith("-"):
            ctx.fail(f"there is no command {name!r}{_instead_of(name)}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


def _instead_of(name: str) -> str:
    if ":" in name or name.endswith(".py") or Path(name).is_dir():
        target = name if ":" in name else f"{Path(name).stem}:app"
        return f": did you mean 'atlas serve {target}'?"
    return close_match(name, _COMMANDS)


def _program() -> Program:
    return Program(
        NAME,
        callback=_help_without_a_command,
        invoke_without_command=True,
        help="Atlas, a Python web framework with its own compiled server.",
        epilog="'atlas COMMAND --help' tells about one of them.",
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
        params=[
            click.Option(
                ["--version"],
                is_flag=True,
                expose_value=False,
                is_eager=True,
                callback=_show_version,
                help="Show the version and leave.",
            ),
        ],
    )


def _help_without_a_command() -> None:
    ctx = click.get_current_context()
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def _show_version(ctx: click.Context, param: click.Parameter, wanted: bool) -> None:
    if wanted:
        from atlas import __version__

        click.echo(f"{NAME} {__version__}")
        ctx.exit()
