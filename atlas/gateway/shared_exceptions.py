"""Exceptions that an application makes once and raises for each request, as in ``NOTHING = NotFound()`` in a module.

Each ``raise`` adds the frames of its request to the traceback of the object. The module keeps the object, and with it
the frames and all that their variables refer to.
"""

from __future__ import annotations

__all__ = ["drop_earlier_frames", "drop_frames"]

_HANDLED = "_atlas_handled"
_LEFT = "_atlas_left"


def drop_frames(error: BaseException, *, unseen: bool = False) -> None:
    """Drop the frames of an exception that was handled before, and of those that it refers to.

    The first time they stay: the program may have kept the exception, in order to report it later.

    :param error: an exception that has been handled.
    :param unseen: whether only Atlas has seen ``error``, so that its frames are of no use. False by default.
    """
    waiting, seen = [error], set[int]()
    while waiting:
        each = waiting.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        waiting += [other for other in (each.__context__, each.__cause__) if other is not None]
        if isinstance(each, BaseExceptionGroup):
            waiting += each.exceptions
        # By the dict: a class may refuse to set attributes, as a frozen dataclass does.
        if (unseen and each is error) or _HANDLED in each.__dict__:
            _clear(each)
        else:
            each.__dict__[_HANDLED] = True


def drop_earlier_frames(error: BaseException) -> None:
    """Drop the frames of earlier requests from an exception that leaves the application for a server, which reports it.

    :param error: the exception, before it is raised again.
    """
    earlier, entry = error.__dict__.get(_LEFT), error.__traceback__
    while entry is not None and entry.tb_next is not None:
        if entry.tb_next is earlier:  # a raise puts the new entries before the old ones
            entry.tb_next = None
        entry = entry.tb_next
    error.__dict__[_LEFT] = error.__traceback__


def _clear(error: BaseException) -> None:
    error.__dict__.pop(_LEFT, None)
    BaseException.with_traceback(error, None)
    BaseException.__setattr__(error, "__context__", None)
    if error.__cause__ is not None:
        BaseException.__setattr__(error, "__cause__", None)
        BaseException.__setattr__(error, "__suppress_context__", False)
