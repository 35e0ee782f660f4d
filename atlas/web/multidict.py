"""A mapping in which a name may have more than one value: query strings, forms, uploads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TypeVar

__all__ = ["ManyValues", "MultiDict"]

V = TypeVar("V")


class ManyValues(Mapping[str, V]):
    """Names and their values, in the order in which they came.

    ``d[name]`` is the last value of that name, as in Starlette and Django; :meth:`get_all` gives every one. As a
    mapping it has each name once; :meth:`pairs` has them all.
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
        """Every value of ``name``, in order; empty if there is none."""
        return [value for key, value in self._pairs if key == name]

    getlist = get_all  # as Flask, Django and Starlette have it

    def pairs(self) -> list[tuple[str, V]]:
        """Every name with every value, in order."""
        return list(self._pairs)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, ManyValues):
            return self._pairs == other._pairs
        return super().__eq__(other)

    __hash__ = None  # type: ignore[assignment]  # equal by content, so not hashable

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._pairs!r})"


class MultiDict(ManyValues[str]):
    """Names and their texts."""

    __slots__ = ()
