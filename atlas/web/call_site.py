"""Where in a program a route, a middleware or a controller was written, for error messages."""

from __future__ import annotations

import inspect
import linecache
import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import CodeType
from typing import Any

__all__ = ["GENERATED", "caller_place", "definition_of", "is_atlas_file"]

GENERATED = "<atlas: "
"""The beginning of the file name of code that is generated at startup."""

# A compiled function names its file without the folder of the package.
_ATLAS_FOLDERS = (str(Path(__file__).parents[1]), GENERATED, "atlas/_speedups/")
_DEFINITION = re.compile(r"\s*(async\s+)?def\s")
_MAX_DECORATOR_LINES = 50


def caller_place() -> str:
    """Return file and line of the nearest caller outside ``atlas.web``: ``"app.py:12"``."""
    frame = sys._getframe(1)
    while frame.f_back is not None and str(frame.f_globals.get("__name__", "")).startswith("atlas.web."):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"


def is_atlas_file(file: str) -> bool:
    """Return whether a frame is one of Atlas.

    :param file: the file of its code.
    """
    return file.startswith(_ATLAS_FOLDERS)


def definition_of(function: Callable[..., Any]) -> tuple[str, int] | None:
    """Return file and line of the ``def`` of a function; None for a callable that is not written in Python.

    :param function: a function, a method, a partial of one, or an object with a ``__call__`` method.
    """
    inner = inspect.unwrap(getattr(function, "func", function))
    call = getattr(inner, "__call__", None)  # noqa: B004  # the method is needed, not whether it exists
    for each in (inner, getattr(inner, "__func__", None), getattr(call, "__func__", None)):
        code = getattr(each, "__code__", None)
        if isinstance(code, CodeType):
            return code.co_filename, _definition_line(code)
    return None


def _definition_line(code: CodeType) -> int:
    """Return the line of the ``def``: the code of a function begins with its first decorator."""
    first = code.co_firstlineno
    if code.co_name == "<lambda>":
        return first
    for number in range(first, first + _MAX_DECORATOR_LINES):
        line = linecache.getline(code.co_filename, number)
        if not line:
            break
        if _DEFINITION.match(line):
            return number
    return first
