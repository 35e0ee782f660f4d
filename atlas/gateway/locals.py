"""Values that are separate for each request."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from typing import Any

__all__ = ["Local"]


class Local:
    """An object whose attributes are separate for each request, as those of ``threading.local`` are for each thread::

        current = Local(user=None)          # at module level

        def show(request):
            current.user = find_user(request)
            return page()                   # page() sees current.user

    It uses a context variable (:mod:`contextvars`). An attribute that is set during a request is visible to all of its
    code: to middleware and controller, ``def`` or ``async def``, to functions that they call or await, and to functions
    that ``run="thread"`` or ``in_thread`` runs in a thread. What such a function sets is visible after it returned.

    A new task has a copy of the attributes; neither the task nor its parent sees what the other sets afterwards. A new
    thread has the defaults. Stored objects are not copied. Attributes that were set before the server started are
    visible to every request.

    :param defaults: the attributes with their initial values.
    """

    __slots__ = ("__values",)

    __values: ContextVar[Mapping[str, Any]]

    def __init__(self, **defaults: Any) -> None:
        object.__setattr__(self, "_Local__values", ContextVar("atlas.Local", default=defaults))

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__values.get()[name]
        except KeyError:
            raise AttributeError(f"this request has no value for {name!r}", name=name, obj=self) from None

    def __setattr__(self, name: str, value: Any) -> None:
        # A new mapping, because other contexts may refer to the old one.
        self.__values.set({**self.__values.get(), name: value})

    def __delattr__(self, name: str) -> None:
        values = dict(self.__values.get())
        if name not in values:
            raise AttributeError(f"this request has no value for {name!r}", name=name, obj=self)
        del values[name]
        self.__values.set(values)

    def __reduce__(self) -> str:
        raise TypeError("a Local cannot be copied or pickled: its values belong to a request")

    def __dir__(self) -> Iterable[str]:
        return sorted({*super().__dir__(), *self.__values.get()})

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={value!r}" for name, value in self.__values.get().items())
        return f"Local({values})"
