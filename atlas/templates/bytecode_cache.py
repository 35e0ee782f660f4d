"""Compiled templates on the disk, in a folder of the user that no other user can write to.

The code that is loaded is executed: a folder or file that others own or may write to is not used. The name of a file is
a hash of everything that the code depends on, so that nothing has to be invalidated.
"""

from __future__ import annotations

import logging
import marshal
import os
import stat
import sys
from contextlib import suppress
from hashlib import sha256
from importlib.metadata import version
from importlib.util import MAGIC_NUMBER
from pathlib import Path
from tempfile import NamedTemporaryFile
from types import CodeType
from typing import Any, cast

import jinja2
from jinja2.bccache import Bucket, BytecodeCache
from jinja2.utils import _PassArg

from atlas._speedups.templates import context, expressions, statements
from atlas.templates import code_generator, plans, runtime
from atlas.templates.environment import is_accelerated

__all__ = ["UserBytecodeCache", "user_cache_folder"]

_MAX_FILES = 4000  # the oldest half is removed beyond
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_SYNTAX = (
    "block_start_string",
    "block_end_string",
    "variable_start_string",
    "variable_end_string",
    "comment_start_string",
    "comment_end_string",
    "line_statement_prefix",
    "line_comment_prefix",
    "trim_blocks",
    "lstrip_blocks",
    "newline_sequence",
    "keep_trailing_newline",
    "optimized",
)

logger = logging.getLogger("atlas.templates")


def user_cache_folder() -> Path:
    """Return the folder: that of ``ATLAS_TEMPLATE_CACHE``, or ``atlas/templates`` in the cache folder of the user."""
    if named := os.environ.get("ATLAS_TEMPLATE_CACHE"):
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "atlas", "templates")


class UserBytecodeCache(BytecodeCache):
    """A bytecode cache in a folder of the user.

    :param folder: None, the default, for that of :func:`user_cache_folder`. It is made with mode 0700. One that another
        user owns or may write to is not used, and a warning is logged.
    """

    def __init__(self, folder: str | os.PathLike[str] | None = None) -> None:
        self._given = folder
        self._folder: Path | None = None
        self._is_refused = False
        self._has_pruned = False

    @property
    def folder(self) -> Path | None:
        """The folder; None if it cannot be used."""
        if self._folder is None and not self._is_refused:
            try:
                folder = Path(self._given) if self._given is not None else user_cache_folder()
                if not folder.is_symlink() and not folder.exists():
                    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._check(folder)
                self._folder = folder
            except (OSError, RuntimeError, ValueError) as error:  # RuntimeError: there is no home folder
                self._is_refused = True
                level = logging.WARNING if isinstance(error, ValueError) else logging.INFO
                logger.log(level, "compiled templates are not kept on the disk: %s", error)
        return self._folder

    def _check(self, folder: Path) -> None:
        if not hasattr(os, "geteuid"):
            return  # on Windows the folder of a user is closed to others by default
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode):
            raise ValueError(f"{folder} is not a folder")
        if found.st_uid != os.geteuid():
            raise ValueError(f"{folder} belongs to another user")
        if found.st_mode & _OTHERS_WRITE:
            raise ValueError(f"others may write to {folder}")

    def get_bucket(self, environment: jinja2.Environment, name: str, filename: str | None, source: str) -> Bucket:
        """Return the place of the code of a template, with the code if it is there; see Jinja2."""
        parts = (_fingerprint(environment, name), name, filename, source)
        key = sha256(repr(parts).encode("utf-8", "surrogatepass")).hexdigest()
        bucket = Bucket(environment, key, "")
        if is_accelerated(environment):
            self.load_bytecode(bucket)
        return bucket

    def load_bytecode(self, bucket: Bucket) -> None:
        """Read the code of a template, if there is a file that only the user can have written."""
        if self.folder is None:
            return
        try:
            descriptor = os.open(self.folder / bucket.key, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
        except OSError:
            return
        with os.fdopen(descriptor, "rb") as file:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                return
            if hasattr(os, "geteuid") and (found.st_uid != os.geteuid() or found.st_mode & _OTHERS_WRITE):
                return
            data = file.read()
        if sha256(data[32:]).digest() == data[:32]:  # else it was not written to its end
            with suppress(EOFError, ValueError, TypeError):
                bucket.code = marshal.loads(data[32:])

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Write the code of a template, unless it depends on functions of the program."""
        folder, code = self.folder, bucket.code
        if folder is None or not isinstance(code, CodeType) or not is_accelerated(bucket.environment):
            return
        if "is_specific" in code.co_names:
            return
        data = marshal.dumps(code)
        try:
            with NamedTemporaryFile(dir=folder, delete=False) as file:  # mode 0600
                file.write(sha256(data).digest() + data)
            Path(file.name).replace(folder / bucket.key)
            self._prune(folder)
        except OSError as error:
            logger.debug("the compiled template was not kept on the disk: %s", error)

    def _prune(self, folder: Path) -> None:
        """Once per process: remove the oldest files of a folder with too many."""
        if self._has_pruned:
            return
        self._has_pruned = True
        files = [each for each in folder.iterdir() if not each.is_dir()]
        if len(files) > _MAX_FILES:
            files.sort(key=lambda each: each.lstat().st_mtime)
            for each in files[: -_MAX_FILES // 2]:
                each.unlink(missing_ok=True)

    def clear(self) -> None:
        """Remove the files."""
        for each in self.folder.iterdir() if self.folder is not None else ():
            with suppress(OSError):
                each.unlink()


def _fingerprint(environment: jinja2.Environment, name: str) -> tuple[object, ...]:
    """Return what the code of a template depends on beside its source."""
    autoescape, finalize = environment.autoescape, cast(Any, environment.finalize)
    functions = {
        kind: sorted((each, str(_PassArg.from_obj(table[each]))) for each in table)
        for kind, table in _tables(environment)
    }
    return (
        *(getattr(environment, option) for option in _SYNTAX),
        autoescape(name) if callable(autoescape) else autoescape,
        [f"{type(each).__module__}.{type(each).__qualname__}" for each in environment.iter_extensions()],
        functions,
        finalize is None,
        str(_PassArg.from_obj(finalize)),
        getattr(environment, "finalize_keeps_plain", False),
        sorted((key, getattr(value, "__qualname__", repr(value))) for key, value in environment.policies.items()),
        MAGIC_NUMBER,
        sys.implementation.cache_tag,
        version("jinja2"),
        version("markupsafe"),
        _engine(),
    )


def _tables(environment: jinja2.Environment) -> list[tuple[str, dict[str, Any]]]:
    return [("filters", environment.filters), ("tests", environment.tests)]


def _engine() -> tuple[object, ...]:
    """Return the state of the modules that write the code, and of those that it uses."""
    modules = (code_generator, plans, runtime, context, expressions, statements)
    found = [Path(str(module.__file__)).stat() for module in modules]
    return tuple((each.st_mtime_ns, each.st_size) for each in found)
