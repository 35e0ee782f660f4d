"""Path patterns: parsed into literal segments and parameters."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any
from urllib.parse import quote

from atlas.web.routing.converters import PATH_RANK, Converter, converter_names, find_converter
from atlas.web.routing.segments import Mixed, Parameter, mix

__all__ = ["PARAMETER", "REST", "Parameter", "Pattern", "parse_parameter", "parse_pattern"]

# Matches the rest of a path, also an empty one: for mounted applications.
REST = Converter(str, rank=PATH_RANK + 100, many=True, native="rest")
PARAMETER = re.compile(r"\{([^{}]*)\}")
"""Matches a parameter, such as ``{name}`` or ``{id:int}``."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """A parsed path pattern.

    :ivar text: the pattern, as it was written.
    :ivar segments: for each segment its text, its parameter, or both. The first one is empty: a path starts with "/".
        A parameter that takes several segments, and what is behind it, are one.
    :ivar quoted: the same with percent-encoded text.
    """

    text: str
    segments: tuple[str | Parameter | Mixed, ...]
    quoted: tuple[str | Parameter | Mixed, ...]

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The parameters that are passed to the controller, in their order."""
        found: list[Parameter] = []
        for segment in self.segments:
            if isinstance(segment, Mixed):
                found += segment.parameters
            elif isinstance(segment, Parameter) and segment.converter is not REST:
                found.append(segment)
        return tuple(found)

    @property
    def parts(self) -> list[bytes | Converter]:
        """The pattern for the compiled router: text as UTF-8, and converters."""
        parts: list[bytes | Converter] = []
        for segment in self.segments[1:]:
            prefix = segment.prefix if isinstance(segment, Mixed) else ""
            parts += [b"/" + prefix.encode(), segment.encode() if isinstance(segment, str) else segment.converter]
        return parts

    @property
    def shape(self) -> tuple[Any, ...]:
        """Equal for two patterns that match the same paths with the same precedence, so that only one may be routed."""
        return tuple(
            segment
            if isinstance(segment, str)
            else segment.shape
            if isinstance(segment, Mixed)
            else segment.converter.rank
            for segment in self.segments
        )

    def fill(self, values: dict[str, Any]) -> str:
        """Build a path.

        :param values: values of the parameters by name; those that are used are removed from the dict.
        :returns: the path, percent-encoded.
        :raises ValueError: for a missing value, or one that its converter refuses.
        """
        return "/".join(
            segment
            if isinstance(segment, str)
            else self._fill_mixed(segment, values)
            if isinstance(segment, Mixed)
            else self._fill_one(segment, values)
            for segment in self.quoted
        )

    def _fill_mixed(self, segment: Mixed, values: dict[str, Any]) -> str:
        filled = "".join(
            quote(piece, safe=_SAFE + "/") if isinstance(piece, str) else self._fill_one(piece, values)
            for piece in (segment.prefix, *segment.pieces)
        )
        if any(part in (".", "..") for part in filled.split("/")):
            raise ValueError(f"{self.text}: {filled!r} has a dot segment, which clients remove")
        return filled

    def _fill_one(self, parameter: Parameter, values: dict[str, Any]) -> str:
        if parameter.name not in values:
            raise ValueError(f"{self.text}: no value for {parameter.name!r}")
        if parameter.converter is REST:
            return quote(str(values.pop(parameter.name)).lstrip("/"), safe=_SAFE + "/")
        try:
            text = parameter.converter.format(values.pop(parameter.name))
        except (TypeError, ValueError) as error:
            raise ValueError(f"{self.text}: {parameter.name!r}: {error}") from None
        # A client removes dot segments, percent-encoded or not (RFC 3986 5.2.4).
        if any(part in (".", "..") for part in (text.split("/") if parameter.converter.many else (text,))):
            raise ValueError(f"{self.text}: {parameter.name!r} cannot be {text!r} in a path")
        return quote(text, safe=_SAFE + "/" * parameter.converter.many)


_SAFE = "-._~!$&'()*+,;=:@"  # pchar, RFC 3986 3.3


def parse_pattern(text: str, *, rest: str | None = None) -> Pattern:
    """Parse a path pattern.

    :param text: the pattern.
    :param rest: name of a parameter to add at the end, which matches the rest of the path and is not passed to the
        controller; None, the default, for none.
    :returns: the pattern.
    :raises ValueError: for a malformed pattern, or an unknown converter; the message suggests a close match.
    """
    if not text.startswith("/"):
        raise ValueError("a path starts with '/'")
    if "?" in text or "#" in text:
        raise ValueError("a path has no '?' and no '#'")
    _check_dialect(text)
    whole = text if rest is None else text.rstrip("/")
    segments = _join_rest([_parse_segment(segment) for segment in whole.split("/")])
    if rest is not None:
        segments.append(Parameter(rest, REST))
    pattern = Pattern(
        text, tuple(segments), tuple(quote(each, safe=_SAFE) if isinstance(each, str) else each for each in segments)
    )
    names = [parameter.name for parameter in pattern.parameters] + ([rest] if rest is not None else [])
    if len(set(names)) < len(names):
        raise ValueError("two parameters have the same name")
    if any(not isinstance(segment, str) and segment.converter.many for segment in segments[:-1]):
        raise ValueError("a parameter that takes several segments has to be the last one of a prefix")
    return pattern


def _join_rest(parsed: list[list[str | Parameter]]) -> list[str | Parameter | Mixed]:
    """Return the segments; what follows a parameter that takes several segments is joined with it."""
    segments: list[str | Parameter | Mixed] = []
    for number, pieces in enumerate(parsed):
        many = any(isinstance(piece, Parameter) and piece.converter.many for piece in pieces)
        if many and number < len(parsed) - 1:
            segments.append(mix(_joined(parsed[number:])))
            return segments
        if many and sum(isinstance(piece, Parameter) for piece in pieces) > 1:
            raise ValueError("a parameter that takes several segments is the only one of its segment")
        segments.append(pieces[0] if len(pieces) == 1 else mix(pieces))
    return segments


def _joined(parsed: list[list[str | Parameter]]) -> list[str | Parameter]:
    joined: list[str | Parameter] = []
    for number, pieces in enumerate(parsed):
        parameters = [piece for piece in pieces if isinstance(piece, Parameter)]
        if len(parameters) > 1:
            raise ValueError("a segment behind a parameter that takes several segments has at most one parameter")
        if number and any(parameter.converter.many for parameter in parameters):
            raise ValueError("only one parameter takes several segments")
        for piece in ["/", *pieces] if number else pieces:
            if isinstance(piece, str) and joined and isinstance(joined[-1], str):
                joined[-1] += piece
            else:
                joined.append(piece)
    return joined


# Parameters as other frameworks write them: <int:id> and <id>; :id at the beginning of a segment; * and *rest.
_DIALECT = re.compile(
    r"<(?:(?P<kind>\w+)(?:\([^<>]*\))?:)?(?P<flask>\w+)>|(?<=/):(?P<express>[A-Za-z_]\w*)(?=/|$)|(?<=/)\*(?P<rest>\w*)(?=/|$)"
)


def _check_dialect(text: str) -> None:
    """Refuse a parameter that is written as in Flask or Express: it would be literal text that no client asks for."""
    found = _DIALECT.search(text)
    if found is not None:
        name = found["flask"] or found["express"] or found["rest"] or "rest"
        kind = found["kind"] or ("path" if found["rest"] is not None else "")
        parameter = f"{{{name}:{kind}}}" if kind else f"{{{name}}}"
        raise ValueError(f"{found[0]!r}: a parameter is written {parameter!r}")


def _parse_segment(segment: str) -> list[str | Parameter]:
    """Return the text and the parameters of a segment; one empty text for an empty segment."""
    pieces: list[str | Parameter] = []
    at = 0
    for found in PARAMETER.finditer(segment):
        pieces += [segment[at : found.start()], parse_parameter(found)]
        at = found.end()
    pieces.append(segment[at:])
    if any(isinstance(piece, str) and ("{" in piece or "}" in piece) for piece in pieces):
        raise ValueError(f"{segment!r}: a brace without its other one; a parameter is '{{name}}' or '{{name:int}}'")
    return [piece for piece in pieces if piece] or [""]


def parse_parameter(found: re.Match[str]) -> Parameter:
    """Parse a parameter.

    :param found: a match of :data:`PARAMETER`.
    :raises ValueError: for an invalid name, or an unknown converter; the message suggests a close match.
    """
    name, colon, kind = found[1].partition(":")
    if not name.isidentifier():
        raise ValueError(f"{found[0]!r}: {name!r} is no name for a parameter")
    kind = kind if colon else "string"
    converter = find_converter(kind)
    if converter is None:
        close = get_close_matches(kind, converter_names(), 1)
        hint = f"did you mean {close[0]!r}?" if close else "known are " + ", ".join(converter_names())
        raise ValueError(f"{found[0]!r}: no converter {kind!r}; {hint}")
    return Parameter(name, converter)
