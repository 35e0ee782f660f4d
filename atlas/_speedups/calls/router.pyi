from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Generic, Protocol, TypeVar, type_check_only

@type_check_only
class Hole(Protocol):
    """What may stand in a hole of a path: the tree knows ``native`` kinds itself, and asks ``parse`` for the others."""

    @property
    def native(self) -> str:
        """``string int float slug uuid date path rest``, or ``""`` for none of these."""

    @property
    def parse(self) -> Callable[[str], Any]:
        """Text to value; raises ValueError for text that is none."""

    @property
    def rank(self) -> int:
        """Lower ranks are tried first."""

    @property
    def many(self) -> bool:
        """Whether it takes all of the rest."""

_T = TypeVar("_T")

class RouteTree(Generic[_T]):
    """Finds what belongs to a method and a path among any number of routes, in the time it takes to read the path.

    :param entries: for each route its parts, texts as UTF-8 and holes, and what answers which method; ``"*"`` stands
        for every method that is not named. A hole is a whole segment; one that takes all of the rest comes last.
    :raises ValueError: for a route of more than 32 holes.
    """

    def __init__(self, entries: Iterable[tuple[Sequence[bytes | Hole], Mapping[str, _T]]]) -> None: ...
    def __class_getitem__(cls, item: Any) -> Any: ...
    def find(self, method: str, path: bytes, decoded: bool = False) -> tuple[_T, tuple[Any, ...]] | None:
        """What answers, with the converted values of the holes, or None.

        :param path: percent-encoded, a query behind it is ignored; or decoded, as UTF-8. An encoded slash separates
            nothing. Text that is no UTF-8 fits no hole.
        """

    def methods(self, path: bytes, decoded: bool = False) -> list[str]:
        """The methods that are answered at a path, in order; empty if nothing is there."""
