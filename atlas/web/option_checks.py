"""Checks of options, made where the options are written; the messages name the option."""

from __future__ import annotations

from typing import Any

from atlas.errors import StartupError
from atlas.web.call_site import caller_place

__all__ = ["ExemptPaths", "check_decorator", "check_number", "check_seconds", "check_strings"]


def check_strings(setting: str, values: Any, example: str) -> tuple[str, ...]:
    """Check an option that is a list of strings.

    :param setting: the option, for messages: ``"CORS: allow_origins"``.
    :param values: the value of the option.
    :param example: a valid string, for messages.
    :returns: the strings.
    :raises TypeError: for a single string, and for an element that is not a string.
    """
    if isinstance(values, (str, bytes)):
        raise TypeError(f"{setting}: expected a list, such as [{values!r}]")
    try:
        found = tuple(values)
    except TypeError:
        raise TypeError(f"{setting}: expected a list, such as [{example!r}], got {values!r}") from None
    for value in found:
        if not isinstance(value, str):
            raise TypeError(f"{setting}: expected strings, such as {example!r}, got {value!r}")
    return found


def check_number(setting: str, value: Any, least: int, most: int | None = None) -> int:
    """Check an option that is a whole number.

    :param setting: the option, for messages: ``"CORS: max_age"``.
    :param value: the value of the option.
    :param least: the lowest valid value.
    :param most: the highest valid value; None, the default, for no bound.
    :returns: the number.
    :raises TypeError: for a value that is not an int.
    :raises ValueError: for a number out of bounds.
    """
    if type(value) is not int:
        raise TypeError(f"{setting}: expected a whole number, got {value!r}")
    if value < least or (most is not None and value > most):
        bounds = f"{least} or more" if most is None else f"{least} to {most}"
        raise ValueError(f"{setting}: expected {bounds}, got {value!r}")
    return value


def check_seconds(setting: str, value: Any) -> float:
    """Check a time.

    :param setting: the option, for messages: ``"Cache: seconds"``.
    :param value: the value of the option.
    :returns: the number of seconds.
    :raises TypeError: for a value that is not a number.
    :raises ValueError: for a number that is not above zero.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{setting}: expected a number of seconds, got {value!r}")
    if not value > 0:
        raise ValueError(f"{setting}: expected a time above 0, got {value!r}")
    return value


class ExemptPaths:
    """Paths of an application that a middleware leaves alone: ``path in paths``.

    :param who: the middleware, for messages.
    :param paths: paths that start with "/"; one that ends in "/" includes all paths below it.
    :raises TypeError: for a string where a list is expected.
    :raises ValueError: for a path that does not start with "/".
    """

    __slots__ = ("_folders", "_paths")

    def __init__(self, who: str, paths: Any) -> None:
        found = check_strings(f"{who}: exempt", paths, "/health")
        for path in found:
            if not path.startswith("/"):
                raise ValueError(f"{who}: exempt: expected paths that start with '/', got {path!r}")
        self._paths = frozenset(found)
        self._folders = tuple(path for path in found if path.endswith("/"))

    def __contains__(self, path: str) -> bool:
        return path in self._paths or (bool(self._folders) and path.startswith(self._folders))


def check_decorator(path: Any, decorator: str) -> None:
    """Check the path of a decorator, which is the function where the brackets are missing."""
    if not isinstance(path, str):
        raise StartupError(
            f"{caller_place()}: @app.{decorator} needs a path, as in @app.{decorator}('/'), got {path!r}"
        )
