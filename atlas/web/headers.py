"""Header fields as mappings over the list of byte pairs that ASGI carries, and what some of their values mean.

Names are case-insensitive, order and duplicates are kept. A look-up walks the list: heads are short (WIRE.md limits
them), and a dict for each request would cost more than the one or two look-ups that a controller makes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, MutableMapping

__all__ = ["Headers", "MutableHeaders", "RawHeaders", "encode_field", "preferred_type", "weights_of"]

RawHeaders = list[tuple[bytes, bytes]]

# RFC 9110 5.6.2 (token) and 5.5: a field value never holds a control character besides the tab. fullmatch, because "$"
# would let a line feed at the end go through.
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")


def encode_field(name: str, value: str) -> tuple[bytes, bytes]:
    """One header field as ASGI wants it: lower-case name, both as Latin-1.

    :raises TypeError: if the value is no string.
    :raises ValueError: for a name that is no token, or a value with a control character or one outside Latin-1.
    """
    if not isinstance(value, str):
        raise TypeError(f"header {name!r}: expected a str, got {type(value).__name__}")
    if not _TOKEN.fullmatch(name):
        raise ValueError(f"header name {name!r}: expected a token (RFC 9110 5.6.2)")
    if not _VALUE.fullmatch(value):
        raise ValueError(f"header {name!r}: {value!r} has a character that a field value cannot carry (RFC 9110 5.5)")
    return name.lower().encode("ascii"), value.encode("latin-1")


class Headers(Mapping[str, str]):
    """The header fields of a request. ``headers[name]`` is the first value, :meth:`get_all` gives every one."""

    __slots__ = ("raw",)

    def __init__(self, raw: Iterable[tuple[bytes, bytes]] = ()) -> None:
        self.raw: RawHeaders = raw if isinstance(raw, list) else list(raw)

    def __getitem__(self, name: str) -> str:
        wanted = name.lower().encode("latin-1", "replace")
        for key, value in self.raw:
            if key == wanted:
                return value.decode("latin-1")
        raise KeyError(name)

    def get_all(self, name: str) -> list[str]:
        """Every value of ``name``, in order; empty if there is none."""
        wanted = name.lower().encode("latin-1", "replace")
        return [value.decode("latin-1") for key, value in self.raw if key == wanted]

    getlist = get_all  # as Starlette and Flask have it

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and any(key == name.lower().encode("latin-1", "replace") for key, _ in self.raw)

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(key.decode("latin-1") for key, _ in self.raw))

    def __len__(self) -> int:
        return len({key for key, _ in self.raw})

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.raw!r})"


class MutableHeaders(Headers, MutableMapping[str, str]):
    """The header fields of a response. Names and values are checked when they are set: no value can add a line."""

    __slots__ = ()

    def __setitem__(self, name: str, value: str) -> None:
        """Put ``value`` where the first field of that name was, and take the others away."""
        field = encode_field(name, value)
        place = next((index for index, (key, _) in enumerate(self.raw) if key == field[0]), len(self.raw))
        self.raw[place:] = [field, *(pair for pair in self.raw[place:] if pair[0] != field[0])]

    def __delitem__(self, name: str) -> None:
        wanted = name.lower().encode("latin-1", "replace")
        kept = [pair for pair in self.raw if pair[0] != wanted]
        if len(kept) == len(self.raw):
            raise KeyError(name)
        self.raw[:] = kept

    def add(self, name: str, value: str) -> None:
        """Add a field beside those of the same name (``set-cookie``, ``link``)."""
        self.raw.append(encode_field(name, value))

    def vary(self, *names: str) -> None:
        """Say that the response depends on these request fields (RFC 9110 12.5.5), each of them once."""
        known = [part.strip() for value in self.get_all("vary") for part in value.split(",") if part.strip()]
        seen = {part.lower() for part in known}
        self["vary"] = ", ".join([*known, *(name for name in names if name.lower() not in seen)])


def preferred_type(accept: str | None, offers: Iterable[str]) -> str | None:
    """The one of ``offers`` that an ``Accept`` value likes best, or None if it refuses all (RFC 9110 12.5.1).

    A missing or empty value accepts everything. Of offers liked equally the first wins.
    """
    offers = list(offers)
    if not accept or not accept.strip():
        return offers[0] if offers else None
    ranges = [_media_range(part) for part in accept.split(",") if part.strip()]
    best, best_quality = None, 0.0
    for offer in offers:
        quality = _quality(offer, ranges)
        if quality > best_quality:
            best, best_quality = offer, quality
    return best


def weights_of(value: str) -> dict[str, float]:
    """The names of a weighted list, in lower case, with their weights (RFC 9110 12.4.2): ``gzip, br;q=0.5``."""
    return dict(reversed([_media_range(part) for part in value.split(",") if part.strip()]))


def _media_range(part: str) -> tuple[str, float]:
    name, *parameters = part.split(";")
    quality = 1.0
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key.strip().lower() == "q":
            # A weight is at most "0.123" or "1.000" (RFC 9110 12.4.2); what is none of that weighs nothing.
            value = value.strip()
            quality = float(value) if re.fullmatch(r"0(\.[0-9]{0,3})?|1(\.0{0,3})?", value) else 0.0
    return name.strip().lower(), quality


def _quality(offer: str, ranges: list[tuple[str, float]]) -> float:
    """The weight of the most specific range that fits: ``a/b`` before ``a/*`` before ``*/*``."""
    weights = dict(reversed(ranges))
    for name in (offer, offer.partition("/")[0] + "/*", "*/*"):
        if name in weights:
            return weights[name]
    return 0.0
