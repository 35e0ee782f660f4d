"""Host patterns: ``api.example.com``, ``{tenant}.example.com`` with parameters, ``*.example.com`` for subdomains."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from atlas.web.routing.patterns import PARAMETER, parse_parameter
from atlas.web.routing.segments import Parameter

__all__ = ["HostPattern", "host_name", "parse_host"]

_HOST = re.compile(r"(\*\.)?[a-z0-9-]+(\.[a-z0-9-]+)*|\[[0-9a-f:.]+\]")
_OUTSIDE = re.compile(r"[^{}]+(?=\{|$)")  # the text outside the parameters
_TEXT = re.compile(r"[a-z0-9-]*")
_LABEL = re.compile(r"[a-z0-9_-]+")  # what a parameter may be in a URL


@dataclass(frozen=True, slots=True)
class _Label:
    """A label of a host name: text, or a parameter with text before and behind it."""

    before: str
    parameter: Parameter | None = None
    behind: str = ""

    @property
    def rank(self) -> tuple[int, int, int]:
        """Text takes precedence over a parameter, a parameter with more text over one with less."""
        if self.parameter is None:
            return (0, 0, 0)
        return (1, -len(self.before) - len(self.behind), self.parameter.converter.rank)

    @property
    def shape(self) -> tuple[Any, ...]:
        """Equal for two labels that match the same text."""
        return (self.before, self.behind, self.rank)

    def match(self, text: str, values: list[Any]) -> bool:
        """Match the label of a name, and append the value of the parameter."""
        if self.parameter is None:
            return text == self.before
        inner = text[len(self.before) : len(text) - len(self.behind)]
        if not inner or not text.startswith(self.before) or not text.endswith(self.behind):
            return False
        try:
            values.append(self.parameter.converter.parse(inner))
        except ValueError:
            return False
        return True

    def fill(self, values: dict[str, Any]) -> str:
        """Return the label with the value of the parameter, which is removed from the dict."""
        if self.parameter is None:
            return self.before
        name, converter = self.parameter
        if name not in values:
            raise ValueError(f"no value for {name!r}")
        try:
            text = converter.format(values.pop(name)).lower()
        except (TypeError, ValueError) as error:
            raise ValueError(f"{name!r}: {error}") from None
        if not _LABEL.fullmatch(text):
            raise ValueError(f"{name!r} cannot be {text!r} in a host name")
        return self.before + text + self.behind


@dataclass(frozen=True, slots=True)
class HostPattern:
    """A host pattern with parameters, each of which is a label of the name or a part of one.

    :ivar text: the pattern, as it was written, but in lower case outside the parameters.
    :ivar labels: its labels.
    """

    text: str
    labels: tuple[_Label, ...]

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The parameters, in their order."""
        return tuple(label.parameter for label in self.labels if label.parameter is not None)

    @property
    def order(self) -> tuple[Any, ...]:
        """The order in which patterns are tried: text before parameters, beginning with the last label."""
        return tuple(label.rank for label in reversed(self.labels))

    @property
    def shape(self) -> tuple[Any, ...]:
        """Equal for two patterns that match the same names."""
        return tuple(label.shape for label in self.labels)

    def match(self, name: str) -> tuple[Any, ...] | None:
        """Match a host name.

        :param name: the name in lower case, without port.
        :returns: the values of the parameters; None if it does not match.
        """
        texts = name.split(".")
        if len(texts) != len(self.labels):
            return None
        values: list[Any] = []
        for label, text in zip(self.labels, texts, strict=True):
            if not label.match(text, values):
                return None
        return tuple(values)

    def fill(self, values: dict[str, Any]) -> str:
        """Build a host name.

        :param values: values of the parameters by name; those that are used are removed from the dict.
        :returns: the name.
        :raises ValueError: for a missing value, or one that its converter or a host name does not allow.
        """
        try:
            return ".".join(label.fill(values) for label in self.labels)
        except ValueError as error:
            raise ValueError(f"host {self.text}: {error}") from None


def parse_host(text: str) -> tuple[str, HostPattern | None]:
    """Parse a host pattern.

    :param text: the pattern.
    :returns: the pattern in lower case, and what matches it; None for a pattern without parameters.
    :raises ValueError: for a malformed pattern, or an unknown converter.
    """
    if "{" not in text and "}" not in text:
        if not _HOST.fullmatch(text.lower()):
            raise ValueError("expected a name without port: 'example.com', '{name}.example.com' or '*.example.com'")
        return text.lower(), None
    labels = tuple(_parse_label(label) for label in text.split("."))
    names = [label.parameter.name for label in labels if label.parameter is not None]
    if len(set(names)) < len(names):
        raise ValueError("two parameters have the same name")
    shown = _OUTSIDE.sub(lambda found: found[0].lower(), text)
    return shown, HostPattern(shown, labels)


def _parse_label(label: str) -> _Label:
    found = list(PARAMETER.finditer(label))
    if len(found) > 1:
        raise ValueError(f"{label!r}: a label of a name has at most one parameter")
    before = label[: found[0].start()].lower() if found else label.lower()
    behind = label[found[0].end() :].lower() if found else ""
    if not _TEXT.fullmatch(before) or not _TEXT.fullmatch(behind) or (not found and not label):
        raise ValueError("expected a name without port: 'example.com', '{name}.example.com' or '*.example.com'")
    parameter = parse_parameter(found[0]) if found else None
    if parameter is not None and parameter.converter.many:
        raise ValueError(f"{label!r}: a parameter of a host is one label, or a part of one")
    return _Label(before, parameter, behind)


def host_name(host: str) -> str:
    """Return the name in a ``host`` field.

    :param host: the value of the field.
    :returns: the name in lower case, without port and final dot.
    """
    name = host.lower().rpartition("]")[0] + "]" if host.startswith("[") else host.lower().partition(":")[0]
    return name.removesuffix(".")
