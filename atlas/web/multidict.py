"""A mapping in which a name may have more than one value: query strings and forms."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

__all__ = ["MultiDict"]


class MultiDict(Mapping[str, str]):
    """Names and their values, in the order in which they came.

    ``d[name]`` is the last value of that name, as in Starlette and Django; :meth:`get_all` gives every one. As a
    mapping it has each name once; :meth:`pairs` has them all.
    """

    __slots__ = ("_last", "_pairs")

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        self._pairs = list(pairs)
        self._last = dict(self._pairs)

    def __getitem__(self, name: str) -> str:
        return self._last[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._last)

    def __len__(self) -> int:
        return len(self._last)

    def get_all(self, name: str) -> list[str]:
        """Every value of ``name``, in order; empty if there is none."""
        return [value for key, value in self._pairs if key == name]

    def pairs(self) -> list[tuple[str, str]]:
        """Every name with every value, in order."""
        return list(self._pairs)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, MultiDict):
            return self._pairs == other._pairs
        return super().__eq__(other)

    __hash__ = None  # type: ignore[assignment]  # equal by content, so not hashable

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._pairs!r})"
