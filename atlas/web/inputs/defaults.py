"""Defaults of parameters. Each request gets its own copy of one that a controller could change."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

from atlas.web.inputs.models import has_fields

__all__ = ["default_maker", "is_constant"]


def is_constant(default: Any) -> bool:
    """Return whether all requests may share a default: it is no list, set, dict, or instance of a class with fields.

    :param default: the default.
    """
    return not isinstance(default, list | set | dict | bytearray) and not has_fields(type(default))


def default_maker(default: Any) -> Callable[[], Any]:
    """Return a function that returns the default, or a copy of it.

    :param default: the default.
    """
    if is_constant(default):
        return lambda: default
    return lambda: deepcopy(default)
