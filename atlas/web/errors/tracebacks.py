"""Tracebacks for the debug page: the frames of an exception with source lines and values, and its causes.

The functions do not raise, even if the ``repr`` or ``__str__`` of an object does.
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

from atlas.web.call_site import definition_of, is_atlas_file
from atlas.web.controllers import RETURNED_BY, controller_name
from atlas.web.errors.masking import masked, shown

__all__ = ["Frame", "Raised", "SourceLine", "examine"]

_CONTEXT_LINES = 5  # lines shown before and after the current one
_MAX_FRAMES = 60  # of one exception; an endless recursion has a thousand
_MAX_CHAIN = 8  # exceptions in one chain


@dataclass(frozen=True, slots=True)
class SourceLine:
    """A line of source.

    :ivar number: the line number, counted from 1.
    :ivar text: the line, without line break.
    :ivar current: whether the frame was at this line.
    :ivar mark: start and end of the expression that raised, in characters; None if not known.
    """

    number: int
    text: str
    current: bool = False
    mark: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame of a traceback.

    :ivar place: the file, relative to the current directory or to the directory that Python imports it from.
    :ivar number: the current line number.
    :ivar function: the qualified name of the function; "" for the top level of a template.
    :ivar kind: ``own`` for code of the program, ``template``, ``atlas`` or ``library``.
    :ivar source: the lines around the current one.
    :ivar values: names and values of the local variables, as masked text.
    """

    place: str
    number: int
    function: str
    kind: str
    source: tuple[SourceLine, ...]
    values: tuple[tuple[str, str], ...]

    @property
    def of_interest(self) -> bool:
        """Whether the frame is code or a template of the program."""
        return self.kind in ("own", "template")


@dataclass(frozen=True, slots=True)
class Raised:
    """An exception.

    :ivar kind: the qualified name of its class.
    :ivar message: its message, masked.
    :ivar notes: its notes (PEP 678), masked.
    :ivar link: its relation to the exception before it: ``""``, ``cause``, ``context``, or ``member`` of a group.
    :ivar frames: its frames, the innermost one first.
    :ivar left_out: number of frames that are not shown.
    :ivar trace: the traceback as Python prints it, masked.
    """

    kind: str
    message: str
    notes: tuple[str, ...]
    link: str
    frames: tuple[Frame, ...]
    left_out: int
    trace: str


def examine(error: BaseException) -> list[Raised]:
    """Describe an exception and the exceptions that led to it.

    :param error: the exception.
    :returns: the exception, and after it the members of a group, its cause or its context, and those of theirs.
    """
    found: list[Raised] = []
    for each, link in _chain(error):
        frames, left_out = _frames(each.__traceback__)
        if not any(frame.of_interest for frame in frames):
            frames = (*_definition(getattr(each, RETURNED_BY, None)), *frames)
        kind = type(each)
        name = (
            kind.__qualname__
            if kind.__module__ in ("builtins", "__main__")
            else f"{kind.__module__}.{kind.__qualname__}"
        )
        found.append(Raised(name, _message(each), _notes(each), link, frames, left_out, _trace(each)))
    return found


def _chain(error: BaseException) -> Iterator[tuple[BaseException, str]]:
    """Iterate over an exception, the members of a group, and causes or contexts, each with its relation."""
    seen: set[int] = set()
    waiting: list[tuple[BaseException, str]] = [(error, "")]
    while waiting and len(seen) < _MAX_CHAIN:
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
    """Return the traceback as Python prints it, masked."""
    try:
        return masked("".join(traceback.format_exception(type(error), error, error.__traceback__, chain=False)))
    except Exception:
        return "".join(traceback.format_tb(error.__traceback__)) + type(error).__name__


def _frames(trace: TracebackType | None) -> tuple[tuple[Frame, ...], int]:
    steps: list[TracebackType] = []
    while trace is not None:
        steps.append(trace)
        trace = trace.tb_next
    steps = _from_own_code(steps)
    kept = steps if len(steps) <= _MAX_FRAMES else [*steps[: _MAX_FRAMES // 2], *steps[-_MAX_FRAMES // 2 :]]
    return tuple(_frame(step) for step in reversed(kept)), len(steps) - len(kept)


def _from_own_code(steps: list[TracebackType]) -> list[TracebackType]:
    """Return the steps from the first one in code of the program; those before it, in server and Atlas, do not vary."""
    kinds = [_kind(step.tb_frame.f_code.co_filename) for step in steps]
    for wanted in (("own", "template"), ("library",)):
        for index, kind in enumerate(kinds):
            if kind in wanted:
                return steps[index:]
    return steps


def _definition(function: Any) -> Iterator[Frame]:
    """Return the ``def`` of a function as a frame, for an exception that was raised for what it has returned."""
    if function is not None and (place := definition_of(function)) is not None:
        file, number = place
        yield Frame(_short(file), number, controller_name(function), "own", _source(file, None, number, None), ())


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
        _source(code.co_filename, frame.f_globals, step.tb_lineno, mark),
        _values(frame),
    )


def _kind(file: str) -> str:
    """Return whether a file is code of the program, a template, Atlas, or a library."""
    if not file.endswith((".py", ".pyx")) and not file.startswith("<"):
        return "template"
    if is_atlas_file(file):
        return "atlas"
    if file.startswith("<") and file != "<stdin>":
        return "library"
    return "library" if any(file.startswith(folder) for folder in _library_folders()) else "own"


def _library_folders() -> list[str]:
    paths = sysconfig.get_paths()
    return [paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib") if paths.get(name)]


def _short(file: str) -> str:
    """Return a file relative to the current directory, or to the directory that Python imports it from."""
    if file.startswith("<"):
        return file
    for folder in sorted({str(Path.cwd()), *_library_folders(), *sys.path}, key=len, reverse=True):
        if folder and file.startswith(folder.rstrip("/") + "/"):
            return file[len(folder.rstrip("/")) + 1 :]
    return file


def _positions(step: TracebackType) -> tuple[int, int] | None:
    """Return start and end of the current expression in bytes (PEP 657), if it is on one line."""
    found = next(islice(step.tb_frame.f_code.co_positions(), step.tb_lasti // 2, None), None)
    if found is None:
        return None
    first, last, start, end = found
    if first != step.tb_lineno or last != first or start is None or end is None:
        return None
    return start, end


def _source(
    file: str, values: dict[str, Any] | None, number: int, mark: tuple[int, int] | None
) -> tuple[SourceLine, ...]:
    lines = linecache.getlines(file, values) or _loaded_lines(file)
    first = max(number - _CONTEXT_LINES, 1)
    found = [(at, line.rstrip("\n")) for at, line in enumerate(lines[first - 1 : number + _CONTEXT_LINES], first)]
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
    """Return whether a value is not shown: a module, or in a template, whose globals are locals too, a callable."""
    # issubclass(type()) and not isinstance(): isinstance reads __class__, and a proxy may raise then.
    return issubclass(type(value), ModuleType) or (in_template and callable(value))
