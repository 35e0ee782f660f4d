"""Values that each request has for itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from typing import Any

__all__ = ["Local"]


class Local:
    """An object whose attributes each request has for itself, as those of ``threading.local`` are a thread's own::

        current = Local(user=None)          # at the top of a module

        def show(request):
            current.user = find_user(request)
            return page()                   # where current.user is that user, and no other request's

    It rests on context variables (:mod:`contextvars`), so what is set is seen wherever the request goes: in its
    middleware and its controller, ``def`` or ``async def``, in what they call or await, and in a function that
    ``run="thread"`` or ``in_thread`` takes to a thread; what is set there is seen here afterwards.

    A task that is started sees what was set until then; from there on, what it sets is its own, and what its parent
    sets is the parent's. A thread that you start yourself sees the defaults. An object that is stored is not copied.
    What was set before the server started is what each request begins with.

    :param defaults: the attributes that are there from the beginning.
    """

    __slots__ = ("__values",)

    __values: ContextVar[Mapping[str, Any]]

    def __init__(self, **defaults: Any) -> None:
        object.__setattr__(self, "_Local__values", ContextVar("atlas.Local", default=defaults))

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__values.get()[name]
        except KeyError:
            raise AttributeError(f"nothing was stored as {name!r} here", name=name, obj=self) from None

    def __setattr__(self, name: str, value: Any) -> None:
        # Always a new mapping: the one there may be seen in the contexts of others.
        self.__values.set({**self.__values.get(), name: value})

    def __delattr__(self, name: str) -> None:
        values = dict(self.__values.get())
        if name not in values:
            raise AttributeError(f"nothing was stored as {name!r} here", name=name, obj=self)
        del values[name]
        self.__values.set(values)

    def __reduce__(self) -> str:
        raise TypeError("a Local cannot be copied or pickled: it is a place, not a value")

    def __dir__(self) -> Iterable[str]:
        return sorted({*super().__dir__(), *self.__values.get()})

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={value!r}" for name, value in self.__values.get().items())
        return f"Local({values})"
