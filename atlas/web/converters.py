"""What a path parameter may be: text of one segment in, a Python value out, and back again for ``url_for``."""

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
    """One kind of path parameter.

    :param parse: text to value; raises ValueError for text that is none. It never gets an empty text.
    :param format: value to text; raises ValueError or TypeError for a value that is none.
    :param rank: lower ranks are tried first where kinds stand side by side. Own kinds count as typed.
    :param many: whether it takes all of the rest, with its slashes.
    :param native: the kind that the compiled tree reads by itself, for those in the box.
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

# Not state of a server but vocabulary of the process, as codecs.register is: read when routes are made, at start-up.
_CONVERTERS: dict[str, Converter] = {
    "string": _STRING,
    "str": _STRING,
    # 19 digits hold every 64-bit number: what is longer is no key of anything, and int() of it takes quadratic time.
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
    """The converter of that name, if there is one."""
    return _CONVERTERS.get(name)


def converter_names() -> list[str]:
    """Every name that a pattern may use."""
    return sorted(_CONVERTERS)


def register_converter(name: str, converter: Converter) -> None:
    """Add an own kind of path parameter, before the routes that use it are made.

    :raises ValueError: if the name is no identifier, or taken.
    """
    if not name.isidentifier():
        raise ValueError(f"converter name {name!r}: expected an identifier")
    if name in _CONVERTERS:
        raise ValueError(f"converter name {name!r} is taken")
    _CONVERTERS[name] = converter
