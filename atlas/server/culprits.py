"""Who is at work: the function of the application that a stack belongs to, out of all the frames that are there."""

from __future__ import annotations

import inspect
import sysconfig
import traceback
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

__all__ = ["Culprit", "chain", "find"]

_ATLAS = str(Path(__file__).parents[1]) + "/"
_INSTALLED = ("/site-packages/", "/dist-packages/")
_LIBRARY = tuple({str(Path(sysconfig.get_path(name))) + "/" for name in ("stdlib", "platstdlib")})
_DEBUGGERS = frozenset({"bdb", "pdb", "pydevd", "debugpy", "ipdb", "pudb"})
_MOST_FRAMES = 16


@dataclass(frozen=True, slots=True)
class Culprit:
    """A function that is being called."""

    name: str
    """Its module and its name."""
    home: str
    """File and line of its beginning."""
    place: tuple[str, int]
    """File and line where the application itself is: in this function, or in another that it called."""
    is_async: bool
    """Whether it is ``async def``."""
    stack: str
    """The calls from this function on, the last one last, as in a traceback."""


def chain(frame: FrameType | None) -> Iterator[FrameType]:
    """A frame, its caller, and so on."""
    while frame is not None:
        yield frame
        frame = frame.f_back


def find(frame: FrameType | None, below: Collection[FrameType] = ()) -> Culprit | None:
    """The function of the application that is at work in ``frame``: the one that Atlas, or the event loop, has called.

    The application is what is neither Atlas nor installed nor the standard library; if there is none of that, what is
    installed counts too. Where it has called Atlas, which called it again (a middleware and its controller), the inner
    function is meant.

    :param below: frames that were there before: those that run the event loop.
    :returns: None if nobody of the application is at work, or somebody looks at it in a debugger.
    """
    frames = _above(frame, below)
    if any(str(each.f_globals.get("__name__", "")).partition(".")[0] in _DEBUGGERS for each in frames):
        return None
    for belongs in (_is_own, _is_foreign):
        first = next((index for index, each in enumerate(frames) if belongs(each)), None)
        if first is not None:
            last = _outermost(frames, first, belongs)
            return _described(frames[: last + 1], frames[first])
    return None


def _above(frame: FrameType | None, below: Collection[FrameType]) -> list[FrameType]:
    """The frames that came on top of those ``below``, the innermost one first."""
    frames = []
    for each in chain(frame):
        if each in below:
            break
        frames.append(each)
    return frames


def _outermost(frames: list[FrameType], first: int, belongs: Callable[[FrameType], bool]) -> int:
    """Where, from ``first`` on outwards, the application begins: inside of a frame of Atlas, or at the end."""
    last = first
    for index in range(first, len(frames)):
        if frames[index].f_code.co_filename.startswith(_ATLAS):
            break
        if belongs(frames[index]):
            last = index
    return last


def _is_own(frame: FrameType) -> bool:
    """Whether it is the application's own code."""
    return _is_foreign(frame) and not any(part in frame.f_code.co_filename for part in _INSTALLED)


def _is_foreign(frame: FrameType) -> bool:
    """Whether it is code of anybody else than Atlas and Python. A template is not code."""
    name = frame.f_code.co_filename
    if not name.endswith(".py") or name.startswith(_ATLAS):
        return False
    return any(part in name for part in _INSTALLED) or not name.startswith(_LIBRARY)


def _described(frames: list[FrameType], innermost: FrameType) -> Culprit:
    code = frames[-1].f_code
    module = frames[-1].f_globals.get("__name__", "?")
    return Culprit(
        name=f"{module}.{code.co_qualname}",
        home=f"{_short(code.co_filename)}:{code.co_firstlineno}",
        place=(_short(innermost.f_code.co_filename), innermost.f_lineno),
        is_async=bool(code.co_flags & (inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR)),
        stack=_as_text(frames),
    )


def _as_text(frames: list[FrameType]) -> str:
    shown = [(each, each.f_lineno) for each in reversed(frames)]
    lines = traceback.format_list(traceback.StackSummary.extract(iter(shown)))
    if len(lines) > _MOST_FRAMES:
        half = _MOST_FRAMES // 2
        lines[half:-half] = [f"  ... {len(lines) - 2 * half} calls more ...\n"]
    return "".join(lines).rstrip("\n")


def _short(path: str) -> str:
    """As seen from the current folder, if it lies below that."""
    try:
        return str(Path(path).relative_to(Path.cwd()))
    except (ValueError, OSError):
        return path
