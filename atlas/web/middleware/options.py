"""What options of middleware may be: checked once, where they are written, with a message that names them."""

from __future__ import annotations

from typing import Any

__all__ = ["listed", "whole_number"]


def listed(setting: str, values: Any, example: str) -> tuple[str, ...]:
    """Strings, as a tuple.

    :param setting: whose it is: ``"CORS: allow_origins"``. :param example: one of them, for the message.
    :raises TypeError: for a single string, which would be taken for a list of its letters, or for what is no string.
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


def whole_number(setting: str, value: Any, least: int, most: int | None = None) -> int:
    """A number in its bounds.

    :raises TypeError: for what is no whole number. :raises ValueError: for one out of bounds.
    """
    if type(value) is not int:
        raise TypeError(f"{setting}: expected a whole number, got {value!r}")
    if value < least or (most is not None and value > most):
        bounds = f"{least} or more" if most is None else f"{least} to {most}"
        raise ValueError(f"{setting}: expected {bounds}, got {value!r}")
    return value
