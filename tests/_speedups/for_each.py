"""Runs one test for many values. A parameter for each of 256 bytes takes much longer to begin than to run."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

__all__ = ["for_each"]

T = TypeVar("T")


def for_each(values: Iterable[T]) -> Callable[[Callable[[T], None]], Callable[[], None]]:
    """Call a test with each of the values; a failure names the value.

    :param values: the values of its one parameter.
    """

    def decorate(test: Callable[[T], None]) -> Callable[[], None]:
        def run() -> None:
            for value in values:
                try:
                    test(value)
                except BaseException as error:
                    error.add_note(f"with {value!r}")
                    raise

        # Not by functools.wraps(): pytest would look for a fixture with the name of the parameter.
        run.__name__, run.__doc__, run.__module__ = test.__name__, test.__doc__, test.__module__
        return run

    return decorate
