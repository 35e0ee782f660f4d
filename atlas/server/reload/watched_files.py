"""Which files a reload watches, and what a change of each means. The patterns have uvicorn's meaning."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from atlas.errors import StartupError
from atlas.server.configuration.settings import Settings
from atlas.server.configuration.settings_files import FILES

__all__ = ["Effect", "Snapshot", "WatchedFiles", "describe"]

_INCLUDES = ("*.py",)
_EXCLUDES = (".*", ".py[cod]", ".sw.*", "~*")
_SKIPPED = frozenset({"__pycache__", "node_modules", "site-packages"})  # and directories whose names begin with a dot
# Files that pages are made of. Others, such as logs and databases, may change with every request.
_PAGE_FILE = re.compile(
    r".*\.(avif|css|gif|html?|ico|j2|jinja2?|jpe?g|m?js|md|png|svg|webp|woff2?)", re.IGNORECASE | re.DOTALL
)


class Effect(Enum):
    """What a change of a file means."""

    RESTART = "restart"
    SETTINGS = "settings"  # a file that settings come from: they are loaded again before the restart
    REFRESH = "refresh"  # open pages load again


Snapshot = dict[Path, tuple[int, int]]
"""The time of the last change (ns) and the size of each file."""


@dataclass(frozen=True, slots=True)
class WatchedFiles:
    """The files that a reload watches.

    :ivar roots: directories, with all below them.
    :ivar settings_files: files that settings come from; they may be outside of the roots, and need not exist.
    """

    roots: tuple[Path, ...]
    settings_files: frozenset[Path]
    includes: tuple[str, ...] = _INCLUDES
    named: tuple[str, ...] = ()
    """Patterns of ``--reload-include``. A file whose path ends with such a text is never excluded."""
    excludes: tuple[str, ...] = _EXCLUDES
    excluded: frozenset[Path] = field(default_factory=frozenset)
    """Directories that are not watched."""

    @classmethod
    def of(cls, settings: Settings) -> WatchedFiles:
        """Return the files that the settings name, relative to the current directory.

        :raises StartupError: for a directory that does not exist.
        """
        here = Path.cwd()
        included, excluded = _directories(settings.reload_includes), _directories(settings.reload_excludes)
        roots = [_existing("--reload-dir", name) for name in settings.reload_dirs] + included
        roots = roots or [here, *([_existing("--app-dir", settings.app_dir)] if settings.app_dir else [])]
        files = [here / name for name in FILES]
        if settings.env_file is not None:
            files.append(Path(os.path.abspath(settings.env_file)))  # noqa: PTH100 - a link is not followed
        return cls(
            tuple(_outermost(root for root in roots if not _is_below(root, excluded))) or (here,),
            frozenset(files),
            (*(each for each in _INCLUDES if each not in settings.reload_excludes), *settings.reload_includes),
            settings.reload_includes,
            (*(each for each in _EXCLUDES if each not in settings.reload_includes), *settings.reload_excludes),
            frozenset(excluded),
        )

    def effect(self, path: Path) -> Effect | None:
        """Return what a change of a file means; None for nothing."""
        if path in self.settings_files:
            return Effect.SETTINGS
        if not self._is_watched(path.parent):
            return None
        if any(path.match(pattern) for pattern in self.includes):
            if any(str(path).endswith(text) for text in self.named) or not self._is_excluded(path):
                return Effect.RESTART
            return None
        return Effect.REFRESH if _PAGE_FILE.fullmatch(path.name) and not self._is_excluded(path) else None

    def snapshot(self) -> Snapshot:
        """Return the present state of all files whose change means something."""
        found: Snapshot = {}
        for path in {*self.settings_files, *(path for root in self.roots for path in self._walk(root))}:
            try:
                status = path.stat()
            except OSError:
                continue  # it does not exist, or was removed meanwhile
            found[path] = (status.st_mtime_ns, status.st_size)
        return found

    def settings_snapshot(self) -> Snapshot:
        """Return the present state of the files that settings come from."""
        return WatchedFiles((), self.settings_files).snapshot()

    def _walk(self, directory: Path) -> Iterator[Path]:
        try:
            entries = list(os.scandir(directory))
        except OSError:
            return
        for entry in entries:
            path = directory / entry.name
            try:
                is_directory = entry.is_dir(follow_symlinks=False)
            except OSError:
                continue
            if is_directory:
                if not self._is_skipped(path):
                    yield from self._walk(path)
            elif self.effect(path) is not None:
                yield path

    def _is_excluded(self, path: Path) -> bool:
        return any(path.match(pattern) for pattern in self.excludes)

    def _is_watched(self, directory: Path) -> bool:
        """Whether a directory is a root or below one, with no skipped directory between."""
        while directory not in self.roots:
            if self._is_skipped(directory) or directory == directory.parent:
                return False
            directory = directory.parent
        return True

    def _is_skipped(self, directory: Path) -> bool:
        name = directory.name
        return (
            name in _SKIPPED
            or name.startswith(".")
            or directory in self.excluded
            or (directory / "pyvenv.cfg").is_file()  # a virtual environment
        )


def describe(paths: Iterable[Path]) -> str:
    """Return the paths as text for a log line, relative to the current directory; of many only some."""
    here = Path.cwd()
    names = [repr(str(path.relative_to(here) if path.is_relative_to(here) else path)) for path in sorted(paths)]
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _existing(flag: str, name: str) -> Path:
    path = Path(name).resolve()
    if not path.is_dir():
        raise StartupError(f"{flag} {name}: there is no such directory")
    return path


def _directories(patterns: Iterable[str]) -> list[Path]:
    """Return the directories that patterns name, or match in the current directory."""
    found: list[Path] = []
    for pattern in patterns:
        if pattern == ".*":
            continue  # of files; it would match all hidden directories
        if Path(pattern).is_dir():
            found.append(Path(pattern).resolve())
        elif pattern and not Path(pattern).is_absolute():
            found += [path.resolve() for path in Path.cwd().glob(pattern) if path.is_dir()]
    return found


def _is_below(directory: Path, others: Iterable[Path]) -> bool:
    return any(directory.is_relative_to(other) for other in others)


def _outermost(directories: Iterable[Path]) -> list[Path]:
    """Return the directories without those that are below another one."""
    distinct = list(dict.fromkeys(directories))
    return [each for each in distinct if not _is_below(each, (other for other in distinct if other != each))]
