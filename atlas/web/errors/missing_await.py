"""A note for exceptions that come from a missing ``await``: Python names the type ``coroutine``, not the mistake."""

from __future__ import annotations

import inspect
import linecache
from types import TracebackType

from atlas.web.call_site import is_atlas_file

__all__ = ["note_missing_await"]


def note_missing_await(error: BaseException) -> None:
    """Add a note to an exception if a coroutine was used as if it were its result: ``request.form()["name"]``.

    :param error: the exception, with its traceback.
    """
    if not isinstance(error, TypeError | AttributeError) or "coroutine" not in str(error):
        return
    trace = _innermost(error.__traceback__)
    if trace is None:
        return
    code = trace.tb_frame.f_code
    is_async = bool(code.co_flags & (inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR))
    advice = (
        "write (await ...) around the call" if is_async else "wait by await_(...), or make the function 'async def'"
    )
    line = linecache.getline(code.co_filename, trace.tb_lineno).strip()
    note = f"'await' is missing in {code.co_filename}:{trace.tb_lineno}: {line}  ({advice})"
    if note not in getattr(error, "__notes__", ()):
        error.add_note(note)


def _innermost(trace: TracebackType | None) -> TracebackType | None:
    """Return the innermost step outside Atlas, which may have met the coroutine first: in JSON, for one."""
    found = None
    while trace is not None:
        if not is_atlas_file(trace.tb_frame.f_code.co_filename):
            found = trace
        trace = trace.tb_next
    return found
