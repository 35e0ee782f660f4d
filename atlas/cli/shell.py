"""``atlas shell``: Python with the application at hand."""

from __future__ import annotations

import code
import sys
from importlib import import_module
from typing import Any

import click

from atlas.cli.target import Target, find, parameters
from atlas.testing import TestClient
from atlas.web.application import Application

__all__ = ["command", "names"]


def command() -> click.Command:
    """The command."""
    code_option = click.Option(["-c", "--code"], metavar="CODE", default=None, help="Run this, and leave.")
    return click.Command(
        "shell",
        callback=_shell,
        params=[*parameters(), code_option],
        help="Python with the application, a TestClient for it, and the names of atlas.",
        context_settings={"help_option_names": ["-h", "--help"]},
    )


def _shell(app: str | None, app_dir: str | None, factory: bool | None, code: str | None) -> None:
    target = find(app, app_dir, factory)
    client = TestClient(target.app)
    known = names(target, client)
    try:
        if code is not None:
            exec(compile(code, "<atlas shell>", "exec"), known)
        else:
            _converse(target, known)
    finally:
        client.close()


def names(target: Target, client: TestClient) -> dict[str, Any]:
    """What the shell knows: the public names of atlas, and over them what belongs to this application."""
    atlas = import_module("atlas")
    known: dict[str, Any] = {"__name__": "__console__", "__doc__": None, "atlas": atlas}
    known |= {name: getattr(atlas, name) for name in atlas.__all__ if not name.startswith("_")}
    known |= {"app": target.app, "client": client}
    if isinstance(target.app, Application):
        known |= {"config": target.app.config, "state": target.app.state, "url_for": target.app.url_for}
        known["routes"] = list(target.app.iter_routes())
    return known


def _converse(target: Target, known: dict[str, Any]) -> None:
    _complete_names(known)
    code.interact(banner=_banner(target, known) if sys.stdin.isatty() else "", local=known, exitmsg="")


def _banner(target: Target, known: dict[str, Any]) -> str:
    from atlas import __version__

    told = {
        "app": f"the application, {target.name}",
        "client": 'a TestClient of it: client.get("/").text',
        "url_for": 'url_for("name", parameter=1)',
        "routes": "its routes",
        "config": "its configuration",
        "state": "what it keeps",
    }
    rows = [f"  {click.style(name.ljust(8), fg='cyan')} {words}" for name, words in told.items() if name in known]
    head = f"Atlas {__version__}, Python {sys.version.partition(' ')[0]}. Beside the names of atlas there are"
    return "\n".join([head, *rows])


def _complete_names(known: dict[str, Any]) -> None:
    """Names are completed by the tab key, where Python has readline."""
    try:
        import readline
        import rlcompleter
    except ImportError:
        return
    readline.set_completer(rlcompleter.Completer(known).complete)
    readline.parse_and_bind("tab: complete")
