"""What is checked when an application is made: the functions that it gets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from atlas.errors import StartupError
from atlas.web.controllers import check_callable, controller_name, is_async

__all__ = ["check_encoder"]


def check_encoder(function: Callable[[Any], Any] | None, place: str) -> Callable[[Any], Any] | None:
    """Check the JSON encoder of an application, and return it.

    :param function: the encoder, or None.
    :param place: file and line, for the message.
    :raises StartupError: for a function that cannot be one.
    """
    if function is not None:
        try:
            check_callable(function, 1, "json_encoder", "the value")
        except ValueError as error:
            raise StartupError(f"{place}: {error}") from None
        if is_async(function):
            raise StartupError(f"{place}: the json_encoder {controller_name(function)} is async, expected a def")
    return function
