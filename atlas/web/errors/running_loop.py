"""A note for exceptions of libraries that run an event loop of their own, which they cannot where one is running."""

from __future__ import annotations

__all__ = ["note_running_loop"]

_MESSAGES = (
    "cannot be called from a running event loop",  # asyncio.run, asyncio.Runner
    "event loop is already running",  # loop.run_until_complete
    "while another loop is running",  # the same with another loop
    "asynctosync in the same thread",  # asgiref.sync.async_to_sync
    "sync api inside the asyncio loop",  # playwright.sync_api
    "inside an anyio worker thread",  # anyio.from_thread
    "from an anyio worker thread",  # older anyio
)
_NOTE = (
    "This code runs in the thread of the event loop. In a 'def' controller, run=\"thread\" on its route runs it in "
    "another thread, where this works; await_(...) waits for a coroutine without that. In 'async def', write 'await'."
)


def note_running_loop(error: BaseException) -> None:
    """Add a note to an exception if it says that an event loop is running.

    :param error: the exception.
    """
    try:
        text = str(error).lower()
    except Exception:  # its __str__ raises: it is answered as any other
        return
    if any(each in text for each in _MESSAGES) and _NOTE not in getattr(error, "__notes__", ()):
        error.add_note(_NOTE)
