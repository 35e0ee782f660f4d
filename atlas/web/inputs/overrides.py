"""Functions that stand for dependencies, in tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["Overrides"]


class Overrides(dict[Any, Callable[..., Any]]):
    """What is called for a dependency instead of it.

    :param changed: called after a change.
    """

    def __init__(self, changed: Callable[[], None]) -> None:
        super().__init__()
        self._changed = changed

    @contextmanager
    def replaced(self, function: Callable[..., Any], replacement: Callable[..., Any]) -> Iterator[None]:
        """Replace a dependency within a ``with`` block.

        :param function: the function that signatures name.
        :param replacement: what is called instead.
        :raises TypeError: for an object that cannot be called.
        """
        for each in (function, replacement):
            if not callable(each):
                raise TypeError(f"override: expected a function, got {each!r}")
        before = self.get(function)
        self[function] = replacement
        self._changed()
        try:
            yield
        finally:
            if before is None:
                del self[function]
            else:
                self[function] = before
            self._changed()
