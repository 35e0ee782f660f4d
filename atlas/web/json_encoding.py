"""JSON as responses, sessions, templates and server-sent events write it (RFC 8259).

msgspec encodes what it knows. Only for other values it calls :func:`_convert`, and only after an error the value is
searched for the place of the error, so neither costs anything where a value is encoded at once.

NaN and infinity have no JSON form (RFC 8259 6) and are written as ``null``, as by ``JSON.stringify`` of browsers.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import fields, is_dataclass
from decimal import Decimal
from inspect import isawaitable
from typing import Any, NoReturn

import msgspec

from atlas.web.background import CURRENT

__all__ = ["encode_json", "format_json", "raise_explained", "unchecked_encode"]

MAX_DEPTH = 50  # levels that are searched for the place of an error


class NoJSONForm(TypeError):
    """A value is of a type that no rule converts."""


def encode_json(value: Any) -> bytes:
    """Encode a value as JSON.

    :param value: dicts, lists, dataclasses, Structs, dates, UUIDs, Decimals, numpy values ..., and what
        ``json_encoder`` of the current application converts.
    :returns: the text, in UTF-8.
    :raises TypeError: for a value that has no JSON form. The message has its path and its type.
    :raises ValueError: for text that is not Unicode, and for a value that contains itself.
    """
    try:
        return unchecked_encode(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise_explained(value, error)


def format_json(value: Any, *, indent: int | None = None) -> str:
    """Encode a value as JSON text, as the filter ``tojson`` of a template does.

    :param value: as for :func:`encode_json`.
    :param indent: the number of spaces by which each level is indented; None, the default, for one line.
    :returns: the text.
    """
    data = encode_json(value)
    return (data if indent is None else msgspec.json.format(data, indent=indent)).decode()


def _convert(value: Any) -> Any:
    """Convert a value that msgspec does not know: a key that is no string too.

    The types of Python that JSON has, and their subclasses, are the same for every application. The encoder of the
    application takes precedence for all others.
    """
    if value is None:
        return "null"  # a key: msgspec encodes the value None itself
    if isinstance(value, bool):
        return "true" if value else "false"  # a key, too
    for kind, convert in _SUBCLASSES:
        if isinstance(value, kind):
            return convert(value)
    request = CURRENT.get()
    encoder = request.app.json_encoder if request is not None else None
    if encoder is None:
        return _convert_others(value)
    try:
        return encoder(value)
    except (TypeError, NotImplementedError) as error:
        try:
            return _convert_others(value)
        except NoJSONForm:
            raise error from None


def _convert_others(value: Any) -> Any:
    if hasattr(value, "dtype") and hasattr(value, "tolist"):  # the scalars and arrays of numpy, and those like them
        return value.tolist()
    if isinstance(value, dict | list | tuple | set | frozenset):
        raise NoJSONForm(type(value).__name__)  # a key: msgspec encodes such a value itself
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Collection):
        return list(value)
    raise NoJSONForm(type(value).__name__)


def _exact_datetime(value: datetime.datetime) -> datetime.datetime:
    return datetime.datetime.combine(_exact_date(value), _exact_time(value))


def _exact_date(value: datetime.date) -> datetime.date:
    return datetime.date(value.year, value.month, value.day)


def _exact_time(value: datetime.time | datetime.datetime) -> datetime.time:
    return datetime.time(value.hour, value.minute, value.second, value.microsecond, value.tzinfo, fold=value.fold)


def _exact_duration(value: datetime.timedelta) -> datetime.timedelta:
    return datetime.timedelta(value.days, value.seconds, value.microseconds)


# Subclasses, such as markupsafe.Markup, numpy.float64 and pendulum.DateTime, with functions that return an object of
# the type itself. The methods of a subclass are not called: str(Markup(...)) is a Markup.
_SUBCLASSES: tuple[tuple[type, Callable[[Any], Any]], ...] = (
    (str, str.__str__),
    (int, int.__int__),
    (float, float.__float__),
    (bytes, bytes.__bytes__),
    (bytearray, bytes),
    (Decimal, Decimal),
    (datetime.datetime, _exact_datetime),
    (datetime.date, _exact_date),
    (datetime.time, _exact_time),
    (datetime.timedelta, _exact_duration),
)

unchecked_encode = msgspec.json.Encoder(enc_hook=_convert).encode
""":func:`encode_json` without the explanation of errors, for code that calls :func:`raise_explained` itself."""


def raise_explained(value: Any, error: Exception) -> NoReturn:
    """Raise the exception for a value that could not be encoded.

    :param value: the value.
    :param error: the exception of :data:`unchecked_encode`.
    :raises TypeError: with the path of the part that has no JSON form, and its type.
    :raises ValueError: for text that is not Unicode, and for a value that contains itself.
    """
    if isinstance(error, RecursionError):
        raise ValueError(f"JSON: the {type(value).__name__} contains itself, or is nested too deeply") from None
    place, culprit = _find(value, "value", "$", 0)
    if isinstance(culprit, str):
        raise ValueError(f"JSON: {place} is text with a surrogate, which is no character: {culprit!r}") from None
    if isawaitable(culprit):
        if (close := getattr(culprit, "close", None)) is not None:
            close()  # else Python also warns about a coroutine that was never awaited
        raise TypeError(f"JSON: {place} is a {type(culprit).__name__}, 'await' is missing") from None
    kind = f"{type(culprit).__module__}.{type(culprit).__qualname__}".removeprefix("builtins.")
    message = f"JSON: {place} is of the type {kind}, which has no JSON form"
    if isinstance(error, NoJSONForm):
        raise TypeError(f"{message}; Application(json_encoder=...) sets a function that converts it") from None
    raise TypeError(f"{message}: {error}") from error


def _find(value: Any, noun: str, path: str, depth: int) -> tuple[str, Any]:
    """Return the place of the innermost part that cannot be encoded, and the part."""
    if depth < MAX_DEPTH:
        for part, its_noun, its_path in _parts(value, path):
            try:
                unchecked_encode({part: None} if its_noun == "key" else part)
            except Exception:
                return _find(part, its_noun, its_path, depth + 1)
    return f"the {noun} at {path}", value


def _parts(value: Any, path: str) -> Iterator[tuple[Any, str, str]]:
    """Iterate over the parts of a value: each with "value" or "key", and its path."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield key, "key", path
            yield item, "value", f"{path}.{key}" if isinstance(key, str) else f"{path}[{key!r}]"
    elif isinstance(value, msgspec.Struct):
        for field in msgspec.structs.fields(value):
            yield getattr(value, field.name), "value", f"{path}.{field.encode_name}"
    elif is_dataclass(value):
        for each in fields(value):
            yield getattr(value, each.name), "value", f"{path}.{each.name}"
    elif isinstance(value, Collection) and not isinstance(value, str | bytes | bytearray | memoryview):
        for index, item in enumerate(value):
            yield item, "value", f"{path}[{index}]"
