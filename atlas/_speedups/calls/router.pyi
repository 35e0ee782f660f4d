from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Generic, Protocol, TypeVar, type_check_only

@type_check_only
class PathConverter(Protocol):
    """The converter of a path parameter. The tree calls ``parse`` only if ``native`` is ""."""

    @property
    def native(self) -> str:
        """``string int float slug uuid date path rest``, ``several`` with a result :class:`Several`, or ``""``."""

    @property
    def parse(self) -> Callable[[str], Any]:
        """Converts the text to a value; raises ValueError if the text does not match."""

    @property
    def rank(self) -> int:
        """Converters with lower ranks are tried first."""

    @property
    def many(self) -> bool:
        """Whether the parameter takes the rest of the path."""

_T = TypeVar("_T")

class Several(tuple[Any, ...]):
    """The values of a converter of several parameters, which the tree puts in its place."""

class RouteTree(Generic[_T]):
    """Matches a method and a path with a route; the time does not depend on the number of routes.

    :param entries: for each path its parts, literal texts in UTF-8 and converters, and a dict of the routes by method;
        ``"*"`` stands for every method that is not named. A parameter ends with its segment;
        one that takes the rest of the path is the last part.
    :raises ValueError: for a path with more than 32 parameters.
    """

    def __init__(self, entries: Iterable[tuple[Sequence[bytes | PathConverter], Mapping[str, _T]]]) -> None: ...
    def __class_getitem__(cls, item: Any) -> Any: ...
    def find(self, method: str, path: bytes, decoded: bool = False) -> tuple[_T, tuple[Any, ...]] | None:
        """Match a method and a path.

        :param method: the HTTP method.
        :param path: percent-encoded, followed by a query string that is ignored; or decoded, in UTF-8. An encoded slash
            is part of a segment; in a parameter that takes several segments it stays encoded, as ``%2F``. A segment
            that is not valid UTF-8 matches no parameter.
        :param decoded: whether the path is decoded, default False.
        :returns: the route and the values of its parameters; None if no route matches.
        """

    def methods(self, path: bytes, decoded: bool = False) -> list[str]:
        """Return the methods of the routes that match a path, sorted; parameters as for :meth:`find`."""
