"""Imports the application that ``module:attr`` names; an error is one line with the reason."""

from __future__ import annotations

import importlib
import inspect
import re
import sys
import traceback
from collections.abc import Callable
from contextvars import ContextVar
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any

from atlas.errors import StartupError
from atlas.server.configuration.settings import close_match

__all__ = ["ApplicationFailed", "ImportTargetError", "RunDuringImport", "check_not_imported", "load"]

_TARGET = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*(:[^\W\d]\w*(\.[^\W\d]\w*)*)?")
_IMPORTED: ContextVar[str | None] = ContextVar("atlas.imported", default=None)  # the module that is being imported
_DEFAULT_FILES = {"main.py": "main:app", "app/main.py": "app.main:app"}


class ImportTargetError(StartupError):
    """The target is wrong: no such module, no such attribute, or an object that is not callable."""


class RunDuringImport(ImportTargetError):
    """The module of the application calls ``atlas.run()`` while it is imported."""


class ApplicationFailed(StartupError):
    """The module of the application, or its factory, raised.

    :param message: one line with the reason.
    :param trace: the traceback as text, without the frames of Atlas.
    """

    def __init__(self, message: str, trace: str) -> None:
        super().__init__(message)
        self.trace = trace


def load(target: str, *, app_dir: str = "", factory: bool | None = False) -> Callable[..., Any]:
    """Import the application that ``target`` names.

    :param target: ``module:attr``; both parts may contain dots. ``attr`` is ``app`` by default. An empty target is
        ``app`` in ``main.py`` or ``app/main.py``.
    :param app_dir: the directory of the module, inserted at the front of ``sys.path``; by default the current one.
    :param factory: whether the target is a function without parameters that returns the application; None: it is, if
        it is a function without parameters.
    :returns: the application.
    :raises ImportTargetError: if there is no such module or attribute (the message suggests a close one), or it is not
        callable.
    :raises ApplicationFailed: if the code of the application raised.
    """
    directory = Path(app_dir).absolute()
    if not directory.is_dir():
        raise ImportTargetError(f"--app-dir {app_dir}: there is no such directory")
    module_name, attribute = _split_target(target or _default_target(directory))
    if sys.path[:1] != [str(directory)]:
        sys.path.insert(0, str(directory))
    found = _get_attribute(_import_module(module_name, directory), attribute)
    name = f"{module_name}:{attribute}"
    if factory is None:
        factory = inspect.isfunction(found) and not inspect.signature(found).parameters
    return _call_factory(found, name) if factory else _check_callable(found, name)


# --------------------------------------------------------------------------------------------------------- target


def _split_target(target: str) -> tuple[str, str]:
    module, _, attribute = target.partition(":")
    if module.endswith(".py") or "/" in module:
        parts = [part for part in Path(module.removesuffix(".py")).parts if part not in ("/", ".", "..")]
        raise ImportTargetError(f"{target!r} is a path: write '{'.'.join(parts)}:{attribute or 'app'}'")
    if not _TARGET.fullmatch(target):
        raise ImportTargetError(f"{target!r} is not 'module:attr', as in 'main:app'")
    return module, attribute or "app"


def _default_target(directory: Path) -> str:
    for name, target in _DEFAULT_FILES.items():
        if (directory / name).is_file():
            return target
    raise ImportTargetError(
        f"there is no main.py and no app/main.py in {directory}: name the application, as in 'atlas serve module:attr'"
    )


# --------------------------------------------------------------------------------------------------------- module


def _import_module(name: str, directory: Path) -> ModuleType:
    _check_name(name, directory)
    token = _IMPORTED.set(name)
    try:
        return importlib.import_module(name)
    except RunDuringImport:
        raise
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise _failed(f"{name!r} imports the module {error.name!r}, which was not found", error) from None
        raise ImportTargetError(_no_module(error.name, directory)) from None
    except StartupError as error:
        raise ApplicationFailed(str(error), "") from None
    except SystemExit as error:
        raise _failed(f"importing {name!r} raised SystemExit: {error.code}", error) from None
    except Exception as error:
        raise _failed(f"{name!r} cannot be imported: {_summary(error)}", error) from None
    finally:
        _IMPORTED.reset(token)


def _check_name(name: str, directory: Path) -> None:
    """Raise for a file or package ``atlas`` of the application: that name is the one of this package."""
    if name.partition(".")[0] != "atlas" or directory / "atlas" == Path(__file__).parents[1]:
        return
    for file in (directory / "atlas.py", directory / "atlas"):
        if file.exists():
            raise ImportTargetError(f"{file} has the name of the package that serves it: rename it")


def check_not_imported(module: str | None) -> None:
    """Raise if a module that is being imported, here or by a child process, calls ``atlas.run()``.

    :param module: the ``__name__`` of the module that calls it.
    :raises RunDuringImport: with the line to write.
    """
    imported = _IMPORTED.get()
    if imported is not None:
        why = f"while {imported!r} is imported to be served"
    elif module == "__mp_main__":
        why = "while a process of multiprocessing imports the main module"
    else:
        return
    raise RunDuringImport(f"atlas.run() is called {why}: put the call below 'if __name__ == \"__main__\":'")


def _no_module(name: str, directory: Path) -> str:
    parent = name.rpartition(".")[0]
    package = directory.joinpath(*parent.split(".")) if parent else directory
    near = [f"{parent}.{each}" if parent else each for each in _modules_in(package)]
    return f"there is no module {name!r} in {directory}{close_match(name, near)}"


def _modules_in(directory: Path) -> list[str]:
    try:
        entries = sorted(directory.iterdir())
    except OSError:
        return []
    files = [entry.stem for entry in entries if entry.suffix == ".py"]
    return files + [entry.name for entry in entries if entry.is_dir() and entry.name.isidentifier()]


# ------------------------------------------------------------------------------------------------------ attribute


def _get_attribute(module: ModuleType, path: str) -> Any:
    found: Any = module
    names = path.split(".")
    for depth, name in enumerate(names):
        try:
            found = getattr(found, name)
        except AttributeError:
            owner = f"{module.__name__}:{'.'.join(names[:depth])}" if depth else module.__name__
            near = close_match(name, [each for each in dir(found) if not each.startswith("__")])
            raise ImportTargetError(f"{owner!r} has no attribute {name!r}{near}") from None
    return found


def _call_factory(factory: Any, target: str) -> Callable[..., Any]:
    if not callable(factory):
        kind = _with_article(factory)
        raise ImportTargetError(f"{target!r} is {kind}, not a function that returns the application (--factory)")
    try:
        app = factory()
    except StartupError as error:
        raise ApplicationFailed(str(error), "") from None
    except Exception as error:
        raise _failed(f"the factory {target!r} raised {_summary(error)}", error) from None
    if not callable(app):
        raise ImportTargetError(f"the factory {target!r} returned {_with_article(app)}, not an application")
    return app  # type: ignore[no-any-return]  # callable() narrows Any to Callable[..., object]


def _check_callable(found: Any, target: str) -> Callable[..., Any]:
    if not callable(found):
        raise ImportTargetError(f"{target!r} is {_with_article(found)}, not an application")
    if inspect.isfunction(found) and not inspect.signature(found).parameters:
        raise ImportTargetError(f"{target!r} takes no arguments: if it returns the application, add --factory")
    return found  # type: ignore[no-any-return]  # as above


def _with_article(value: object) -> str:
    """Return the name of the type of ``value`` with an article: ``a dict``, ``an int``, ``None``."""
    name = "None" if value is None else type(value).__name__
    return name if value is None else f"an {name}" if name[0].lower() in "aeiou" else f"a {name}"


# --------------------------------------------------------------------------------------------------------- errors


def _failed(message: str, error: BaseException) -> ApplicationFailed:
    trimmed = traceback.TracebackException(type(error), error, _application_frames(error.__traceback__))
    return ApplicationFailed(message, "".join(trimmed.format()))


def _application_frames(trace: TracebackType | None) -> TracebackType | None:
    """Return the traceback without the frames of this module and of the import system."""
    while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
        trace = trace.tb_next
    if trace is None or trace.tb_frame.f_code.co_filename != importlib.__file__:
        return trace  # a factory, which this module called
    while trace is not None and trace.tb_frame.f_code.co_name != "<module>":
        trace = trace.tb_next
    return trace


def _summary(error: BaseException) -> str:
    text = str(error).partition("\n")[0]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
