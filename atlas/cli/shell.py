"""``atlas shell``: a Python shell with the application."""

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
    """Return the command."""
    code_option = click.Option(
        ["-c", "--code"], metavar="CODE", default=None, help="Python code to run, instead of an interactive shell."
    )
    return click.Command(
        "shell",
        callback=_shell,
        params=[*parameters(), code_option],
        help="Start a Python shell with the application, a TestClient for it, and the public names of atlas.",
        context_settings={"help_option_names": ["-h", "--help"]},
    )


def _shell(app: str | None, app_dir: str | None, factory: bool | None, code: str | None) -> None:
    target = find(app, app_dir, factory)
    client = TestClient(target.app)
    namespace = names(target, client)
    try:
        if code is not None:
            exec(compile(code, "<atlas shell>", "exec"), namespace)
        else:
            _interact(target, namespace)
    finally:
        client.close()


def names(target: Target, client: TestClient) -> dict[str, Any]:
    """Return the namespace of the shell: the public names of atlas, and those of the application over them."""
    atlas = import_module("atlas")
    namespace: dict[str, Any] = {"__name__": "__console__", "__doc__": None, "atlas": atlas}
    namespace |= {name: getattr(atlas, name) for name in atlas.__all__ if not name.startswith("_")}
    namespace |= {"app": target.app, "client": client}
    if isinstance(target.app, Application):
        namespace |= {"config": target.app.config, "state": target.app.state, "url_for": target.app.url_for}
        namespace["routes"] = list(target.app.iter_routes())
    return namespace


def _interact(target: Target, namespace: dict[str, Any]) -> None:
    _enable_completion(namespace)
    code.interact(banner=_banner(target, namespace) if sys.stdin.isatty() else "", local=namespace, exitmsg="")


def _banner(target: Target, namespace: dict[str, Any]) -> str:
    from atlas import __version__

    descriptions = {
        "app": f"the application {target.name}",
        "client": 'a TestClient for it: client.get("/").text',
        "url_for": 'url_for("name", parameter=1)',
        "routes": "its routes",
        "config": "its configuration",
        "state": "its state",
    }
    rows = [
        f"  {click.style(name.ljust(8), fg='cyan')} {text}" for name, text in descriptions.items() if name in namespace
    ]
    head = f"Atlas {__version__}, Python {sys.version.partition(' ')[0]}. Available names, besides those of atlas:"
    return "\n".join([head, *rows])


def _enable_completion(namespace: dict[str, Any]) -> None:
    """Complete names with the tab key, if Python was built with readline."""
    try:
        import readline
        import rlcompleter
    except ImportError:
        return
    readline.set_completer(rlcompleter.Completer(namespace).complete)
    readline.parse_and_bind("tab: complete")
