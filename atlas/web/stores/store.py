"""The interface of stores, and how they are called. Each method of a store may be ``def`` or ``async def``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from inspect import isawaitable
from typing import Any, ParamSpec, Protocol, TypeVar

from atlas.gateway.greenlets import in_greenlet
from atlas.web.controllers import is_async
from atlas.web.exceptions import HTTPException

__all__ = ["Store", "StoreUnavailable", "bind_store", "call_store", "missing_methods"]

P = ParamSpec("P")
T = TypeVar("T")
_METHODS = ("get", "set", "delete", "touch")


class Store(Protocol):
    """Keeps bytes under a name for a time. A name may contain any characters; a store must not use it as a path.

    A store may have three further methods, each of which is one step that other processes cannot interrupt:

    * ``replace(name, data, seconds)``: save an entry if there is one of that name, and return whether there was (``SET
      ... XX`` of Redis, ``UPDATE ... WHERE`` of SQL). Without it, sessions make three calls, and an ended session
      leaves a short entry in the store until it would have expired.
    * ``add(name, data, seconds)``: save an entry if there is none of that name, and return whether there was none
      (``SET ... NX``). Locks of a cache need it.
    * ``release(name, data)``: delete an entry if it has this data, and return whether it had. Locks need it too.
    """

    def get(self, name: str) -> bytes | Awaitable[bytes | None] | None:
        """Return the data of an entry.

        :param name: the name.
        :returns: the data; None for an unknown or expired entry.
        """

    def set(self, name: str, data: bytes, seconds: float) -> Awaitable[None] | None:
        """Save an entry, and replace one of the same name.

        :param name: the name.
        :param data: the data.
        :param seconds: time until the entry expires.
        """

    def delete(self, name: str) -> Awaitable[None] | None:
        """Delete an entry; an unknown name is ignored.

        :param name: the name.
        """

    def touch(self, name: str, seconds: float) -> Awaitable[None] | None:
        """Extend the time of an entry; an unknown name is ignored.

        :param name: the name.
        :param seconds: time from now until the entry expires.
        """


class StoreUnavailable(HTTPException):
    """503: a store does not answer, such as one on another machine. A store raises it, from the error that it got.

    :param detail: one sentence for the client; None, the default, for the meaning of the status.
    """

    status_code = 503

    def __init__(self, detail: str | None = None) -> None:
        super().__init__(None, detail, {"retry-after": "5"})


def missing_methods(store: Any, *more: str) -> str:
    """Return which methods of a store an object lacks.

    :param store: the object.
    :param more: names of further methods that are needed.
    :returns: the names, with commas; empty if there are all.
    """
    if isinstance(store, type):
        return "instance"
    return ", ".join(name for name in (*_METHODS, *more) if not callable(getattr(store, name, None)))


def bind_store(store: Any, application: Any) -> None:
    """Call ``bind(application)`` of a store that has it, at startup; such a store is closed when the application stops.

    :param store: the store, or None.
    :param application: the application.
    """
    if (call := getattr(store, "bind", None)) is not None:
        call(application)


async def call_store(function: Callable[P, T | Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a method of a store. A ``def`` method runs in a greenlet, where it may wait.

    :param function: the method, called with ``args`` and ``kwargs``.
    :returns: its result.
    :raises Exception: what the method raises.
    """
    if is_async(function):
        result = function(*args, **kwargs)
    else:
        result = await in_greenlet(function, *args, **kwargs)
    return await result if isawaitable(result) else result
