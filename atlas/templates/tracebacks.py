"""Tracebacks that name the lines of templates."""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType

from atlas._speedups.templates.statements import LINES

__all__ = ["name_template_lines", "template_line"]

_COMPILED = "atlas/_speedups/templates/"


def template_line(code_line: int) -> int | None:
    """Return the line of a template in which a plan failed; None for the line of Python code.

    :param code_line: the line of a frame.
    """
    return code_line - LINES if code_line > LINES else None


def name_template_lines(error: BaseException) -> None:
    """Remove the frames of the engine from a traceback.

    A plan adds a frame with the line of the template. The frame of the Python function that runs the plan, which is for
    the same template, goes too.

    :param error: the exception.
    """
    entries = [each for each in _entries(error.__traceback__) if not _is_compiled(each)]
    pairs = zip(entries, [*entries[1:], None], strict=True)
    kept = [each for each, following in pairs if not _repeats(each, following)]
    following = None
    for each in reversed(kept):
        each.tb_next = following
        following = each
    error.__traceback__ = following


def _entries(trace: TracebackType | None) -> Iterator[TracebackType]:
    while trace is not None:
        yield trace
        trace = trace.tb_next


def _is_compiled(trace: TracebackType) -> bool:
    name = trace.tb_frame.f_code.co_filename.replace("\\", "/")
    return name.startswith(_COMPILED) or f"/{_COMPILED}" in name


def _repeats(trace: TracebackType, following: TracebackType | None) -> bool:
    """Whether the next frame is that of a plan of the same function."""
    if following is None or following.tb_lineno <= LINES or trace.tb_lineno > LINES:
        return False
    return trace.tb_frame.f_globals is following.tb_frame.f_globals
