"""Mappings in which a name may have several values: query strings, forms, uploads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from itertools import islice
from typing import Any, TypeVar, overload

from atlas.web.exceptions import MissingValue

__all__ = ["ManyValues", "MultiDict", "missing_value"]

_MAX_NAMES = 100  # names that are compared with a missing one

D = TypeVar("D")
V = TypeVar("V")


def missing_value(what: str, name: object, names: Iterable[str]) -> MissingValue:
    """Return the exception for a value that the client has not sent.

    :param what: what is missing, such as ``"form field"``.
    :param name: its name.
    :param names: the names that the client has sent; a similar one is part of the message.
    """
    close = get_close_matches(str(name), islice(names, _MAX_NAMES), 1)
    return MissingValue(f"the {what} {name!r} is missing" + (f"; there is {close[0]!r}" if close else ""))


class ManyValues(Mapping[str, V]):
    """Names and values, in their order.

    ``d[name]`` is the last value of a name, as in Starlette and Django; :meth:`get_all` returns all of them. Iteration
    yields each name once; :meth:`pairs` returns all pairs.

    :param pairs: names and values.
    :param what: what a value of a request is called in the error for a name that the client has not sent, a
        :class:`~atlas.web.exceptions.MissingValue`, which is answered with 400. None, the default, for a KeyError.
    """

    __slots__ = ("_last", "_pairs", "_what")

    def __init__(self, pairs: Iterable[tuple[str, V]] = (), *, what: str | None = None) -> None:
        self._pairs = list(pairs)
        self._last = dict(self._pairs)
        self._what = what

    def __getitem__(self, name: str) -> V:
        try:
            return self._last[name]
        except KeyError:
            if self._what is None:
                raise
            raise missing_value(self._what, name, self._last) from None

    @overload
    def get(self, name: str, /) -> V | None: ...
    @overload
    def get(self, name: str, /, default: V | D) -> V | D: ...
    def get(self, name: str, /, default: Any = None) -> Any:
        """Return the last value of a name.

        :param name: the name.
        :param default: what is returned for an unknown name, None by default.
        """
        return self._last.get(name, default)

    def __contains__(self, name: object) -> bool:
        return name in self._last

    def __iter__(self) -> Iterator[str]:
        return iter(self._last)

    def __len__(self) -> int:
        return len(self._last)

    def get_all(self, name: str) -> list[V]:
        """Return all values of a name.

        :param name: the name.
        :returns: the values in their order; an empty list for an unknown name.
        """
        return [value for key, value in self._pairs if key == name]

    getlist = get_all  # the name in Flask, Django and Starlette

    def pairs(self) -> list[tuple[str, V]]:
        """Return all pairs of name and value, in their order."""
        return list(self._pairs)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, ManyValues):
            return self._pairs == other._pairs
        return super().__eq__(other)

    __hash__ = None  # type: ignore[assignment]  # equal by content, so not hashable

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._pairs!r})"


class MultiDict(ManyValues[str]):
    """Names and values that are text: query parameters, form fields."""

    __slots__ = ()
