"""``atlas new``: a small site to begin with."""

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
_SUFFIX = ".tmpl"  # so that nothing takes the starter's files for our own


def command() -> click.Command:
    """The command."""
    return click.Command(
        "new",
        callback=_new,
        params=[click.Argument(["name"], metavar="NAME")],
        help="Write a small site with templates, static files and tests into a new folder NAME.",
        context_settings={"help_option_names": ["-h", "--help"]},
    )


def _new(name: str) -> None:
    folder = Path(name)
    written = write_starter(folder)
    click.echo(f"{click.style(str(folder) + '/', bold=True)} is there:")
    for path in written:
        click.echo(click.style(f"  {path}", dim=True))
    click.echo(f"\n  cd {folder}\n  atlas serve      to see it\n  pytest           to try its tests")


def write_starter(folder: Path) -> list[str]:
    """Write the starter into a new folder.

    :returns: the files, relative to the folder. :raises StartupError: if the folder is there already, or its name
        will not do.
    """
    name = folder.name
    if not _NAME.fullmatch(name) or keyword.iskeyword(name):
        raise StartupError(f"{name!r} is no name for a site: letters, digits, '-' and '_', a letter first")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise StartupError(f"{str(folder)!r} is there already, and nothing is written over: choose another name")
    if not folder.parent.is_dir():
        raise StartupError(f"there is no folder {str(folder.parent)!r}")
    written = []
    for path, source in sorted(_starter(files("atlas.cli") / "starter", "")):
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(_filled(source.read_text(encoding="utf-8"), name), encoding="utf-8")
        written.append(path)
    return written


def _starter(folder: Traversable, prefix: str) -> Iterator[tuple[str, Traversable]]:
    """The files of the starter, by the path that they get."""
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _starter(entry, f"{prefix}{entry.name}/")
        elif entry.name.endswith(_SUFFIX):
            yield prefix + entry.name.removesuffix(_SUFFIX).replace("dot.", "."), entry


def _filled(text: str, name: str) -> str:
    title = name.replace("-", " ").replace("_", " ").strip().title()
    return text.replace("@NAME@", name.lower().replace("_", "-")).replace("@TITLE@", title)
