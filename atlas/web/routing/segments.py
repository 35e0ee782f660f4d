"""Segments of a pattern that have text beside a parameter: ``v{version:int}``, ``{name}.{ext}``, ``{path:path}/edit``.

Text before the first parameter is literal text for the router. The rest is one converter for it, which matches a
regular expression and returns the values of all its parameters. A parameter takes as much as it can: ``a.tar.gz`` is
``a.tar`` and ``gz`` to ``{name}.{ext}``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise
from typing import Any, NamedTuple

from atlas._speedups.calls.router import Several
from atlas.web.routing.converters import PATH_RANK, STRING_RANK, Converter

__all__ = ["Mixed", "Parameter", "mix"]

_FORMS = {
    "int": r"[0-9]{1,19}",
    "float": r"-?[0-9]{1,19}(?:\.[0-9]{1,19})?",
    "uuid": r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}",
    "date": r"[0-9]{4}-[0-9]{2}-[0-9]{2}",
    "slug": r"[0-9A-Za-z_-]+",
    "path": r"[^/].*",
}
# Bounds of the time that a match takes, which grows with the length to the power of the number of parameters.
_MAX_PARAMETERS, _MAX_LENGTH, _MAX_REST = 4, 255, 4096


class Parameter(NamedTuple):
    """A parameter of a pattern: its name, and the converter of its value."""

    name: str
    converter: Converter


class Mixed(NamedTuple):
    """A segment with text and parameters; or the rest of a path, from a parameter that takes several segments.

    :ivar prefix: the text before the first parameter.
    :ivar pieces: text and parameters, without the prefix.
    :ivar converter: of the pieces together.
    """

    prefix: str
    pieces: tuple[str | Parameter, ...]
    converter: Converter

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The parameters, in their order."""
        return tuple(piece for piece in self.pieces if isinstance(piece, Parameter))

    @property
    def shape(self) -> tuple[str | int, ...]:
        """Equal for two that match the same texts."""
        return (self.prefix, *(piece if isinstance(piece, str) else piece.converter.rank for piece in self.pieces))


def mix(pieces: list[str | Parameter]) -> Mixed:
    """Create a segment of text and parameters.

    :param pieces: text and parameters, with at least one of each; text has slashes only behind a parameter that takes
        several segments.
    :returns: the segment.
    :raises ValueError: for parameters without text between them, or too many.
    """
    for one, two in pairwise(pieces):
        if isinstance(one, Parameter) and isinstance(two, Parameter):
            raise ValueError(f"text is missing between the parameters {one.name!r} and {two.name!r}")
    prefix = pieces[0] if isinstance(pieces[0], str) else ""
    rest = pieces[1:] if prefix else pieces
    parameters = [piece for piece in rest if isinstance(piece, Parameter)]
    if len(rest) == 1:
        return Mixed(prefix, tuple(rest), parameters[0].converter)
    many = parameters[0].converter.many
    if not many and len(parameters) > _MAX_PARAMETERS:
        raise ValueError(f"a segment has at most {_MAX_PARAMETERS} parameters, got {len(parameters)}")
    literal = sum(len(piece) for piece in rest if isinstance(piece, str))
    # More text is tried first: "{name}.tar.gz" before "{name}.gz".
    rank = PATH_RANK - 1 - min(literal, 49) if many else STRING_RANK - 1 - min(literal, 39)
    return Mixed(prefix, tuple(rest), Converter(_parser(rest, many=many), rank=rank, many=many, native="several"))


def _parser(pieces: list[str | Parameter], *, many: bool) -> Callable[[str], Any]:
    # In one segment "/" is an encoded slash, part of a value.
    string = "[^/]+" if many else ".+"
    forms = [
        re.escape(piece) if isinstance(piece, str) else f"({_FORMS.get(piece.converter.native, string)})"
        for piece in pieces
    ]
    fits = re.compile("".join(forms), re.DOTALL).fullmatch
    parsers = [piece.converter.parse for piece in pieces if isinstance(piece, Parameter)]
    longest = _MAX_REST if many else _MAX_LENGTH

    def parse(text: str) -> Several:
        found = fits(text) if len(text) <= longest else None
        if found is None:
            raise ValueError(text)
        return Several(convert(value) for convert, value in zip(parsers, found.groups(), strict=True))

    return parse
