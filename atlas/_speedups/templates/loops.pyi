from collections.abc import Callable, Iterable
from typing import Any, Self

class LoopState:
    depth0: int
    index0: int
    def __init__(
        self, iterable: Iterable[Any], undefined: Any, recurse: Callable[..., str] | None = None, depth0: int = 0
    ) -> None: ...
    @property
    def length(self) -> int:
        """How many items there are. What has no length is read to its end."""

    @property
    def depth(self) -> int:
        """How many loops it is nested in, by recursion, from 1."""

    @property
    def index(self) -> int:
        """The number of the current item, from 1."""

    @property
    def revindex0(self) -> int:
        """How many items follow."""

    @property
    def revindex(self) -> int:
        """How many items follow, the current one included."""

    @property
    def first(self) -> bool:
        """Whether this is the first item."""

    @property
    def last(self) -> bool:
        """Whether this is the last item. The next one is read."""

    @property
    def previtem(self) -> Any:
        """The item before the current one; an undefined value for the first."""

    @property
    def nextitem(self) -> Any:
        """The item after the current one; an undefined value for the last. It is read."""

    def cycle(self, *args: Any) -> Any:
        """Return one of the arguments, by turns."""

    def changed(self, *value: Any) -> bool:
        """Return whether the arguments are others than those of the last call."""

    def __len__(self) -> int: ...
    def __iter__(self) -> Self: ...
    def __next__(self) -> tuple[Any, Self]: ...
    def __call__(self, iterable: Iterable[Any]) -> str: ...
