"""Path patterns taken apart: what stands in them as it is, and the parameters."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, NamedTuple
from urllib.parse import quote

from atlas.web.converters import PATH_RANK, Converter, converter_names, find_converter

__all__ = ["REST", "Parameter", "Pattern", "parse_pattern"]

# Whatever is left of a path, even nothing: where an application is mounted.
REST = Converter(str, rank=PATH_RANK + 100, many=True, native="rest")
_PARAMETER = re.compile(r"\{([^{}]*)\}")


class Parameter(NamedTuple):
    """A named hole in a pattern and what may stand in it."""

    name: str
    converter: Converter


@dataclass(frozen=True, slots=True)
class Pattern:
    """A path pattern taken apart: for each segment its text, or the parameter that stands there.

    :ivar quoted: the same with the texts percent-encoded.
    """

    text: str
    segments: tuple[str | Parameter, ...]
    quoted: tuple[str | Parameter, ...]

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Those that a controller is given, in order."""
        return tuple(
            segment for segment in self.segments if isinstance(segment, Parameter) and segment.converter is not REST
        )

    @property
    def parts(self) -> list[bytes | Converter]:
        """What the compiled tree is made of: texts as UTF-8, and converters."""
        parts: list[bytes | Converter] = []
        for segment in self.segments[1:]:
            parts += [b"/", segment.encode() if isinstance(segment, str) else segment.converter]
        return parts

    @property
    def shape(self) -> tuple[str | int, ...]:
        """The same for all patterns that fit the same paths, or may do so without one coming before the other."""
        return tuple(segment if isinstance(segment, str) else segment.converter.rank for segment in self.segments)

    def fill(self, values: dict[str, Any]) -> str:
        """The path with these values in it, percent-encoded; takes those that it uses out of ``values``.

        :raises ValueError: for a missing value, or one that its converter refuses.
        """
        return "/".join(
            segment if isinstance(segment, str) else self._fill_one(segment, values) for segment in self.quoted
        )

    def _fill_one(self, parameter: Parameter, values: dict[str, Any]) -> str:
        if parameter.name not in values:
            raise ValueError(f"{self.text}: no value for {parameter.name!r}")
        if parameter.converter is REST:
            return quote(str(values.pop(parameter.name)).lstrip("/"), safe=_SAFE + "/")
        try:
            text = parameter.converter.format(values.pop(parameter.name))
        except (TypeError, ValueError) as error:
            raise ValueError(f"{self.text}: {parameter.name!r}: {error}") from None
        # A segment of dots would be taken away by the client (RFC 3986 5.2.4), encoded or not.
        if text in (".", ".."):
            raise ValueError(f"{self.text}: {parameter.name!r} cannot be {text!r} in a path")
        return quote(text, safe=_SAFE + "/" * parameter.converter.many)


_SAFE = "-._~!$&'()*+,;=:@"  # pchar, RFC 3986 3.3


def parse_pattern(text: str, *, rest: str | None = None) -> Pattern:
    """Take a pattern apart.

    :param rest: the name of a last parameter that takes whatever is left, even nothing, and is given to nobody.
    :raises ValueError: if it makes no sense; the message says why, in words for the one who wrote it.
    """
    if not text.startswith("/"):
        raise ValueError("a path starts with '/'")
    if "?" in text or "#" in text:
        raise ValueError("a path has no '?' and no '#'")
    whole = text if rest is None else text.rstrip("/")
    segments = tuple(_parse_segment(segment) for segment in whole.split("/"))
    if rest is not None:
        segments = (*segments, Parameter(rest, REST))
    names = [segment.name for segment in segments if isinstance(segment, Parameter)]
    if len(set(names)) < len(names):
        raise ValueError("two parameters have the same name")
    if any(isinstance(segment, Parameter) and segment.converter.many for segment in segments[:-1]):
        raise ValueError("a parameter that takes all of the rest has to be the last one")
    quoted = tuple(quote(segment, safe=_SAFE) if isinstance(segment, str) else segment for segment in segments)
    return Pattern(text, segments, quoted)


def _parse_segment(segment: str) -> str | Parameter:
    found = _PARAMETER.fullmatch(segment)
    if found is None:
        if "{" in segment or "}" in segment:
            raise ValueError(f"{segment!r}: a parameter is a whole segment, as in '/users/{{name}}'")
        return segment
    name, colon, kind = found[1].partition(":")
    if not name.isidentifier():
        raise ValueError(f"{segment!r}: {name!r} is no name for a parameter")
    kind = kind if colon else "string"
    converter = find_converter(kind)
    if converter is None:
        close = get_close_matches(kind, converter_names(), 1)
        hint = f"did you mean {close[0]!r}?" if close else "known are " + ", ".join(converter_names())
        raise ValueError(f"{segment!r}: no converter {kind!r}; {hint}")
    return Parameter(name, converter)
