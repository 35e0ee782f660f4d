"""Keys of a cache: those that a program writes, and those of a function with its arguments."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["call_key", "check_key"]

_PLAIN = (bool, int, float, str, bytes, type(None))
_LONGEST = 200  # characters of the arguments in a key; longer ones are replaced by a digest


def check_key(key: Any) -> str:
    """Check a key, and return it.

    :raises TypeError: for an object that is not text.
    :raises ValueError: for an empty text.
    """
    if not isinstance(key, str):
        raise TypeError(f"Cache: key: expected a str, got {key!r}")
    if not key:
        raise ValueError("Cache: key: expected some text, got ''")
    return key


def call_key(
    function: Callable[..., Any], key: str | Callable[..., str] | None
) -> Callable[[tuple[Any, ...], Mapping[str, Any]], str]:
    """Return ``find(args, kwargs)``, which returns the key of a call.

    Calls that mean the same have the same key, however their arguments are passed.

    :param function: the function.
    :param key: a key for all calls; or a function that takes the arguments; None for the name of ``function`` with its
        arguments.
    """
    if isinstance(key, str):
        check_key(key)
        return lambda args, kwargs: key
    if key is not None:
        chosen = key
        return lambda args, kwargs: chosen(*args, **kwargs)
    signature = inspect.signature(function)
    name = f"{function.__module__}.{function.__qualname__}"

    def find(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        told = ", ".join(f"{each}={_told(name, each, value)}" for each, value in bound.arguments.items())
        return f"{name}({told if len(told) <= _LONGEST else hashlib.sha256(told.encode()).hexdigest()})"

    return find


def _told(function: str, parameter: str, value: Any) -> str:
    if type(value) in _PLAIN:
        return ascii(value)
    if type(value) is tuple:
        return f"({', '.join(_told(function, parameter, each) for each in value)},)"
    if type(value) is dict:  # further keyword arguments; the order in which they are passed does not matter
        return "{" + ", ".join(f"{key!a}: {_told(function, parameter, value[key])}" for key in sorted(value)) + "}"
    raise TypeError(
        f"cached: {function}: {parameter}: expected a number, text, bytes, None or a tuple of them, got an object of "
        f"type {type(value).__name__}; pass key=, a function of the arguments"
    )
