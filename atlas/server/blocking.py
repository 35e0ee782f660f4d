"""Finds what blocks the event loop: the function of the application in the stack of the loop's thread."""

from __future__ import annotations

import inspect
import sys
import sysconfig
import traceback
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

__all__ = ["BlockingFunction", "describe_thread", "find_blocking_function", "is_compiling", "walk_stack"]

_ATLAS = str(Path(__file__).parents[1]) + "/"
_INSTALLED = ("/site-packages/", "/dist-packages/")
_STDLIB = tuple({str(Path(sysconfig.get_path(name))) + "/" for name in ("stdlib", "platstdlib")})
_DEBUGGERS = frozenset({"bdb", "pdb", "pydevd", "debugpy", "ipdb", "pudb"})
_MAX_FRAMES = 16  # frames in a stack trace; the ones in the middle are left out


@dataclass(frozen=True, slots=True)
class BlockingFunction:
    """A function of the application that is being called."""

    name: str
    """Its module and qualified name."""
    definition: str
    """File and line of its definition."""
    position: tuple[str, int]
    """File and line of the innermost frame of the application: in this function, or in one that it called."""
    is_async: bool
    """Whether it is ``async def``."""
    stack: str
    """The calls from this function on, the most recent one last, as in a traceback."""


def walk_stack(frame: FrameType | None) -> Iterator[FrameType]:
    """Yield a frame, its caller, and so on."""
    while frame is not None:
        yield frame
        frame = frame.f_back


def find_blocking_function(frame: FrameType | None, below: Collection[FrameType] = ()) -> BlockingFunction | None:
    """Return the function of the application that runs in ``frame``: the one that Atlas or the event loop called.

    A frame belongs to the application if its file is neither part of Atlas, nor installed, nor of the standard library.
    If there is no such frame, installed packages count too. Where the application called Atlas and Atlas called the
    application again (a middleware and its controller), the inner function is returned.

    :param frame: the innermost frame of the thread.
    :param below: frames that run the event loop; they and their callers are ignored.
    :returns: None if no code of the application runs, or if it runs in a debugger.
    """
    frames = _above(frame, below)
    if any(str(each.f_globals.get("__name__", "")).partition(".")[0] in _DEBUGGERS for each in frames):
        return None
    for belongs in (_is_application, _is_third_party):
        first = next((index for index, each in enumerate(frames) if belongs(each)), None)
        if first is not None:
            last = _outermost(frames, first, belongs)
            return _describe(frames[: last + 1], frames[first])
    return None


def is_compiling(frame: FrameType | None) -> bool:
    """Return whether Jinja compiles a template, which it does once, in the thread whose innermost frame this is."""
    return any(
        each.f_code.co_name == "compile" and each.f_globals.get("__name__") == "jinja2.environment"
        for each in walk_stack(frame)
    )


def describe_thread(identifier: int) -> str | None:
    """Return what runs in a thread: the function of the application, its definition, and the line that it is at.

    :param identifier: of the thread.
    :returns: None if no code of the application runs in it.
    """
    function = find_blocking_function(sys._current_frames().get(identifier))
    if function is None:
        return None
    file, line = function.position
    return f"{function.name} ({function.definition}), at {file}:{line},"


def _above(frame: FrameType | None, below: Collection[FrameType]) -> list[FrameType]:
    """Return the frames above those in ``below``, the innermost one first."""
    frames = []
    for each in walk_stack(frame):
        if each in below:
            break
        frames.append(each)
    return frames


def _outermost(frames: list[FrameType], first: int, belongs: Callable[[FrameType], bool]) -> int:
    """Return the index of the outermost frame of the application, from ``first`` up to the next frame of Atlas."""
    last = first
    for index in range(first, len(frames)):
        if frames[index].f_code.co_filename.startswith(_ATLAS):
            break
        if belongs(frames[index]):
            last = index
    return last


def _is_application(frame: FrameType) -> bool:
    """Return whether the code is neither Atlas, nor installed, nor of the standard library."""
    return _is_third_party(frame) and not any(part in frame.f_code.co_filename for part in _INSTALLED)


def _is_third_party(frame: FrameType) -> bool:
    """Return whether the code is neither Atlas nor of the standard library. Compiled templates do not count."""
    name = frame.f_code.co_filename
    if not name.endswith(".py") or name.startswith(_ATLAS):
        return False
    return any(part in name for part in _INSTALLED) or not name.startswith(_STDLIB)


def _describe(frames: list[FrameType], innermost: FrameType) -> BlockingFunction:
    code = frames[-1].f_code
    module = frames[-1].f_globals.get("__name__", "?")
    return BlockingFunction(
        name=f"{module}.{code.co_qualname}",
        definition=f"{_relative(code.co_filename)}:{code.co_firstlineno}",
        position=(_relative(innermost.f_code.co_filename), innermost.f_lineno),
        is_async=bool(code.co_flags & (inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR)),
        stack=_format_stack(frames),
    )


def _format_stack(frames: list[FrameType]) -> str:
    pairs = [(each, each.f_lineno) for each in reversed(frames)]
    lines = traceback.format_list(traceback.StackSummary.extract(iter(pairs)))
    if len(lines) > _MAX_FRAMES:
        half = _MAX_FRAMES // 2
        lines[half:-half] = [f"  ... {len(lines) - 2 * half} more calls ...\n"]
    return "".join(lines).rstrip("\n")


def _relative(path: str) -> str:
    """Return the path relative to the working directory if it lies below it."""
    try:
        return str(Path(path).relative_to(Path.cwd()))
    except (ValueError, OSError):
        return path
