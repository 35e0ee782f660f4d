"""Metrics as text: the text format of Prometheus 0.0.4, and OpenMetrics 1.0.0; and which of them a client asks for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from atlas.server.metrics.families import Family, Sample

__all__ = ["OPENMETRICS", "TEXT", "Format", "negotiate", "render"]


@dataclass(frozen=True, slots=True)
class Format:
    """A format. ``versions``: those of a client that it serves; the last one is the answer's."""

    media_type: str
    versions: tuple[str, ...]

    @property
    def content_type(self) -> str:
        return f"{self.media_type}; version={self.versions[-1]}; charset=utf-8"


TEXT = Format("text/plain", ("1.0.0", "0.0.4"))  # 1.0.0 only adds quoted names, which Atlas does not have
OPENMETRICS = Format("application/openmetrics-text", ("0.0.1", "1.0.0"))


def negotiate(accept: str) -> Format:
    """Return the format that a client prefers (RFC 9110, section 12.5.1).

    :param accept: the value of ``Accept``; empty if there is none.
    :returns: the text format of Prometheus if the client accepts both equally, or neither.
    """
    ranges = [_parse_range(item) for item in accept.split(",") if item.strip()]
    qualities = {kind.media_type: _quality(kind, ranges) for kind in (TEXT, OPENMETRICS)}
    return OPENMETRICS if qualities[OPENMETRICS.media_type] > qualities[TEXT.media_type] else TEXT


@dataclass(frozen=True, slots=True)
class _Range:
    media_type: str
    version: str | None
    quality: float


def _parse_range(item: str) -> _Range:
    media_type, *parameters = (part.strip().lower() for part in item.split(";"))
    values = dict(parameter.partition("=")[::2] for parameter in parameters)
    try:
        quality = float(values.get("q", "1"))
    except ValueError:
        quality = 0.0
    version = values.get("version")
    return _Range(media_type, version.strip('"') if version is not None else None, quality)


def _quality(kind: Format, ranges: Iterable[_Range]) -> float:
    """Return the quality of the most specific range that a format is in; 0 if it is in none."""
    wildcards = ("*/*", kind.media_type.split("/")[0] + "/*")
    found = [
        (2 + (each.version is not None) if each.media_type == kind.media_type else wildcards.index(each.media_type),
         each.quality)
        for each in ranges
        if each.media_type in wildcards
        or (each.media_type == kind.media_type and each.version in (None, *kind.versions))
    ]  # fmt: skip
    return max(found, default=(0, 0.0))[1]


def render(families: Iterable[Family], kind: Format) -> bytes:
    """Return metrics in a format."""
    openmetrics = kind is OPENMETRICS
    lines = [line for family in families for line in _family_lines(family, openmetrics)]
    if openmetrics:
        lines.append("# EOF")
    return ("\n".join(lines) + "\n").encode()


def _family_lines(family: Family, openmetrics: bool) -> Iterator[str]:
    name, kind = family.name, family.kind
    if not openmetrics:
        # The older format has the suffix in the name of the family, and does not know the type.
        if kind == "counter":
            name += "_total"
        elif kind == "info":
            name, kind = f"{name}_info", "gauge"
    yield f"# HELP {name} {_escape(family.help)}"
    yield f"# TYPE {name} {kind}"
    if openmetrics and family.unit:
        yield f"# UNIT {name} {family.unit}"
    for sample in family.samples:
        yield f"{family.name}{sample.suffix}{_label_text(sample)} {_number(sample.value)}"


def _label_text(sample: Sample) -> str:
    if not sample.labels:
        return ""
    return "{" + ",".join(f'{name}="{_escape(value, quote=True)}"' for name, value in sample.labels) + "}"


def _escape(text: str, *, quote: bool = False) -> str:
    text = text.replace("\\", "\\\\").replace("\n", "\\n")
    return text.replace('"', '\\"') if quote else text


def _number(value: int | float) -> str:
    return repr(value) if isinstance(value, float) else str(value)
