"""Finds the application that ``module:attr`` names, and says in one line why if it can't."""

from __future__ import annotations

import importlib
import inspect
import re
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any

from atlas.errors import StartupError
from atlas.server.settings import close_match

__all__ = ["ApplicationFailed", "ImportTargetError", "load"]

_TARGET = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*(:[^\W\d]\w*(\.[^\W\d]\w*)*)?")
_DEFAULT_FILES = {"main.py": "main:app", "app/main.py": "app.main:app"}


class ImportTargetError(StartupError):
    """The target names nothing: no such module, no such attribute, or not something that can be called."""


class ApplicationFailed(StartupError):
    """The module, or the factory in it, raised. ``trace`` is that error as text, from the first line of theirs on."""

    def __init__(self, message: str, trace: str) -> None:
        super().__init__(message)
        self.trace = trace


def load(target: str, *, app_dir: str = "", factory: bool = False) -> Callable[..., Any]:
    """The application that ``target`` names.

    :param target: ``module:attr`` with dots in either half; ``:attr`` may be left out (it is ``app`` then), and an
        empty target is ``app`` in ``main.py`` or ``app/main.py``.
    :param app_dir: where the module lies, put in front of ``sys.path``; the current folder if empty.
    :param factory: call what was found, without arguments, for the application.
    :raises ImportTargetError: if there is no such thing, with the close match.
    :raises ApplicationFailed: if the application's own code raised.
    """
    folder = Path(app_dir).absolute()
    if not folder.is_dir():
        raise ImportTargetError(f"--app-dir {app_dir}: there is no such folder")
    module_name, attribute = _halves(target or _default_target(folder))
    if sys.path[:1] != [str(folder)]:
        sys.path.insert(0, str(folder))
    module = _module(module_name, folder)
    found = _attribute(module, attribute)
    return _made(found, f"{module_name}:{attribute}") if factory else _checked(found, f"{module_name}:{attribute}")


# --------------------------------------------------------------------------------------------------------- target


def _halves(target: str) -> tuple[str, str]:
    module, _, attribute = target.partition(":")
    if module.endswith(".py") or "/" in module:
        parts = [part for part in Path(module.removesuffix(".py")).parts if part not in ("/", ".", "..")]
        raise ImportTargetError(f"{target!r} is a path: write '{'.'.join(parts)}:{attribute or 'app'}'")
    if not _TARGET.fullmatch(target):
        raise ImportTargetError(f"{target!r} is not 'module:attr', as in 'main:app'")
    return module, attribute or "app"


def _default_target(folder: Path) -> str:
    for name, target in _DEFAULT_FILES.items():
        if (folder / name).is_file():
            return target
    raise ImportTargetError(
        f"there is no main.py and no app/main.py in {folder}: name the application, as in 'atlas serve module:attr'"
    )


# --------------------------------------------------------------------------------------------------------- module


def _module(name: str, folder: Path) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise _failed(f"{name!r} needs the module {error.name!r}, which cannot be found", error) from None
        raise ImportTargetError(_no_module(error.name, folder)) from None
    except SystemExit as error:
        raise _failed(f"{name!r} ended the program (SystemExit: {error.code}) while it was imported", error) from None
    except Exception as error:
        raise _failed(f"{name!r} cannot be imported: {_brief(error)}", error) from None


def _no_module(name: str, folder: Path) -> str:
    parent = name.rpartition(".")[0]
    place = folder.joinpath(*parent.split(".")) if parent else folder
    near = [f"{parent}.{each}" if parent else each for each in _modules_in(place)]
    return f"there is no module {name!r} in {folder}{close_match(name, near)}"


def _modules_in(folder: Path) -> list[str]:
    try:
        entries = sorted(folder.iterdir())
    except OSError:
        return []
    files = [entry.stem for entry in entries if entry.suffix == ".py"]
    return files + [entry.name for entry in entries if entry.is_dir() and entry.name.isidentifier()]


# ------------------------------------------------------------------------------------------------------ attribute


def _attribute(module: ModuleType, path: str) -> Any:
    found: Any = module
    names = path.split(".")
    for depth, name in enumerate(names):
        try:
            found = getattr(found, name)
        except AttributeError:
            place = f"{module.__name__}:{'.'.join(names[:depth])}" if depth else module.__name__
            near = close_match(name, [each for each in dir(found) if not each.startswith("__")])
            raise ImportTargetError(f"{place!r} has no {name!r}{near}") from None
    return found


def _made(factory: Any, target: str) -> Callable[..., Any]:
    if not callable(factory):
        raise ImportTargetError(f"{target!r} is {_a(factory)}, not a function that returns the application (--factory)")
    try:
        app = factory()
    except Exception as error:
        raise _failed(f"the factory {target!r} raised {_brief(error)}", error) from None
    if not callable(app):
        raise ImportTargetError(f"the factory {target!r} returned {_a(app)}, not an application")
    return app  # type: ignore[no-any-return]  # callable() says no more than that


def _checked(found: Any, target: str) -> Callable[..., Any]:
    if not callable(found):
        raise ImportTargetError(f"{target!r} is {_a(found)}, not an application")
    if inspect.isfunction(found) and not inspect.signature(found).parameters:
        raise ImportTargetError(f"{target!r} takes no arguments: if it returns the application, add --factory")
    return found  # type: ignore[no-any-return]  # as above


def _a(value: object) -> str:
    name = "None" if value is None else type(value).__name__
    return name if value is None else f"an {name}" if name[0].lower() in "aeiou" else f"a {name}"


# --------------------------------------------------------------------------------------------------------- errors


def _failed(message: str, error: BaseException) -> ApplicationFailed:
    trimmed = traceback.TracebackException(type(error), error, _theirs(error.__traceback__))
    return ApplicationFailed(message, "".join(trimmed.format()))


def _theirs(trace: TracebackType | None) -> TracebackType | None:
    """``trace`` without the frames that lead to the application's code: ours, and those of the import."""
    while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
        trace = trace.tb_next
    if trace is None or trace.tb_frame.f_code.co_filename != importlib.__file__:
        return trace  # we called it ourselves: a factory
    while trace is not None and trace.tb_frame.f_code.co_name != "<module>":
        trace = trace.tb_next
    return trace


def _brief(error: BaseException) -> str:
    text = str(error).partition("\n")[0]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
