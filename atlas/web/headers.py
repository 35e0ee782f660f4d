"""Header fields: mappings over the list of byte pairs in ASGI, and parsers of weighted values.

Names are case-insensitive; order and duplicates are kept. A look-up scans the list. The number of fields is limited,
and a dict for each request would cost more than the few look-ups of a controller.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from typing import Any, TypeVar, overload

from atlas.web.multidict import missing_value

__all__ = ["Headers", "MutableHeaders", "RawHeaders", "RequestHeaders", "encode_field", "preferred_type", "weights_of"]

D = TypeVar("D")

RawHeaders = list[tuple[bytes, bytes]]
"""Header fields as in ASGI: pairs of lower-case name and value."""

# RFC 9110 5.6.2 (token) and 5.5: a field value has no control character except the tab. These are used with fullmatch,
# because "$" matches before a line feed at the end.
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")


def encode_field(name: str, value: str) -> tuple[bytes, bytes]:
    """Encode a header field for ASGI.

    :param name: the name, a token.
    :param value: the value.
    :returns: name in lower case and value, in Latin-1.
    :raises TypeError: for a value that is not a ``str``.
    :raises ValueError: for a name that is not a token, or a value with a control character or one outside Latin-1.
    """
    if not isinstance(value, str):
        raise TypeError(f"header {name!r}: expected a str, got {type(value).__name__}")
    if not _TOKEN.fullmatch(name):
        raise ValueError(f"header name {name!r}: expected a token (RFC 9110 5.6.2)")
    if not _VALUE.fullmatch(value):
        raise ValueError(f"header {name!r}: {value!r} has a character that a field value cannot carry (RFC 9110 5.5)")
    return name.lower().encode("ascii"), value.encode("latin-1")


class Headers(Mapping[str, str]):
    """Header fields, to be read. ``headers[name]`` is the first value; :meth:`get_all` returns all of them.

    :param raw: pairs of lower-case name and value. A list is used as it is, not copied.
    """

    __slots__ = ("raw",)

    def __init__(self, raw: Iterable[tuple[bytes, bytes]] = ()) -> None:
        self.raw: RawHeaders = raw if isinstance(raw, list) else list(raw)

    def __getitem__(self, name: str) -> str:
        wanted = name.lower().encode("latin-1", "replace")
        for key, value in self.raw:
            if key == wanted:
                return value.decode("latin-1")
        raise self._missing(name)

    def _missing(self, name: str) -> KeyError:
        return KeyError(name)

    def get_all(self, name: str) -> list[str]:
        """Return all values of a field.

        :param name: the name, in any case.
        :returns: the values in their order; an empty list if there is no such field.
        """
        wanted = name.lower().encode("latin-1", "replace")
        return [value.decode("latin-1") for key, value in self.raw if key == wanted]

    getlist = get_all  # the name in Starlette and Flask

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and any(key == name.lower().encode("latin-1", "replace") for key, _ in self.raw)

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(key.decode("latin-1") for key, _ in self.raw))

    def __len__(self) -> int:
        return len({key for key, _ in self.raw})

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.raw!r})"


class RequestHeaders(Headers):
    """The header fields of a request. A field that the client has not sent is a
    :class:`~atlas.web.exceptions.MissingValue`, which is answered with 400."""

    __slots__ = ()

    def _missing(self, name: str) -> KeyError:
        return missing_value("header field", name.lower(), self)

    @overload
    def get(self, name: str, /) -> str | None: ...
    @overload
    def get(self, name: str, /, default: str | D) -> str | D: ...
    def get(self, name: str, /, default: Any = None) -> Any:
        """Return the first value of a field.

        :param name: the name, in any case.
        :param default: what is returned if there is no such field, None by default.
        """
        wanted = name.lower().encode("latin-1", "replace")
        for key, value in self.raw:
            if key == wanted:
                return value.decode("latin-1")
        return default


class MutableHeaders(Headers, MutableMapping[str, str]):
    """The header fields of a response. Names and values are checked when they are set, so no value can add a line."""

    __slots__ = ()

    def __setitem__(self, name: str, value: str) -> None:
        """Set a field: replace the first field of that name, and remove the others.

        :raises TypeError: for a value that is not a ``str``.
        :raises ValueError: for a name or value that HTTP does not allow.
        """
        field = encode_field(name, value)
        place = next((index for index, (key, _) in enumerate(self.raw) if key == field[0]), len(self.raw))
        self.raw[place:] = [field, *(pair for pair in self.raw[place:] if pair[0] != field[0])]

    def __delitem__(self, name: str) -> None:
        wanted = name.lower().encode("latin-1", "replace")
        kept = [pair for pair in self.raw if pair[0] != wanted]
        if len(kept) == len(self.raw):
            raise KeyError(name)
        self.raw[:] = kept

    def update(self, fields: Any = (), /, **named: str) -> None:
        """Set fields. Of a name that occurs several times in a list, as ``set-cookie`` may, all values are kept.

        :param fields: a mapping, or pairs of name and value.
        :raises TypeError: for something else, and for a value that is not a ``str``.
        :raises ValueError: for a name or value that HTTP does not allow.
        """
        seen: set[str] = set()
        for pair in (*_pairs_of(fields), *named.items()):
            if not isinstance(pair, (tuple, list)) or len(pair) != 2 or not isinstance(pair[0], str):
                raise TypeError(f"headers: expected a mapping or pairs (name, value) of str, got {pair!r}")
            name, value = pair
            if name.lower() in seen:
                self.add(name, value)
            else:
                self[name] = value
                seen.add(name.lower())

    def add(self, name: str, value: str) -> None:
        """Add a field, and keep other fields of the same name, as for ``set-cookie`` and ``link``.

        :param name: the name, a token.
        :param value: the value.
        :raises TypeError: for a value that is not a ``str``.
        :raises ValueError: for a name or value that HTTP does not allow.
        """
        self.raw.append(encode_field(name, value))

    def vary(self, *names: str) -> None:
        """Add request fields that the response depends on to ``vary``, without duplicates (RFC 9110 12.5.5).

        :param names: names of request fields.
        """
        known = [part.strip() for value in self.get_all("vary") for part in value.split(",") if part.strip()]
        seen = {part.lower() for part in known}
        self["vary"] = ", ".join([*known, *(name for name in names if name.lower() not in seen)])


def _pairs_of(fields: Any) -> Iterable[Any]:
    if isinstance(fields, Headers):
        return [(name, value) for name in fields for value in fields.get_all(name)]
    found: Iterable[Any] = fields.items() if hasattr(fields, "items") else fields
    return found


def preferred_type(accept: str | None, offers: Iterable[str]) -> str | None:
    """Choose a media type by an ``accept`` field (RFC 9110 12.5.1).

    :param accept: the value of the field; None or "" accepts every type.
    :param offers: media types in the order of preference.
    :returns: the offer with the highest weight, the first one of equals; None if the client accepts none.
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
    """Parse a weighted list such as ``gzip, br;q=0.5`` (RFC 9110 12.4.2).

    :param value: the value of the field.
    :returns: weights, 0.0 to 1.0, by names in lower case.
    """
    return dict(reversed([_media_range(part) for part in value.split(",") if part.strip()]))


def _media_range(part: str) -> tuple[str, float]:
    name, *parameters = part.split(";")
    quality = 1.0
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key.strip().lower() == "q":
            # A weight has at most three decimals (RFC 9110 12.4.2); a malformed one counts as 0.
            value = value.strip()
            quality = float(value) if re.fullmatch(r"0(\.[0-9]{0,3})?|1(\.0{0,3})?", value) else 0.0
    return name.strip().lower(), quality


def _quality(offer: str, ranges: list[tuple[str, float]]) -> float:
    """Return the weight of the most specific matching range: ``a/b`` before ``a/*`` before ``*/*``."""
    weights = dict(reversed(ranges))
    for name in (offer, offer.partition("/")[0] + "/*", "*/*"):
        if name in weights:
            return weights[name]
    return 0.0
