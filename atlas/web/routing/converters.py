"""Converters of path parameters: from the text of a segment to a Python value, and back for ``url_for``."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

__all__ = ["Converter", "converter_names", "find_converter", "register_converter"]


@dataclass(frozen=True, slots=True)
class Converter:
    """A converter of path parameters.

    :param parse: converts text, never empty, to a value; raises ValueError for text that does not match.
    :param format: converts a value to text; raises ValueError or TypeError for a value that does not match. ``str`` by
        default.
    :param rank: the order in which converters at the same place of a path are tried, the lowest first; 10 by default,
        the rank of typed parameters.
    :param many: whether the parameter matches the rest of the path, slashes included; False by default.
    :param native: the name under which the compiled router implements a built-in converter; "" for none.
    """

    parse: Callable[[str], Any]
    format: Callable[[Any], str] = str
    rank: int = 10
    many: bool = False
    native: str = ""


def _matching(pattern: str, convert: Callable[[str], Any]) -> Callable[[str], Any]:
    fits = re.compile(pattern, re.ASCII).fullmatch

    def parse(text: str) -> Any:
        if not fits(text):
            raise ValueError(text)
        return convert(text)

    return parse


def _digits(value: Any) -> str:
    if not isinstance(value, int) or value < 0:
        raise ValueError(f"expected an int that is not negative, got {value!r}")
    return str(value)


def _text(value: Any) -> str:
    text = str(value)
    if not text:
        raise ValueError("expected a text that is not empty")
    return text


STRING_RANK, PATH_RANK = 100, 200
_STRING = Converter(str, _text, STRING_RANK, native="string")

# A registry of the process, like that of codecs.register: read when routes are created, not by requests.
_CONVERTERS: dict[str, Converter] = {
    "string": _STRING,
    "str": _STRING,
    # 19 digits are enough for 64-bit numbers; int() takes quadratic time for long text.
    "int": Converter(_matching(r"[0-9]{1,19}", int), _digits, rank=1, native="int"),
    "float": Converter(_matching(r"-?[0-9]{1,19}(\.[0-9]{1,19})?", float), rank=2, native="float"),
    "uuid": Converter(_matching(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", UUID), rank=3, native="uuid"),
    "date": Converter(
        _matching(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", date.fromisoformat), date.isoformat, rank=4, native="date"
    ),
    "slug": Converter(_matching(r"[0-9A-Za-z_-]+", str), _text, rank=50, native="slug"),
    "path": Converter(str, _text, PATH_RANK, many=True, native="path"),
}


def find_converter(name: str) -> Converter | None:
    """Return the converter of a name.

    :param name: the name in patterns.
    :returns: the converter; None for an unknown name.
    """
    return _CONVERTERS.get(name)


def converter_names() -> list[str]:
    """Return the names of all converters, sorted."""
    return sorted(_CONVERTERS)


def register_converter(name: str, converter: Converter) -> None:
    """Register a converter, before routes that use it are created.

    :param name: the name in patterns: ``{parameter:name}``.
    :param converter: the converter.
    :raises ValueError: for a name that is not an identifier, or is registered already.
    """
    if not name.isidentifier():
        raise ValueError(f"converter name {name!r}: expected an identifier")
    if name in _CONVERTERS:
        raise ValueError(f"converter name {name!r} is taken")
    _CONVERTERS[name] = converter
