"""``ATLAS_TEMPLATES``: which engine renders templates."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from enum import Enum
from itertools import tee
from typing import Any

__all__ = ["Mode", "engine_mode", "log_difference", "values_for_two"]

_VARIABLE = "ATLAS_TEMPLATES"
_SHOWN = 60  # characters around a difference

logger = logging.getLogger("atlas.templates")


class Mode(Enum):
    """The values of ``ATLAS_TEMPLATES``: Atlas's engine, Jinja2's, or both, where differences are logged."""

    ATLAS = "atlas"
    JINJA2 = "jinja2"
    SHADOW = "shadow"


def engine_mode() -> Mode:
    """Return the value of ``ATLAS_TEMPLATES``; default ``atlas``.

    :raises ValueError: for an unknown value.
    """
    value = os.environ.get(_VARIABLE) or Mode.ATLAS.value
    try:
        return Mode(value)
    except ValueError:
        known = ", ".join(each.value for each in Mode)
        raise ValueError(f"{_VARIABLE}: expected one of {known}, got {value!r}") from None


def values_for_two(values: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the variables for two renderings: each gets all items of an iterator.

    :param values: the variables.
    """
    first, second = dict(values), dict(values)
    for name, value in values.items():
        if isinstance(value, Iterator):
            first[name], second[name] = tee(value)
    return first, second


def log_difference(name: str | None, expected: str | Exception, got: str | Exception) -> None:
    """Log if two renderings of a template differ.

    :param name: the name of the template; None for one from a string.
    :param expected: what Jinja2 rendered or raised.
    :param got: what Atlas rendered or raised.
    """
    if isinstance(expected, str) and isinstance(got, str):
        if expected == got:
            return
        pairs = zip(expected, got, strict=False)
        shorter = min(len(expected), len(got))
        at = next((index for index, (one, other) in enumerate(pairs) if one != other), shorter)
        start = max(at - _SHOWN // 2, 0)
        details = f"at character {at}: {expected[start : at + _SHOWN]!r}, {got[start : at + _SHOWN]!r}"
    else:
        if type(expected) is type(got) and str(expected) == str(got):
            return
        details = f"{_described(expected)}, {_described(got)}"
    logger.warning("template %r: Jinja2 and Atlas differ %s", name or "<string>", details)


def _described(result: str | Exception) -> str:
    if isinstance(result, str):
        return f"text of {len(result)} characters"
    return f"{type(result).__name__}: {result}"
