"""The program ``atlas``: its commands, exit statuses and error messages."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from pathlib import Path

import click

from atlas.errors import LifespanError, StartupError
from atlas.server.configuration.load_settings import SettingError
from atlas.server.configuration.settings import close_match
from atlas.server.configuration.uvicorn_settings import uvicorn_advice
from atlas.server.importer import ApplicationFailed

__all__ = ["NAME", "Program", "execute"]

NAME = "atlas"
NOT_SERVED, USAGE, STARTUP_FAILED, INTERRUPTED = 1, 2, 3, 130

_COMMANDS = {  # name and short help; the module atlas.cli.<name> defines the command
    "serve": "Serve an application.",
    "new": "Create a project.",
    "routes": "List the routes of an application.",
    "check": "Check an application for mistakes.",
    "shell": "Start a Python shell with the application.",
    "config": "Show the settings and the source of each.",
}


_HIDDEN = frozenset(["worker"])  # commands that Atlas itself runs


def execute(arguments: Sequence[str], served: Callable[[float], None] | None = None) -> int:
    """Run a command line. An error is printed as one line on standard error.

    :param arguments: the arguments without the name of the program.
    :param served: called after a server has stopped, with the seconds that its process may still take to end.
    :returns: the exit status; see :func:`atlas.cli.main`.
    """
    try:
        status = _program().main(list(arguments), prog_name=NAME, standalone_mode=False, obj=served)
        return status if isinstance(status, int) else 0  # click returns the status of an Exit
    except click.exceptions.Exit as error:
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except click.NoSuchOption as error:
        if advice := uvicorn_advice(error.option_name):
            return _print_error(f"{error.option_name} {advice}", USAGE)
        suggestion = close_match(error.option_name, error.possibilities or ())
        return _print_error(f"there is no flag {error.option_name!r}{suggestion}", USAGE)
    except click.ClickException as error:
        return _print_error(error.format_message().rstrip("."), USAGE)
    except ApplicationFailed as error:
        click.echo(error.trace, err=True, nl=False)
        return _print_error(str(error), NOT_SERVED)
    except SettingError as error:
        return _print_error(str(error), USAGE)
    except LifespanError as error:
        return _print_error(str(error), STARTUP_FAILED)
    except StartupError as error:
        return _print_error(str(error), NOT_SERVED)


def _print_error(message: str, status: int) -> int:
    click.echo(click.style("Error:", fg="red", bold=True) + f" {message}", err=True)
    return status


class Program(click.Group):
    """The group of all commands. A command is imported when it is used: ``atlas --version`` imports none."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in _COMMANDS and name not in _HIDDEN:
            return None
        command: click.Command = importlib.import_module(f"atlas.cli.{name}").command()
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in _COMMANDS and name not in _HIDDEN and not name.startswith("-"):
            ctx.fail(f"there is no command {name!r}{_suggestion(name)}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


def _suggestion(name: str) -> str:
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
        epilog="'atlas COMMAND --help' shows the help of a command.",
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
        params=[
            click.Option(
                ["--version"],
                is_flag=True,
                expose_value=False,
                is_eager=True,
                callback=_show_version,
                help="Show the version and exit.",
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
