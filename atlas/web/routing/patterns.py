"""Path patterns: parsed into literal segments and parameters."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, NamedTuple
from urllib.parse import quote

from atlas.web.routing.converters import PATH_RANK, Converter, converter_names, find_converter

__all__ = ["REST", "Parameter", "Pattern", "parse_pattern"]

# Matches the rest of a path, also an empty one: for mounted applications.
REST = Converter(str, rank=PATH_RANK + 100, many=True, native="rest")
_PARAMETER = re.compile(r"\{([^{}]*)\}")


class Parameter(NamedTuple):
    """A parameter of a pattern: its name, and the converter of its value."""

    name: str
    converter: Converter


@dataclass(frozen=True, slots=True)
class Pattern:
    """A parsed path pattern.

    :ivar text: the pattern, as it was written.
    :ivar segments: for each segment its text, or its parameter. The first one is empty: a path starts with "/".
    :ivar quoted: the same with percent-encoded text.
    """

    text: str
    segments: tuple[str | Parameter, ...]
    quoted: tuple[str | Parameter, ...]

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The parameters that are passed to the controller, in their order."""
        return tuple(
            segment for segment in self.segments if isinstance(segment, Parameter) and segment.converter is not REST
        )

    @property
    def parts(self) -> list[bytes | Converter]:
        """The pattern for the compiled router: text as UTF-8, and converters."""
        parts: list[bytes | Converter] = []
        for segment in self.segments[1:]:
            parts += [b"/", segment.encode() if isinstance(segment, str) else segment.converter]
        return parts

    @property
    def shape(self) -> tuple[str | int, ...]:
        """Equal for two patterns that match the same paths with the same precedence, so that only one may be routed."""
        return tuple(segment if isinstance(segment, str) else segment.converter.rank for segment in self.segments)

    def fill(self, values: dict[str, Any]) -> str:
        """Build a path.

        :param values: values of the parameters by name; those that are used are removed from the dict.
        :returns: the path, percent-encoded.
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
        # A client removes dot segments, percent-encoded or not (RFC 3986 5.2.4).
        if text in (".", ".."):
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
