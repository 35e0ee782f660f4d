"""Mappings in which a name may have several values: query strings, forms, uploads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TypeVar

__all__ = ["ManyValues", "MultiDict"]

V = TypeVar("V")


class ManyValues(Mapping[str, V]):
    """Names and values, in their order.

    ``d[name]`` is the last value of a name, as in Starlette and Django; :meth:`get_all` returns all of them. Iteration
    yields each name once; :meth:`pairs` returns all pairs.

    :param pairs: names and values.
    """

    __slots__ = ("_last", "_pairs")

    def __init__(self, pairs: Iterable[tuple[str, V]] = ()) -> None:
        self._pairs = list(pairs)
        self._last = dict(self._pairs)

    def __getitem__(self, name: str) -> V:
        return self._last[name]

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
