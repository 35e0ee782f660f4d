"""What there is to know of an exception: its frames with their lines and values, and what it came from.

Nothing here may raise, whatever the objects do that are looked at: this is called when something is broken already.
"""

from __future__ import annotations

import linecache
import sys
import sysconfig
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import FrameType, ModuleType, TracebackType
from typing import Any

from atlas.web.masking import masked, shown

__all__ = ["Frame", "Raised", "SourceLine", "examine"]

_AROUND = 5  # lines shown before and after the one that counts
_MOST_FRAMES = 60  # of one exception: a recursion without end has a thousand
_MOST_LINKS = 8  # exceptions in one chain

_OUR_FOLDER = str(Path(__file__).parent.parent)


@dataclass(frozen=True, slots=True)
class SourceLine:
    """A line of source. ``mark``: from which to which character it went wrong, where that is known."""

    number: int
    text: str
    current: bool = False
    mark: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Frame:
    """One step of the way to an exception.

    :ivar place: the file as a person would name it. :ivar kind: ``own``, ``template``, ``atlas`` or ``library``.
    :ivar values: names and, as text, values.
    """

    place: str
    number: int
    function: str
    kind: str
    source: tuple[SourceLine, ...]
    values: tuple[tuple[str, str], ...]

    @property
    def of_interest(self) -> bool:
        """Whether the one who reads it has written it."""
        return self.kind in ("own", "template")


@dataclass(frozen=True, slots=True)
class Raised:
    """An exception.

    :ivar link: what it is to one before it in the list: ``""``, ``cause``, ``context``, ``member`` of a group.
    :ivar frames: the last one first, for it is the one to look at.
    """

    kind: str
    message: str
    notes: tuple[str, ...]
    link: str
    frames: tuple[Frame, ...]
    left_out: int
    trace: str


def examine(error: BaseException) -> list[Raised]:
    """An exception, and behind it those that it came from."""
    found: list[Raised] = []
    for each, link in _chain(error):
        frames, left_out = _frames(each.__traceback__)
        kind = type(each)
        name = (
            kind.__qualname__
            if kind.__module__ in ("builtins", "__main__")
            else f"{kind.__module__}.{kind.__qualname__}"
        )
        found.append(Raised(name, _message(each), _notes(each), link, frames, left_out, _trace(each)))
    return found


def _chain(error: BaseException) -> Iterator[tuple[BaseException, str]]:
    """An exception, then those in it if it is a group of them, then the one that it came from, with those of that."""
    seen: set[int] = set()
    waiting: list[tuple[BaseException, str]] = [(error, "")]
    while waiting and len(seen) < _MOST_LINKS:
        current, link = waiting.pop(0)
        if id(current) in seen:
            continue
        seen.add(id(current))
        yield current, link
        waiting[:0] = _members(current)
        if current.__cause__ is not None:
            waiting.append((current.__cause__, "cause"))
        elif current.__context__ is not None and not current.__suppress_context__:
            waiting.append((current.__context__, "context"))


def _members(error: BaseException) -> list[tuple[BaseException, str]]:
    return [(each, "member") for each in error.exceptions] if isinstance(error, BaseExceptionGroup) else []


def _notes(error: BaseException) -> tuple[str, ...]:
    try:
        return tuple(masked(str(note)) for note in getattr(error, "__notes__", None) or ())
    except Exception:
        return ()


def _message(error: BaseException) -> str:
    try:
        return masked(str(error))
    except Exception as another:
        return f"(its message cannot be shown: __str__ raised {type(another).__name__})"


def _trace(error: BaseException) -> str:
    """The traceback as Python prints it."""
    try:
        return masked("".join(traceback.format_exception(type(error), error, error.__traceback__, chain=False)))
    except Exception:
        return "".join(traceback.format_tb(error.__traceback__)) + type(error).__name__


def _frames(trace: TracebackType | None) -> tuple[tuple[Frame, ...], int]:
    steps: list[TracebackType] = []
    while trace is not None:
        steps.append(trace)
        trace = trace.tb_next
    steps = _without_the_way_in(steps)
    kept = steps if len(steps) <= _MOST_FRAMES else [*steps[: _MOST_FRAMES // 2], *steps[-_MOST_FRAMES // 2 :]]
    return tuple(_frame(step) for step in reversed(kept)), len(steps) - len(kept)


def _without_the_way_in(steps: list[TracebackType]) -> list[TracebackType]:
    """The steps from the reader's own code on: those before it, the server's and ours, are always the same."""
    kinds = [_kind(step.tb_frame.f_code.co_filename) for step in steps]
    for wanted in (("own", "template"), ("library",)):
        for index, kind in enumerate(kinds):
            if kind in wanted:
                return steps[index:]
    return steps


def _frame(step: TracebackType) -> Frame:
    frame, code = step.tb_frame, step.tb_frame.f_code
    kind = _kind(code.co_filename)
    mark = None if kind == "template" else _positions(step)
    function = getattr(code, "co_qualname", code.co_name)
    if kind == "template":
        function = "" if code.co_name in ("root", "template", "top-level template code", "<module>") else code.co_name
    return Frame(
        _short(code.co_filename),
        step.tb_lineno,
        function.replace(".<locals>", ""),
        kind,
        _source(frame, step.tb_lineno, mark),
        _values(frame),
    )


def _kind(file: str) -> str:
    """Whose a file is."""
    if not file.endswith((".py", ".pyx")) and not file.startswith("<"):
        return "template"
    if file.startswith(_OUR_FOLDER):
        return "atlas"
    if file.startswith("<") and file != "<stdin>":
        return "library"
    return "library" if any(file.startswith(folder) for folder in _library_folders()) else "own"


def _library_folders() -> list[str]:
    paths = sysconfig.get_paths()
    return [paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib") if paths.get(name)]


def _short(file: str) -> str:
    """A file relative to where Python would find it, or to where we are."""
    if file.startswith("<"):
        return file
    for folder in sorted({str(Path.cwd()), *_library_folders(), *sys.path}, key=len, reverse=True):
        if folder and file.startswith(folder.rstrip("/") + "/"):
            return file[len(folder.rstrip("/")) + 1 :]
    return file


def _positions(step: TracebackType) -> tuple[int, int] | None:
    """The columns of the expression that was at work, in bytes, where it is on one line."""
    found = next(islice(step.tb_frame.f_code.co_positions(), step.tb_lasti // 2, None), None)
    if found is None:
        return None
    first, last, start, end = found
    if first != step.tb_lineno or last != first or start is None or end is None:
        return None
    return start, end


def _source(frame: FrameType, number: int, mark: tuple[int, int] | None) -> tuple[SourceLine, ...]:
    file = frame.f_code.co_filename
    lines = linecache.getlines(file, frame.f_globals) or _loaded_lines(file)
    first = max(number - _AROUND, 1)
    found = [(at, line.rstrip("\n")) for at, line in enumerate(lines[first - 1 : number + _AROUND], first)]
    return tuple(
        SourceLine(at, text, True, _in_characters(text, mark)) if at == number else SourceLine(at, text)
        for at, text in found
    )


def _loaded_lines(file: str) -> list[str]:
    try:
        return Path(file).read_text(encoding="utf-8", errors="replace").splitlines()
    except (OSError, ValueError):
        return []


def _in_characters(text: str, mark: tuple[int, int] | None) -> tuple[int, int] | None:
    if mark is None:
        return None
    encoded = text.encode(errors="replace")
    start, end = (len(encoded[:place].decode(errors="replace")) for place in mark)
    whole = len(text) - len(text.lstrip()), len(text.rstrip())
    return (start, end) if start < end and (start, end) != whole else None


def _values(frame: FrameType) -> tuple[tuple[str, str], ...]:
    if frame.f_code.co_name == "<module>":
        return ()
    try:
        values: dict[str, Any] = dict(frame.f_locals)
    except Exception:
        return ()
    in_template = _kind(frame.f_code.co_filename) == "template"
    wanted = {
        name: value for name, value in values.items() if not (name.startswith("__") or _is_noise(value, in_template))
    }
    return tuple((name, text) for name, value in wanted.items() if (text := shown(name, value)) != "Undefined")


def _is_noise(value: object, in_template: bool) -> bool:
    """What tells nothing: modules; and in a template, which sees them all, functions and classes."""
    # Not isinstance(): that asks the object for its __class__, and some raise when they are asked for anything.
    return issubclass(type(value), ModuleType) or (in_template and callable(value))
