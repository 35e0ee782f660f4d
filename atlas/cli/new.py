"""``atlas new``: writes the files of a new project."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

import click

from atlas.errors import StartupError

__all__ = ["command", "write_starter"]

_NAME = re.compile(r"[A-Za-z][\w-]*")
_SUFFIX = ".tmpl"  # so that tools do not take the files of the starter for modules of Atlas


def command() -> click.Command:
    """Return the command."""
    return click.Command(
        "new",
        callback=_new,
        params=[click.Argument(["name"], metavar="NAME")],
        help="Create a project in a new directory NAME: a small site with templates, static files and tests.",
        context_settings={"help_option_names": ["-h", "--help"]},
    )


def _new(name: str) -> None:
    directory = Path(name)
    written = write_starter(directory)
    click.echo(f"Created {click.style(str(directory) + '/', bold=True)}:")
    for path in written:
        click.echo(click.style(f"  {path}", dim=True))
    click.echo(
        f"\n  cd {directory}\n  atlas serve --dev  serve it on http://127.0.0.1:8000\n"
        "  pytest             run its tests"
    )


def write_starter(directory: Path) -> list[str]:
    """Write the starter project into a new directory.

    :param directory: the directory; its name is the name of the project.
    :returns: the paths of the files, relative to the directory.
    :raises StartupError: if the directory exists and is not empty, or its name is not valid.
    """
    name = directory.name
    if not _NAME.fullmatch(name) or keyword.iskeyword(name):
        raise StartupError(f"{name!r} is not a valid name: use letters, digits, '-' and '_', with a letter first")
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise StartupError(f"{str(directory)!r} exists already, and no file is overwritten: choose another name")
    if not directory.parent.is_dir():
        raise StartupError(f"there is no directory {str(directory.parent)!r}")
    written = []
    for path, source in sorted(_starter_files(files("atlas.cli") / "starter", "")):
        target = directory / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(_fill_in(source.read_text(encoding="utf-8"), name), encoding="utf-8")
        written.append(path)
    return written


def _starter_files(directory: Traversable, prefix: str) -> Iterator[tuple[str, Traversable]]:
    """Yield the path of each file in the new project, and its source."""
    for entry in directory.iterdir():
        if entry.is_dir():
            yield from _starter_files(entry, f"{prefix}{entry.name}/")
        elif entry.name.endswith(_SUFFIX):
            yield prefix + entry.name.removesuffix(_SUFFIX).replace("dot.", "."), entry


def _fill_in(text: str, name: str) -> str:
    title = name.replace("-", " ").replace("_", " ").strip().title()
    return text.replace("@NAME@", name.lower().replace("_", "-")).replace("@TITLE@", title)
